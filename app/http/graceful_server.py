"""Uvicorn's server and supervisor, ended so that no client sees a reset connection, and checking for slow clients.

Uvicorn closes its port at once: connections that it has not accepted yet are reset, and so are those whose request has
not arrived. These classes accept what is waiting first, and answer it (with a 503, see `app/http/shutdown.py`).

On Linux the workers are forked from the supervisor, which has imported the application. So it is imported once for all
workers, and they share the memory of its modules. The supervisor has no threads and no connections that a fork would
copy. Elsewhere each worker is a new process, which imports it.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe, get_context
from pickle import UnpicklingError
from socket import socket
from types import FrameType
from typing import Any, ClassVar

from uvicorn import Config, Server
from uvicorn._subprocess import subprocess_started
from uvicorn.supervisors import multiprocess

from app.http.protocol import CounterclaimProtocol
from app.http.shutdown import GRACE_SECONDS, MAX_REQUEST_SECONDS, SIGNALS

FORKS_WORKERS = sys.platform == "linux"
"""Whether workers are forked. The system libraries of macOS do not work in a forked process."""

PING_POLL_SECONDS = 0.05
"""How often a supervisor that waits for a sign of life of a worker looks whether it is stopping."""

CHECK_SECONDS = 1.0
"""How often connections are checked for slow clients."""

MAX_CHECK_SECONDS = 3.0
"""How much time counts for a check: if this process was stopped for longer, that is not the fault of its clients."""

DRAIN_SECONDS = 0.05
"""How long connections are still accepted after the queue of the port was shortened."""

REQUEST_SECONDS = 0.2
"""How long further requests are still answered after the port was closed."""

FIRST_REQUEST_SECONDS = 1.0
"""How long a connection that has not sent a request yet is waited for: its client may have little processor time."""


class GracefulServer(Server):
    """A server that accepts and answers the connections that wait when it ends."""

    checked_at = 0.0
    """When the connections were checked, by the monotonic clock."""

    async def on_tick(self, counter: int) -> bool:
        """Do what is due every tenth of a second: look once a second for connections that are too slow."""
        now = time.monotonic()
        if now - self.checked_at >= CHECK_SECONDS:
            seconds, self.checked_at = min(now - self.checked_at, MAX_CHECK_SECONDS), now
            for connection in list(self.server_state.connections):
                if isinstance(connection, CounterclaimProtocol):
                    connection.check_progress(seconds)
        return await super().on_tick(counter)

    async def _serve(self, sockets: list[socket] | None = None) -> None:
        """Serve until the server has to end. The signal ends the process right after that, so the log is written."""
        try:
            await super()._serve(sockets)
        finally:
            for handler in logging.getLogger().handlers:
                handler.flush()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Close the port, answer what has been accepted, and shut down."""
        started = time.monotonic()
        ports = sockets or []
        if self.config.workers == 1:
            shorten_queues(ports)
        await asyncio.sleep(DRAIN_SECONDS)
        waiting = [connection for port in ports for connection in _accept_waiting(port)]
        for server in self.servers:
            server.close()
        for port in ports:
            port.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._create_protocol, connection)
        await asyncio.sleep(REQUEST_SECONDS)
        await self._wait_for_first_requests()
        # Requests in progress are cut that long after the signal, not after the pauses above.
        left = MAX_REQUEST_SECONDS - GRACE_SECONDS - (time.monotonic() - started)
        self.config.timeout_graceful_shutdown = max(left, 0.1)  # type: ignore[assignment] # passed to asyncio
        await super().shutdown(sockets)

    async def _wait_for_first_requests(self) -> None:
        """Wait until every open connection has sent a request, for a limited time."""
        for _ in range(round((FIRST_REQUEST_SECONDS - REQUEST_SECONDS) / DRAIN_SECONDS)):
            if all(getattr(protocol, "cycle", None) for protocol in self.server_state.connections):
                return
            await asyncio.sleep(DRAIN_SECONDS)

    def _create_protocol(self) -> asyncio.Protocol:
        protocol_class: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def shorten_queues(ports: list[socket]) -> None:
    """Let the system refuse new connections soon: it drops what does not fit, and clients try again a second later."""
    for port in ports:
        with suppress(OSError):
            port.listen(0)


