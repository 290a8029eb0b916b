"""The invariants of a register, which `counterclaim check` tests. Every row and every index is read for that."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlmodel import SQLModel

from app.database.engine import Database
from app.database.schema_check import find_schema_differences
from app.database.tables import VERSION_TABLES

MAX_FINDINGS = 100
"""How many damaged pages or rows a check lists."""


class Breach(NamedTuple):
    """An invariant that does not hold."""

    invariant: str
    detail: str


def find_breaches(database: Database) -> Iterator[Breach]:
    """Yield what is wrong with the files, the tables and the history of a register.

    Raises the error of the driver if a damaged page cannot be read at all.
    """
    with database.connect_primary() as connection:

        def fetch(statement: str) -> Sequence[Sequence[Any]]:
            rows: Sequence[Sequence[Any]] = connection.exec_driver_sql(statement).all()
            return rows

        if database.dialect == "sqlite":
            yield from _check_sqlite_file(fetch)
        else:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
            for table in SQLModel.metadata.sorted_tables:
                fetch(f'SELECT sum(length(row::text)) FROM "{table.name}" AS row')  # noqa: S608 - our own names
        for difference in find_schema_differences(fetch, database.dialect):
            yield Breach("schema", difference)
        yield from _check_clock(fetch)
        for kind, version in VERSION_TABLES.items():
            yield from _check_versions(fetch, kind, version.key_name)
        yield from _check_references(fetch)


def _check_sqlite_file(fetch: Any) -> Iterator[Breach]:  # noqa: ANN401 - a function of `find_breaches`
    for (text,) in fetch(f"PRAGMA integrity_check({MAX_FINDINGS})"):
        if text != "ok":
            yield Breach("pages", " ".join(text.split()))
    for table, row, parent, _ in fetch("PRAGMA foreign_key_check")[:MAX_FINDINGS]:
        yield Breach("foreign_keys", f"row {row} of {table} refers to no row of {parent}")


def _check_clock(fetch: Any) -> Iterator[Breach]:  # noqa: ANN401 - as above
    clocks = fetch("SELECT seq FROM clock")
    ((count, first, last),) = fetch("SELECT count(*), coalesce(min(seq), 1), coalesce(max(seq), 0) FROM change")
    if [seq for (seq,) in clocks] != [last]:
        yield Breach("clock", f"the clock is at {[seq for (seq,) in clocks]}, the change log ends at {last}")
    if first != 1 or count != last:
        yield Breach("change_log", f"{count} changes from {first} to {last}: numbers are missing")
    ((fallen,),) = fetch(
        "SELECT count(*) FROM (SELECT at, lag(at) OVER (ORDER BY seq) AS before FROM change) AS log WHERE at < before"
    )
    if fallen:
        yield Breach("change_log", f"the time falls {fallen} times")


def _check_versions(fetch: Any, kind: str, key: str) -> Iterator[Breach]:  # noqa: ANN401 - as above
    """Check that the versions of a record follow each other: no two are valid at once, each belongs to a change."""
    rows = fetch(
        f"SELECT {key} FROM (SELECT {key}, seq, until_seq, revision, lead(seq) OVER own AS next_seq, "  # noqa: S608 - our own names
        f"lead(revision) OVER own AS next_revision FROM {kind} "
        f"WINDOW own AS (PARTITION BY {key} ORDER BY seq, version)) AS versions "
        "WHERE (next_seq IS NOT NULL AND (until_seq IS NULL OR until_seq > next_seq)) OR until_seq < seq "
        f"OR next_revision <= revision LIMIT {MAX_FINDINGS}"
    )
    for (record,) in rows:
        yield Breach("versions", f"{kind} {record} has versions that overlap")
    rows = fetch(
        f"SELECT DISTINCT {key} FROM {kind} AS record WHERE NOT EXISTS "  # noqa: S608 - our own names
        f"(SELECT 1 FROM change WHERE change.seq = record.seq) LIMIT {MAX_FINDINGS}"
    )
    for (record,) in rows:
        yield Breach("versions", f"{kind} {record} has a version without a change")


REFERENCES = (
    ("claim", "source", "source", "slug"),
    ("claim", "category", "category", "slug"),
    ("claim", "subject", "subject", "slug"),
    ("claim", "place", "place", "slug"),
    ("citation", "claim", "claim", "id"),
    ("citation", "document", "document", "id"),
    ("assessment", "claim", "claim", "id"),
    ("relation", "claim", "claim", "id"),
)
"""Columns of current versions that name a current version of another table."""


def _check_references(fetch: Any) -> Iterator[Breach]:  # noqa: ANN401 - as above
    for table, column, parent, key in REFERENCES:
        visible = "AND record.status <> 'removed'" if table == "claim" else ""
        rows = fetch(
            f"SELECT DISTINCT record.{column} FROM {table} AS record WHERE record.until_seq IS NULL {visible} "  # noqa: S608 - our own names
            f"AND record.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} AS parent "
            f"WHERE parent.{key} = record.{column} AND parent.until_seq IS NULL) LIMIT {MAX_FINDINGS}"
        )
        for (value,) in rows:
            yield Breach("references", f"{table}.{column} names {value}, which is no current {parent}")
