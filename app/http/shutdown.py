"""The end of the process: streams end at once, requests in progress finish, further requests are refused.

Uvicorn closes the port as soon as it receives a signal, and resets connections that it has not accepted yet. The signal
is therefore passed on to it a moment later: until then, requests are answered with a 503.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.errors import Unavailable

GRACE_SECONDS = 0.1
"""How long further requests are still answered after the signal."""

MAX_REQUEST_SECONDS = 4
"""How long requests in progress may take after the signal. Longer files are cut, so that their clients see it."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Whether the process is ending, and what must be finished before it does."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._stopping = asyncio.Event()
        self._lock = threading.Lock()
        self._protected = 0
        self.finishing: set[asyncio.Future[None]] = set()
        """The requests that go on after the server has cancelled them."""

    def begin(self) -> None:
        """Let streams end and refuse further requests. Must run in the event loop."""
        self.is_stopping = True
        self._stopping.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until the process is ending, at most for `seconds`. Return whether it is."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
        return self.is_stopping

    def check(self) -> None:
        """Raise `Unavailable` if the process is ending."""
        if self.is_stopping:
            raise stopping_problem()

    @contextmanager
    def protect(self) -> Iterator[None]:
        """Keep the process alive until the block ends. Raises `Unavailable` if it is ending already."""
        with self._lock:
            self.check()
            self._protected += 1
        try:
            yield
        finally:
            with self._lock:
                self._protected -= 1

    async def wait_for_protected(self) -> None:
        """Wait until no block is protected, and the responses to those requests have been sent."""
        while self._protected or not all(request.done() for request in self.finishing):  # noqa: ASYNC110 - they end in threads
            await asyncio.sleep(0.05)

    def install(self) -> None:
        """Begin with the first signal that ends the process, and pass it on a moment later.

        Call it in the event loop after the server has installed its own handlers. Without a server it has no effect.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            previous = signal.getsignal(number)
            if callable(previous) and previous is not signal.default_int_handler:
                signal.signal(number, self._handler(loop, previous))

    def _handler(self, loop: asyncio.AbstractEventLoop, previous: Any) -> Any:  # noqa: ANN401 - handlers of signals
        def handle(number: int, frame: Any) -> None:  # noqa: ANN401 - a frame
            if self.is_stopping:
                previous(number, frame)
                return
            loop.call_soon_threadsafe(self.begin)
            loop.call_soon_threadsafe(loop.call_later, GRACE_SECONDS, previous, number, None)

        return handle


def stopping_problem() -> Unavailable:
    """Return the problem for a request that arrives too late."""
    headers = {"Retry-After": "1", "Connection": "close"}
    return Unavailable("The server is stopping.", hint="send the request again", headers=headers)


class CancelledRequestFilter(logging.Filter):
    """Drops the traceback that uvicorn logs for each request that is cut at the end of the process."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
