"""Responses of long files: streamed while a copy is written, and served in ranges from the complete copy."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import IO

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.errors import Problem, Unavailable
from app.http.deadline import disable_deadline
from app.http.file_copies import CopyRemoved, FileCopies, Production, RenderFile
from app.http.ranges import ACCEPT_RANGES, ByteRange, choose_range

FILE_CHUNK_BYTES = 2**18
"""Size of the chunks in which a long file is compressed and sent. The event loop serves other clients in between."""

POLL_INTERVAL_SECONDS = 0.02
"""The time between two looks at a copy that is being written."""


class FileChanged(Exception):
    """A file changed while it was rendered, because something was taken down."""


class LongFileResponse(Response):
    """The response of a long file. It knows only when it is sent whether there is a copy of the file."""

    def __init__(
        self,
        request: Request,
        copies: FileCopies,
        name: str,
        render: RenderFile,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        """Describe the file.

        Args:
            request: The request.
            copies: The copies of files.
            name: The name of the copy.
            render: Returns the chunks of the file.
            media_type: The `Content-Type`.
            headers: Further headers, `ETag` among them.
        """
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._request = request
        self._copies = copies
        self._name = name
        self._render = render
        self._etag = headers["ETag"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, a range of it, or its headers."""
        response = await self._choose_response()
        await response(scope, receive, send)

    async def _choose_response(self) -> Response:
        is_head = bool(getattr(self._request.state, "head_only", False))
        range_ = None if is_head else self._request.headers.get("range")
        if range_ is not None and self._request.headers.get("if-range", self._etag).strip() != self._etag:
            range_ = None
        copy = await self._wait_for_copy() if is_head or range_ is not None else self._copies.open(self._name)
        if copy is not None:
            return self._respond_from_copy(copy, range_, is_head=is_head)
        can_copy = await run_in_threadpool(self._copies.can_copy, self._name)
        headers = dict(self.headers) | {ACCEPT_RANGES: "bytes" if can_copy else "none"}
        if is_head:
            return StreamingResponse(_no_chunks(), headers=headers)
        return StreamingResponse(self._stream_first(), headers=headers)

    def _respond_from_copy(self, copy: IO[bytes], range_: str | None, *, is_head: bool) -> Response:
        size = os.fstat(copy.fileno()).st_size
        try:
            requested = choose_range(range_, None, self._etag, size)
        except Problem:
            copy.close()
            raise
        part = requested or ByteRange(0, size, size)
        headers = dict(self.headers) | {ACCEPT_RANGES: "bytes", "Content-Length": str(part.length)}
        if requested is not None:
            headers["Content-Range"] = part.content_range
        if is_head:
            copy.close()
            return StreamingResponse(_no_chunks(), headers=headers)
        return StreamingResponse(_read_copy(copy, part), status_code=200 if requested is None else 206, headers=headers)

    async def _wait_for_copy(self) -> IO[bytes] | None:
        """Return the complete copy, which is written first if there is none. None if it cannot be written."""
        disable_deadline(self._request.scope)
        while (copy := self._copies.open(self._name)) is None:
            production = await run_in_threadpool(self._copies.produce, self._name, self._render)
            if production is None:
                if not await run_in_threadpool(self._copies.can_copy, self._name):
                    return None
                await asyncio.sleep(POLL_INTERVAL_SECONDS)  # other copies are written first
                continue
            while not production.is_finished:  # noqa: ASYNC110 - a thread finishes it, which knows no event loop
                await asyncio.sleep(POLL_INTERVAL_SECONDS)
            if isinstance(production.error, OSError):
                return None
            if production.error is not None:
                raise _problem_of(production.error)
        return copy

    async def _stream_first(self) -> AsyncIterator[bytes]:
        """Yield the file while a copy is written, or without a copy if that is not possible."""
        production = await run_in_threadpool(self._copies.produce, self._name, self._render)
        sent = 0
        if production is not None:
            try:
                async for copied in _follow(production):
                    yield copied
                    sent += len(copied)
            except OSError:
                pass  # the disk is full, or the file is too large: the rest is sent without a copy
            else:
                return
        chunks = self._render()
        while (chunk := await run_in_threadpool(_next_chunk, chunks)) is not None:
            if sent >= len(chunk):
                sent -= len(chunk)  # it was sent from the copy
                continue
            for start in range(sent, len(chunk), FILE_CHUNK_BYTES):
                yield chunk[start : start + FILE_CHUNK_BYTES]
                await asyncio.sleep(0)  # let the event loop serve other clients, even if this client reads fast
            sent = 0


def _problem_of(error: BaseException) -> BaseException:
    """Return the problem of a request that waited for a copy which failed."""
    if isinstance(error, Problem):
        return error
    detail = "The file changed while it was written: something was taken down."
    if not isinstance(error, (CopyRemoved, FileChanged)):
        detail = "The copy of the file could not be written."
    return Unavailable(detail, hint="send the request again", headers={"Retry-After": "1"})


def _next_chunk(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


async def _no_chunks() -> AsyncIterator[bytes]:
    yield b""


async def _follow(production: Production) -> AsyncIterator[bytes]:
    """Yield the bytes of a copy that is being written. Raises what its writer raised."""
    position = 0
    try:
        file = production.path.open("rb", buffering=0)
    except FileNotFoundError:
        # It is complete and has its final name, or it has failed: the file is rendered again.
        raise OSError("the copy was not there any more") from None
    with file:
        while True:
            is_finished, size = production.is_finished, production.size
            while position < size:
                chunk = await run_in_threadpool(file.read, min(FILE_CHUNK_BYTES, size - position))
                # Looked at after the read: a writer that goes on after a takedown leaves zeros before its bytes.
                if not chunk or production.is_removed(file):
                    if isinstance(production.error, OSError) and not production.is_cancelled:
                        raise production.error
                    raise CopyRemoved(production.path.name)
                position += len(chunk)
                yield chunk
            if production.error is not None:
                raise production.error
            if is_finished:
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def _read_copy(copy: IO[bytes], part: ByteRange) -> AsyncIterator[bytes]:
    """Yield a part of a complete copy. Raises `CopyRemoved` if a takedown erases it meanwhile."""
    with copy:
        copy.seek(part.start)
        left = part.length
        while left:
            chunk = await run_in_threadpool(copy.read, min(FILE_CHUNK_BYTES, left))
            if not chunk:
                raise CopyRemoved(copy.name)
            left -= len(chunk)
            yield chunk
