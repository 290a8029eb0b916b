"""How a row is written in the driver's own words: no statement is built, and each value is as the driver takes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, Column, Enum
from sqlalchemy.engine import Dialect
from sqlmodel import SQLModel

from app.claims.series_key import placed
from app.database.tables import SEARCHED, Change, ClaimVersion, Version, columns_of, table_of
from app.database.text_folding import words_of

STAMPS = ("revision", "seq", "recorded_at")
CHANGE = ["seq", "at", "kind", "key", "action", "revision", "claim", "actor", "reason"]
LATER = ("version", "until_seq", "recorded_until")
"""Columns that the database fills, or that are empty as long as a version stands."""

BLOCK = 16

Process = Callable[[Any], Any]

Values = list[Any]
"""The values of a row as the driver takes them, nothing in them but what JSON can say."""


class Form:
    """How the rows of one versioned table are written: its columns, and each value as the driver takes it."""

    def __init__(self, table: type[Version], dialect: Dialect) -> None:
        self.table = table
        columns = [column for column in columns_of(table) if column.name not in (*STAMPS, *LATER)]
        self.names = [column.name for column in columns]
        self._processors = [(column.name, processor(column, dialect)) for column in columns]
        self._searched = SEARCHED.get(table)

    def values(self, state: Mapping[str, Any]) -> Values:
        """The row of a state, which names every column but those that follow from others."""
        if self._searched is not None:
            state = {**state, "words": words_of(*(state[name] for name in self._searched))}
        if self.table is ClaimVersion:
            state = {**state, **placed(state)}
        return [state[name] if process is None else process(state[name]) for name, process in self._processors]


class Rows:
    """How many rows of one table are written at once.

    One by one the triggers of SQLite's full-text search take longer than the rows, and PostgreSQL is asked more often.
    """

    def __init__(self, table: type[SQLModel], names: Sequence[str], mark: str) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        self._into = f'INSERT INTO "{table_of(table).name}" ({columns}) VALUES '  # noqa: S608 - our own names
        self._marks = f"({', '.join([mark] * len(names))})"

    def inserts(self, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
        """The statements that write these rows, each with its values.

        They come in blocks of 16, 8, 4, 2 and 1, so that there are few statements, and the driver knows them all.
        """
        block, start = BLOCK, 0
        while start < len(rows):
            while start + block > len(rows):
                block //= 2
            values = [value for row in rows[start : start + block] for value in row]
            yield self._into + ", ".join([self._marks] * block), values
            start += block


class Statements:
    """What every write says to a database: `?` on SQLite, `%s` on PostgreSQL."""

    def __init__(self, dialect: Dialect) -> None:
        self.postgresql = dialect.name == "postgresql"
        self._dialect = dialect
        self._mark = mark = "%s" if self.postgresql else "?"
        self._forms: dict[type[Version], tuple[Form, Rows]] = {}
        self._moment = processor(columns_of(Change).at, dialect)
        self.clock = f"UPDATE clock SET seq = {mark}, at = {mark}"  # noqa: S608 - our own words
        self.changes = Rows(Change, CHANGE, mark)

    def moment(self, at: datetime) -> Any:  # noqa: ANN401 - a driver's word for a time
        """A time as the driver takes it."""
        return at if self._moment is None else self._moment(at)

    def form(self, table: type[Version]) -> tuple[Form, Rows]:
        """How rows of `table` are written: their values, and after these the `STAMPS`."""
        if table not in self._forms:
            form = Form(table, self._dialect)
            self._forms[table] = form, Rows(table, [*form.names, *STAMPS], self._mark)
        return self._forms[table]


@cache
def statements(dialect: Dialect) -> Statements:
    """The statements for a database; its engine has one dialect as long as it lives."""
    return Statements(dialect)


def processor(column: Column[Any], dialect: Dialect) -> Process | None:
    """What makes a value of the column one that the driver takes; None where it takes it as it is."""
    if isinstance(column.type, JSON):
        return _json  # a driver may have an object of its own for it, and here it has to wait as text
    if isinstance(column.type, Enum):
        return _word
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _json(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can say
    return None if value is None else orjson.dumps(value).decode()


def _word(value: Any) -> str | None:  # noqa: ANN401 - any of the enumerations, or its word
    return None if value is None else str(value)
