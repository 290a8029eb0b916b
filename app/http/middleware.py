"""Middleware of every request: request id, standard headers, CORS, body size limit, access log, request counters."""

import asyncio
import logging
import re
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database.engine import REQUEST_STATE, RequestState
from app.database.faults import DatabaseFault, classify
from app.errors import AddressTooLong, BadRequest, MethodNotImplemented, NotFound, Problem, TooLarge, shorten
from app.http.addresses import whole_address
from app.http.deadline import DeadlineTimer, RequestDeadline, late_problem
from app.http.problems import allowed_methods, handle_database_error, problem_response, record_damage
from app.http.shutdown import Shutdown, stopping_problem
from app.logs import cause_of, log_once

logger = logging.getLogger("counterclaim")
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,80}")


EXPOSED_HEADERS = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Location",
    "Content-Range",
    "Deprecation",
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "X-Register-Epoch",
    "X-Register-Seq",
    "X-Request-ID",
]
STANDARD_HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
"""Headers of every response: every origin may read it, and no browser guesses its type.

They do not depend on the request, so that a cached response can be sent to every origin.
"""

CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox")
"""The policy of every response that has no other one: a browser runs and loads nothing that stored text contains."""

PREFLIGHT_HEADERS = {
    name.decode(): value.decode()
    for name, value in (*STANDARD_HEADERS, CONTENT_POLICY)
    if not name.startswith(b"access-control-")
}
"""The headers of an answer to a CORS preflight request beside those of CORS."""

IMPLEMENTED_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
MAX_ADDRESS_BYTES = 16_000
"""Maximum length of the path with the query string."""

CLIENT_CLOSED = 499
"""The status in the log and the metrics for a client that disconnected before its request was complete."""


def find_protocol_fault(scope: Scope, hosts: int) -> Problem | None:
    """Return the problem of a request that no route can answer, or None.

    Args:
        scope: The request.
        hosts: The number of its `Host` lines.
    """
    if hosts > 1 or (hosts == 0 and scope.get("http_version") == "1.1" and scope.get("client") is not None):
        return BadRequest("A request of HTTP/1.1 has exactly one `Host`.")
    if scope["method"] not in IMPLEMENTED_METHODS:
        return MethodNotImplemented(f"The method `{shorten(scope['method'])}` is unknown.")
    if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
        return AddressTooLong(f"The address has more than {MAX_ADDRESS_BYTES:,} bytes.")
    return None


COUNTED_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Methods with their own label in the metrics; a client could send any number of others."""


BUCKET_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the durations that are counted apart."""

STREAM_ROUTES = frozenset({"/v1/changes/stream"})
"""Routes whose responses last as long as the client listens, which says nothing about latency."""


OUTCOMES = ("recorded", "nothing_new", "refused", "failed")


@dataclass(frozen=True, slots=True)
class OutcomeMetric:
    """A counter of the requests of a POST route by outcome."""

    name: str
    documentation: str
    outcomes: tuple[str, ...] = OUTCOMES

    def outcome_of(self, status: int) -> str:
        """Return the outcome that a status means."""
        recorded, nothing_new, refused, failed = self.outcomes
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return failed
        if status >= HTTPStatus.BAD_REQUEST or not status:
            return refused
        return recorded if status == HTTPStatus.CREATED else nothing_new


OUTCOME_METRICS: dict[str, OutcomeMetric] = {}
"""The counters by outcome, by the path of the route."""


def declare_outcome_metric(path: str, metric: OutcomeMetric) -> None:
    """Publish the outcomes of a POST route on `/metrics`. Call it once, next to the route."""
    OUTCOME_METRICS[path] = metric


@dataclass(slots=True)
class RequestTotals:
    """The number of requests with the same labels, and their total duration in seconds."""

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_SECONDS) + 1))
    """The number of requests by duration: up to each of `BUCKET_SECONDS`, and longer ones."""


@dataclass(slots=True)
class RequestCounters:
    """The requests of this process by route, method and status. `ResponseCache` counts those served from the cache."""

    totals: dict[tuple[str, str, int], RequestTotals] = field(default_factory=lambda: defaultdict(RequestTotals))
    in_progress: int = 0
    """The number of requests that are being answered."""
    requests: int = 0
    """The number of requests that were answered."""

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests += 1
        totals = self.totals[route, method if method in COUNTED_METHODS else "other", status]
        totals.count += 1
        if route not in STREAM_ROUTES:
            totals.seconds += seconds
            totals.buckets[bisect_left(BUCKET_SECONDS, seconds)] += 1


