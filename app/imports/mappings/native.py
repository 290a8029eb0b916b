"""Maps the service's own export files: claims files (CSV), and NDJSON with one claim per line."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any

from app.claims.schemas import (
    AssessmentInput,
    Citation,
    CitationInput,
    CitedDocument,
    Claim,
    ClaimInput,
    Confidence,
    Figure,
    FigureInput,
    Period,
    PeriodInput,
)
from app.claims.serialization.csv_columns import CSV_COLUMN_PATHS
from app.comparison.figure import normalize_number
from app.comparison.period import InvalidPeriod, parse_date
from app.comparison.written_dates import UnreadableDate, read_written_date, read_written_period
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import shorten, suggest_nearest
from app.http.schema_types import Input, Output
from app.http.serializers import FORMULA_PREFIXES
from app.imports.mappings.columns import ColumnUsage
from app.imports.mappings.differences import register_fields_of, stated_in_cells, stated_in_json
from app.imports.mappings.fields import UnreadableValue
from app.imports.mappings.figures import parse_number
from app.imports.pipeline.row_mapping import ClaimDraft, FileSeriesOptions, MappedRow
from app.imports.readers.options import FileOptions, FileRow, is_blank
from app.sources.schemas import DocumentSummary
from app.vocabulary.slug_records import RecordType

REFUSED_COLUMNS = ("import_line", "import_reason")
"""The additional columns of a file of refused rows."""

SKIP_COLUMN = "skip"
"""The additional column of a sheet: a row with any text in it is not imported."""

REFUSED_FIELD = "_refused"
"""The additional field in NDJSON."""

TEXT_COLUMNS = (
    "category",
    "subject",
    "place",
    "proposition",
    "modality",
    "derivation",
    "date",
    "date_edtf",
    "said_at",
    "source",
    "note",
)
NUMBER_COLUMNS = ("value", "lower", "upper", "coverage", "out_of")
FLAG_COLUMNS = ("lower_inclusive", "upper_inclusive", "approximate")
FIGURE_TEXT_COLUMNS = ("as_printed", "kind", "unit", "relative_to", "language", "wording_differs")
PERIOD_COLUMNS = {"edtf": "period", "aggregation": "aggregation", "per": "per"}
DOCUMENT_COLUMNS = {
    "title": "document_title",
    "url": "document_url",
    "publisher": "publisher",
    "archive_url": "archive_url",
    "published_on": "document_published_on",
    "terms": "document_terms",
    "content_sha256": "document_sha256",
}
DAY_COLUMNS = ("date", "document_published_on", "withdrawn_on", "retracted_on")
"""Columns with a day, which can be written in words."""

ENUMERATION_COLUMNS = ("proposition", "modality", "derivation", "aggregation", "per", "fidelity")
"""Columns with a value of an enumeration, whose letter case does not count."""

CITATION_COLUMNS = ("quote", "fidelity", "gap", "withdrawn_on")
REQUIRED_COLUMNS = ("category", "subject", "place", "modality", "as_printed", "period", "aggregation", "source")
READ_ONLY_FIELDS = set(Claim.model_fields) | {REFUSED_FIELD}
RESPONSE_MODELS: Mapping[str, type[Output]] = {"figure": Figure, "period": Period, "confidence": Confidence}
"""The nested objects of a recorded claim. Their fields that a new claim lacks follow from others."""

NESTED_FIELDS = ("figure", "citations")
"""Fields that identify a claim in JSON: a claims file has no such columns."""

SPREADSHEET_ERRORS = frozenset({"#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!"})
"""What a spreadsheet shows, and saves, in place of the result of a formula that it cannot compute."""

MAX_REVISION_DIGITS = 10

BOOLEAN_OF_TEXT = {"true": True, "false": False}


class NativeRowMapper:
    """Maps rows of the service's own files. Rows are matched by the id of the claim and by their content."""

    name = "native"
    options = FileOptions()
    file_series_options: FileSeriesOptions | None = None
    columns: ColumnUsage | None = None
    records: Sequence[tuple[RecordType, str, Input]] = ()

    def __init__(self) -> None:
        self._header: tuple[str, ...] = ()

    def check_header(self, names: Sequence[str]) -> None:
        """Raise `UnreadableValue` for column names that a claims file does not have."""
        _check_header(tuple(names))

    def vintage_of(self, file: str) -> date | None:  # noqa: ARG002 - other mappers use it
        """Return None: an export file has no date, only its claims have."""
        return None

    def map_row(self, row: FileRow, vintage: date | None = None) -> MappedRow:  # noqa: ARG002 - other mappers use it
        """Return the draft of the claim of a row: a claim in JSON, or a row of a claims file."""
        try:
            nested = any(name in row.data for name in NESTED_FIELDS)
            if not nested and not is_blank(row.data.get(SKIP_COLUMN)):
                return MappedRow(skip_reason=f"marked in the column `{SKIP_COLUMN}`")
            return MappedRow(drafts=[_draft_from_json(row.data) if nested else self._draft_from_cells(row.data)])
        except UnreadableValue as error:
            return MappedRow(faults=[f"{error} ({error.hint})" if error.hint else str(error)])

    def _draft_from_cells(self, data: Mapping[str, Any]) -> ClaimDraft:
        header = tuple(data)
        if header != self._header:
            _check_header(header)
            self._header = header
        cells = {
            name: _strip_formula_guard(text)
            for name, cell in data.items()
            if cell != "" and (text := _cell_text(name, cell)) != ""
        }
        _read_words(cells)
        status = cells.get("status")
        _check_status(status)
        figure: dict[str, Any] = {name: cells[name] for name in FIGURE_TEXT_COLUMNS if name in cells}
        figure |= {name: parse_number(cells[name]) for name in NUMBER_COLUMNS if name in cells}
        figure |= {name: _parse_boolean(name, cells[name]) for name in FLAG_COLUMNS if name in cells}
        document = {name: cells[column] for name, column in DOCUMENT_COLUMNS.items() if column in cells}
        raw_fields: dict[str, Any] = {name: cells[name] for name in TEXT_COLUMNS if name in cells}
        raw_fields["figure"] = figure
        raw_fields["period"] = {name: cells.get(column) for name, column in PERIOD_COLUMNS.items()}
        raw_fields["citations"] = [
            {"document": document, **{name: cells[name] for name in CITATION_COLUMNS if name in cells}}
        ]
        for name in ("includes", "excludes"):
            if name in cells:
                raw_fields[name] = [slug.strip() for slug in cells[name].split(";")]
        return ClaimDraft(
            "",
            raw_fields,
            id=_check_id(cells.get("id")),
            is_retracted=status == "retracted",
            retracted_on=_read_retraction(cells.get("retracted_on"), status),
            stated=stated_in_cells(cells, data),
            register_fields=register_fields_of(cells),
            revision=_read_revision(cells.get("revision")),
            has_names=True,
        )


