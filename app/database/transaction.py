"""Write transactions. A change takes the next `seq`, and a version is valid from its `seq` to its `until_seq`."""

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import ClauseElement, ColumnElement, Connection, Select, bindparam, select, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.database.driver_errors import DriverErrors
from app.database.engine import Database, WriteSession, note_request_state
from app.database.epochs import Epoch
from app.database.faults import DatabaseFault, classify, ends_session
from app.database.lost_commits import LOCK_CLOCK, CommitOutcome, find_outcome, not_recorded, outcome_unknown
from app.database.question_keys import SELECT_QUESTION, question_key
from app.database.row_encoding import MultiRowInsert, dialect_statements
from app.database.server_settings import begin_transaction, is_pooled
from app.database.snapshot import Snapshot
from app.database.sql import compile_cached
from app.database.tables import QUESTION_COLUMNS, VERSION_TABLES, ClaimVersion, Version, columns_of, table_of

SELECT_EPOCH = "SELECT number, timeline FROM epoch ORDER BY number DESC LIMIT 1"
SELECT_EPOCHS = "SELECT number, forked_seq, at FROM epoch ORDER BY number"
INSERT_EPOCH = "INSERT INTO epoch (number, forked_seq, at, timeline) VALUES (%s, %s, %s, %s)"

TIMELINE = "timeline"
"""The key in the cache of a process of the timeline for which the register has an epoch."""

logger = logging.getLogger(__name__)

MARKS_KEPT = 10_000
"""The number of latest changes whose commit marks are not deleted. At most twice as many are in the table."""

_commit_steps: "list[tuple[int, Callable[[WriteTransaction], None]]]" = []


