"""Read transactions for hot paths: raw driver rows instead of ORM objects, about ten times faster.

Other reads use an ordinary session (`Database.read`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.database.driver_errors import DriverErrors
from app.database.engine import Database
from app.database.query_budget import apply_budget
from app.database.server_settings import BEGIN_READ_ONLY, BEGIN_STATEMENT, begin_transaction, execute
from app.database.snapshot import EPOCH, Snapshot, build_snapshot, open_snapshot
from app.database.transaction import to_utc

GENERIC_PLAN_SETTINGS = "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_sort = off; "
"""A generic plan misestimates the number of rows, so sorts are discouraged: it must read an index in the sort order."""

LATEST_SEQ = "(SELECT seq FROM clock)"
"""The last column of the rows of `fetch_current`."""

SELECT_CLOCK = "SELECT seq, (extract(epoch FROM at) * 1000000)::bigint FROM clock"


class ReadSession:
    """A read transaction on one snapshot of the database, which returns driver rows."""

    def __init__(self, database: Database, connection: Connection, *, generic_plan: bool = False) -> None:
        """Begin the transaction.

        Args:
            database: The database of the connection.
            connection: A connection of the read engine.
            generic_plan: Whether PostgreSQL uses generic plans, except for statements with `custom_plan`.
        """
        self.database = database
        self._generic_plan = generic_plan
        self.dialect = database.dialect
        self._connection = connection
        self._dialect = connection.dialect
        self.driver = cast("Any", connection.connection.driver_connection)
        self._begin: str | None = connection.info.get(BEGIN_STATEMENT)
        """What begins a transaction behind a pooler; None for a direct connection."""
        # psycopg begins a transaction implicitly, unless behind a pooler. The pool rolls back a connection that is
        # returned to it.
        if self.dialect == "sqlite" and not self.driver.in_transaction:
            apply_budget(self.driver)
            self.driver.execute("BEGIN")

    def fetch_rows(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, custom_plan: bool = False
    ) -> list[tuple[Any, ...]]:
        """Execute a statement with driver placeholders (`?` on SQLite, `%s` on PostgreSQL) and return its rows.

        With `custom_plan`, PostgreSQL plans the statement for these parameters even if the session uses generic plans.
        """
        cursor = self._client_cursor if custom_plan and self._generic_plan else self.driver
        with DriverErrors(self._dialect, statement):
            if self._begin is not None:
                begin_transaction(self._connection)
            rows: list[tuple[Any, ...]] = cursor.execute(statement, parameters).fetchall()
        return rows

    def fetch_prepared(self, statement: str, parameter: Any, *, prepare: bool = True) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any type of the driver
        """Execute a long, frequent statement with one parameter (`?` on SQLite, `$1` on PostgreSQL); return its rows.

        It is prepared on PostgreSQL, so that psycopg does not parse its placeholders and the server does not plan it
        again at each execution. Set `prepare` to False for a statement whose text differs each time.
        """
        if self.dialect == "sqlite":
            return self.fetch_rows(statement, [parameter])
        from psycopg import RawCursor  # noqa: PLC0415 - not needed on SQLite

        with DriverErrors(self._dialect, statement):
            if self._begin is not None:
                begin_transaction(self._connection)
            cursor = RawCursor(self.driver)
            rows: list[tuple[Any, ...]] = cursor.execute(statement, [parameter], prepare=prepare).fetchall()
        return rows

    def copy_out(self, statement: str) -> list[bytes]:
        """Execute a `COPY ... TO STDOUT` on PostgreSQL and return its blocks of data."""
        rows: list[bytes] = []
        if self._begin is not None:
            begin_transaction(self._connection)
        with DriverErrors(self._dialect, statement), self.driver.cursor() as cursor, cursor.copy(statement) as copy:
            rows += map(bytes, copy)
        return rows

    @cached_property
    def _client_cursor(self) -> Any:  # noqa: ANN401 - a cursor of the driver
        """Return a cursor that sends parameters as literals in the statement, so that PostgreSQL plans for them."""
        if self.dialect == "sqlite":
            return self.driver
        from psycopg import ClientCursor  # noqa: PLC0415 - not needed on SQLite

        return ClientCursor(self.driver)

    @cached_property
    def session(self) -> Session:
        """Return an ORM session in the same transaction."""
        return Session(self._connection, autoflush=False, info={"database": self.database})

    def snapshot(self, as_of: str | None = None, *, known_on: date | datetime | None = None) -> Snapshot:
        """Return the current snapshot, or the snapshot at `as_of`; see `open_snapshot`."""
        if as_of is not None:
            return open_snapshot(self.session, as_of, known_on=known_on)
        if self.dialect == "sqlite":
            latest_seq, at = self.fetch_rows("SELECT seq, at FROM clock")[0]
            at = to_utc(at)
        else:
            latest_seq, at = self._begin_and_read_clock()
        self.database.note_read(latest_seq)
        return build_snapshot(latest_seq, at, latest_seq, known_on=known_on)

    def _begin_and_read_clock(self) -> tuple[int, datetime]:
        """Begin the transaction on PostgreSQL and read the clock in one round trip."""
        begin = "" if self.driver.pgconn.transaction_status else f"{self._begin or BEGIN_READ_ONLY}; "
        plan_settings = GENERIC_PLAN_SETTINGS if self._generic_plan else ""
        with DriverErrors(self._dialect, SELECT_CLOCK):
            result = execute(self.driver, f"{begin}{plan_settings}{SELECT_CLOCK}")
        return int(result.get_value(0, 0)), EPOCH + timedelta(microseconds=int(result.get_value(0, 1)))


def fetch_current(database: Database, statement: str, parameter: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any type of the driver
    """Execute one statement on the current state, as `ReadSession.fetch_prepared` does, and return its rows.

    One statement sees one snapshot, so that it needs no transaction: neither its own statements on SQLite, nor its
    round trips to PostgreSQL. The last column has to be `LATEST_SEQ`. No rows: ask a `ReadSession`.
    """
    if database.dialect == "sqlite" and database.replica is not None:
        return []  # the state of a copy is checked in a transaction
    if database.dialect == "sqlite":
        rows = _fetch_from_file(database, statement, parameter)
    else:
        with _connection(database) as connection:
            rows = _fetch_from_server(database, connection, statement, parameter)
    if rows:
        database.note_read(rows[0][-1])
    return rows


def _fetch_from_file(database: Database, statement: str, parameter: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as above
    """Execute a statement on SQLite. A connection of the pool is taken without one of SQLAlchemy around it."""
    engine = database.read_engine
    with DriverErrors(engine.dialect, statement), closing(engine.raw_connection()) as connection:
        driver = cast("Any", connection.driver_connection)
        apply_budget(driver)
        rows: list[tuple[Any, ...]] = driver.execute(statement, [parameter]).fetchall()
    return rows


def _fetch_from_server(
    database: Database,
    connection: Connection,
    statement: str,
    parameter: Any,  # noqa: ANN401 - as above
) -> list[tuple[Any, ...]]:
    """Execute a statement on PostgreSQL, without a transaction unless the connection needs or has one.

    Behind a pooler a transaction begins with the settings of the connection, on a replica with a check of its state.
    """
    read = ReadSession(database, connection)
    if connection.info.get(BEGIN_STATEMENT) is not None or read.driver.pgconn.transaction_status:
        rows = read.fetch_prepared(statement, parameter)
        with DriverErrors(connection.dialect, "COMMIT"):
            read.driver.commit()
        return rows
    with DriverErrors(connection.dialect, statement):
        read.driver.autocommit = True
    try:
        return read.fetch_prepared(statement, parameter)
    finally:
        # The driver refuses to change a connection whose statement was cut off, which would hide why it was.
        if not read.driver.pgconn.transaction_status:
            read.driver.autocommit = False


@contextmanager
def read_session(database: Database, *, generic_plan: bool = False) -> Iterator[ReadSession]:
    """Open a read session. Keep it short, and do not hold it open while a response is sent."""
    with _connection(database) as connection:
        read = ReadSession(database, connection, generic_plan=generic_plan)
        yield read
        if read.dialect == "postgresql":
            with DriverErrors(connection.dialect, "COMMIT"):
                read.driver.commit()  # a rollback would clear the prepared statements of psycopg


@contextmanager
def _connection(database: Database) -> Iterator[Connection]:
    """Take a connection for reads from the pool."""
    with database.connect_for_reads() as connection:
        try:
            yield connection
        except DBAPIError:
            if database.dialect == "postgresql" and cast("Any", connection.connection.driver_connection).closed:
                # The server was restarted: the idle connections of the pool are lost, too.
                connection.invalidate()
                connection.engine.dispose()
            raise
