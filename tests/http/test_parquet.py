"""Parquet files: typed columns in row groups, the rows of the JSON list."""

import io
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.http.parquet import ParquetEncoder
from app.http.serializers import FileContext, FlatColumn
from tests.examples import assert_problem
from tests.http.test_xlsx import LISTS
from tests.registers import Register

PARQUET = "application/vnd.apache.parquet"


def open_file(content: bytes) -> Any:
    return pq.ParquetFile(io.BytesIO(content))


def encode(pages: list[list[Any]], type_: str = "string", *, is_list: bool = False) -> bytes:
    columns = [FlatColumn("c", (), type_, "Meaning.", is_list=is_list)]
    encoder = ParquetEncoder(FileContext(columns, "/v1/claims.parquet", "Register", "CC BY 4.0"))
    parts = [encoder.start(), *(encoder.encode([[value] for value in page]) for page in pages), encoder.finish()]
    return b"".join(parts)


@pytest.mark.parametrize("path", LISTS)
def test_a_file_has_the_rows_and_columns_of_the_csv_file(shared_starter_register: Register, path: str) -> None:
    answer = shared_starter_register.get(f"{path}.parquet")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == PARQUET
    file = open_file(answer.content)
    assert file.schema_arrow.names == shared_starter_register.get(f"{path}.csv").text.partition("\r\n")[0].split(",")
    assert file.metadata.num_rows > 0
    assert answer.headers["content-location"].encode() in file.schema_arrow.metadata.values()


def test_columns_have_types_meanings_and_dictionaries(shared_starter_register: Register) -> None:
    found = shared_starter_register.get("/v1/claims", params={"shape": "array", "limit": 200, "sort": "date"}).json()
    file = open_file(shared_starter_register.get("/v1/claims.parquet", params={"sort": "date"}).content)
    schema = file.schema_arrow
    assert [field.metadata[b"description"].decode() for field in schema] == [each.description for each in CLAIM_COLUMNS]
    assert {name: schema.field(name).type for name in ("value", "date", "recorded_at", "approximate", "includes")} == {
        "value": pa.float64(),
        "date": pa.date32(),
        "recorded_at": pa.timestamp("us", tz="UTC"),
        "approximate": pa.bool_(),
        "includes": pa.list_(pa.string()),
    }
    group = file.metadata.row_group(0)
    assert "RLE_DICTIONARY" in group.column(schema.names.index("source")).encodings
    rows = file.read().to_pylist()
    assert len(rows) == len(found)
    for row, claim in zip(rows, found, strict=True):
        assert row["date"] == (claim["date"] and date.fromisoformat(claim["date"]))
        assert row["recorded_at"] == datetime.fromisoformat(claim["recorded_at"])
        assert row["value"] == claim["figure"]["value"]
        assert row["includes"] == claim["includes"]
        assert row["quote"] == next(each["quote"] for each in claim["citations"] if each["leading"])


def test_no_rows_odd_texts_and_numbers_are_valid() -> None:
    assert open_file(encode([])).metadata.num_rows == 0
    assert open_file(encode([[]], "date")).schema_arrow.field("c").type == pa.date32()
    texts = ["a" * 100_000, "=1+1", "\ud800x", "\x00", "", None]
    assert open_file(encode([texts])).read().column(0).to_pylist() == ["a" * 100_000, "=1+1", "?x", "\x00", "", None]
    numbers = [10**12, 1e-9, 0, -1.5, None]
    assert open_file(encode([numbers], "number")).read().column(0).to_pylist() == numbers
    assert open_file(encode([[["a"], [], None]], is_list=True)).read().column(0).to_pylist() == [["a"], [], None]


def test_rows_are_written_in_groups_and_the_bytes_are_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.parquet.ROW_GROUP_ROWS", 5)
    pages = [[f"{page}-{row}" for row in range(3)] for page in range(4)]
    content = encode(pages)
    assert content == encode(pages)
    file = open_file(content)
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [6, 6]
    assert file.read().column(0).to_pylist() == [text for page in pages for text in page]


def test_an_empty_list_has_all_columns(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/v1/claims.parquet", params={"q": "nothing has this word"})
    file = open_file(answer.content)
    assert (file.metadata.num_rows, len(file.schema_arrow.names)) == (0, len(CLAIM_COLUMNS))


def test_without_pyarrow_the_suffix_says_how_to_install_it(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.negotiation.is_available", lambda: False)
    for path, headers in (("/v1/subjects.parquet", {}), ("/v1/subjects", {"Accept": PARQUET})):
        problem = assert_problem(register.get(path, headers=headers), 406, "not_acceptable")
        assert problem["hint"] == "pip install 'counterclaim[parquet]', or ask for .csv or .ndjson"