def _read_words(cells: dict[str, str]) -> None:
    """Replace days and periods in words by EDTF, and enumerations by their values. Raises `UnreadableValue`."""
    for name in DAY_COLUMNS:
        if name in cells:
            cells[name] = _read_date(name, cells[name], read_written_date)
    for name in ("period", "date_edtf"):
        if name in cells:
            cells[name] = _read_date(name, cells[name], read_written_period)
    if "date_edtf" not in cells and "date" in cells and _is_less_than_a_day(cells["date"]):
        cells["date_edtf"] = cells.pop("date")
    for name in ENUMERATION_COLUMNS:
        if name in cells:
            cells[name] = cells[name].strip().casefold()


def _read_date(name: str, cell: str, read: Callable[[str], str]) -> str:
    try:
        return read(cell)
    except UnreadableDate as error:
        raise UnreadableValue(f"`{name}` is `{shorten(cell)}`: {error.detail}.", error.hint) from None


def _is_less_than_a_day(edtf: str) -> bool:
    """Return whether a date is a month or a year only."""
    try:
        return parse_date(edtf).precision != "day"
    except InvalidPeriod:
        return False


def _cell_text(name: str, cell: Any) -> str:  # noqa: ANN401 - a sheet has numbers, dates and empty cells
    """Convert a cell to the text that a CSV file would have."""
    if isinstance(cell, str):
        if cell in SPREADSHEET_ERRORS:
            detail = f"`{name}` is `{cell}`, the error of a formula."
            raise UnreadableValue(detail, "write what the formula was to show")
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return str(normalize_number(cell))
    raise UnreadableValue(
        f"`{name}` contains a list or an object.", "write it as text, or import the claim as nested JSON"
    )


def _check_header(header: tuple[str, ...]) -> None:
    known = {*CSV_COLUMN_PATHS, *REFUSED_COLUMNS, SKIP_COLUMN}
    for name in header:
        if name not in known:
            raise UnreadableValue(
                f"There is no column `{name}` in a claims file.", suggest_nearest(name, known) or "give a mapping"
            )
    if missing := [name for name in REQUIRED_COLUMNS if name not in header]:
        raise UnreadableValue(f"A claims file needs the column `{missing[0]}`.", "docs/imports.md lists them")


