"""The raw limit of an import: the very same final rows, written by the driver alone, in one transaction.

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

from app.database.row_encoding import OMITTED_COLUMNS
from app.database.engine import Database
from app.settings import Settings
from app.database.tables import VERSION_TABLES, Change, ImportedRow, table_of

MODELS: list[type[SQLModel]] = [Change, *VERSION_TABLES.values(), ImportedRow]
TABLES = [table_of(model) for model in MODELS]
"""Changes first: the others refer to them."""
ROWS_AT_ONCE = 20_000
BYTES_AT_ONCE = 1 << 20


def opened(url: str) -> Database:
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
        columns = _columns(names)
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
                    while some := cursor.fetchmany(ROWS_AT_ONCE):
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
    watch = Watch()
    gc.collect()
    gc.disable()
    if sqlite:
        with watch.timing("begin"):
            driver.execute("BEGIN IMMEDIATE")
    for about in sorted(folder.glob("*.json")):
        table = json.loads(about.read_text())
        if table["rows"]:
            write = _executemany if sqlite else _copy
            write(driver, watch, table["table"], table["names"], about.with_suffix(""))
    with watch.timing("commit"):
        driver.execute("UPDATE clock SET seq = (SELECT max(seq) FROM change), at = (SELECT max(at) FROM change)")
        driver.commit()
    gc.enable()
    cache_size = driver.execute("PRAGMA cache_size").fetchone()[0] if sqlite else None
    connection.close()
    return {"seconds": sum(watch.spent.values()), "cpu": watch.cpu, "spent": watch.spent, "cache_size": cache_size}


class Watch:
    """Adds up the seconds of several stretches, by name, and their CPU time."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.cpu = 0.0

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Time a stretch."""
        began, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu += time.process_time() - cpu
        self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - began


def _executemany(driver: Any, watch: Watch, table: str, names: list[str], path: Path) -> None:  # noqa: ANN401
    marks = ", ".join("?" * len(names))
    insert = f'INSERT INTO "{table}" ({_columns(names)}) VALUES ({marks})'  # noqa: S608 - our own names
    for rows in _marshalled(path):
        with watch.timing(table):
            driver.executemany(insert, rows)


def _marshalled(path: Path) -> Iterator[list[tuple[Any, ...]]]:
    with path.open("rb") as file:
        while True:
            try:
                yield marshal.load(file)  # noqa: S302 - our own side file
            except EOFError:
                return


def _copy(driver: Any, watch: Watch, table: str, names: list[str], path: Path) -> None:  # noqa: ANN401
    # Bytes that were just written come from the memory of the system: reading them is less than one percent of it.
    with path.open("rb") as file, watch.timing(table), driver.cursor() as cursor:
        with cursor.copy(f'COPY "{table}" ({_columns(names)}) FROM STDIN') as copy:
            while block := file.read(BYTES_AT_ONCE):
                copy.write(block)


def _columns(names: list[str]) -> str:
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
