"""The pages of a source and of a document, and of the claims about a category, a subject or a place."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import Field

from app.cache.scope import CacheScope
from app.claims.queries import cache_scope_of_filters
from app.claims.search.filters import ClaimQuery
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.addresses import whole_address
from app.http.schema_types import Slug
from app.pages.views import (
    CLAIMS_PER_PAGE,
    Context,
    PageCursor,
    PageStateQuery,
    describe_state,
    list_files,
    load_claims,
    page_links,
    with_query,
    without_known_on,
)
from app.sentences.phrases import capitalize_first
from app.sources.documents import find_documents, read_document
from app.sources.queries import SOURCE
from app.sources.schemas import DocumentQuery
from app.vocabulary.reference_data import get_reference_data
from app.vocabulary.slug_records import find_record, read_record

MAX_TOPICS = 20
"""Maximum number of questions that the page of claims names."""


class RecordPageQuery(PageStateQuery):
    """The query parameters of the pages of sources and documents. Unknown ones are ignored."""

    cursor: PageCursor = None


class ClaimsPageQuery(RecordPageQuery):
    """The query parameters of the page of claims about something. Unknown ones are ignored."""

    category: Slug | None = Field(
        default=None, description="The category, with what lies below it.", examples=["casualties"]
    )
    subject: Slug | None = Field(
        default=None, description="The subject, with what lies below it.", examples=["russian-forces"]
    )
    place: Slug | None = Field(default=None, description="The place, with what lies below it.", examples=["ukraine"])


def build_source_page(read: ReadSession, slug: str, query: RecordPageQuery) -> tuple[Context, CacheScope]:
    """Return what the page of a source shows, and what it depends on."""
    snapshot = query.open_snapshot(read)
    source = read_record(read.session, SOURCE, slug, snapshot)
    principal = source["speaks_for"]
    claim_query = ClaimQuery(source=[slug], total=True, **_page_parameters(query))
    claims, next_cursor, total = load_claims(read, claim_query, snapshot)
    path = f"/sources/{slug}"
    shown_state = describe_state(snapshot)
    state = shown_state["state"]
    json_address = with_query(f"/v1{path}", without_known_on(state))
    context: Context = {
        "title": source["name"],
        "description": f"What {source['name']} has stated, with each figure, day and document.",
        "source": source,
        "speaks_for": find_record(read.session, SOURCE, principal, snapshot) if principal else None,
        "path": path,
        **shown_state,
        "claims": claims,
        "total": total or 0,
        "replaced": sum(claim["superseded_by"] is not None for claim in claims),
        **page_links(path, state, query.cursor, next_cursor),
        "alternates": [("application/json", json_address)],
        "take": [
            *list_files([("This page", path, "")], state),
            ("Source as JSON", json_address, ""),
            *list_files(
                [("Its claims as CSV", f"/v1/claims.csv?source={slug}", "paste it into a spreadsheet or a chart tool")],
                state,
            ),
        ],
    }
    return context, cache_scope_of_filters(claim_query, snapshot)


def build_document_page(read: ReadSession, id_: str, query: RecordPageQuery) -> tuple[Context, CacheScope]:
    """Return what the page of a document shows, and what it depends on."""
    snapshot = query.open_snapshot(read)
    document = read_document(read.session, id_, snapshot)
    editions = [document]
    if document["url"]:
        editions = find_documents(read.session, DocumentQuery(url=document["url"], limit=50), snapshot).rows
    claims, next_cursor, _ = load_claims(read, ClaimQuery(document=[id_], **_page_parameters(query)), snapshot)
    path = f"/documents/{id_}"
    shown_state = describe_state(snapshot)
    state = shown_state["state"]
    context: Context = {
        "title": document["title"],
        "document": document,
        "editions": [edition for edition in editions if edition["id"] == id_ or _was_published(edition, snapshot)],
        "path": path,
        **shown_state,
        "claims": claims,
        **page_links(path, state, query.cursor, next_cursor),
        "alternates": [("application/json", with_query(f"/v1{path}", without_known_on(state)))],
    }
    return context, CacheScope(snapshot.latest_seq)


def build_claims_page(read: ReadSession, query: ClaimsPageQuery) -> tuple[Context, CacheScope]:
    """Return the claims about a category, a subject and a place, each with what lies below it."""
    snapshot = query.open_snapshot(read)
    slugs = {name: getattr(query, name) for name in ("category", "subject", "place")}
    slugs = {name: slug for name, slug in slugs.items() if slug is not None}
    filters: dict[str, Any] = {name: [slug] for name, slug in slugs.items()}
    claim_query = ClaimQuery(**filters, narrower=True if slugs else None, **_page_parameters(query))
    claims, next_cursor, _ = load_claims(read, claim_query, snapshot)
    reference_data = get_reference_data(read.session, snapshot)
    names = reference_data.read_names(read.session, snapshot)
    named = {
        name: read_name(slugs[name])
        for name, read_name in (
            ("category", names.name_category),
            ("subject", names.name_subject),
            ("place", names.name_place),
        )
        if name in slugs
    }
    title = ", ".join(named.values()) or "all claims"
    shown_state = describe_state(snapshot)
    state = shown_state["state"]
    path = "/claims" + (f"?{urlencode(slugs)}" if slugs else "")
    narrower = {"narrower": "true"} if slugs else {}
    context: Context = {
        "title": capitalize_first(title),
        "description": f"Claims about {title}, newest first." if named else "All claims, newest first.",
        "path": path,
        **shown_state,
        "current": whole_address(path),
        "names": [(LABELS[name], words) for name, words in named.items()],
        "topics": _find_topics(reference_data.topics, slugs),
        "claims": claims,
        **page_links("/claims", slugs | state, query.cursor, next_cursor),
        "alternates": [("application/json", with_query("/v1/claims", slugs | narrower | state))],
        "take": list_files(
            [
                ("This page", "/claims", ""),
                ("Claims as JSON", "/v1/claims", ""),
                ("Claims as CSV", "/v1/claims.csv", "paste it into a spreadsheet or a chart tool"),
            ],
            slugs | narrower | state,
        ),
    }
    return context, cache_scope_of_filters(claim_query, snapshot)


LABELS = {"category": "What is counted", "subject": "Of whom or what", "place": "Where"}


def _find_topics(topics: Mapping[str, Mapping[str, Any]], slugs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the slugs and titles of the questions about exactly these records."""
    found = (
        (slug, str(topic["title"]))
        for slug, topic in sorted(topics.items())
        if slugs and all(topic[name] == value for name, value in slugs.items())
    )
    return [row for row, _ in zip(found, range(MAX_TOPICS), strict=False)]


def _page_parameters(query: RecordPageQuery) -> dict[str, Any]:
    """Return the parameters that choose the claims of a page, in its state of the register."""
    return {
        "limit": CLAIMS_PER_PAGE,
        "cursor": query.cursor,
        "known_on": query.known_on,
        "recorded_as_of": query.recorded_as_of,
    }


def _was_published(document: Mapping[str, Any], snapshot: Snapshot) -> bool:
    """Return whether a document had been published by `known_on`, or may have been."""
    limit = snapshot.knowledge_limit
    return limit is None or document["published_on"] is None or limit.includes(document["published_on"])
