"""The size of the write-ahead log of SQLite while reads overlap and claims are recorded, and after it.

    python -m benchmarks.log_size --seconds 360 --save

Claims are posted over eight connections, as fast as they are recorded. Meanwhile other processes read from the file, each
read beginning before the one before it ends, so that at every moment somebody reads. The size of the file is read ten times a second.
"""

import argparse
import json
import sqlite3
import sys
import threading
import time
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from app.database.api_keys import create_key
from app.database.engine import Database
from app.enums import Role
from benchmarks.memory import copy_with_displays
from benchmarks.mixed_load import RegisterNames
from benchmarks.read_registers import RegisterStore, sample_claim_ids
from benchmarks.servers import Server
from tests.examples import make_claim_body, make_figure_body
from tests.registers import make_settings

RESULTS = Path(__file__).parent / "results" / "log-size"
LIMIT_MB = 64
SAMPLE_SECONDS = 0.1
REST_SECONDS = 5.0
READ_SECONDS = 0.05
"""How long a read goes on after the one before it has ended."""

WRITERS = 8
"""The number of connections that record claims."""


def main() -> None:
    """Measure, print, and save with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=360)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/log-size.json and .md")
    arguments = parser.parse_args()
    result = measure(arguments.claims, arguments.seconds, arguments.workers)
    print(json.dumps(result))  # noqa: T201 - the result of the command
    if arguments.save:
        result |= {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
        RESULTS.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        RESULTS.with_suffix(".md").write_text(render(result), encoding="utf-8")
    if result["peak_mb"] > LIMIT_MB:
        sys.exit(f"The log had more than {LIMIT_MB} MB.")


def measure(claims: int, seconds: float, workers: int) -> dict[str, Any]:
    """Return the sizes of the log in MB, and what was done."""
    store = RegisterStore("sqlite")
    url = copy_with_displays(store, claims)
    database = Database(make_settings(url))
    with database.write() as session:
        key = create_key(session, "writer", Role.contributor)
    database.close()
    log = Path(url.removeprefix("sqlite:///") + "-wal")
    command = [sys.executable, "-m", "app", "serve", "--port", "{port}", "--workers", str(workers)]
    environment = {"DATABASE_URL": url, "COUNTERCLAIM_LOG_LEVEL": "warning"}
    server = Server("log-size", command, environment, "/v1/claims?limit=1", spread=True)
    sizes = []
    try:
        server.start()
        names = RegisterNames.read(server, sample_claim_ids(url), claims)
        readers = OverlappingReads(url.removeprefix("sqlite:///"))
        writers = [Writer(server.port, key, names, first) for first in range(WRITERS)]
        readers.start()
        for writer in writers:
            writer.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(SAMPLE_SECONDS)
            sizes.append(_size(log))
        for writer in writers:
            writer.stop()
        readers.stop()
        time.sleep(REST_SECONDS)
        at_rest = _size(log)
        file_size = _size(log.with_name(log.name.removesuffix("-wal")))
    finally:
        server.stop()
        store.clear()
    return {
        "claims": claims,
        "workers": workers,
        "seconds": round(seconds),
        "reads": readers.total,
        "recorded": sum(writer.recorded for writer in writers),
        "refused": [writer.refused for writer in writers if writer.refused],
        "peak_mb": max(sizes),
        "end_mb": sizes[-1],
        "rest_mb": at_rest,
        "file_mb": file_size,
    }


class OverlappingReads:
    """Two readers, each of which ends a read only after the other one has begun its next."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._stopped = threading.Event()
        began = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._read, args=pair) for pair in (began, began[::-1])]
        self.total = 0

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both reads."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _read(self, own: threading.Event, other: threading.Event) -> None:
        connection = sqlite3.connect(self._file, isolation_level=None)
        while not self._stopped.is_set():
            connection.execute("BEGIN")
            connection.execute("SELECT seq FROM clock").fetchall()
            own.set()
            while not other.wait(READ_SECONDS) and not self._stopped.is_set():
                pass
            other.clear()
            self._stopped.wait(READ_SECONDS)
            connection.execute("COMMIT")
            self.total += 1
        connection.close()


class Writer(threading.Thread):
    """Posts claims, one after the other, that no other writer posts."""

    def __init__(self, port: int, key: str, names: RegisterNames, first: int) -> None:
        super().__init__(daemon=True)
        self._port, self._key, self._names, self._first = port, key, names, first
        self._stopped = threading.Event()
        self.recorded = 0
        self.refused: dict[str, int] = {}

    def stop(self) -> None:
        """End after the claim that is being posted."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Post claims until `stop` is called."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        number = self._first
        while not self._stopped.is_set():
            number += WRITERS
            try:
                connection.request("POST", "/v1/claims", json.dumps(self._claim(number)), headers)
                answer = connection.getresponse()
                body = answer.read().decode()
                outcome = str(answer.status)
            except (OSError, HTTPException) as error:
                connection.close()
                outcome, body = type(error).__name__, ""
            if outcome == "201":
                self.recorded += 1
            else:
                self.refused[outcome] = self.refused.get(outcome, 0) + 1
                if self.refused[outcome] == 1:
                    print(outcome, body[:500], file=sys.stderr)  # noqa: T201 - of the command
        connection.close()

    def _claim(self, number: int) -> dict[str, Any]:
        printed = f"{1_000 + number:,}"
        citation = {
            "document": {"title": f"Report {number}"},
            "quote": f"There were {printed}. " + "They said so. " * 20,
        }
        return make_claim_body(
            category="category-1",
            subject="subject-1",
            place="place-1",
            source=self._names.sources[number % len(self._names.sources)],
            figure=make_figure_body(printed, value=1_000 + number),
            citations=[citation],
        )


def _size(path: Path) -> float:
    try:
        return round(path.stat().st_size / 1e6, 1)
    except OSError:
        return 0.0


def render(result: dict[str, Any]) -> str:
    """Return the result as a Markdown table."""
    return (
        "# Write-ahead log of SQLite\n\n"
        f"Two readers overlap without a gap, and {WRITERS} connections record claims for {result['seconds']} seconds, "
        f"{result['workers']} worker, {result['claims']:,} claims at the start. Sizes in MB; at most {LIMIT_MB} MB.\n\n"
        "| reads | claims recorded | largest log | log at the end | log at rest | database |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: |\n"
        f"| {result['reads']:,} | {result['recorded']:,} | {result['peak_mb']} | {result['end_mb']} | "
        f"{result['rest_mb']} | {result['file_mb']} |\n"
    )


if __name__ == "__main__":
    main()
