"""Middleware of every request: request id, standard headers, CORS, body size limit, access log, request counters."""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Problem, TooLarge
from app.http.problems import problem_response

logger = logging.getLogger("counterclaim")
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,80}")


EXPOSED_HEADERS = ["ETag", "Link", "Location", "Retry-After", "X-Register-Seq", "X-Request-ID"]
CORS_HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()),
]
"""CORS headers that let every origin read every response.

They do not depend on the request, so that a cached response can be sent to every origin.
"""

COUNTED_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Methods with their own label in the metrics; a client could send any number of others."""


@dataclass(slots=True)
class RequestTotals:
    """The number of requests with the same labels, and their total duration in seconds."""

    count: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class RequestCounters:
    """The requests of this process by route, method and status. `ResponseCache` counts those served from the cache."""

    totals: dict[tuple[str, str, int], RequestTotals] = field(default_factory=lambda: defaultdict(RequestTotals))

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        totals = self.totals[route, method if method in COUNTED_METHODS else "other", status]
        totals.count += 1
        totals.seconds += seconds


class PreflightMiddleware(CORSMiddleware):
    """Middleware for CORS preflight requests. `RequestMiddleware` adds the CORS headers of all other responses."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an OPTIONS request, and pass on all others."""
        preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
        await (super().__call__ if preflight else self.app)(scope, receive, send)


class RequestMiddleware:
    """Middleware around the application, inside `ResponseCacheMiddleware` and `PreflightMiddleware`."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, max_body_bytes_by_path: Mapping[str, int]) -> None:
        """Limit bodies to `max_body_bytes`, or to the limit of their path in `max_body_bytes_by_path`."""
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.max_body_bytes_by_path = max_body_bytes_by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, complete the headers of its response, and log and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at = time.perf_counter()
        headers = Headers(scope=scope)
        state: dict[str, Any] = scope["state"]
        method = "HEAD" if state["head_only"] else scope["method"]
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", state["request_id"].encode()),
                    (b"x-register-seq", b"%d" % scope["app"].state.database.latest_seq),
                    *CORS_HEADERS,
                ]
            await send(message)

        try:
            await self._call_with_limit(scope, receive, send_with_headers, headers)
        except Exception as error:
            logger.exception("unhandled error", extra={"request_id": state["request_id"]})
            if status:
                raise  # the response has started: closing the connection is the only way to signal the error
            problem = Problem("The server failed to process the request. The request itself may be valid.")
            problem.__cause__ = error
            await problem_response(Request(scope), problem)(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started_at
            route = getattr(scope.get("route"), "path", "unmatched")
            scope["app"].state.request_counters.add(route, method, status, seconds)
            if logger.isEnabledFor(logging.INFO):
                path = escape_newlines(scope["path"])
                logger.info("%s %s %s %.1fms id=%s", method, path, status, seconds * 1000, state["request_id"])

    async def _call_with_limit(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        content_length = headers.get("content-length", "0")
        max_bytes = self.max_body_bytes_by_path.get(scope["path"], self.max_body_bytes)
        if content_length.isdecimal() and int(content_length) > max_bytes:
            problem = TooLarge(f"The body has {content_length} bytes; the limit is {max_bytes}.")
            await problem_response(Request(scope), problem)(scope, receive, send)
            return
        received_bytes = 0

        # FastAPI's `max_body_size` would respond in plain text, without problem details and standard headers.
        async def receive_with_limit() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > max_bytes:
                raise HTTPException(413, f"The body is too large; the limit is {max_bytes} bytes.")
            return message

        await self.app(scope, receive_with_limit, send)


def escape_newlines(path: str) -> str:
    """Escape line breaks in a path, so that a client cannot forge log lines."""
    return path.encode("unicode_escape").decode()
