"""The interface between a mapping and the import: a row mapper turns each row into drafts of claims."""

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
    """One claim as a row gives it, not validated yet."""

    name: str
    claim_input: dict[str, Any]
    """The fields of a `ClaimInput`."""
    key: str | None = None
    """What identifies the row in later files of its series."""
    id: str | None = None
    """The claim's own id, where the file names it."""
    is_retracted: bool = False
    retracted_on: date | None = None


@dataclass(slots=True)
class MappedRow:
    """The drafts of one row, with its anomalies and faults, or the reason for which it is skipped."""

    drafts: list[ClaimDraft] = field(default_factory=list)
    relations: list[tuple[int, str, int]] = field(default_factory=list)
    """From the draft with this index, of this type, to the draft with that index."""
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
    """Turns rows into drafts of claims."""

    name: str
    options: FileOptions
    series_options: SeriesOptions | None

    @property
    def records(self) -> Sequence[tuple[RecordType, str, Input]]:
        """The sources, categories, subjects and places to be recorded first where they do not exist."""

    def vintage_of(self, file: str) -> date | None:
        """Return the day of a file, by its name."""

    def map_row(self, row: FileRow, vintage: date | None = None) -> MappedRow:
        """Return the drafts of one row of a file of that day. What is wrong with the row is returned, never raised."""
