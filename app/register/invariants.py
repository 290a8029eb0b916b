"""The invariants of a register, which `counterclaim check` tests. Every row and every index is read for that."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select
from sqlmodel import SQLModel

from app.claims.counts.stored import COUNT, SELECT_STATE, CountKey, recount_claims
from app.comparison.series_key import build_series_columns
from app.database.engine import Database
from app.database.query_budget import lift_budget
from app.database.question_keys import question_key
from app.database.schema_check import find_schema_differences
from app.database.tables import QUESTION_COLUMNS, VERSION_TABLES, Change, ClaimVersion, Clock, table_of

CLAIMS_AT_ONCE = 2_000
"""So many claims are in memory at a time."""

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
            connection.begin()
            lift_budget(connection.connection.driver_connection)  # type: ignore[arg-type] # a connection of sqlite3
            yield from _check_sqlite_file(fetch)
        else:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
            for table in SQLModel.metadata.sorted_tables:
                fetch(f'SELECT sum(length(row::text)) FROM "{table.name}" AS row')  # noqa: S608 - our own names
        for difference in find_schema_differences(fetch, database.dialect):
            yield Breach("schema", difference)
        yield from _check_clock(fetch)
        yield from _check_epochs(fetch)
        for kind, version in VERSION_TABLES.items():
            yield from _check_versions(fetch, kind, version.key_name)
        yield from _check_references(fetch)
        yield from _check_questions(connection)
        yield from _check_series(connection)
        yield from _check_counts(connection)
        if database.dialect == "sqlite":
            yield from _check_full_text(fetch)


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


def _check_epochs(fetch: Any) -> Iterator[Breach]:  # noqa: ANN401 - as above
    epochs = fetch("SELECT number, forked_seq FROM epoch ORDER BY number")
    ((clock,),) = fetch("SELECT max(seq) FROM clock")
    if not epochs or epochs[0][0] < 1 or any(seq > clock for _, seq in epochs):
        yield Breach("epochs", f"{[tuple(epoch) for epoch in epochs]} do not begin with 1, or fork after {clock}")


def _check_versions(fetch: Any, kind: str, key: str) -> Iterator[Breach]:  # noqa: ANN401 - as above
    """Check that the versions of a record follow each other, the last one is valid, and each belongs to a change."""
    rows = fetch(
        f"SELECT {key} FROM (SELECT {key}, seq, until_seq, revision, lead(seq) OVER own AS next_seq, "  # noqa: S608 - our own names
        f"lead(revision) OVER own AS next_revision FROM {kind} "
        f"WINDOW own AS (PARTITION BY {key} ORDER BY seq, version)) AS versions "
        "WHERE coalesce(until_seq, 0) <> coalesce(next_seq, 0) OR until_seq <= seq "
        f"OR next_revision <= revision LIMIT {MAX_FINDINGS}"
    )
    for (record,) in rows:
        yield Breach("versions", f"{kind} {record} has versions that do not follow each other")
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


def _check_questions(connection: Connection) -> Iterator[Breach]:
    """Check that each change of a claim is found by the question that the claim answers."""
    claim, change = table_of(ClaimVersion), table_of(Change)
    question = [claim.c[name] for name in QUESTION_COLUMNS]
    statement = (
        select(change.c.question, *question, func.count(), func.min(change.c.seq))
        .join(claim, claim.c.id == change.c.claim)
        .where(claim.c.until_seq.is_(None))
        .group_by(change.c.question, *question)
    )
    for row in connection.execute(statement):
        key, *names, count, seq = row
        if key != question_key(*names):
            yield Breach("questions", f"{count} changes of claims, the first one {seq}, are filed elsewhere")


def _check_series(connection: Connection) -> Iterator[Breach]:
    """Check that the index of series has each current claim in its own: else comparisons do not find it."""
    claim = table_of(ClaimVersion)
    statement = select(claim).where(claim.c.until_seq.is_(None)).execution_options(yield_per=CLAIMS_AT_ONCE)
    wrong = 0
    for row in connection.execute(statement):
        columns = row._asdict()
        if columns != columns | build_series_columns(columns):
            wrong += 1
            if wrong <= MAX_FINDINGS:
                yield Breach("series", f"claim {row.id} is not where its source, period and date belong")
    if wrong > MAX_FINDINGS:
        yield Breach("series", f"{wrong} claims are not where they belong")


def _check_counts(connection: Connection) -> Iterator[Breach]:
    """Check that the stored counts of claims are what is counted."""
    seq = connection.execute(SELECT_STATE).scalar()
    last = connection.execute(select(table_of(Clock).c.seq)).scalar() or 0
    if seq is None or seq > last:
        yield Breach("counts", f"the stored counts are of seq {seq}, the clock is at {last}")
        return
    rows = connection.execute(select(COUNT)).mappings()
    stored: dict[CountKey, int] = {(row["pair"], row["first"], row["second"]): row["claims"] for row in rows}
    counted = recount_claims(connection, seq)
    wrong = sorted(key for key in stored.keys() | counted.keys() if stored.get(key, 0) != counted.get(key, 0))
    if wrong:
        first = wrong[0]
        name = " ".join(part for part in first if part)
        detail = f"{name!r} is {stored.get(first, 0)}, and {counted.get(first, 0)} are there"
        yield Breach("counts", f"{len(wrong)} stored counts are wrong: {detail}")


def _check_full_text(fetch: Any) -> Iterator[Breach]:  # noqa: ANN401 - as above
    """Check that the full-text index of SQLite has the rows of its tables; `integrity_check` does not compare them."""
    for table in ("claim", "citation"):
        ((missing,),) = fetch(
            f"SELECT count(*) FROM {table} LEFT JOIN {table}_words_docsize AS word ON word.id = version "  # noqa: S608 - our own names
            "WHERE word.id IS NULL"
        )
        ((surplus,),) = fetch(
            f"SELECT count(*) FROM {table}_words_docsize AS word LEFT JOIN {table} ON version = word.id "  # noqa: S608 - our own names
            "WHERE version IS NULL"
        )
        if missing or surplus:
            yield Breach("full_text", f"the index of {table} lacks {missing} rows, and has {surplus} too many")
