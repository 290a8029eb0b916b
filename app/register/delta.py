"""A delta of the data package: the records that changed after a state, each complete with its history, for mirrors.

A change can touch rows that its entry in the change log does not name: a takedown erases past versions, and a change of
a claim replaces its citations. A delta therefore has every row of each record that was touched. Whoever has the state
before replaces those records, deletes what `erased` names, and then has the rows of the state after it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, select
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.sql import VALUES_PER_QUERY, batch_values
from app.database.tables import (
    TAKEDOWN_CHANGE,
    VERSION_TABLES,
    AssessmentVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    ImportedRow,
    RelationVersion,
    Version,
    columns_of,
)
from app.register.package import PACKAGE_TABLES, Erased, PackageTable, Rows, select_rows

PAGE_CHANGES = 1_000
"""The number of changes after which a delta ends, with the transaction of the last one."""

MAX_CHANGES = 20_000
"""The most changes in a delta. If a transaction has more, there is none, and a mirror reads the whole package."""

TABLES = {table.name: table for table in PACKAGE_TABLES}

KINDS_WITH_ERASED_REASONS = ("relation", "document", "citation")
"""The records of which a takedown erases the reasons of changes, besides those of claims."""


@dataclass(slots=True)
class Delta:
    """The records that changed after `after` up to `seq`, as rows of the tables of a package."""

    after: int
    seq: int
    erased: Erased
    rows: dict[str, list[Rows]] = field(default_factory=dict)
    """The rows of each table, by its name in the package."""


def read_delta(session: Session, after: int, snapshot: Snapshot) -> Delta | None:
    """Return the changes after `after`, at least one, up to the end of a transaction.

    Returns:
        None if there is no delta: a transaction is too long, or the slug of a source was replaced everywhere.
    """
    until = _find_end(session, after, snapshot)
    if until - after > MAX_CHANGES:
        return None
    touched = _find_touched(session, after, until)
    if touched is None:
        return None
    delta = Delta(after, until, touched.erased)
    change = columns_of(Change)
    changes: list[ColumnElement[bool]] = [change.seq > after]
    changes += [change.claim.in_(batch) for batch in batch_values(touched.erased.claims)]
    for kind, table in VERSION_TABLES.items():
        key = columns_of(table)[table.key_name]
        conditions = [key.in_(batch) for batch in batch_values(sorted(touched.keys[kind]))]
        rows = delta.rows[kind] = [_read(session, TABLES[kind], until, each) for each in conditions]
        if touched.erased.is_any and kind in KINDS_WITH_ERASED_REASONS:
            seqs = sorted({row.seq for page in rows for row in page})
            changes += [change.seq.in_(batch) for batch in _batch(seqs)]
    delta.rows["imported_row"] = [_read(session, TABLES["imported_row"], until, columns_of(ImportedRow).seq > after)]
    log = {row.seq: row for each in changes for row in _read(session, TABLES["change"], until, each)}
    delta.rows["change"] = [[log[seq] for seq in sorted(log)]]
    return delta


@dataclass(frozen=True, slots=True)
class _Touched:
    """The keys of the records that changes have touched, by kind."""

    keys: defaultdict[str, set[str]]
    erased: Erased


def _find_touched(session: Session, after: int, until: int) -> _Touched | None:
    """Return the records that changes have touched, or None if the slug of a source was replaced."""
    change = columns_of(Change)
    statement = select(change.kind, change.key, change.action, change.claim)
    keys, taken_down = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for row in session.execute(statement.where(change.seq > after, change.seq <= until)):
        keys[row.kind].add(row.key)
        if row.claim is not None:
            keys["claim"].add(row.claim)
        if row.action == "takedown":
            taken_down[row.kind].add(row.key)
    if taken_down["source"]:
        return None
    keys["citation"] |= _find(session, CitationVersion, "claim", keys["claim"])
    touched = _Touched(keys, Erased(sorted(taken_down["claim"]), sorted(taken_down["document"])))
    if touched.erased.is_any:
        _add_erased(session, touched)
    return touched


def _find_end(session: Session, after: int, snapshot: Snapshot) -> int:
    """Return the last change of a delta: at the end of a transaction, and not before a takedown.

    What was taken down is erased from the state before, too, which can then not be read as it was.
    """
    change = columns_of(Change)
    if snapshot.seq - after <= PAGE_CHANGES:
        return snapshot.seq
    at = select(change.at).where(change.seq == after + PAGE_CHANGES).scalar_subquery()
    following = (
        select(change.seq).where(change.seq > after + PAGE_CHANGES, change.at > at).order_by(change.seq).limit(1)
    )
    first: int | None = session.execute(following).scalar()
    until = snapshot.seq if first is None else first - 1
    takedown = select(change.seq).where(TAKEDOWN_CHANGE, change.seq > until).limit(1)
    return until if session.execute(takedown).first() is None else snapshot.seq


def _add_erased(session: Session, touched: _Touched) -> None:
    """Add the records from which the takedown of claims and documents erases something."""
    keys, erased, claim = touched.keys, touched.erased, columns_of(ClaimVersion)
    keys["assessment"] |= _find(session, AssessmentVersion, "claim", erased.claims)
    keys["relation"] |= _find(session, RelationVersion, "claim", erased.claims)
    keys["relation"] |= _find(session, RelationVersion, "to_claim", erased.claims)
    keys["relation"] |= _find(session, RelationVersion, "document", erased.documents)
    keys["citation"] |= _find(session, CitationVersion, "document", erased.documents)
    for batch in batch_values(erased.claims):
        imports = select(claim.import_id).where(claim.id.in_(batch), claim.import_id.is_not(None))
        keys["import"].update(session.execute(imports).scalars())


def _find(session: Session, table: type[Version], column: str, values: Iterable[str]) -> set[str]:
    """Return the keys of the records of which a version has one of the values in a column."""
    columns, found = columns_of(table), set[str]()
    for batch in batch_values(sorted(values)):
        statement = select(columns[table.key_name]).where(columns[column].in_(batch))
        found.update(session.execute(statement).scalars())
    return found


def _batch(seqs: Sequence[int]) -> Iterable[Sequence[int]]:
    return (seqs[start : start + VALUES_PER_QUERY] for start in range(0, len(seqs), VALUES_PER_QUERY))


def _read(session: Session, table: PackageTable, seq: int, condition: ColumnElement[bool]) -> Rows:
    return session.execute(select_rows(table, seq).where(condition)).all()
