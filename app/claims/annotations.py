"""Reads the assessments and relations of claims."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import ColumnElement, func, or_, select
from sqlmodel import Session

from app.claims.serialization.rows import CONFIDENCE_FIELDS, ResponseObject
from app.database.snapshot import Snapshot
from app.database.tables import (
    AssessmentVersion,
    ClaimVersion,
    DocumentVersion,
    RelationVersion,
    Version,
    columns_of,
    table_of,
)
from app.database.types import ID_PATTERN
from app.enums import RelationType
from app.errors import NotFound

ASSESSMENT_FIELDS = (*CONFIDENCE_FIELDS, "id", "claim", "withdrawn", "recorded_at", "seq")


RELATION_FIELDS = (
    "id",
    "type",
    "claim",
    "to_claim",
    "to_source",
    "asserted_by",
    "scope",
    "independence",
    "document",
    "quote",
    "note",
    "withdrawn",
    "recorded_at",
    "seq",
)


def load_assessments(session: Session, claim: str, snapshot: Snapshot) -> list[ResponseObject]:
    """Return the assessments of a claim, newest first, including withdrawn ones."""
    columns = columns_of(AssessmentVersion)
    statement = (
        select(*(columns[name] for name in ASSESSMENT_FIELDS))
        .where(columns.claim == claim, snapshot.contains(AssessmentVersion))
        .order_by(columns.assessed_on.desc(), columns.id.desc())
    )
    return [dict(row) for row in session.execute(statement).mappings()]


def load_relations(
    session: Session, claims: Sequence[str], snapshot: Snapshot, *, withdrawn: bool = True
) -> list[ResponseObject]:
    """Return the relations from and to these claims, in the order of recording.

    With `known_on`, only those that had been stated by then: the day of a relation is that of its document, else the
    date of its claim. A claim supersedes another from its own date on.
    """
    columns = columns_of(RelationVersion)
    statement = (
        select(*(columns[name] for name in RELATION_FIELDS))
        .where(or_(columns.claim.in_(claims), columns.to_claim.in_(claims)), snapshot.contains(RelationVersion))
        .order_by(columns.id)
    )
    if not withdrawn:
        statement = statement.where(columns.withdrawn.is_(False))
    if snapshot.known_on is not None:
        statement = statement.where(_relation_day(snapshot) <= snapshot.known_on)
    return [dict(row) for row in session.execute(statement).mappings()]


def _relation_day(snapshot: Snapshot) -> ColumnElement[date]:
    """Return the expression of the day on which a relation was stated; NULL if it is unknown."""
    relation, claim, document = (columns_of(table) for table in (RelationVersion, ClaimVersion, DocumentVersion))
    said_on = select(claim.date).where(claim.id == relation.claim, snapshot.contains(ClaimVersion))
    published_on = select(document.published_on).where(
        document.id == relation.document, snapshot.contains(DocumentVersion), relation.type != RelationType.supersedes
    )
    return func.coalesce(
        *(day.correlate(table_of(RelationVersion)).scalar_subquery() for day in (published_on, said_on))
    )


def read_assessment(session: Session, id_: str, snapshot: Snapshot) -> ResponseObject:
    """Return one assessment. Raises `NotFound`."""
    return _read_annotation(session, AssessmentVersion, ASSESSMENT_FIELDS, id_, snapshot)


def read_relation(session: Session, id_: str, snapshot: Snapshot) -> ResponseObject:
    """Return one relation. Raises `NotFound`."""
    return _read_annotation(session, RelationVersion, RELATION_FIELDS, id_, snapshot)


def _read_annotation(
    session: Session, table: type[Version], fields: Sequence[str], id_: str, snapshot: Snapshot
) -> ResponseObject:
    columns = columns_of(table)
    row = None
    if ID_PATTERN.fullmatch(id_):
        statement = select(*(columns[name] for name in fields)).where(columns.id == id_, snapshot.contains(table))
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no {table_of(table).name} `{id_}`.")
    return dict(row)
