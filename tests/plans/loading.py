"""Bulk loading of columns into an empty register. Indices are created afterwards."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

Columns = Mapping[str, Sequence[Any]]
"""Column name → the values of a batch of rows: texts, numbers and None. Times and days are texts, lists are words."""

PutRows = Callable[[str, Columns], None]

LOADED_TABLES = ("change", "document", "claim", "citation", "assessment")
LIST_COLUMNS = ("words",)
TIME_COLUMNS = ("at", "recorded_at", "recorded_until")


@contextmanager
def bulk_load(url: str) -> Iterator[PutRows]:
    """Put rows into the `LOADED_TABLES`; at the end of the block all indices are created again."""
    with _bulk_load_sqlite(url) if url.startswith("sqlite") else _bulk_load_postgresql(url) as put:
        yield put


@contextmanager
def _bulk_load_sqlite(url: str) -> Iterator[PutRows]:
    database = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    # The data are valid, so constraints are not checked for each row.
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "ignore_check_constraints=ON", "foreign_keys=OFF"):
        database.execute(f"PRAGMA {pragma}")
    for pragma in ("cache_size=-400000", "temp_store=MEMORY"):
        database.execute(f"PRAGMA {pragma}")
    wanted = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    made = [
        row for row in database.execute(wanted) if row[2].split(" ON ")[1].split(None, 1)[0].strip('"') in LOADED_TABLES
    ]
    database.execute("BEGIN")
    for kind, name, _ in made:
        database.execute(f"DROP {kind} {name}")

    def put(table: str, columns: Columns) -> None:
        marks = ", ".join("?" * len(columns))
        statement = f'INSERT INTO "{table}" ({", ".join(columns)}) VALUES ({marks})'  # noqa: S608 - our own tables
        database.executemany(statement, zip(*columns.values(), strict=True))

    yield put
    for _, _, statement in made:
        database.execute(statement)
    for table in ("claim", "citation"):
        database.execute(f"INSERT INTO {table}_words ({table}_words) VALUES ('rebuild')")  # noqa: S608 - our own tables
    database.execute("COMMIT")
    database.execute("PRAGMA journal_mode=WAL")
    database.close()


@contextmanager
def _bulk_load_postgresql(url: str) -> Iterator[PutRows]:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as database:
        for setting in ("session_replication_role = replica", "synchronous_commit = off", "timezone = 'UTC'"):
            database.execute(f"SET {setting}")
        database.execute("SET maintenance_work_mem = '256MB'")
        wanted = (
            "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.schemaname = 'public' AND i.tablename = ANY(%s)"
            " AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)"
        )
        made = database.execute(wanted, [list(LOADED_TABLES)]).fetchall()
        for name, _ in made:
            database.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))

        def put(table: str, columns: Columns) -> None:
            if not next(iter(columns.values())):
                return
            shown = [_copy_texts(name, values) for name, values in columns.items()]
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with database.cursor().copy(into) as copy:
                copy.write("\n".join(map("\t".join, zip(*shown, strict=True))) + "\n")

        yield put
        for _, statement in made:
            database.execute(statement)
        for table in ("document", "claim", "citation", "assessment"):
            last = sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'version'), max(version)) FROM {}")
            database.execute(last.format(table, sql.Identifier(table)))
        # Autovacuum would do this a minute later; the service never does it.
        database.execute("VACUUM (ANALYZE)")


def _copy_texts(name: str, values: Sequence[Any]) -> Sequence[str]:
    """The values of a column in the text format of COPY; no value needs escaping."""
    if name in LIST_COLUMNS:
        return [f"{{{value.replace(' ', ',')}}}" for value in values]
    if name in TIME_COLUMNS:
        return [f"{value}+00" for value in values]
    if None in values:
        return ["\\N" if value is None else str(value) for value in values]
    return values if isinstance(values[0], str) else list(map(str, values))
