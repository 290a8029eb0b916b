"""SQL for hot paths: SQLAlchemy Core, compiled once for each shape of statement and run by the driver.

In such a statement a value is a constant, which becomes part of the text, and `bindparam("name")` is a parameter. The
compiled text names its parameters in the driver's style, so that a request only hands over a mapping of values.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, cast

import orjson
from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    ClauseElement,
    ColumnElement,
    FromClause,
    Join,
    Select,
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
from sqlmodel import Session

MAX_COMPILED_STATEMENTS = 2_000

_NEW_LINE = re.compile(r"\s*\n\s*")


class _ConstantsInText(SQLCompiler):
    """Writes values into the text; only parameters without a value stay parameters."""

    def visit_bindparam(self, bindparam: BindParameter[Any], **options: Any) -> Any:  # type: ignore[override] # noqa: ANN401 - SQLAlchemy's own
        options["literal_binds"] = bindparam.value is not None
        return super().visit_bindparam(bindparam, **options)  # type: ignore[no-untyped-call]


class _SqliteCompiler(_ConstantsInText, SQLiteCompiler):
    """Knows index hints, and writes no `OFFSET 0` behind every LIMIT."""

    limit_clause = SQLCompiler.limit_clause

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:  # noqa: ARG002 - SQLAlchemy's own
        return text


class _PostgresCompiler(_ConstantsInText, PGCompiler_psycopg):
    pass


class _SqliteDialect(SQLiteDialect_pysqlite):
    statement_compiler = _SqliteCompiler
    supports_statement_cache = True


class _PostgresDialect(PGDialect_psycopg):
    statement_compiler = _PostgresCompiler
    supports_statement_cache = True


_DIALECTS = {"sqlite": _SqliteDialect(paramstyle="named"), "postgresql": _PostgresDialect()}  # type: ignore[no-untyped-call] # SQLAlchemy's own


class OrderedJoin(Join):
    """An inner join that SQLite runs in the order in which it is written (CROSS JOIN there means that)."""

    inherit_cache = True

    def __init__(self, left: FromClause, right: FromClause, on: ColumnElement[bool] | None = None) -> None:
        super().__init__(left, right, true() if on is None else on)


@compiles(OrderedJoin, "sqlite")
def _compile_ordered_join(join: OrderedJoin, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    options["asfrom"] = True
    left, right = (compiler.process(side, **options) for side in (join.left, join.right))
    return f"{left} CROSS JOIN {right} ON {compiler.process(cast('ColumnElement[bool]', join.onclause))}"


class InList(ColumnElement[bool]):
    """Whether a column is in the list that a parameter gives, however long it is."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], parameter: str) -> None:
        self.column = column
        self.parameter = parameter

    def self_group(self, against: Any = None) -> "InList":  # noqa: ANN401, ARG002 - SQLAlchemy's own
        """It is a condition as it stands: `= 1` behind it would keep SQLite from an index."""
        return self


@compiles(InList, "sqlite")
def _compile_in_json(element: InList, compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    values = func.json_each(bindparam(element.parameter)).table_valued("value")
    return compiler.process(element.column.in_(select(values.c.value)))


@compiles(InList, "postgresql")
def _compile_in_array(element: InList, compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return compiler.process(element.column == any_(bindparam(element.parameter, type_=ARRAY(element.column.type))))


def with_index(statement: Select[Any], table: FromClause, index: str) -> Select[Any]:
    """Make SQLite read `table` by this index, or refuse the statement. PostgreSQL chooses by itself."""
    return statement.with_hint(table, f"INDEXED BY {index}", "sqlite")


def compile_statement(statement: ClauseElement, dialect: str) -> str:
    """The text of a statement, in one line, as the driver takes it with a mapping of parameters."""
    return _NEW_LINE.sub(" ", str(statement.compile(dialect=_DIALECTS[dialect])))


@lru_cache(maxsize=MAX_COMPILED_STATEMENTS)
def compile_cached(statement: ClauseElement, dialect: str) -> str:
    """The same, remembered for this very object: for statements that are built once and kept."""
    return compile_statement(statement, dialect)


def fetch_rows(session: Session, statement: ClauseElement, parameters: Mapping[str, Any]) -> list[Any]:
    """The rows of a statement that is kept (see `compile_cached`), in the driver's own types.

    Types of our own cost more than the reading.
    """
    connection = session.connection()
    dialect = connection.dialect.name
    if dialect == "sqlite":
        parameters = {name: _encode_for_sqlite(value) for name, value in parameters.items()}
    return list(connection.exec_driver_sql(compile_cached(statement, dialect), dict(parameters)).all())


def _encode_for_sqlite(value: Any) -> Any:  # noqa: ANN401 - a day, a list for `InList`, or what the driver takes
    if isinstance(value, date):
        return value.isoformat()
    return orjson.dumps(value).decode() if isinstance(value, list) else value
