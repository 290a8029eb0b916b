"""The report of `make failover`: tables for people, and the same as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.failover.scenarios import Outcome

RESULT = Path(__file__).parents[1] / "results" / "failover.md"

HEAD = """# Failover

`make failover` runs three servers of PostgreSQL with Patroni and [patroni.yml](../../docs/examples/patroni.yml) (strict synchronous mode, `ttl`
20 s, `loop_wait` 2 s, `retry_timeout` 5 s) and etcd, each in a network namespace of its own, and two services whose addresses name all
servers. Ten clients read and six write while a server fails. Each write is repeated with its `Idempotency-Key` until it is acknowledged.

*Writes*: the longest time without an acknowledged write, and its end after the failure. *Reads*: the longest time for which one client had no
successful answer to uncached reads, of service A / B. *Others*: the same of cached reads and liveness. *Machine*: the same of a server that
does nothing, which other work on the machine delays as well; limits are that much longer. *Reads it*: the services that read the server that
failed. *Lost*, *doubled*: of the acknowledged writes. *As it must be*: writes are back within `ttl` + 3 s, no read waits longer than 0.5 s (3 s
where the server falls silent), and liveness no longer than 0.5 s.
"""


def render(outcomes: Sequence[Outcome], commit: str) -> str:
    """Return the report as Markdown."""
    lines = [HEAD, f"Commit {commit}.", ""]
    lines += [
        "| scenario | reads it | writes, s | back after, s | reads A / B, s | others, s | machine, s | acknowledged | lost | doubled | as it must be |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for outcome in outcomes:
        gaps = outcome.read_gaps
        reads = " / ".join(f"{each['uncached read']:.2f}" for each in gaps.values())
        others = [each[kind] for each in gaps.values() for kind in ("cached read", "liveness")]
        cells = [
            outcome.name,
            ", ".join(outcome.readers_of_failed) or "–",
            f"{outcome.writes_paused:.1f}" if gaps else "",
            f"{outcome.writes_back:.1f}" if outcome.failed else "",
            reads,
            f"{max(others):.2f}" if others else "",
            f"{outcome.machine:.2f}" if gaps else "",
            str(outcome.acknowledged),
            str(outcome.lost),
            str(outcome.doubled),
            "; ".join(outcome.faults) or "yes",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Answers that were no success, with their numbers, and what else was noted:", ""]
    for outcome in outcomes:
        found = [f"reads {outcome.failed_reads}"] if outcome.failed_reads else []
        found += [f"writes {outcome.refused_writes}"] if outcome.refused_writes else []
        found += [f"{name}: {value}" for name, value in outcome.notes.items()]
        lines.append(f"- {outcome.name}: {'; '.join(found) or 'none'}")
    return "\n".join(lines) + "\n"


def save(outcomes: Sequence[Outcome], commit: str) -> None:
    """Write the report, and the same as JSON."""
    RESULT.write_text(render(outcomes, commit), encoding="utf-8")
    content = {"command": "make failover SAVE=yes", "commit": commit, "scenarios": [asdict(each) for each in outcomes]}
    RESULT.with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
