"""The front door: what was answered before is answered again from memory, while it is still true.

An answer that a route gives a `Basis` is kept here, whole, in each encoding that was asked for. Before it is sent
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

from app.cache.etags import matches
from app.cache.invalidation import Watch
from app.cache.responses import OF_THE_BODY, Header, Kept, Key, Sent
from app.cache.scope import Basis
from app.http.compression import LEAST_BYTES, STREAMS, Stream, chosen, compressed, worth_compressing
from app.http.middleware import REQUEST_ID, logger, one_line

READS = frozenset({"GET", "HEAD"})

MOST_LOOKS = 3
"""After so many looks, each of which a write of this process overtook, memory is not asked."""

MOST_ASKED = 2_000
"""Bytes of a query that is worth remembering."""

MOST_DIGITS = 18
MOST_SEQ = 10**MOST_DIGITS
"""A state that no register reaches."""

FLEETING = {b"x-request-id", b"x-register-seq"}
"""Headers that every answer has anew."""

INLINE_BYTES = 200_000
"""Up to so many bytes are compressed at once; more in a thread, so that others are answered meanwhile."""


@dataclass(slots=True)
class Asked:
    """The headers of a request that an answer from memory depends on."""

    accept: str = ""
    accept_encoding: str = ""
    if_none_match: str | None = None
    seq: int = 0
    request_id: str | None = None


class Front:
    """The outermost layer of the service. Each line of it is paid for by every answer: that is why it is one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.watch: Watch
        """It belongs to the database that is served."""
        self._looked_in: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.Task[None] | None = None
        self._pending: dict[Key, asyncio.Future[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or pass the request on and remember the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = _asked(scope["headers"])
        if scope["method"] not in READS:
            await self._pass(scope, receive, send, asked)
            return
        key = (scope["path"], scope["query_string"], asked.accept)
        looked = self._looked_in is asyncio.get_running_loop()
        if len(key[1]) > MOST_ASKED or not (looked or await self._up_to_date()):
            await self._pass(scope, receive, send, asked)
            return
        memory = self.watch.memory
        kept = memory.get(key)
        if kept is None and (pending := self._pending.get(key)) is not None:
            await pending  # somebody is asking the same just now
            kept = memory.get(key)
        if kept is not None and kept.basis.seq >= asked.seq:
            memory.hits += 1
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("%s %s from memory", scope["method"], one_line(key[0]))
            await self._send_kept(key, kept, scope, send, asked)
            return
        memory.misses += 1
        mine = self._pending[key] = asyncio.get_running_loop().create_future()

        def settled() -> None:
            if not mine.done():
                mine.set_result(None)
            if self._pending.get(key) is mine:
                del self._pending[key]

        try:
            await self._pass(scope, receive, send, asked, key, settled)
        finally:
            settled()

    async def _up_to_date(self) -> bool:
        """Whether the memory shows the register as it is; not where the database cannot tell."""
        watch = self.watch
        try:
            if watch.instant:
                # One look for all requests that came in together: each was received before this turn of the loop.
                watch.move_on(watch.look())
                self._looked_in = asyncio.get_running_loop()
                self._looked_in.call_soon(self._look_again)
                return True
            for _ in range(MOST_LOOKS):
                if watch.fresh():
                    return True
                if self._looking is None or self._looking.done():
                    self._looking = asyncio.create_task(self._look())
                await asyncio.shield(self._looking)
        except (DBAPIError, PoolTimeout, sqlite3.Error):
            return False
        return watch.fresh()

    async def _look(self) -> None:
        self.watch.move_on(await asyncio.to_thread(self.watch.look))

    def _look_again(self) -> None:
        self._looked_in = None

    async def _send_kept(self, key: Key, kept: Kept, scope: Scope, send: Send, asked: Asked) -> None:
        sent = kept.plain
        if kept.compressible and asked.accept_encoding and (encoding := chosen(asked.accept_encoding)):
            sent = kept.encoded.get(encoding) or await self._encode(key, kept, encoding)
        status, headers, body = 200, sent.headers, b"" if scope["method"] == "HEAD" else sent.body
        held = asked.if_none_match
        if held is not None and (held == sent.etag or matches(held, kept.plain.etag)):
            self.watch.memory.unchanged += 1
            status, headers, body = 304, sent.unchanged, b""
        anew = [
            (b"x-request-id", (asked.request_id or uuid7().hex).encode()),
            (b"x-register-seq", b"%d" % max(self.watch.memory.seq, kept.basis.seq)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers + anew})
        await send({"type": "http.response.body", "body": body})

    async def _pass(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        asked: Asked,
        key: Key | None = None,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        """Pass a request on. An answer that comes whole, with a basis, is kept under `key` and sent from there.

        `settled` is called as soon as it is clear whether that happens.
        """
        state = scope.setdefault("state", {})
        state["request_id"] = asked.request_id = asked.request_id or uuid7().hex
        head_only = state["head_only"] = scope["method"] == "HEAD"
        passing = Passing(send, asked, head_only=head_only)

        async def received(message: Message) -> None:
            if message["type"] == "http.response.start":
                passing.start = message
                return
            start, basis = passing.start, state.get("basis")
            if (
                start is not None
                and start["status"] == HTTPStatus.OK
                and key
                and basis
                and not message.get("more_body")
            ):
                kept = _kept(basis, start, message["body"])
                self.watch.memory.keep(key, kept)
                settled()
                await self._send_kept(key, kept, scope, send, asked)
                return
            settled()
            await passing.pass_on(message)

        await self.app({**scope, "method": "GET"} if head_only else scope, receive, received)

    async def _encode(self, key: Key, kept: Kept, encoding: str) -> Sent:
        plain = kept.plain
        if len(plain.body) > INLINE_BYTES:
            body = await asyncio.to_thread(compressed, encoding, plain.body)
        else:
            body = compressed(encoding, plain.body)
        if encoding in kept.encoded:  # another request was faster
            return kept.encoded[encoding]
        etag = _encoded_tag(plain.etag, encoding)
        headers = [
            (name, etag.encode() if name == b"etag" else b"%d" % len(body) if name == b"content-length" else value)
            for name, value in plain.headers
        ]
        sent = kept.encoded[encoding] = Sent(etag, [*headers, (b"content-encoding", encoding.encode())], body)
        self.watch.memory.grown(key, kept, len(body))
        return sent


class Passing:
    """An answer on its way through: unchanged, compressed, or a 304 in its place."""

    def __init__(self, send: Send, asked: Asked, *, head_only: bool) -> None:
        self.start: Message | None = None
        self._send = send
        self._asked = asked
        self._head_only = head_only
        self._stream: Stream | None = None
        self._silent = head_only

    async def pass_on(self, message: Message) -> None:
        """Send a piece of the body, and before the first one the head."""
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        more, body = message.get("more_body", False), message.get("body", b"")
        if self.start is not None:
            start, self.start = self.start, None
            await self._send(self._head(start, len(body), more=more))
        if self._silent:
            body = b""
        elif self._stream is not None:
            body = self._stream.compress(body) + (b"" if more else self._stream.flush())
        if body or not more:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _head(self, start: Message, length: int, *, more: bool) -> Message:
        headers = MutableHeaders(raw=list(start["headers"]))
        etag = headers.get("etag")
        encoding = None
        if "content-encoding" not in headers and worth_compressing(
            headers.get("content-type", ""), LEAST_BYTES if more else length
        ):
            headers.add_vary_header("Accept-Encoding")
            encoding = chosen(self._asked.accept_encoding)
        if encoding is not None and etag is not None:
            headers["etag"] = _encoded_tag(etag, encoding)
        asked = self._asked.if_none_match
        if start["status"] == HTTPStatus.OK and etag is not None and asked is not None and matches(asked, etag):
            self._silent = True
            kept = [each for each in headers.raw if each[0] not in OF_THE_BODY]
            return {**start, "status": 304, "headers": kept}
        if encoding is not None:
            self._stream = STREAMS[encoding]()
            headers["content-encoding"] = encoding
            del headers["content-length"]
        return {**start, "headers": headers.raw}


def _asked(headers: list[Header]) -> Asked:
    asked = Asked()
    for name, value in headers:
        if name == b"accept":
            asked.accept += value.decode("latin-1")
        elif name == b"accept-encoding":
            asked.accept_encoding = value.decode("latin-1")
        elif name == b"if-none-match":
            asked.if_none_match = value.decode("latin-1")
        elif name == b"x-register-seq":
            # One that is no number is refused further inside.
            asked.seq = int(value) if value.isdigit() and len(value) <= MOST_DIGITS else MOST_SEQ
        elif name == b"x-request-id":
            text = value.decode("latin-1")
            asked.request_id = text if REQUEST_ID.fullmatch(text) else None
    return asked


def _kept(basis: Basis, start: Message, body: bytes) -> Kept:
    headers = MutableHeaders(raw=[each for each in start["headers"] if each[0] not in FLEETING])
    compressible = worth_compressing(headers.get("content-type", ""), len(body))
    if compressible:
        headers.add_vary_header("Accept-Encoding")
    return Kept(basis, compressible, Sent(headers["etag"], headers.raw, body))


def _encoded_tag(etag: str, encoding: str) -> str:
    """The ETag of the same answer in an encoding: other bytes need another one. See `matches`."""
    return f'{etag[:-1]}-{encoding}"'
