"""Claims as they are read: found by filters, then completed with their source, citations and newest assessment."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, select
from sqlmodel import Session

from app.cache.scope import CacheScope
from app.claims.search.filters import ClaimQuery
from app.claims.search.planner import find_page
from app.claims.serialization.export import render_lines
from app.claims.serialization.projection import MAX_SQL_COLUMNS, render_claim
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject, build_claim_responses, build_tombstone
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import (
    CategoryVersion,
    ClaimVersion,
    SourceVersion,
    columns_of,
    table_of,
)
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import NotFound, Removed
from app.http.pagination import Page
from app.http.serializers import RowLayout


def select_claims(view: Snapshot) -> Select[Any]:
    """Claims with what their card needs of their source and category."""
    claim, source, category = columns_of(ClaimVersion), columns_of(SourceVersion), columns_of(CategoryVersion)
    joined = (
        table_of(ClaimVersion)
        .outerjoin(table_of(SourceVersion), and_(source.slug == claim.source, view.contains(SourceVersion)))
        .outerjoin(table_of(CategoryVersion), and_(category.slug == claim.category, view.contains(CategoryVersion)))
    )
    return select(
        *claim,
        source.name.label("source_name"),
        source.kind.label("source_kind"),
        source.interest.label("source_interest"),
        category.unit.label("unit"),
    ).select_from(joined)


def find_claims(reading: ReadSession, query: ClaimQuery, view: Snapshot, layout: RowLayout) -> Page:
    """One page of the claims that match every filter. Raises a problem for slugs that do not exist."""
    page = find_page(reading, query, view)
    end = (view.seq, page.next_cursor, page.total, cache_scope_of_query(query, view))
    # What is left of a claim that was taken down has another shape, and a function of SQL takes so many arguments.
    if Status.removed in query.status or len(layout.columns) > MAX_SQL_COLUMNS:
        return Page(read_claims(reading.session, page.versions, view), *end)
    if layout.is_file:
        return Page([], *end, lines=render_lines(reading, page.versions, page.ids, view, layout))
    return Page([], *end, json_rows=get_or_render_claims(reading, page.versions, view, layout))


def read_claims(session: Session, versions: Sequence[int], view: Snapshot) -> list[ResponseObject]:
    """The claims of these versions, in the same order."""
    wanted = columns_of(ClaimVersion).version.in_(versions)
    rows = {row["version"]: row for row in session.execute(select_claims(view).where(wanted)).mappings()}
    return build_claim_responses(session, [rows[version] for version in versions], view)


def cache_scope_of_query(query: ClaimQuery, view: Snapshot) -> CacheScope:
    """What a page of claims rests on: those claims that its plainest filters let through."""
    plain = {name: getattr(query, name) for name in ("source", "kind", "modality", "aggregation")}
    plain["level"] = query.confidence
    about = {name: frozenset(str(word) for word in words) for name, words in plain.items() if words}
    if not query.narrower:
        given = {name: getattr(query, name) for name in ("category", "subject", "place")}
        about |= {name: frozenset(words) for name, words in given.items() if words}
    return CacheScope(view.latest_seq, about, ("claims",))


def read_claim_json(reading: ReadSession, id_: str, view: Snapshot) -> tuple[int, bytes]:
    """The revision of a claim, and the claim as JSON. Raises `NotFound`, or `Removed` with the tombstone."""
    found = render_claim(reading, id_, view) if ID_PATTERN.fullmatch(id_) else None
    if found is None:
        card = read_claim(reading.session, id_, view)  # says why
        raise AssertionError(card["id"])
    text, revision = found
    return revision, text.encode()


def read_tombstone(session: Session, id_: str, view: Snapshot) -> ResponseObject:
    """What is left of a claim that was taken down."""
    claim = columns_of(ClaimVersion)
    statement = select(*claim).where(claim.id == id_, view.contains(ClaimVersion))
    return build_tombstone(session.execute(statement).mappings().one())


def read_claim(session: Session, id_: str, view: Snapshot) -> ResponseObject:
    """One claim. Raises `NotFound`, or `Removed` with the tombstone."""
    row = None
    if ID_PATTERN.fullmatch(id_):
        claim = columns_of(ClaimVersion)
        statement = select_claims(view).where(claim.id == id_, view.contains(ClaimVersion))
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no claim `{id_}`.", hint="GET /v1/claims lists them")
    if row["status"] == Status.removed:
        raise Removed("This claim was taken down.", more={"claim": build_tombstone(row)})
    return build_claim_responses(session, [row], view)[0]
