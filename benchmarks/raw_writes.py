"""The raw limit of an import: the same final rows, written by the driver in one transaction.

SQLite: `executemany` in the connection that the service writes with, so indices, triggers and pragmas are the same.
PostgreSQL: `COPY … FROM STDIN`, of bytes that the server itself had written with `COPY … TO STDOUT`.
The rows lie in side files, table by table, and reading them is no part of the time.
"""

import gc
import json
import marshal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel

from app.database.engine import Database
from app.database.row_encoding import OMITTED_COLUMNS
from app.database.tables import VERSION_TABLES, Change, ImportedRow, table_of
from app.settings import Settings

TABLE_MODELS: list[type[SQLModel]] = [Change, *VERSION_TABLES.values(), ImportedRow]
TABLES = [table_of(model) for model in TABLE_MODELS]
"""Changes first: the others refer to them."""
ROWS_PER_BATCH = 20_000
COPY_CHUNK_BYTES = 1 << 20


def open_database(url: str) -> Database:
    """The database at `url`, as the service opens it."""
    return Database(Settings(DATABASE_URL=url))  # type: ignore[call-arg] # named by its alias


def last_seq(database: Database) -> int:
    """The last change that is recorded."""
    with database.read_engine.connect() as connection:
        seq: int = connection.exec_driver_sql("SELECT seq FROM clock").scalar_one()
    return seq


def save_rows(database: Database, since: int, folder: Path) -> dict[str, int]:
    """Write every row that was recorded after `since` into side files; return how many each table has."""
    saved: dict[str, int] = {}
    for table in TABLES:
        names = [column.name for column in table.columns if column.name not in OMITTED_COLUMNS]
        columns = _quote_columns(names)
        order = "seq" if "version" not in table.columns else "version"
        wanted = f'SELECT {columns} FROM "{table.name}" WHERE seq > {since} ORDER BY {order}'  # noqa: S608
        path = folder / f"{len(saved):02d}-{table.name}"
        connection = database.read_engine.raw_connection()
        try:
            driver: Any = connection.driver_connection
            number = driver.execute(f'SELECT count(*) FROM "{table.name}" WHERE seq > {since}').fetchone()[0]  # noqa: S608
            if database.dialect == "sqlite":
                cursor = driver.execute(wanted)
                with path.open("wb") as file:
                    while some := cursor.fetchmany(ROWS_PER_BATCH):
                        marshal.dump(some, file)
            else:
                with path.open("wb") as file, driver.cursor() as cursor:
                    with cursor.copy(f"COPY ({wanted}) TO STDOUT") as copy:
                        for block in copy:
                            file.write(block)
        finally:
            connection.close()
        saved[table.name] = number
        path.with_suffix(".json").write_text(json.dumps({"table": table.name, "names": names, "rows": number}))
    return saved


def write_rows(database: Database, folder: Path, cache: int | None = None) -> dict[str, Any]:
    """Write the saved rows; return the seconds of it and what each table took.

    `cache` is the page cache of SQLite in KiB; otherwise it is the service's own.
    """
    connection = database.write_engine.raw_connection()
    driver: Any = connection.driver_connection
    sqlite = database.dialect == "sqlite"
    if cache and sqlite:
        driver.execute(f"PRAGMA cache_size = -{cache}")
    watch = Stopwatch()
    gc.collect()
    gc.disable()
    if sqlite:
        with watch.measure("begin"):
            driver.execute("BEGIN IMMEDIATE")
    for about in sorted(folder.glob("*.json")):
        table = json.loads(about.read_text())
        if table["rows"]:
            write = _executemany if sqlite else _copy_rows
            write(driver, watch, table["table"], table["names"], about.with_suffix(""))
    with watch.measure("commit"):
        driver.execute("UPDATE clock SET seq = (SELECT max(seq) FROM change), at = (SELECT max(at) FROM change)")
        driver.commit()
    gc.enable()
    cache_size = driver.execute("PRAGMA cache_size").fetchone()[0] if sqlite else None
    connection.close()
    return {
        "seconds": sum(watch.seconds.values()),
        "cpu": watch.cpu_seconds,
        "spent": watch.seconds,
        "cache_size": cache_size,
    }


class Stopwatch:
    """Adds up the seconds of several stretches, by name, and their CPU time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds = 0.0

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Time a stretch."""
        began, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu_seconds += time.process_time() - cpu
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def _executemany(driver: Any, watch: Stopwatch, table: str, names: list[str], path: Path) -> None:  # noqa: ANN401
    marks = ", ".join("?" * len(names))
    insert = f'INSERT INTO "{table}" ({_quote_columns(names)}) VALUES ({marks})'  # noqa: S608 - our own names
    for rows in _read_batches(path):
        with watch.measure(table):
            driver.executemany(insert, rows)


def _read_batches(path: Path) -> Iterator[list[tuple[Any, ...]]]:
    with path.open("rb") as file:
        while True:
            try:
                yield marshal.load(file)  # noqa: S302 - our own side file
            except EOFError:
                return


def _copy_rows(driver: Any, watch: Stopwatch, table: str, names: list[str], path: Path) -> None:  # noqa: ANN401
    # Bytes that were just written come from the memory of the system: reading them is less than one percent of it.
    with path.open("rb") as file, watch.measure(table), driver.cursor() as cursor:
        with cursor.copy(f'COPY "{table}" ({_quote_columns(names)}) FROM STDIN') as copy:
            while block := file.read(COPY_CHUNK_BYTES):
                copy.write(block)


def _quote_columns(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def count_rows(database: Database, since: int) -> dict[str, int]:
    """How many rows each table has that were recorded after `since`."""
    with database.read_engine.connect() as connection:
        return {
            table.name: connection.exec_driver_sql(
                f'SELECT count(*) FROM "{table.name}" WHERE seq > {since}'  # noqa: S608
            ).scalar_one()
            for table in TABLES
        }
