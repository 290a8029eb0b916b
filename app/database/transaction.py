"""The register's clock: every write takes the next `seq`, and every version is valid from one `seq` until another."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ClauseElement, ColumnElement, Connection, select, update
from sqlmodel import Session

from app.database.driver_errors import DriverErrors
from app.database.engine import Database, WriteSession
from app.database.row_encoding import MultiRowInsert, dialect_statements
from app.database.snapshot import Snapshot
from app.database.sql import compile_cached
from app.database.tables import VERSION_TABLES, Version, columns_of, table_of


class WriteTransaction:
    """The pen of one writing transaction: it holds the clock, so `seq` has no gaps and no two writers share one.

    Rows are held back until something is read through `session` or `fetch_rows`, or until the transaction ends. The
    driver then gets many rows at once, and a write that is refused before that has sent nothing to the database.
    """

    def __init__(self, connection: Connection, actor: str, memory: dict[str, Any] | None = None) -> None:
        """Begin the transaction. `memory` is what the writes of this process remember between them."""
        self.actor = actor
        self.process_cache = {} if memory is None else memory
        self.has_flushed = False
        """Whether anything that was said since `begin_write` was handed to the database."""
        self._session = WriteSession(connection, autoflush=False, expire_on_commit=False)
        self._session.before_execute = self.flush  # also for whoever takes the session early
        self._dialect = connection.dialect
        self._driver: Any = connection.connection.driver_connection
        self._statements = dialect_statements(self._dialect)
        self._pending: list[tuple[MultiRowInsert, Sequence[Any]]] = []
        self._pending_before = 0
        """How many of those that wait were said before `begin_write`."""
        seq, at = self._lock_clock()
        self.seq: int = seq
        # The clock of the machine may be set back; the register's never is.
        self.at = max(to_utc(at), datetime.now(UTC))
        self._encoded_at = self._statements.encode_datetime(self.at)
        self._seq_before_write = self._seq_at_start = seq

    def _lock_clock(self) -> tuple[int, Any]:
        """Wait until no other writer is at work: where the clock stands."""
        if self._statements.postgresql:
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
    def snapshot(self) -> Snapshot:
        """The register as it stands inside this transaction."""
        return Snapshot(seq=self.seq, at=self.at, latest_seq=self.seq)

    def fetch_rows(
        self, statement: ClauseElement, parameters: Mapping[str, Any], *, waiting: bool = True
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement that is kept (see `compile_cached`), in the driver's own types.

        They are perhaps without those that still wait.
        """
        if waiting:
            self.flush()
        text = compile_cached(statement, self._dialect.name)
        found: list[tuple[Any, ...]] = self._execute(text, parameters).fetchall()
        return found

    def begin_write(self, actor: str) -> None:
        """Go on for somebody else, in the same transaction."""
        self.actor, self.has_flushed, self._seq_before_write, self._pending_before = (
            actor,
            False,
            self.seq,
            len(self._pending),
        )

    def discard_write(self) -> None:
        """Forget what was said since `begin_write`, none of which was handed to the database."""
        del self._pending[self._pending_before :]
        if self.seq != self._seq_before_write:
            self.seq = self._seq_before_write
            self.process_cache.clear()
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
        revision = 1 if fresh else self._current_revision(table, key) + 1
        self.seq += 1
        entry = (self.seq, self._encoded_at, KIND_BY_TABLE[table], key, action, revision, claim, self.actor, reason)
        self._pending.append((self._statements.insert_changes, entry))
        self.add_version(table, key, state, revision)
        return revision

    def add_version(
        self, table: type[Version], key: str, state: Mapping[str, Any], revision: int | None = None
    ) -> None:
        """Make `state` the standing version of `key` under the entry recorded last: a claim carries its citations."""
        revision = revision or self._current_revision(table, key) + 1
        if revision > 1:
            self.close_version(table, key)
        form, rows = self._statements.for_table(table)
        self._pending.append(
            (rows, [*form.encode({**state, table.key_name: key}), revision, self.seq, self._encoded_at])
        )

    def close_version(self, table: type[Version], key: str) -> None:
        """End the standing version of `key` with the entry recorded last."""
        self.has_flushed = True
        closed = {"until_seq": self.seq, "recorded_until": self.at}
        self.session.execute(update(table_of(table)).where(*self._is_current(table, key)).values(closed))

    def flush(self) -> None:
        """Hand over what is waiting."""
        if self._pending:
            with self._pipeline():
                self._send_pending()

    def _send_pending(self) -> None:
        """Changes first: the versions refer to them."""
        self.has_flushed = self.has_flushed or len(self._pending) > self._pending_before
        by_table: dict[MultiRowInsert, list[Sequence[Any]]] = {self._statements.insert_changes: []}
        for rows, values in self._pending:
            by_table.setdefault(rows, []).append(values)
        self._pending, self._pending_before = [], 0
        for rows, many in by_table.items():
            for statement, parameters in rows.build_statements(many):
                self._execute(statement, parameters)

    def commit(self) -> None:
        """Hand over the rest, set the clock, and make all of it last."""
        with self._pipeline():
            self._send_pending()
            if self.seq != self._seq_at_start:
                self._execute(self._statements.update_clock, (self.seq, self._encoded_at))
            with DriverErrors(self._dialect, "COMMIT"):
                self._driver.commit()

    def _execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:  # noqa: ANN401 - a driver's cursor
        with DriverErrors(self._dialect, statement):
            return self._driver.execute(statement, parameters)

    @contextmanager
    def _pipeline(self) -> Iterator[None]:
        """What is said inside goes to PostgreSQL without waiting for each answer."""
        if not self._statements.postgresql:
            yield
            return
        with DriverErrors(self._dialect, "pipeline"), self._driver.pipeline():
            yield

    def _is_current(self, table: type[Version], key: str) -> tuple[ColumnElement[bool], ...]:
        columns = columns_of(table)
        return columns[table.key_name] == key, columns.until_seq.is_(None)

    def _current_revision(self, table: type[Version], key: str) -> int:
        """The revision of `key` that stands, 0 if there is none."""
        stood = select(columns_of(table).revision).where(*self._is_current(table, key))
        return self.session.execute(stood).scalar() or 0


def to_utc(at: Any) -> datetime:  # noqa: ANN401 - a driver's word for a time
    """A time as a driver hands it over: text on SQLite, in the server's zone on PostgreSQL."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at.astimezone(UTC)


@contextmanager
def write_transaction(database: Database, actor: str) -> Iterator[WriteTransaction]:
    """A writing transaction with its log: everything in the block is recorded, or nothing is."""
    with database.write_engine.connect() as connection:  # what is not committed is rolled back when it is given back
        log = WriteTransaction(connection, actor)
        yield log
        log.commit()
    database.latest_seq = max(database.latest_seq, log.seq)


KIND_BY_TABLE: dict[type[Version], str] = {table: kind for kind, table in VERSION_TABLES.items()}
