"""The database: an engine for reads and an engine for writes, and sessions of one transaction."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

import app
from app.database.cache_registry import Caches
from app.database.damage import DamageRecord
from app.database.driver_errors import DriverErrors
from app.database.faults import DatabaseFault, classify
from app.database.primary_watch import PrimaryWatch
from app.database.query_budget import LARGE_BUDGET, apply_budget
from app.database.schema_check import find_schema_differences
from app.database.server_connection import server_connection
from app.database.server_settings import BEGIN_READ_ONLY, BEGIN_STATEMENT, Prepared, apply_server_settings, execute
from app.database.servers import (
    CONNECT_SECONDS,
    ConnectionsInUse,
    check_before_use,
    choose_servers,
    has_several,
    note_silent,
    prefers_standby,
)
from app.database.write_log import MAX_LOG_BYTES, WriteLog
from app.logs import log_once
from app.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

READER_LOCK_SECONDS = 1.0
"""How long a read on PostgreSQL waits for a locked table: shorter than the limit of a
statement, so that the error names the lock."""

SILENCE_SECONDS = 20
LEASE_SILENCE_SECONDS = 2
"""How long a connection to PostgreSQL may get no answer of the network, and that for a lease."""

MAX_MAPPED_BYTES = 2**31 - 2**16
"""Maximum `mmap_size` of SQLite in its default build."""

MAX_PREPARED_STATEMENTS = 32
"""Statements that a connection to SQLite keeps prepared. Each takes about fifteen kilobytes."""

MAX_ORM_STATEMENTS = 150
"""Statements that SQLAlchemy keeps compiled. Each takes about thirty kilobytes."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long parts of a request may take, in seconds, so that all of them end before its deadline."""

    deadline: float

    @property
    def lock(self) -> float:
        """Return how long a write waits for the lock of another one."""
        return self.deadline * 0.75

    @property
    def pool(self) -> float:
        """Return how long a request waits for a connection of the pool."""
        return self.deadline * 0.5

    @property
    def connect(self) -> int:
        """Return how long a connection may take. PostgreSQL counts whole seconds, at least two."""
        return max(2, int(self.deadline * 0.75))

    @property
    def statement(self) -> float:
        """Return how long a statement of a read may take."""
        return min(LARGE_BUDGET.statement_seconds, self.deadline * 0.75)

    @property
    def reader_lock(self) -> float:
        """Return how long a read waits for a locked table."""
        return min(READER_LOCK_SECONDS, self.statement * 0.5)


POSTGRESQL_READ_SETTINGS = {"enable_seqscan": "off", "jit": "off", "max_parallel_workers_per_gather": "0"}
"""Server settings of read connections.

Sequential scans are discouraged, because all queries have an index. JIT compilation and parallel workers cost more than
they save on result sets this small.
"""


class SchemaStale(Exception):
    """The schema of the database is not the one of this release. `counterclaim migrate` updates an older one."""


