"""What a spreadsheet (XLSX) can hold, and workbooks of cells: inert text that fits, numbers and days that stay exact.

XlsxWriter is loaded with the first workbook: most processes write none.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import IO, Any, Final

XLSX_MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

MAX_CELL_CHARACTERS: Final = 32_767
"""The longest text of a cell, in UTF-16 code units."""

MAX_SHEET_ROWS: Final = 1_048_576
"""Maximum number of rows of a sheet, with its header."""

MAX_EXACT_NUMBER: Final = 10**15
"""Spreadsheets keep 15 significant digits of a number; larger whole numbers are written as text."""

FIRST_EXACT_DAY: Final = date(1900, 3, 1)
"""Spreadsheets count days from 1900, and Excel has a 29 February in that year: earlier days are written as text."""

SEE_URL: Final = "… (see url)"
"""The end of a text that is longer than a cell."""

DATE_FORMAT: Final = "yyyy-mm-dd"
TEXT_FORMAT: Final = "@"
"""The number formats of cells with days, and of cells in which a spreadsheet changes nothing that is typed."""

_CREATED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The time of creation in every workbook, so that equal contents are equal bytes."""

_INVALID_CHARACTERS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, lone surrogates and other characters that XML cannot contain."""


def clean_text(text: str, more: str = SEE_URL) -> str:
    """Return a text as a cell can hold it.

    Lines end with a line feed, and characters that XML cannot contain become U+FFFD. A text that is longer than a cell
    ends with `more`.
    """
    cleaned = _INVALID_CHARACTERS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(cleaned) * 2 <= MAX_CELL_CHARACTERS or _utf16_length(cleaned) <= MAX_CELL_CHARACTERS:
        return cleaned
    units = cleaned.encode("utf-16-le")[: 2 * (MAX_CELL_CHARACTERS - _utf16_length(more))]
    return units.decode("utf-16-le", "ignore") + more


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def is_exact_number(value: float) -> bool:
    """Return whether a spreadsheet keeps a number as it is."""
    return abs(value) < MAX_EXACT_NUMBER and value == value  # noqa: PLR0124 - not for NaN


def open_workbook(file: IO[bytes], title: str) -> Any:  # noqa: ANN401 - XlsxWriter has no types
    """Return a workbook that is written to `file` when it is closed.

    Rows are written in order, and kept in temporary files meanwhile. No text becomes a formula, a link or a number.
    """
    import xlsxwriter  # noqa: PLC0415 - slow to import

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(file, options)
    book.set_properties({"title": title, "created": _CREATED.replace(tzinfo=None)})
    return book


def write_cell(
    sheet: Any,  # noqa: ANN401 - XlsxWriter has no types
    row: int,
    column: int,
    value: Any,  # noqa: ANN401 - one case for each type of a cell
    *,
    text_format: Any = None,  # noqa: ANN401 - as above
    date_format: Any = None,  # noqa: ANN401 - as above
) -> None:
    """Write a cell: numbers and days as such where a spreadsheet keeps them, anything else as text that stays text."""
    match value:
        case None | "":
            return
        case bool():
            sheet.write_boolean(row, column, value)
        case int() | float() if is_exact_number(value):
            sheet.write_number(row, column, value)
        case datetime():
            sheet.write_string(row, column, value.isoformat(), text_format)
        case date() if value >= FIRST_EXACT_DAY:
            sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), date_format)  # noqa: DTZ001 - a day
        case _:
            sheet.write_string(row, column, clean_text(str(value)), text_format)


def write_row(sheet: Any, row: int, values: Iterable[Any], text_format: Any = None) -> None:  # noqa: ANN401 - as above
    """Write a row of cells from the first column on."""
    for column, value in enumerate(values):
        write_cell(sheet, row, column, value, text_format=text_format)
