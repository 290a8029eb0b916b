"""The column dictionary over HTTP."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.database.engine import Db
from app.database.snapshot import view_of
from app.http.csv_columns import columns_of_model
from app.http.lists import Wanted, listing
from app.http.pagination import Found, PageQuery, short
from app.http.routing import api_router
from app.vocabulary.schemas import ColumnRow

router = api_router("claims")

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


@listing(router, "/columns", ColumnRow, "List the columns of the claims files")
def list_columns(query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:
    """The column dictionary: what each column of a claims file holds, in order. Columns are only ever appended."""

    def find(page: PageQuery) -> Found:
        with db.read() as session:
            return short(COLUMN_ROWS, page, view_of(session, page.recorded_as_of).seq, "name")

    return want.rows(find, query, columns_of_model(ColumnRow))
