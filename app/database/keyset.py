"""Keyset pagination: pages of a statement by sort value and key, and their cursors."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, null, tuple_
from sqlmodel import Session

from app.database.types import ID_PATTERN, Id
from app.errors import InvalidCursor, field_fault


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted: by `column` (none: by key alone), then by `key`; rows without a value come last."""

    name: str
    key: ColumnElement[Any]
    column: ColumnElement[Any] | None = None
    descending: bool = False


def fetch_page(
    session: Session, statement: Select[Any], order: Order, limit: int, cursor: str | None
) -> tuple[Sequence[Mapping[Any, Any]], str | None]:
    """The next `limit` rows of `statement` after `cursor`, and the cursor behind them.

    The rows that have a sort value and those that have none are two index ranges, read one after the other: no row is
    lost between them and none is read twice, whatever is written in the meantime.
    """
    known, last_value, last_key = read_cursor(order, cursor)
    statement = statement.add_columns(
        order.key.label("key_"), (null() if order.column is None else order.column).label("sort_")
    )
    rows: list[Mapping[Any, Any]] = []
    if order.column is not None and known:
        some = statement.where(order.column.is_not(None))
        if last_key is not None:
            ends = tuple_(order.column, order.key)
            after = (last_value, last_key)
            some = some.where(ends < after if order.descending else ends > after)
        some = some.order_by(*(_sort_expression(c, order) for c in (order.column, order.key))).limit(limit + 1)
        rows += session.execute(some).mappings().all()
        last_key = None
    if len(rows) <= limit:
        rest = statement if order.column is None else statement.where(order.column.is_(None))
        if last_key is not None:
            rest = rest.where(order.key < last_key if order.descending else order.key > last_key)
        rows += (
            session.execute(rest.order_by(_sort_expression(order.key, order)).limit(limit + 1 - len(rows)))
            .mappings()
            .all()
        )
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    return page, write_cursor(order, page[-1]["sort_"], page[-1]["key_"])


def encode_cursor(parts: list[Any]) -> str:
    """Return the parts as an opaque cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def _is_comparable(column: ColumnElement[Any], key: str) -> bool:
    """Whether `key` can be compared with `column`: PostgreSQL refuses a malformed id."""
    return bool(ID_PATTERN.fullmatch(key)) if isinstance(column.type, Id) else "\0" not in key


def _sort_expression(column: ColumnElement[Any], order: Order) -> ColumnElement[Any]:
    return column.desc() if order.descending else column.asc()


def write_cursor(order: Order, value: Any, key: str) -> str:  # noqa: ANN401 - whatever the list is sorted by
    """Where to go on behind the row with this value and key."""
    return encode_cursor([order.name, value, key])


def read_cursor(order: Order, cursor: str | None) -> tuple[bool, Any, str | None]:
    """Whether the cursor stands among rows with a value, that value, and the key."""
    if cursor is None:
        return True, None, None
    try:
        name, value, key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if value is not None and order.column is not None:
            kind = order.column.type.python_type
            value = date.fromisoformat(value) if kind is date else kind(value)
        fits = name == order.name and isinstance(key, str) and _is_comparable(order.key, key)
        fits = fits and not (isinstance(value, int) and abs(value) >= 2**63)
        fits = fits and not (isinstance(value, str) and "\0" in value)
    except (binascii.Error, ValueError, TypeError, OverflowError):
        fits = False
    if not fits:
        detail = "Expected the `meta.next_cursor` of a page with the same `sort`."
        hint = "ask again without `cursor` to start from the first page"
        raise InvalidCursor(detail, hint=hint, errors=[field_fault("cursor", detail, hint=hint, location="query")])
    return value is not None, value, key
