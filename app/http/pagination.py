"""Lists in pages: the limit, the keyset cursor, and the order in which unknown values come last."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import literal

from app.cache.scope import CacheScope
from app.database.keyset import Order, encode_cursor, read_cursor
from app.errors import InvalidCursor
from app.http.schema_types import Output, RegisterState

MAX_LIMIT = 1000
DEFAULT_LIMIT = 50


AsOf = Annotated[
    RegisterState | None,
    Query(
        description="The register as it stood at this time, or at `seq:N`; as it stands if not given.",
        examples=["seq:1234"],
    ),
]
"""The state of the register that a single resource is read in."""


class PageQuery(BaseModel):
    """What every list takes."""

    limit: int | None = Field(
        default=None,
        ge=1,
        le=MAX_LIMIT,
        description=f"How many rows: {DEFAULT_LIMIT} in JSON if not given, at most {MAX_LIMIT}. A file has all rows.",
        examples=[50],
    )
    cursor: str | None = Field(
        default=None,
        max_length=600,
        description="Where to go on: `meta.next_cursor` of the page before.",
        examples=["WyJzbHVnIixudWxsLCJjc2lzIl0"],
    )
    recorded_as_of: RegisterState | None = Field(
        default=None,
        description="The register as it stood at this time, or at `seq:N`; as it stands if not given.",
        examples=["seq:1234"],
    )
    total: bool = Field(
        default=False, description="Whether to count all rows that match, as `meta.total`.", examples=[True]
    )


class Meta(Output):
    """What a page says of itself."""

    count: int = Field(description="Rows on this page.", examples=[50])
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null on the last.",
        examples=["WyJzbHVnIixudWxsLCJjc2lzIl0"],
    )
    seq: int = Field(description="The state of the register that was read.", examples=[1234])


class PageLinks(Output):
    """Where this page and the next one are."""

    self: str = Field(description="This page.", examples=["/v1/claims?limit=50"])
    next: str | None = Field(description="The next page; null on the last.", examples=["/v1/claims?limit=50&cursor=W…"])


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, ready to be sent, where the next page begins, and what they rest on."""

    rows: list[dict[str, Any]]
    seq: int
    next_cursor: str | None = None
    total: int | None = None
    cache_scope: CacheScope | None = None
    json_rows: Sequence[str] | None = None
    """The rows as JSON, where the database has written them already; `rows` is empty then."""
    lines: bytes | None = None
    """The rows as they stand in a file, in the same way."""


def paginate_list(rows: Sequence[dict[str, Any]], query: PageQuery, seq: int, key: str = "id") -> Page:
    """One page of a list that is short enough to be read whole; `key` tells its rows apart."""
    start = 0
    if query.cursor is not None:
        keys = [row[key] for row in rows]
        _known, _value, last = read_cursor(Order("list", literal("")), query.cursor)
        if last not in keys:
            raise InvalidCursor("The row that this cursor stands behind is gone.", hint="start from the first page")
        start = keys.index(last) + 1
    page = list(rows[start : start + (query.limit or DEFAULT_LIMIT)])
    more = start + len(page) < len(rows)
    cursor = encode_cursor(["list", None, page[-1][key]]) if more else None
    return Page(page, seq, cursor, len(rows) if query.total else None)
