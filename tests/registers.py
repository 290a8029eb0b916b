"""Registers for tests: copies of migrated templates on both databases, with a client and a key for each role."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, make_url

from alembic import command
from app.database.api_keys import create_key
from app.database.engine import Database, alembic_config
from app.enums import Role
from app.main import CounterclaimApp, create_app
from app.settings import Settings
from app.starter.load import load_starter
from tests.client import ApplicationClient

MAX_LOANS = 50
"""How often a PostgreSQL database is used: deleted rows remain in its files."""


@dataclass
class Register:
    """A register for one test: its settings, its database, a client, and a key for each role."""

    settings: Settings
    database: Database
    client: ApplicationClient
    keys: dict[str, dict[str, str]]

    def __getattr__(self, name: str) -> Any:
        """Delegate to the client: `register.get(…)` is `register.client.get(…)`."""
        return getattr(self.client, name)

    def write(self, method: str, path: str, body: Any, role: str = "admin", **headers: str) -> Any:
        """Send a write with the key of `role`."""
        return self.client.request(method, path, json=body, headers=self.keys[role] | headers)


def make_settings(url: str) -> Settings:
    return Settings(DATABASE_URL=url, pool_size=4)  # type: ignore[call-arg] # named by its alias


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
    return database


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
    """The rows of a PostgreSQL database, its sequences (None: not used yet), and a mark of its schema."""

    rows: dict[str, list[tuple[Any, ...]]]
    sequences: list[tuple[Any, ...]]
    schema: tuple[Any, ...] | None


def read_state(connection: psycopg.Connection[Any]) -> DatabaseState:
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    catalogs = ("pg_class", "pg_attribute", "pg_constraint", "pg_trigger", "pg_proc")
    changes = sql.SQL(" UNION ALL ").join(sql.SQL("SELECT xmin FROM {}").format(sql.Identifier(n)) for n in catalogs)
    return DatabaseState(
        {
            name: connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))).fetchall()
            for (name,) in tables
        },
        connection.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall(),
        connection.execute(
            sql.SQL("SELECT max(xmin::text::bigint), count(*) FROM ({}) AS row").format(changes)
        ).fetchone(),
    )


def restore(url: str, state: DatabaseState) -> bool:
    """Give a PostgreSQL database the rows and the sequences of `state` again; return whether it is in that state.

    It is not after a change of the schema.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # in any order: no foreign key is checked
        for table, rows in state.rows.items():
            name = sql.Identifier(table)
            connection.execute(sql.SQL("DELETE FROM {}").format(name))
            for row in rows:
                values = sql.SQL(", ").join(map(sql.Literal, row))
                connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(name, values))
        connection.execute("SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence")
        return read_state(connection) == state


class DatabaseCopies:
    """Creates databases: `empty` ones are migrated, `starter` ones also contain the starter claims."""

    def __init__(self, folder: Path, server: str | None) -> None:
        self.folder = folder
        self.server = server
        self.templates: dict[str, str] = {}
        self._returned: list[str] = []
        self._loans: Counter[str] = Counter()

    @contextmanager
    def lend_empty(self) -> Iterator[str]:
        """Lend a database like the template `empty`.

        PostgreSQL takes longer to create a database than most tests take: one that is returned is restored and lent
        again.
        """
        url = self._returned.pop() if self._returned else self.create_copy("empty")
        yield url
        self._loans[url] += 1
        if self.server and self._loans[url] < MAX_LOANS and restore(url, self._empty_state):
            self._returned.append(url)

    @cached_property
    def _empty_state(self) -> DatabaseState:
        with psycopg.connect(self.templates["empty"]) as connection:
            return read_state(connection)

    def create_copy(self, kind: str) -> str:
        """Return the address of a new copy of the template `kind`."""
        if kind not in self.templates:
            template = self._create_database(self.templates.get("empty") or self.create_template("empty", None))
            _load_starter_claims(template)
            self.templates[kind] = template
        return self._create_database(self.templates[kind])

    def create_template(self, kind: str, source: str | None) -> str:
        """Create a migrated template."""
        template = self._create_database(source)
        migrate(template)
        self.templates[kind] = template
        return template

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
        return make_url(self.server).set(database=name).render_as_string(hide_password=False)


_idle_apps: list[CounterclaimApp] = []
"""Applications that no test is using. They are reused, because creating one takes longer than most tests."""


def open_register(url: str) -> Iterator[Register]:
    settings = make_settings(url)
    app = _idle_apps.pop() if _idle_apps else create_app(settings)
    database = open_database(settings)
    app.use_database(database)
    with database.write() as session:
        keys = {
            role.value: {"Authorization": f"Bearer {create_key(session, f'{role.value}-key', role)}"} for role in Role
        }
    with ApplicationClient(app) as client:
        yield Register(settings, database, client, keys)
    _idle_apps.append(app)
