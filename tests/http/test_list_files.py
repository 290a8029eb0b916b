"""Files of every list: ranges of one state that never changes, conditions, no rows, and odd contents."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from app.http.list_columns import LIST_COLUMNS, ListName
from app.http.negotiation import FILE_FORMATS, Format
from app.http.openapi import EXAMPLES_DIRECTORY
from app.http.serializers import FORMULA_PREFIXES, FileContext, FlatColumn
from tests.contract.examples import EXAMPLE_CLAIM_ID
from tests.examples import submit_claim
from tests.registers import Register

LISTS = [
    "/v1/claims",
    "/v1/topics/russian-casualties/claims",
    "/v1/topics/russian-casualties/side-by-side",
    "/v1/topics/russian-casualties/timeline",
    "/v1/claims/counts",
    "/v1/topics",
    "/v1/sources",
    "/v1/documents",
    "/v1/changes",
    "/v1/categories",
    "/v1/subjects",
    "/v1/places",
    "/v1/vocabulary",
    "/v1/columns",
    f"/v1/claims/{EXAMPLE_CLAIM_ID}/revisions",
    f"/v1/claims/{EXAMPLE_CLAIM_ID}/relations",
    f"/v1/claims/{EXAMPLE_CLAIM_ID}/assessments",
]
NEW_CLAIM = json.loads((EXAMPLES_DIRECTORY / "bodies.json").read_bytes())["ClaimInput"]
SUFFIXES = ["csv", "ndjson", "xlsx", "parquet"]


@pytest.mark.parametrize("path", LISTS)
def test_the_file_of_a_state_never_changes_in_any_format(starter_register: Register, path: str) -> None:
    register = starter_register
    identity = {"Accept-Encoding": "identity"}  # a compressed file has an ETag of its own
    query = "by=source" if path.endswith("/counts") else ""
    held: dict[str, tuple[str, str, bytes]] = {}
    for suffix in SUFFIXES:
        plain = register.get(f"{path}.{suffix}?{query}", headers=identity)
        assert plain.status_code == 200, plain.text
        fixed = plain.headers["content-location"]
        assert "recorded_as_of=seq:" in fixed
        answer = register.get(fixed, headers=identity)
        assert answer.content == plain.content
        held[suffix] = (fixed, answer.headers["etag"], answer.content)
        size = len(plain.content)
        for asked in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=5-2", "bytes=x-y"):
            broken = register.get(fixed, headers={"Range": asked})
            assert (broken.status_code, broken.headers["content-range"]) == (416, f"bytes */{size}"), asked
    submit_claim(register, NEW_CLAIM)
    for suffix, (fixed, tag, content) in held.items():
        part = register.get(fixed, headers={"Range": "bytes=1-9", "If-Range": tag})
        assert (part.status_code, part.content) == (206, content[1:10])
        assert register.get(fixed).content == content
        now = register.get(f"{path}.{suffix}?{query}", headers=identity)
        changed = now.headers["etag"] != tag
        mixed = register.get(f"{path}.{suffix}?{query}", headers={"Range": "bytes=1-9", "If-Range": tag})
        if changed:  # else the list is the same
            assert (mixed.status_code, mixed.content) == (200, now.content)
            refused = register.get(f"{path}.{suffix}?{query}", headers={"Range": "bytes=1-9", "If-Match": tag})
            assert refused.status_code == 412


NO_ROWS = [
    "/v1/claims{}?q=nowherewritten",
    "/v1/topics/russian-casualties/claims{}?q=nowherewritten",
    "/v1/topics/russian-casualties/side-by-side{}?known_on=1990-01-01",
    "/v1/topics/russian-casualties/timeline{}?known_on=1990-01-01",
    "/v1/claims/counts{}?by=source,year&date_from=1900-01-01&date_to=1900-01-02",
    "/v1/sources{}?q=nowherewritten",
    "/v1/topics{}?q=nowherewritten",
    "/v1/documents{}?url=https://nowhere.example/x",
    "/v1/changes{}?after=SEQ",
    "/v1/imports{}?recorded_as_of=seq:0",
]


@pytest.mark.parametrize("path", NO_ROWS)
def test_no_rows_are_a_valid_file_in_every_format(shared_starter_register: Register, path: str) -> None:
    content = {}
    path = path.replace("SEQ", shared_starter_register.get("/v1/topics?limit=1").headers["x-register-seq"])
    for suffix in SUFFIXES:
        answer = shared_starter_register.get(path.format(f".{suffix}"))
        assert answer.status_code == 200, answer.text
        content[suffix] = answer.content
    header, *rows = csv.reader(io.StringIO(content["csv"].decode(), newline=""))
    assert (len(header) > 2, rows, content["ndjson"]) == (True, [], b"")
    sheet = openpyxl.load_workbook(io.BytesIO(content["xlsx"]), read_only=True)["Rows"]
    assert list(sheet.iter_rows(values_only=True)) == [tuple(header)]
    table = pq.read_table(io.BytesIO(content["parquet"]))
    assert (table.num_rows, table.schema.names) == (0, header)


LONG = "x" * 100_000
ODD_TEXTS = [
    LONG,
    "\U0001f1fa" * 20_000,
    "a\ud800b",
    "a\x01b",
    "=1+1",
    "@SUM(A1)",
    "+1",
    "-1",
    "\t=1",
    "00123",
    "1E5",
    "null",
]
ODD_NUMBERS = [1e12, 1e-9, -1e-9, 1e15, 0.1, 123456789.123, 10**12]


def odd_value(column: FlatColumn, number: int) -> Any:
    match column.type:
        case _ if column.is_list:
            return [ODD_TEXTS[number % len(ODD_TEXTS)].replace("\ud800", "?")]
        case "number":
            return ODD_NUMBERS[number % len(ODD_NUMBERS)]
        case "integer":
            return 10**12 + number
        case "boolean":
            return bool(number % 2)
        case "date":
            return ("0001-01-01", "1900-01-01", "9999-12-31")[number % 3]
        case "datetime":
            return ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")[number % 2]
        case "object":
            return {"a": ["=1", LONG]}
        case _:
            return ODD_TEXTS[number % len(ODD_TEXTS)]


def read_csv(content: bytes) -> list[list[Any]]:
    csv.field_size_limit(10**7)
    return list(csv.reader(io.StringIO(content.decode("utf-8", "surrogatepass"), newline="")))


def read_xlsx(content: bytes) -> list[list[Any]]:
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    rows = list(book["Rows"].iter_rows())
    assert not any(cell.data_type == "f" for row in rows for cell in row)
    return [[cell.value for cell in row] for row in rows]


def read_parquet(content: bytes) -> list[list[Any]]:
    table = pq.read_table(io.BytesIO(content))
    return [table.schema.names, *(list(row.values()) for row in table.to_pylist())]


READERS: dict[Format, Callable[[bytes], list[list[Any]]]] = {
    Format.csv: read_csv,
    Format.xlsx: read_xlsx,
    Format.parquet: read_parquet,
}


@pytest.mark.parametrize("name", ListName)
@pytest.mark.parametrize("format_", READERS)
def test_odd_contents_stay_valid_and_typed(name: ListName, format_: Format) -> None:
    columns = LIST_COLUMNS[name].columns
    rows = [[odd_value(column, number + place) for place, column in enumerate(columns)] for number in range(12)]
    encoder = FILE_FORMATS[format_].new_encoder(FileContext(columns, "/v1/x", "A register", None))
    given: Any = rows
    if format_ is Format.csv:
        columns = tuple(FlatColumn(each.name, (each.name,), each.type, "", is_list=each.is_list) for each in columns)
        given = [dict(zip((each.name for each in columns), row, strict=True)) for row in rows]
        encoder = FILE_FORMATS[format_].new_encoder(FileContext(columns, "/v1/x", "A register", None))
    content = encoder.start() + encoder.encode(given) + encoder.finish()
    header, *read = READERS[format_](content)
    assert header == [column.name for column in columns]
    assert len(read) == len(rows)
    for written, found in zip(rows, read, strict=True):
        for column, value, cell in zip(columns, written, found, strict=True):
            if column.type in ("number", "integer") and not column.is_list:
                assert float(cell) == value
            elif column.type in ("string", "any") and format_ is Format.csv and not column.is_list:
                assert cell[0] not in FORMULA_PREFIXES
            if format_ is Format.xlsx and isinstance(cell, str):
                assert len(cell.encode("utf-16-le")) // 2 <= 32_767


def test_odd_contents_are_valid_lines_of_json() -> None:
    encoder = FILE_FORMATS[Format.ndjson].new_encoder(FileContext((), "/v1/x", "A register", None))
    rows = [{"text": text, "number": 1e-9} for text in ODD_TEXTS if text != "a\ud800b"]
    lines = encoder.encode(rows).decode().splitlines()
    assert [json.loads(line) for line in lines] == rows
