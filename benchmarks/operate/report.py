"""The report of `make operate`: tables for people, and the same as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.operate.probers import BARE, KINDS

RESULTS = Path(__file__).parents[1] / "results"


@dataclass
class Outcome:
    """What was observed during one failure."""

    configuration: str
    workers: int
    failure: str
    seconds: float
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    """The number of answers of each status and reason, for each kind of request."""
    slowest: dict[str, float] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    """The longest times before the failure."""
    percentile_95: dict[str, float] = field(default_factory=dict)
    back: dict[str, float | None] = field(default_factory=dict)
    """After how many seconds from the end of the failure each kind of request succeeded."""
    writes: dict[str, int] = field(default_factory=dict)
    """The acknowledged writes, and how many were lost, recorded twice, or recorded although they were refused."""
    alerts: list[str] = field(default_factory=list)
    log: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What differs from what must be."""


def _seconds(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _cell(outcome: Outcome, kind: str) -> str:
    counts = outcome.answers.get(kind, {})
    labels = sorted(counts, key=lambda label: -counts[label])
    text = ", ".join(labels[:3])
    return f"{text or '–'}: {_seconds(outcome.slowest.get(kind, 0.0))}"


def render(outcomes: Sequence[Outcome], rules: Sequence[str], notes: Sequence[str]) -> str:
    """Return the report as Markdown."""
    lines = ["# Failures", ""]
    lines += [
        "`make operate` starts the service with one worker and two, on SQLite and on PostgreSQL, and lets its database, its disk or a worker",
        "fail while clients ask. A cell has the answers (status and reason, most frequent first) and the longest time. *Back* is the time from",
        "the end of the failure until every kind of request succeeds. *Lost* counts acknowledged writes that are not there, there twice, or there",
        "although they were refused. *Bare* is the longest time of a server that does nothing, beside the others.",
        "",
    ]
    lines += [f"- {note}" for note in notes]
    lines += ["", "## Answers", ""]
    lines += [
        "| database | workers | failure | bare | live | metrics | ready | hot read | cold read | write | back | acknowledged | lost |"
    ]
    lines += [f"|{' --- |' * 13}"]
    for outcome in outcomes:
        back = (
            None
            if None in outcome.back.values()
            else max((float(each or 0) for each in outcome.back.values()), default=0.0)
        )
        lost = sum(number for name, number in outcome.writes.items() if name != "acknowledged")
        cells = [outcome.configuration, str(outcome.workers), f"{outcome.failure}, {outcome.seconds:.0f} s"]
        cells += [_seconds(outcome.slowest.get(BARE)), *(_cell(outcome, kind) for kind in KINDS)]
        cells += [_seconds(back), str(outcome.writes.get("acknowledged", 0)), str(lost)]
        lines.append(f"| {' | '.join(cells)} |")
    if rules:
        lines += ["", "## Alerts", "", "Which alert fired during which failure.", ""]
        short = [name.removeprefix("Counterclaim") for name in rules]
        lines += [
            f"| database | workers | failure | {' | '.join(short)} |",
            f"| --- | --- | --- |{' --- |' * len(rules)}",
        ]
        for outcome in outcomes:
            marks = ["fired" if name in outcome.alerts else "" for name in rules]
            lines.append(f"| {outcome.configuration} | {outcome.workers} | {outcome.failure} | {' | '.join(marks)} |")
    lines += ["", "## Log and metrics", ""]
    lines += [
        "| database | workers | failure | metrics | messages of the log, with their number |",
        "| --- | --- | --- | --- | --- |",
    ]
    for outcome in outcomes:
        metrics = ", ".join(f"{name} {value:g}" for name, value in outcome.metrics.items())
        log = "; ".join(f"{message.replace('|', '/')} ×{count}" for message, count in outcome.log.items())
        lines.append(f"| {outcome.configuration} | {outcome.workers} | {outcome.failure} | {metrics} | {log} |")
    found = [
        f"- {each.configuration}, {each.workers}, {each.failure}: {fault}" for each in outcomes for fault in each.faults
    ]
    lines += ["", "## What differs from what must be", "", *(found or ["Nothing."])]
    return "\n".join(lines) + "\n"


def save(
    outcomes: Sequence[Outcome],
    rules: Sequence[str],
    notes: Sequence[str],
    *,
    judge: Callable[[Sequence[Outcome]], list[Outcome]] | None = None,
) -> None:
    """Save the report, with the outcomes of earlier runs for failures that did not take place this time."""
    path = RESULTS / "operate.json"
    saved = json.loads(path.read_text()) if path.exists() else {"notes": [], "outcomes": []}
    found = {_key(outcome): outcome for outcome in (Outcome(**each) for each in saved["outcomes"])}
    found |= {_key(outcome): outcome for outcome in outcomes}
    every = sorted(found.values(), key=lambda outcome: (CONFIGURATIONS.index(outcome.configuration), outcome.workers))
    if judge is not None:
        every = judge(every)
    notes = list(dict.fromkeys([*saved["notes"], *notes]))
    document = {"notes": notes, "outcomes": [asdict(outcome) for outcome in every]}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (RESULTS / "operate.md").write_text(render(every, rules, notes))


CONFIGURATIONS = ("sqlite", "postgresql", "replica")


def _key(outcome: Outcome) -> tuple[str, int, str]:
    return (outcome.configuration, outcome.workers, outcome.failure)
