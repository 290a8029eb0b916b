"""Cells of spreadsheets: inert, valid in XML, short enough, and exact."""

import io
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from app.http.spreadsheet import (
    DATE_FORMAT,
    MAX_CELL_CHARACTERS,
    TEXT_FORMAT,
    clean_text,
    is_exact_number,
    open_workbook,
    write_cell,
)


def read_back(*values: Any) -> list[Any]:
    """Return what a reader finds in a column with these cells."""
    file = io.BytesIO()
    book = open_workbook(file, "Cells")
    sheet = book.add_worksheet()
    formats = {"text_format": book.add_format({"num_format": TEXT_FORMAT})}
    formats["date_format"] = book.add_format({"num_format": DATE_FORMAT})
    for number, value in enumerate(values):
        write_cell(sheet, number, 0, value, **formats)
    book.close()
    rows = openpyxl.load_workbook(io.BytesIO(file.getvalue())).active.iter_rows(min_row=1, max_row=len(values))
    return [row[0] for row in rows]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", "00123", "1e5", "https://example.org", " a ", "'a"])
def test_a_text_stays_a_text(text: str) -> None:
    [cell] = read_back(text)
    assert (cell.value, cell.data_type, cell.number_format, cell.hyperlink) == (text, "s", "@", None)


def test_numbers_and_days_are_numbers_and_days_where_they_stay_exact() -> None:
    values = [0, 1e-9, 123456789012345, 10**18, date(2024, 12, 1), date(1899, 12, 31), True, None, ""]
    cells = read_back(*values)
    assert [cell.value for cell in cells] == [
        0,
        1e-9,
        123456789012345,
        "1000000000000000000",
        datetime(2024, 12, 1),  # noqa: DTZ001 - a reader gives days as such
        "1899-12-31",
        True,
        None,
        None,
    ]
    assert cells[4].number_format == "yyyy-mm-dd"
    assert not is_exact_number(float("nan"))


def test_what_xml_cannot_contain_is_replaced_and_a_long_text_is_cut() -> None:
    assert clean_text("a\x00b\ud800c\uffffd\te\r\nf") == "a\ufffdb\ufffdc\ufffdd\te\nf"
    assert clean_text("x" * MAX_CELL_CHARACTERS) == "x" * MAX_CELL_CHARACTERS
    cut = clean_text("x" * 100_000)
    assert (len(cut), cut[-12:]) == (MAX_CELL_CHARACTERS, "x… (see url)")
    # A spreadsheet counts an emoji as two characters.
    assert clean_text("\U0001f600" * 20_000) == "\U0001f600" * 16_378 + "… (see url)"
    [cell] = read_back("\U0001f600" * 20_000)
    assert cell.value.endswith("(see url)")
