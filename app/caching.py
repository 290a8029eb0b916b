"""Answers that a client may keep: strong ETags, and 304 where it still has the same bytes (RFC 9110, 8.8 and 13.1)."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from starlette.responses import Response


def digest(*parts: bytes) -> str:
    """A short name for exactly these bytes."""
    summed = hashlib.blake2b(digest_size=12)
    for part in parts:
        summed.update(part)
    return summed.hexdigest()


def still_has(request: Request, etag: str) -> bool:
    """Whether the client says that it holds the answer called `etag` (weak comparison, as RFC 9110 asks for GET)."""
    asked = request.headers.get("if-none-match")
    if asked is None:
        return False
    return asked.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in asked.split(",")}


def answer(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    tag: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`body` with its ETag (beginning with `tag`), or 304 where the client has these bytes already."""
    etag = f'"{tag}{digest(media_type.encode(), body)}"'
    kept = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept", **(headers or {})}
    if status == HTTPStatus.OK and request.method == "GET" and still_has(request, etag):
        return Response(status_code=304, headers=kept)
    return Response(body, status_code=status, media_type=media_type, headers=kept)
