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
    """A sort order: by `column` (None: by key only), then by `key`. Rows without a sort value come last."""

    name: str
    key: ColumnElement[Any]
    column: ColumnElement[Any] | None = None
    descending: bool = False


def fetch_page(
    session: Session, statement: Select[Any], order: Order, limit: int, cursor: str | None
) -> tuple[Sequence[Mapping[Any, Any]], str | None]:
    """Return the next `limit` rows of `statement` after `cursor`, and the cursor of the next page (None: no more rows).

    Rows with a sort value and rows without one are two index ranges, which are read one after the other. Concurrent
    writes therefore cannot make a page skip or repeat a row.
    """
    has_value, last_value, last_key = read_cursor(order, cursor)
    statement = statement.add_columns(
        order.key.label("key_"), (null() if order.column is None else order.column).label("sort_")
    )
    rows: list[Mapping[Any, Any]] = []
    if order.column is not None and has_value:
        with_value = statement.where(order.column.is_not(None))
        if last_key is not None:
            position = tuple_(order.column, order.key)
            last_position = (last_value, last_key)
            with_value = with_value.where(position < last_position if order.descending else position > last_position)
        sort_columns = (_sort_expression(column, order) for column in (order.column, order.key))
        rows += session.execute(with_value.order_by(*sort_columns).limit(limit + 1)).mappings().all()
        last_key = None
    if len(rows) <= limit:
        without_value = statement if order.column is None else statement.where(order.column.is_(None))
        if last_key is not None:
            without_value = without_value.where(order.key < last_key if order.descending else order.key > last_key)
        without_value = without_value.order_by(_sort_expression(order.key, order)).limit(limit + 1 - len(rows))
        rows += session.execute(without_value).mappings().all()
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    return page, write_cursor(order, page[-1]["sort_"], page[-1]["key_"])


def encode_cursor(parts: list[Any]) -> str:
    """Return an opaque cursor that contains `parts`."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def _is_comparable(column: ColumnElement[Any], key: str) -> bool:
    """Return whether `key` can be compared with `column`: PostgreSQL raises an error for a malformed id."""
    return bool(ID_PATTERN.fullmatch(key)) if isinstance(column.type, Id) else "\0" not in key


def _sort_expression(column: ColumnElement[Any], order: Order) -> ColumnElement[Any]:
    return column.desc() if order.descending else column.asc()


def write_cursor(order: Order, value: Any, key: str) -> str:  # noqa: ANN401 - a value of the sort column
    """Return the cursor of the page after the row with this sort value and key."""
    return encode_cursor([order.name, value, key])


def read_cursor(order: Order, cursor: str | None) -> tuple[bool, Any, str | None]:
    """Return whether the next rows have a sort value, and the sort value and key of the last row.

    Raises:
        InvalidCursor: The cursor is malformed, or belongs to a list with another order.
    """
    if cursor is None:
        return True, None, None
    try:
        name, value, key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if value is not None and order.column is not None:
            value_type = order.column.type.python_type
            value = date.fromisoformat(value) if value_type is date else value_type(value)
        is_valid = name == order.name and isinstance(key, str) and _is_comparable(order.key, key)
        is_valid = is_valid and not (isinstance(value, int) and abs(value) >= 2**63)
        is_valid = is_valid and not (isinstance(value, str) and "\0" in value)
    except (binascii.Error, ValueError, TypeError, OverflowError):
        is_valid = False
    if not is_valid:
        detail = "Expected the `meta.next_cursor` of a page with the same `sort`."
        hint = "omit `cursor` to start from the first page"
        raise InvalidCursor(detail, hint=hint, errors=[field_fault("cursor", detail, hint=hint, location="query")])
    return value is not None, value, key
