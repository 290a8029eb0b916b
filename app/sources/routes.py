"""HTTP routes of sources and documents."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.cache.scope import record_scope
from app.database.snapshot import open_snapshot
from app.database.transaction import WriteTransaction
from app.errors import raise_if_any
from app.http.auth import Contributor, Editor
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import AsOf, Page, PageQuery
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.schema_types import Slug
from app.http.writes import WriteRequestDep, WriteResult
from app.sources.documents import find_document_faults, find_documents, read_document, record_document
from app.sources.queries import SOURCE, put_source
from app.sources.schemas import Document, DocumentInput, Source, SourceInput
from app.vocabulary.slug_records import handle_put, record_page_loader, record_response

router = api_router("sources")
SOURCE_COLUMNS = columns_of_model(Source, appended=("short_name", "in_text"))
DOCUMENT_COLUMNS = columns_of_model(Document)


@list_route(router, "/sources", Source, "List sources")
def list_sources(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the sources that make or relay claims, ordered by slug."""
    return listing.send(record_page_loader(db, SOURCE), query, SOURCE_COLUMNS)


@router.get("/sources/{slug}", summary="Read a source", operation_id="read_source", responses={200: {"model": Source}})
def get_source(
    slug: Annotated[str, Path(description="The slug of the source.", examples=["csis"])],
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Return one source with its name, kind and interest in the dispute."""
    return record_response(request, db, SOURCE, slug, recorded_as_of)


@router.put(
    "/sources/{slug}",
    summary="Record a source",
    operation_id="put_source",
    responses={200: {"model": Source}, 201: {"model": Source, "description": "The new source."}},
)
def record_source(
    slug: Annotated[Slug, Path(description="The slug of the source.", examples=["csis"])],
    payload: SourceInput,
    write: WriteRequestDep,
    editor: Editor,
) -> Response:
    """Create or replace a source. The previous version stays in the history; an identical body records nothing."""
    return handle_put(write, editor, SOURCE, slug, lambda transaction: put_source(transaction, slug, payload))


@list_route(router, "/documents", Document, "List documents")
def list_documents(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the documents (articles, reports, posts, data sets) in which claims can be read, oldest record first."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            return find_documents(session, page, open_snapshot(session, page.recorded_as_of))

    return listing.send(find, query, DOCUMENT_COLUMNS)


@router.get(
    "/documents/{id}", summary="Read a document", operation_id="read_document", responses={200: {"model": Document}}
)
def get_document(
    id: Annotated[str, Path(description="The id of the document.", examples=["01a1f640-bc00-7643-9830-d0c28b0cfb0d"])],  # noqa: A002 - the name in the path
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Return one document with its title, publisher and address."""
    with db.read() as session:
        snapshot = open_snapshot(session, recorded_as_of)
        body = read_document(session, id, snapshot)
    return json_response(request, body, cache_scope=record_scope(snapshot.latest_seq, f"document-{id}"))


@router.post(
    "/documents",
    summary="Record a document",
    operation_id="post_document",
    responses={
        200: {"model": Document, "description": "The recorded document with this URL."},
        201: {"model": Document, "description": "The new document."},
    },
)
def post_document(payload: DocumentInput, write: WriteRequestDep, contributor: Contributor) -> Response:
    """Record a document in which claims can be read. If a document with the same URL exists, return that one."""

    def record(transaction: WriteTransaction) -> WriteResult:
        raise_if_any(find_document_faults(transaction, payload))
        id_, created = record_document(transaction, payload)
        return WriteResult(read_document(transaction.session, id_, transaction.snapshot), created=created)

    return write(contributor, record)
