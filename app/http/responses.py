"""Responses with an ETag, which clients and caches can revalidate."""

import time
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from app.cache.etags import ANY_TAG, build_etag, encoded_etag, etag_matches, strong_tags
from app.cache.scope import CacheScope
from app.errors import PreconditionFailed
from app.http.compression import choose_encoding
from app.http.headers import read_list_header
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.ranges import ACCEPT_RANGES, ByteRange, choose_range
from app.http.serializers import JSON_OPTIONS

SHARED_CACHE_CONTROL = "public, max-age=0, s-maxage=1"
"""Clients revalidate before each use; a shared cache may serve its copy for one second without revalidation."""

PURGED_SECONDS = 60
"""For how long a shared cache may serve its copy while it is purged."""

_DAY_SECONDS = 86_400


def shared_cache_control(*, is_purged: bool) -> str:
    """Return the `Cache-Control` of a response that a shared cache may store.

    A copy is not kept beyond the end of the day in UTC: responses contain ages in days.
    """
    if not is_purged:
        return SHARED_CACHE_CONTROL
    seconds = max(1, min(PURGED_SECONDS, int(_DAY_SECONDS - time.time() % _DAY_SECONDS)))
    return f"public, max-age=0, s-maxage={seconds}"


VARY = "Accept, X-Register-Seq"
"""The request headers that select a response. `X-Register-Seq` asks for a state that a stored response may lack."""


def key_headers(cache_scope: CacheScope) -> dict[str, str]:
    """Return the header with the keys by which a shared cache evicts a response (`Surrogate-Key`)."""
    return {"Surrogate-Key": " ".join(cache_scope.surrogate_keys)}


def check_read_conditions(request: Request, etag: str) -> None:
    """Raise `PreconditionFailed` if a read has an `If-Match` that does not include `etag`, in any encoding."""
    if request.method != "GET" or "if-match" not in request.headers:
        return
    if_match = read_list_header(request.headers, "if-match") or ""
    # Lists can have thousands of tags; they are only parsed if one of them may match.
    matches = if_match.strip() == ANY_TAG or (etag[1:-1] in if_match and etag[1:-1] in strong_tags(if_match))
    if not matches:
        raise PreconditionFailed("The resource is not in the state that `If-Match` names.", headers={"ETag": etag})


def check_write_conditions(request: Request, *, exists: bool) -> None:
    """Raise `PreconditionFailed` if a write has a condition that a resource without a tag does not meet.

    `exists`: whether there is a resource already.
    """
    if_match = read_list_header(request.headers, "if-match")
    if_none_match = read_list_header(request.headers, "if-none-match")
    fails = if_match is not None and not (exists and if_match.strip() == ANY_TAG)
    if fails or (exists and if_none_match is not None and if_none_match.strip() == ANY_TAG):
        raise PreconditionFailed("The resource is not in the state that the condition names.")


def is_not_modified(request: Request, etag: str) -> bool:
    """Return whether `If-None-Match` of the request includes `etag`, for the encoding of the response."""
    if_none_match = read_list_header(request.headers, "if-none-match")
    if if_none_match is None:
        return False
    # A range is one of the representation without encoding.
    accepted = "" if "range" in request.headers else read_list_header(request.headers, "accept-encoding") or ""
    encoding = choose_encoding(accepted)
    return etag_matches(if_none_match, etag if encoding is None else encoded_etag(etag, encoding))


def cacheable_response(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    tag: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    cache_scope: CacheScope | None = None,
    serves_ranges: bool = False,
) -> Response:
    """Return a response with an ETag.

    `ResponseCacheMiddleware` turns it into a 304 if the client has the same ETag.

    Args:
        request: The request.
        body: The body.
        media_type: The `Content-Type`.
        tag: The prefix of the ETag.
        status: The HTTP status.
        headers: Further headers.
        cache_scope: The records that the response depends on. Without it the response is not cached.
        serves_ranges: Whether a range of the response can be asked for. The response cache serves ranges itself.
    """
    etag = build_etag(media_type, body, tag)
    check_read_conditions(request, etag)
    response_headers = {
        "ETag": etag,
        "Cache-Control": SHARED_CACHE_CONTROL if cache_scope else "no-cache",
        "Vary": VARY,
        **(headers or {}),
    }
    if serves_ranges:
        response_headers[ACCEPT_RANGES] = "bytes"
        if (part := _asked_range(request, etag, len(body))) is not None:
            response_headers["Content-Range"] = part.content_range
            return Response(body[part.start : part.end], 206, response_headers, media_type)
    if cache_scope is not None:
        request.state.cache_scope = cache_scope
        response_headers |= key_headers(cache_scope)
    return Response(body, status_code=status, media_type=media_type, headers=response_headers)


def _asked_range(request: Request, etag: str, size: int) -> ByteRange | None:
    """Return the range that a request asks for, unless the response cache serves it."""
    range_ = request.headers.get("range")
    if range_ is None or request.scope.get("state", {}).get("head_only") or request.state.is_sent_from_cache:
        return None
    if is_not_modified(request, etag):
        return None  # the middleware sends a 304
    return choose_range(range_, request.headers.get("if-range"), etag, size)


def json_bytes(content: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return `content` as JSON, with times in UTC with `Z`."""
    return orjson.dumps(content, option=JSON_OPTIONS)


def json_response(
    request: Request,
    document: dict[str, Any],
    *,
    tag: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    cache_scope: CacheScope | None = None,
) -> Response:
    """Return a single resource as a JSON object without an envelope."""
    return cacheable_response(
        request, json_bytes(document), JSON_MEDIA_TYPE, tag=tag, status=status, headers=headers, cache_scope=cache_scope
    )