class PreflightMiddleware(CORSMiddleware):
    """Middleware for CORS preflight requests. `RequestMiddleware` adds the CORS headers of all other responses."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight request, and pass on all others."""
        if scope["type"] != "http" or scope["method"] != "OPTIONS":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "origin" not in headers or "access-control-request-method" not in headers:
            await self.app(scope, receive, send)
            return
        response = self.preflight_response(headers)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            problem = BadRequest(bytes(response.body).decode(), hint="a page of another origin may only read")
            cors = {name: value for name, value in response.headers.items() if name.startswith("access-control-")}
            problem.headers = {**cors, "Vary": response.headers.get("vary", "Origin")}
            response = problem_response(Request(scope), problem)
        response.headers["X-Request-ID"] = scope["state"]["request_id"]
        response.headers.update(PREFLIGHT_HEADERS)
        await response(scope, receive, send)


class RequestMiddleware:
    """Middleware around the application, inside `ResponseCacheMiddleware` and `PreflightMiddleware`."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        max_body_bytes_by_path: Mapping[str, int],
        uninterrupted_paths: frozenset[str] = frozenset(),
        deadline_seconds: float = 60.0,
    ) -> None:
        """Configure the limits.

        Args:
            app: The application.
            max_body_bytes: The maximum size of a body.
            max_body_bytes_by_path: The maximum size of a body for some paths.
            uninterrupted_paths: The paths whose requests may say that they must be finished, see `_finish`. They have
                no deadline.
            deadline_seconds: The deadline of the other requests.
        """
        self.app = app
        self.deadline_seconds = deadline_seconds
        self.uninterrupted_paths = uninterrupted_paths
        self.max_body_bytes = max_body_bytes
        self.max_body_bytes_by_path = max_body_bytes_by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, complete the headers of its response, and log and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at = time.perf_counter()
        state: dict[str, Any] = scope["state"]
        method = "HEAD" if state["head_only"] else scope["method"]
        status = 0
        state["register_state"] = register_state = RequestState()
        REQUEST_STATE.set(register_state)
        counters: RequestCounters = scope["app"].state.request_counters
        counters.in_progress += 1

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._complete_headers(scope, message["headers"])
            await send(message)

        timer = self._start_timer(scope, receive, send_with_headers)
        send_unless_late = send_with_headers if timer is None else timer.send
        try:
            await self._call(scope, receive, send_unless_late)
        except ClientDisconnect:
            status = status or CLIENT_CLOSED
        except asyncio.CancelledError:
            if status or not scope["app"].state.shutdown.is_stopping:
                raise
            await problem_response(Request(scope), stopping_problem())(scope, receive, send_unless_late)
        except Exception as error:
            if status:
                note_server_error(scope, error)
                raise  # the response has started: closing the connection is the only way to signal the error
            response = await _error_response(scope, error)
            await response(scope, receive, send_unless_late)
        finally:
            if timer is not None:
                await timer.finish()
            counters.in_progress -= 1
            log_and_count(scope, method, status, time.perf_counter() - started_at)

    def _start_timer(self, scope: Scope, receive: Receive, send: Send) -> DeadlineTimer | None:
        """Start the timer of a request that has a deadline."""
        deadline: RequestDeadline | None = scope["state"].get("deadline")
        if deadline is None or scope["path"] in self.uninterrupted_paths:
            return None

        async def answer_late(send: Send) -> None:
            request = Request(scope)
            logger.warning("no answer from the database in time id=%s", request.state.request_id)
            await problem_response(request, late_problem(scope["method"], self.deadline_seconds))(scope, receive, send)

        return DeadlineTimer(deadline, send, answer_late)

    def _complete_headers(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        policy = [] if any(name == CONTENT_POLICY[0] for name, _ in headers) else [CONTENT_POLICY]
        if scope["app"].state.access.needs_key:
            headers = make_private(headers)
        seq = scope["state"]["register_state"].seq or scope["app"].state.database.visible_seq
        return [
            *headers,
            (b"x-request-id", scope["state"]["request_id"].encode()),
            (b"x-register-seq", b"%d" % seq),
            (b"x-register-epoch", b"%d" % scope["app"].state.invalidator.epochs.latest),
            *STANDARD_HEADERS,
            *policy,
        ]

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        max_bytes = self.max_body_bytes_by_path.get(scope["path"], self.max_body_bytes)
        content_length = Headers(scope=scope).get("content-length", "0")
        refusal: Problem | None = scope["state"].get("refusal")
        if refusal is None and content_length.isdecimal() and int(content_length) > max_bytes:
            refusal = TooLarge(f"The body has {content_length} bytes; the limit is {max_bytes}.")
        if refusal is not None:
            await problem_response(Request(scope), refusal)(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._options_response(scope)(scope, receive, send)
        elif scope["path"] in self.uninterrupted_paths:
            await self._finish(scope, receive, send, max_bytes)
        else:
            await self._call_with_limit(scope, receive, send, max_bytes)

    async def _finish(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> None:
        """Call the application. A request that is cancelled while its state says `is_protected` is finished.

        The server cancels requests that are still in progress some seconds after a signal. One that is not protected
        is answered with a 503, since a thread may still work at it.
        """
        shutdown: Shutdown = scope["app"].state.shutdown
        has_started = is_abandoned = False

        async def send_unless_abandoned(message: Message) -> None:
            nonlocal has_started
            if not is_abandoned:
                has_started = True
                await send(message)

        receive = _receive_until(shutdown, receive)
        task = asyncio.ensure_future(self._call_with_limit(scope, receive, send_unless_abandoned, max_bytes))
        while True:
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.done() or has_started:
                    task.cancel()
                    raise
                if not scope["state"].get("is_protected"):
                    is_abandoned = True
                    task.cancel()
                    await problem_response(Request(scope), stopping_problem())(scope, receive, send)
                    return
                shutdown.finishing.add(task)
            else:
                return

    async def _call_with_limit(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> None:
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

    def _options_response(self, scope: Scope) -> Response:
        """Return the methods of an address (RFC 9110, section 9.3.7)."""
        if methods := allowed_methods(scope["app"], scope):
            return Response(status_code=204, headers={"Allow": ", ".join(methods)})
        detail = f"There is no resource at {shorten(whole_address(scope['path']))}."
        hint = f"the addresses are listed at {whole_address('/docs')}"
        return problem_response(Request(scope), NotFound(detail, hint=hint))


def make_private(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response of a closed register: no shared cache may store it."""
    others = [(name, value) for name, value in headers if name not in SHARED_CACHE_HEADERS]
    fields = {name: value.decode("latin-1") for name, value in headers}
    directives = [part.strip() for part in fields.get(b"cache-control", "no-cache").split(",")]
    own = [each for each in directives if each not in ("public", "private") and not each.startswith("s-maxage")]
    vary = filter(None, [fields.get(b"vary"), "Authorization, X-API-Key"])
    return [
        *others,
        (b"cache-control", ", ".join(["private", *own]).encode("latin-1")),
        (b"vary", ", ".join(vary).encode("latin-1")),
    ]


