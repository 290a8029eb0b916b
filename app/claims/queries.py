"""Queries for claims: by filters or by id, completed with their source, citations and newest assessment."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, bindparam, case, exists, func, literal, select
from sqlmodel import Session

from app.cache.scope import CacheScope
from app.claims.counts.queries import count_matching
from app.claims.search.filters import ClaimFilters, ClaimQuery
from app.claims.search.planner import find_page
from app.claims.serialization.export import render_lines
from app.claims.serialization.projection import MAX_SQL_COLUMNS, render_claim, render_current_claim
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject, build_claim_responses, build_tombstone
from app.database.engine import Database
from app.database.read_session import ReadSession
from app.database.snapshot import AS_OF, Snapshot, contains_version, is_version_at
from app.database.tables import (
    CategoryVersion,
    ClaimVersion,
    SourceVersion,
    SubjectVersion,
    columns_of,
    table_of,
)
from app.database.types import ID_PATTERN
from app.enums import RelativeToKind, Status
from app.errors import DateUnknown, NotFound, NotSaidYet, QueryTooBroad, Removed
from app.http.addresses import whole_address
from app.http.pagination import Page
from app.http.schema_types import parse_moment
from app.http.serializers import RowLayout


@cache
def select_claims(*, past: bool) -> Select[Any]:
    """Select claims with the columns of their source and category that a response contains."""
    claim, source, category = columns_of(ClaimVersion), columns_of(SourceVersion), columns_of(CategoryVersion)
    joined = (
        table_of(ClaimVersion)
        .outerjoin(
            table_of(SourceVersion), and_(source.slug == claim.source, contains_version(SourceVersion, past=past))
        )
        .outerjoin(
            table_of(CategoryVersion),
            and_(category.slug == claim.category, contains_version(CategoryVersion, past=past)),
        )
    )
    subject, base_category = columns_of(SubjectVersion), table_of(CategoryVersion).alias("base_category").c
    is_subject = exists().where(subject.slug == claim.relative_to, contains_version(SubjectVersion, past=past))
    is_base_category = is_version_at(base_category, AS_OF if past else None)
    is_category = exists().where(base_category.slug == claim.relative_to, is_base_category)
    return select(
        *claim,
        source.name.label("source_name"),
        source.short_name.label("source_short_name"),
        source.terms.label("source_terms"),
        source.kind.label("source_kind"),
        source.interest.label("source_interest"),
        func.coalesce(claim.unit, category.unit).label("served_unit"),
        case(
            (claim.relative_to.is_(None), None),
            (claim.relative_period.is_not(None), literal(RelativeToKind.period.value)),
            (is_subject, literal(RelativeToKind.subject.value)),
            (is_category, literal(RelativeToKind.category.value)),
            else_=literal(RelativeToKind.words.value),
        ).label("relative_to_kind"),
        _select_base_name(past=past).label("base_name"),
    ).select_from(joined)


def _select_base_name(*, past: bool) -> ColumnElement[str | None]:
    """Return the expression of the name of the subject or category that a figure is relative to; else NULL.

    The projection has the same one, see `base_name_expression`.
    """
    claim, as_of = columns_of(ClaimVersion), AS_OF if past else None
    subject, category = (table_of(table).alias("base").c for table in (SubjectVersion, CategoryVersion))

    def select_name(base: Any, words: ColumnElement[str]) -> ScalarSelect[str]:  # noqa: ANN401 - columns of a table
        is_base = (base.slug == claim.relative_to, is_version_at(base, as_of))
        return select(func.coalesce(words, base.name)).where(*is_base).scalar_subquery()

    def word(name: str) -> ColumnElement[str]:
        text: ColumnElement[str] = category.in_text[name].as_string()
        return text

    part_or_noun = case((word("form") == "people", word("part")), else_=word("noun"))
    names = (select_name(subject, subject.in_text["group"].as_string()), select_name(category, part_or_noun))
    return case((claim.relative_to.is_not(None) & claim.relative_period.is_(None), func.coalesce(*names)))


@cache
def _select_claim(*, past: bool) -> Select[Any]:
    is_requested = columns_of(ClaimVersion).id == bindparam("id")
    return select_claims(past=past).where(is_requested, contains_version(ClaimVersion, past=past))


@cache
def _select_claim_versions(*, past: bool) -> Select[Any]:
    return select_claims(past=past).where(columns_of(ClaimVersion).version.in_(bindparam("versions", expanding=True)))


def find_claims(reading: ReadSession, query: ClaimQuery, snapshot: Snapshot, layout: RowLayout) -> Page:
    """Return one page of the claims that match every filter.

    Raises:
        UnknownSlug: A filter names a slug that does not exist.
        QueryTooBroad: The query would read too many rows.
    """
    page = find_page(reading, query, snapshot)
    total = _count_total(reading, query, snapshot) if query.total else None
    page_fields = (snapshot.seq, page.next_cursor, total, cache_scope_of_filters(query, snapshot))
    # A tombstone has other fields than a claim, and the number of arguments of an SQL function is limited.
    if Status.removed in query.status or len(layout.columns) > MAX_SQL_COLUMNS:
        return Page(read_claims(reading.session, page.versions, snapshot), *page_fields)
    if layout.is_file:
        return Page([], *page_fields, lines=render_lines(reading, page.versions, page.ids, snapshot, layout))
    return Page([], *page_fields, json_rows=get_or_render_claims(reading, page.versions, snapshot, layout))


def _count_total(reading: ReadSession, query: ClaimQuery, snapshot: Snapshot) -> int:
    """Return `meta.total`. Raises `QueryTooBroad` with a hint to leave it out."""
    try:
        return count_matching(reading, query, snapshot)
    except QueryTooBroad as error:
        detail = "There are too many claims to count."
        raise QueryTooBroad(detail, hint=f"leave `total` out, or {error.hint}") from None


def read_claims(session: Session, versions: Sequence[int], snapshot: Snapshot) -> list[ResponseObject]:
    """Return the claims of these versions, in the same order."""
    parameters = {"versions": list(versions), "as_of": snapshot.as_of}
    found = session.execute(_select_claim_versions(past=snapshot.is_past), parameters).mappings()
    rows = {row["version"]: row for row in found}
    return build_claim_responses(session, [rows[version] for version in versions], snapshot)


def cache_scope_of_filters(query: ClaimFilters, snapshot: Snapshot) -> CacheScope:
    """Return the scope of a response about the claims that match filters: those that match the filters by column."""
    filters = {name: getattr(query, name) for name in ("source", "kind", "modality", "aggregation")}
    filters["level"] = query.confidence
    fields = {name: frozenset(str(value) for value in values) for name, values in filters.items() if values}
    if not query.narrower:
        slug_filters = {name: getattr(query, name) for name in ("category", "subject", "place")}
        fields |= {name: frozenset(slugs) for name, slugs in slug_filters.items() if slugs}
    return CacheScope(snapshot.latest_seq, fields)


def read_claim_json(reading: ReadSession, id_: str, snapshot: Snapshot) -> tuple[int, bytes]:
    """Return the revision of a claim, and the claim as JSON.

    Raises:
        NotFound: The claim does not exist in the snapshot.
        Removed: The claim was taken down; the problem contains its tombstone.
        NotSaidYet: The claim had not been said by `known_on`.
        DateUnknown: There is a `known_on`, and the claim is undated.
    """
    rendered = render_claim(reading, id_, snapshot) if ID_PATTERN.fullmatch(id_) else None
    if rendered is None:
        claim = read_claim(reading.session, id_, snapshot)  # raises the problem
        raise AssertionError(claim["id"])
    text, revision, day, said_at = rendered
    require_said(day, said_at, snapshot)
    return revision, text.encode()


def read_current_claim_json(database: Database, id_: str) -> tuple[int, bytes, int] | None:
    """Return the revision of a claim, the claim as JSON, and the latest change, by one statement.

    None: `read_claim_json` has to be asked, which raises the problem of a claim that cannot be read.
    """
    rendered = render_current_claim(database, id_) if ID_PATTERN.fullmatch(id_) else None
    if rendered is None:
        return None
    text, revision, seq = rendered
    return revision, text.encode(), seq


def read_tombstone(session: Session, id_: str, snapshot: Snapshot) -> ResponseObject:
    """Return the tombstone of a claim that was taken down."""
    claim = columns_of(ClaimVersion)
    statement = select(*claim).where(claim.id == id_, snapshot.contains(ClaimVersion))
    return build_tombstone(session.execute(statement).mappings().one())


def read_claim(session: Session, id_: str, snapshot: Snapshot) -> ResponseObject:
    """Return a claim.

    Raises:
        NotFound: The claim does not exist in the snapshot.
        Removed: The claim was taken down; the problem contains its tombstone.
        NotSaidYet: The claim had not been said by `known_on`.
        DateUnknown: There is a `known_on`, and the claim is undated.
    """
    row = read_claim_row(session, id_, snapshot) if ID_PATTERN.fullmatch(id_) else None
    if row is None:
        raise NotFound(f"There is no claim `{id_}`.", hint=f"GET {whole_address('/v1/claims')} lists them")
    if row["status"] == Status.removed:
        raise Removed("This claim was taken down.", more={"claim": build_tombstone(row)})
    require_said(row["date"], row["said_at"], snapshot)
    return build_claim_responses(session, [row], snapshot)[0]


def read_claim_row(session: Session, id_: str, snapshot: Snapshot) -> Mapping[Any, Any] | None:
    """Return the row of a claim, with the columns that `build_claim_responses` needs."""
    parameters = {"id": id_, "as_of": snapshot.as_of}
    return session.execute(_select_claim(past=snapshot.is_past), parameters).mappings().first()


def had_been_said(day: date | None, said_at: str | None, snapshot: Snapshot) -> bool:
    """Return whether a claim of this date and moment had been said by `known_on`; always without one."""
    limit = snapshot.knowledge_limit
    return limit is None or limit.includes(day, None if said_at is None else parse_moment(said_at))


def require_said(day: date | None, said_at: str | None, snapshot: Snapshot) -> None:
    """Raise `NotSaidYet` or `DateUnknown` unless a claim of this date and moment had been said by `known_on`."""
    if had_been_said(day, said_at, snapshot):
        return
    if day is None:
        raise DateUnknown("It is not known when this claim was said.", hint="leave `known_on` out")
    raise NotSaidYet(
        f"By {snapshot.known_on_text} this claim had not been said yet.", hint="ask for a later `known_on`"
    )
