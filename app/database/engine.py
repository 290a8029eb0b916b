"""The database: an engine for reads and an engine for writes, and sessions of one transaction."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.engine import URL
from sqlmodel import Session

import app
from app.database.cache_registry import Caches
from app.database.query_budget import LARGE_BUDGET, apply_budget
from app.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_TIMEOUT_SECONDS = 10
"""Maximum wait for the write lock, and for a free connection of the pool."""

MAX_MAPPED_BYTES = 2**31 - 2**16
"""Maximum `mmap_size` of SQLite in its default build."""


POSTGRESQL_READ_OPTIONS = (
    f" -c statement_timeout={LARGE_BUDGET.statement_seconds * 1000:.0f} -c enable_seqscan=off -c jit=off"
    " -c max_parallel_workers_per_gather=0"
)
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


class Database:
    """The engines and caches of one register.

    Opening a session is cheap. Keep sessions short, and do not hold one open while a response is sent.
    """

    def __init__(self, settings: Settings) -> None:
        url = make_url(settings.database_url)
        self.dialect = url.get_backend_name()
        self.memory_bytes = settings.memory_bytes
        self.files_dir, self.files_bytes = settings.files_dir, settings.files_bytes
        """The folder of the copies of long files, empty for the default one, and how large all may be together."""
        self.address = _address_of(url)
        """What tells this database from others on the same machine."""
        self.latest_seq = 0
        """The highest `seq` that this process has read or written."""
        self.latest_read_seq = 0
        """The highest `seq` that this process has read. It can be lower than `latest_seq` on a replica that lags."""
        self.caches = Caches(self)
        """The caches of this process for the database."""
        read_url = make_url(settings.database_read_url) if settings.database_read_url else url
        self.read_engine = _create_engine(read_url, settings.pool_size, writes=False)
        self.write_engine = _create_engine(url, settings.pool_size, writes=True)
        self.primary_read_engine = (
            _create_engine(url, settings.pool_size, writes=False) if settings.database_read_url else self.read_engine
        )
        """For reads that must not miss what another process has committed, such as the revocation of a key."""

    def note_read(self, seq: int) -> None:
        """Update `latest_seq` and `latest_read_seq` after a read at `seq`."""
        self.latest_read_seq = max(self.latest_read_seq, seq)
        self.latest_seq = max(self.latest_seq, seq)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read-only session on one snapshot of the database. It is rolled back at the end."""
        with Session(self.read_engine, autoflush=False, info={"database": self}) as session:
            yield session

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

    def check_schema(self) -> None:
        """Raise `SchemaStale` unless the database is at the latest migration of this release."""
        migrations = _migration_numbers()
        expected = migrations[-1]
        self._check_file(expected)
        statement = "SELECT version_num FROM alembic_version"
        with self.read_engine.connect() as connection:
            has_version = inspect(connection).has_table("alembic_version")
            current = connection.exec_driver_sql(statement).scalar() if has_version else None
        if current == expected:
            return
        if current and current not in migrations:
            raise SchemaStale(
                f"The database is at migration {current}, which this release does not have. "
                "It was migrated by a newer release: start that release."
            )
        state = f"is at migration {current}" if current else "has no tables yet"
        raise SchemaStale(
            f"The database {state}, this release needs {expected}. Run `counterclaim migrate`, then start again."
        )

    def _check_file(self, expected: str) -> None:
        """Raise `SchemaStale` if there is no file of an SQLite database, which a connection would create."""
        for engine in (self.write_engine, self.read_engine):
            name = engine.url.database if engine.dialect.name == "sqlite" else None
            if name and name != ":memory:" and not name.startswith("file:") and not Path(name).exists():
                raise SchemaStale(
                    f"The database {name} does not exist, so it has no tables yet; this release needs {expected}. "
                    "Run `counterclaim migrate`, then start again."
                )

    def close(self) -> None:
        """Close the connections of both pools."""
        self.read_engine.dispose()
        self.primary_read_engine.dispose()
        self.write_engine.dispose()


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
def _migration_numbers() -> list[str]:
    """Return the migration numbers of this release in order. A test checks that the file names are numbered."""
    return sorted(file.name.partition("_")[0] for file in (migrations_folder() / "versions").glob("[0-9]*.py"))


def _create_engine(url: URL, pool_size: int, *, writes: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            pool_size=1 if writes else pool_size,
            max_overflow=0,
            pool_timeout=LOCK_TIMEOUT_SECONDS,
            json_serializer=_dump_json,
        )
        event.listen(engine, "connect", lambda connection, _record: _configure_sqlite(connection, writes=writes))
        # pysqlite would begin a deferred transaction. A writer that reads first then fails with BUSY_SNAPSHOT
        # immediately, without the busy timeout. https://docs.sqlalchemy.org/en/21/dialects/sqlite.html
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        event.listen(engine, "begin", lambda connection: _begin_transaction(connection, begin, writes=writes))
        return engine
    # A read sees one snapshot of the database. The lock timeout of a writer is the same as on SQLite.
    read_options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LOCK_TIMEOUT_SECONDS,
        json_serializer=_dump_json,
        execution_options={} if writes else read_options,
        connect_args={
            "connect_timeout": 5,
            # Without these timeouts a client blocks until a broken network connection recovers.
            "tcp_user_timeout": 20_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "options": f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c idle_in_transaction_session_timeout=60s"
            + ("" if writes else POSTGRESQL_READ_OPTIONS),
        },
    )


def _dump_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return orjson.dumps(value).decode()


def _configure_sqlite(connection: sqlite3.Connection, *, writes: bool) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={LOCK_TIMEOUT_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
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
