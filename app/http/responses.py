"""Responses that clients and caches can revalidate."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from app.cache.etags import digest, etag_matches
from app.cache.scope import CacheScope
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.serializers import JSON_OPTIONS

SHARED_CACHE_CONTROL = "public, max-age=0, s-maxage=1"
"""Every client asks again whether its copy still holds; a cache that many share may answer for a second by itself."""


def is_not_modified(request: Request, etag: str) -> bool:
    """Whether the client says that it holds the answer called `etag`."""
    asked = request.headers.get("if-none-match")
    return asked is not None and etag_matches(asked, etag)


def cacheable_response(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    tag: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    basis: CacheScope | None = None,
) -> Response:
    """`body` with its ETag (beginning with `tag`). With a `basis` it may be kept and sent again: see `app/front.py`.

    The front door makes it a 304 for a client that has these bytes already.
    """
    etag = f'"{tag}{digest(media_type.encode(), body)}"'
    kept = {
        "ETag": etag,
        "Cache-Control": SHARED_CACHE_CONTROL if basis else "no-cache",
        "Vary": "Accept",
        **(headers or {}),
    }
    if basis is not None:
        request.state.cache_scope = basis
        if basis.surrogate_keys:
            kept["Surrogate-Key"] = " ".join(basis.surrogate_keys)
    return Response(body, status_code=status, media_type=media_type, headers=kept)


def json_bytes(content: Any) -> bytes:  # noqa: ANN401 - whatever JSON can say
    """`content` as JSON: times in UTC with `Z`."""
    return orjson.dumps(content, option=JSON_OPTIONS)


def json_response(
    request: Request,
    document: dict[str, Any],
    *,
    tag: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    basis: CacheScope | None = None,
) -> Response:
    """A single resource: its bare object, as JSON."""
    return cacheable_response(
        request, json_bytes(document), JSON_MEDIA_TYPE, tag=tag, status=status, headers=headers, basis=basis
    )
