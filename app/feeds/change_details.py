"""Loads what the entries of a feed say about changes: the rows before and after each, in one statement per kind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from sqlalchemy import ClauseElement, and_, select
from sqlmodel import Session

from app.database.sql import InList, fetch_rows
from app.database.tables import (
    AssessmentVersion,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    RelationVersion,
    Version,
    columns_of,
    table_of,
)
from app.feeds.latest_changes import ClaimChange

Row = Mapping[Any, Any]

_CITATION_COLUMNS: Final = ("seq", "title", "publisher")
_RELATION_COLUMNS: Final = ("seq", "type", "to_claim", "to_source")
_ASSESSMENT_COLUMNS: Final = (
    *("seq", "until_seq", "id", "claim", "level", "reliability", "credibility"),
    *("assessor", "assessed_on", "rationale", "withdrawn"),
)

REPAIRS: Final = ("transcription_fix", "relay_correction")


@dataclass(frozen=True, slots=True)
class ChangeDetails:
    """The rows that some changes wrote, by `seq`. What a takedown erased is missing."""

    claims: Mapping[int, Row] = field(default_factory=dict)
    """The versions of claims that corrections and retractions wrote."""
    previous_claims: Mapping[int, Row] = field(default_factory=dict)
    """The versions that corrections replaced, by the `seq` of the correction."""
    citations: Mapping[int, Row] = field(default_factory=dict)
    """Citations, with `title` and `publisher` of their document."""
    assessments: Mapping[int, Row] = field(default_factory=dict)
    earlier_assessments: Mapping[int, Row] = field(default_factory=dict)
    """The latest assessments before new ones, by the `seq` of the new one."""
    relations: Mapping[int, Row] = field(default_factory=dict)

    @property
    def related_claims(self) -> set[str]:
        """The claims to which the relations lead."""
        return {row["to_claim"] for row in self.relations.values() if row["to_claim"] is not None}


def load_change_details(session: Session, changes: Sequence[ClaimChange]) -> ChangeDetails:
    """Return the rows that changes wrote and replaced."""
    seqs: defaultdict[str, list[int]] = defaultdict(list)
    for change in changes:
        seqs["repair" if change.action in REPAIRS else change.action].append(change.seq)
        if change.kind != "claim":
            seqs[change.kind].append(change.seq)
    claim = columns_of(ClaimVersion)
    repairs = seqs["repair"]
    previous = session.execute(select(*claim).where(claim.until_seq.in_(repairs))).mappings() if repairs else ()
    assessments, earlier = _load_assessments(session, seqs["assessment"])
    return ChangeDetails(
        _load_versions(session, ClaimVersion, repairs + seqs["retraction"]),
        {row["until_seq"]: row for row in previous},
        _load_citations(session, seqs["citation"]),
        assessments,
        earlier,
        _load_relations(session, seqs["relation"]),
    )


def _load_versions(session: Session, table: type[Version], seqs: Sequence[int]) -> dict[int, Row]:
    columns = columns_of(table)
    rows = session.execute(select(*columns).where(columns.seq.in_(seqs))).mappings() if seqs else ()
    return {row["seq"]: row for row in rows}


def _load_rows(
    session: Session, statement: ClauseElement, names: Sequence[str], seqs: Sequence[int]
) -> list[Mapping[Any, Any]]:
    """Return the rows of a reused statement by column name, with the types of the driver."""
    rows = fetch_rows(session, statement, {"seqs": seqs}) if seqs else []
    return [dict(zip(names, row, strict=True)) for row in rows]


def _load_citations(session: Session, seqs: Sequence[int]) -> dict[int, Row]:
    """Return citations with the title and the publisher of the current version of their document."""
    return {row["seq"]: row for row in _load_rows(session, _select_citations(), _CITATION_COLUMNS, seqs)}


def _load_relations(session: Session, seqs: Sequence[int]) -> dict[int, Row]:
    rows = _load_rows(session, _select_relations(), _RELATION_COLUMNS, seqs)
    return {row["seq"]: {**row, "to_claim": row["to_claim"] and str(row["to_claim"])} for row in rows}


def _load_assessments(session: Session, seqs: Sequence[int]) -> tuple[dict[int, Row], dict[int, Row]]:
    """Return assessments, and for each the latest one of the same claim that stood before it."""
    by_claim: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in _load_rows(session, _select_assessments(), _ASSESSMENT_COLUMNS, seqs):
        by_claim[row["claim"]].append(row)
    wanted = frozenset(seqs)
    own = {row["seq"]: row for rows in by_claim.values() for row in rows if row["seq"] in wanted}
    earlier = {seq: _latest_at(by_claim[row["claim"]], seq - 1) for seq, row in own.items()}
    return own, {seq: row for seq, row in earlier.items() if row is not None}


@cache
def _select_citations() -> ClauseElement:
    citation, document = columns_of(CitationVersion), columns_of(DocumentVersion)
    is_document = and_(document.id == citation.document, document.until_seq.is_(None))
    joined = table_of(CitationVersion).join(table_of(DocumentVersion), is_document)
    statement = select(citation.seq, document.title, document.publisher).select_from(joined)
    return statement.where(InList(citation.seq, "seqs"))


@cache
def _select_relations() -> ClauseElement:
    relation = columns_of(RelationVersion)
    return select(*(relation[name] for name in _RELATION_COLUMNS)).where(InList(relation.seq, "seqs"))


@cache
def _select_assessments() -> ClauseElement:
    """Select all assessments of the claims of some assessments."""
    columns, given = columns_of(AssessmentVersion), table_of(AssessmentVersion).alias("given").c
    claims = select(given.claim).where(InList(given.seq, "seqs"))
    return select(*(columns[name] for name in _ASSESSMENT_COLUMNS)).where(columns.claim.in_(claims))


def _latest_at(rows: Iterable[Row], seq: int) -> Row | None:
    """Return the newest of the assessments that stood at `seq`."""
    standing = [
        row
        for row in rows
        if row["seq"] <= seq and (row["until_seq"] is None or row["until_seq"] > seq) and not row["withdrawn"]
    ]
    return max(standing, key=lambda row: (row["assessed_on"], row["id"]), default=None)
