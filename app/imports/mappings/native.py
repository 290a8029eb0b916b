"""The register's own shape, read back: a claims file (CSV) or a claim a line (NDJSON), as the service exports them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from app.claims.schemas import AssessmentInput, CitationInput, CitedDocument, Claim, ClaimInput, FigureInput
from app.claims.serialization.csv_columns import CSV_COLUMN_PATHS
from app.comparison.figure import normalize_number
from app.database.types import ID_PATTERN
from app.errors import suggest_nearest
from app.http.schema_types import Input
from app.imports.mappings.fields import Unread
from app.imports.mappings.figures import number
from app.imports.pipeline.row_mapping import Draft, Drafted, Vintages
from app.imports.readers.reader import FileOptions, Row
from app.vocabulary.slug_records import RecordType

GUARDED = ("=", "+", "-", "@", "\t", "\r")
REFUSED_COLUMNS = ("import_line", "import_reason")
"""What a file of refused rows has beside its own columns."""

REFUSED_FIELD = "_refused"
"""The same in a line of NDJSON."""

FLAT = ("category", "subject", "place", "proposition", "modality", "derivation", "date", "date_edtf", "source", "note")
NUMBERS = ("value", "lower", "upper", "coverage", "out_of")
FLAGS = ("lower_inclusive", "upper_inclusive", "approximate")
WORDS = ("as_printed", "kind", "unit", "relative_to")
DOCUMENT = {
    "title": "document_title",
    "url": "document_url",
    "publisher": "publisher",
    "archive_url": "archive_url",
}
CITED = ("quote", "fidelity", "gap")
NEEDED = ("category", "subject", "place", "modality", "as_printed", "period", "aggregation", "source")
MADE_HERE = set(Claim.model_fields) | {REFUSED_FIELD}
NESTED = ("figure", "citations")
"""Fields of a claim in JSON that a claims file has no columns for."""

TRUTH = {"true": True, "false": False}


class NativePlan:
    """The plan of the register's own files. Rows are known again by their claim's id and by what they say."""

    name = "native"
    options = FileOptions()
    vintages: Vintages | None = None
    records: Sequence[tuple[RecordType, str, Input]] = ()

    def __init__(self) -> None:
        self._header: tuple[str, ...] = ()

    def vintage(self, file: str) -> date | None:  # noqa: ARG002 - other plans look at it
        """A file of the register has no day of its own: its claims have."""
        return None

    def draft(self, row: Row, vintage: date | None = None) -> Drafted:  # noqa: ARG002 - other plans look at it
        """The draft of the one claim of a row: a claim as JSON has it, or a line of a claims file."""
        try:
            nested = any(name in row.data for name in NESTED)
            return Drafted(drafts=[_nested(row.data) if nested else self._flat(row.data)])
        except Unread as wrong:
            return Drafted(faults=[f"{wrong} ({wrong.hint})" if wrong.hint else str(wrong)])

    def _flat(self, data: Mapping[str, Any]) -> Draft:
        header = tuple(data)
        if header != self._header:
            _check_header(header)
            self._header = header
        cells = {name: _unguarded(text) for name, cell in data.items() if (text := _cell(name, cell)) != ""}
        status = cells.get("status")
        _refuse_removed(status)
        figure: dict[str, Any] = {name: cells[name] for name in WORDS if name in cells}
        figure |= {name: number(cells[name]) for name in NUMBERS if name in cells}
        figure |= {name: _truth(name, cells[name]) for name in FLAGS if name in cells}
        document = {name: cells[column] for name, column in DOCUMENT.items() if column in cells}
        given: dict[str, Any] = {name: cells[name] for name in FLAT if name in cells}
        given["figure"] = figure
        given["period"] = {"edtf": cells.get("period"), "aggregation": cells.get("aggregation")}
        given["citations"] = [{"document": document, **{name: cells[name] for name in CITED if name in cells}}]
        for name in ("includes", "excludes"):
            if name in cells:
                given[name] = cells[name].split(";")
        return Draft("", given, id=_id(cells.get("id")), retracted=status == "retracted")


def _cell(name: str, cell: Any) -> str:  # noqa: ANN401 - a sheet has numbers, dates and empty cells
    """A cell as a CSV file would have it."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return str(normalize_number(cell))
    raise Unread(f"`{name}` holds a list or an object.", "give it as text, or the whole claim as JSON has it")


def _check_header(header: tuple[str, ...]) -> None:
    known = {*CSV_COLUMN_PATHS, *REFUSED_COLUMNS}
    for name in header:
        if name not in known:
            raise Unread(
                f"There is no column `{name}` in a claims file.", suggest_nearest(name, known) or "give a mapping"
            )
    if missing := [name for name in NEEDED if name not in header]:
        raise Unread(f"A claims file needs the column `{missing[0]}`.", "docs/imports.md lists them")


def _unguarded(cell: str) -> str:
    """A cell without the mark that keeps a spreadsheet from running it as a formula."""
    return cell[1:] if cell[0] == "'" and cell[1:2] in GUARDED else cell


def _refuse_removed(status: object) -> None:
    if status == "removed":
        raise Unread("This claim was taken down; there is nothing to import.")


def _truth(name: str, cell: str) -> bool:
    found = TRUTH.get(cell.lower())
    if found is None:
        raise Unread(f"`{name}` is `{cell}`.", "expected true or false")
    return found


def _id(value: Any) -> str | None:  # noqa: ANN401 - whatever the file holds
    if value is None:
        return None
    if not isinstance(value, str) or not ID_PATTERN.fullmatch(value):
        raise Unread(f"`{value}` is no id of a claim.", "leave it out for a new claim")
    return value


def _nested(data: Mapping[str, Any]) -> Draft:
    """A claim as `/v1/claims.ndjson` serves it, or with no more than the fields of a new one."""
    for name in data:
        if name not in MADE_HERE and name not in ClaimInput.model_fields:
            raise Unread(f"There is no field `{name}` in a claim.", suggest_nearest(name, ClaimInput.model_fields))
    status = data.get("status", "asserted")
    _refuse_removed(status)
    given = {name: value for name, value in data.items() if name in ClaimInput.model_fields and value is not None}
    for name, model in (("figure", FigureInput), ("period", None), ("confidence", AssessmentInput)):
        if isinstance(given.get(name), dict):
            fields = model.model_fields if model else ("edtf", "aggregation")
            given[name] = {field: value for field, value in given[name].items() if field in fields}
    if isinstance(given.get("citations"), list):
        given["citations"] = [_citation(each) for each in given["citations"]]
    retracted_on = data.get("retracted_on")
    try:
        day = date.fromisoformat(retracted_on) if retracted_on is not None and status == "retracted" else None
    except (TypeError, ValueError):
        raise Unread(f"`retracted_on` is `{retracted_on}`.", "expected a day like 2025-07-01") from None
    return Draft("", given, id=_id(data.get("id")), retracted=status == "retracted", retracted_on=day)


def _citation(given: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    if not isinstance(given, dict):
        return given
    kept = {name: value for name, value in given.items() if name in CitationInput.model_fields}
    if isinstance(kept.get("document"), dict):
        kept["document"] = {name: v for name, v in kept["document"].items() if name in CitedDocument.model_fields}
    return kept
