"""Stored counts of claims. They are right as of one `seq`; readers add what changed since.

Every `UPDATE_INTERVAL` changes, the write transaction that reaches the multiple brings the counts up to its own state,
and so does every long import. To write them with each claim would take longer than the write itself. A takedown erases
past versions, so it corrects the counts at once.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ClauseElement, Connection, Select, Text, bindparam, cast, func, select, text

from app.claims.counts.keys import KEY_FIELDS, PAIRS, STORED, UNASSESSED, UNKNOWN
from app.database.snapshot import is_version_at
from app.database.sql import InList, encode_list, with_index
from app.database.tables import AssessmentVersion, ClaimCount, ClaimCountState, ClaimVersion, table_of
from app.database.transaction import WriteTransaction
from app.database.types import BIG_INTEGER
from app.enums import Status

UPDATE_INTERVAL = 1_000
"""Number of changes after which the counts are brought up to date."""

CHANGES_PER_BATCH = 50_000
"""Number of changes that are counted at once, which limits the memory that a long import takes."""

CLAIMS_PER_RECOUNT = 20_000
"""Number of versions of claims that are counted at once when all are counted again."""

CLAIM, ASSESSMENT = table_of(ClaimVersion), table_of(AssessmentVersion)
COUNT, STATE = table_of(ClaimCount), table_of(ClaimCountState)

CLAIM_FIELDS = ("category", "subject", "place", "source", "proposition", "modality", "aggregation", "kind", "status")
GRADES = ("level", "reliability", "credibility")
NO_GRADES = f"{UNASSESSED} {UNKNOWN} {UNKNOWN}"

LOW, HIGH = (bindparam(name, type_=BIG_INTEGER) for name in ("low", "high"))
"""Two states of the register."""

FIRST, LAST = (bindparam(name, type_=BIG_INTEGER) for name in ("first", "last"))
"""A range of versions of claims."""

FetchRows = Callable[[ClauseElement, dict[str, Any]], Sequence[tuple[Any, ...]]]
CountedFields = dict[str, str]
"""The fields of a claim by which it is counted."""

SELECT_STATE = select(STATE.c.seq)


@dataclass(frozen=True, slots=True)
class CountChange:
    """A claim that is in a later state (`sign` 1), or was in an earlier one (-1), as it is counted there."""

    sign: int
    row: Sequence[Any]
    """A row of `_select_counted`."""


def read_count_changes(fetch_rows: FetchRows, low: int, high: int) -> list[CountChange]:
    """Return the difference between two states: claims and assessments that were added, and those that they replaced.

    Claims that were taken down since are in neither state.
    """
    parameters = {"low": low, "high": high}
    return [
        CountChange(sign, row) for sign, statement in _build_differences() for row in fetch_rows(statement, parameters)
    ]


@cache
def _build_differences() -> tuple[tuple[int, Select[Any]], ...]:
    added = (CLAIM.c.seq > LOW, CLAIM.c.seq <= HIGH, is_version_at(CLAIM.c, HIGH))
    replaced = (CLAIM.c.seq <= LOW, CLAIM.c.until_seq > LOW, CLAIM.c.until_seq <= HIGH)
    assessed = select(ASSESSMENT.c.claim).where(ASSESSMENT.c.seq > LOW, ASSESSMENT.c.seq <= HIGH)
    graded_anew = (CLAIM.c.id.in_(assessed), CLAIM.c.seq <= LOW, is_version_at(CLAIM.c, HIGH))
    return (
        (1, with_index(_select_counted(HIGH), CLAIM, "ix_claim_seq").where(*added)),
        (-1, with_index(_select_counted(LOW), CLAIM, "ix_claim_past").where(*replaced)),
        (1, with_index(_select_counted(HIGH), CLAIM, "ix_claim_id_seq").where(*graded_anew)),
        (-1, with_index(_select_counted(LOW), CLAIM, "ix_claim_id_seq").where(*graded_anew)),
    )


@cache
def _select_counted_by_id() -> Select[Any]:
    return _select_counted(HIGH).where(InList(CLAIM.c.id, "ids"), CLAIM.c.until_seq.is_(None))


def _select_counted(state: BindParameter[int]) -> Select[Any]:
    """Select the counted columns of claims that were not taken down, with the grades of their newest assessment."""
    newest = ASSESSMENT.alias("newest")
    # One text, because each subquery is executed for each claim.
    texts = [func.coalesce(cast(newest.c[name], Text), UNKNOWN) for name in GRADES]
    grades = (
        select(texts[0] + " " + texts[1] + " " + texts[2])
        .where(newest.c.claim == CLAIM.c.id, newest.c.withdrawn.is_(False), is_version_at(newest.c, state))
        .order_by(newest.c.assessed_on.desc(), newest.c.id.desc())
        .limit(1)
        .correlate(CLAIM)
        .scalar_subquery()
    )
    columns = [CLAIM.c.date, *(CLAIM.c[name] for name in CLAIM_FIELDS), grades.label("grades")]
    return select(*columns).where(CLAIM.c.status != Status.removed)


def count_fields(row: Sequence[Any]) -> CountedFields:
    """Return the fields by which a claim is counted, from a row of `_select_counted`."""
    date, *values, grades = row
    day = str(date) if date else None
    fields = dict(zip(CLAIM_FIELDS, values, strict=True))
    fields |= zip(GRADES, (grades or NO_GRADES).split(" "), strict=True)
    fields["year"], fields["month"] = (day[:4], day[:7]) if day else (UNKNOWN, UNKNOWN)
    return fields


def update_counts(transaction: WriteTransaction) -> None:
    """Bring the stored counts up to the state of a write transaction."""
    ((seq,),) = transaction.fetch_rows(SELECT_STATE, {})
    if seq == transaction.seq:
        return
    for low in range(seq, transaction.seq, CHANGES_PER_BATCH):
        high = min(low + CHANGES_PER_BATCH, transaction.seq)
        _add(transaction, read_count_changes(transaction.fetch_rows, low, high))
    transaction.session.execute(STATE.update().values(seq=transaction.seq))


def remove_counted_claims(transaction: WriteTransaction, ids: Sequence[str]) -> None:
    """Remove claims from the stored counts, before a takedown erases their versions."""
    update_counts(transaction)
    listed = encode_list(ids, "postgresql" if transaction.is_postgresql else "sqlite")
    rows = transaction.fetch_rows(_select_counted_by_id(), {"ids": listed, "high": transaction.seq})
    _add(transaction, [CountChange(-1, row) for row in rows])


def rename_counted_source(transaction: WriteTransaction, slug: str, replacement: str) -> None:
    """Replace the slug of a source in the stored counts, before a takedown replaces it in all versions of claims."""
    update_counts(transaction)
    for column, code in (("first", "s%"), ("second", "_s")):
        statement = f"UPDATE claim_count SET {column} = :new WHERE {column} = :old AND pair LIKE :code"  # noqa: S608 - two constants
        transaction.session.execute(text(statement), {"old": slug, "new": replacement, "code": code})


CountKey = tuple[str, str, str]
"""The pair of keys, its first key, and its second one, which is empty for a single key."""


def recount_claims(connection: Connection, seq: int) -> Counter[CountKey]:
    """Return what the stored counts are as of `seq`, from all claims."""
    last_version: int = connection.execute(select(func.coalesce(func.max(CLAIM.c.version), 0))).scalar_one()
    statement = _select_counted(HIGH).where(is_version_at(CLAIM.c, HIGH), CLAIM.c.version.between(FIRST, LAST))
    total: Counter[CountKey] = Counter()
    for first in range(1, last_version + 1, CLAIMS_PER_RECOUNT):
        parameters = {"high": seq, "first": first, "last": first + CLAIMS_PER_RECOUNT - 1}
        total.update(sum_changes([CountChange(1, row) for row in connection.execute(statement, parameters)]))
    return total


def rebuild_counts(transaction: WriteTransaction) -> None:
    """Count all claims again, and replace the stored counts."""
    connection = transaction.session.connection()
    total = recount_claims(connection, transaction.seq)
    connection.execute(COUNT.delete())
    _insert(transaction, [(*key, number) for key, number in total.items()])
    connection.execute(STATE.update().values(seq=transaction.seq))


def sum_changes(changes: Sequence[CountChange]) -> Counter[CountKey]:
    """Return what changes add to each stored count."""
    total: Counter[CountKey] = Counter()
    for sign in (1, -1):
        rows = [change.row for change in changes if change.sign == sign]
        keys = _build_keys(rows) if rows else {}
        for code in STORED if rows else ():
            if code in PAIRS:
                counts: Counter[Any] = Counter(zip(keys[code[0]], keys[code[1]], strict=True))
                found = {(code, *pair): sign * number for pair, number in counts.items()}
            else:
                found = {(code, key, ""): sign * number for key, number in Counter(keys[code]).items()}
            total.update(found)
    return total


def _build_keys(rows: Sequence[Sequence[Any]]) -> dict[str, Sequence[str]]:
    """Return the keys of claims by code, from rows of `_select_counted`: column by column, which is fastest."""
    dates, *values, grades = zip(*rows, strict=True)
    columns: dict[str, Sequence[Any]] = dict(zip(CLAIM_FIELDS, values, strict=True))
    columns["year"] = [str(date)[:4] if date else UNKNOWN for date in dates]
    columns["month"] = [str(date)[:7] if date else UNKNOWN for date in dates]
    status = [
        f"{value} {claim_grades or NO_GRADES}" for value, claim_grades in zip(columns["status"], grades, strict=True)
    ]
    keys: dict[str, Sequence[str]] = {"r": status}
    for code, names in KEY_FIELDS.items():
        if code != "r":
            chosen = [columns[name] for name in names]
            keys[code] = chosen[0] if len(chosen) == 1 else list(map(" ".join, zip(*chosen, strict=True)))
    return keys


UPSERT = (
    "INSERT INTO claim_count (pair, first, second, claims) {values} ON CONFLICT (pair, first, second) "
    "DO UPDATE SET claims = claim_count.claims + excluded.claims"
)
UPSERTS = {
    "sqlite": UPSERT.format(values="VALUES (?, ?, ?, ?)"),
    "postgresql": UPSERT.format(
        values="SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])",
    ),
}
DELETE_EMPTY = "DELETE FROM claim_count WHERE pair = {0} AND first = {0} AND second = {0} AND claims = 0"


def _add(transaction: WriteTransaction, changes: Sequence[CountChange]) -> None:
    rows = [(*key, number) for key, number in sum_changes(changes).items() if number]
    _insert(transaction, rows)
    emptied = [row[:3] for row in rows if row[3] < 0]
    if emptied:
        connection = transaction.session.connection()
        connection.exec_driver_sql(DELETE_EMPTY.format("%s" if transaction.is_postgresql else "?"), emptied)


def _insert(transaction: WriteTransaction, rows: Sequence[tuple[str, str, str, int]]) -> None:
    """Add rows of the table to the stored counts."""
    if not rows:
        return
    connection = transaction.session.connection()
    if transaction.is_postgresql:
        connection.exec_driver_sql(UPSERTS["postgresql"], tuple(map(list, zip(*rows, strict=True))))
    else:
        connection.exec_driver_sql(UPSERTS["sqlite"], list(rows))
