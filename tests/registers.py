"""Registers for tests: copies of migrated templates on both databases, with a client and a key for each role."""

import atexit
import json
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, QueuePool, event, make_url

from alembic import command
from app.database.api_keys import create_key
from app.database.cache_registry import Caches
from app.database.engine import Database, alembic_config
from app.enums import Role
from app.main import CounterclaimApp, create_app
from app.settings import Settings
from app.starter.load import load_starter
from tests.client import ApplicationClient
from tests.run_folder import make_once

MAX_DEAD_ROWS = 2_000
"""How many deleted rows remain in the files of a PostgreSQL database, in which every query would visit them."""

Keys = dict[str, dict[str, str]]
"""The headers of a request with the key of each role."""


@dataclass
class Register:
    """A register for one test: its settings, its database, a client, and a key for each role."""

    settings: Settings
    database: Database
    client: ApplicationClient
    keys: Keys

    def __getattr__(self, name: str) -> Any:
        """Delegate to the client: `register.get(…)` is `register.client.get(…)`."""
        return getattr(self.client, name)

    def write(self, method: str, path: str, body: Any, role: str | None = None, **headers: str) -> Any:
        """Send a write with the key of `role`, by default of one that may send it."""
        return self.client.request(method, path, json=body, headers=self.keys[role or role_for(path)] | headers)


def role_for(path: str) -> str:
    """Return a role that may send writes to `path`."""
    return "mirror" if path == "/v1/leases" else "admin"


def make_settings(url: str) -> Settings:
    return Settings(DATABASE_URL=url, pool_size=4, files_dir=_files_folder(), deadline=20)  # type: ignore[call-arg] # by its alias


@cache
def _files_folder() -> str:
    """Return a folder for the copies of files, which is removed when the tests have ended."""
    folder = tempfile.mkdtemp(prefix="counterclaim-files-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_first_engines: dict[tuple[str, bool], Engine] = {}
"""The first engine of each dialect for reads, and for writes (True)."""


def open_database(settings: Settings) -> Database:
    """Open a database with the SQLAlchemy dialect and the compiled statements of the first one that was opened.

    By itself, each engine would ask the server about its version and types, and compile every statement anew. That
    takes longer than most tests do.
    """
    database = Database(settings)
    for engine, writes in ((database.read_engine, False), (database.write_engine, True)):
        first = _first_engines.get((engine.dialect.name, writes))
        if first is None:
            engine.connect().close()  # initializes the dialect
            _first_engines[engine.dialect.name, writes] = engine
        else:
            # The engine still asks its own dialect about isolation levels.
            vars(engine.dialect).update(vars(first.dialect), initialize=_skip_initialization)
            engine.dialect = first.dialect
            engine._compiled_cache = first._compiled_cache
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _turn_off_durability)
    return database


def _turn_off_durability(connection: sqlite3.Connection, _record: Any) -> None:
    """Let a commit return before the disk has written it. Tests of crashes start a process, which opens its own."""
    connection.execute("PRAGMA synchronous=OFF")


def _skip_initialization(_connection: Connection) -> None:
    """Stand in for `Dialect.initialize` of a dialect that is not used."""


def migrate(url: str) -> None:
    config = alembic_config()
    database = Database(make_settings(url))
    with database.write_engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    database.close()


def _load_starter_claims(url: str) -> None:
    database = open_database(make_settings(url))
    load_starter(database)
    database.close()


