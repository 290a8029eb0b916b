"""Workbooks: typed cells, inert texts, and a sheet with the meaning of the columns."""

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import openpyxl
import pytest

from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.http.negotiation import FILE_FORMATS, Format
from app.http.serializers import FileContext, FlatColumn
from app.http.spreadsheet import MAX_CELL_CHARACTERS, MAX_SHEET_ROWS, SEE_URL, XLSX_MEDIA_TYPE
from app.http.xlsx import XLSX, XlsxEncoder, column_letters
from app.http.zip_stream import ZipStream
from tests.examples import (
    assert_problem,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

LISTS = [
    "/v1/claims",
    "/v1/topics/russian-casualties/claims",
    "/v1/topics/russian-casualties/side-by-side",
    "/v1/topics/russian-casualties/timeline",
    "/v1/sources",
    "/v1/topics",
    "/v1/documents",
    "/v1/changes",
]


def open_workbook(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def encode(rows: Sequence[Sequence[Any]], types: Sequence[str]) -> bytes:
    """Return a workbook of these rows."""
    columns = [FlatColumn(f"c{number}", (), type_, "Meaning.") for number, type_ in enumerate(types)]
    encoder = XlsxEncoder(FileContext(columns, "/v1/claims.xlsx", "Register", None))
    return encoder.start() + encoder.encode(rows) + encoder.finish()


def cells(*values: Any, type_: str = "string") -> list[Any]:
    """Return what a program reads from cells with these values."""
    sheet = open_workbook(encode([[value] for value in values], [type_]))["Rows"]
    return [row[0].value for row in sheet.iter_rows(min_row=2, max_row=len(values) + 1)]


@pytest.mark.parametrize("path", LISTS)
def test_a_workbook_has_the_rows_and_columns_of_the_csv_file(shared_starter_register: Register, path: str) -> None:
    answer = shared_starter_register.get(f"{path}.xlsx")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == XLSX_MEDIA_TYPE
    sheet = open_workbook(answer.content)["Rows"]
    header, *rows = shared_starter_register.get(f"{path}.csv").text.split("\r\n")[:-1]
    assert [cell.value for cell in sheet[1]] == header.split(",")
    if path != "/v1/changes":  # quotes in its cells have line breaks
        assert sheet.max_row >= min(len(rows), 1)
    assert sheet.freeze_panes == "A2"


def test_days_times_numbers_and_booleans_have_their_types(shared_starter_register: Register) -> None:
    found = shared_starter_register.get("/v1/claims", params={"shape": "array", "limit": 200, "sort": "date"}).json()
    asked = {"sort": "date", "fields": "date,recorded_at,value,approximate,id,includes"}
    sheet = open_workbook(shared_starter_register.get("/v1/claims.xlsx", params=asked).content)["Rows"]
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    assert len(rows) == len(found)
    for (day, moment, value, approximate, id_, includes), claim in zip(rows, found, strict=True):
        assert (day and day.date().isoformat()) == claim["date"]
        assert moment == datetime.fromisoformat(claim["recorded_at"]).replace(tzinfo=None, microsecond=0)
        assert value == claim["figure"]["value"]
        assert approximate is claim["figure"]["approximate"]
        assert id_ == claim["id"]
        assert (includes or "") == ";".join(claim["includes"])
    assert {row[0].number_format for row in sheet.iter_rows(min_row=2)} <= {"yyyy\\-mm\\-dd", "General"}


def test_the_second_sheet_explains_the_columns_and_names_terms_and_address(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/v1/claims.xlsx", params={"source": "csis"})
    rows = list(open_workbook(answer.content)["Columns"].iter_rows(values_only=True))
    described = {row[0]: row[2] for row in rows[1:]}
    assert {column.name: column.description for column in CLAIM_COLUMNS}.items() <= described.items()
    assert described["terms"] == "none stated"
    assert described["address"] == answer.headers["content-location"]
    assert described["address"].startswith("/v1/claims.xlsx?source=csis&recorded_as_of=seq:")


def test_texts_are_no_formulas_codes_no_numbers_and_long_numbers_texts() -> None:
    texts = ["=1+1", "+1", "-2", "@SUM(A1)", "0012", "1-2", "1e5", "2024-01-01", "TRUE", "a\nb", "  a  "]
    workbook = encode([[text] for text in texts], ["string"])
    sheet = open_workbook(workbook)["Rows"]
    found = [sheet.cell(number, 1) for number in range(2, len(texts) + 2)]
    assert [cell.value for cell in found] == texts
    assert {cell.data_type for cell in found} <= {"s", "inlineStr"}
    assert {cell.number_format for cell in found} == {"@"}
    assert [cell.quotePrefix for cell in found[:5]] == [True] * 4 + [False]
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(workbook)).read("xl/worksheets/sheet1.xml")
    # Excel reads `_x0041_` as a character. Openpyxl does not.
    assert cells("_x0041_") == ["_x005F_x0041_"]
    assert cells(10**12, 999_999_999_999_999_000, 12_345_678_901_234_567_890, 1e-9, 0.1, 5e17, type_="number") == [
        10**12,
        999_999_999_999_999_000,
        "12345678901234567890",
        1e-9,
        0.1,
        500_000_000_000_000_000,
    ]
    assert cells(math.pi, type_="number") == [repr(math.pi)]


def test_days_that_spreadsheets_count_differently_are_texts() -> None:
    assert cells("1900-02-28", "1900-03-01", date(2024, 2, 29), type_="date") == [
        "1900-02-28",
        datetime(1900, 3, 1),  # noqa: DTZ001 - cells have no time zone
        datetime(2024, 2, 29),  # noqa: DTZ001
    ]
    assert cells("2026-11-20T10:00:01.5Z", datetime(1899, 1, 1, tzinfo=UTC), type_="datetime") == [
        datetime(2026, 11, 20, 10, 0, 1),  # noqa: DTZ001
        "1899-01-01T00:00:00Z",
    ]


def test_long_texts_end_with_a_mark_and_odd_characters_leave_the_file_valid() -> None:
    exact, longer, wide = "a" * MAX_CELL_CHARACTERS, "a" * 100_000, "😀" * 20_000
    found = cells(exact, longer, wide, "a\x00b\x1fc\ud800d\ufffee\r\n", "<&>")
    assert found[0] == exact
    for text in found[1:3]:
        assert text.endswith(SEE_URL)
        assert MAX_CELL_CHARACTERS - 1 <= len(text.encode("utf-16-le")) // 2 <= MAX_CELL_CHARACTERS
    assert "\ud800" not in found[3]
    assert found[3].startswith("a")
    assert found[4] == "<&>"


def test_nothing_found_is_a_valid_workbook_with_a_header(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/v1/claims.xlsx", params={"q": "nothing has this word"})
    sheet = open_workbook(answer.content)["Rows"]
    assert sheet.max_row == 1
    assert [cell.value for cell in sheet[1]] == [column.name for column in CLAIM_COLUMNS]


def test_the_bytes_of_a_state_are_the_same_again(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body(figure=make_figure_body("=5", value=5, wording_differs="A formula.")))
    answer = register.get("/v1/claims.xlsx")
    again = register.get(answer.headers["content-location"])
    assert again.content == answer.content
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None


def test_more_rows_than_a_sheet_holds_are_refused(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    assert XLSX.max_rows == MAX_SHEET_ROWS - 1 == 2**20 - 1
    record_example_vocabulary(register)
    for _ in range(4):
        submit_claim(register, make_unique_claim_body())
    monkeypatch.setattr("app.http.lists.MAX_LIMIT", 2)
    small = replace(FILE_FORMATS[Format.xlsx], max_rows=3)
    monkeypatch.setitem(FILE_FORMATS, Format.xlsx, small)
    problem = assert_problem(register.get("/v1/claims.xlsx"), 422, "too_many_rows")
    assert problem["detail"] == "The list has 4 rows, and a sheet holds 3."
    assert problem["hint"] == "ask for .csv or .parquet, or add a filter"
    monkeypatch.setitem(FILE_FORMATS, Format.xlsx, replace(small, max_rows=4))
    assert open_workbook(register.get("/v1/claims.xlsx").content)["Rows"].max_row == 5


def test_columns_are_named_as_in_spreadsheets() -> None:
    assert [column_letters(number) for number in (1, 26, 27, 52, 703)] == ["A", "Z", "AA", "AZ", "AAA"]


@pytest.mark.parametrize("zip64", [False, True])
def test_an_archive_is_read_by_other_programs(*, zip64: bool) -> None:
    stream = ZipStream(zip64=zip64)
    parts = [stream.add("a.txt", b"one"), stream.begin("dir/ü.txt"), stream.write(b"two" * 10_000), stream.end()]
    with zipfile.ZipFile(io.BytesIO(b"".join([*parts, stream.finish()]))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.txt", "dir/ü.txt"]
        assert archive.read("dir/ü.txt") == b"two" * 10_000
