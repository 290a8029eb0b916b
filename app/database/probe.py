"""A check of what a request needs from the database, on a connection of its own, with short timeouts.

It reads the clock, the last change, the newest claim by each of its indices, and the schema.
The primary database and the replica are checked apart, since one of them may hang.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Index
from sqlalchemy.exc import DBAPIError

from app.database.engine import Database, SchemaStale, expected_migration, schema_fault
from app.database.faults import DatabaseFault, classify
from app.database.schema_check import find_schema_differences
from app.database.server_connection import LOCK_SECONDS, server_connection
from app.database.tables import ClaimVersion, table_of

STATEMENT_SECONDS = 1.0

SERVER_SETTINGS = {
    "statement_timeout": f"{STATEMENT_SECONDS * 1000:.0f}",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}",
    "enable_seqscan": "off",
    "enable_sort": "off",
    "jit": "off",
    # The clock and the change log are compared: a write between the two statements must not look like damage.
    "transaction_isolation": "repeatable read",
}


@dataclass(slots=True)
class Reason:
    """Why a service is not ready."""

    fault: DatabaseFault
    detail: str


@dataclass(slots=True)
class ServerState:
    """What a check of one database server, or of the file of SQLite, has found."""

    seq: int | None = None
    """The latest change that it has; None if it cannot be read."""
    reasons: list[Reason] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    writes: bool = True
    """Whether writes are recorded, if it can be read."""


@dataclass(slots=True)
class ProbeResult:
    """What a check of the databases has found."""

    seq: int = 0
    """The latest change that reads see."""
    primary_seq: int = 0
    """The latest change of the primary database."""
    replica_seq: int | None = None
    """The latest change that the replica has; None if there is none, or it is down."""
    replica_lag_seconds: float = 0.0
    """For how long the primary database has had the oldest change that the replica lacks."""
    reasons: list[Reason] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reads: bool = True
    """Whether reads are answered."""
    writes: bool = True
    """Whether writes are recorded."""


class Damage(Exception):
    """Tables and indices contradict each other."""


Fetch = Callable[[str, Any], Sequence[Sequence[Any]]]


def probe(database: Database) -> ProbeResult:
    """Check the database, and the replica if there is one."""
    replica = None if database.replica_url is None else probe_server(database, is_replica=True)
    return combine(database, probe_server(database), replica)


def combine(database: Database, primary: ServerState, replica: ServerState | None) -> ProbeResult:
    """Return what the states of the primary database and of the replica mean for requests."""
    result = ProbeResult(primary.seq or 0, primary.seq or 0, reasons=list(primary.reasons))
    result.warnings += primary.warnings
    result.reads, result.writes = primary.seq is not None, primary.seq is not None and primary.writes
    if replica is not None:
        _add_replica(result, primary, replica)
    if (watch := database.primary_watch) is not None and replica is not None and replica.seq is not None:
        result.replica_lag_seconds = watch.lag_seconds(replica.seq)
        if watch.sees_primary and result.replica_lag_seconds > watch.most_lag:
            result.warnings.append(
                f"The read replica lacks changes of the last {result.replica_lag_seconds:.1f} seconds: "
                "reads go to the primary database."
            )
    if (damage := database.damage.read()) is not None:
        others = [each for each in result.reasons if each.fault is not DatabaseFault.damaged]
        result.reasons = [Reason(DatabaseFault.damaged, f"{damage} Run `counterclaim check`."), *others]
        result.reads = result.writes = False
    return result


def _add_replica(result: ProbeResult, primary: ServerState, replica: ServerState) -> None:
    is_primary_up, is_replica_up = primary.seq is not None, replica.seq is not None
    result.replica_seq = replica.seq
    result.seq = max(result.seq, replica.seq or 0)
    result.reads = is_primary_up or is_replica_up
    if is_replica_up and not is_primary_up:
        result.reasons = [
            Reason(each.fault, f"Writes are refused, reads work. The primary database: {each.detail}")
            for each in primary.reasons
        ]
    elif is_primary_up:  # reads go to the primary database meanwhile
        result.warnings += [f"The read replica: {each.detail}" for each in replica.reasons]
    else:
        result.reasons += replica.reasons


def probe_server(database: Database, *, is_replica: bool = False) -> ServerState:
    """Check one database server: the primary one or the replica."""
    state = ServerState()
    url = database.replica_url if is_replica and database.replica_url else database.url
    if database.dialect == "sqlite" and url.database and not Path(url.database).exists():
        detail = f"The database file {Path(url.database).name} does not exist."
        state.reasons.append(Reason(DatabaseFault.away, detail))
        return state
    try:
        with server_connection(database.read_engine.dialect, url, SERVER_SETTINGS) as driver:
            seq = _read_register(driver, database.dialect)
            if not is_replica:
                _check_writes(state, driver, database)
            state.seq = seq
    except SchemaStale as stale:
        state.reasons.append(Reason(DatabaseFault.schema, str(stale)))
    except Damage as damage:
        state.reasons.append(_record_damage(database, str(damage)))
    except DBAPIError as error:
        fault = classify(error) or DatabaseFault.away
        fault = DatabaseFault.frozen if fault is DatabaseFault.too_broad else fault
        if fault is DatabaseFault.damaged:
            state.reasons.append(_record_damage(database, _first_line(error)))
        else:
            state.reasons.append(Reason(fault, f"{PROBE_DETAILS.get(fault, '')} ({_first_line(error)})"))
    return state


def _record_damage(database: Database, what: str) -> Reason:
    detail = f"{database.file_name or 'The database'} is damaged: {what}."
    database.damage.write(detail)
    return Reason(DatabaseFault.damaged, detail)


PROBE_DETAILS = {
    DatabaseFault.away: "The database cannot be reached.",
    DatabaseFault.frozen: "The database does not answer in time.",
    DatabaseFault.locked: "The database is locked by another transaction.",
    DatabaseFault.pool: "The database has no free connection.",
    DatabaseFault.read_only: "The database is read-only.",
    DatabaseFault.full: "The disk of the database is full.",
    DatabaseFault.schema: "The tables of the database are not those of this release.",
}


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".") if str(error.orig).strip() else type(error.orig).__name__


def _read_register(driver: Any, dialect: str) -> int:  # noqa: ANN401 - a connection of the driver
    """Read what every request reads; return the `seq` of the clock."""

    def fetch(statement: str, parameters: Any = ()) -> Sequence[Sequence[Any]]:  # noqa: ANN401 - of the driver
        rows: Sequence[Sequence[Any]] = driver.execute(statement, parameters).fetchall()
        return rows

    expected = expected_migration()
    has_version = bool(fetch(HAS_VERSION[dialect]))
    version = (fetch("SELECT version_num FROM alembic_version") or [[None]])[0][0] if has_version else None
    differences = find_schema_differences(fetch, dialect) if version == expected else []
    if (fault := schema_fault(version, differences)) is not None:
        raise SchemaStale(fault)
    clocks, changes = fetch("SELECT seq FROM clock"), fetch("SELECT seq FROM change ORDER BY seq DESC LIMIT 1")
    if len(clocks) != 1:
        raise Damage("the clock has no row")
    seq, last = int(clocks[0][0]), int(changes[0][0]) if changes else 0
    if seq != last:
        raise Damage(f"the clock is at seq {seq}, the change log ends at {last}")
    _read_newest_claim(fetch, dialect)
    return seq


HAS_VERSION = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'",
    "postgresql": "SELECT 1 FROM pg_class WHERE oid = to_regclass('alembic_version')",
}


def _read_newest_claim(fetch: Fetch, dialect: str) -> None:
    """Read the newest claim by each index of claims that contains it."""
    newest = fetch("SELECT version FROM claim ORDER BY version DESC LIMIT 1", ())
    if not newest:
        return
    version = newest[0][0]
    for statement, name in _index_statements(dialect):
        rows = fetch(statement, {"version": version} if dialect == "sqlite" else ())
        if dialect == "sqlite" and rows[0][0] != rows[0][1]:
            raise Damage(f"the index {name} does not match the newest claim")


@cache
def _index_statements(dialect: str) -> list[tuple[str, str]]:
    """Return the statements that read a claim by each index, with the names of the indices.

    SQLite is told which index to use. PostgreSQL cannot be told: it reads the first entry in the order of the index,
    which no other index has.
    """
    statements = []
    for index in sorted(table_of(ClaimVersion).indexes, key=lambda each: str(each.name)):
        names = [f'"{column.name}"' for column in index.columns]
        if index.dialect_options["postgresql"]["using"] or len(names) != len(index.expressions):
            continue
        build = _sqlite_statement if dialect == "sqlite" else _postgresql_statement
        statements.append((build(index, names), str(index.name)))
    return statements


def _sqlite_statement(index: Index, names: list[str]) -> str:
    """Return a statement for how many rows the table and the index have of a version: one, or none if it is partial."""
    where = index.dialect_options["sqlite"]["where"]
    condition = f" AND {where}" if where is not None else ""
    row = "FROM claim NOT INDEXED WHERE version = :version"
    equal = " AND ".join(f"{name} IS (SELECT {name} {row})" for name in names)
    return (
        f"SELECT (SELECT count(*) {row}{condition}), "  # noqa: S608 - our own names
        f"(SELECT count(*) FROM claim INDEXED BY {index.name} WHERE {equal} AND version = :version{condition})"
    )


def _postgresql_statement(index: Index, names: list[str]) -> str:
    where = index.dialect_options["postgresql"]["where"]
    condition = f"WHERE {where} " if where is not None else ""
    return f"SELECT version FROM claim {condition}ORDER BY {', '.join(names)} LIMIT 1"  # noqa: S608 - our own names


def _check_writes(state: ServerState, driver: Any, database: Database) -> None:  # noqa: ANN401 - as above
    """Note if the primary database refuses writes."""
    if _is_disk_full(database):
        state.reasons.append(Reason(DatabaseFault.full, "The disk of the database is full: writes are refused."))
        state.writes = False
    if database.dialect == "sqlite":
        return  # see `storage_faults` of the health checks
    in_recovery, read_only, checksums = driver.execute(
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only'), "
        "current_setting('data_checksums')"
    ).fetchone()
    if in_recovery or read_only == "on":
        what = "a standby that is not promoted" if in_recovery else "set to read-only"
        state.reasons.append(Reason(DatabaseFault.read_only, f"The database is {what}: writes are refused."))
        state.writes = False
    if checksums != "on":
        state.warnings.append(
            "PostgreSQL has no data checksums: damage of its files can stay unnoticed. See docs/operating.md."
        )


MIN_FREE_BYTES = 1_000_000
"""With less free space beside the file of SQLite, the disk counts as full."""

FULL_SECONDS = 10.0
"""How long the disk counts as full after a write has failed for that reason, unless one succeeds."""


def _is_disk_full(database: Database) -> bool:
    """Return whether the disk of the database is full. That of PostgreSQL is known by the last write alone."""
    if database.full_at is not None and time.monotonic() - database.full_at < FULL_SECONDS:
        return True
    if database.dialect != "sqlite" or not database.url.database:
        return False
    space = os.statvfs(Path(database.address).parent)
    return space.f_bavail * space.f_frsize < MIN_FREE_BYTES
