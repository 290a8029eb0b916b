"""The interface between a mapping and the import: a row mapper turns each row into drafts of claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Protocol

from app.http.schema_types import Input
from app.imports.mappings.columns import ColumnUsage
from app.imports.quality.anomalies import Anomaly
from app.imports.readers.options import FileOptions, FileRow
from app.vocabulary.slug_records import RecordType

ChangePolicy = Literal["supersede", "fix", "report"]


@dataclass(slots=True)
class ClaimDraft:
    """A claim from a row, not validated yet."""

    name: str
    claim_input: dict[str, Any]
    """The fields of a `ClaimInput`."""
    key: str | None = None
    """The key that identifies the row, or the element of a list in it, in later files of its file series."""
    element: int | None = None
    """The position of its element in a list of the row, from 1."""
    is_element_without_key: bool = False
    """Whether `key` is only that of the row, so that the elements of its list are distinguished by what they state."""
    id: str | None = None
    """The id of the claim, if the file contains it."""
    is_retracted: bool = False
    retracted_on: date | None = None
    stated: Mapping[str, Any] | None = None
    """The fields that a row of the service's own format states and the fingerprint does not contain, by path."""
    register_fields: Mapping[str, str] = field(default_factory=dict)
    """The fields that only the register sets, such as `seq`, as a row of the service's own format states them."""
    revision: int | None = None
    """The revision of the claim, if the file contains it."""
    leading: int | None = None
    """The index of the leading citation, if there are several and the file says which leads."""
    has_unstated_decimal: bool = False
    """Whether the digits of its figure were read without a stated decimal sign, so that nothing confirms them."""
    has_names: bool = False
    """Whether its source, category, subject and place can be names instead of slugs."""
    text_fields: frozenset[str] = frozenset()
    """The fields besides the statement itself that the row gives, wherever it stands in the file."""
    unresolved: set[str] = field(default_factory=set)
    """The locations of the names that are not found, or that several records have."""


@dataclass(slots=True)
class MappedRow:
    """The drafts of one row, with its anomalies and faults, or the reason for which it is skipped."""

    drafts: list[ClaimDraft] = field(default_factory=list)
    relations: list[tuple[int, str, int]] = field(default_factory=list)
    """Index of the draft that has the relation, type, index of the related draft."""
    records: list[tuple[RecordType, str, Input]] = field(default_factory=list)
    """Sources, subjects and places that the row names."""
    anomalies: list[Anomaly] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    skip_reason: str | None = None
    empty_reasons: list[str] = field(default_factory=list)
    """Why claims of the mapping were not made from this row."""


@dataclass(frozen=True, slots=True)
class FileSeriesOptions:
    """The options of a file series: how a changed figure is recorded, and whether every file has all rows."""

    series: str
    on_change: ChangePolicy
    holds_every_row: bool


class RowMapper(Protocol):
    """Turns rows into drafts of claims."""

    name: str
    columns: ColumnUsage | None
    """The columns that it reads and that the files have; None if `check_header` compares them."""
    options: FileOptions
    file_series_options: FileSeriesOptions | None

    @property
    def records(self) -> Sequence[tuple[RecordType, str, Input]]:
        """The sources, categories, subjects and places to be recorded first if they do not exist."""

    def check_header(self, names: Sequence[str]) -> None:
        """Raise `UnreadableValue` if a file without rows has column names that the mapper does not know."""

    def vintage_of(self, file: str) -> date | None:
        """Return the date of a file, from its name."""

    def map_row(self, row: FileRow, vintage: date | None = None) -> MappedRow:
        """Return the drafts of one row of a file with this date. Faults of the row are returned, never raised."""
