"""The files of every list have the columns, types and enumerations of its Table Schema."""

import csv
import io
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.http.list_columns import LIST_COLUMNS, ListName
from tests.contract.examples import EXAMPLE_CLAIM_ID
from tests.examples import assert_problem, read_all_rows
from tests.registers import Register

PATHS = {
    ListName.claims: "/v1/claims{suffix}?status=asserted&status=retracted&status=removed",
    ListName.topic_claims: "/v1/topics/russian-casualties/claims{suffix}",
    ListName.side_by_side: "/v1/topics/russian-casualties/side-by-side{suffix}",
    ListName.timeline: "/v1/topics/russian-casualties/timeline{suffix}",
    ListName.brief: "/v1/topics/russian-casualties/brief{suffix}",
    ListName.counts: "/v1/claims/counts{suffix}?by=source,year,confidence,category",
    ListName.revisions: f"/v1/claims/{EXAMPLE_CLAIM_ID}/revisions{{suffix}}",
    ListName.relations: f"/v1/claims/{EXAMPLE_CLAIM_ID}/relations{{suffix}}",
    ListName.assessments: f"/v1/claims/{EXAMPLE_CLAIM_ID}/assessments{{suffix}}",
    ListName.topics: "/v1/topics{suffix}",
    ListName.sources: "/v1/sources{suffix}",
    ListName.documents: "/v1/documents{suffix}",
    ListName.document_revisions: "/v1/documents/{document}/revisions{suffix}",
    ListName.categories: "/v1/categories{suffix}",
    ListName.subjects: "/v1/subjects{suffix}",
    ListName.places: "/v1/places{suffix}",
    ListName.vocabulary: "/v1/vocabulary{suffix}",
    ListName.columns: "/v1/columns{suffix}",
    ListName.changes: "/v1/changes{suffix}",
    ListName.imports: "/v1/imports{suffix}",
}
ONLY_CSV = {ListName.brief}
"""Lists that have no workbook and no Parquet file."""


def read_moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def read_boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "list": lambda text: text.split(";"),
    "integer": int,
    "number": float,
    "boolean": read_boolean,
    "date": date.fromisoformat,
    "datetime": read_moment,
    "object": orjson.loads,
    "any": str,
}
CELL_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (datetime, str),  # days before March 1900 are texts
    "datetime": (datetime,),
    "any": (str, int, float, bool, datetime),
}
ARROW_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
    "list": pa.list_(pa.string()),
}


