"""Restarts a server under load, and reports how long each restart takes and what its clients see.

    python -m benchmarks.restarts --restarts 20 --streams 50 --databases "sqlite postgresql"

At each restart, streams are open, clients read and write, a file is downloaded slowly and an import runs, which is
rolled back. Some further restarts come while an import publishes: it is finished first, so they have no limit. Every
write that was acknowledged must be recorded, and no client may see a reset connection.
"""

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from benchmarks.postgresql import database_server
from tests.history.servers import ServerGroup, run_servers
from tests.history.shutdown_load import (
    Outcome,
    count_claims,
    import_file,
    make_claims_file,
    notice_publishing,
    record_long_file,
    stop_under_load,
)
from tests.registers import DatabaseCopies

CLIENTS = 8
IMPORTED_ROWS = 5_000
"""As many as are published in one transaction. A longer import is finished by the next start."""
MAX_SECONDS = 5
RESULTS = Path(__file__).parent / "results"


def restart(fleet: ServerGroup, streams: int, *, publishing: bool) -> tuple[Outcome, dict[str, Any]]:
    """Restart the server once; return what clients saw, and the result of the restart."""
    claims = count_claims(fleet)
    content = make_claims_file(IMPORTED_ROWS, claims)
    watch = notice_publishing(fleet.url) if publishing else nullcontext(Event())
    with watch as is_publishing, ThreadPoolExecutor(1) as pool:
        if not publishing:
            is_publishing.set()
        importing = pool.submit(import_file, fleet.servers[0], fleet.keys, content)
        outcome = stop_under_load(
            fleet, streams=streams, clients=CLIENTS, writes=not publishing, before_signal=is_publishing
        )
        status = importing.result().status
    fleet.servers[0].start()
    recorded = count_claims(fleet) - claims
    acknowledged = outcome.statuses["POST 201"] + (IMPORTED_ROWS if status == 201 else 0)
    return outcome, {
        "publishing": publishing,
        "seconds": round(outcome.seconds, 2),
        "import": status,
        "acknowledged": acknowledged,
        "recorded": recorded,
        "complete_streams": outcome.complete_streams,
        "download_cut": outcome.is_download_cut,
        "statuses": dict(sorted(outcome.statuses.items())),
        "unexpected": outcome.unexpected,
    }


def find_faults(result: dict[str, Any], streams: int) -> list[str]:
    """Return what went wrong at a restart."""
    expected_import = 201 if result["publishing"] else 503
    faults = [] if result["import"] == expected_import else [f"the import was answered with {result['import']}"]
    faults += result["unexpected"]
    if result["recorded"] != result["acknowledged"]:
        faults.append(f"{result['acknowledged']} acknowledged, {result['recorded']} recorded")
    if result["complete_streams"] != streams:
        faults.append(f"{result['complete_streams']} of {streams} streams complete")
    if not result["download_cut"]:
        faults.append("the download ended as if it were complete")
    if result["seconds"] > MAX_SECONDS and not result["publishing"]:
        faults.append(f"{result['seconds']} s")
    return faults


def main() -> None:
    """Restart servers on the databases that the arguments name, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--publishing", type=int, default=5, help="the number of further restarts")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--databases", default="sqlite postgresql")
    given = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {}
    failed = False
    for dialect in given.databases.split():
        runs[dialect] = []
        with TemporaryDirectory() as folder, database_server(dialect) as address:
            copies = DatabaseCopies(Path(folder), address)
            copies.create_template("empty")
            with run_servers(copies, 1, workers=given.workers) as fleet:
                record_long_file(fleet)
                for number in range(given.restarts + given.publishing):
                    outcome, result = restart(fleet, given.streams, publishing=number >= given.restarts)
                    result["faults"] = find_faults(result, given.streams)
                    runs[dialect].append(result)
                    failed |= bool(result["faults"])
                    print(f"{dialect} {number + 1}: {result}", flush=True)
            copies.close()
        _print_summary(dialect, runs[dialect])
    names = "-".join(runs)
    found = {"at": time.strftime("%Y-%m-%d"), "streams": given.streams, "workers": given.workers, "runs": runs}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"restarts-{names}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(failed)


def _print_summary(dialect: str, results: list[dict[str, Any]]) -> None:
    for publishing in (False, True):
        some = [result for result in results if result["publishing"] == publishing]
        if some:
            seconds = [result["seconds"] for result in some]
            statuses: Counter[str] = sum((Counter(result["statuses"]) for result in some), Counter())
            kind = "while an import publishes" if publishing else "with an import that does not publish yet"
            print(
                f"{dialect}: {len(some)} restarts {kind}: {min(seconds):.2f} to {max(seconds):.2f} s, {dict(statuses)}"
            )
    faults = [fault for result in results for fault in result["faults"]]
    print(f"{dialect}: {len(faults)} faults {faults[:10]}", flush=True)


if __name__ == "__main__":
    main()
