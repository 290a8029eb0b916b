"""The register for read benchmarks: filled once per database and size, stored in `.bench`, copied for a run."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.postgresql import CACHE_FOLDER, drop_database, postgresql_server
from tests.plans import synthetic_register
from tests.plans.synthetic_register import fill_register
from tests.registers import migrate

REPORTED_SETTINGS = ("server_version", "shared_buffers", "synchronous_commit", "fsync")
MAX_SAMPLED_IDS = 40_000
"""Maximum number of claims whose addresses are requested."""


class RegisterStore:
    """Registers on one database system."""

    def __init__(self, kind: str, server: str | None = None) -> None:
        self.kind = kind
        self._server = server
        self._copies: list[str] = []
        (CACHE_FOLDER / "registers").mkdir(parents=True, exist_ok=True)
        (CACHE_FOLDER / "work").mkdir(exist_ok=True)

    def filled(self, claims: int) -> str:
        """Return the address of the read-only register with this number of claims. It is filled if it does not exist."""
        name = f"bench_{_schema_digest()}_{claims}"
        url = self._address(name)
        if not self._exists(name):
            self._drop_outdated(claims)
            making = f"making_{name}"
            self._drop(making)
            self._create(making)
            migrate(self._address(making))
            fill_register(self._address(making), claims)
            self._rename(making, name)
        return url

    def copy(self, claims: int) -> str:
        """Return the address of a copy that may be written to; it is dropped at the end."""
        source, name = self.filled(claims), f"work_{os.getpid()}_{len(self._copies)}"
        self._drop(name)
        self._create(name, source)
        self._copies.append(name)
        return self._address(name)

    def clear(self) -> None:
        """Drop the copies."""
        while self._copies:
            self._drop(self._copies.pop())

    def version(self) -> str:
        """What it runs on."""
        if self._server is None:
            return f"SQLite {sqlite3.sqlite_version}"
        with psycopg.connect(self._server) as connection:
            shown = {name: _first_value(connection.execute(f"SHOW {name}").fetchone()) for name in REPORTED_SETTINGS}
        return f"PostgreSQL {shown.pop('server_version')} ({', '.join(f'{k}={v}' for k, v in shown.items())})"

    def _address(self, name: str) -> str:
        if self._server is None:
            return f"sqlite:///{self._file(name)}"
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)

    def _file(self, name: str) -> Path:
        return CACHE_FOLDER / ("work" if name.startswith(("work", "making")) else "registers") / f"{name}.db"

    def _exists(self, name: str) -> bool:
        if self._server is None:
            return self._file(name).exists()
        return name in self._names()

    def _names(self) -> list[str]:
        with psycopg.connect(str(self._server), autocommit=True) as connection:
            return [row[0] for row in connection.execute("SELECT datname FROM pg_database")]

    def _create(self, name: str, template: str | None = None) -> None:
        if self._server is None:
            if template is not None:
                shutil.copyfile(template.removeprefix("sqlite:///"), self._file(name))
            return
        with psycopg.connect(self._server, autocommit=True) as connection:
            copied = make_url(template).database if template else "template1"
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(str(copied))))

    def _rename(self, name: str, to: str) -> None:
        if self._server is None:
            # A program that opens the file as immutable does not read its log.
            file = sqlite3.connect(self._file(name))
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            file.close()
            self._file(name).rename(self._file(to))
            return
        with psycopg.connect(self._server, autocommit=True) as connection:
            statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(to)))

    def _drop(self, name: str) -> None:
        drop_database(self._server, name, self._file(name))

    def _drop_outdated(self, claims: int) -> None:
        """Remove registers of this size that were filled with an older schema or by other code."""
        if self._server is None:
            for path in (CACHE_FOLDER / "registers").glob(f"bench_*_{claims}.*"):
                path.unlink()
            for path in (CACHE_FOLDER / "registers").glob(f"pocketbase_*_{claims}"):
                shutil.rmtree(path)
            return
        for name in self._names():
            if name.startswith(("bench_", "making_bench_")) and name.endswith(f"_{claims}"):
                self._drop(name)


@contextmanager
def open_register_stores(kinds: Sequence[str], core: int) -> Iterator[list[RegisterStore]]:
    """One store for each kind: `sqlite`, `postgresql`. PostgreSQL is TEST_DATABASE_URL, or started from a package.

    A server that is started here runs on `core`, like the services that ask it.
    """
    with ExitStack() as stack:
        made: list[RegisterStore] = []
        for kind in kinds:
            url = stack.enter_context(postgresql_server(core)) if kind == "postgresql" else None
            store = RegisterStore(kind, url)
            stack.callback(_clear, store)
            made.append(store)
        yield made


def _clear(store: RegisterStore) -> None:
    with suppress(psycopg.Error):
        store.clear()


def fetch_rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a query on a register."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        return other.execute(statement.encode()).fetchall()


def sample_claim_ids(url: str) -> list[str]:
    """Ids of claims from all over the register, in an order without meaning."""
    (last,) = fetch_rows(url, "SELECT max(version) FROM claim")[0]
    step = max(1, last // MAX_SAMPLED_IDS)
    wanted = f"SELECT id FROM claim WHERE version % {step} = 0 AND until_seq IS NULL AND status <> 'removed'"  # noqa: S608
    found = [str(row[0]) for row in fetch_rows(url, wanted)]
    return sorted(found, key=lambda id_: hashlib.md5(id_.encode(), usedforsecurity=False).digest())


def _schema_digest() -> str:
    """Changes with the schema and with what fills it."""
    migrations = sorted((Path(__file__).parent.parent / "alembic" / "versions").glob("*.py"))
    folder = Path(synthetic_register.__file__).parent
    parts = [
        *(each.read_text() for each in migrations),
        *((folder / name).read_text() for name in ("synthetic_register.py", "loading.py")),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10]


def _first_value(row: tuple[Any, ...] | None) -> Any:  # noqa: ANN401 - whatever a setting is
    assert row is not None  # noqa: S101 - SHOW always answers
    return row[0]