@dataclass(frozen=True)
class DatabaseState:
    """The rows of a PostgreSQL database as texts, its sequences (None: not used yet), and a mark of its schema."""

    rows: dict[str, Counter[str]]
    sequences: list[tuple[str, int | None]]
    schema: tuple[Any, ...] | None
    addresses: dict[str, list[tuple[str, str]]] = field(compare=False)
    """The address and the text of each row of each table."""

    def count_surplus(self, other: "DatabaseState") -> Counter[str]:
        """Return how many rows of each table of this state a database in another state does not have."""
        return Counter({table: (rows - other.rows[table]).total() for table, rows in self.rows.items()})

    def changes_to(self, other: "DatabaseState") -> sql.Composed:
        """Return the statements that give a database in this state the rows and sequences of another one."""
        statements: list[sql.Composable] = [sql.SQL("BEGIN")]
        for table, own_rows in self.rows.items():
            rows = other.rows[table]
            name = sql.Identifier(table)
            surplus = own_rows - rows
            if surplus:
                addresses = [address for address, row in self.addresses[table] if _take(surplus, row)]
                statements.append(sql.SQL("DELETE FROM {} WHERE ctid = ANY({}::tid[])").format(name, addresses))
            missing = list((rows - own_rows).elements())
            if missing:
                insertion = sql.SQL("INSERT INTO {0} SELECT * FROM unnest({1}::{0}[])")
                statements.append(insertion.format(name, missing))
        for sequence, latest in set(other.sequences) - set(self.sequences):
            statements.append(sql.SQL("SELECT setval({}, {}, {})").format(sequence, latest or 1, latest is not None))
        return sql.SQL("; ").join([*statements, sql.SQL("COMMIT")])


def _take(rows: Counter[str], row: str) -> bool:
    """Remove one occurrence of a row; return whether there was one."""
    rows[row] -= 1
    return rows[row] >= 0


CATALOGS = {
    "pg_class": "oid",
    "pg_attribute": "attrelid",
    "pg_constraint": "oid",
    "pg_trigger": "oid",
    "pg_proc": "oid",
}
"""The catalogs that describe a schema, each with the first column of an index."""
FIRST_OID = 16_384
"""The lowest identifier of an object that is no part of PostgreSQL itself."""


def read_state(connection: psycopg.Connection[Any]) -> DatabaseState:
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    return read_state_of([name for (name,) in tables], connection)


def read_state_of(tables: Iterable[str], connection: psycopg.Connection[Any]) -> DatabaseState:
    rows = [sql.SQL("SELECT ctid::text, row::text FROM {} AS row").format(sql.Identifier(name)) for name in tables]
    sequences = sql.SQL("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")
    schema = sql.SQL("SELECT max(xmin::text::bigint), count(*) FROM ({}) AS row").format(
        sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT xmin FROM {} WHERE {} >= {}").format(*map(sql.Identifier, each), FIRST_OID)
            for each in CATALOGS.items()
        )
    )
    cursor = connection.execute(sql.SQL("; ").join([*rows, sequences, schema]))
    *contents, sequence_rows, [mark] = [result.fetchall() for result in cursor.results()]
    addresses = dict(zip(tables, contents, strict=True))
    texts = {name: Counter(text for _, text in found) for name, found in addresses.items()}
    return DatabaseState(texts, sequence_rows, mark, addresses)


class ReusableDatabase(Protocol):
    """A database that is lent to one test after another, together with its open connections."""

    def reset(self) -> bool:
        """Give the database the content again that it had at first; return whether it has that content."""

    def close(self) -> None:
        """Close the connection that resets the database."""


class ReusableSqliteDatabase:
    """A copy of a template. Its pages are copied again after a test has written."""

    def __init__(self, url: str, template: str) -> None:
        self._template = template.removeprefix("sqlite:///")
        path = url.removeprefix("sqlite:///")
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous=OFF")
        self._version = self._data_version()

    def _data_version(self) -> Any:
        """Return a number that differs after another connection has written."""
        return self._connection.execute("PRAGMA data_version").fetchone()

    def reset(self) -> bool:
        if self._data_version() == self._version:
            return True
        with closing(sqlite3.connect(self._template)) as template:
            template.backup(self._connection)
        self._version = self._data_version()
        return True

    def close(self) -> None:
        self._connection.close()


