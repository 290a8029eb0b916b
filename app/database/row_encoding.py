"""How a row is written in the driver's own words: no statement is built, and each value is as the driver takes it."""

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
CHANGE_COLUMNS = ["seq", "at", "kind", "key", "action", "revision", "claim", "actor", "reason"]
OMITTED_COLUMNS = ("version", "until_seq", "recorded_until")
"""Columns that the database fills, or that are empty as long as a version stands."""

MAX_ROWS_PER_INSERT = 16

ValueEncoder = Callable[[Any], Any]

EncodedRow = list[Any]
"""The values of a row as the driver takes them, nothing in them but what JSON can say."""


_derived_columns: dict[type[Version], Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {}


def declare_derived_columns(table: type[Version], derive: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Let `derive` compute columns of `table` from the other columns of a row. Called where `derive` is defined."""
    _derived_columns[table] = derive


class RowEncoder:
    """How the rows of one versioned table are written: its columns, and each value as the driver takes it."""

    def __init__(self, table: type[Version], dialect: Dialect) -> None:
        self.table = table
        columns = [column for column in columns_of(table) if column.name not in (*STAMP_COLUMNS, *OMITTED_COLUMNS)]
        self.column_names = [column.name for column in columns]
        self._encoders = [(column.name, value_encoder(column, dialect)) for column in columns]
        self._searchable_columns = SEARCHABLE_COLUMNS.get(table)
        self._derive_columns = _derived_columns.get(table)

    def encode(self, state: Mapping[str, Any]) -> EncodedRow:
        """The row of a state, which names every column but those that follow from others."""
        if self._searchable_columns is not None:
            state = {**state, "words": search_words(*(state[name] for name in self._searchable_columns))}
        if self._derive_columns is not None:
            state = {**state, **self._derive_columns(state)}
        return [state[name] if process is None else process(state[name]) for name, process in self._encoders]


class MultiRowInsert:
    """How many rows of one table are written at once.

    One by one the triggers of SQLite's full-text search take longer than the rows, and PostgreSQL is asked more often.
    """

    def __init__(self, table: type[SQLModel], names: Sequence[str], mark: str) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        self._insert_clause = f'INSERT INTO "{table_of(table).name}" ({columns}) VALUES '  # noqa: S608 - our own names
        self._row_placeholders = f"({', '.join([mark] * len(names))})"

    def build_statements(self, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
        """The statements that write these rows, each with its values.

        They come in blocks of 16, 8, 4, 2 and 1, so that there are few statements, and the driver knows them all.
        """
        block, start = MAX_ROWS_PER_INSERT, 0
        while start < len(rows):
            while start + block > len(rows):
                block //= 2
            values = [value for row in rows[start : start + block] for value in row]
            yield self._insert_clause + ", ".join([self._row_placeholders] * block), values
            start += block


class DialectStatements:
    """What every write says to a database: `?` on SQLite, `%s` on PostgreSQL."""

    def __init__(self, dialect: Dialect) -> None:
        self.postgresql = dialect.name == "postgresql"
        self._dialect = dialect
        self._placeholder = mark = "%s" if self.postgresql else "?"
        self._by_table: dict[type[Version], tuple[RowEncoder, MultiRowInsert]] = {}
        self._datetime_encoder = value_encoder(columns_of(Change).at, dialect)
        self.update_clock = f"UPDATE clock SET seq = {mark}, at = {mark}"  # noqa: S608 - our own words
        self.insert_changes = MultiRowInsert(Change, CHANGE_COLUMNS, mark)

    def encode_datetime(self, at: datetime) -> Any:  # noqa: ANN401 - a driver's word for a time
        """A time as the driver takes it."""
        return at if self._datetime_encoder is None else self._datetime_encoder(at)

    def for_table(self, table: type[Version]) -> tuple[RowEncoder, MultiRowInsert]:
        """How rows of `table` are written: their values, and after these the `STAMP_COLUMNS`."""
        if table not in self._by_table:
            form = RowEncoder(table, self._dialect)
            self._by_table[table] = form, MultiRowInsert(table, [*form.column_names, *STAMP_COLUMNS], self._placeholder)
        return self._by_table[table]


@cache
def dialect_statements(dialect: Dialect) -> DialectStatements:
    """The statements for a database; its engine has one dialect as long as it lives."""
    return DialectStatements(dialect)


def value_encoder(column: Column[Any], dialect: Dialect) -> ValueEncoder | None:
    """What makes a value of the column one that the driver takes; None where it takes it as it is."""
    if isinstance(column.type, JSON):
        return _encode_json  # a driver may have an object of its own for it, and here it has to wait as text
    if isinstance(column.type, Enum):
        return _encode_enum
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _encode_json(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
    return None if value is None else orjson.dumps(value).decode()


def _encode_enum(value: Any) -> str | None:  # noqa: ANN401 - any of the enumerations, or its word
    return None if value is None else str(value)
