"""Clients of a server that is told to end: streams, a slow download, reads, writes and an import."""

import os
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.client import HTTPConnection, HTTPException, IncompleteRead
from threading import Event
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.examples import make_unique_claim_body
from tests.history.servers import HttpReply, ServerGroup, ServerProcess
from tests.imports.import_helpers import format_csv, native_row

ROWS_OF_A_LONG_FILE = 4_000
"""Claims whose file is larger than what the system sends ahead of a slow reader."""
FIRST_DAY, DAYS = date(1960, 1, 1), 20_000
"""The days of imported claims: claims of one day are compared with each other."""

RECEIVE_BUFFER_BYTES = 4_096
PAUSE_BEFORE_SIGNAL_SECONDS = 0.05
"""The time between two requests of a client while the test waits for what the server has to be doing."""
SLOW_READ_BYTES, SLOW_READ_PAUSE_SECONDS = 2_048, 0.02


def open_stream(port: int, path: str = "/v1/changes/stream") -> socket.socket:
    """Open a stream and return its connection, after the head and the first position have arrived."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    received = b""
    started = time.monotonic()
    while b"\nid: " not in received:
        received += connection.recv(4096)
        assert time.monotonic() - started < 30, received
    assert received.startswith(b"HTTP/1.1 200")
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    with connection:
        while part := connection.recv(65536):
            received += part
    return received


def import_file(
    server: ServerProcess, keys: dict[str, dict[str, str]], content: str, is_sent: Event | None = None
) -> HttpReply:
    """Import a claims file on a connection of its own. Sets `is_sent` when the server has taken the last part."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=120)) as connection:
        connection.request("POST", "/v1/imports", content, {**keys["admin"], "Content-Type": "text/csv"})
        if is_sent:
            is_sent.set()
        answer = connection.getresponse()
        return HttpReply(answer.status, dict(answer.headers.items()), answer.read())


def make_claims_file(rows: int, first: int = 0) -> str:
    """Return a claims file of rows that differ in their figure, from one day to the next."""
    days = [(FIRST_DAY + timedelta(number % DAYS)).isoformat() for number in range(first, first + rows)]
    return format_csv(
        *(native_row(first + number + 1, date=day, period=f"{FIRST_DAY}/{day}") for number, day in enumerate(days))
    )


def record_long_file(fleet: ServerGroup) -> None:
    """Record enough claims for a download that a slow reader does not finish."""
    reply = import_file(fleet.servers[0], fleet.keys, make_claims_file(ROWS_OF_A_LONG_FILE, 10_012_000))
    assert reply.status == 201, reply.body


def download_slowly(port: int, has_begun: Event, has_ended: Event) -> bool:
    """Read a long file slowly until the server has ended, and return whether the client sees that it is incomplete."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.sock = socket.socket()
        connection.sock.settimeout(30)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        connection.sock.connect(("127.0.0.1", port))
        connection.request("GET", "/v1/claims.ndjson", headers={"Accept-Encoding": "identity"})
        answer = connection.getresponse()
        assert answer.status == 200
        try:
            while answer.read(SLOW_READ_BYTES):
                has_begun.set()
                if not has_ended.is_set():
                    time.sleep(SLOW_READ_PAUSE_SECONDS)
        except (IncompleteRead, ConnectionResetError):
            return True
    return False


@dataclass
class Outcome:
    """What clients saw of the end of a server."""

    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    """How often each method was answered with each status."""
    unexpected: list[str] = field(default_factory=list)
    """Connections that were reset, and answers that were cut."""
    complete_streams: int = 0
    is_download_cut: bool = False


def stop_under_load(
    fleet: ServerGroup,
    *,
    streams: int,
    clients: int,
    writes: bool = True,
    warm_up_seconds: float = 1.0,
    download: bool = True,
    before_signal: Event | None = None,
) -> Outcome:
    """End the first server while clients use it, and return what they saw. The server is not started again."""
    server, outcome = fleet.servers[0], Outcome()
    opened = [open_stream(server.port) for _ in range(streams)]
    has_ended, has_begun = Event(), Event()
    methods = ["GET", "POST"] if writes else ["GET"]

    def work(method: str) -> None:
        while not has_ended.is_set():
            if before_signal is not None and not before_signal.is_set():
                time.sleep(PAUSE_BEFORE_SIGNAL_SECONDS)
            try:
                body = make_unique_claim_body() if method == "POST" else None
                path = "/v1/claims" if method == "POST" else "/v1/claims?limit=5&sort=-recorded"
                reply = fleet.write(method, path, body)
                outcome.statuses[f"{method} {reply.status}"] += 1
            except ConnectionRefusedError:
                return
            except (OSError, HTTPException) as error:
                outcome.unexpected.append(f"{method}: {error!r}")
                return
            finally:
                fleet.close_connection()

    with ThreadPoolExecutor(clients + 1) as pool:
        slow = pool.submit(download_slowly, server.port, has_begun, has_ended) if download else None
        working = [pool.submit(work, methods[number % len(methods)]) for number in range(clients)]
        try:
            assert slow is None or has_begun.wait(60)
            time.sleep(warm_up_seconds)
            assert before_signal is None or before_signal.wait(300)
            process, server.process = server.process, None
            assert process is not None
            started = time.monotonic()
            os.kill(int(process.pid or 0), signal.SIGTERM)
            process.join(120)
            outcome.seconds = time.monotonic() - started
            assert process.exitcode is not None
        finally:
            has_ended.set()
        for each in working:
            each.result()
        outcome.is_download_cut = slow is not None and slow.result()
    process.close()
    outcome.complete_streams = sum(read_to_end(stream).endswith(b"0\r\n\r\n") for stream in opened)
    fleet.close_connection()
    return outcome


@contextmanager
def notice_publishing(url: str) -> Iterator[Event]:
    """Yield an event that is set when a transaction has held the lock of all writes for some time."""
    is_publishing, is_over = Event(), Event()

    def watch() -> None:
        while not (is_publishing.is_set() or is_over.wait(0.01)):
            if _is_publishing(url):
                is_publishing.set()

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield is_publishing
        finally:
            is_over.set()
            watching.result()


def _is_publishing(url: str) -> bool:
    """Return whether a transaction has written for longer than a single write takes."""
    if make_url(url).get_backend_name() == "sqlite":
        with closing(sqlite3.connect(make_url(url).database or "", timeout=0.1, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
            return False
    with psycopg.connect(url, autocommit=True) as connection:
        statement = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL "
            "AND xact_start < clock_timestamp() - interval '0.1 s'"
        )
        return connection.execute(statement).fetchone() is not None


def count_claims(fleet: ServerGroup) -> int:
    """Return the number of recorded claims."""
    page: Any = fleet.get("/v1/claims?limit=1&total=true")
    total: int = page["meta"]["total"]
    return total
