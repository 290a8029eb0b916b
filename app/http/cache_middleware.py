"""The front door: what was answered before is answered again from memory, while it is still true.

An answer that a route gives a `CacheScope` is kept here, whole, in each encoding that was asked for. Before it is sent
again, `app/watching.py` makes sure that nothing changed that it speaks of. Everything else passes through, and is
compressed on its way.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from app.cache.etags import etag_matches
from app.cache.invalidation import CacheInvalidator
from app.cache.responses import BODY_HEADERS, CachedResponse, EncodedBody, Header, RequestKey
from app.cache.scope import CacheScope
from app.http.compression import (
    COMPRESSION_STREAMS,
    MIN_COMPRESSIBLE_BYTES,
    CompressionStream,
    choose_encoding,
    compress,
    is_compressible,
)
from app.http.middleware import REQUEST_ID_PATTERN, escape_newlines, logger

READ_METHODS = frozenset({"GET", "HEAD"})

MAX_POLLS_PER_REQUEST = 3
"""After so many looks, each of which a write of this process overtook, memory is not asked."""

MAX_CACHED_QUERY_BYTES = 2_000
"""Bytes of a query that is worth remembering."""

MAX_SEQ_DIGITS = 18
UNREACHABLE_SEQ = 10**MAX_SEQ_DIGITS
"""A state that no register reaches."""

PER_RESPONSE_HEADERS = {b"x-request-id", b"x-register-seq"}
"""Headers that every answer has anew."""

MAX_INLINE_COMPRESSION_BYTES = 200_000
"""Up to so many bytes are compressed at once; more in a thread, so that others are answered meanwhile."""


@dataclass(slots=True)
class RequestHeaders:
    """The headers of a request that an answer from memory depends on."""

    accept: str = ""
    accept_encoding: str = ""
    if_none_match: str | None = None
    seq: int = 0
    request_id: str | None = None


class ResponseCacheMiddleware:
    """The outermost layer of the service. Each line of it is paid for by every answer: that is why it is one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.invalidator: CacheInvalidator
        """It belongs to the database that is served."""
        self._polled_in_loop: asyncio.AbstractEventLoop | None = None
        self._poll_task: asyncio.Task[None] | None = None
        self._pending: dict[RequestKey, asyncio.Future[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or pass the request on and remember the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = _read_request_headers(scope["headers"])
        if scope["method"] not in READ_METHODS:
            await self._forward(scope, receive, send, asked)
            return
        key = (scope["path"], scope["query_string"], asked.accept)
        looked = self._polled_in_loop is asyncio.get_running_loop()
        if len(key[1]) > MAX_CACHED_QUERY_BYTES or not (looked or await self._ensure_up_to_date()):
            await self._forward(scope, receive, send, asked)
            return
        memory = self.invalidator.response_cache
        kept = memory.get(key)
        if kept is None and (pending := self._pending.get(key)) is not None:
            await pending  # somebody is asking the same just now
            kept = memory.get(key)
        if kept is not None and kept.cache_scope.seq >= asked.seq:
            memory.hits += 1
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("%s %s from memory", scope["method"], escape_newlines(key[0]))
            await self._send_cached(key, kept, scope, send, asked)
            return
        memory.misses += 1
        mine = self._pending[key] = asyncio.get_running_loop().create_future()

        def settled() -> None:
            if not mine.done():
                mine.set_result(None)
            if self._pending.get(key) is mine:
                del self._pending[key]

        try:
            await self._forward(scope, receive, send, asked, key, settled)
        finally:
            settled()

    async def _ensure_up_to_date(self) -> bool:
        """Whether the memory shows the register as it is; not where the database cannot tell."""
        watch = self.invalidator
        try:
            if watch.polls_every_request:
                # One look for all requests that came in together: each was received before this turn of the loop.
                watch.apply(watch.poll())
                self._polled_in_loop = asyncio.get_running_loop()
                self._polled_in_loop.call_soon(self._reset_poll)
                return True
            for _ in range(MAX_POLLS_PER_REQUEST):
                if watch.is_fresh():
                    return True
                if self._poll_task is None or self._poll_task.done():
                    self._poll_task = asyncio.create_task(self._poll())
                await asyncio.shield(self._poll_task)
        except (DBAPIError, PoolTimeout, sqlite3.Error):
            return False
        return watch.is_fresh()

    async def _poll(self) -> None:
        self.invalidator.apply(await asyncio.to_thread(self.invalidator.poll))

    def _reset_poll(self) -> None:
        self._polled_in_loop = None

    async def _send_cached(
        self, key: RequestKey, kept: CachedResponse, scope: Scope, send: Send, asked: RequestHeaders
    ) -> None:
        sent = kept.identity
        if kept.is_compressible and asked.accept_encoding and (encoding := choose_encoding(asked.accept_encoding)):
            sent = kept.by_encoding.get(encoding) or await self._encode(key, kept, encoding)
        status, headers, body = 200, sent.headers, b"" if scope["method"] == "HEAD" else sent.body
        held = asked.if_none_match
        if held is not None and (held == sent.etag or etag_matches(held, kept.identity.etag)):
            self.invalidator.response_cache.not_modified += 1
            status, headers, body = 304, sent.not_modified_headers, b""
        anew = [
            (b"x-request-id", (asked.request_id or uuid7().hex).encode()),
            (b"x-register-seq", b"%d" % max(self.invalidator.response_cache.seq, kept.cache_scope.seq)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers + anew})
        await send({"type": "http.response.body", "body": body})

    async def _forward(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        asked: RequestHeaders,
        key: RequestKey | None = None,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        """Pass a request on. An answer that comes whole, with a basis, is kept under `key` and sent from there.

        `settled` is called as soon as it is clear whether that happens.
        """
        state = scope.setdefault("state", {})
        state["request_id"] = asked.request_id = asked.request_id or uuid7().hex
        head_only = state["head_only"] = scope["method"] == "HEAD"
        passing = PassThroughResponse(send, asked, head_only=head_only)

        async def received(message: Message) -> None:
            if message["type"] == "http.response.start":
                passing.start = message
                return
            start, basis = passing.start, state.get("cache_scope")
            if (
                start is not None
                and start["status"] == HTTPStatus.OK
                and key
                and basis
                and not message.get("more_body")
            ):
                kept = _build_cached_response(basis, start, message["body"])
                self.invalidator.response_cache.store(key, kept)
                settled()
                await self._send_cached(key, kept, scope, send, asked)
                return
            settled()
            await passing.send_message(message)

        await self.app({**scope, "method": "GET"} if head_only else scope, receive, received)

    async def _encode(self, key: RequestKey, kept: CachedResponse, encoding: str) -> EncodedBody:
        plain = kept.identity
        if len(plain.body) > MAX_INLINE_COMPRESSION_BYTES:
            body = await asyncio.to_thread(compress, encoding, plain.body)
        else:
            body = compress(encoding, plain.body)
        if encoding in kept.by_encoding:  # another request was faster
            return kept.by_encoding[encoding]
        etag = _encoded_etag(plain.etag, encoding)
        headers = [
            (name, etag.encode() if name == b"etag" else b"%d" % len(body) if name == b"content-length" else value)
            for name, value in plain.headers
        ]
        sent = kept.by_encoding[encoding] = EncodedBody(
            etag, [*headers, (b"content-encoding", encoding.encode())], body
        )
        self.invalidator.response_cache.add_bytes(key, kept, len(body))
        return sent


class PassThroughResponse:
    """An answer on its way through: unchanged, compressed, or a 304 in its place."""

    def __init__(self, send: Send, asked: RequestHeaders, *, head_only: bool) -> None:
        self.start: Message | None = None
        self._send = send
        self._request_headers = asked
        self._head_only = head_only
        self._stream: CompressionStream | None = None
        self._omits_body = head_only

    async def send_message(self, message: Message) -> None:
        """Send a piece of the body, and before the first one the head."""
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
        etag = headers.get("etag")
        encoding = None
        if "content-encoding" not in headers and is_compressible(
            headers.get("content-type", ""), MIN_COMPRESSIBLE_BYTES if more else length
        ):
            headers.add_vary_header("Accept-Encoding")
            encoding = choose_encoding(self._request_headers.accept_encoding)
        if encoding is not None and etag is not None:
            headers["etag"] = _encoded_etag(etag, encoding)
        asked = self._request_headers.if_none_match
        if start["status"] == HTTPStatus.OK and etag is not None and asked is not None and etag_matches(asked, etag):
            self._omits_body = True
            kept = [each for each in headers.raw if each[0] not in BODY_HEADERS]
            return {**start, "status": 304, "headers": kept}
        if encoding is not None:
            self._stream = COMPRESSION_STREAMS[encoding]()
            headers["content-encoding"] = encoding
            del headers["content-length"]
        return {**start, "headers": headers.raw}


def _read_request_headers(headers: list[Header]) -> RequestHeaders:
    asked = RequestHeaders()
    for name, value in headers:
        if name == b"accept":
            asked.accept += value.decode("latin-1")
        elif name == b"accept-encoding":
            asked.accept_encoding = value.decode("latin-1")
        elif name == b"if-none-match":
            asked.if_none_match = value.decode("latin-1")
        elif name == b"x-register-seq":
            # One that is no number is refused further inside.
            asked.seq = int(value) if value.isdigit() and len(value) <= MAX_SEQ_DIGITS else UNREACHABLE_SEQ
        elif name == b"x-request-id":
            text = value.decode("latin-1")
            asked.request_id = text if REQUEST_ID_PATTERN.fullmatch(text) else None
    return asked


def _build_cached_response(basis: CacheScope, start: Message, body: bytes) -> CachedResponse:
    headers = MutableHeaders(raw=[each for each in start["headers"] if each[0] not in PER_RESPONSE_HEADERS])
    compressible = is_compressible(headers.get("content-type", ""), len(body))
    if compressible:
        headers.add_vary_header("Accept-Encoding")
    return CachedResponse(basis, compressible, EncodedBody(headers["etag"], headers.raw, body))


def _encoded_etag(etag: str, encoding: str) -> str:
    """The ETag of the same answer in an encoding: other bytes need another one. See `etag_matches`."""
    return f'{etag[:-1]}-{encoding}"'