def _strip_formula_guard(cell: str) -> str:
    """Remove the apostrophe that escapes a formula."""
    return cell[1:] if cell[0] == "'" and cell[1:2] in FORMULA_PREFIXES else cell


def _check_status(status: object) -> None:
    if status == Status.removed:
        raise UnreadableValue("This claim was taken down; there is nothing to import.")
    if status not in (None, Status.asserted, Status.retracted):
        raise UnreadableValue(f"`status` is `{status}`.", "expected asserted or retracted")


def _read_revision(value: object) -> int | None:
    """Return the revision that a row states; None if it states none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < MAX_REVISION_DIGITS else None


def _parse_boolean(name: str, cell: str) -> bool:
    flag = BOOLEAN_OF_TEXT.get(cell.lower())
    if flag is None:
        raise UnreadableValue(f"`{name}` is `{cell}`.", "expected true or false")
    return flag


def _check_id(value: Any) -> str | None:  # noqa: ANN401 - any value of a file
    if value is None:
        return None
    if not isinstance(value, str) or not ID_PATTERN.fullmatch(value):
        raise UnreadableValue(f"`{value}` is not the id of a claim.", "leave it out for a new claim")
    return value


def _draft_from_json(data: Mapping[str, Any]) -> ClaimDraft:
    """Return the draft of a claim from `/v1/claims.ndjson`, or with the fields of a new claim only."""
    for name in data:
        if name not in READ_ONLY_FIELDS and name not in ClaimInput.model_fields:
            raise UnreadableValue(
                f"There is no field `{name}` in a claim.", suggest_nearest(name, ClaimInput.model_fields)
            )
    status = data.get("status", "asserted")
    _check_status(status)
    raw_fields = {name: value for name, value in data.items() if name in ClaimInput.model_fields and value is not None}
    for name, model in (("figure", FigureInput), ("period", PeriodInput), ("confidence", AssessmentInput)):
        if isinstance(raw_fields.get(name), dict):
            fields = model.model_fields
            _check_fields(name, raw_fields[name], fields, RESPONSE_MODELS[name].model_fields)
            raw_fields[name] = {field: value for field, value in raw_fields[name].items() if field in fields}
    leading = None
    if isinstance(raw_fields.get("citations"), list):
        leading = _find_leading(raw_fields["citations"])
        raw_fields["citations"] = [_citation_input(citation) for citation in raw_fields["citations"]]
    return ClaimDraft(
        "",
        raw_fields,
        id=_check_id(data.get("id")),
        is_retracted=status == "retracted",
        retracted_on=_read_retraction(data.get("retracted_on"), status),
        stated=stated_in_json(data),
        register_fields=register_fields_of(data),
        revision=_read_revision(data.get("revision")),
        leading=leading,
    )


def _check_fields(owner: str, data: Mapping[str, Any], given: Collection[str], served: Collection[str]) -> None:
    """Raise `UnreadableValue` for a field that neither a new claim nor a recorded one has."""
    for name in data:
        if name not in given and name not in served:
            raise UnreadableValue(
                f"There is no field `{owner}.{name}` in a claim.", suggest_nearest(name, sorted(given))
            )


def _read_retraction(value: Any, status: object) -> date | None:  # noqa: ANN401 - any value of a file
    """Return the day of the retraction. Raises `UnreadableValue` for one of a claim that is not retracted."""
    if value is None:
        return None
    if status != Status.retracted:
        raise UnreadableValue("`retracted_on` is given, but the claim is not retracted.", "set `status` to retracted")
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UnreadableValue(f"`retracted_on` is `{value}`.", "expected a day like 2025-07-01") from None


def _find_leading(citations: Sequence[Any]) -> int | None:
    """Return the index of the citation that leads, if there are several and one says so."""
    leading = [
        i for i, citation in enumerate(citations) if isinstance(citation, dict) and citation.get("leading") is True
    ]
    return leading[0] if len(leading) == 1 and len(citations) > 1 else None


def _citation_input(citation: Any) -> Any:  # noqa: ANN401 - any value of a file
    if not isinstance(citation, dict):
        return citation
    _check_fields("citations", citation, CitationInput.model_fields, Citation.model_fields)
    fields = {name: value for name, value in citation.items() if name in CitationInput.model_fields}
    if isinstance(fields.get("document"), dict):
        _check_fields(
            "citations.document", fields["document"], CitedDocument.model_fields, DocumentSummary.model_fields
        )
        fields["document"] = {name: v for name, v in fields["document"].items() if name in CitedDocument.model_fields}
    return fields
