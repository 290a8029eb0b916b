"""Reads the change log: each change with the record after the change."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlmodel import Session

from app.changes.position import format_position, resolve_position
from app.changes.schemas import ChangeQuery
from app.changes.topics import concerns_topics, find_topics_of_changes
from app.claims.serialization.input_fields import citation_as_input, claim_as_input
from app.database.epochs import latest_epoch
from app.database.snapshot import Snapshot
from app.database.tables import VERSION_TABLES, Change, CitationVersion, Version, columns_of
from app.enums import Status
from app.errors import QueryTooBroad
from app.http.pagination import DEFAULT_LIMIT, Page, count_total

StoredRow = Mapping[Any, Any]

VERSION_COLUMNS = {
    "version",
    "revision",
    "seq",
    "until_seq",
    "recorded_at",
    "recorded_until",
    "words",
    "edition",
    "address",
}
"""Columns of the versioning, and derived columns, which are not part of the record."""


SEARCHED_AT_ONCE = 20_000
"""How many changes a statement looks at that finds those of a kind or topic."""

MAX_SEARCHED_CHANGES = 100_000
"""How many changes a page looks at, at most."""

MAX_COUNTED_CHANGES = 100_000
"""Maximum number of changes after `after` among which `total` counts those that match a filter."""


def find_changes(session: Session, query: ChangeQuery, snapshot: Snapshot) -> Page:
    """Return the page of changes of a snapshot after `query.after`.

    With a filter, it has fewer rows than the limit if there are not enough among the next `MAX_SEARCHED_CHANGES`.

    Raises:
        InvalidRequest: `after` is beyond the end of the change log.
        HistoryForked: The register does not have the change `after` any more.
        QueryTooBroad: There are too many changes to count.
    """
    change = columns_of(Change)
    name, position = ("cursor", query.cursor) if query.cursor else ("after", query.after)
    after = resolve_position(session, position, snapshot, name)
    statement = select(*change)
    if query.kind:
        statement = statement.where(change.kind.in_([str(kind) for kind in query.kind]))
    if query.topic:
        statement = statement.where(concerns_topics(session, query.topic, snapshot))
    total = _count_total(session, query, statement, snapshot) if query.total else None
    limit = query.limit or DEFAULT_LIMIT
    is_filtered = bool(query.kind or query.topic)
    rows, end = _search(session, statement, range(after, snapshot.seq), limit + 1, is_filtered=is_filtered)
    if len(rows) > limit:
        rows, end = rows[:limit], rows[limit - 1]["seq"]
    cursor = format_position(latest_epoch(session), end) if end < snapshot.seq else None
    return Page(build_change_rows(session, rows, snapshot), snapshot.seq, cursor, total)


def _search(
    session: Session, statement: Select[Any], seqs: range, limit: int, *, is_filtered: bool
) -> tuple[list[StoredRow], int]:
    """Return the first rows of a statement after the first and up to the end of `seqs`, and the last `seq` looked at.

    The changes are looked at in steps, so that what is read depends neither on the length of the change log nor on the
    number of claims of a topic.
    """
    seq = columns_of(Change).seq
    rows: list[StoredRow] = []
    start, end = seqs.start, seqs.stop
    stop = min(end, start + (MAX_SEARCHED_CHANGES if is_filtered else limit))  # without a filter, each matches
    while start < stop and len(rows) < limit:
        until = min(stop, start + SEARCHED_AT_ONCE)
        step = statement.where(seq > start, seq <= until).order_by(seq).limit(limit - len(rows))
        rows += session.execute(step).mappings().all()
        start = until
    return rows, start


def _count_total(session: Session, query: ChangeQuery, statement: Select[Any], snapshot: Snapshot) -> int | None:
    """Return the number of rows of a statement after `query.after`. Without a filter, each `seq` has one.

    Raises `QueryTooBroad` if that would read too many changes.
    """
    after = resolve_position(session, query.after, snapshot, "after")
    following = max(0, snapshot.seq - after)
    if not (query.kind or query.topic):
        return following
    if following > MAX_COUNTED_CHANGES:
        detail = f"There are more than {MAX_COUNTED_CHANGES:,} changes after {after}, too many to count some of them."
        raise QueryTooBroad(detail, hint="leave `total` out, or set a later `after`")
    seq = columns_of(Change).seq
    return count_total(session, statement.where(seq > after, seq <= snapshot.seq), query)


def build_change_rows(session: Session, rows: Sequence[StoredRow], snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return changes as response objects. Their topics are those of the snapshot."""
    by_kind: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row["seq"])
    data: dict[int, dict[str, Any] | None] = {}
    for kind, seqs in by_kind.items():
        data |= _read_records(session, VERSION_TABLES[kind], seqs)
    copied_columns = ("at", "kind", "action", "revision", "claim", "actor", "reason")
    return [
        {
            "seq": row["seq"],
            "id": row["key"],
            **{name: row[name] for name in copied_columns},
            "topics": topics,
            "data": data.get(row["seq"]),
        }
        for row, topics in zip(rows, find_topics_of_changes(session, rows, snapshot), strict=True)
    ]


def _read_records(session: Session, table: type[Version], seqs: Sequence[int]) -> dict[int, dict[str, Any] | None]:
    """Return the record after each change, by `seq`. A record that a takedown has erased is None."""
    columns = columns_of(table)
    rows = session.execute(select(*columns).where(columns.seq.in_(seqs))).mappings().all()
    if table is VERSION_TABLES["claim"]:
        return _read_claim_records(session, rows)
    if table is CitationVersion:
        # The first citations of a claim have no change of their own: the data of the claim includes them.
        return {row["seq"]: {"claim": row["claim"], **_build_citation_record(row)} for row in rows}
    return {row["seq"]: _build_record(row) for row in rows}


def _build_record(row: StoredRow) -> dict[str, Any] | None:
    if row.get("removed"):
        return None
    return {name: value for name, value in row.items() if name not in VERSION_COLUMNS}


def _read_claim_records(session: Session, rows: Sequence[StoredRow]) -> dict[int, dict[str, Any] | None]:
    citation = columns_of(CitationVersion)
    statement = select(*citation).where(citation.claim.in_({row["id"] for row in rows})).order_by(citation.id)
    citations: dict[str, list[StoredRow]] = defaultdict(list)
    for citation_row in session.execute(statement).mappings():
        citations[citation_row["claim"]].append(citation_row)
    return {row["seq"]: _build_claim_record(row, citations[row["id"]]) for row in rows}


def _build_claim_record(row: StoredRow, citation_rows: Sequence[StoredRow]) -> dict[str, Any] | None:
    if row["status"] == Status.removed:
        return None
    seq = row["seq"]
    citations = [
        _build_citation_record(citation)
        for citation in citation_rows
        if citation["seq"] <= seq and (citation["until_seq"] is None or citation["until_seq"] > seq)
    ]
    state = {"id": row["id"], "status": row["status"], "retracted_on": row["retracted_on"]}
    state["import_id"] = row["import_id"]
    return {**state, **claim_as_input(row), "citations": citations}


def _build_citation_record(row: StoredRow) -> dict[str, Any]:
    """Return a citation, with `marked` if it is marked as the leading one of its claim."""
    return {"id": row["id"], **citation_as_input(row)} | ({"marked": True} if row["marked"] else {})
