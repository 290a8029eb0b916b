"""Server processes that share a register, and clients that send requests to them from threads."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Barrier, local
from typing import Any, TypeVar

import orjson

from tests import forkserver
from tests.examples import record_example_vocabulary
from tests.registers import DatabaseCopies, open_register

ROOT = Path(__file__).parents[2]
BASE_URL = "http://register.example"
"""The base URL of all servers: without one, each would name its own port."""
START_TIMEOUT_SECONDS = 180
"""Maximum duration of the start of a server, on a busy machine."""
STOP_TIMEOUT_SECONDS = 60
"""Maximum duration of its shutdown."""
MAX_IDLE_SECONDS = 2
"""Idle time after which a client opens a new connection; the server closes a connection after five seconds."""
RESPONSE_TIMEOUT_SECONDS = 60
"""Maximum wait of a client for a response."""

REQUEST_CUT = "timeout graceful shutdown exceeded"
"""What uvicorn logs if it cuts requests."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class ServerProcess:
    """A process of `counterclaim serve`, which can be killed and restarted."""

    url: str
    port: int
    process: BaseProcess | None = None
    workers: int = 1
    connections: local = field(default_factory=local)
    log_file: Any = field(default_factory=NamedTemporaryFile)
    """The log file of the process, which `run_servers` closes."""

    def start(self) -> None:
        """Start the process and wait until it responds."""
        # Without the variables of the tests, because the service rejects unknown settings.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERCLAIM_")}
        environment = kept | {
            "DATABASE_URL": self.url,
            "COUNTERCLAIM_BASE_URL": BASE_URL,
            "COUNTERCLAIM_LOG_LEVEL": "warning",
            "COUNTERCLAIM_OFFLOAD_PROCESSES": "0",  # see tests/http/test_offload.py
        }
        log = Path(self.log_file.name)
        command = ["serve", "--port", str(self.port), "--workers", str(self.workers)]
        self.process = forkserver.start(command, environment, ROOT, log, log)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.is_ready():
            assert self.process.exitcode is None, f"the server did not start: {self.read_log()}"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)

    def read_log(self) -> str:
        """Return the log."""
        return Path(self.log_file.name).read_text(encoding="utf-8")

    def find_errors(self) -> list[str]:
        """Return the errors in the log, except that a request was cut after the signal, as it must be."""
        return [line for line in self.read_log().splitlines() if " ERROR " in line and REQUEST_CUT not in line]

    def is_ready(self) -> bool:
        """Return whether the server responds."""
        try:
            return self.request("GET", "/health/ready").status == 200
        except (OSError, HTTPException):
            return False
        finally:
            self.close_connection()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process; with SIGKILL to simulate a crash."""
        if self.process is not None:
            process, self.process = self.process, None
            os.kill(int(process.pid or 0), how)
            try:
                process.join(STOP_TIMEOUT_SECONDS)
                assert process.exitcode is not None, "the server does not end"
            finally:
                process.kill()
                process.join()
                process.close()

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpReply:
        """Send a request on the connection of this thread. Raises `OSError` or `HTTPException` if that fails."""
        if time.monotonic() - getattr(self.connections, "used", 0) > MAX_IDLE_SECONDS:
            self.close_connection()
        connection: HTTPConnection | None = getattr(self.connections, "connection", None)
        if connection is None:
            connection = self.connections.connection = HTTPConnection(
                "127.0.0.1", self.port, timeout=RESPONSE_TIMEOUT_SECONDS
            )
        content = None if body is None else orjson.dumps(body)
        given = {"Content-Type": "application/json"} if content else {}
        try:
            connection.request(method, path, content, {**given, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.headers.items()}
            reply = HttpReply(answer.status, found, answer.read())
        except (OSError, HTTPException):
            self.close_connection()
            raise
        self.connections.used = time.monotonic()
        return reply

    def close_connection(self) -> None:
        """Close this thread's connection; the next request opens another."""
        connection: HTTPConnection | None = getattr(self.connections, "connection", None)
        if connection is not None:
            connection.close()
            self.connections.connection = None


@dataclass
class ServerGroup:
    """Servers that share a register, with its API keys."""

    url: str
    servers: list[ServerProcess]
    keys: dict[str, dict[str, str]]

    def get(self, path: str) -> Any:
        """Return the JSON at `path`."""
        answer = self.servers[0].request("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()

    def write(
        self, method: str, path: str, body: Any, server: int = 0, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Send a write with the key of an admin to one of the servers."""
        return self.servers[server % len(self.servers)].request(
            method, path, body, {**self.keys["admin"], **(headers or {})}
        )

    def read_all_changes(self) -> list[dict[str, Any]]:
        """Return the logs of all servers."""
        found: list[dict[str, Any]] = []
        while page := self.get(f"/v1/changes?limit=1000&after={len(found)}")["data"]:
            found += page
        return found

    def close_connection(self) -> None:
        """Close this thread's connections."""
        for server in self.servers:
            server.close_connection()


@contextmanager
def run_servers(copies: DatabaseCopies, count: int, workers: int = 1) -> Iterator[ServerGroup]:
    """Run `count` servers of `workers` processes on a new register with the vocabulary of the examples."""
    url = copies.create_copy("empty")
    for register in open_register(url):
        record_example_vocabulary(register)
        keys = register.keys
    fleet = ServerGroup(url, [ServerProcess(url, find_free_port(), workers=workers) for _ in range(count)], keys)
    try:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(ServerProcess.start, fleet.servers))
        yield fleet
    finally:
        fleet.close_connection()
        for server in fleet.servers:
            with suppress(ProcessLookupError):
                server.stop()
    for server in fleet.servers:
        with server.log_file:
            assert server.find_errors() == []


def find_free_port() -> int:
    """Return a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class RaceThreads:
    """Threads that start each race at the same time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.barrier = Barrier(count)
        self.pool = ThreadPoolExecutor(count)

    def race(self, run: Callable[[int], T]) -> list[T]:
        """Return the results of `run(0)`, `run(1)`, …, each run in a separate thread."""

        def begin(runner: int) -> T:
            self.barrier.wait(RESPONSE_TIMEOUT_SECONDS)
            return run(runner)

        return list(self.pool.map(begin, range(self.count)))

    def close(self, fleet: ServerGroup) -> None:
        """End the threads and close their connections."""
        self.race(lambda _: fleet.close_connection())
        self.pool.shutdown()
