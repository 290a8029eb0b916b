"""Middleware that serves cached responses. A cached response is evicted when a change affects it.

A response for which the route sets a `CacheScope` is cached, complete, in each encoding that is requested. Before a
cached response is sent, `CacheInvalidator` polls for changes that affect it. All other responses are passed through
and compressed.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from app.cache.etags import encoded_etag, etag_matches
from app.cache.invalidation import CacheInvalidator
from app.cache.responses import BODY_HEADERS, CachedResponse, EncodedBody, Header, RequestKey, header_lines
from app.cache.scope import CacheScope
from app.database.faults import DatabaseFault, classify
from app.database.lease_keeper import LeaseState
from app.errors import Problem, RangeNotSatisfiable
from app.http.access import UNLIMITED_PATHS, AccessControl
from app.http.compression import (
    COMPRESSION_STREAMS,
    MIN_COMPRESSIBLE_BYTES,
    CompressionStream,
    choose_encoding,
    compress,
    is_compressible,
)
from app.http.deadline import POLL_SHARE, start_deadline
from app.http.headers import LIST_SEPARATOR
from app.http.lease_guard import LeaseGuard, lease_lost
from app.http.middleware import REQUEST_ID_PATTERN, escape_newlines, find_protocol_fault, logger
from app.http.problems import DATABASE_ERRORS, database_problem
from app.http.ranges import ACCEPT_RANGES, ByteRange, choose_range
from app.http.responses import SHARED_CACHE_CONTROL, shared_cache_control
from app.http.shutdown import Shutdown, stopping_problem

READ_METHODS = frozenset({"GET", "HEAD"})

POLL_ERRORS = (DBAPIError, PoolTimeout, sqlite3.Error)
"""Errors of a poll when the database fails."""

MAX_POLLS_PER_REQUEST = 3
"""A request bypasses the cache after this many polls, each of them outdated by a write of this process."""

MAX_CACHED_QUERY_BYTES = 2_000
"""Requests with a longer query string are not cached."""

SEQ_PARAMETER = b"seq="

SEQ_HEADER = b"x-register-seq"

MAX_SEQ_DIGITS = 18
UNREACHABLE_SEQ = 10**MAX_SEQ_DIGITS
"""A sequence number higher than any that a register reaches."""

SHARED_CONTROL = SHARED_CACHE_CONTROL.encode()

PER_RESPONSE_HEADERS = {b"x-request-id", b"x-register-seq", b"x-register-epoch"}
"""Headers that are not cached, since each response has its own values."""

MAX_INLINE_COMPRESSION_BYTES = 200_000
"""Larger bodies are compressed in a thread, so that the event loop can serve other requests."""


@dataclass(slots=True)
class RequestHeaders:
    """The headers of a request that select or change a cached response."""

    accept: str = ""
    accept_encoding: str = ""
    if_none_match: str | None = None
    seq: int = 0
    request_id: str | None = None
    has_if_match: bool = False
    hosts: int = 0
    """The number of `Host` lines."""
    is_read: bool = True
    """Whether the method is GET or HEAD."""
    range_: str | None = None
    if_range: str | None = None
    refusal: Problem | None = None
    """Why the request is not answered: it has no valid key, or its client has used up a limit."""
    names_epoch: bool = False
    """Whether the request has an `X-Register-Epoch`, which the application compares."""
    names_seq: bool = False
    """Whether the request has an `X-Register-Seq`, so that no cache may store the response or have stored it."""


@dataclass(frozen=True, slots=True)
class CompleteResponse:
    """A response that is ready to be sent: the status with its reason, the lines of its headers, and its body."""

    status: bytes
    lines: bytes
    body: bytes


class ResponseCacheMiddleware:
    """The outermost middleware: it serves cached responses, and caches and compresses new ones.

    It is a single middleware because each additional layer adds latency to every request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.invalidator: CacheInvalidator
        """Set by `use_database`, since it belongs to the database."""
        self.access: AccessControl
        """Set by `use_access_settings`."""
        self.lease: LeaseState | None = None
        """The lease of this process, for which takedowns wait. Set when a server starts on PostgreSQL."""
        self.shutdown: Shutdown | None = None
        """Set when the application starts."""
        self.deadline_seconds = 60.0
        """The deadline of a request."""
        self._polled_in_loop: asyncio.AbstractEventLoop | None = None
        self._poll_task: asyncio.Task[None] | None = None
        self._pending: dict[RequestKey, asyncio.Future[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the cached response, or pass the request on and cache the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = self._wrap_send(scope, receive, send)
        request_headers = _read_request_headers(scope["headers"])
        scope = _move_seq_to_headers(scope, request_headers)
        request_headers.is_read = scope["method"] in READ_METHODS
        if self.access.is_needed:
            send = await self._admit(scope, send, request_headers)
        key = (scope["path"], scope["query_string"], request_headers.accept)
        if not self._may_be_cached(scope, request_headers):
            await self._forward(scope, receive, send, request_headers)
            return
        if not await self._ensure_up_to_date(scope):
            await self._forward(scope, receive, send, request_headers)
            return
        cache = self.invalidator.response_cache
        cached = cache.get(key) or await self._wait_for_pending(key, scope)
        if cached is not None and cached.cache_scope.seq >= request_headers.seq:
            cache.hits += 1
            await self._send_cached(key, cached, scope, receive, send, request_headers, is_hit=True)
            return
        cache.misses += 1
        future = self._pending[key] = asyncio.get_running_loop().create_future()

        def release_pending() -> None:
            if not future.done():
                future.set_result(None)
            if self._pending.get(key) is future:
                del self._pending[key]

        try:
            await self._forward(scope, receive, send, request_headers, key, release_pending)
        finally:
            release_pending()

    def _wrap_send(self, scope: Scope, receive: Receive, send: Send) -> Send:
        """Return `send`, which checks the lease of this process, and tells shared caches how long a response holds."""
        if self.lease is not None and scope["path"] not in UNLIMITED_PATHS:
            send = LeaseGuard(self.lease, self.invalidator.database, scope, receive, send).send
        return _lengthen_shared_lifetime(send) if self._is_shared_cache_purged else send

    def find_response(self, scope: Scope) -> CompleteResponse | None:
        """Return the response to a request if it can be sent at once, or None: then this middleware has to be called.

        `CounterclaimProtocol` calls it first, since a call of the application takes several times as long.
        """
        request_headers = _read_request_headers(scope["headers"])
        if request_headers.range_ is not None or request_headers.names_seq:
            return None
        scope = _move_seq_to_headers(scope, request_headers)
        request_headers.is_read = scope["method"] in READ_METHODS
        try:
            if not (self._may_be_cached(scope, request_headers) and self._is_up_to_date()):
                return None
        except POLL_ERRORS:
            return None
        cache = self.invalidator.response_cache
        key = (scope["path"], scope["query_string"], request_headers.accept)
        cached = cache.get(key)
        if cached is None or cached.cache_scope.seq < request_headers.seq:
            return None
        encoding = _choose_encoding(cached, request_headers)
        encoded = cached.identity if encoding is None else cached.by_encoding.get(encoding)
        if encoded is None:
            return None
        is_unmodified = _is_unmodified(request_headers, encoded)
        rate_lines = b""
        if self.access.is_needed:
            allowance = self.access.admit_at_once(scope, 0 if is_unmodified else 1)  # a 304 does not count
            if allowance is False:
                return None
            rate_lines = b"" if allowance is True else allowance.lines
        if self.lease is not None and not self.lease.is_held():
            return None
        cache.hits += 1
        if is_unmodified:
            cache.not_modified += 1
            status, lines, body = b"304 Not Modified", encoded.not_modified_lines, b""
        else:
            status, lines, body = b"200 OK", encoded.lines, b"" if scope["method"] == "HEAD" else encoded.body
        self._log_hit(scope, int(status[:3]), request_headers)
        own_lines = header_lines(self._own_headers(cached, request_headers))
        return CompleteResponse(status, self._with_shared_lifetime(lines) + own_lines + rate_lines, body)

    @property
    def _is_shared_cache_purged(self) -> bool:
        """Whether a purger of a shared cache in front of the service holds its lease."""
        until = self.invalidator.purged_until
        return until > 0 and time.monotonic() < until

    def _with_shared_lifetime(self, lines: bytes) -> bytes:
        """Return the lines of headers with the time for which a shared cache may hold the response now."""
        if not self._is_shared_cache_purged:
            return lines
        control = shared_cache_control(is_purged=True).encode()
        return lines.replace(b"cache-control: " + SHARED_CONTROL, b"cache-control: " + control, 1)

    async def _admit(self, scope: Scope, send: Send, request_headers: RequestHeaders) -> Send:
        """Find out whether the request is answered, and note why not. Returns `send`, which adds the rate headers."""
        try:
            allowance = await self.access.admit(scope, self.deadline_seconds * POLL_SHARE)
        except Problem as problem:
            request_headers.refusal = problem
            return send
        except (TimeoutError, *DATABASE_ERRORS) as error:
            fault = DatabaseFault.frozen if isinstance(error, TimeoutError) else classify(error)
            if fault is None:
                raise
            request_headers.refusal = database_problem(self.access.database, fault, error)
            return send
        if allowance is None:
            return send

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start":
                left = allowance
                if message["status"] == HTTPStatus.NOT_MODIFIED:
                    left = self.access.limiter.give_back(allowance)
                message = {**message, "headers": [*message["headers"], *left.headers()]}
            await send(message)

        return send_with_allowance

    def _may_be_cached(self, scope: Scope, request_headers: RequestHeaders) -> bool:
        """Return whether the response may be cached. Notes why the application has to refuse the request, if it has."""
        refusal = find_protocol_fault(scope, request_headers.hosts) or request_headers.refusal
        if self.shutdown is not None and self.shutdown.is_stopping:
            refusal = stopping_problem()
        elif self.lease is not None and request_headers.is_read and not self._may_read(scope):
            refusal = lease_lost()
        if refusal is not None:
            scope.setdefault("state", {})["refusal"] = refusal
            return False
        is_short = len(scope["query_string"]) <= MAX_CACHED_QUERY_BYTES
        is_plain = not (request_headers.has_if_match or request_headers.names_epoch)
        return request_headers.is_read and is_short and is_plain and scope["path"] not in UNLIMITED_PATHS

    def _may_read(self, scope: Scope) -> bool:
        """Return whether a request reads nothing of the register, or this process holds its lease."""
        return scope["path"] in UNLIMITED_PATHS or self.lease is None or self.lease.is_held()

    async def _ensure_up_to_date(self, scope: Scope) -> bool:
        """Advance the cache to the latest state. Returns whether it is up to date; False if the database fails."""
        if await self._poll_if_stale(scope):
            return True
        scope.setdefault("state", {})["is_database_slow"] = True
        return False

    async def _poll_if_stale(self, scope: Scope) -> bool:
        try:
            for _ in range(MAX_POLLS_PER_REQUEST):
                if self._is_up_to_date():
                    return True
                self._start_deadline(scope)
                if self._poll_task is None or self._poll_task.done():
                    self._poll_task = asyncio.create_task(self._poll())
                    self._poll_task.add_done_callback(_note_exception)
                await asyncio.wait({self._poll_task}, timeout=self.deadline_seconds * POLL_SHARE)
                if not self._poll_task.done():
                    return False
                self._poll_task.result()
            return self._is_up_to_date()
        except POLL_ERRORS:
            return False

    def _is_up_to_date(self) -> bool:
        """Return whether cached responses may be sent. SQLite is polled for it, other databases not."""
        invalidator = self.invalidator
        if not invalidator.polls_every_request:
            return invalidator.is_fresh()
        loop = asyncio.get_running_loop()
        if self._polled_in_loop is not loop:
            if invalidator.is_slow:
                return False
            # One poll suffices for all requests that were received before this iteration of the event loop.
            invalidator.poll_in_loop()
            self._polled_in_loop = loop
            loop.call_soon(self._reset_poll)
        return True

    async def _wait_for_pending(self, key: RequestKey, scope: Scope) -> CachedResponse | None:
        """Wait for the same request if it is in progress, and return its response if it is in the cache."""
        pending = self._pending.get(key)
        if pending is None:
            return None
        self._start_deadline(scope)
        await pending
        return self.invalidator.response_cache.get(key)

    def _start_deadline(self, scope: Scope) -> None:
        if "deadline" not in scope.setdefault("state", {}):
            start_deadline(scope, self.deadline_seconds)

    async def _poll(self) -> None:
        await self.invalidator.poll_in_thread()

    def _reset_poll(self) -> None:
        self._polled_in_loop = None

    async def _send_cached(
        self,
        key: RequestKey,
        cached: CachedResponse,
        scope: Scope,
        receive: Receive,
        send: Send,
        request_headers: RequestHeaders,
        *,
        is_hit: bool = False,
    ) -> None:
        asks_range = request_headers.range_ is not None and cached.serves_ranges and scope["method"] == "GET"
        # A range is one of the representation without encoding.
        encoding = None if asks_range else _choose_encoding(cached, request_headers)
        if encoding is None:
            encoded = cached.identity
        else:
            encoded = cached.by_encoding.get(encoding) or await self._encode(key, cached, encoding)
        status, headers, body = 200, encoded.headers, b"" if scope["method"] == "HEAD" else encoded.body
        if _is_unmodified(request_headers, encoded):
            self.invalidator.response_cache.not_modified += 1
            status, headers, body = 304, encoded.not_modified_headers, b""
        elif asks_range:
            try:
                part = choose_range(request_headers.range_, request_headers.if_range, encoded.etag, len(body))
            except RangeNotSatisfiable as problem:
                scope.setdefault("state", {})["refusal"] = problem
                await self._forward(scope, receive, send, request_headers)
                return
            if part is not None:
                status, headers, body = 206, _part_headers(encoded.headers, part), body[part.start : part.end]
        if request_headers.names_seq:
            headers = _without_storing(headers)
        if is_hit:
            self._log_hit(scope, status, request_headers)
        headers = [*headers, *self._own_headers(cached, request_headers)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _log_hit(self, scope: Scope, status: int, request_headers: RequestHeaders) -> None:
        """Log a request that is served from the cache, like the other requests."""
        if logger.isEnabledFor(logging.INFO):
            request_id = request_headers.request_id = request_headers.request_id or uuid7().hex
            method, path = scope["method"], escape_newlines(scope["path"])
            extra = {"request_id": request_id, "method": method, "path": path, "status": status}
            logger.info("%s %s %s from the response cache id=%s", method, path, status, request_id, extra=extra)

    def _own_headers(self, cached: CachedResponse, request_headers: RequestHeaders) -> list[Header]:
        """Return the headers that are not the same for every request."""
        seq = max(self.invalidator.response_cache.seq, cached.cache_scope.seq)
        return [
            (b"x-request-id", (request_headers.request_id or uuid7().hex).encode()),
            (b"x-register-seq", b"%d" % seq),
            (b"x-register-epoch", b"%d" % self.invalidator.epochs.latest),
        ]

    async def _forward(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request_headers: RequestHeaders,
        key: RequestKey | None = None,
        release_pending: Callable[[], None] = lambda: None,
    ) -> None:
        """Pass a request on. A complete response with a cache scope is stored under `key` and sent from the cache.

        `release_pending` is called as soon as the response is either stored or known not to be cacheable.
        """
        state = scope.setdefault("state", {})
        self._start_deadline(scope)
        state["request_id"] = request_headers.request_id = request_headers.request_id or uuid7().hex
        head_only = state["head_only"] = scope["method"] == "HEAD"
        state["is_sent_from_cache"] = key is not None
        pass_through = PassThroughResponse(send, request_headers, head_only=head_only)

        async def receive_response(message: Message) -> None:
            if message["type"] == "http.response.start":
                pass_through.start = message
                return
            start, cache_scope = pass_through.start, state.get("cache_scope")
            if (
                start is not None
                and start["status"] == HTTPStatus.OK
                and key
                and cache_scope
                and not message.get("more_body")
            ):
                cached = _build_cached_response(cache_scope, start, message["body"])
                if self.invalidator.may_store(state["register_state"].oldest_seq):
                    self.invalidator.response_cache.store(key, cached)
                release_pending()
                await self._send_cached(key, cached, scope, receive, send, request_headers)
                return
            release_pending()
            await pass_through.send_message(message)

        await self.app({**scope, "method": "GET"} if head_only else scope, receive, receive_response)

    async def _encode(self, key: RequestKey, cached: CachedResponse, encoding: str) -> EncodedBody:
        identity = cached.identity
        if len(identity.body) > MAX_INLINE_COMPRESSION_BYTES:
            body = await asyncio.to_thread(compress, encoding, identity.body)
        else:
            body = compress(encoding, identity.body)
        if encoding in cached.by_encoding:  # another request encoded it meanwhile
            return cached.by_encoding[encoding]
        etag = encoded_etag(identity.etag, encoding)
        headers = [
            (name, etag.encode() if name == b"etag" else b"%d" % len(body) if name == b"content-length" else value)
            for name, value in identity.headers
        ]
        encoded = cached.by_encoding[encoding] = EncodedBody(
            etag, [*headers, (b"content-encoding", encoding.encode())], body
        )
        self.invalidator.response_cache.add_bytes(key, cached, encoded.size_bytes)
        return encoded


def _lengthen_shared_lifetime(send: Send) -> Send:
    """Return `send`, which lets a shared cache hold a response for as long as one that is purged may."""
    control = shared_cache_control(is_purged=True).encode()

    async def send_lengthened(message: Message) -> None:
        if message["type"] == "http.response.start":
            shared = (b"cache-control", SHARED_CONTROL)
            headers = [(shared[0], control) if header == shared else header for header in message["headers"]]
            message = {**message, "headers": headers}
        await send(message)

    return send_lengthened


def _note_exception(task: asyncio.Task[None]) -> None:
    """Mark the exception of a task as seen: the requests that waited for it may have gone on without it."""
    if not task.cancelled():
        task.exception()


class PassThroughResponse:
    """A response that is passed through: unchanged, compressed, or replaced with a 304."""

    def __init__(self, send: Send, request_headers: RequestHeaders, *, head_only: bool) -> None:
        self.start: Message | None = None
        self._send = send
        self._request_headers = request_headers
        self._stream: CompressionStream | None = None
        self._omits_body = head_only

    async def send_message(self, message: Message) -> None:
        """Send a chunk of the body, preceded by the status and headers if it is the first chunk."""
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        more, body = message.get("more_body", False), message.get("body", b"")
        if self.start is not None:
            start, self.start = self.start, None
            await self._send(self._start_message(start, len(body), more=more))
        if self._omits_body:
            body = b""
        elif self._stream is not None:
            body = self._stream.compress(body) + (b"" if more else self._stream.flush())
        if body or not more:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _start_message(self, start: Message, length: int, *, more: bool) -> Message:
        headers = MutableHeaders(raw=list(start["headers"]))
        if self._request_headers.names_seq and self._request_headers.is_read:
            headers["cache-control"] = NO_STORE
        etag = headers.get("etag")
        length = int(headers.get("content-length", MIN_COMPRESSIBLE_BYTES if more else length))
        encoding = None
        is_part = start["status"] == HTTPStatus.PARTIAL_CONTENT
        if (
            not is_part
            and "content-encoding" not in headers
            and is_compressible(headers.get("content-type", ""), length)
        ):
            headers.add_vary_header("Accept-Encoding")
            encoding = choose_encoding(self._request_headers.accept_encoding)
        if encoding is not None and etag is not None:
            headers["etag"] = etag = encoded_etag(etag, encoding)
        if_none_match = self._request_headers.if_none_match
        is_ok = start["status"] == HTTPStatus.OK and self._request_headers.is_read
        if is_ok and etag is not None and if_none_match is not None and etag_matches(if_none_match, etag):
            self._omits_body = True
            not_modified_headers = [header for header in headers.raw if header[0] not in BODY_HEADERS]
            return {**start, "status": 304, "headers": not_modified_headers}
        if encoding is not None:
            self._stream = COMPRESSION_STREAMS[encoding]()
            headers["content-encoding"] = encoding
            del headers["content-length"]
        return {**start, "headers": headers.raw}


def _is_unmodified(request_headers: RequestHeaders, encoded: EncodedBody) -> bool:
    """Return whether the client has the response."""
    if_none_match = request_headers.if_none_match
    if if_none_match is None:
        return False
    return if_none_match == encoded.etag or etag_matches(if_none_match, encoded.etag)


def _choose_encoding(cached: CachedResponse, request_headers: RequestHeaders) -> str | None:
    """Return the encoding in which a cached response is sent, None: without."""
    if not (cached.is_compressible and request_headers.accept_encoding):
        return None
    return choose_encoding(request_headers.accept_encoding)


FLAG_HEADERS = {b"if-match": "has_if_match", b"x-register-epoch": "names_epoch"}
RANGE_HEADERS = {b"range": "range_", b"if-range": "if_range"}


def _move_seq_to_headers(scope: Scope, request_headers: RequestHeaders) -> Scope:
    """Return the request with its query parameter `seq` as the header `X-Register-Seq`, which has the same meaning.

    The parameter is thus part of no cache key and of no link. A repeated or invalid one stays, and is refused.
    """
    if SEQ_PARAMETER not in scope["query_string"]:
        return scope
    parts = scope["query_string"].split(b"&")
    values = [part[len(SEQ_PARAMETER) :] for part in parts if part.startswith(SEQ_PARAMETER)]
    is_valid = len(values) == 1 and values[0].isdigit() and len(values[0]) <= MAX_SEQ_DIGITS
    if not is_valid or not scope["path"].startswith("/v1/") or request_headers.seq == UNREACHABLE_SEQ:
        return scope
    request_headers.seq = max(request_headers.seq, int(values[0]))
    rest = b"&".join(part for part in parts if not part.startswith(SEQ_PARAMETER))
    headers = [header for header in scope["headers"] if header[0] != SEQ_HEADER]
    return {**scope, "query_string": rest, "headers": [*headers, (SEQ_HEADER, b"%d" % request_headers.seq)]}


def _read_request_headers(headers: list[Header]) -> RequestHeaders:
    """Return the headers that select a response. Repeated lines are joined as `read_list_header` joins them."""
    request_headers = RequestHeaders()
    accept = accept_encoding = if_none_match = None
    for name, value in headers:
        if name == b"accept":
            accept = _join(accept, value)
        elif name == b"accept-encoding":
            accept_encoding = _join(accept_encoding, value)
        elif name == b"if-none-match":
            if_none_match = _join(if_none_match, value)
        elif name in FLAG_HEADERS:
            setattr(request_headers, FLAG_HEADERS[name], True)
        elif name in RANGE_HEADERS:
            setattr(request_headers, RANGE_HEADERS[name], value.decode("latin-1"))
        elif name == b"host":
            request_headers.hosts += 1
        elif name == SEQ_HEADER:
            # A repeated or invalid value bypasses the cache; the application rejects it.
            is_valid = value.isdigit() and len(value) <= MAX_SEQ_DIGITS and not request_headers.names_seq
            request_headers.seq = int(value) if is_valid else UNREACHABLE_SEQ
            request_headers.names_seq = True
        elif name == b"x-request-id":
            text = value.decode("latin-1")
            request_headers.request_id = text if REQUEST_ID_PATTERN.fullmatch(text) else None
    request_headers.accept = accept or ""
    request_headers.accept_encoding = accept_encoding or ""
    request_headers.if_none_match = if_none_match
    return request_headers


def _join(before: str | None, line: bytes) -> str:
    text = line.decode("latin-1")
    return text if before is None else f"{before}{LIST_SEPARATOR}{text}"


NO_STORE = "private, no-store"


def _without_storing(headers: list[Header]) -> list[Header]:
    return [header for header in headers if header[0] != b"cache-control"] + [(b"cache-control", NO_STORE.encode())]


def _part_headers(headers: list[Header], part: ByteRange) -> list[Header]:
    """Return the headers of a range, from those of the whole response."""
    others = [header for header in headers if header[0] != b"content-length"]
    return [*others, (b"content-length", b"%d" % part.length), (b"content-range", part.content_range.encode())]


def _build_cached_response(cache_scope: CacheScope, start: Message, body: bytes) -> CachedResponse:
    headers = MutableHeaders(raw=[header for header in start["headers"] if header[0] not in PER_RESPONSE_HEADERS])
    compress_body = is_compressible(headers.get("content-type", ""), len(body))
    if compress_body:
        headers.add_vary_header("Accept-Encoding")
    serves_ranges = headers.get(ACCEPT_RANGES) == "bytes"
    return CachedResponse(cache_scope, compress_body, EncodedBody(headers["etag"], headers.raw, body), serves_ranges)
