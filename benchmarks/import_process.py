"""One run in a process of its own, so that its memory is its own: `import URL FILE` or `raw URL FOLDER [CACHE]`.

Prints what it found as one line of JSON.
"""

import json
import os
import resource
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event

from app.imports.command import create_row_mapper
from app.imports.pipeline.prepare import ImportRequest, import_attempts
from app.imports.pipeline.publish_parts import publish_prepared
from benchmarks.raw_writes import open_database, write_rows


def run_measurement(what: str, url: str, path: Path, *more: str) -> dict[str, Any]:
    """What one run took."""
    base = peak_memory_mb()
    load = os.getloadavg()[0]
    found = measure_import(url, path) if what == "import" else measure_raw_write(url, path, *more)
    return found | {"peak_mb": peak_memory_mb(), "base_mb": base, "load": round(load, 2)}


def measure_import(url: str, path: Path) -> dict[str, Any]:
    """The time of an import: reading and staging, publishing, and how long a transaction kept others waiting."""
    database = open_database(url)
    at: dict[str, float] = {}
    transactions: list[float] = []

    def note_end(*_: object) -> None:
        transactions.append(time.perf_counter() - at.pop("checkout"))

    event.listen(database.write_engine, "checkout", lambda *_: at.update(checkout=time.perf_counter()))
    event.listen(database.write_engine, "checkin", note_end)
    began, began_at, cpu = time.perf_counter(), time.time(), time.process_time()
    request = ImportRequest([path], create_row_mapper(None))
    with closing(import_attempts(database, request, "benchmark")) as attempts:
        for prepared in attempts:
            at["staged"], at["staged_at"] = time.perf_counter(), time.time()
            prepared.check_refusals()
            if publish_prepared(database, prepared):
                break
    result = prepared.result
    ended = time.perf_counter()
    database.close()
    return {
        "seconds": ended - began,
        "cpu": time.process_time() - cpu,
        "staging": at["staged"] - began,
        "publishing": ended - at["staged"],
        "locked": max(transactions),
        "transactions": len(transactions),
        "began_at": began_at,
        "staged_at": at["staged_at"],
        "ended_at": time.time(),
        "counts": result.counts(),
        "smells": dict(result.statistics.anomaly_counts),
    }


def measure_raw_write(url: str, folder: Path, cache: str = "0") -> dict[str, Any]:
    """The time of the same rows, written by the driver."""
    database = open_database(url)
    try:
        return write_rows(database, folder, int(cache))
    finally:
        database.close()


def peak_memory_mb() -> float:
    """The most memory of this process so far, in MB. `ru_maxrss` would also tell that of the process it came from."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20) if sys.platform == "darwin" else most / 1024


if __name__ == "__main__":
    print(json.dumps(run_measurement(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])))