def read_schema(register: Register, name: ListName) -> dict[str, Any]:
    answer = register.get("/v1/columns", params={"list": name.value, "format": "table-schema"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    schema: dict[str, Any] = answer.json()
    return schema


def read_file(register: Register, name: ListName, suffix: str) -> bytes:
    document = register.get("/v1/documents?limit=1").json()["data"][0]["id"]
    answer = register.get(PATHS[name].format(suffix=suffix, document=document))
    assert answer.status_code == 200, answer.text
    return bytes(answer.content)


def test_every_list_declares_its_columns() -> None:
    assert set(LIST_COLUMNS) == set(ListName) == set(PATHS)
    for name, declared in LIST_COLUMNS.items():
        names = [column.name for column in declared.columns]
        assert len(set(names)) == len(names), name
        assert set(declared.key) <= set(names), name


@pytest.mark.parametrize("name", ListName)
def test_a_csv_file_is_as_its_schema_says(shared_starter_register: Register, name: ListName) -> None:
    schema = read_schema(shared_starter_register, name)
    text = read_file(shared_starter_register, name, ".csv").decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == [field["name"] for field in schema["fields"]]
    assert rows or name is ListName.imports
    for position, field in enumerate(schema["fields"]):
        cells = {row[position] for row in rows} - {""}
        for cell in cells:
            READERS[field["type"]](cell)
        assert cells <= set(field.get("constraints", {}).get("enum", cells)), field["name"]
    key = [header.index(column) for column in schema.get("primaryKey", [])]
    if key:
        values = [tuple(row[position] for position in key) for row in rows]
        assert len(set(values)) == len(values)
        assert all(all(value) for value in values)


@pytest.mark.parametrize("name", sorted(set(ListName) - ONLY_CSV))
def test_a_workbook_is_as_its_schema_says(shared_starter_register: Register, name: ListName) -> None:
    fields = read_schema(shared_starter_register, name)["fields"]
    book = openpyxl.load_workbook(io.BytesIO(read_file(shared_starter_register, name, ".xlsx")), read_only=True)
    header, *rows = book["Rows"].iter_rows(values_only=True)
    assert list(header) == [field["name"] for field in fields]
    described = [row[0] for row in book["Columns"].iter_rows(min_row=2, max_row=len(fields) + 1, values_only=True)]
    assert described == list(header)
    for row in rows:
        for field, cell in zip(fields, row, strict=False):
            expected = CELL_TYPES.get(field["type"], (str,))
            assert cell is None or type(cell) in expected, (field, cell)


@pytest.mark.parametrize("name", sorted(set(ListName) - ONLY_CSV))
def test_a_parquet_file_is_as_its_schema_says(shared_starter_register: Register, name: ListName) -> None:
    fields = read_schema(shared_starter_register, name)["fields"]
    table = pq.read_table(io.BytesIO(read_file(shared_starter_register, name, ".parquet")))
    assert table.schema.names == [field["name"] for field in fields]
    for field in fields:
        assert table.schema.field(field["name"]).type == ARROW_TYPES.get(field["type"], pa.string()), field


@pytest.mark.parametrize("name", ListName)
def test_the_dictionary_of_a_list_has_the_fields_of_its_schema(
    shared_starter_register: Register, name: ListName
) -> None:
    rows = read_all_rows(shared_starter_register, "/v1/columns", list=name.value)
    fields = read_schema(shared_starter_register, name)["fields"]
    assert [row["name"] for row in rows] == [field["name"] for field in fields]
    for row, field in zip(rows, fields, strict=True):
        assert row["description"] == field["description"] != ""
        if field["type"] == "list":  # a Table Schema has no enumeration of the items of a list
            assert row["type"] == field["itemType"] == "string"
        else:
            assert row["values"] == field.get("constraints", {}).get("enum", [])
            assert row["type"] == field["type"]


def test_a_column_of_a_claim_names_its_enumeration(shared_starter_register: Register) -> None:
    schema = read_schema(shared_starter_register, ListName.claims)
    fields = {field["name"]: field for field in schema["fields"]}
    assert fields["modality"]["constraints"] == {"enum": ["count", "estimate", "forecast", "allegation"]}
    assert fields["includes"]["type"] == "list"
    assert fields["date"]["type"] == "date"
    assert schema["primaryKey"] == ["id"]
    assert schema["missingValues"] == [""]


def test_a_schema_takes_no_columns_and_a_list_must_exist(shared_starter_register: Register) -> None:
    for wrong in ({"fields": "name"}, {"shape": "array"}):
        asked = {"format": "table-schema", **wrong}
        problem = assert_problem(shared_starter_register.get("/v1/columns", params=asked), 422)
        assert problem["errors"][0]["pointer"] == f"#/{next(iter(wrong))}"
    problem = assert_problem(shared_starter_register.get("/v1/columns", params={"list": "timelin"}), 422)
    assert "timeline" in orjson.dumps(problem).decode()
    assert_problem(shared_starter_register.get("/v1/claims", params={"format": "table-schema"}), 422)


def test_a_schema_is_a_304_to_whoever_has_it(shared_starter_register: Register) -> None:
    asked = {"list": "topics", "format": "table-schema"}
    tag = shared_starter_register.get("/v1/columns", params=asked).headers["etag"]
    again = shared_starter_register.get("/v1/columns", params=asked, headers={"If-None-Match": tag})
    assert again.status_code == 304
    other = shared_starter_register.get("/v1/columns", params={**asked, "list": "sources"}).headers["etag"]
    assert other != tag
