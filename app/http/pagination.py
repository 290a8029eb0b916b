"""Pagination: page parameters, page metadata, and pages of short lists."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from pydantic.config import JsonDict
from sqlalchemy import Select, func, literal, select
from sqlmodel import Session

from app.cache.scope import CacheScope
from app.database.keyset import Order, encode_cursor, fetch_page, read_cursor
from app.database.snapshot import Snapshot
from app.errors import InvalidCursor
from app.http.schema_types import DayOrMoment, Output, RegisterState

MAX_LIMIT = 1000
DEFAULT_LIMIT = 50


AsOf = Annotated[
    RegisterState | None,
    Query(
        description="The register as of this time or `seq:N`. Default: the current state.",
        examples=["seq:680"],
    ),
]
"""The state of the register that is read."""

KnownOn = Annotated[
    DayOrMoment | None,
    Query(
        description="Only what had been said by this day or moment: claims, relations, retractions and supersessions. "
        "Undated claims are left out. Default: no limit.",
        examples=["2025-06-12"],
    ),
]
"""The limit on what had been said."""


class PageQuery(BaseModel):
    """The query parameters of every list."""

    limit: int | None = Field(
        default=None,
        ge=1,
        le=MAX_LIMIT,
        description=f"Maximum number of rows, up to {MAX_LIMIT}. Default: {DEFAULT_LIMIT} in JSON, all rows in a file.",
        examples=[50],
    )
    cursor: str | None = Field(
        default=None,
        max_length=600,
        description="The start of the page: `meta.next_cursor` of the previous page.",
        examples=["WyJzbHVnIixudWxsLCJjc2lzIl0"],
    )
    recorded_as_of: AsOf = None
    total: bool = Field(
        default=False, description="Whether to return the number of all matching rows as `meta.total`.", examples=[True]
    )


def _drop_default(schema: JsonDict) -> None:
    """Remove the default from a schema: the field is left out where it has no value."""
    del schema["default"]


class Meta(Output):
    """Metadata of a page."""

    count: int = Field(description="The number of rows of this page.", examples=[50])
    next_cursor: str | None = Field(
        description="The `cursor` of the next page; null on the last page.",
        examples=["WyJzbHVnIixudWxsLCJjc2lzIl0"],
    )
    seq: int = Field(description="The sequence number of the register state that was read.", examples=[1234])
    total: int = Field(
        default=0,
        description="The number of all matching rows; only with `total=true`.",
        examples=[174],
        json_schema_extra=_drop_default,
    )


class PageLinks(Output):
    """Links of a page."""

    self: str = Field(description="The address of this page.", examples=["/v1/claims?limit=50"])
    next: str | None = Field(
        description="The address of the next page; null on the last page.", examples=["/v1/claims?limit=50&cursor=W…"]
    )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, the cursor of the next page, and the scope for the response cache.

    The rows are in `rows`, or rendered in `json_rows` or `lines`.
    """

    rows: list[dict[str, Any]]
    seq: int
    next_cursor: str | None = None
    total: int | None = None
    cache_scope: CacheScope | None = None
    json_rows: Sequence[str] | None = None
    """The rows as JSON texts, if they are rendered already; `rows` is empty then."""
    lines: bytes | None = None
    """The rows as lines of a file, if they are rendered already; `rows` is empty then."""


def paginate(
    session: Session,
    statement: Select[Any],
    order: Order,
    query: PageQuery,
    snapshot: Snapshot,
    build_row: Callable[[Mapping[Any, Any]], dict[str, Any]],
) -> Page:
    """Return one page of the rows of a statement, each as `build_row` makes it."""
    total = count_total(session, statement, query)
    rows, cursor = fetch_page(session, statement, order, query.limit or DEFAULT_LIMIT, query.cursor)
    return Page([build_row(row) for row in rows], snapshot.seq, cursor, total)


def count_total(session: Session, statement: Select[Any], query: PageQuery) -> int | None:
    """Return the number of rows of a statement if the query asks for it."""
    if not query.total:
        return None
    count: int = session.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
    return count


def paginate_list(rows: Sequence[dict[str, Any]], query: PageQuery, seq: int, key: str = "id") -> Page:
    """Return one page of a list that is read completely. `key` is the unique field of its rows."""
    start = 0
    if query.cursor is not None:
        keys = [str(row[key]) for row in rows]
        _has_value, _value, last = read_cursor(Order("list", literal("")), query.cursor)
        if last not in keys:
            raise InvalidCursor("The row of this cursor no longer exists.", hint="start from the first page")
        start = keys.index(last) + 1
    page = list(rows[start : start + (query.limit or DEFAULT_LIMIT)])
    more = start + len(page) < len(rows)
    cursor = encode_cursor(["list", None, str(page[-1][key])]) if more else None
    return Page(page, seq, cursor, len(rows) if query.total else None)
