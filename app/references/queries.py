"""Reads a claim for a citation: the claim, the names of the records that it refers to, and its text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, bindparam, func, select, union_all
from sqlmodel import Session

from app.claims.queries import read_claim, read_claims
from app.claims.serialization.rows import ResponseObject
from app.claims.supersession import load_chain
from app.comparison.supersession import find_successors
from app.database.snapshot import Snapshot, contains_version
from app.database.sql import InList, batch_values, fetch_rows
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
from app.enums import RelationType, Status
from app.sentences.claim_names import ClaimNames
from app.sentences.phrases import CategoryDetails, RecordNames
from app.sentences.sentence import ClaimText, Replacement, write_claim_text
from app.vocabulary.record_names import (
    CATEGORY_NAME_FIELDS,
    NAME_FIELDS,
    SOURCE_NAME_FIELDS,
    category_details,
    place_details,
    source_details,
    subject_details,
)

_RELATIONS_IN_TEXT = (RelationType.disputes, RelationType.based_on, RelationType.repeats)


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
    categories, seqs = _read_categories(session, [claim["category"], _base_slug(claim)], snapshot)
    seqs += [
        claim["seq"],
        replacement_seq,
        *_latest_annotation_seqs(session, claim, snapshot),
    ]
    subject_slugs = [claim["subject"], *claim["includes"], *claim["excludes"], _base_slug(claim)]
    subject_rows = _read_rows(session, SubjectVersion, NAME_FIELDS, subject_slugs, snapshot)
    place_rows = _read_rows(session, PlaceVersion, NAME_FIELDS, [claim["place"]], snapshot)
    related, latest_seq = _find_related_sources(session, claim, snapshot)
    seqs.append(latest_seq)
    chains = [(citation["document"]["publisher"], *citation["via"]) for citation in claim["citations"]]
    newer = (replacement and replacement.claim) or claim
    slugs = {
        claim["source"]["slug"],
        newer["source"]["slug"],
        *chain.from_iterable(related.values()),
        *(slug for links in chains for slug in links if slug),
    }
    source_rows = _read_source_rows(session, slugs, snapshot)
    seqs += [row.seq for row in (*subject_rows, *place_rows, *source_rows)]
    names = ClaimNames(
        categories.get(claim["category"]) or CategoryDetails(claim["category"]),
        subject_details(subject_rows),
        place_details(place_rows),
        source_details(source_rows),
        related[RelationType.disputes],
        related[RelationType.based_on],
        related[RelationType.repeats],
        categories,
    )
    return CitableClaim(
        claim,
        names,
        write_claim_text(claim, names, replacement),
        max(seqs),
        snapshot.known_on_text,
        snapshot.latest_seq,
    )


@dataclass(frozen=True, slots=True)
class DescribedClaim:
    """A current claim with its text, and the ids of all claims that the text depends on, its own included.

    `claim` and `text` are None if it was taken down.
    """

    claim: ResponseObject | None
    text: ClaimText | None
    depends_on: frozenset[str]


def describe_claims(
    session: Session, ids: Iterable[str], snapshot: Snapshot, names: RecordNames
) -> dict[str, DescribedClaim]:
    """Return current claims by id, with the same text as `read_citable_claim`, in few statements for all of them.

    `names` are the words of all records in the snapshot.
    """
    wanted = list(dict.fromkeys(ids))
    claims = _read_current_claims(session, wanted, snapshot)
    chain = load_chain(session, list(claims), snapshot)
    chained = frozenset(chain.claims)
    replacements = {claim["superseded_by"] for claim in claims.values()} - {None} - claims.keys()
    others = claims | _read_current_claims(session, replacements, snapshot)
    related = _load_related_sources(session, claims, snapshot)
    described = {}
    for id_ in wanted:
        claim = claims.get(id_)
        if claim is None:
            described[id_] = DescribedClaim(None, None, frozenset({id_}))
            continue
        sources, targets = related[id_]
        claim_names = ClaimNames(
            names.categories.get(claim["category"]) or CategoryDetails(claim["category"]),
            names.subjects,
            names.places,
            names.sources,
            sources[RelationType.disputes],
            sources[RelationType.based_on],
            sources[RelationType.repeats],
            names.categories,
        )
        newer = claim["superseded_by"]
        replacement = None if newer is None else Replacement(others.get(newer))
        depends_on = targets | {id_} | (chained if id_ in chained else frozenset())
        described[id_] = DescribedClaim(claim, write_claim_text(claim, claim_names, replacement), depends_on)
    return described


def _read_current_claims(session: Session, ids: Iterable[str], snapshot: Snapshot) -> dict[str, ResponseObject]:
    """Return current claims by id, without those that were taken down."""
    versions: list[int] = []
    for batch in batch_values(ids):
        found = fetch_rows(session, _select_current_versions(), {"ids": batch})
        versions += [version for (version,) in found]
    return {claim["id"]: claim for claim in read_claims(session, versions, snapshot)} if versions else {}


@cache
def _select_current_versions() -> Select[Any]:
    claim = columns_of(ClaimVersion)
    is_shown = (claim.until_seq.is_(None), claim.status != Status.removed)
    return select(claim.version).where(InList(claim.id, "ids"), *is_shown)


def _load_related_sources(
    session: Session, claims: Mapping[str, ResponseObject], snapshot: Snapshot
) -> dict[str, tuple[dict[RelationType, tuple[str, ...]], frozenset[str]]]:
    """Return what `_find_related_sources` returns for each claim of the current state, and the related claims."""
    ids = list(claims)
    rows = [
        row for batch in batch_values(ids) for row in fetch_rows(session, _select_current_relations(), {"ids": batch})
    ]
    targets = sorted({str(row.to_claim) for row in rows if row.to_claim})
    parameters = {"values": targets, "as_of": snapshot.as_of}
    statement = _select_other_claims(past=False)
    others = {str(row.id): row for row in session.execute(statement, parameters)} if targets else {}
    no_sources: dict[RelationType, tuple[str, ...]] = dict.fromkeys(_RELATIONS_IN_TEXT, ())
    found = {id_: (dict(no_sources), set[str]()) for id_ in ids}
    for row in rows:
        sources, related = found[str(row.claim)]
        target = others.get(str(row.to_claim))
        source = row.to_source if target is None else target.source
        if row.to_claim:
            related.add(str(row.to_claim))
        is_removed = target is not None and target.status == Status.removed
        if source and source != claims[str(row.claim)]["source"]["slug"] and not is_removed:
            type_ = RelationType(row.type)
            sources[type_] = tuple(dict.fromkeys((*sources[type_], source)))
    return {id_: (sources, frozenset(related)) for id_, (sources, related) in found.items()}


@cache
def _select_current_relations() -> Select[Any]:
    """Select the relations of some claims that their texts mention, in order."""
    relation = columns_of(RelationVersion)
    is_current = (relation.until_seq.is_(None), relation.withdrawn.is_(False))
    is_related = (InList(relation.claim, "ids"), relation.type.in_([type_.value for type_ in _RELATIONS_IN_TEXT]))
    fields = (relation.claim, relation.type, relation.to_claim, relation.to_source)
    return select(*fields).where(*is_related, *is_current).order_by(relation.id)


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


def _read_categories(
    session: Session, slugs: Iterable[str], snapshot: Snapshot
) -> tuple[dict[str, CategoryDetails], list[int]]:
    """Return the words of categories by slug, and the `seq` of each category, its components included."""
    rows = _read_rows(session, CategoryVersion, CATEGORY_NAME_FIELDS, slugs, snapshot)
    components = {part for row in rows for part in row.components or ()} - {row.slug for row in rows}
    parts = _read_rows(session, CategoryVersion, CATEGORY_NAME_FIELDS, components, snapshot) if components else []
    details = category_details([*rows, *parts])
    return {row.slug: details[row.slug] for row in rows}, [row.seq for row in (*rows, *parts)]


def _read_rows(
    session: Session, table: type[Version], fields: Iterable[str], slugs: Iterable[str], snapshot: Snapshot
) -> list[Any]:
    """Return the rows of some records."""
    parameters = {"values": sorted(set(slugs)), "as_of": snapshot.as_of}
    return list(session.execute(_select_records(table, tuple(fields), past=snapshot.is_past), parameters))


@cache
def _select_records(table: type[Version], fields: tuple[str, ...], *, past: bool) -> Select[Any]:
    """Select some records by slug, with their `seq`."""
    columns = columns_of(table)
    statement = select(*(columns[name] for name in fields), columns.seq)
    return statement.where(_is_in_values(columns.slug), contains_version(table, past=past))


def _is_in_values(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("values", expanding=True))


def _read_source_rows(session: Session, slugs: Iterable[str], snapshot: Snapshot) -> list[Any]:
    """Return the rows of some sources, and of those that they speak for."""
    rows = _read_rows(session, SourceVersion, SOURCE_NAME_FIELDS, slugs, snapshot)
    targets = {row.speaks_for for row in rows if row.speaks_for} - {row.slug for row in rows}
    return rows + (_read_rows(session, SourceVersion, SOURCE_NAME_FIELDS, targets, snapshot) if targets else [])


def _find_related_sources(
    session: Session, claim: ResponseObject, snapshot: Snapshot
) -> tuple[dict[RelationType, tuple[str, ...]], int]:
    """Return the other sources that a claim disputes, is based on or repeats, and the latest `seq` that decides it.

    They are in the order of the relations. A relation counts from the day of its document, if it has one.
    """
    is_past, as_of = snapshot.is_past, snapshot.as_of
    rows = session.execute(_select_relations(past=is_past), {"claim": claim["id"], "as_of": as_of}).all()
    found: dict[RelationType, tuple[str, ...]] = dict.fromkeys(_RELATIONS_IN_TEXT, ())
    if not rows:
        return found, 0
    ids = {row.to_claim for row in rows if row.to_claim}
    others = session.execute(_select_other_claims(past=is_past), {"values": sorted(ids), "as_of": as_of})
    claims: Mapping[str, Any] = {row.id: row for row in others}
    documents = {row.document for row in rows if row.document}
    published: dict[str, Any] = {}
    limit = snapshot.knowledge_limit
    if limit is not None and documents:
        days = session.execute(_select_publication_days(past=is_past), {"values": sorted(documents), "as_of": as_of})
        published = {row.id: row.published_on for row in days}
    own = claim["source"]["slug"]
    for row in rows:
        target = claims.get(row.to_claim)
        source = row.to_source if target is None else target.source
        day = published.get(row.document)
        is_known = limit is None or day is None or limit.includes(day)
        is_removed = target is not None and target.status == Status.removed
        if source and source != own and not row.withdrawn and is_known and not is_removed:
            type_ = RelationType(row.type)
            found[type_] = tuple(dict.fromkeys((*found[type_], source)))
    return found, max(row.seq for row in (*rows, *claims.values()))


@cache
def _select_relations(*, past: bool) -> Select[Any]:
    """Select the relations of a claim that its text mentions, in order."""
    relation = columns_of(RelationVersion)
    fields = (relation.type, relation.to_claim, relation.to_source, relation.withdrawn, relation.document, relation.seq)
    is_related = (relation.claim == bindparam("claim"), relation.type.in_(_RELATIONS_IN_TEXT))
    return select(*fields).where(*is_related, contains_version(RelationVersion, past=past)).order_by(relation.id)


@cache
def _select_other_claims(*, past: bool) -> Select[Any]:
    other = columns_of(ClaimVersion)
    statement = select(other.id, other.source, other.status, other.seq)
    return statement.where(_is_in_values(other.id), contains_version(ClaimVersion, past=past))


@cache
def _select_publication_days(*, past: bool) -> Select[Any]:
    document = columns_of(DocumentVersion)
    is_in_snapshot = contains_version(DocumentVersion, past=past)
    return select(document.id, document.published_on).where(_is_in_values(document.id), is_in_snapshot)


def _latest_annotation_seqs(session: Session, claim: ResponseObject, snapshot: Snapshot) -> list[int]:
    """Return the latest `seq` of the documents, the citations and the assessments of a claim; 0 if there are none."""
    ids = [citation["document"]["id"] for citation in claim["citations"]]
    parameters = {"claim": claim["id"], "values": ids, "as_of": snapshot.as_of}
    return [seq or 0 for (seq,) in session.execute(_select_annotation_seqs(past=snapshot.is_past), parameters)]


@cache
def _select_annotation_seqs(*, past: bool) -> CompoundSelect[Any]:
    document = columns_of(DocumentVersion)
    latest = [
        select(func.max(document.seq)).where(_is_in_values(document.id), contains_version(DocumentVersion, past=past))
    ]
    for table in (CitationVersion, AssessmentVersion):
        columns = columns_of(table)
        is_of_claim = columns.claim == bindparam("claim")
        latest.append(select(func.max(columns.seq)).where(is_of_claim, contains_version(table, past=past)))
    return union_all(*latest)
