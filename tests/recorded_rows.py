"""Records the same vocabulary in many registers: once by the application, then by inserting the rows that it wrote."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, insert, select, update
from sqlmodel import SQLModel

from app.database.engine import Database
from app.database.tables import ApiKey, Change, Clock, RegisterIdentity, columns_of, table_of
from tests.registers import Register

Rows = dict[Table, list[dict[str, Any]]]

_recorded: dict[tuple[str, str], Rows] = {}
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


def _read_rows(database: Database) -> Rows:
    """Return the rows that changes have written, in an order in which they can be inserted."""
    of_the_register = {table_of(ApiKey), table_of(Clock), table_of(RegisterIdentity)}
    tables = [table for table in SQLModel.metadata.sorted_tables if table not in of_the_register]
    with database.read() as session:
        rows = {table: [dict(row) for row in session.execute(select(table)).mappings()] for table in tables}
    return {table: found for table, found in rows.items() if found}


def _insert_rows(database: Database, rows: Rows) -> None:
    """Insert rows as if one transaction wrote them now."""
    now = datetime.now(UTC)
    seq = len(rows[table_of(Change)])
    with database.write() as session:
        connection = session.connection()
        for table, found in rows.items():
            written = [{k: now if isinstance(v, datetime) else v for k, v in row.items()} for row in found]
            connection.execute(insert(table), written)
            if database.dialect == "postgresql" and (key := table.autoincrement_column) is not None:
                latest = max(row[key.name] for row in found)
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', '{key.name}'), {latest})"
                )
        connection.execute(update(table_of(Clock)).values(seq=seq, at=now))
    database.latest_seq = seq