class ReusablePostgresqlDatabase:
    """A database whose changed rows are replaced after a test has written, unless the schema was changed.

    PostgreSQL takes longer to create a database, or a connection, than most tests take.
    """

    def __init__(self, url: str) -> None:
        self._dead: Counter[str] = Counter()
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET session_replication_role = replica")  # in any order: no foreign key is checked
        self._connection.execute("SET lock_timeout = '5s'")
        self._state = read_state(self._connection)
        self._select_marks = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*), max(xmin::text::bigint) FROM {}").format(name, sql.Identifier(name))
            for name in self._state.rows
        )
        self._remember_state()

    def _remember_state(self) -> None:
        self._marks = self._read_marks()
        self._transaction = self._next_transaction()

    def _read_marks(self) -> set[tuple[Any, ...]]:
        """Return the name, the number of rows and the latest transaction of each table, which differ after a write."""
        return set(self._connection.execute(self._select_marks, prepare=True))

    def _next_transaction(self) -> Any:
        """Return a number that differs after a transaction has written."""
        return self._connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())").fetchone()

    def reset(self) -> bool:
        if self._next_transaction() == self._transaction:
            return True
        try:
            changed_tables = [name for name, *_ in self._read_marks() - self._marks]
            state = read_state_of(changed_tables, self._connection)
            if state.schema != self._state.schema:
                return False
            self._connection.execute(state.changes_to(self._state))
            self._remove_dead_rows(state.count_surplus(self._state))
        except psycopg.Error:  # tables were dropped
            return False
        self._remember_state()
        return True

    def _remove_dead_rows(self, deleted: Counter[str]) -> None:
        self._dead += deleted
        if self._dead.total() > MAX_DEAD_ROWS:
            tables = sql.SQL(", ").join(map(sql.Identifier, self._dead))
            self._connection.execute(sql.SQL("VACUUM {}").format(tables))
            self._dead.clear()

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Loan:
    """A database that tests use one after the other."""

    settings: Settings
    database: Database
    reusable: ReusableDatabase

    def without_caches(self) -> Database:
        """Return the database as if it were just opened, except that it has open connections."""
        database = copy(self.database)
        database.latest_seq = database.latest_read_seq = 0
        database.caches = Caches(database)
        return database

    def reset(self) -> bool:
        """Give the database its first content again; return whether it has it, and no test holds a connection."""
        pools = [cast("QueuePool", engine.pool) for engine in (self.database.read_engine, self.database.write_engine)]
        return not any(pool.checkedout() for pool in pools) and self.reusable.reset()

    def close(self) -> None:
        self.reusable.close()
        self.database.close()


