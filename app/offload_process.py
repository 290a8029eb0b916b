"""A child process that answers expensive reads for the workers of a service: `python -m app.offload_process SOCKET`.

See `app/http/offload.py`. It ends when it has been idle for `IDLE_SECONDS`, or when the worker that started it ends.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, cast

from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Message

from app.allocator import release_free_memory
from app.database.engine import REQUEST_STATE, RequestState
from app.http.addresses import set_base_url
from app.http.deadline import RequestDeadline
from app.http.middleware import note_server_error
from app.http.offload import (
    MAX_RUNNING,
    CacheScopeFound,
    DeadlineDisabled,
    ForwardedRequest,
    Queue,
    StateRead,
    encode_message,
    read_message,
)
from app.server import configure_server_logging, create_frozen_app
from app.settings import read_settings

if TYPE_CHECKING:
    from app.main import CounterclaimApp

IDLE_SECONDS = 60.0

MAX_UNSENT_BYTES = 2**20
"""The part of a response that may wait for a slow client before another request runs instead."""

NICENESS = 5
"""By how much the priority is lower than that of the workers."""


@dataclass(slots=True)
class ForwardedDeadline(RequestDeadline):
    """The deadline of a forwarded request, which its worker keeps."""

    on_disable: Callable[[], object] = lambda: None

    def disable(self) -> None:
        """Let the request take as long as it takes. May be called in any thread."""
        RequestDeadline.disable(self)
        self.on_disable()


class Slots:
    """The slots for running requests, and the number of requests that have one or wait for one."""

    def __init__(self) -> None:
        self.requests = 0
        self.semaphore = asyncio.Semaphore(MAX_RUNNING)


class Slot:
    """The slot of one request."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._is_held = False

    async def __aenter__(self) -> Self:
        """Wait for the slot."""
        self._slots.requests += 1
        try:
            await self._slots.semaphore.acquire()
        except BaseException:
            self._slots.requests -= 1
            raise
        self._is_held = True
        return self

    async def __aexit__(self, *error: object) -> None:
        """Release the slot, unless another request has it."""
        if self._is_held:
            self._release()

    def _release(self) -> None:
        self._is_held = False
        self._slots.semaphore.release()
        self._slots.requests -= 1

    @asynccontextmanager
    async def release_while_waiting(self) -> AsyncIterator[None]:
        """Let another request have the slot in the block, and wait for one at its end."""
        self._release()
        yield
        await self.__aenter__()


class ForwardedResponse:
    """The response to a request that a worker has forwarded. It holds one of the slots for running requests.

    While its client reads slowly, another request has the slot, and the process does not count it.
    """

    def __init__(self, writer: asyncio.StreamWriter, slot: Slot) -> None:
        self._writer = writer
        self._slot = slot
        writer.transport.set_write_buffer_limits(MAX_UNSENT_BYTES)

    def write(self, message: object) -> None:
        """Send a message to the worker, without waiting for it."""
        self._writer.write(encode_message(message))

    async def drain(self) -> None:
        """Wait until the client has read enough of the response."""
        if self._writer.transport.get_write_buffer_size() <= MAX_UNSENT_BYTES:
            return
        async with self._slot.release_while_waiting():
            await self._writer.drain()


class OffloadServer:
    """Answers the requests that workers forward."""

    def __init__(self, app: "CounterclaimApp") -> None:
        self._app = app
        # Without the outermost layer, that for errors: the worker has one.
        self._stack: ASGIApp = cast("ServerErrorMiddleware", app.build_middleware_stack()).app
        self._slots = Slots()
        self._poll_lock = asyncio.Lock()
        self._connections = 0
        self._used_at = asyncio.get_running_loop().time()

    async def serve(self, path: Path) -> None:
        """Serve on a socket until there has been no request for `IDLE_SECONDS`."""
        loop = asyncio.get_running_loop()
        async with await asyncio.start_unix_server(self._answer, path):
            while self._connections or loop.time() < self._used_at + IDLE_SECONDS:
                await asyncio.sleep(1.0)
                await asyncio.to_thread(release_free_memory)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(encode_message(Queue(self._slots.requests)))
            with suppress(EOFError, OSError):
                request: ForwardedRequest = await read_message(reader)
                self._connections += 1
                try:
                    await self._run_until_disconnect(request, reader, writer)
                    writer.close()
                    await writer.wait_closed()  # the rest of the response is sent
                finally:
                    self._connections -= 1
                    self._used_at = asyncio.get_running_loop().time()
        finally:
            writer.close()

    async def _run_until_disconnect(
        self, request: ForwardedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        response = asyncio.ensure_future(self._run(request, writer))
        disconnect = asyncio.ensure_future(reader.read(1))  # a worker sends nothing more
        await asyncio.wait({response, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        for task in (response, disconnect):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task

    async def _run(self, request: ForwardedRequest, writer: asyncio.StreamWriter) -> None:
        async with Slot(self._slots) as slot:
            response = ForwardedResponse(writer, slot)
            disable_in_worker = partial(
                asyncio.get_running_loop().call_soon_threadsafe, response.write, DeadlineDisabled()
            )
            deadline = ForwardedDeadline(float("inf"), on_disable=disable_in_worker)
            state: dict[str, Any] = {**request.state, "deadline": deadline}
            register_state = RequestState()
            REQUEST_STATE.set(register_state)
            scope = {**request.scope, "app": self._app, "state": state}
            has_body = False

            async def receive() -> Message:
                nonlocal has_body
                if has_body:
                    await asyncio.Event().wait()  # the request is cancelled when the client disconnects
                has_body = True
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seq = register_state.seq or self._app.state.database.visible_seq
                    response.write(StateRead(seq, register_state.oldest_seq))
                elif not message.get("more_body") and "cache_scope" in state:
                    response.write(CacheScopeFound(state["cache_scope"]))
                response.write(message)
                await response.drain()

            if request.required_seq:
                self._app.state.database.require(request.required_seq)
            try:
                async with self._poll_lock:  # caches of what was taken down are cleared
                    await self._app.state.invalidator.poll_in_thread()
                await self._stack(scope, receive, send)
            except Exception as error:  # noqa: BLE001 - the worker raises it
                note_server_error(scope, error)
                response.write(RuntimeError(f"{type(error).__name__}: {error}"))  # an error itself may not be picklable
            await response.drain()
            await writer.drain()


def _end_with_worker() -> None:
    """End this process when its standard input ends, because the worker that started it has ended."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


async def _serve(path: Path) -> None:
    settings = read_settings()
    set_base_url(settings.base_url)
    app = create_frozen_app(settings, has_middleware=False)
    async with app.router.lifespan_context(app):
        os.nice(NICENESS)  # not before: requests wait for the start
        try:
            await OffloadServer(app).serve(path)
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing else runs any more


def main() -> None:
    """Serve on the socket that the first argument names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker ends it
    Thread(target=_end_with_worker, daemon=True).start()
    configure_server_logging(read_settings())
    asyncio.run(_serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