class WriteSession(Session):
    """A session that flushes the pending rows of a `WriteTransaction` before it executes a statement."""

    before_execute: Callable[[], None] | None = None

    def execute(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as SQLModel types it, in many overloads
        """Execute a statement after the pending rows are flushed."""
        if self.before_execute is not None:
            self.before_execute()
        return super().execute(*args, **kwargs)


@dataclass(slots=True)
class RequestState:
    """The state of the register that a request has read last, or that it has written; 0 if it has done neither."""

    seq: int = 0
    oldest_seq: int | None = None
    """The earliest state that it has read or written; None if it has done neither."""


REQUEST_STATE: ContextVar[RequestState | None] = ContextVar("request_state", default=None)
"""The state of the current request, also in the threads that work for it."""


def note_request_state(seq: int) -> None:
    """Note that the current request, if there is one, has read or written the state `seq`."""
    if (state := REQUEST_STATE.get()) is not None:
        state.seq = seq
        state.oldest_seq = seq if state.oldest_seq is None else min(state.oldest_seq, seq)


REPLICA_RETRY_SECONDS = 2.0
"""How long reads go to the primary database before a replica that was down is tried again."""

REPLICA_HANG_SECONDS = 0.75
"""A replica that does not answer for this long is down for other requests."""


STANDBY_SEARCH_SECONDS = 5.0
"""How long a server that was promoted is read before another standby is looked for, again and again."""


class ReplicaBehind(Exception):
    """The replica lacks what the primary database had a while ago, or what this process has read from that."""


class ReplicaSwitch:
    """Whether reads go to the replica. Requests notice by themselves that it is down."""

    def __init__(self) -> None:
        self.is_used = True
        """Whether the last read that tried the replica used it: it was neither down nor behind."""
        self.seq = 0
        """The latest `seq` that the replica was seen to have."""
        self.search_at: float | None = None
        """When a standby is looked for, if a primary server is read; None if a standby is."""
        self._retry_at = 0.0
        self._attempts: dict[object, float] = {}

    def is_down(self) -> bool:
        """Return whether the replica was down a moment ago, or does not answer another request."""
        now = time.monotonic()
        if now < self._retry_at:
            return True
        return any(now - started > REPLICA_HANG_SECONDS for started in list(self._attempts.values()))

    def begin_attempt(self) -> object:
        """Note that a request connects to the replica, and return what identifies the attempt."""
        attempt = object()
        self._attempts[attempt] = time.monotonic()
        return attempt

    def end_attempt(self, attempt: object) -> None:
        """Note that an attempt has ended."""
        del self._attempts[attempt]

    def note_down(self) -> None:
        """Do not use the replica for `REPLICA_RETRY_SECONDS`."""
        self.is_used = False
        self._retry_at = time.monotonic() + REPLICA_RETRY_SECONDS


READ_CLOCK = "SELECT seq, pg_is_in_recovery() FROM clock"


def _read_clock(connection: Connection) -> tuple[int, bool]:
    """Begin a read transaction on a replica. Return the latest `seq` that it sees, and whether it is still a standby.

    A server that does not answer for `REPLICA_HANG_SECONDS` is a `DBAPIError`.
    """
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql("SELECT seq FROM clock").scalar() or 0, True
    statements = "; ".join([connection.info.get(BEGIN_STATEMENT, BEGIN_READ_ONLY), READ_CLOCK])
    driver = connection.connection.driver_connection
    with DriverErrors(connection.dialect, statements):
        try:
            result = execute(driver, statements, REPLICA_HANG_SECONDS)
        except connection.dialect.loaded_dbapi.errors.ConnectionTimeout:
            note_silent(driver)
            raise
        return int(result.get_value(0, 0)), result.get_value(0, 1) == b"t"


class Database:
    """The engines and caches of one register.

    Opening a session is cheap. Keep sessions short, and do not hold one open while a response is sent.
    """

    def __init__(self, settings: Settings) -> None:
        url = make_url(settings.database_url)
        self.dialect = url.get_backend_name()
        self.url = url
        self.replica_url = make_url(settings.database_read_url) if settings.database_read_url else None
        self.timeouts = Timeouts(settings.deadline)
        self.memory_bytes = settings.memory_bytes
        self.files_dir, self.files_bytes = settings.files_dir, settings.files_bytes
        """The folder of the copies of long files, empty for the default one, and how large all may be together."""
        self.address = _address_of(url)
        """What tells this database from others on the same machine."""
        self.damage = DamageRecord(self.address, is_file=self.dialect == "sqlite" and bool(url.database))
        """What is damaged, if anything."""
        self.is_closed = False
        self.full_at: float | None = None
        """When a write has failed because the disk is full; None if one has succeeded since."""
        self.latest_seq = 0
        """The highest `seq` that this process has read or written."""
        self.latest_read_seq = 0
        """The highest `seq` that this process has read. It can be lower than `latest_seq` on a replica that lags."""
        self.required_seq = 0
        """The least `seq` of a state that may be served: that of the last takedown that this process has met."""
        self.caches = Caches(self)
        """The caches of this process for the database."""
        read_url = self.replica_url or url
        create = partial(
            _create_engine, pool_size=settings.pool_size, timeouts=self.timeouts, prepared=settings.prepared
        )
        self.read_engine = create(read_url, writes=False)
        self.write_engine = create(url, writes=True)
        self.write_log = WriteLog(self.address) if self.dialect == "sqlite" and url.database else None
        """The write-ahead log of a file of SQLite."""
        if self.write_log is not None:
            event.listen(self.write_engine, "checkin", self.write_log.on_checkin)
        self.primary_read_engine = create(url, writes=False) if settings.database_read_url else self.read_engine
        """For reads that must not miss what another process has committed, such as the revocation of a key."""
        self.replica = ReplicaSwitch() if self.replica_url else None
        if has_several(url):
            for engine in {self.write_engine, self.primary_read_engine}:
                check_before_use(engine)
        self._replica_connections = ConnectionsInUse(self.read_engine) if self.replica_url else None
        self.primary_watch = (
            PrimaryWatch(self.write_engine.dialect, url, settings.most_lag) if self.replica_url else None
        )
        """What the primary database had, if there is a replica."""

    @property
    def visible_seq(self) -> int:
        """The highest `seq` that a read would see, as far as is known: a replica may lack what was written."""
        return self.latest_seq if self.replica is None else self.latest_read_seq

    def note_read(self, seq: int) -> None:
        """Update `latest_seq` and `latest_read_seq` after a read at `seq`, and what the request has read."""
        self.latest_read_seq = max(self.latest_read_seq, seq)
        self.latest_seq = max(self.latest_seq, seq)
        note_request_state(seq)

    def forget_states(self, seq: int) -> None:
        """Forget what was read and written after a fork: the register is at `seq` of another history."""
        self.latest_seq = self.latest_read_seq = seq
        self.required_seq = min(self.required_seq, seq)
        if self.replica is not None:
            self.replica.seq = 0

    def note_write(self, seq: int) -> None:
        """Update `latest_seq` after a commit at `seq`."""
        self.latest_seq = max(self.latest_seq, seq)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read-only session on one snapshot of the database. It is rolled back at the end."""
        with self.connect_for_reads() as connection, Session(connection, autoflush=False) as session:
            session.info["database"] = self
            yield session

    def connect_for_reads(self) -> Connection:
        """Return a connection for reads: to the replica if it answers and is not too old, else to the primary database.

        A connection to the replica is in a transaction that sees the state which was checked.
        """
        replica = self.replica
        if replica is None:
            return self.read_engine.connect()
        if replica.is_down():
            return self.primary_read_engine.connect()
        attempt = replica.begin_attempt()
        try:
            connection = self._connect_replica(replica)
        except ReplicaBehind as behind:
            replica.is_used = False
            log_once("the read replica is not used: %s", behind, error=behind, cause="read replica")
            return self.primary_read_engine.connect()
        except (DBAPIError, PoolTimeout) as error:
            replica.note_down()
            log_once("the read replica is not used: %s", str(error).splitlines()[0], error=error, cause="read replica")
            return self.primary_read_engine.connect()
        finally:
            replica.end_attempt(attempt)
        replica.is_used = True
        return connection

    def _connect_replica(self, replica: ReplicaSwitch) -> Connection:
        """Return a connection to the replica, in a transaction that sees what this process has read before.

        It also sees what is required by age. While the primary database is away, the replica is read as it is.

        Raises:
            ReplicaBehind: The replica lacks that.
            DBAPIError: It does not answer, nor on a new connection.
        """
        try:
            connection, seq = self._begin_on_replica(replica)
        except DBAPIError as error:
            if classify(error) is DatabaseFault.frozen:
                self._give_up_replica()
                raise
            self.read_engine.dispose()  # it was restarted, so that the other idle connections are lost, too
            connection, seq = self._begin_on_replica(replica)
        replica.seq = max(replica.seq, seq)
        watch = self.primary_watch
        has_primary = watch is not None and watch.sees_primary
        required = max(self.latest_read_seq, watch.required_seq()) if watch is not None and has_primary else 0
        required = max(required, self.required_seq)
        if seq >= required:
            return connection
        connection.close()
        raise ReplicaBehind(f"it is at seq {seq}, {required} is required")

    def _begin_on_replica(self, replica: ReplicaSwitch) -> tuple[Connection, int]:
        """Return a connection to the replica in a transaction, and the latest `seq` that this sees."""
        connection = self.read_engine.connect()
        try:
            seq, is_standby = _read_clock(connection)
        except DBAPIError:
            connection.invalidate()
            connection.close()
            raise
        if is_standby:
            replica.search_at = None
        elif self.replica_url is not None and prefers_standby(self.replica_url):
            self._search_standby(replica, self.replica_url)
        return connection, seq

    def _give_up_replica(self) -> None:
        """End the connections to a replica that does not answer, which other requests wait for."""
        assert self._replica_connections is not None  # noqa: S101 - there is a replica
        self.read_engine.dispose()
        self._replica_connections.cut()

    def _search_standby(self, replica: ReplicaSwitch, url: URL) -> None:
        """Look for a standby in a thread, at most every `STANDBY_SEARCH_SECONDS`: a primary server is read."""
        now = time.monotonic()
        if replica.search_at is None:  # it was promoted just now, and the others follow it soon
            replica.search_at = now + STANDBY_SEARCH_SECONDS
        if now >= replica.search_at:
            replica.search_at = now + STANDBY_SEARCH_SECONDS
            Thread(target=self._find_standby, args=(url,), daemon=True, name="standby search").start()

    def _find_standby(self, url: URL) -> None:
        """Let new connections for reads be to a standby, if there is one."""
        standby = url.update_query_dict({"target_session_attrs": "standby"})
        with suppress(DBAPIError), server_connection(self.read_engine.dialect, standby, {}, STANDBY_SEARCH_SECONDS):
            self.read_engine.dispose()  # the server that answered last is asked first

    def connect_primary(self) -> Connection:
        """Return a connection for reads to the primary database."""
        return self.primary_read_engine.connect()

    @contextmanager
    def read_primary(self) -> Iterator[Session]:
        """Open a read-only session on the primary database, which no replica lags behind."""
        with Session(self.primary_read_engine, autoflush=False, info={"database": self}) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """Open a session that is committed at the end of the block, or rolled back if the block raises."""
        with WriteSession(self.write_engine, autoflush=False, expire_on_commit=False) as session, session.begin():
            yield session

    def create_lease_engine(self) -> Engine:
        """Return an engine with one connection to the primary database for a lease, which waits for no other request.

        It gives up on a server of PostgreSQL that is silent for `LEASE_SILENCE_SECONDS`.
        """
        if self.dialect == "sqlite":
            return _create_engine(self.url, pool_size=1, timeouts=self.timeouts, prepared="auto", writes=True)
        timeouts, silence = Timeouts(LEASE_SILENCE_SECONDS), LEASE_SILENCE_SECONDS
        engine = _create_engine(
            self.url, pool_size=1, timeouts=timeouts, prepared="auto", writes=True, silence_seconds=silence
        )
        if has_several(self.url):
            check_before_use(engine)
        return engine

    def require(self, seq: int) -> None:
        """Read no state before `seq` from a replica, also while the primary server is down: `seq` is a takedown."""
        self.required_seq = max(self.required_seq, seq)

    def check_schema(self) -> None:
        """Raise `SchemaStale` unless the database has the tables, columns and indices of this release.

        While the primary database is down, the replica is checked: a process that starts then serves reads.
        """
        expected = expected_migration()
        self.check_file()
        statement = "SELECT version_num FROM alembic_version"
        with self._connect_for_check() as connection:
            has_version = inspect(connection).has_table("alembic_version")
            current = connection.exec_driver_sql(statement).scalar() if has_version else None
            differences = []
            if current == expected:

                def fetch(statement: str) -> Sequence[Sequence[Any]]:
                    return connection.exec_driver_sql(statement).all()

                differences = find_schema_differences(fetch, self.dialect)
        if (fault := schema_fault(current, differences)) is not None:
            raise SchemaStale(fault)

    def _connect_for_check(self) -> Connection:
        """Return a connection to the primary database, or to the replica if that is down."""
        try:
            return self.primary_read_engine.connect()
        except DBAPIError:
            if self.replica is None:
                raise
            return self.read_engine.connect()

    def newer_schema(self) -> str | None:
        """Return that the database was migrated by a newer release, in one sentence; None if it was not."""
        name = self.url.database if self.dialect == "sqlite" else None
        if name and not Path(name).exists():
            return None
        with self.primary_read_engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            current = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return schema_fault(current, []) if current and current not in migration_numbers() else None

    def check_file(self) -> None:
        """Raise `SchemaStale` if there is no file of an SQLite database, which a connection would create."""
        for engine in (self.write_engine, self.read_engine):
            name = engine.url.database if engine.dialect.name == "sqlite" else None
            if name and not Path(name).exists():
                raise SchemaStale(
                    f"The database {name} does not exist, so it has no tables yet; this release needs "
                    f"{expected_migration()}. Run `counterclaim migrate`, then start again."
                )

    @property
    def file_name(self) -> str | None:
        """Return the name of the file of an SQLite database, without its folder; None on PostgreSQL."""
        return Path(self.address).name if self.dialect == "sqlite" else None

    def close_idle_connections(self) -> None:
        """Close the idle connections of all pools: the server was lost, so that they are, too."""
        for engine in (self.read_engine, self.primary_read_engine, self.write_engine):
            engine.dispose()

    def close(self) -> None:
        """Close the connections of both pools."""
        self.is_closed = True
        if self.primary_watch is not None:
            self.primary_watch.close()
        self.close_idle_connections()


def _address_of(url: URL) -> str:
    """Return the URL of a database without the password, or the path of its file."""
    if url.get_backend_name() == "sqlite" and url.database:
        return str(Path(url.database).absolute())
    return url.render_as_string(hide_password=True)


PACKAGE = Path(app.__file__).parent


def migrations_folder() -> Path:
    """Return the folder of the migrations: `app/migrations` in a wheel, `alembic` beside `app` in the source tree."""
    packaged = PACKAGE / "migrations"
    return packaged if packaged.is_dir() else PACKAGE.parent / "alembic"


def alembic_config() -> "Config":
    """Return the configuration of Alembic, which does not depend on the working directory."""
    from alembic.config import Config  # noqa: PLC0415 - slow to import, and only `migrate` needs it

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


@cache
def migration_numbers() -> list[str]:
    """Return the migration numbers of this release in order. A test checks that the file names are numbered."""
    return sorted(file.name.partition("_")[0] for file in (migrations_folder() / "versions").glob("[0-9]*.py"))


def expected_migration() -> str:
    """Return the number of the latest migration of this release."""
    return migration_numbers()[-1]


def schema_fault(current: str | None, differences: Sequence[str]) -> str | None:
    """Return what is wrong with the schema of a database, in one or two sentences; None if it is that of this release.

    Args:
        current: The migration that the database is at.
        differences: What a database at the latest migration lacks, see `find_schema_differences`.
    """
    expected = expected_migration()
    if current == expected:
        if not differences:
            return None
        more = f" and {len(differences) - MAX_NAMED_DIFFERENCES} more" * (len(differences) > MAX_NAMED_DIFFERENCES)
        return (
            f"The database is at migration {current}, but its tables are not those of this release: "
            f"{', '.join(differences[:MAX_NAMED_DIFFERENCES])}{more}. Restore a backup, or create what is missing."
        )
    if current and current not in migration_numbers():
        return (
            f"The database is at migration {current}, which this release does not have. "
            "It was migrated by a newer release: start that release."
        )
    state = f"is at migration {current}" if current else "has no tables yet"
    return f"The database {state}, this release needs {expected}. Run `counterclaim migrate`, then start again."


MAX_NAMED_DIFFERENCES = 5
"""How many differences between schemas a message names."""


def _create_engine(
    url: URL,
    *,
    pool_size: int,
    timeouts: Timeouts,
    prepared: Prepared,
    writes: bool,
    silence_seconds: int = SILENCE_SECONDS,
) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            pool_size=1 if writes else pool_size,
            max_overflow=0,
            pool_timeout=timeouts.lock if writes else timeouts.pool,
            pool_use_lifo=True,  # few connections do most of the work, and prepare its statements
            query_cache_size=MAX_ORM_STATEMENTS,
            json_serializer=_dump_json,
            json_deserializer=orjson.loads,
            connect_args={"cached_statements": MAX_PREPARED_STATEMENTS},
        )
        busy_seconds = timeouts.lock if writes else timeouts.reader_lock
        event.listen(
            engine, "connect", lambda connection, _record: _configure_sqlite(connection, busy_seconds, writes=writes)
        )
        # pysqlite would begin a deferred transaction. A writer that reads first then fails with BUSY_SNAPSHOT
        # immediately, without the busy timeout. https://docs.sqlalchemy.org/en/21/dialects/sqlite.html
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        event.listen(engine, "begin", lambda connection: _begin_transaction(connection, begin, writes=writes))
        return engine
    # A read sees one snapshot of the database. The lock timeout of a writer is the same as on SQLite.
    lock_seconds = timeouts.lock if writes else timeouts.reader_lock
    settings = {"lock_timeout": f"{lock_seconds * 1000:.0f}", "idle_in_transaction_session_timeout": "60s"}
    if not writes:
        settings |= {"statement_timeout": f"{timeouts.statement * 1000:.0f}", **POSTGRESQL_READ_SETTINGS}
    read_options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeouts.pool,
        query_cache_size=MAX_ORM_STATEMENTS,
        json_serializer=_dump_json,
        json_deserializer=orjson.loads,
        execution_options={} if writes else read_options,
        connect_args={
            "connect_timeout": CONNECT_SECONDS if has_several(url) else timeouts.connect,
            # Without these timeouts a client blocks until a broken network connection recovers.
            "tcp_user_timeout": silence_seconds * 1000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
        },
    )
    if has_several(url):
        choose_servers(engine)
    apply_server_settings(engine, settings, "BEGIN" if writes else BEGIN_READ_ONLY, prepared)
    return engine


def _dump_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return orjson.dumps(value).decode()


def _configure_sqlite(connection: sqlite3.Connection, busy_seconds: float, *, writes: bool) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={busy_seconds * 1000:.0f}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # After a large transaction, the next one that begins the log anew also truncates it.
        f"journal_size_limit={MAX_LOG_BYTES}",
        # A takedown erases content. Deleted rows would stay readable in free pages.
        "secure_delete=ON",
        f"query_only={'OFF' if writes else 'ON'}",
        # In KiB. An import writes to random pages of all indices, and evicted pages are read again.
        f"cache_size={-24000 if writes else -2000}",
        # Readers map the file, so that all processes share the page cache of the operating system.
        f"mmap_size={0 if writes else MAX_MAPPED_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_transaction(connection: Connection, statement: str, *, writes: bool) -> None:
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:  # a `ReadSession` may have begun it
        if not writes:
            apply_budget(driver)
        connection.exec_driver_sql(statement)
