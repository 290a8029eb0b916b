"""Responses have the fields of their schema, in the same order, at every depth."""

from typing import Any

import pytest
from pydantic import BaseModel

from app.claims.schemas import Assessment, Claim, Relation, Revision
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.http.health import Health, Readiness
from app.sources.schemas import Document, Source
from app.topics.schemas import SideBySide, TimelineRow, Topic
from app.vocabulary.schemas import Category, ColumnRow, Place, Subject, TermRow
from tests.contract.examples import EXAMPLE_CLAIM_ID
from tests.examples import read_all_rows
from tests.registers import Register

LISTS: dict[str, type[BaseModel]] = {
    "/v1/topics": Topic,
    "/v1/topics/russian-casualties/timeline": TimelineRow,
    "/v1/claims": Claim,
    f"/v1/claims/{EXAMPLE_CLAIM_ID}/relations": Relation,
    f"/v1/claims/{EXAMPLE_CLAIM_ID}/assessments": Assessment,
    f"/v1/claims/{EXAMPLE_CLAIM_ID}/revisions": Revision,
    "/v1/columns": ColumnRow,
    "/v1/sources": Source,
    "/v1/documents": Document,
    "/v1/categories": Category,
    "/v1/subjects": Subject,
    "/v1/places": Place,
    "/v1/vocabulary": TermRow,
}
SINGLE: dict[str, type[BaseModel]] = {
    "/v1/topics/russian-casualties": Topic,
    "/v1/topics/russian-casualties/side-by-side?known_on=2025-06-12": SideBySide,
    "/v1/topics/india-pandemic-deaths/side-by-side": SideBySide,
    "/v1/side-by-side?category=casualties": SideBySide,
    f"/v1/claims/{EXAMPLE_CLAIM_ID}": Claim,
    f"/v1/claims/{EXAMPLE_CLAIM_ID}/revisions/1": Revision,
    "/v1/sources/csis": Source,
    "/v1/categories/killed": Category,
    "/v1/subjects/wagner-group": Subject,
    "/v1/places/kursk-oblast": Place,
    "/health/live": Health,
    "/health/ready": Readiness,
}

# The public columns: programs read them by position, so new columns are only appended.
COLUMNS = """
id, revision, status, category, subject, place, proposition, modality, value, lower, upper, lower_inclusive,
upper_inclusive, approximate, out_of, unit, kind, as_printed, period_start, period_end, period, aggregation, date,
source, source_name, source_kind, source_interest, confidence, reliability, credibility, document_title, publisher,
document_url, archive_url, quote, recorded_at, url, date_edtf, coverage, relative_to, derivation, includes, excludes,
fidelity, gap, stated, note
"""


def shape(value: Any) -> Any:
    """Return the names of the fields at every depth, in order."""
    match value:
        case dict():
            return [(name, shape(each)) for name, each in value.items()]
        case list():
            return [shape(each) for each in value]
        case _:
            return None


def assert_same(served: Any, model: type[BaseModel]) -> None:
    read = model.model_validate(served).model_dump(mode="json")
    assert shape(served) == shape(read)
    assert served == read


@pytest.mark.parametrize("path", LISTS)
def test_every_row_of_a_list_is_what_its_schema_says(shared_starter_register: Register, path: str) -> None:
    rows = read_all_rows(shared_starter_register, path)
    assert rows
    for row in rows:
        assert_same(row, LISTS[path])


@pytest.mark.parametrize("path", SINGLE)
def test_every_resource_is_what_its_schema_says(shared_starter_register: Register, path: str) -> None:
    assert_same(shared_starter_register.get(path).json(), SINGLE[path])


def test_the_columns_are_those_of_the_contract(shared_starter_register: Register) -> None:
    expected = [name.strip() for name in COLUMNS.replace("\n", " ").split(",")]
    assert [column.name for column in CLAIM_COLUMNS][: len(expected)] == expected
    for path in ("/v1/claims.csv?limit=1", "/v1/topics/russian-casualties/claims.csv?limit=1"):
        header = shared_starter_register.get(path).text.split("\r\n")[0].split(",")
        assert header[: len(expected)] == expected


def test_the_column_dictionary_names_every_column_in_order(shared_starter_register: Register) -> None:
    assert [row["name"] for row in read_all_rows(shared_starter_register, "/v1/columns")] == [
        column.name for column in CLAIM_COLUMNS
    ]
