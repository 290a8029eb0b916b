"""Writes the sheet to fill in, and sheets of refused rows, as XLSX: with explanations and lists to choose from."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import IO, Any, Final

from app.http.spreadsheet import (
    DATE_FORMAT,
    MAX_SHEET_ROWS,
    TEXT_FORMAT,
    clean_text,
    open_workbook,
    write_cell,
    write_row,
)
from app.imports.mappings.native import REFUSED_COLUMNS, REFUSED_FIELD, SKIP_COLUMN
from app.imports.readers.options import FileRow
from app.imports.sheet import (
    EXPLANATION,
    SHEET_COLUMNS,
    Choice,
    SheetColumn,
    SheetContent,
    as_cell,
    as_cells,
    list_name,
)

CLAIMS_SHEET, REPORT_SHEET, COLUMNS_SHEET, LISTS_SHEET = "Claims", "Report", "Columns", "Lists"
MAX_REFUSED_ROWS: Final = 100_000
"""Maximum number of refused rows of a workbook."""

EXPLANATION_HEIGHT: Final = 110
MAX_MESSAGE_CHARACTERS, MAX_TITLE_CHARACTERS = 255, 32
"""Limits of the messages that a spreadsheet shows beside a cell."""

HOW_TO: Final = (
    "One row of the sheet Claims is one figure of one source. Fill in rows below the examples, and save the file.",
    "counterclaim import sheet.xlsx records it; so does POST /v1/imports with the file as its body.",
    "Nothing is recorded while a row is refused. Rows with anything in the column skip are left out, as the examples.",
    "Names are those of recorded sources, categories, subjects and places: the lists have them. Slugs work, too.",
)

RefusedRows = Iterable[tuple[FileRow, list[str]]]


class _Formats:
    """The formats of the cells of a workbook."""

    def __init__(self, book: Any) -> None:  # noqa: ANN401 - XlsxWriter has no types
        self.text = book.add_format({"num_format": TEXT_FORMAT, "valign": "top"})
        self.day = book.add_format({"num_format": DATE_FORMAT, "valign": "top"})
        self.head = book.add_format({"bold": True, "bg_color": "#DDE6EE", "num_format": TEXT_FORMAT})
        self.needed = book.add_format({"bold": True, "bg_color": "#F3D9B1", "num_format": TEXT_FORMAT})
        self.explanation = book.add_format(
            {"italic": True, "font_color": "#555555", "text_wrap": True, "valign": "top", "num_format": TEXT_FORMAT}
        )
        self.reason = book.add_format(
            {"font_color": "#9C0006", "text_wrap": True, "valign": "top", "num_format": TEXT_FORMAT}
        )


def write_template(file: IO[bytes], title: str, content: SheetContent) -> None:
    """Write the sheet to fill in: its columns, a row that explains them, two examples, and lists to choose from."""
    book = open_workbook(file, f"{title}: claims")
    formats = _Formats(book)
    sheet = book.add_worksheet(CLAIMS_SHEET)
    _write_head(sheet, formats, SHEET_COLUMNS)
    explanations = {column.name: column.explanation for column in SHEET_COLUMNS} | {SKIP_COLUMN: EXPLANATION}
    sheet.set_row(1, EXPLANATION_HEIGHT)
    write_row(sheet, 1, [explanations[column.name] for column in SHEET_COLUMNS], formats.explanation)
    for number, cells in enumerate(as_cells(content.examples, SHEET_COLUMNS), 2):
        _write_cells(sheet, number, cells, formats)
    sheet.freeze_panes(2, 2)
    _add_validations(sheet, SHEET_COLUMNS, content.lists, 2)
    _write_columns_sheet(book, formats, SHEET_COLUMNS)
    _write_lists_sheet(book, formats, content.lists)
    book.close()


def write_refused_rows(
    file: IO[bytes],
    title: str,
    rows: RefusedRows,
    lists: Mapping[str, Sequence[Choice]],
    report: Iterable[Sequence[Any]],
) -> None:
    """Write the refused rows of an import as a sheet that can be corrected and imported, with the reasons.

    Columns that the sheet to fill in has keep their lists. Files with other columns share one sheet.
    """
    book = open_workbook(file, f"{title}: refused rows")
    formats = _Formats(book)
    sheet = book.add_worksheet(CLAIMS_SHEET)
    known = {column.name: column for column in SHEET_COLUMNS}
    columns: list[SheetColumn] = []
    for number, (row, reasons) in enumerate(islice(rows, min(MAX_REFUSED_ROWS, MAX_SHEET_ROWS - 1)), 1):
        data = {name: value for name, value in row.data.items() if name not in (*REFUSED_COLUMNS, REFUSED_FIELD)}
        if not columns:
            columns = [known.get(name) or SheetColumn(name, "") for name in data]
            _write_head(sheet, formats, [*_REASON_COLUMNS, *columns])
        elif names := data.keys() - {column.name for column in columns}:
            reasons.append(f"This sheet has no column for {', '.join(sorted(names))}.")
        write_cell(sheet, number, 0, "\n".join(reasons), text_format=formats.reason)
        write_cell(sheet, number, 1, f"{row.file}:{row.line}", text_format=formats.text)
        cells = [as_cell(data.get(column.name), is_date=column.is_date) for column in columns]
        _write_cells(sheet, number, cells, formats, len(_REASON_COLUMNS))
    if not columns:
        _write_head(sheet, formats, [*_REASON_COLUMNS, *SHEET_COLUMNS])
    sheet.freeze_panes(1, 1)
    _add_validations(sheet, [*_REASON_COLUMNS, *columns], lists, 1)
    _write_report_sheet(book, formats, report)
    _write_columns_sheet(book, formats, [*_REASON_COLUMNS, *(columns or SHEET_COLUMNS)])
    _write_lists_sheet(book, formats, lists)
    book.close()


_REASON_COLUMNS: Final = (
    SheetColumn(REFUSED_COLUMNS[1], "Why the row was refused. An import ignores this column.", width=60),
    SheetColumn(REFUSED_COLUMNS[0], "Where the row was: file and line. An import ignores this column.", width=20),
)


def _write_head(sheet: Any, formats: _Formats, columns: Sequence[SheetColumn]) -> None:  # noqa: ANN401 - XlsxWriter has no types
    for number, column in enumerate(columns):
        sheet.set_column(number, number, column.width, formats.day if column.is_date else formats.text)
        sheet.write_string(0, number, clean_text(column.name), formats.needed if column.is_needed else formats.head)


def _write_cells(
    sheet: Any,  # noqa: ANN401 - XlsxWriter has no types
    row: int,
    cells: Iterable[Any],
    formats: _Formats,
    first_column: int = 0,
) -> None:
    for number, value in enumerate(cells, first_column):
        text = value if not isinstance(value, list | dict) else str(value)
        write_cell(sheet, row, number, text, text_format=formats.text, date_format=formats.day)


def _add_validations(
    sheet: Any,  # noqa: ANN401 - XlsxWriter has no types
    columns: Sequence[SheetColumn],
    lists: Mapping[str, Sequence[Choice]],
    first_row: int,
) -> None:
    """Let a spreadsheet explain each column, and offer the entries of its list."""
    positions = {name: number for number, name in enumerate(lists)}
    for number, column in enumerate(columns):
        if not column.explanation:
            continue
        options = {
            "validate": "any",
            "input_title": column.name[:MAX_TITLE_CHARACTERS],
            "input_message": column.explanation[:MAX_MESSAGE_CHARACTERS],
        }
        name = "" if column.choices is None else list_name(column.choices)
        if entries := lists.get(name):
            letter = _column_letter(2 * positions[name])
            options |= {
                "validate": "list",
                "source": f"={LISTS_SHEET}!${letter}$2:${letter}${len(entries) + 1}",
                # A slug is no entry of the list, and a large register has more names than the list.
                "error_type": "warning" if isinstance(column.choices, str) else "stop",
                "error_title": "Not in the list",
                "error_message": "Choose an entry of the list, or write the slug of a recorded one.",
            }
        sheet.data_validation(first_row, number, MAX_SHEET_ROWS - 1, number, options)


def _column_letter(number: int) -> str:
    """Return the letters of a column, counted from 0."""
    letters = ""
    while number >= 0:
        letters, number = chr(ord("A") + number % 26) + letters, number // 26 - 1
    return letters


def _write_report_sheet(book: Any, formats: _Formats, report: Iterable[Sequence[Any]]) -> None:  # noqa: ANN401 - as above
    sheet = book.add_worksheet(REPORT_SHEET)
    for number, width in enumerate((22, 40, 90)):
        sheet.set_column(number, number, width, formats.text)
    write_row(sheet, 0, ("result", "number", "meaning"), formats.head)
    for number, line in enumerate(report, 1):
        _write_cells(sheet, number, line, formats)


def _write_columns_sheet(book: Any, formats: _Formats, columns: Sequence[SheetColumn]) -> None:  # noqa: ANN401 - as above
    sheet = book.add_worksheet(COLUMNS_SHEET)
    for number, width in enumerate((24, 10, 110)):
        sheet.set_column(number, number, width, formats.text)
    write_row(sheet, 0, ("column", "needed", "what to write"), formats.head)
    row = 0
    for row, column in enumerate(columns, 1):
        _write_cells(sheet, row, (column.name, "yes" if column.is_needed else "", column.explanation), formats)
    for number, line in enumerate(HOW_TO, row + 2):
        write_cell(sheet, number, 0, line, text_format=formats.text)


def _write_lists_sheet(book: Any, formats: _Formats, lists: Mapping[str, Sequence[Choice]]) -> None:  # noqa: ANN401 - as above
    """Write two columns a list, row by row: what is chosen, and its slug or definition."""
    sheet = book.add_worksheet(LISTS_SHEET)
    sheet.set_column(0, 2 * len(lists), 26, formats.text)
    write_row(sheet, 0, [head for name in lists for head in (name, f"{name}: meaning")], formats.head)
    for number in range(max(map(len, lists.values()), default=0)):
        cells = [
            cell for entries in lists.values() for cell in (entries[number] if number < len(entries) else (None, None))
        ]
        _write_cells(sheet, number + 1, cells, formats)
