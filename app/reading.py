"""Reading in a hurry: one read transaction, and the driver's own rows instead of objects.

The few reads that every reader waits for go through here. Everything else has a session, which says more and costs
ten times as much.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Connection
from sqlmodel import Session

from app.budget import watch
from app.changes.clock import View, moment_of, view_of
from app.db import Database, told


class Reading:
    """One unmoving picture of the register."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.database = database
        self.dialect = database.dialect
        self._connection = connection
        self._fault: type[Exception] = connection.dialect.loaded_dbapi.Error
        self.driver = cast("Any", connection.connection.driver_connection)
        # psycopg begins by itself; the pool rolls back what is given back to it.
        if self.dialect == "sqlite" and not self.driver.in_transaction:
            watch(self.driver)
            self.driver.execute("BEGIN")

    def rows(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement in the driver's own words (`?` on SQLite, `%s` on PostgreSQL) and types."""
        try:
            found: list[tuple[Any, ...]] = self.driver.execute(statement, parameters).fetchall()
        except self._fault as wrong:
            raise told(self._connection.dialect, statement, wrong) from wrong
        return found

    def prepared(self, statement: str, parameter: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as the driver takes it
        """The rows of a long statement that is asked again and again, with one parameter (`?` on SQLite, else `$1`).

        psycopg would read it through for marks each time that it is sent, and the server plan it each time.
        """
        if self.dialect == "sqlite":
            return self.rows(statement, [parameter])
        from psycopg import RawCursor  # noqa: PLC0415 - SQLite needs no driver

        try:
            cursor = RawCursor(self.driver)
            found: list[tuple[Any, ...]] = cursor.execute(statement, [parameter], prepare=True).fetchall()
        except self._fault as wrong:
            raise told(self._connection.dialect, statement, wrong) from wrong
        return found

    @cached_property
    def session(self) -> Session:
        """The same transaction, for what is not in a hurry."""
        return Session(self._connection, autoflush=False, info={"database": self.database})

    def view(self, as_of: str | None = None, *, known_on: date | None = None) -> View:
        """The register as it stands, or as it stood at `as_of`; see `view_of`."""
        if as_of is not None:
            return view_of(self.session, as_of, known_on=known_on)
        head, at = self.rows("SELECT seq, at FROM clock")[0]
        self.database.saw(head)
        return View(seq=head, at=moment_of(at), known_on=known_on, head=head)


@contextmanager
def reading(database: Database) -> Iterator[Reading]:
    """A read transaction; keep it short, and never hold one while sending an answer."""
    with database.reader.connect() as connection:
        read = Reading(database, connection)
        yield read
        if (
            read.dialect == "postgresql"
        ):  # psycopg forgets its prepared statements with a transaction that is rolled back
            read.driver.commit()
