"""Expensive reads run in child processes, so that they do not slow down the other requests.

A thread would share the interpreter. A child process (`app/offload_process.py`) runs the same application without its
middleware: it gets the request through a Unix socket, and sends the messages of the response back. It has a lower
priority than the workers, runs `MAX_RUNNING` requests at a time, lets as many wait, and ends when it has been idle for
a minute. All workers of a service share the child processes. Each of them holds the lock of its number in the folder
of the service, so that at most one process has it.
"""

import asyncio
import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from app.database.engine import PACKAGE, Database
from app.errors import Unavailable
from app.http.deadline import disable_deadline
from app.logs import log_once
from app.runtime_folder import find_runtime_folder

MAX_RUNNING = 4
"""The number of requests that a process runs at the same time, not counting those whose client reads slowly."""

MAX_WAITING = 4
"""The number of further requests that wait in a child process."""

LENGTH_BYTES = 4
"""The size of the length before each message of a socket."""

START_SECONDS = 5.0
"""How long a request waits for a child process that is starting."""

START_POLL_SECONDS = 0.05

GREETING_SECONDS = 0.5
"""How long a child process may take to say how many requests it has. One that hangs counts as one that does not run."""

STOP_SECONDS = 2.0
"""How long a worker that ends waits for its child processes."""

FAILURE_SECONDS = 60.0
"""How long expensive reads run in the worker after a child process could not start."""

MAX_SOCKET_PATH_BYTES = 100
"""The longest path of a socket that every system takes."""

BUSY_SECONDS = 10.0
"""A child process is started by the second expensive read within this time."""

FORWARDED_STATE = ("request_id", "head_only", "is_sent_from_cache", "is_database_slow")
"""The parts of a request's state that the application reads."""

FORWARDED_SCOPE = (
    *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path"),
    *("headers", "client", "server"),
)

FILE_FORMATS = ("csv", "jsonld", "ndjson", "parquet", "xlsx")
FILE_TYPES = (b"text/csv", b"ld+json", b"ndjson", b"parquet", b"spreadsheetml")

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Condition = Callable[[Scope], bool]
"""Returns whether a request is expensive."""


def is_always_expensive(_: Scope) -> bool:
    """Return that every request of a route is expensive."""
    return True


def requests_file(scope: Scope) -> bool:
    """Return whether a file is requested, by its suffix, parameter or `Accept`."""
    suffix = scope.get("path_params", {}).get("suffix")
    if suffix in FILE_FORMATS or any(b"format=" + name.encode() in scope["query_string"] for name in FILE_FORMATS):
        return True
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return any(name in accept for name in FILE_TYPES)


def has_parameters(*names: str) -> Condition:
    """Return the condition that a request has all these parameters."""
    needles = [name.encode() + b"=" for name in names]

    def condition(scope: Scope) -> bool:
        parts = scope["query_string"].split(b"&")
        return all(any(part.startswith(needle) for part in parts) for needle in needles)

    return condition


def offloaded(*conditions: Condition) -> Callable[[Endpoint], Endpoint]:
    """Let requests of a route that meet any of the conditions run in a child process; without one, all of them."""

    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.offload_conditions = conditions or (is_always_expensive,)  # type: ignore[attr-defined]
        return endpoint

    return declare


def conditions_of(endpoint: Callable[..., Any]) -> tuple[Condition, ...]:
    """Return the conditions under which requests of a route run in a child process. None: they never do."""
    conditions: tuple[Condition, ...] = getattr(endpoint, "offload_conditions", ())
    return conditions


@dataclass(frozen=True, slots=True)
class CacheScopeFound:
    """The cache scope of the response, sent before its last chunk."""

    cache_scope: Any


@dataclass(frozen=True, slots=True)
class StateRead:
    """The state of the register that the child process has read last, and the earliest one that it has read."""

    seq: int
    oldest_seq: int | None = None


@dataclass(frozen=True, slots=True)
class DeadlineDisabled:
    """The request takes as long as it takes."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The first message of a child process: the number of requests that it runs and that wait in it."""

    requests: int

    @property
    def is_full(self) -> bool:
        """Return whether the child process refuses further requests."""
        return self.requests >= MAX_RUNNING + MAX_WAITING


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """A request without a body, as the child process gets it."""

    scope: dict[str, Any]
    state: dict[str, Any]
    required_seq: int = 0
    """The least `seq` of a state that the worker may serve."""


