"""What every answer has, whatever made it: a request id, the register's `seq`, leave to be read, a line in the log."""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Problem, TooLarge
from app.http.problems import problem_response

logger = logging.getLogger("counterclaim")
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,80}")


EXPOSED_HEADERS = ["ETag", "Link", "Location", "Retry-After", "X-Register-Seq", "X-Request-ID"]
CORS_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS)}
"""Any page may read any answer: on all of them, so that one that is kept serves every page."""


@dataclass(slots=True)
class StatusTotals:
    """Answers of one status that were made, and the seconds that it took."""

    count: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class RequestCounters:
    """The answers that this process made; those from memory are counted there."""

    by_status: dict[int, StatusTotals] = field(default_factory=lambda: defaultdict(StatusTotals))

    def add(self, status: int, seconds: float) -> None:
        """One more."""
        made = self.by_status[status]
        made.count += 1
        made.seconds += seconds


class PreflightMiddleware(CORSMiddleware):
    """Answers browsers that ask before they send. The answers themselves are open to all: see `CORS_HEADERS`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on whatever is no such question."""
        preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
        await (super().__call__ if preflight else self.app)(scope, receive, send)


class RequestMiddleware:
    """The layer around the application, inside the front door and the preflights of CORS."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, larger: Mapping[str, int]) -> None:
        """`larger` names the paths that read more than `max_body_bytes`."""
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.max_body_bytes_by_path = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and complete its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = Headers(scope=scope)
        state: dict[str, Any] = scope["state"]
        method = "HEAD" if state["head_only"] else scope["method"]
        status = 0

        async def complete(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = MutableHeaders(scope=message)
                added["X-Request-ID"] = state["request_id"]
                added["X-Register-Seq"] = str(scope["app"].state.database.latest_seq)
                added.update(CORS_HEADERS)
            await send(message)

        try:
            await self._call_with_limit(scope, receive, complete, headers)
        except Exception as mistake:
            logger.exception("unhandled error", extra={"request_id": state["request_id"]})
            if status:
                raise  # the answer has begun: breaking the connection off is all that tells the client
            problem = Problem("Something went wrong here; it is not your request.")
            problem.__cause__ = mistake
            await problem_response(Request(scope), problem)(scope, receive, complete)
        finally:
            took = time.perf_counter() - began
            scope["app"].state.counts.add(status, took)
            if logger.isEnabledFor(logging.INFO):
                path = escape_newlines(scope["path"])
                logger.info("%s %s %s %.1fms id=%s", method, path, status, took * 1000, state["request_id"])

    async def _call_with_limit(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        most = self.max_body_bytes_by_path.get(scope["path"], self.max_body_bytes)
        if length.isdecimal() and int(length) > most:
            problem = TooLarge(f"The body has {length} bytes; at most {most} are read.")
            await problem_response(Request(scope), problem)(scope, receive, send)
            return
        read = 0

        # FastAPI's own `max_body_size` answers in plain text, over any answer of ours and without our headers.
        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413, f"The body is too long; at most {most} bytes are read.")
            return message

        await self.app(scope, counted, send)


def escape_newlines(path: str) -> str:
    """A path that cannot forge a second line of the log."""
    return path.encode("unicode_escape").decode()