SHARED_CACHE_HEADERS = frozenset({b"cache-control", b"vary", b"surrogate-key", b"surrogate-control"})
"""The headers of a response that say what caches may do with it."""


def log_and_count(scope: Scope, method: str, status: int, seconds: float) -> None:
    """Log and count a request that has ended."""
    route = getattr(scope.get("route"), "path", "unmatched")
    scope["app"].state.request_counters.add(route, method, status, seconds)
    if logger.isEnabledFor(logging.INFO):
        request_id, path, milliseconds = scope["state"]["request_id"], escape_newlines(scope["path"]), seconds * 1000
        extra = {"request_id": request_id, "method": method, "path": path, "route": route, "status": status}
        extra["milliseconds"] = round(milliseconds, 1)
        logger.info("%s %s %s %.1fms id=%s", method, path, status, milliseconds, request_id, extra=extra)


async def _error_response(scope: Scope, error: Exception) -> Response:
    """Return the response for an exception that no handler of the application knows."""
    if classify(error) is not None:  # of a driver, or raised outside of the route
        return await handle_database_error(Request(scope), error)
    note_server_error(scope, error)
    problem = Problem("The server failed to process the request. The request itself may be valid.")
    problem.__cause__ = error
    return problem_response(Request(scope), problem)


def note_server_error(scope: Scope, error: Exception) -> None:
    """Log an error of the server, and record damage of the database that a response in progress has met."""
    request_id = scope["state"]["request_id"]
    if classify(error) is DatabaseFault.damaged:
        record_damage(scope["app"].state.database, error)
    log_once(
        "unhandled error %s id=%s",
        type(error).__name__,
        request_id,
        error=error,
        cause=cause_of(error),
        level=logging.ERROR,
        request_id=request_id,
    )


def _receive_until(shutdown: Shutdown, receive: Receive) -> Receive:
    """Return `receive`, which raises `Unavailable` as soon as the process is ending and the body is incomplete."""

    async def receive_or_stop() -> Message:
        shutdown.check()
        message, stop = asyncio.ensure_future(receive()), asyncio.ensure_future(shutdown.wait())
        await asyncio.wait({message, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not message.done():
            message.cancel()
            raise stopping_problem()
        return message.result()

    return receive_or_stop


def escape_newlines(path: str) -> str:
    """Escape line breaks in a path, so that a client cannot forge log lines."""
    return path.encode("unicode_escape").decode()
