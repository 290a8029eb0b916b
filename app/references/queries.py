"""What a citation needs beside the claim: the names of everything that it refers to, and the state that they make."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.claims.queries import read_claim
from app.claims.serialization.rows import ResponseObject
from app.database.snapshot import Snapshot
from app.database.tables import (
    AssessmentVersion,
    CategoryVersion,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    PlaceVersion,
    RelationVersion,
    SourceVersion,
    SubjectVersion,
    Version,
    columns_of,
)
from app.enums import Proposition, RelationType
from app.sentences.phrases import SourceDetails
from app.sentences.sentence import ClaimNames, ClaimText, write_claim_text


@dataclass(frozen=True, slots=True)
class CitableClaim:
    """A claim with its names, put into words; `state` is the last change among everything that the words rest on.

    `head` is the last change of the register when it was read.
    """

    card: ResponseObject
    names: ClaimNames
    text: ClaimText
    state: int
    known_on: date | None
    head: int


def read_citable_claim(session: Session, id_: str, view: Snapshot) -> CitableClaim:
    """A claim, ready to be cited. Raises `NotFound`, or `Removed` with the tombstone."""
    card = read_claim(session, id_, view)
    category, components, newest = _read_category_names(session, card["category"], view)
    seqs = [
        card["seq"],
        newest,
        _latest_document_seq(session, card, view),
        *_latest_annotation_seqs(session, card, view),
    ]
    subjects, newest = _read_names(
        session, SubjectVersion, [card["subject"], *card["includes"], *card["excludes"], _base_slug(card)], view
    )
    seqs.append(newest)
    places, newest = _read_names(session, PlaceVersion, [card["place"]], view)
    seqs.append(newest)
    disputed, newest = _find_disputed_sources(session, card, view)
    seqs.append(newest)
    told = [(cited["document"]["publisher"], *cited["via"]) for cited in card["citations"]]
    slugs = {card["source"]["slug"], *disputed, *(slug for group in told for slug in group if slug)}
    sources, newest = _read_sources(session, slugs, view)
    seqs.append(newest)
    names = ClaimNames(category, components, subjects, places, sources, disputed)
    return CitableClaim(
        card, names, write_claim_text(card, names, view.known_on), max(seqs), view.known_on, view.latest_seq
    )


def _base_slug(card: ResponseObject) -> str:
    return card["figure"]["relative_to"] or ""


def _read_category_names(session: Session, slug: str, view: Snapshot) -> tuple[str, tuple[str, ...] | None, int]:
    columns = columns_of(CategoryVersion)
    wanted = (columns.name, columns.components, columns.seq)
    row = session.execute(select(*wanted).where(columns.slug == slug, view.contains(CategoryVersion))).first()
    if row is None:
        return slug, (), 0
    if row.components is None:
        return row.name, None, row.seq
    parts = [part for part in row.components if part != slug]
    known, newest = _read_names(session, CategoryVersion, parts, view)
    return row.name, tuple(known.get(part, part) for part in parts), max(row.seq, newest)


def _read_names(
    session: Session, table: type[Version], slugs: Iterable[str], view: Snapshot
) -> tuple[dict[str, str], int]:
    """Slug → name, and the last change among them."""
    columns = columns_of(table)
    wanted = select(columns.slug, columns.name, columns.seq)
    rows = session.execute(wanted.where(columns.slug.in_(set(slugs)), view.contains(table))).all()
    return {row.slug: row.name for row in rows}, max((row.seq for row in rows), default=0)


def _read_sources(session: Session, slugs: Iterable[str], view: Snapshot) -> tuple[dict[str, SourceDetails], int]:
    """Slug → source, each with the one that it speaks for."""
    rows = _read_source_rows(session, slugs, view)
    # Whom somebody speaks for is said in one step; nobody speaks for a spokesman.
    spoken = {row.speaks_for for row in rows if row.speaks_for} - {row.slug for row in rows}
    rows += _read_source_rows(session, spoken, view)
    plain = {row.slug: SourceDetails(row.slug, row.name, str(row.kind), row.anonymous) for row in rows}
    sources = {row.slug: replace(plain[row.slug], speaks_for=plain.get(row.speaks_for)) for row in rows}
    return sources, max((row.seq for row in rows), default=0)


def _read_source_rows(session: Session, slugs: Iterable[str], view: Snapshot) -> list[Any]:
    columns = columns_of(SourceVersion)
    wanted = (columns.slug, columns.name, columns.kind, columns.anonymous, columns.speaks_for, columns.seq)
    found = select(*wanted).where(columns.slug.in_(set(slugs)), view.contains(SourceVersion))
    return list(session.execute(found))


def _find_disputed_sources(session: Session, card: ResponseObject, view: Snapshot) -> tuple[tuple[str, ...], int]:
    """The sources whose claims a denial disputes, in the order in which that was recorded."""
    if card["proposition"] != Proposition.denial:
        return (), 0
    relation, claim = columns_of(RelationVersion), columns_of(ClaimVersion)
    wanted = (relation.to_claim, relation.to_source, relation.withdrawn, relation.seq)
    disputes = (relation.claim == card["id"], relation.type == RelationType.disputes, view.contains(RelationVersion))
    rows = session.execute(select(*wanted).where(*disputes).order_by(relation.id)).all()
    ids = {row.to_claim for row in rows if row.to_claim}
    by_claim: Mapping[str, Any] = {
        row.id: row
        for row in session.execute(
            select(claim.id, claim.source, claim.seq).where(claim.id.in_(ids), view.contains(ClaimVersion))
        )
    }
    slugs = [
        by_claim[row.to_claim].source if row.to_claim in by_claim else row.to_source
        for row in rows
        if not row.withdrawn and row.to_source != card["source"]["slug"]
    ]
    newest = max((row.seq for row in (*rows, *by_claim.values())), default=0)
    return tuple(dict.fromkeys(slug for slug in slugs if slug and slug != card["source"]["slug"])), newest


def _latest_document_seq(session: Session, card: ResponseObject, view: Snapshot) -> int:
    columns = columns_of(DocumentVersion)
    ids = [cited["document"]["id"] for cited in card["citations"]]
    newest = select(func.max(columns.seq)).where(columns.id.in_(ids), view.contains(DocumentVersion))
    return session.execute(newest).scalar() or 0


def _latest_annotation_seqs(session: Session, card: ResponseObject, view: Snapshot) -> list[int]:
    """The last change among the citations of a claim, and among its assessments."""
    found = []
    for table in (CitationVersion, AssessmentVersion):
        columns = columns_of(table)
        newest = select(func.max(columns.seq)).where(columns.claim == card["id"], view.contains(table))
        found.append(session.execute(newest).scalar() or 0)
    return found
