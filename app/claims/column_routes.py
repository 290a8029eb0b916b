"""HTTP route of the column dictionary."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.database.snapshot import open_snapshot
from app.http.addresses import whole_address
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import Page, PageQuery, paginate_list
from app.http.routing import api_router
from app.vocabulary.schemas import ColumnRow

router = api_router("vocabulary")

ADDRESS_COLUMN = "url"
"""The column with an address of this service."""

COLUMN_ROWS = [
    {
        "name": column.name,
        "type": column.type,
        "description": column.description,
        "path": ".".join(column.path),
        "example": column.example,
    }
    for column in CLAIM_COLUMNS
]


@list_route(router, "/columns", ColumnRow, "List the columns of the claims files")
def list_columns(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the column dictionary: each column of a claims file with its type and meaning, in file order.

    New columns are only ever appended.
    """

    def find(page: PageQuery) -> Page:
        rows = [
            row | {"example": whole_address(row["example"])} if row["name"] == ADDRESS_COLUMN else row
            for row in COLUMN_ROWS
        ]
        with db.read() as session:
            return paginate_list(rows, page, open_snapshot(session, page.recorded_as_of).seq, "name")

    return listing.send(find, query, columns_of_model(ColumnRow))
