"""Classification of database errors: what is wrong with the server, as opposed to the request."""

import re
import sqlite3
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database.query_budget import QUERY_CANCELED, is_budget_exceeded


class DatabaseFault(StrEnum):
    """What is wrong with a database. The values are the reasons of `/health/ready`."""

    away = "away"
    """There is no connection: the server is down, refuses connections, or the file cannot be opened."""
    frozen = "frozen"
    """There is a connection, but no answer in time."""
    locked = "locked"
    """Another transaction holds a lock for longer than this one waits."""
    pool = "pool"
    """All connections of the pool are in use."""
    read_only = "read_only"
    """Reads work, writes are refused: a standby, a file without write permission."""
    full = "full"
    """The disk is full."""
    damaged = "damaged"
    """Pages of a file are damaged, or an index does not match its table."""
    schema = "schema"
    """The tables are not those of this release."""
    storage = "storage"
    """Files beside the database cannot be written."""
    lease = "lease"
    """The process cannot renew its lease, so that it may lack a takedown."""
    late = "late"
    """The statement exceeded the query budget: it took too long. See `app/database/query_budget.py`."""


SQLITE_FAULTS = {
    sqlite3.SQLITE_BUSY: DatabaseFault.locked,
    sqlite3.SQLITE_LOCKED: DatabaseFault.locked,
    sqlite3.SQLITE_PROTOCOL: DatabaseFault.locked,
    sqlite3.SQLITE_CORRUPT: DatabaseFault.damaged,
    sqlite3.SQLITE_NOTADB: DatabaseFault.damaged,
    sqlite3.SQLITE_FORMAT: DatabaseFault.damaged,
    sqlite3.SQLITE_READONLY: DatabaseFault.read_only,
    sqlite3.SQLITE_FULL: DatabaseFault.full,
    sqlite3.SQLITE_IOERR: DatabaseFault.away,
    sqlite3.SQLITE_CANTOPEN: DatabaseFault.away,
    sqlite3.SQLITE_INTERRUPT: DatabaseFault.late,
    sqlite3.SQLITE_SCHEMA: DatabaseFault.schema,
}
"""The faults by primary result code (sqlite.org/rescode.html)."""

MISSING_OBJECT = re.compile("no such (table|column|index)|has no column")
"""What SQLite says about a table or column that does not exist; its result code is the generic one."""

POSTGRESQL_FAULTS = {
    QUERY_CANCELED: DatabaseFault.late,
    "55P03": DatabaseFault.locked,
    "40001": DatabaseFault.locked,
    "40P01": DatabaseFault.locked,
    "25006": DatabaseFault.read_only,
    "25P03": DatabaseFault.frozen,  # the transaction was idle for too long, as this process was stopped
    "53100": DatabaseFault.full,
    "58P01": DatabaseFault.damaged,  # a file of a table is missing
    "XX001": DatabaseFault.damaged,
    "XX002": DatabaseFault.damaged,
    "42P01": DatabaseFault.schema,
    "42703": DatabaseFault.schema,
    "42704": DatabaseFault.schema,
    "3F000": DatabaseFault.schema,
}
"""The faults by SQLSTATE (appendix A of the manual of PostgreSQL)."""

POSTGRESQL_FAULT_CLASSES = {
    "08": DatabaseFault.away,
    "57": DatabaseFault.away,
    "53": DatabaseFault.away,
    "58": DatabaseFault.away,
    "3D": DatabaseFault.away,
    "28": DatabaseFault.away,
}
"""The faults by the first two characters of other SQLSTATEs."""

MISSING_PAGE = re.compile("could not (read|open|access) (block|file|status)|invalid page|unexpected (zero|data beyond)")
"""What PostgreSQL says about damaged pages under other SQLSTATEs than those of damage."""

FROZEN_CONNECTION = re.compile("timeout expired|timed out")


def classify(error: BaseException) -> DatabaseFault | None:
    """Return what is wrong with the database, or None if the error says nothing about that.

    It may be an exception of SQLAlchemy, of a driver, or any other one.
    """
    if isinstance(error, PoolTimeout):
        return DatabaseFault.pool
    driver_error = getattr(error, "orig", None) or error
    if not isinstance(error, SQLAlchemyError | sqlite3.Error) and not type(error).__module__.startswith("psycopg"):
        return None
    code = getattr(driver_error, "sqlite_errorcode", None)
    if isinstance(driver_error, sqlite3.Error):
        if code is None:
            return None
        if code == sqlite3.SQLITE_ERROR and MISSING_OBJECT.search(str(driver_error)):
            return DatabaseFault.schema
        return SQLITE_FAULTS.get(code & 0xFF)  # the primary code of an extended one
    return _classify_postgresql(error, driver_error)


ENDING_SEVERITIES = frozenset({"FATAL", "PANIC"})
"""Severities of an error of PostgreSQL after which the session, or the server, ends."""


def ends_session(error: BaseException) -> bool:
    """Return whether an error of PostgreSQL has ended the session, so that the outcome of its statement is unknown.

    A server that cannot write its write-ahead log reports a full disk and stops. The commit may be in the log by then.
    """
    diagnosis = getattr(getattr(error, "orig", None) or error, "diag", None)
    return getattr(diagnosis, "severity_nonlocalized", None) in ENDING_SEVERITIES


def _classify_postgresql(error: BaseException, driver_error: BaseException) -> DatabaseFault | None:
    state, message = getattr(driver_error, "sqlstate", None), str(driver_error)
    if MISSING_PAGE.search(message):
        return DatabaseFault.damaged
    if state == QUERY_CANCELED and not is_budget_exceeded(error):
        # The statement was late, see `DriverErrors`, or an administrator cancelled it.
        return DatabaseFault.frozen if getattr(driver_error, "is_late", False) else DatabaseFault.locked
    if state is not None:
        return POSTGRESQL_FAULTS.get(state) or POSTGRESQL_FAULT_CLASSES.get(state[:2])
    is_operational = any(base.__name__ == "OperationalError" for base in type(driver_error).__mro__)
    # libpq itself makes an error without SQLSTATE of a connection that is lost; psycopg has no class for it.
    is_lost = type(driver_error).__name__ == "DatabaseError"
    is_invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    if not (is_operational or is_lost or is_invalidated or isinstance(error, OperationalError)):
        return None
    return DatabaseFault.frozen if FROZEN_CONNECTION.search(message) else DatabaseFault.away
