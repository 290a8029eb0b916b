"""`make bench`: the rate of reads and writes, as a ratio to peers over the same register.

Peers take turns; the median of the rounds counts. Only ratios of one run mean anything: the machine is shared, and its
speed drifts. See docs/benchmarks.md.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measures
from benchmarks.import_registers import describe_machine
from benchmarks.peer_agreement import PeersDisagree
from benchmarks.read_registers import open_register_stores
from benchmarks.report import as_markdown, write_chart
from benchmarks.runner import MAX_COPIED_CLAIMS, BenchmarkRun
from benchmarks.servers import ServerFailed, server_and_generator_core

RESULTS = Path(__file__).parent / "results"
QUICK_SECONDS = 0.3
QUICK_POSTGRESQL = {"agree", "page-cold", "claim-cold", "post"}
QUICK_SQLITE = set(measures.MEASURES) - {"shapes"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results down."""
    given = _parse_arguments(arguments)
    names = list(measures.MEASURES) if not given.only else [name for name in given.only.split(",") if name]
    if unknown := set(names) - set(measures.MEASURES):
        raise SystemExit(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(measures.MEASURES)}.")
    found: dict[str, Any] = {
        "claims": given.claims,
        "rounds": given.rounds,
        "seconds": given.seconds,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "databases": {},
    }
    failed: list[str] = []
    os.sched_setaffinity(0, {server_and_generator_core()[1]})
    with open_register_stores(given.databases.split(), server_and_generator_core()[0]) as made:
        for store in made:
            into: dict[str, Any] = {}
            took: dict[str, float] = {}
            found["databases"][store.kind] = {"version": store.version(), "measures": into, "took": took}
            began_at = time.monotonic()
            print_progress(f"{store.kind}: the register is made ready")
            with BenchmarkRun(store, given.claims, given.rounds, given.seconds, given.peers.split(",")) as bench:
                took["made ready"] = round(time.monotonic() - began_at, 1)
                print_progress(f"{store.kind}: ready after {took['made ready']:.0f} s")
                for name in names:
                    if given.claims > MAX_COPIED_CLAIMS and name in measures.WRITING_MEASURES:
                        print_progress(f"{store.kind} {name}: left out, this register is not copied")
                        continue
                    if given.quick and name not in (QUICK_SQLITE if store.kind == "sqlite" else QUICK_POSTGRESQL):
                        continue
                    began = time.monotonic()
                    bench.deadline = began + measures.PLANNED_SECONDS[name]
                    print_progress(f"{store.kind} {name}, planned for {measures.PLANNED_SECONDS[name]} s at most")
                    try:
                        into[name] = measures.MEASURES[name](bench)
                    except (PeersDisagree, ServerFailed) as fault:
                        print_progress(f"FAILED {fault}")
                        failed.append(f"{store.kind} {name}: {fault}")
                    took[name] = round(time.monotonic() - began, 1)
                    print_progress(f"{store.kind} {name} took {took[name]:.0f} s")
    found["machine"]["load_after"] = describe_machine()["load"]
    table = as_markdown(found)
    print(table)  # noqa: T201
    if failed:
        raise SystemExit("\n".join(["Not measured:", *failed]))
    if given.write:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"reads-{given.claims}-{'-'.join(found['databases'])}"
        path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        path.with_suffix(".md").write_text(table)
        if given.chart:
            write_chart(found, Path(__file__).parent.parent / "docs" / "benchmarks.svg")


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--databases", default="sqlite postgresql")
    parser.add_argument("--only", default="", help=f"some of: {','.join(measures.MEASURES)}")
    parser.add_argument("--peers", default="ours,naive,datasette,pocketbase,bare", help="which peers take part")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each peer is loaded in each round")
    parser.add_argument("--quick", action="store_true", help="short loads, and on PostgreSQL only the main measures")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print the table only")
    parser.add_argument("--chart", action="store_true", help="draw docs/benchmarks.svg")
    given = parser.parse_args(arguments)
    if given.quick:
        given.seconds = min(given.seconds, QUICK_SECONDS)
    return given


def print_progress(text: str) -> None:
    """Say how far it has come."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
