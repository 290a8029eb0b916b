"""What an import works with: a plan turns each row into drafts of claims, by a mapping or from the native shape."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Protocol

from app.http.schema_types import Input
from app.imports.quality.anomalies import Anomaly
from app.imports.readers.options import FileOptions, FileRow
from app.vocabulary.slug_records import RecordType

ChangePolicy = Literal["supersede", "fix", "report"]


@dataclass(slots=True)
class ClaimDraft:
    """One claim as a row gives it: the fields of a `ClaimInput`, not checked yet.

    `key` is what the row is known again by in its series, `id` the claim's own id where the file says it.
    """

    name: str
    claim_input: dict[str, Any]
    key: str | None = None
    id: str | None = None
    is_retracted: bool = False
    retracted_on: date | None = None


@dataclass(slots=True)
class MappedRow:
    """What came of one row: its drafts and how they stand to each other, what smells, what is wrong, or why not."""

    drafts: list[ClaimDraft] = field(default_factory=list)
    relations: list[tuple[int, str, int]] = field(default_factory=list)
    """From the draft with this index, of this type, to the draft with that one."""
    records: list[tuple[RecordType, str, Input]] = field(default_factory=list)
    """Sources, subjects and places that the row names."""
    anomalies: list[Anomaly] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    skip_reason: str | None = None


@dataclass(frozen=True, slots=True)
class SeriesOptions:
    """How a series goes on: what a changed figure becomes, and whether a file holds every row."""

    series: str
    on_change: ChangePolicy
    holds_every_row: bool


class RowMapper(Protocol):
    """Turns rows into drafts."""

    name: str
    options: FileOptions
    series_options: SeriesOptions | None

    @property
    def records(self) -> Sequence[tuple[RecordType, str, Input]]:
        """The sources, categories, subjects and places that are recorded first if they are not there yet."""

    def vintage_of(self, file: str) -> date | None:
        """The day of a file, by its name."""

    def map_row(self, row: FileRow, vintage: date | None = None) -> MappedRow:
        """The drafts of one row of a file of that day. Never raises for what a row holds: that is its fault."""
