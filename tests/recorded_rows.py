"""Records the same vocabulary in many registers: once by the application, then by inserting the rows that it wrote."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text, update
from sqlmodel import SQLModel

from app.database.engine import Database
from app.database.tables import (
    ApiKey,
    ClaimCount,
    ClaimCountState,
    Clock,
    EpochStart,
    RegisterIdentity,
    columns_of,
    table_of,
)
from tests.registers import Register

OF_THE_REGISTER = {
    table_of(each) for each in (ApiKey, ClaimCount, ClaimCountState, Clock, EpochStart, RegisterIdentity)
}
"""Tables whose rows are those of the register that the rows are inserted into."""


@dataclass(frozen=True)
class RecordedRows:
    """The rows that changes have written: as values on SQLite, as texts on PostgreSQL, which is faster there."""

    seq: int
    at: datetime
    values: dict[Table, list[dict[str, Any]]]
    texts: dict[Table, list[str]]


_recorded: dict[tuple[str, str], RecordedRows] = {}
"""The rows that a function has written, by its name and the dialect."""


def record_once(register: Register, record: Callable[[Register], None]) -> None:
    """Let `record` write vocabulary and topics, or insert the rows that it wrote into the first register of a dialect.

    It is called in any case if the register has changes already.
    """
    database = register.database
    name = (f"{record.__module__}.{record.__qualname__}", database.dialect)
    with database.read() as session:
        has_changes = session.execute(select(columns_of(Clock).seq)).scalar() != 0
    if not has_changes and name in _recorded:
        _insert_rows(database, _recorded[name])
        return
    record(register)
    if not has_changes:
        _recorded[name] = _read_rows(database)


def _read_rows(database: Database) -> RecordedRows:
    """Return the rows that changes have written, in an order in which they can be inserted."""
    tables = [table for table in SQLModel.metadata.sorted_tables if table not in OF_THE_REGISTER]
    with database.read() as session:
        seq, at = session.execute(select(columns_of(Clock).seq, columns_of(Clock).at)).one()
        found = {table: [dict(row) for row in session.execute(select(table)).mappings()] for table in tables}
        values = {table: rows for table, rows in found.items() if rows}
        texts: dict[Table, list[str]] = {}
        if database.dialect == "postgresql":
            for table in values:
                statement = text(f"SELECT row::text FROM {table.name} AS row")  # noqa: S608 - our own tables
                texts[table] = list(session.execute(statement).scalars())
    return RecordedRows(seq, at, values, texts)


def _insert_rows(database: Database, rows: RecordedRows) -> None:
    """Insert rows as if one transaction wrote them now."""
    now = datetime.now(UTC)
    with database.write() as session:
        connection = session.connection()
        if database.dialect == "postgresql":
            _insert_texts(connection, rows, now)
        else:
            for table, values in rows.values.items():
                written = [{k: now if isinstance(v, datetime) else v for k, v in row.items()} for row in values]
                connection.execute(insert(table), written)
        connection.execute(update(table_of(Clock)).values(seq=rows.seq, at=now))
    database.latest_seq = rows.seq


def _insert_texts(connection: Connection, rows: RecordedRows, now: datetime) -> None:
    sequences = []
    for table, texts in rows.texts.items():
        # All times of a row are that of the transaction.
        rows_of_now = f"replace(%s::text[]::text, %s::text, %s::text)::{table.name}[]"
        statement = f"INSERT INTO {table.name} SELECT * FROM unnest({rows_of_now})"  # noqa: S608 - our own tables
        connection.exec_driver_sql(statement, (texts, rows.at, now))
        if (key := table.autoincrement_column) is not None:
            latest = max(row[key.name] for row in rows.values[table])
            sequences.append(f"setval(pg_get_serial_sequence('{table.name}', '{key.name}'), {latest})")
    connection.exec_driver_sql(f"SELECT {', '.join(sequences)}")