def _accept_waiting(port: socket) -> list[socket]:
    """Return the connections in the queue of a port."""
    connections: list[socket] = []
    with suppress(OSError):
        port.setblocking(False)
        while True:
            connections.append(port.accept()[0])
    return connections


class _WorkerProcess(multiprocess.Process):
    """A worker process with a `GracefulServer`. Its supervisor does not wait for a sign of life once it is stopping."""

    is_stopping: ClassVar[bool] = False

    def __init__(self, config: Config, sockets: list[socket], on_fork: Callable[[], None]) -> None:
        if not FORKS_WORKERS:
            super().__init__(config, sockets)
            return
        self._on_fork = on_fork
        self.config = config
        self._server: Server | None = None
        self.parent_conn, self.child_conn = Pipe()
        self.process: Any = get_context("fork").Process(target=self._run_forked, args=(sockets,))

    def start(self) -> None:
        """Start the process. A signal that arrives meanwhile is not handled in the worker by what handles it here."""
        if not FORKS_WORKERS:
            super().start()
            return
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, multiprocess.SIGNALS)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)

    def _run_forked(self, sockets: list[socket]) -> None:
        """Serve in a forked process, which has the signal handlers and the blocked signals of the supervisor."""
        for number in multiprocess.SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, multiprocess.SIGNALS)
        self._on_fork()
        subprocess_started(self.config, self.target, sockets, stdin_fileno=None)

    def ping(self, timeout: float = 5) -> bool:
        """Return whether the worker responds in time, or is told to end."""
        deadline = time.monotonic() + timeout
        try:
            self.parent_conn.send(b"ping")
            while not self.parent_conn.poll(PING_POLL_SECONDS):
                if self.is_stopping or time.monotonic() > deadline:
                    return self.is_stopping
            self.parent_conn.recv()
        except (OSError, EOFError, UnpicklingError):
            return False
        return True

    def is_alive(self, timeout: float = 5) -> bool:
        """Return whether the worker need not be replaced."""
        return self.is_stopping or super().is_alive(timeout)

    @property
    def server(self) -> Server:
        """Return the server of the process."""
        if self._server is None:
            self._server = GracefulServer(config=self.config)
        return self._server


class WorkerSupervisor(multiprocess.Multiprocess):
    """A supervisor that passes a signal on at once, and closes its own copy of the port when it stops the workers.

    Uvicorn looks for signals twice a second, and not while a worker does not respond.

    Args:
        config: The configuration of the workers.
        sockets: The port.
        on_fork: Called in a forked worker before it serves.
        on_tick: Called in the supervisor about twice a second.
    """

    def __init__(
        self,
        config: Config,
        sockets: list[socket],
        *,
        on_fork: Callable[[], None],
        on_tick: Callable[[], None],
    ) -> None:
        super().__init__(config, sockets)
        multiprocess.Process = partial(_WorkerProcess, on_fork=on_fork)  # type: ignore[misc,assignment] # which it starts
        self._on_tick = on_tick
        for number in SIGNALS:
            signal.signal(number, self._pass_on)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Tell the workers to end and close the port; the loop of the supervisor does the rest."""
        _WorkerProcess.is_stopping = True
        self.signal_queue.append(number)
        for process in self.processes:
            if process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)
        self._close_port()

    def keep_subprocess_alive(self) -> None:
        """Replace each worker that has ended or does not respond."""
        self._on_tick()
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        """Stop the workers, and close the port."""
        super().terminate_all()
        self._close_port()

    def _close_port(self) -> None:
        shorten_queues(self.sockets)
        for port in self.sockets:
            port.close()
