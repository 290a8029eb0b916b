"""Reading in a hurry: one read transaction, and the driver's own rows instead of objects.

The few reads that every reader waits for go through here. Everything else has a session, which says more and costs
ten times as much.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Connection
from sqlmodel import Session

from app.database.driver_errors import DriverErrors
from app.database.engine import Database
from app.database.query_budget import apply_budget
from app.database.snapshot import EPOCH, Snapshot, open_snapshot
from app.database.transaction import to_utc

BEGIN_READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
GENERIC_PLAN_SETTINGS = "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_sort = off; "
"""A plan for any value guesses wrong how many rows there are, so it must read them in the order that is asked for."""

SELECT_CLOCK = "SELECT seq, (extract(epoch FROM at) * 1000000)::bigint FROM clock"


class ReadSession:
    """One unmoving picture of the register."""

    def __init__(self, database: Database, connection: Connection, *, plan_once: bool = False) -> None:
        """With `plan_once` PostgreSQL plans a statement once for all values, except where `planned` is asked for."""
        self.database = database
        self._plan_once = plan_once
        self.dialect = database.dialect
        self._connection = connection
        self._dialect = connection.dialect
        self.driver = cast("Any", connection.connection.driver_connection)
        # psycopg begins by itself; the pool rolls back what is given back to it.
        if self.dialect == "sqlite" and not self.driver.in_transaction:
            apply_budget(self.driver)
            self.driver.execute("BEGIN")

    def fetch_rows(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, planned: bool = False
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement in the driver's own words (`?` on SQLite, `%s` on PostgreSQL) and types.

        `planned` lets PostgreSQL look at the values before it chooses its way, where it would not: see `plan_once`.
        """
        run = self._client_cursor.execute if planned and self._plan_once else self.driver.execute
        with DriverErrors(self._dialect, statement):
            found: list[tuple[Any, ...]] = run(statement, parameters).fetchall()
        return found

    def fetch_prepared(self, statement: str, parameter: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as the driver takes it
        """The rows of a long statement that is asked again and again, with one parameter (`?` on SQLite, else `$1`).

        psycopg would read it through for marks each time that it is sent, and the server plan it each time.
        """
        if self.dialect == "sqlite":
            return self.fetch_rows(statement, [parameter])
        from psycopg import RawCursor  # noqa: PLC0415 - SQLite needs no driver

        with DriverErrors(self._dialect, statement):
            cursor = RawCursor(self.driver)
            found: list[tuple[Any, ...]] = cursor.execute(statement, [parameter], prepare=True).fetchall()
        return found

    def copy_out(self, statement: str) -> list[bytes]:
        """The rows of a COPY of PostgreSQL."""
        rows: list[bytes] = []
        with DriverErrors(self._dialect, statement), self.driver.cursor() as cursor, cursor.copy(statement) as copy:
            rows += map(bytes, copy)
        return rows

    @cached_property
    def _client_cursor(self) -> Any:  # noqa: ANN401 - a cursor of the driver
        """Says statements with their values in them."""
        if self.dialect == "sqlite":
            return self.driver
        from psycopg import ClientCursor  # noqa: PLC0415 - SQLite needs no driver

        return ClientCursor(self.driver)

    @cached_property
    def session(self) -> Session:
        """The same transaction, for what is not in a hurry."""
        return Session(self._connection, autoflush=False, info={"database": self.database})

    def snapshot(self, as_of: str | None = None, *, known_on: date | None = None) -> Snapshot:
        """The register as it stands, or as it stood at `as_of`; see `open_snapshot`."""
        if as_of is not None:
            return open_snapshot(self.session, as_of, known_on=known_on)
        if self.dialect == "sqlite":
            head, at = self.fetch_rows("SELECT seq, at FROM clock")[0]
            at = to_utc(at)
        else:
            head, at = self._begin_and_read_clock()
        self.database.note_read(head)
        return Snapshot(seq=head, at=at, known_on=known_on, latest_seq=head)

    def _begin_and_read_clock(self) -> tuple[int, datetime]:
        """The clock of PostgreSQL, asked for with the words that begin the transaction: a round trip less."""
        server = self.driver.pgconn
        begin = "" if server.transaction_status else f"{BEGIN_READ_ONLY}; "
        with DriverErrors(self._dialect, SELECT_CLOCK):
            found = server.exec_(f"{begin}{GENERIC_PLAN_SETTINGS if self._plan_once else ''}{SELECT_CLOCK}".encode())
            if found.error_message:
                raise self._dialect.loaded_dbapi.OperationalError(found.error_message.decode().strip())
        return int(found.get_value(0, 0)), EPOCH + timedelta(microseconds=int(found.get_value(0, 1)))


@contextmanager
def read_session(database: Database, *, plan_once: bool = False) -> Iterator[ReadSession]:
    """A read transaction; keep it short, and never hold one while sending an answer."""
    with database.read_engine.connect() as connection:
        read = ReadSession(database, connection, plan_once=plan_once)
        yield read
        if read.dialect == "postgresql":
            read.driver.commit()  # psycopg forgets its prepared statements with a transaction that is rolled back