class WriteTransaction:
    """A write transaction. It locks the clock row, so sequence numbers have no gaps and are unique.

    Rows are buffered until a read through `session` or `fetch_rows`, or until the commit. They are then inserted by few
    statements, and a write that is refused before that has not changed the database.
    """

    def __init__(self, connection: Connection, actor: str, process_cache: dict[str, Any] | None = None) -> None:
        """Begin the transaction and lock the clock. Write transactions of a process may share `process_cache`."""
        self.actor = actor
        self.process_cache = {} if process_cache is None else process_cache
        self.has_flushed = False
        """Whether rows or statements since `begin_write` were sent to the database."""
        self._session = WriteSession(connection, autoflush=False, expire_on_commit=False)
        self._session.before_execute = self.flush  # also if the session is obtained before rows are buffered
        self._dialect = connection.dialect
        self._driver: Any = connection.connection.driver_connection
        self._connection = connection
        self._statements = dialect_statements(self._dialect)
        self._pending: list[tuple[MultiRowInsert, Sequence[Any]]] = []
        self._questions: dict[str, int] = {}
        """The keys of the questions of claims that were changed in this transaction."""
        self._pending_before = 0
        """The number of pending rows at the last `begin_write`."""
        self.epochs: list[Epoch] = []
        """All epochs, if one begins with this transaction, the first one after a standby of PostgreSQL was promoted."""
        self._timeline = ""
        """The timeline of PostgreSQL, which is another one after a standby was promoted."""
        self._mark: int | None = None
        """What the transaction leaves under its last `seq` on PostgreSQL (see `app/database/lost_commits.py`)."""
        seq, at = self._lock_clock()
        self.seq: int = seq
        # The system clock may be set back, but times in the change log never decrease.
        self.at = max(to_utc(at), datetime.now(UTC))
        self._encoded_at = self._statements.encode_datetime(self.at)
        self._seq_before_write = self._seq_at_start = seq

    def _lock_clock(self) -> tuple[int, Any]:
        """Wait for the lock of the clock row and return its `seq` and `at`."""
        if self._statements.postgresql:
            # The row lock makes writers queue here, before they read the rows that they change.
            with DriverErrors(self._dialect, "BEGIN"):
                begin_transaction(self._connection)
            seq, at, self._timeline = self._execute(LOCK_CLOCK).fetchone()
            if self.process_cache.get(TIMELINE) != self._timeline:
                self._begin_epoch_if_forked(seq)
            return seq, at
        if not self._driver.in_transaction:
            self._execute("BEGIN IMMEDIATE")
        clock: tuple[int, Any] = self._execute("SELECT seq, at FROM clock").fetchone()
        return clock

    def _begin_epoch_if_forked(self, seq: int) -> None:
        """Begin an epoch after `seq` if a standby was promoted: it may not have received what came after."""
        number, timeline = self._execute(SELECT_EPOCH).fetchone()
        if timeline is None:
            self._execute("UPDATE epoch SET timeline = %s WHERE number = %s", (self._timeline, number))
        elif timeline != self._timeline:
            self._execute(INSERT_EPOCH, (number + 1, seq, datetime.now(UTC), self._timeline))
            self.epochs = [Epoch(*row) for row in self._execute(SELECT_EPOCHS).fetchall()]
            logger.warning("a standby of PostgreSQL was promoted: epoch %s begins after seq %s", number + 1, seq)
        self.process_cache[TIMELINE] = self._timeline

    @property
    def session(self) -> Session:
        """Flush the pending rows and return an ORM session in this transaction."""
        self.flush()
        return self.lazy_session

    @property
    def lazy_session(self) -> Session:
        """Return the session without a flush. It flushes the pending rows when it executes a statement."""
        return self._session

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL."""
        return self._statements.postgresql

    @property
    def snapshot(self) -> Snapshot:
        """Return the current snapshot inside this transaction."""
        return Snapshot(seq=self.seq, at=self.at, latest_seq=self.seq)

    def fetch_rows(
        self, statement: ClauseElement, parameters: Mapping[str, Any], *, flush: bool = True
    ) -> list[tuple[Any, ...]]:
        """Execute a reused statement (see `compile_cached`) and return its rows with the types of the driver.

        Without `flush`, the statement does not see pending rows.
        """
        if flush:
            self.flush()
        text = compile_cached(statement, self._dialect.name)
        rows: list[tuple[Any, ...]] = self._execute(text, parameters).fetchall()
        return rows

    def follow(self, seq: int, at: datetime) -> None:
        """Set the clock to that of the register whose changes were copied in this transaction."""
        self.seq, self.at = seq, at
        self._encoded_at = self._statements.encode_datetime(at)

    def begin_write(self, actor: str) -> None:
        """Begin the next write of a group commit, for another actor in the same transaction."""
        self.actor = actor
        self.has_flushed = False
        self._seq_before_write = self.seq
        self._pending_before = len(self._pending)

    def discard_write(self) -> None:
        """Discard the pending rows since `begin_write`. Call it only if `has_flushed` is false."""
        del self._pending[self._pending_before :]
        self._questions.clear()
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
        is_new_key: bool = False,
    ) -> int:
        """Record a change under the next `seq`, with `state` as the current version of `key`; return its revision.

        `is_new_key` says that the key was just generated, so that no current version is looked up.
        """
        revision = 1 if is_new_key else self._current_revision(table, key) + 1
        self.seq += 1
        question = None if claim is None else self._find_question(table, state, claim)
        kind = KIND_BY_TABLE[table]
        entry = (self.seq, self._encoded_at, kind, key, action, revision, claim, self.actor, reason, question)
        self._pending.append((self._statements.insert_changes, entry))
        self.add_version(table, key, state, revision)
        return revision

    def _find_question(self, table: type[Version], state: Mapping[str, Any], claim: str) -> int:
        """Return the key of the question of a claim: that of its new version, or of its current one."""
        if table is ClaimVersion:
            self._questions[claim] = question_key(*(state[name] for name in QUESTION_COLUMNS))
        elif claim not in self._questions:
            (question,) = self.fetch_rows(SELECT_QUESTION, {"claim": claim})
            self._questions[claim] = question_key(*question)
        return self._questions[claim]

    def add_version(
        self, table: type[Version], key: str, state: Mapping[str, Any], revision: int | None = None
    ) -> None:
        """Make `state` the current version of `key`, under the `seq` of the latest change.

        A change of a claim can thus include versions of its citations.
        """
        revision = revision or self._current_revision(table, key) + 1
        if revision > 1:
            self.close_version(table, key)
        encoder, insert = self._statements.for_table(table)
        values = encoder.encode({**state, table.key_name: key})
        self._pending.append((insert, [*values, revision, self.seq, self._encoded_at]))

    def close_version(self, table: type[Version], key: str) -> None:
        """Close the current version of `key` at the `seq` of the latest change."""
        self.has_flushed = True
        closed = {"until_seq": self.seq, "recorded_until": self.at}
        self.session.execute(update(table_of(table)).where(*self._is_current(table, key)).values(closed))

    def flush(self) -> None:
        """Insert the pending rows."""
        if self._pending:
            with self._pipeline():
                self._send_pending()

    def _send_pending(self) -> None:
        """Insert the pending rows: changes first, because versions have a foreign key to them."""
        self.has_flushed = self.has_flushed or len(self._pending) > self._pending_before
        by_table: dict[MultiRowInsert, list[Sequence[Any]]] = {self._statements.insert_changes: []}
        for insert, values in self._pending:
            by_table.setdefault(insert, []).append(values)
        self._pending, self._pending_before = [], 0
        for insert, rows in by_table.items():
            for statement, parameters in insert.build_statements(rows):
                self._execute(statement, parameters)

    def commit_or_find_out(self, database: Database) -> None:
        """Commit. If the answer of the database is lost, find out whether the transaction is recorded.

        Raises:
            DBAPIError: The database refused the commit. Nothing is recorded.
            Unavailable: The answer was lost. Nothing is recorded.
            OutcomeUnknown: The answer was lost, and the database did not say in time whether it is recorded.
        """
        try:
            self.commit()
        except DBAPIError as error:
            if classify(error) not in {DatabaseFault.away, DatabaseFault.frozen} and not ends_session(error):
                raise
            self._connection.invalidate()
            database.close_idle_connections()
            outcome = CommitOutcome.unknown
            if self._statements.postgresql and self._mark is None and self.seq != self._seq_at_start:
                outcome = CommitOutcome.not_recorded  # the commit was not sent
            elif self._mark is not None:
                outcome = find_outcome(database, self.seq, self._mark, self._timeline)
            if outcome is CommitOutcome.recorded:
                return
            raise (not_recorded() if outcome is CommitOutcome.not_recorded else outcome_unknown()) from error

    def commit(self) -> None:
        """Insert the pending rows, update the clock and commit."""
        for interval, step in _commit_steps:
            if self.seq // interval != self._seq_at_start // interval:
                step(self)
        with self._pipeline():
            self._send_pending()
            if self.seq != self._seq_at_start:
                self._execute(self._statements.update_clock, (self.seq, self._encoded_at))
                self._leave_mark()
            with DriverErrors(self._dialect, "COMMIT"):
                self._driver.commit()

    def _leave_mark(self) -> None:
        """Leave a mark, by which the transaction is recognized if the answer to its commit is lost."""
        if not self._statements.postgresql:
            return
        self._mark = secrets.randbits(63)
        self._execute("INSERT INTO commit_mark (seq, mark) VALUES (%s, %s)", (self.seq, self._mark))
        if self.seq // MARKS_KEPT != self._seq_at_start // MARKS_KEPT:
            self._execute("DELETE FROM commit_mark WHERE seq <= %s", (self.seq - MARKS_KEPT,))

    def _execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:  # noqa: ANN401 - a driver's cursor
        with DriverErrors(self._dialect, statement):
            return self._driver.execute(statement, parameters)

    @contextmanager
    def _pipeline(self) -> Iterator[None]:
        """Use the pipeline mode of PostgreSQL in the block: statements are sent without waiting for the results.

        Not behind a pooler, which may give the session to another client before the last result (decision 73).
        """
        if not self._statements.postgresql or is_pooled(self._connection):
            yield
            return
        with DriverErrors(self._dialect, "pipeline"), self._driver.pipeline():
            yield

    def _is_current(self, table: type[Version], key: str) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions that select the current version of `key`."""
        columns = columns_of(table)
        return columns[table.key_name] == key, columns.until_seq.is_(None)

    def _current_revision(self, table: type[Version], key: str) -> int:
        """Return the revision of the current version of `key`, or 0 if there is none."""
        return self.session.execute(_select_current_revision(table), {"key": key}).scalar() or 0


@cache
def _select_current_revision(table: type[Version]) -> Select[Any]:
    columns = columns_of(table)
    return select(columns.revision).where(columns[table.key_name] == bindparam("key"), columns.until_seq.is_(None))


def to_utc(at: Any) -> datetime:  # noqa: ANN401 - a driver value
    """Return a driver value as a time in UTC. It is a text on SQLite, and in the zone of the server on PostgreSQL."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at.astimezone(UTC)


def declare_commit_step(step: Callable[[WriteTransaction], None], interval: int) -> None:
    """Declare that `step` runs before the commit of each transaction that reaches a multiple of `interval` changes."""
    _commit_steps.append((interval, step))


@contextmanager
def write_transaction(database: Database, actor: str) -> Iterator[WriteTransaction]:
    """Open a write transaction. It is committed at the end of the block, or rolled back if the block raises."""
    with database.write_engine.connect() as connection:  # the pool rolls back if there was no commit
        transaction = WriteTransaction(connection, actor)
        yield transaction
        transaction.commit_or_find_out(database)
    database.note_write(transaction.seq)
    note_request_state(transaction.seq)


KIND_BY_TABLE: dict[type[Version], str] = {table: kind for kind, table in VERSION_TABLES.items()}
