"""Measures the latency of readers and writers while an import runs, and without one."""

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.claim_files import CATEGORIES, PLACES, SOURCES, SUBJECTS
from benchmarks.import_registers import ImportStore

QUIET_SECONDS = 12.0
READ_INTERVAL_SECONDS = 0.02
WRITE_INTERVAL_SECONDS = 0.1
MAX_WRITE_WAIT_SECONDS = 300.0
"""A writer that waits so long will wait for ever."""


@dataclass
class RequestTimes:
    """How long each request took, and when it began."""

    reads: list[tuple[float, float]] = field(default_factory=list)
    writes: list[tuple[float, float]] = field(default_factory=list)
    retry_count: int = 0
    """Writes that were told to come again."""

    def summarize(self, began: float, ended: float) -> dict[str, Any]:
        """The figures of the requests that were under way in that time, in milliseconds."""
        reads = sorted(took for at, took in self.reads if at < ended and at + took > began)
        writes = sorted(took for at, took in self.writes if at < ended and at + took > began)
        return {
            "reads": len(reads),
            "read_p50": _quantile(reads, 0.5),
            "read_p99": _quantile(reads, 0.99),
            "writes": len(writes),
            "write_p50": _quantile(writes, 0.5),
            "write_longest": _quantile(writes, 1),
        }


def measure_disturbance(store: ImportStore, url: str, claims: Path) -> dict[str, Any]:
    """Serve the register at `url`, read and write in it, and import `claims` meanwhile."""
    waits = RequestTimes()
    over = threading.Event()
    with serve_register(url) as port:
        threads = [
            threading.Thread(target=_read_pages, args=(port, waits, over)),
            threading.Thread(target=_write_claims, args=(port, store.key, waits, over)),
        ]
        for thread in threads:
            thread.start()
        time.sleep(3)  # the first requests find nothing prepared
        quiet = time.time()
        time.sleep(QUIET_SECONDS)
        importing = time.time()
        found = run_in_process("import", url, str(claims))
        time.sleep(1)
        over.set()
        for thread in threads:
            thread.join()
    return {
        "quiet": waits.summarize(quiet, importing),
        "staging": waits.summarize(found["began_at"], found["staged_at"]),
        "publishing": waits.summarize(found["staged_at"], found["ended_at"]),
        "refused": waits.retry_count,
        "import": found,
    }


@contextmanager
def serve_register(url: str) -> Iterator[int]:
    """The service in a process of its own, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    environment = {**os.environ, "DATABASE_URL": url, "COUNTERCLAIM_LOG_LEVEL": "error"}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
    try:
        for _ in range(300):
            time.sleep(0.1)
            try:
                if (
                    _send_request(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "GET", "/health/ready")
                    == 200
                ):
                    break
            except OSError:
                continue
        else:
            raise RuntimeError("the service does not start")
        yield port
    finally:
        process.terminate()
        process.wait()


def run_in_process(*arguments: str) -> dict[str, Any]:
    """One run of `benchmarks.child`, and what it found."""
    command = [sys.executable, "-m", "benchmarks.import_process", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _read_pages(port: int, waits: RequestTimes, over: threading.Event) -> None:
    """Read pages of claims, each another one, at a steady pace."""
    chance = random.Random(3)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not over.is_set():
        filters = f"category={chance.choice(CATEGORIES)}&place={chance.choice(PLACES)}&limit=50"
        began, at = time.perf_counter(), time.time()
        status = _send_request(connection, "GET", f"/v1/claims?{filters}")
        took = time.perf_counter() - began
        if status != 200:
            raise RuntimeError(f"a read was answered {status}")
        waits.reads.append((at, took))
        over.wait(max(0.0, READ_INTERVAL_SECONDS - took))


def _write_claims(port: int, key: str, waits: RequestTimes, over: threading.Event) -> None:
    """Record one claim after another, each again and again until it is taken."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    number = 0
    while not over.is_set():
        number += 1
        claim = {
            "category": CATEGORIES[0],
            "subject": SUBJECTS[0],
            "place": PLACES[0],
            "modality": "estimate",
            "source": SOURCES[-1],
            "figure": {"as_printed": f"{10**7 + number}", "value": 10**7 + number},
            "period": {"edtf": "2024-01-01", "aggregation": "within"},
            "citations": [{"document": {"url": "https://example.org/live", "title": "Live"}}],
        }
        began, at = time.perf_counter(), time.time()
        while (status := _send_request(connection, "POST", "/v1/claims", json.dumps(claim), headers)) in {429, 503}:
            waits.retry_count += 1
            if time.perf_counter() - began > MAX_WRITE_WAIT_SECONDS:
                raise RuntimeError("a writer waits for ever")
            time.sleep(0.02)
        took = time.perf_counter() - began
        if status != 201:
            raise RuntimeError(f"a write was answered {status}")
        waits.writes.append((at, took))
        over.wait(max(0.0, WRITE_INTERVAL_SECONDS - took))


def _send_request(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> int:
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _quantile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
