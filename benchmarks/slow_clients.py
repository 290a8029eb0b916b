"""Slow clients: when silent and dripping connections are closed, and how long others wait beside slow readers.

    python -m benchmarks.slow_clients --sockets 500 --readers 100 --databases "sqlite postgresql"

A third of the sockets sends nothing, a third a byte of its headers each second, a third a byte of its body. The readers
ask for files of some megabytes, and read a byte a second. Meanwhile one client asks for pages that are not cached.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.postgresql import database_server
from benchmarks.read_registers import RegisterStore
from benchmarks.streams import cpu_seconds
from tests.history.servers import find_free_port

RESULTS = Path(__file__).parent / "results"
START_SECONDS = 60.0
MAX_OPEN_SECONDS = 30.0
FILES = ("/v1/claims.csv", "/v1/claims.ndjson", "/v1/changes.ndjson", "/v1/export", "/v1/claims?limit=1000")
HEAD = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
KINDS = {
    "silent": (b"", b""),
    "dripping headers": (b"", HEAD % b"/v1/register"),
    "dripping body": (b"POST /v1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", b" " * 99),
}


@contextmanager
def serve(url: str, **settings: str) -> Iterator[tuple[int, int]]:
    """Serve a register, and yield the port and the process id."""
    port = find_free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERCLAIM_")}
    environment = kept | {"DATABASE_URL": url, "COUNTERCLAIM_LOG_LEVEL": "warning"} | settings
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as connection:
                connection.sendall(HEAD % b"/health/live")
                connection.recv(1)  # the port is open before the service is ready
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the server does not start")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def measure_slow_senders(port: int, count: int) -> dict[str, Any]:
    """Open sockets of each kind, and return until when they were open."""
    sockets = []
    started = time.monotonic()
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(KINDS[kind][0])
        connection.setblocking(False)
        sockets.append((kind, connection, time.monotonic()))
    closed: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for second in range(round(MAX_OPEN_SECONDS)):
        left = []
        for kind, connection, opened in sockets:
            if _drip(connection, KINDS[kind][1][second : second + 1]):
                left.append((kind, connection, opened))
            else:
                closed[kind].append(time.monotonic() - opened)
                connection.close()
        sockets = left
        time.sleep(max(0.0, started + second + 1 - time.monotonic()))
    for _, connection, _ in sockets:
        connection.close()
    return {
        kind: {"closed": len(times), "latest_seconds": round(max(times, default=0.0), 1)}
        for kind, times in closed.items()
    } | {"open": len(sockets)}


def _drip(connection: socket.socket, part: bytes) -> bool:
    """Send a byte, and return whether the connection is open."""
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        pass
    except OSError:
        return False
    else:
        return False
    with suppress(OSError):
        connection.send(part)
    return True


class SlowReaders:
    """Readers of a byte a second."""

    def __init__(self, port: int, count: int) -> None:
        self._sockets: list[socket.socket] = []
        self.statuses: Counter[str] = Counter()
        for number in range(count):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(HEAD % FILES[number % len(FILES)].encode())
            self.statuses[connection.recv(12)[9:].decode()] += (
                1  # one after the other: what is measured is slow reading
            )
            connection.setblocking(False)
            self._sockets.append(connection)
        self._stopped = Event()
        self._thread = Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._stopped.wait(1.0):
            for connection in self._sockets:
                with suppress(OSError):
                    connection.recv(1)

    def close(self) -> None:
        """Disconnect them."""
        self._stopped.set()
        self._thread.join()
        for connection in self._sockets:
            connection.close()


def measure_pages(port: int, count: int, offset: int) -> dict[str, float]:
    """Ask for pages that are not cached, one after the other; return percentiles in milliseconds."""
    connection, times = HTTPConnection("127.0.0.1", port, timeout=60), []
    for number in range(count):
        started = time.perf_counter()
        connection.request("GET", f"/v1/claims?limit=50&value_min={offset + number}")
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - started) * 1000)
        assert response.status == 200, response.status  # noqa: PLR2004 - OK
    connection.close()
    times.sort()
    return {"median_ms": round(statistics.median(times), 1), "p99_ms": round(times[round(0.99 * count) - 1], 1)}


def read_metric(port: int, name: str) -> list[str]:
    """Return the lines of a metric."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return [line for line in lines if line.startswith(name)]


def measure_slow_readers(port: int, pid: int, count: int, pages: int) -> dict[str, Any]:
    """Compare pages alone and beside slow readers, three times in turn."""
    runs = []
    measure_pages(port, pages // 10, 10_000_000)
    for run in range(3):
        alone = measure_pages(port, pages, (2 * run + 1) * pages)
        readers = SlowReaders(port, count)
        before = cpu_seconds(pid)
        beside = measure_pages(port, pages, (2 * run + 2) * pages)
        cpu = round(cpu_seconds(pid) - before, 2)
        connections = read_metric(port, "counterclaim_database_connections_in_use")
        runs.append({"alone": alone, "beside": beside, "connections": connections, "cpu": cpu})
        runs[-1]["readers"] = dict(readers.statuses)
        readers.close()
        time.sleep(2)
    return {
        "runs": runs,
        "p99_ratio": round(statistics.median(r["beside"]["p99_ms"] / r["alone"]["p99_ms"] for r in runs), 2),
    }


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=1_000)
    parser.add_argument("--databases", default="sqlite postgresql")
    given = parser.parse_args()
    for dialect in given.databases.split():
        with database_server(dialect) as address:
            store = RegisterStore(dialect, address)
            with serve(store.copy(given.claims)) as (port, pid):
                found = {
                    "senders": measure_slow_senders(port, given.sockets),
                    "readers": measure_slow_readers(port, pid, given.readers, given.pages),
                }
            store.clear()
        print(dialect, json.dumps(found), flush=True)
        (RESULTS / f"slow-clients-{dialect}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
