"""The first copy of a mirror, compared with an import of the same claims: CPU time and duration.

    python -m benchmarks.mirrors --rows 100000 --save

Both begin with a migrated SQLite file, and run in processes of their own, one after the other. The mirror reads from a
server on the same machine, whose CPU time for the package is listed beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from app.mirror.command import open_mirror
from app.settings import read_settings
from benchmarks.claim_files import write_claims
from benchmarks.import_registers import ImportStore, describe_machine, open_import_stores
from benchmarks.servers import CACHE_FOLDER, Server
from benchmarks.system import process_tree
from tests.registers import migrate

RESULTS = Path(__file__).parent / "results"

MAX_RATIO = 1.5


def main() -> None:
    """Measure, print, and save with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/mirrors-ROWS.json")
    parser.add_argument("--copy", nargs=2, metavar=("ADDRESS", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.copy:
        print(json.dumps(copy_register(*arguments.copy)))  # noqa: T201 - the result of the process
        return
    with open_import_stores(["sqlite"]) as (store,), TemporaryDirectory(prefix="counterclaim-bench-") as folder:
        runs = [measure(store, Path(folder), arguments.rows, number) for number in range(arguments.repeats)]
    ratio = median(run["mirror_cpu"] / run["import_cpu"] for run in runs)
    result = {"rows": arguments.rows, "ratio": round(ratio, 3), "runs": runs, "machine": describe_machine()}
    print(json.dumps(result))  # noqa: T201 - the result of the command
    if arguments.save:
        result |= {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
        path = RESULTS / f"mirrors-{arguments.rows}.json"
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if ratio > MAX_RATIO:
        sys.exit(f"A mirror takes {ratio:.2f} times the CPU time of an import; at most {MAX_RATIO} are allowed.")


def measure(store: ImportStore, folder: Path, rows: int, number: int) -> dict[str, float]:
    """Return the CPU time and the duration, in seconds, of an import, and of a mirror of its register."""
    claims, file = folder / "claims.csv", folder / f"mirror-{number}.db"
    if not claims.exists():
        write_claims(claims, rows)
    url = store.make()
    imported = _run("benchmarks.import_process", "import", url, str(claims))
    migrate(f"sqlite:///{file}")
    store.flush()
    command = [sys.executable, "-m", "app", "serve", "--port", "{port}"]
    environment = {"DATABASE_URL": url, "COUNTERCLAIM_LOG_LEVEL": "warning"}
    (CACHE_FOLDER / "work").mkdir(parents=True, exist_ok=True)
    server = Server("origin", command, environment, "/v1/register", spread=True)
    server.start()
    try:
        before = _cpu_seconds(server.pid)
        copied = _run("benchmarks.mirrors", "--copy", f"http://127.0.0.1:{server.port}", str(file))
        origin = _cpu_seconds(server.pid) - before
    finally:
        server.stop()
        store.drop(url)
    return {
        "import_cpu": round(imported["cpu"], 2),
        "import_seconds": round(imported["seconds"], 2),
        "mirror_cpu": round(copied["cpu"], 2),
        "mirror_seconds": round(copied["seconds"], 2),
        "origin_cpu": round(origin, 2),
        "changes": copied["changes"],
    }


def copy_register(address: str, file: str) -> dict[str, float]:
    """Copy the register at an address into a migrated file, as `counterclaim mirror` does at its first start."""
    os.environ["DATABASE_URL"] = f"sqlite:///{file}"
    began, cpu = time.perf_counter(), time.process_time()
    gateway, _ = open_mirror(read_settings(), address, Path(file), serves_offline=True)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "changes": gateway.follower.position.seq,
    }


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its children, with threads that have ended."""
    ticks = 0
    for each in process_tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _run(module: str, *arguments: str) -> dict[str, Any]:
    """Return what a process of its own has measured."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
