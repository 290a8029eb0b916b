"""Row encoding: column values as driver values, and prebuilt INSERT statements for versioned tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, Column, Enum
from sqlalchemy.engine import Dialect
from sqlmodel import SQLModel

from app.database.tables import SEARCHABLE_COLUMNS, Change, Version, columns_of, table_of
from app.database.text_folding import search_words

STAMP_COLUMNS = ("revision", "seq", "recorded_at")
CHANGE_COLUMNS = ["seq", "at", "kind", "key", "action", "revision", "claim", "actor", "reason", "question"]
OMITTED_COLUMNS = ("version", "until_seq", "recorded_until")
"""Columns that the database generates, and columns that are NULL in a current version."""

MAX_ROWS_PER_INSERT = 16

ValueEncoder = Callable[[Any], Any]

EncodedRow = list[Any]
"""The values of a row as driver values. All of them can be serialized as JSON."""


_derived_columns: dict[type[Version], Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {}


def declare_derived_columns(table: type[Version], derive: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Declare that `derive` computes columns of `table` from the other columns. Call it where `derive` is defined."""
    _derived_columns[table] = derive


class RowEncoder:
    """Encodes rows of one versioned table as driver values, in the order of `column_names`."""

    def __init__(self, table: type[Version], dialect: Dialect) -> None:
        self.table = table
        columns = [column for column in columns_of(table) if column.name not in (*STAMP_COLUMNS, *OMITTED_COLUMNS)]
        self.column_names = [column.name for column in columns]
        self._encoders = [(column.name, value_encoder(column, dialect)) for column in columns]
        self._searchable_columns = SEARCHABLE_COLUMNS.get(table)
        self._derive_columns = _derived_columns.get(table)

    def encode(self, state: Mapping[str, Any]) -> EncodedRow:
        """Encode a row. `state` contains all columns except derived ones and `words`."""
        if self._searchable_columns is not None:
            state = {**state, "words": search_words(*(state[name] for name in self._searchable_columns))}
        if self._derive_columns is not None:
            state = {**state, **self._derive_columns(state)}
        return [state[name] if encoder is None else encoder(state[name]) for name, encoder in self._encoders]


class MultiRowInsert:
    """Builds INSERT statements of several rows for one table.

    With one row per statement, the triggers of SQLite's full-text search take longer than the inserts, and PostgreSQL
    needs more round trips.
    """

    def __init__(self, table: type[SQLModel], names: Sequence[str], placeholder: str) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        self._insert_clause = f'INSERT INTO "{table_of(table).name}" ({columns}) VALUES '  # noqa: S608 - names from the models
        self._row_placeholders = f"({', '.join([placeholder] * len(names))})"

    def build_statements(self, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Yield the statements that insert `rows`, with their parameters.

        A statement has 16, 8, 4, 2 or 1 rows, so that there are few distinct statements and the driver caches them all.
        """
        block_size, start = MAX_ROWS_PER_INSERT, 0
        while start < len(rows):
            while start + block_size > len(rows):
                block_size //= 2
            values = [value for row in rows[start : start + block_size] for value in row]
            yield self._insert_clause + ", ".join([self._row_placeholders] * block_size), values
            start += block_size


class DialectStatements:
    """The statements of write transactions in one dialect, with `?` (SQLite) or `%s` (PostgreSQL) as placeholder."""

    def __init__(self, dialect: Dialect) -> None:
        self.postgresql = dialect.name == "postgresql"
        self._dialect = dialect
        self._placeholder = placeholder = "%s" if self.postgresql else "?"
        self._by_table: dict[type[Version], tuple[RowEncoder, MultiRowInsert]] = {}
        self._datetime_encoder = value_encoder(columns_of(Change).at, dialect)
        self.update_clock = f"UPDATE clock SET seq = {placeholder}, at = {placeholder}"  # noqa: S608 - placeholders only
        self.insert_changes = MultiRowInsert(Change, CHANGE_COLUMNS, placeholder)

    def encode_datetime(self, at: datetime) -> Any:  # noqa: ANN401 - a driver value
        """Encode a time as a driver value."""
        return at if self._datetime_encoder is None else self._datetime_encoder(at)

    def for_table(self, table: type[Version]) -> tuple[RowEncoder, MultiRowInsert]:
        """Return the encoder and the INSERT for rows of `table`; the `STAMP_COLUMNS` follow the encoded values."""
        if table not in self._by_table:
            encoder = RowEncoder(table, self._dialect)
            names = [*encoder.column_names, *STAMP_COLUMNS]
            self._by_table[table] = encoder, MultiRowInsert(table, names, self._placeholder)
        return self._by_table[table]


@cache
def dialect_statements(dialect: Dialect) -> DialectStatements:
    """Return the statements of a dialect. They are cached by identity: an engine has one dialect object."""
    return DialectStatements(dialect)


def value_encoder(column: Column[Any], dialect: Dialect) -> ValueEncoder | None:
    """Return a function that encodes values of the column for the driver; None if they need no encoding."""
    if isinstance(column.type, JSON):
        return _encode_json  # as text: a JSON object of the driver could not be staged as JSON
    if isinstance(column.type, Enum):
        return _encode_enum
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _encode_json(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return None if value is None else orjson.dumps(value).decode()


def _encode_enum(value: Any) -> str | None:  # noqa: ANN401 - an enumeration member or its value
    return None if value is None else str(value)
