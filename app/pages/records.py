"""The pages of a source and of a document: who or what it is, and its claims."""

from pydantic import BaseModel, Field

from app.cache.scope import CacheScope
from app.claims.queries import cache_scope_of_filters
from app.claims.search.filters import ClaimQuery
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.addresses import whole_address
from app.pages.views import CLAIMS_PER_PAGE, Context, list_files, load_claims, page_links
from app.sources.documents import find_documents, read_document
from app.sources.queries import SOURCE
from app.sources.schemas import DocumentQuery
from app.vocabulary.slug_records import find_record, read_record


class RecordPageQuery(BaseModel):
    """The query parameters of the pages of sources and documents. Unknown ones are ignored."""

    cursor: str | None = Field(default=None, max_length=600)


def build_source_page(
    read: ReadSession, slug: str, snapshot: Snapshot, cursor: str | None
) -> tuple[Context, CacheScope]:
    """Return what the page of a source shows, and what it depends on."""
    source = read_record(read.session, SOURCE, slug, snapshot)
    principal = source["speaks_for"]
    query = ClaimQuery(source=[slug], limit=CLAIMS_PER_PAGE, cursor=cursor, total=True)
    claims, next_cursor, total = load_claims(read, query, snapshot)
    path = f"/sources/{slug}"
    context: Context = {
        "title": source["name"],
        "description": f"What {source['name']} has stated, with each figure, day and document.",
        "source": source,
        "speaks_for": find_record(read.session, SOURCE, principal, snapshot) if principal else None,
        "path": path,
        "claims": claims,
        "total": total or 0,
        "replaced": sum(claim["superseded_by"] is not None for claim in claims),
        **page_links(path, {}, cursor, next_cursor),
        "alternates": [("application/json", whole_address(f"/v1{path}"))],
        "take": list_files(
            (
                ("This page", path, ""),
                ("Source as JSON", f"/v1{path}", ""),
                ("Its claims as CSV", f"/v1/claims.csv?source={slug}", "paste it into a spreadsheet or a chart tool"),
            )
        ),
    }
    return context, cache_scope_of_filters(query, snapshot)


def build_document_page(
    read: ReadSession, id_: str, snapshot: Snapshot, cursor: str | None
) -> tuple[Context, CacheScope]:
    """Return what the page of a document shows, and what it depends on."""
    document = read_document(read.session, id_, snapshot)
    editions = [document]
    if document["url"]:
        editions = find_documents(read.session, DocumentQuery(url=document["url"], limit=50), snapshot).rows
    query = ClaimQuery(document=[id_], limit=CLAIMS_PER_PAGE, cursor=cursor)
    claims, next_cursor, _ = load_claims(read, query, snapshot)
    path = f"/documents/{id_}"
    context: Context = {
        "title": document["title"],
        "document": document,
        "editions": editions,
        "path": path,
        "claims": claims,
        **page_links(path, {}, cursor, next_cursor),
        "alternates": [("application/json", whole_address(f"/v1{path}"))],
    }
    return context, CacheScope(snapshot.latest_seq)
