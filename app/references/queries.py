"""Reads a claim for a citation: the claim, the names of the records that it refers to, and its text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.claims.queries import read_claim
from app.claims.serialization.rows import ResponseObject
from app.claims.supersession import load_chain
from app.comparison.supersession import find_successors
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
from app.enums import Proposition, RelationType, Status
from app.sentences.phrases import SourceDetails
from app.sentences.sentence import ClaimNames, ClaimText, Replacement, write_claim_text


@dataclass(frozen=True, slots=True)
class CitableClaim:
    """A claim with the names of its records, its text, and the state of the register that it was read in."""

    claim: ResponseObject
    names: ClaimNames
    text: ClaimText
    content_seq: int
    """The latest change of any record that the text depends on."""
    known_on: str | None
    """The requested day or moment."""
    register_seq: int
    """The latest change of the register."""


def read_citable_claim(session: Session, id_: str, snapshot: Snapshot) -> CitableClaim:
    """Return a claim with its names and text. Raises `NotFound`, or `Removed` with the tombstone."""
    claim = _ignore_later_withdrawals(read_claim(session, id_, snapshot), snapshot)
    replacement, replacement_seq = _read_replacement(session, id_, snapshot)
    category, components, latest_seq = _read_category_names(session, claim["category"], snapshot)
    seqs = [
        claim["seq"],
        latest_seq,
        replacement_seq,
        _latest_document_seq(session, claim, snapshot),
        *_latest_annotation_seqs(session, claim, snapshot),
    ]
    subjects, latest_seq = _read_names(
        session, SubjectVersion, [claim["subject"], *claim["includes"], *claim["excludes"], _base_slug(claim)], snapshot
    )
    seqs.append(latest_seq)
    places, latest_seq = _read_names(session, PlaceVersion, [claim["place"]], snapshot)
    seqs.append(latest_seq)
    disputed, latest_seq = _find_disputed_sources(session, claim, snapshot)
    seqs.append(latest_seq)
    chains = [(citation["document"]["publisher"], *citation["via"]) for citation in claim["citations"]]
    newer = (replacement and replacement.claim) or claim
    slugs = {
        claim["source"]["slug"],
        newer["source"]["slug"],
        *disputed,
        *(slug for chain in chains for slug in chain if slug),
    }
    sources, latest_seq = _read_sources(session, slugs, snapshot)
    seqs.append(latest_seq)
    names = ClaimNames(category, components, subjects, places, sources, disputed)
    return CitableClaim(
        claim,
        names,
        write_claim_text(claim, names, replacement),
        max(seqs),
        snapshot.known_on_text,
        snapshot.latest_seq,
    )


def _read_replacement(session: Session, id_: str, snapshot: Snapshot) -> tuple[Replacement | None, int]:
    """Return the claim that replaced a claim, and the latest `seq` of all relations and claims that decide it."""
    chain = load_chain(session, [id_], snapshot)
    successor = find_successors(chain.relations, chain.claims, snapshot.knowledge_limit).get(id_)
    if successor is None:
        return None, chain.latest_seq
    is_removed = successor.status == Status.removed
    return Replacement(None if is_removed else read_claim(session, successor.claim, snapshot)), chain.latest_seq


def _ignore_later_withdrawals(claim: ResponseObject, snapshot: Snapshot) -> ResponseObject:
    """Return a claim without the withdrawals of reports that were made after `known_on`."""
    limit = snapshot.knowledge_limit
    if limit is None:
        return claim
    citations = [
        citation if limit.includes(citation["withdrawn_on"]) else {**citation, "withdrawn_on": None}
        for citation in claim["citations"]
    ]
    return {**claim, "citations": citations}


def _base_slug(claim: ResponseObject) -> str:
    return claim["figure"]["relative_to"] or ""


def _read_category_names(session: Session, slug: str, snapshot: Snapshot) -> tuple[str, tuple[str, ...] | None, int]:
    columns = columns_of(CategoryVersion)
    fields = (columns.name, columns.components, columns.seq)
    row = session.execute(select(*fields).where(columns.slug == slug, snapshot.contains(CategoryVersion))).first()
    if row is None:
        return slug, (), 0
    if row.components is None:
        return row.name, None, row.seq
    parts = [part for part in row.components if part != slug]
    names, latest_seq = _read_names(session, CategoryVersion, parts, snapshot)
    return row.name, tuple(names.get(part, part) for part in parts), max(row.seq, latest_seq)


def _read_names(
    session: Session, table: type[Version], slugs: Iterable[str], snapshot: Snapshot
) -> tuple[dict[str, str], int]:
    """Return the names by slug, and the latest `seq` of the records."""
    columns = columns_of(table)
    statement = select(columns.slug, columns.name, columns.seq)
    rows = session.execute(statement.where(columns.slug.in_(set(slugs)), snapshot.contains(table))).all()
    return {row.slug: row.name for row in rows}, max((row.seq for row in rows), default=0)


def _read_sources(session: Session, slugs: Iterable[str], snapshot: Snapshot) -> tuple[dict[str, SourceDetails], int]:
    """Return the sources by slug, each with the source that it speaks for, and the latest `seq` of the records."""
    rows = _read_source_rows(session, slugs, snapshot)
    # One step suffices: `speaks_for` never refers to a source that speaks for another.
    targets = {row.speaks_for for row in rows if row.speaks_for} - {row.slug for row in rows}
    rows += _read_source_rows(session, targets, snapshot)
    details = {row.slug: SourceDetails(row.slug, row.name, str(row.kind), row.anonymous) for row in rows}
    sources = {row.slug: replace(details[row.slug], speaks_for=details.get(row.speaks_for)) for row in rows}
    return sources, max((row.seq for row in rows), default=0)


def _read_source_rows(session: Session, slugs: Iterable[str], snapshot: Snapshot) -> list[Any]:
    columns = columns_of(SourceVersion)
    fields = (columns.slug, columns.name, columns.kind, columns.anonymous, columns.speaks_for, columns.seq)
    statement = select(*fields).where(columns.slug.in_(set(slugs)), snapshot.contains(SourceVersion))
    return list(session.execute(statement))


def _find_disputed_sources(session: Session, claim: ResponseObject, snapshot: Snapshot) -> tuple[tuple[str, ...], int]:
    """Return the sources whose claims a denial disputes, in the order of the relations, and the latest `seq`."""
    if claim["proposition"] != Proposition.denial:
        return (), 0
    relation, disputed_claim = columns_of(RelationVersion), columns_of(ClaimVersion)
    fields = (relation.to_claim, relation.to_source, relation.withdrawn, relation.seq)
    disputes = (
        relation.claim == claim["id"],
        relation.type == RelationType.disputes,
        snapshot.contains(RelationVersion),
    )
    rows = session.execute(select(*fields).where(*disputes).order_by(relation.id)).all()
    ids = {row.to_claim for row in rows if row.to_claim}
    by_claim: Mapping[str, Any] = {
        row.id: row
        for row in session.execute(
            select(disputed_claim.id, disputed_claim.source, disputed_claim.seq).where(
                disputed_claim.id.in_(ids), snapshot.contains(ClaimVersion)
            )
        )
    }
    slugs = [
        by_claim[row.to_claim].source if row.to_claim in by_claim else row.to_source
        for row in rows
        if not row.withdrawn and row.to_source != claim["source"]["slug"]
    ]
    latest_seq = max((row.seq for row in (*rows, *by_claim.values())), default=0)
    return tuple(dict.fromkeys(slug for slug in slugs if slug and slug != claim["source"]["slug"])), latest_seq


def _latest_document_seq(session: Session, claim: ResponseObject, snapshot: Snapshot) -> int:
    columns = columns_of(DocumentVersion)
    ids = [citation["document"]["id"] for citation in claim["citations"]]
    statement = select(func.max(columns.seq)).where(columns.id.in_(ids), snapshot.contains(DocumentVersion))
    return session.execute(statement).scalar() or 0


def _latest_annotation_seqs(session: Session, claim: ResponseObject, snapshot: Snapshot) -> list[int]:
    """Return the latest `seq` of the citations of a claim, and that of its assessments."""
    seqs = []
    for table in (CitationVersion, AssessmentVersion):
        columns = columns_of(table)
        statement = select(func.max(columns.seq)).where(columns.claim == claim["id"], snapshot.contains(table))
        seqs.append(session.execute(statement).scalar() or 0)
    return seqs