async def read_message(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - any of the messages above, or of ASGI
    """Return the next message of a socket. Raises `EOFError` at its end."""
    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - only processes of this user can write it


def encode_message(message: object) -> bytes:
    """Return a message with its length."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(LENGTH_BYTES) + content


def socket_path(folder: Path, number: int) -> Path:
    """Return the path of the socket of a child process."""
    return folder / f"reads-{number}.sock"


@dataclass(slots=True)
class Connection:
    """A connection to a child process, and how many requests it had when the connection was opened."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    queue: Queue


class OffloadPool:
    """The child processes for expensive reads, from the view of one worker.

    The first expensive read for some time runs in this process: one alone does not slow down the others, and needs not
    wait for a process to start. The second one within `BUSY_SECONDS` starts a child process. Until that answers, some
    run here, and the others wait.
    """

    def __init__(self, folder: Path, processes: int) -> None:
        self._folder = folder
        self._processes = processes
        self._started: list[subprocess.Popen[bytes]] = []
        """The child processes that this worker has started. They end with it."""
        self._running_here = 0
        self._failed_at = -FAILURE_SECONDS
        """When a child process could not be started, or ended with an error."""
        self._run_here_at = -BUSY_SECONDS

    @classmethod
    def of_service(cls, processes: int) -> "OffloadPool | None":
        """Return the pool of the service that this process belongs to. None if its processes share no folder."""
        folder = find_runtime_folder()
        if folder is None or not processes or len(os.fsencode(socket_path(folder, processes))) > MAX_SOCKET_PATH_BYTES:
            return None
        return cls(folder, processes)

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in a child process, or here by `app`.

        Raises `Unavailable` if all child processes have as many requests as they take.
        """
        connection = await self._connect()
        if connection is None:
            self._running_here += 1
            try:
                await app(scope, receive, send)
            finally:
                self._running_here -= 1
            return
        disconnect = asyncio.ensure_future(_wait_for_disconnect(receive))
        response = asyncio.ensure_future(_forward(connection, scope, send))
        try:
            await asyncio.wait({disconnect, response}, return_when=asyncio.FIRST_COMPLETED)
            if not response.done():
                disconnect.result()  # raises that the body of the request is too large
                raise ClientDisconnect
            response.result()
        finally:
            disconnect.cancel()
            response.cancel()
            connection.writer.close()

    def close(self) -> None:
        """End the child processes that this worker has started."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            with process, suppress(subprocess.TimeoutExpired):  # closes its standard input
                process.wait(STOP_SECONDS)
                continue
            process.kill()

    async def _connect(self) -> Connection | None:
        """Return a connection to the child process with the fewest requests, or None: the request runs here.

        Starts a child process if all of them are busy.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while True:
            connections = await asyncio.gather(*(self._open(number) for number in range(self._processes)))
            found = [each for each in connections if each is not None]
            if found:
                if len(found) < self._processes and all(each.queue.requests for each in found):
                    self._start(connections.index(None))
                return _choose(found)
            if loop.time() < self._run_here_at + BUSY_SECONDS:
                self._start(0)
            if self._running_here < MAX_RUNNING or loop.time() < self._failed_at + FAILURE_SECONDS:
                self._run_here_at = loop.time()
                return None
            if loop.time() > deadline:
                raise _unavailable("did not start")
            await asyncio.sleep(START_POLL_SECONDS)

    async def _open(self, number: int) -> Connection | None:
        """Return a connection to a child process; None if it does not run."""
        try:
            reader, writer = await asyncio.open_unix_connection(socket_path(self._folder, number))
        except OSError:
            return None
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                return Connection(reader, writer, await read_message(reader))
        except (EOFError, OSError):  # it has just ended, or hangs
            writer.close()
            return None
        except BaseException:
            writer.close()
            raise

    def _start(self, number: int) -> None:
        """Start a child process, unless another one with this number runs or starts."""
        now = asyncio.get_running_loop().time()
        for process in [process for process in self._started if process.poll() is not None]:
            with process:
                self._started.remove(process)
            if process.returncode > 0:
                self._failed_at = now
        if now < self._failed_at + FAILURE_SECONDS:
            return
        try:
            with (self._folder / f"reads-{number}.lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._started.append(self._start_with_lock(number, lock.fileno()))
        except BlockingIOError:
            return
        except OSError as error:
            self._failed_at = now
            log_once("expensive reads run in the worker: %s", error, error=error, cause="offload process")

    def _start_with_lock(self, number: int, lock: int) -> "subprocess.Popen[bytes]":
        """Start a child process, which keeps the lock until it ends. Its standard input ends with this process."""
        path = socket_path(self._folder, number)
        path.unlink(missing_ok=True)
        # Without the current directory, in which there may be another package of this name.
        command = [sys.executable, "-P", "-m", "app.offload_process", str(path)]
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lock], env=environment)  # noqa: S603 - ours


def _choose(connections: list[Connection]) -> Connection:
    """Return the connection to the process with the fewest requests, and close the others."""
    best = min(connections, key=lambda each: each.queue.requests)
    for each in connections:
        if each is not best or best.queue.is_full:
            each.writer.close()
    if best.queue.is_full:
        detail = "Too many requests for files, charts, feeds or comparisons are in progress already."
        raise Unavailable(detail, hint="try again", headers={"Retry-After": "5"})
    return best


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _forward(connection: Connection, scope: Scope, send: Send) -> None:
    """Send a request, and pass its response on. Raises `Unavailable` if the child process ends before the response."""
    state = {name: scope["state"][name] for name in FORWARDED_STATE if name in scope["state"]}
    database: Database = scope["app"].state.database
    forwarded = {name: scope[name] for name in FORWARDED_SCOPE if name in scope}
    request = ForwardedRequest(forwarded, state, database.required_seq)
    connection.writer.write(encode_message(request))
    has_started = False
    while True:
        try:
            message: Any = await read_message(connection.reader)
        except (EOFError, OSError):
            if has_started:
                raise
            raise _unavailable("has ended") from None
        if isinstance(message, CacheScopeFound):
            scope["state"]["cache_scope"] = message.cache_scope
        elif isinstance(message, StateRead):
            if message.oldest_seq is not None:
                database.note_read(message.oldest_seq)
            database.note_read(message.seq)
        elif isinstance(message, DeadlineDisabled):
            disable_deadline(scope)
        elif isinstance(message, Exception):
            raise message
        else:
            has_started = True
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                return


def _unavailable(what: str) -> Unavailable:
    detail = f"The process that answers this request {what}."
    return Unavailable(detail, hint="try again", headers={"Retry-After": "2"})
