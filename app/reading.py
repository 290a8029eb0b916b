"""Reading in a hurry: one read transaction, and the driver's own rows instead of objects.

The few reads that every reader waits for go through here. Everything else has a session, which says more and costs
ten times as much.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Connection
from sqlmodel import Session

from app.budget import watch
from app.changes.clock import View, view_of
from app.db import Database


class Reading:
    """One unmoving picture of the register."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.database = database
        self.dialect = database.dialect
        self._connection = connection
        self.driver = cast("Any", connection.connection.driver_connection)
        # psycopg begins by itself; the pool rolls back what is given back to it.
        if self.dialect == "sqlite" and not self.driver.in_transaction:
            watch(self.driver)
            self.driver.execute("BEGIN")

    def rows(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement in the driver's own words (`?` on SQLite, `%s` on PostgreSQL) and types."""
        found: list[tuple[Any, ...]] = self.driver.execute(statement, parameters).fetchall()
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
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at.astimezone(UTC)
        return View(seq=head, at=moment, known_on=known_on, head=head)


@contextmanager
def reading(database: Database) -> Iterator[Reading]:
    """A read transaction; keep it short, and never hold one while sending an answer."""
    with database.reader.connect() as connection:
        yield Reading(database, connection)
