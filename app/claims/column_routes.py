"""HTTP route of the column dictionaries."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.database.snapshot import open_snapshot
from app.errors import invalid_field
from app.http.addresses import whole_address
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.list_columns import LIST_COLUMNS, ListName, table_schema
from app.http.lists import BomParameter, FieldsParameter, ListResponse, Shape, ShapeParameter, list_route
from app.http.negotiation import Format
from app.http.pagination import Page, PageQuery, paginate_list
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.serializers import FlatColumn
from app.vocabulary.schemas import ColumnRow

router = api_router("vocabulary")

COLUMN_COLUMNS = columns_of_model(ColumnRow)

TABLE_SCHEMA = "table-schema"
"""The value of `format` that asks for a Table Schema."""


class ColumnFormat(StrEnum):
    """The formats of a column dictionary."""

    json = "json"
    csv = "csv"
    ndjson = "ndjson"
    xlsx = "xlsx"
    parquet = "parquet"
    jsonld = "jsonld"
    table_schema = TABLE_SCHEMA


class ColumnsQuery(PageQuery):
    """The list whose columns are described."""

    list: ListName = Field(
        default=ListName.claims,
        description="The list whose columns are described.",
        examples=["timeline"],
    )


class ColumnListResponse(ListResponse):
    """The response of a column dictionary, which can also be a Table Schema."""

    def __init__(
        self,
        request: Request,
        format: Annotated[  # noqa: A002 - the name of the parameter
            ColumnFormat | None,
            Query(
                description="The format, if the address has no suffix. `table-schema` is a Table Schema (Frictionless "
                "Data) of the CSV files of the list, with types and enumerations.",
                examples=[TABLE_SCHEMA],
            ),
        ] = None,
        shape: ShapeParameter = Shape.envelope,
        fields: FieldsParameter = None,
        bom: BomParameter = False,  # noqa: FBT002 - a query parameter
    ) -> None:
        has_suffix = "suffix" in request.path_params
        self.is_table_schema = format is ColumnFormat.table_schema and not has_suffix
        is_file = format is not None and format is not ColumnFormat.table_schema
        chosen = Format(format.value) if format is not None and is_file else None
        super().__init__(request, Format.json if self.is_table_schema else chosen, shape, fields, bom)


def _describe(column: FlatColumn) -> dict[str, Any]:
    """Return a column as a row of the dictionary. An example that is an address of this service is made whole."""
    is_address = isinstance(column.example, str) and column.example.startswith("/v1/")
    return {
        "name": column.name,
        "type": column.type,
        "description": column.description,
        "path": ".".join(column.path),
        "example": whole_address(column.example) if is_address else column.example,
        "values": list(column.values),
    }


@list_route(
    router,
    "/columns",
    ColumnRow,
    "List the columns of the files of a list",
    ListName.columns,
    COLUMN_COLUMNS,
    key=["name"],
)
def list_columns(
    query: Annotated[ColumnsQuery, Query()], db: Db, listing: Annotated[ColumnListResponse, Depends()]
) -> Response:
    """Return the column dictionary of a list: each column of its files with its type and meaning, in file order.

    New columns are only ever appended.
    """
    if listing.is_table_schema:
        if listing.fields or listing.shape is Shape.array:
            name = "fields" if listing.fields else "shape"
            raise invalid_field(
                name, f"`{name}` has no effect on a Table Schema.", hint="leave it out", location="query"
            )
        with db.read() as session:
            seq = open_snapshot(session, query.recorded_as_of).seq
        return json_response(listing.request, table_schema(query.list), cache_scope=CacheScope(seq))

    def find(page: ColumnsQuery) -> Page:
        rows = [_describe(column) for column in LIST_COLUMNS[page.list].columns]
        with db.read() as session:
            return paginate_list(rows, page, open_snapshot(session, page.recorded_as_of).seq, "name")

    return listing.send(find, query, COLUMN_COLUMNS)
