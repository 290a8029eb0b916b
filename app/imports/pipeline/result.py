"""The result of an import: statistics, examples, anomalies and refused rows."""

from collections import Counter
from dataclasses import dataclass, field

from app.enums import Outcome
from app.imports.quality.anomalies import Anomaly
from app.imports.readers.options import FileReport

MAX_EXAMPLES_PER_OUTCOME = 5
"""Maximum number of examples of each outcome for the summary."""

MAX_KEPT_ANOMALIES = 1_000
"""Maximum number of anomalies with details; further ones are only counted."""


@dataclass(slots=True)
class ImportStatistics:
    """Counts of rows, claims and anomalies, with a few examples of each outcome."""

    rows: int = 0
    refused: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Reason → number of rows."""
    claims: Counter[str] = field(default_factory=Counter)
    """Outcome → number of claims."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    """The printable sentences of the first new claims of each kind."""
    anomaly_counts: Counter[str] = field(default_factory=Counter)
    anomalies: list[Anomaly] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    """Field, as in the JSON of a claim → number of claims for which a row states it and it is not taken."""
    without_claim: Counter[str] = field(default_factory=Counter)
    """Reason → number of rows that are not skipped and made no claim."""
    differing_texts: Counter[str] = field(default_factory=Counter)
    """Field beside the statement → number of recorded claims for which a row gives it otherwise, and that keep it."""
    unread_columns: list[str] = field(default_factory=list)
    """The columns of the files that nothing in the mapping reads."""
    missing_columns: list[str] = field(default_factory=list)
    """What the mapping reads and no row of a nested file has, in sentences."""
    vanished: int = 0
    """Number of rows that an earlier file of the file series has and this file lacks."""

    def add_example(self, outcome: str, example: str) -> None:
        """Keep `example` unless there are enough for this outcome."""
        examples = self.examples.setdefault(outcome, [])
        if len(examples) < MAX_EXAMPLES_PER_OUTCOME:
            examples.append(example)

    def add_anomaly(self, anomaly: Anomaly) -> None:
        """Count an anomaly, and keep it unless there are too many."""
        self.anomaly_counts[anomaly.kind.value] += 1
        if len(self.anomalies) < MAX_KEPT_ANOMALIES:
            self.anomalies.append(anomaly)


@dataclass(slots=True)
class ImportResult:
    """The result of an import, whether or not it is published."""

    id: str
    mapping: str
    series: str | None
    dry_run: bool
    published: bool
    files: list[FileReport]
    statistics: ImportStatistics
    refused: list[tuple[str, int, list[str]]]
    """File, line and reasons of the first refused rows; `statistics.refused` counts them all."""
    editor_actions: list[str]
    """The changes of the import that need the role editor."""
    has_changes: bool
    """Whether the import has changes to record."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Reason → number of claims that were left out, because the register was changed while it was published."""

    def counts(self) -> dict[str, int]:
        """Return the numbers of rows, and of claims by outcome."""
        outcomes = {
            outcome.value: self.statistics.claims[outcome] for outcome in Outcome if outcome is not Outcome.refused
        }
        return {
            "rows": self.statistics.rows,
            "rows_skipped": sum(self.statistics.skipped.values()),
            "rows_refused": self.statistics.refused,
            **outcomes,
            "vanished": self.statistics.vanished,
        }


class ImportRefused(Exception):
    """Rows were refused, so nothing is recorded."""

    def __init__(self, result: ImportResult) -> None:
        file, line, reasons = result.refused[0] if result.refused else ("", 0, ["no row was read"])
        location = f"{file}, line {line}" if file else "the files"
        super().__init__(
            f"{result.statistics.refused} rows are refused, so nothing is imported. {location}: {reasons[0]}"
        )
        self.result = result
