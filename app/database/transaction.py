"""The register's clock: every write takes the next `seq`, and every version is valid from one `seq` until another."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update
from sqlmodel import Session

from app.database.engine import Database, WritingSession, told
from app.database.row_encoding import Rows, statements
from app.database.snapshot import View
from app.database.tables import VERSIONED, Version, columns_of, table_of


class Log:
    """The pen of one writing transaction: it holds the clock, so `seq` has no gaps and no two writers share one.

    What it writes waits until somebody reads through `session` or `rows`, or until the transaction ends: so the driver
    gets it in its own words and many rows at once, and a write that is refused before that has left nothing behind.
    """

    def __init__(self, connection: Connection, actor: str, memory: dict[str, Any] | None = None) -> None:
        """Begin the transaction. `memory` is what the writes of this process remember between them."""
        self.actor = actor
        self.memory = {} if memory is None else memory
        self.wrote = False
        """Whether anything that was said since `begin` was handed to the database."""
        self._session = WritingSession(connection, autoflush=False, expire_on_commit=False)
        self._session.hand_over = self.flush  # also for whoever takes the session early
        self._dialect = connection.dialect
        self._driver: Any = connection.connection.driver_connection
        self._said = statements(self._dialect)
        self._waiting: list[tuple[Rows, Sequence[Any]]] = []
        self._mine = 0
        """How many of those that wait were said before `begin`."""
        seq, at = self._take_clock()
        self.seq: int = seq
        # The clock of the machine may be set back; the register's never is.
        self.at = max(moment_of(at), datetime.now(UTC))
        self._at = self._said.moment(self.at)
        self._began = self._stood = seq

    def _take_clock(self) -> tuple[int, Any]:
        """Wait until no other writer is at work: where the clock stands."""
        if self._said.postgresql:
            # The row lock makes writers queue here, before they read what they are about to change.
            statement = "SELECT seq, at FROM clock FOR UPDATE"
        else:
            statement = "SELECT seq, at FROM clock"
            if not self._driver.in_transaction:
                self._execute("BEGIN IMMEDIATE")
        stands: tuple[int, Any] = self._execute(statement).fetchone()
        return stands

    @property
    def session(self) -> Session:
        """The transaction, for what is not in a hurry."""
        self.flush()
        return self.lazy_session

    @property
    def lazy_session(self) -> Session:
        """The same, but what waits is only handed over when it is used."""
        return self._session

    @property
    def view(self) -> View:
        """The register as it stands inside this transaction."""
        return View(seq=self.seq, at=self.at, head=self.seq)

    def rows(self, statement: str, parameters: Sequence[Any] = (), *, waiting: bool = True) -> list[tuple[Any, ...]]:
        """The rows of a statement, its marks `?`, in the driver's own types; perhaps without those that still wait."""
        if waiting:
            self.flush()
        if self._said.postgresql:
            statement = statement.replace("?", "%s")
        found: list[tuple[Any, ...]] = self._execute(statement, parameters).fetchall()
        return found

    def begin(self, actor: str) -> None:
        """Go on for somebody else, in the same transaction."""
        self.actor, self.wrote, self._began, self._mine = actor, False, self.seq, len(self._waiting)

    def take_back(self) -> None:
        """Forget what was said since `begin`, none of which was handed to the database."""
        del self._waiting[self._mine :]
        if self.seq != self._began:
            self.seq = self._began
            self.memory.clear()
            self.flush()

    def record(
        self,
        table: type[Version],
        key: str,
        state: Mapping[str, Any],
        *,
        action: str,
        claim: str | None = None,
        reason: str | None = None,
        fresh: bool = False,
    ) -> int:
        """Take the next `seq` and make `state` the standing version of `key`; return its revision.

        A `fresh` key was made just now: nothing stands under it.
        """
        revision = 1 if fresh else self._revision(table, key) + 1
        self.seq += 1
        entry = (self.seq, self._at, KINDS[table], key, action, revision, claim, self.actor, reason)
        self._waiting.append((self._said.changes, entry))
        self.put(table, key, state, revision)
        return revision

    def put(self, table: type[Version], key: str, state: Mapping[str, Any], revision: int | None = None) -> None:
        """Make `state` the standing version of `key` under the entry recorded last: a claim carries its citations."""
        revision = revision or self._revision(table, key) + 1
        if revision > 1:
            self.close(table, key)
        form, rows = self._said.form(table)
        self._waiting.append((rows, [*form.values({**state, table.key_name: key}), revision, self.seq, self._at]))

    def close(self, table: type[Version], key: str) -> None:
        """End the standing version of `key` with the entry recorded last."""
        self.wrote = True
        closed = {"until_seq": self.seq, "recorded_until": self.at}
        self.session.execute(update(table_of(table)).where(*self._stands(table, key)).values(closed))

    def flush(self) -> None:
        """Hand over what is waiting."""
        if self._waiting:
            with self._at_once():
                self._hand_over()

    def _hand_over(self) -> None:
        """Changes first: the versions refer to them."""
        self.wrote = self.wrote or len(self._waiting) > self._mine
        by_table: dict[Rows, list[Sequence[Any]]] = {self._said.changes: []}
        for rows, values in self._waiting:
            by_table.setdefault(rows, []).append(values)
        self._waiting, self._mine = [], 0
        for rows, many in by_table.items():
            for statement, parameters in rows.inserts(many):
                self._execute(statement, parameters)

    def commit(self) -> None:
        """Hand over the rest, set the clock, and make all of it last."""
        with self._at_once():
            self._hand_over()
            if self.seq != self._stood:
                self._execute(self._said.clock, (self.seq, self._at))
            with self._faults("COMMIT"):
                self._driver.commit()

    def _execute(self, statement: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401 - a driver's cursor
        with self._faults(statement):
            return self._driver.execute(statement, parameters)

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """What is said inside goes to PostgreSQL without waiting for each answer."""
        if not self._said.postgresql:
            yield
            return
        with self._faults("pipeline"), self._driver.pipeline():
            yield

    @contextmanager
    def _faults(self, statement: str) -> Iterator[None]:
        """The driver's faults; see `told`."""
        kind = self._dialect.loaded_dbapi.Error
        try:
            yield
        except kind as wrong:
            raise told(self._dialect, statement, wrong) from wrong

    def _stands(self, table: type[Version], key: str) -> tuple[ColumnElement[bool], ...]:
        columns = columns_of(table)
        return columns[table.key_name] == key, columns.until_seq.is_(None)

    def _revision(self, table: type[Version], key: str) -> int:
        """The revision of `key` that stands, 0 if there is none."""
        stood = select(columns_of(table).revision).where(*self._stands(table, key))
        return self.session.execute(stood).scalar() or 0


def moment_of(at: Any) -> datetime:  # noqa: ANN401 - a driver's word for a time
    """A time as a driver hands it over: text on SQLite, in the server's zone on PostgreSQL."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at.astimezone(UTC)


@contextmanager
def writing(database: Database, actor: str) -> Iterator[Log]:
    """A writing transaction with its log: everything in the block is recorded, or nothing is."""
    with database.writer.connect() as connection:  # what is not committed is rolled back when it is given back
        log = Log(connection, actor)
        yield log
        log.commit()
    database.seen = max(database.seen, log.seq)


KINDS: dict[type[Version], str] = {table: kind for kind, table in VERSIONED.items()}
