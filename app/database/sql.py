"""SQL for hot paths: SQLAlchemy Core statements, compiled once per shape and executed by the driver.

In these statements a literal value is compiled into the text, and `bindparam("name")` is a parameter. The compiled text
has named placeholders in the style of the driver, so a request only passes a mapping of parameters.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Any, cast

import orjson
from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    ClauseElement,
    ColumnElement,
    DateTime,
    FromClause,
    Join,
    Select,
    TableValuedAlias,
    Text,
    any_,
    bindparam,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg, PGDialect_psycopg
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session

MAX_COMPILED_STATEMENTS = 500

VALUES_PER_QUERY = 500
"""Values in one query: far below the limit of either database, and enough to make the round trip cheap."""

_NEW_LINE = re.compile(r"\s*\n\s*")


class _ConstantsInText(SQLCompiler):
    """Compiles values as literals. Only `bindparam` without a value is compiled as a parameter."""

    def visit_bindparam(self, bindparam: BindParameter[Any], **options: Any) -> Any:  # type: ignore[override] # noqa: ANN401 - overrides SQLAlchemy
        options["literal_binds"] = bindparam.value is not None
        return super().visit_bindparam(bindparam, **options)  # type: ignore[no-untyped-call]


class _SqliteCompiler(_ConstantsInText, SQLiteCompiler):
    """Compiles index hints, and no `OFFSET 0` after LIMIT."""

    limit_clause = SQLCompiler.limit_clause

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:  # noqa: ARG002 - overrides SQLAlchemy
        return text


class _PostgresCompiler(_ConstantsInText, PGCompiler_psycopg):
    pass


class _SqliteDialect(SQLiteDialect_pysqlite):
    statement_compiler = _SqliteCompiler
    supports_statement_cache = True


class _PostgresDialect(PGDialect_psycopg):
    statement_compiler = _PostgresCompiler
    supports_statement_cache = True


_DIALECTS = {"sqlite": _SqliteDialect(paramstyle="named"), "postgresql": _PostgresDialect()}  # type: ignore[no-untyped-call] # untyped in SQLAlchemy


class OrderedJoin(Join):
    """An inner join that SQLite executes in the order of the statement, because it is compiled as CROSS JOIN."""

    inherit_cache = True

    def __init__(self, left: FromClause, right: FromClause, on: ColumnElement[bool] | None = None) -> None:
        super().__init__(left, right, true() if on is None else on)


@compiles(OrderedJoin, "sqlite")
def _compile_ordered_join(join: OrderedJoin, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - any option
    options["asfrom"] = True
    left, right = (compiler.process(side, **options) for side in (join.left, join.right))
    return f"{left} CROSS JOIN {right} ON {compiler.process(cast('ColumnElement[bool]', join.onclause))}"


class InList(ColumnElement[bool]):
    """The condition that a column is in a list parameter. The text of the statement does not depend on its length."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], parameter: str) -> None:
        self.column = column
        self.parameter = parameter

    def self_group(self, against: Any = None) -> "InList":  # noqa: ANN401, ARG002 - overrides SQLAlchemy
        """Return the condition itself. SQLAlchemy would append `= 1`, and SQLite would not use an index."""
        return self


@compiles(InList, "sqlite")
def _compile_in_json(element: InList, compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - any option
    values = func.json_each(bindparam(element.parameter)).table_valued("value")
    return compiler.process(element.column.in_(select(values.c.value)))


@compiles(InList, "postgresql")
def _compile_in_array(element: InList, compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - any option
    return compiler.process(element.column == any_(bindparam(element.parameter, type_=ARRAY(element.column.type))))


class _ListValues(FunctionElement[Any]):
    """The values of a list parameter, one a row."""

    inherit_cache = True


@compiles(_ListValues, "sqlite")
def _compile_json_each(element: _ListValues, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - any option
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_ListValues, "postgresql")
def _compile_unnest(element: _ListValues, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - any option
    return f"unnest({compiler.process(element.clauses, **options)})"


def list_rows(parameter: str) -> TableValuedAlias:
    """Return a list parameter of texts as a table with the column `value`. The text does not depend on its length."""
    # PostgreSQL names the only column of a function after its alias.
    return _ListValues(bindparam(parameter, type_=ARRAY(Text))).table_valued("value", name="value")


class MomentOf(FunctionElement[Any]):
    """A moment of RFC 3339 in a text column, or a parameter of type time, in a form that can be compared."""

    inherit_cache = True
    type = DateTime(timezone=True)


@compiles(MomentOf, "sqlite")
def _compile_julian_day(element: MomentOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - any option
    # SQLite accepts only uppercase letters in a time, and computes with milliseconds.
    return f"julianday(upper({compiler.process(element.clauses, **options)}))"


@compiles(MomentOf, "postgresql")
def _compile_timestamp(element: MomentOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - any option
    return f"CAST({compiler.process(element.clauses, **options)} AS timestamptz)"


def with_index(statement: Select[Any], table: FromClause, index: str) -> Select[Any]:
    """Return `statement` with an INDEXED BY hint for `table`. SQLite raises an error if it cannot use the index.

    PostgreSQL ignores the hint.
    """
    return statement.with_hint(table, f"INDEXED BY {index}", "sqlite")


def compile_statement(statement: ClauseElement, dialect: str) -> str:
    """Return the text of a statement on one line, with the named placeholders of the driver."""
    return _NEW_LINE.sub(" ", str(statement.compile(dialect=_DIALECTS[dialect])))


@lru_cache(maxsize=MAX_COMPILED_STATEMENTS)
def compile_cached(statement: ClauseElement, dialect: str) -> str:
    """Return the text of a statement, cached by statement object. Use it for statements that are reused."""
    return compile_statement(statement, dialect)


def fetch_rows(session: Session, statement: ClauseElement, parameters: Mapping[str, Any]) -> list[Any]:
    """Execute a reused statement (see `compile_cached`) and return its rows with the types of the driver.

    Result processing by SQLAlchemy would take longer than the query.
    """
    connection = session.connection()
    dialect = connection.dialect.name
    if dialect == "sqlite":
        parameters = {name: _encode_for_sqlite(value) for name, value in parameters.items()}
    return list(connection.exec_driver_sql(compile_cached(statement, dialect), dict(parameters)).all())


def batch_values(values: Iterable[str], size: int = VALUES_PER_QUERY) -> Iterator[list[str]]:
    """Yield the values in lists of at most `size`, each value once in a list."""
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield list(dict.fromkeys(batch))


def encode_list(values: Iterable[str], dialect: str) -> Any:  # noqa: ANN401 - a driver value
    """Return a list as the driver value of the parameter of `InList`."""
    return orjson.dumps(list(values)).decode() if dialect == "sqlite" else list(values)


def _encode_for_sqlite(value: Any) -> Any:  # noqa: ANN401 - a date, a list for `InList`, or a driver value
    if isinstance(value, date):
        return value.isoformat()
    return orjson.dumps(value).decode() if isinstance(value, list) else value
