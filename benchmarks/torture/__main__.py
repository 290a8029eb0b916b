"""Kill, cut, fill and race a running service, and count what was lost: `make torture`.

    python -m benchmarks.torture                                  everything: about an hour on two cores
    python -m benchmarks.torture --only "kills power" --databases sqlite --kills 20 --cuts 100

Every part is bounded in its number of requests. The exit status is 1 if something was lost, doubled or answered wrongly.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.torture import kills, power, storage, suites
from benchmarks.torture.report import TITLES, current_commit, save

Rows = list[dict[str, Any]]


def run_kills(arguments: argparse.Namespace) -> Rows:
    """Kill the service under writers."""
    return [kills.run(dialect, arguments.kills) for dialect in arguments.databases.split()]


def run_power(arguments: argparse.Namespace) -> Rows:
    """Cut the power, as the service is and with `synchronous=NORMAL`, with which acknowledged writes must be lost."""
    if "sqlite" not in arguments.databases:
        return []
    return [power.run(arguments.cuts, arguments.writes, synchronous=level) for level in ("FULL", "NORMAL")]


def run_storage(arguments: argparse.Namespace) -> Rows:
    """Let writes fail, and fill disks."""
    return [row for dialect in arguments.databases.split() for row in storage.run(dialect, arguments.writes)]


PARTS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    "kills": run_kills,
    "power": run_power,
    "storage": run_storage,
    "races": lambda arguments: suites.run_races(arguments.races, arguments.databases),
    "requests": lambda _arguments: suites.run_requests(),
    "faults": lambda _arguments: suites.run_faults(),
}


def main() -> int:
    """Run the parts."""
    parser = argparse.ArgumentParser(description="Kill, cut, fill and race a running service, and count what was lost.")
    parser.add_argument("--only", default="", help=f"parts, separated by spaces: {' '.join(PARTS)}")
    parser.add_argument("--databases", default="sqlite postgresql")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--writes", type=int, default=600, help="writes of a recording, and during a failure")
    parser.add_argument("--races", type=int, default=1000)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/torture.md and torture.json")
    arguments = parser.parse_args()
    only = arguments.only.replace(",", " ").split()
    if unknown := set(only) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    faults, commit = 0, current_commit()
    with tempfile.TemporaryDirectory(prefix="counterclaim-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the package of PostgreSQL warns without one
        for part, run in PARTS.items():
            if only and part not in only:
                continue
            rows = run(arguments)
            command = f"make torture ONLY={part}"
            for row in rows:
                print(part, {name: value for name, value in row.items() if name != "faults"})
                for fault in row.get("faults", []):
                    print(f"    FAULT {fault}")
                    faults += 1
            sys.stdout.flush()
            if arguments.save:
                save(part, command, commit, rows)
    return int(faults > 0)


if __name__ == "__main__":
    assert list(PARTS) == list(TITLES)  # noqa: S101
    sys.exit(main())