class DatabaseCopies:
    """Creates databases: `empty` ones are migrated, `starter` ones also contain the starter claims."""

    def __init__(self, folder: Path, server: str | None) -> None:
        self.folder = folder
        self.server = server
        self.templates: dict[str, str] = {}
        self._keys: dict[str, Keys] = {}
        self._idle: defaultdict[str, list[Loan]] = defaultdict(list)

    @contextmanager
    def lend(self, kind: str) -> Iterator[Register]:
        """Lend a register on a copy of the template `kind`. If it can be reset, it is lent again."""
        loan = self._idle[kind].pop() if self._idle[kind] else self._create_loan(kind)
        with serve(loan.settings, loan.without_caches(), self._keys[kind]) as register:
            yield register
        if loan.reset():
            self._idle[kind].append(loan)
        else:
            loan.close()

    def close(self) -> None:
        """Close the connections to the databases that no test is using."""
        while self._idle:
            for loan in self._idle.popitem()[1]:
                loan.close()

    def _create_loan(self, kind: str) -> Loan:
        if kind not in self._keys:
            self._create_template_with_keys(kind)
        template = self.templates[f"{kind} with keys"]
        url = self._create_database(template)
        reusable: ReusableDatabase
        reusable = ReusableSqliteDatabase(url, template) if self.server is None else ReusablePostgresqlDatabase(url)
        settings = make_settings(url)
        return Loan(settings, open_database(settings), reusable)

    def _create_template_with_keys(self, kind: str) -> None:
        template = self.create_copy(kind)
        self._keys[kind] = create_keys(template)
        self.templates[f"{kind} with keys"] = template

    def create_copy(self, kind: str) -> str:
        """Return the address of a new copy of the template `kind`."""
        return self._create_database(self.templates.get(kind) or self.create_template(kind))

    def create_template(self, kind: str) -> str:
        """Create the template `kind`: `empty` is migrated, `starter` also contains the starter claims."""
        if self.server is None:
            template = self._create_database(_sqlite_template(kind))
        elif kind == "empty":
            template = self._create_database(None)
            migrate(template)
        else:
            template = self.create_copy("empty")
            _load_starter_claims(template)
        self.templates[kind] = template
        return template

    def write_templates(self, file: Path) -> None:
        """Create all templates of a PostgreSQL server, and write their names and keys to a file."""
        for kind in ("empty", "starter"):
            self._create_template_with_keys(kind)
        names = {kind: make_url(url).database for kind, url in self.templates.items()}
        file.write_text(json.dumps({"names": names, "keys": self._keys}), encoding="utf-8")

    def read_templates(self, file: Path) -> None:
        """Use the templates that `write_templates` has created on a server whose files were copied."""
        written = json.loads(file.read_text(encoding="utf-8"))
        self.templates |= {kind: self._address_of(name) for kind, name in written["names"].items()}
        self._keys |= written["keys"]

    def _create_database(self, template: str | None) -> str:
        name = f"cc_{uuid4().hex}"
        if self.server is None:
            path = self.folder / f"{name}.db"
            if template is not None:
                shutil.copyfile(template.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        with psycopg.connect(self.server, autocommit=True) as connection:
            copied = make_url(template).database if template else "template1"
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(str(copied))))
        return self._address_of(name)

    def _address_of(self, name: str) -> str:
        """Return the address of a database of the PostgreSQL server."""
        return make_url(str(self.server)).set(database=name).render_as_string(hide_password=False)


def _sqlite_template(kind: str) -> str:
    """Return the address of the template `kind`, which one process creates for all others."""
    return f"sqlite:///{make_once(f'{kind}.db', _create_starter if kind == 'starter' else _create_empty)}"


def _create_empty(path: Path) -> None:
    migrate(f"sqlite:///{path}")


def _create_starter(path: Path) -> None:
    shutil.copyfile(_sqlite_template("empty").removeprefix("sqlite:///"), path)
    _load_starter_claims(f"sqlite:///{path}")


_idle_clients: list[ApplicationClient] = []
"""Clients that no test is using, of applications that are started.

Creating an application, and starting it, takes longer than most tests.
"""


def create_keys(url: str) -> Keys:
    """Create a key for each role."""
    database = open_database(make_settings(url))
    with database.write() as session:
        keys = {role.value: create_key(session, f"{role.value}-key", role) for role in Role}
    database.close()
    return {role: {"Authorization": f"Bearer {key}"} for role, key in keys.items()}


@contextmanager
def serve(settings: Settings, database: Database, keys: Keys) -> Iterator[Register]:
    """Serve a database."""
    if _idle_clients:
        started = _idle_clients.pop()
        app = cast("CounterclaimApp", started.app)
        app.use_database(database)
    else:
        app = create_app(settings)
        app.use_database(database)
        started = ApplicationClient(app)
        started.__enter__()
    app.use_base_url(settings.base_url)
    app.use_access_settings(settings)
    app.cache_middleware.deadline_seconds = 300  # a busy machine is no reason for a 503
    client = ApplicationClient(app)
    client.portal = started.portal
    yield Register(settings, database, client, keys)
    client.close()
    app.state.invalidator.close()
    if app.state.database is not database:
        app.state.database.close()
    _idle_clients.append(started)


def close_idle_clients() -> None:
    """Stop the applications."""
    while _idle_clients:
        _idle_clients.pop().__exit__()


def open_register(url: str, base_url: str = "") -> Iterator[Register]:
    keys = create_keys(url)
    settings = make_settings(url).model_copy(update={"base_url": base_url})
    database = open_database(settings)
    with serve(settings, database, keys) as register:
        yield register
    database.close()
