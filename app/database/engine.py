"""The database: engines for reading and for writing, and one transaction a session."""

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
"""How long a writer waits for the one before it, and anybody for a free connection."""

MAX_MAPPED_BYTES = 2**31 - 2**16
"""As much of the file as SQLite maps at most, unless it was built for more."""


POSTGRESQL_READ_OPTIONS = (
    f" -c statement_timeout={LARGE_BUDGET.statement_seconds * 1000:.0f} -c enable_seqscan=off -c jit=off"
    " -c max_parallel_workers_per_gather=0"
)
"""How PostgreSQL reads here: no whole table where an index leads to the rows, no compiler and no helpers for so few."""


class SchemaStale(Exception):
    """The database has another schema than this release; `counterclaim migrate` repairs it."""


class WriteSession(Session):
    """A session that hands over what a `WriteTransaction` still holds, before it says anything else."""

    before_execute: Callable[[], None] | None = None

    def execute(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as SQLModel types it, in many overloads
        """Run a statement."""
        if self.before_execute is not None:
            self.before_execute()
        return super().execute(*args, **kwargs)


class Database:
    """One register. Opening a session is cheap; keep it short, and never hold one while sending an answer."""

    def __init__(self, settings: Settings) -> None:
        url = make_url(settings.database_url)
        self.dialect = url.get_backend_name()
        self.memory_bytes = settings.memory_bytes
        self.latest_seq = 0
        """The highest `seq` that this process knows of, its own writes included."""
        self.latest_read_seq = 0
        """The highest `seq` that its reads have shown: a replica may lie behind."""
        self.caches = Caches(self)
        """What this process keeps of the database in memory."""
        replica = make_url(settings.database_read_url) if settings.database_read_url else url
        self.read_engine = _create_engine(replica, settings.pool_size, writes=False)
        self.write_engine = _create_engine(url, settings.pool_size, writes=True)

    def note_read(self, seq: int) -> None:
        """A read has shown the register at `seq`."""
        self.latest_read_seq = max(self.latest_read_seq, seq)
        self.latest_seq = max(self.latest_seq, seq)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one unmoving picture of the register; whatever it did is rolled back."""
        with Session(self.read_engine, autoflush=False, info={"database": self}) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """A session that commits when its block ends and leaves nothing behind when the block fails."""
        with WriteSession(self.write_engine, autoflush=False, expire_on_commit=False) as session, session.begin():
            yield session

    def check_schema(self) -> None:
        """Raise `SchemaStale` unless the database stands at this release's migration."""
        known = _migration_numbers()
        expected = known[-1]
        with self.read_engine.connect() as connection:
            made = inspect(connection).has_table("alembic_version")
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if made else None
        if found == expected:
            return
        if found and found not in known:
            raise SchemaStale(
                f"The database stands at migration {found}, which this release does not know. "
                "A newer release made it: start that one."
            )
        state = f"stands at migration {found}" if found else "has no tables yet"
        raise SchemaStale(
            f"The database {state}, this release needs {expected}. Run `counterclaim migrate`, then start again."
        )

    def close(self) -> None:
        """Give every connection back."""
        self.read_engine.dispose()
        self.write_engine.dispose()


PACKAGE = Path(app.__file__).parent


def migrations_folder() -> Path:
    """Return the folder of the migrations: `app/migrations` in a wheel, `alembic` beside `app` in the source tree."""
    packaged = PACKAGE / "migrations"
    return packaged if packaged.is_dir() else PACKAGE.parent / "alembic"


def alembic_config() -> "Config":
    """Return Alembic's configuration, which is the same wherever the program was started."""
    from alembic.config import Config  # noqa: PLC0415 - only migrating needs it, which takes longer to load than it does

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


@cache
def _migration_numbers() -> list[str]:
    """The migrations that this release knows, its own at the end: their files are numbered (tests hold that)."""
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
        # pysqlite would begin by itself, and deferred: a writer that has read first then fails at once with
        # BUSY_SNAPSHOT, whatever the timeout. https://docs.sqlalchemy.org/en/21/dialects/sqlite.html
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        event.listen(engine, "begin", lambda connection: _begin_transaction(connection, begin, writes=writes))
        return engine
    # A read has one unmoving picture of the database; a writer waits for the one before it as long as on SQLite.
    picture = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LOCK_TIMEOUT_SECONDS,
        json_serializer=_dump_json,
        execution_options={} if writes else picture,
        connect_args={
            "connect_timeout": 5,
            # Without these a client hangs until a broken network is whole again.
            "tcp_user_timeout": 20_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "options": f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c idle_in_transaction_session_timeout=60s"
            + ("" if writes else POSTGRESQL_READ_OPTIONS),
        },
    )


def _dump_json(value: Any) -> str:  # noqa: ANN401 - whatever JSON can say
    return orjson.dumps(value).decode()


def _configure_sqlite(connection: sqlite3.Connection, *, writes: bool) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={LOCK_TIMEOUT_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"query_only={'OFF' if writes else 'ON'}",
        # Kibibytes: an import touches every index all over, and pages that fell out of memory are read again.
        f"cache_size={-24000 if writes else -2000}",
        # Readers see the file through the memory of the operating system, which all processes share.
        f"mmap_size={0 if writes else MAX_MAPPED_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_transaction(connection: Connection, statement: str, *, writes: bool) -> None:
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:  # a `ReadSession` began it
        if not writes:
            apply_budget(driver)
        connection.exec_driver_sql(statement)
