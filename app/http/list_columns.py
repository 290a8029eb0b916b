"""The columns of every list, declared with its route: those that its files write, and their Table Schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.enums import DescribedEnum
from app.http.serializers import FlatColumn

TABLE_SCHEMA_PROFILE = "https://datapackage.org/profiles/2.0/tableschema.json"


class ListName(DescribedEnum):
    """The lists whose columns `/v1/columns` describes, each with its address."""

    claims = "claims", "`/v1/claims`"
    topic_claims = "topic-claims", "`/v1/topics/{slug}/claims`"
    side_by_side = "side-by-side", "`/v1/topics/{slug}/side-by-side` and `/v1/side-by-side`"
    timeline = "timeline", "`/v1/topics/{slug}/timeline`"
    brief = "brief", "`/v1/topics/{slug}/brief`"
    counts = "counts", "`/v1/claims/counts`"
    revisions = "revisions", "`/v1/claims/{id}/revisions`"
    relations = "relations", "`/v1/claims/{id}/relations`"
    assessments = "assessments", "`/v1/claims/{id}/assessments`"
    topics = "topics", "`/v1/topics`"
    sources = "sources", "`/v1/sources`"
    documents = "documents", "`/v1/documents`"
    document_revisions = "document-revisions", "`/v1/documents/{id}/revisions`"
    categories = "categories", "`/v1/categories`"
    subjects = "subjects", "`/v1/subjects`"
    places = "places", "`/v1/places`"
    vocabulary = "vocabulary", "`/v1/vocabulary`"
    columns = "columns", "`/v1/columns`"
    changes = "changes", "`/v1/changes`"
    imports = "imports", "`/v1/imports`"


@dataclass(frozen=True, slots=True)
class ListColumns:
    """The columns of the files of a list."""

    columns: tuple[FlatColumn, ...]
    key: tuple[str, ...]
    """The columns that identify a row; empty if there are none that always do."""


LIST_COLUMNS: dict[ListName, ListColumns] = {}
"""The columns of each list. The modules with the routes fill it."""


def declare_list(name: ListName, columns: Sequence[FlatColumn], key: Sequence[str] = ()) -> None:
    """Declare the columns that the files of a list have, and those that identify a row.

    Raises `ValueError` if other columns were declared for the same list.
    """
    declared = ListColumns(tuple(columns), tuple(key))
    if LIST_COLUMNS.setdefault(name, declared) != declared:
        raise ValueError(f"the list {name} has other columns already")


def table_schema(name: ListName) -> dict[str, Any]:
    """Return the Table Schema (Frictionless Data, version 2) of the CSV files of a list."""
    declared = LIST_COLUMNS[name]
    schema: dict[str, Any] = {
        "$schema": TABLE_SCHEMA_PROFILE,
        "fields": [_field(column) for column in declared.columns],
        "fieldsMatch": "equal",
        "missingValues": [""],
    }
    return schema | ({"primaryKey": list(declared.key)} if declared.key else {})


def _field(column: FlatColumn) -> dict[str, Any]:
    """Return a column as a field. A list is a text of values joined by `;`, as in a CSV file."""
    field: dict[str, Any] = {"name": column.name, "type": column.type, "description": column.description}
    if column.is_list:
        field |= {"type": "list", "delimiter": ";", "itemType": "string"}
    elif column.values:
        field["constraints"] = {"enum": list(column.values)}
    return field
