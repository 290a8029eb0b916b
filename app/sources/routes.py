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
from app.http.list_columns import ListName
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import AsOf, Page, PageQuery, paginate_list
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.schema_types import Slug
from app.http.writes import WriteRequestDep, WriteResult
from app.sources.document_revisions import load_document_revisions, read_document_revision, revise_document
from app.sources.documents import find_document_faults, find_documents, read_document, record_document
from app.sources.linked_data import document_node, source_node
from app.sources.queries import SOURCE, find_sources, put_source
from app.sources.schemas import (
    Document,
    DocumentChangeInput,
    DocumentInput,
    DocumentQuery,
    DocumentRevision,
    Source,
    SourceInput,
    SourcesQuery,
)
from app.vocabulary.slug_records import handle_put, record_response

router = api_router("sources")
SOURCE_COLUMNS = columns_of_model(Source, appended=("short_name", "in_text", "terms"))
DOCUMENT_COLUMNS = columns_of_model(Document)
DOCUMENT_REVISION_COLUMNS = columns_of_model(DocumentRevision)

DocumentId = Annotated[
    str, Path(alias="id", description="The id of the document.", examples=["01a1f640-bc00-7643-9830-d0c28b0cfb0d"])
]


@list_route(router, "/sources", Source, "List sources", ListName.sources, SOURCE_COLUMNS, key=["slug"], linked=True)
def list_sources(query: Annotated[SourcesQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the sources that make or relay claims, ordered by slug."""

    def find(page: SourcesQuery) -> Page:
        with db.read() as session:
            return find_sources(session, page, open_snapshot(session, page.recorded_as_of))

    return listing.send(find, query, SOURCE_COLUMNS, link=source_node)


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


@list_route(
    router, "/documents", Document, "List documents", ListName.documents, DOCUMENT_COLUMNS, key=["id"], linked=True
)
def list_documents(query: Annotated[DocumentQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the documents (articles, reports, posts, data sets) in which claims can be read, oldest record first.

    A page that is overwritten has several documents at one address, one for each edition.
    """

    def find(page: DocumentQuery) -> Page:
        with db.read() as session:
            return find_documents(session, page, open_snapshot(session, page.recorded_as_of))

    return listing.send(find, query, DOCUMENT_COLUMNS, link=document_node)


@router.get(
    "/documents/{id}", summary="Read a document", operation_id="read_document", responses={200: {"model": Document}}
)
def get_document(
    document: DocumentId,
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Return one document with its title, publisher and address."""
    with db.read() as session:
        snapshot = open_snapshot(session, recorded_as_of)
        body = read_document(session, document, snapshot)
    return json_response(
        request, body, tag=f"{body['revision']}-", cache_scope=record_scope(snapshot.latest_seq, f"document-{document}")
    )


@router.post(
    "/documents",
    summary="Record a document",
    operation_id="post_document",
    responses={
        200: {"model": Document, "description": "The recorded document of this edition."},
        201: {"model": Document, "description": "The new document."},
    },
)
def post_document(payload: DocumentInput, write: WriteRequestDep, contributor: Contributor) -> Response:
    """Record a document in which claims can be read. If the same edition of the page is recorded, return that one.

    An edition is told by `url`, `published_on` and `archive_url`; without day and copy, by its title. If the same
    edition is recorded with another title or other fields, the response is 409 with the recorded one.
    """

    def record(transaction: WriteTransaction) -> WriteResult:
        raise_if_any(find_document_faults(transaction, payload))
        id_, created = record_document(transaction, payload)
        return WriteResult(read_document(transaction.session, id_, transaction.snapshot), created=created)

    return write(contributor, record)


@router.patch(
    "/documents/{id}",
    summary="Correct the record of a document",
    operation_id="patch_document",
    responses={200: {"model": Document, "description": "The document in its new revision."}},
)
def patch_document(
    document: DocumentId, payload: DocumentChangeInput, write: WriteRequestDep, editor: Editor
) -> Response:
    """Correct an error of the register, or follow a correction by the publisher. Needs `If-Match`.

    Every claim that cites the document shows the correction. The previous revision stays readable, and the reason is
    stored. What a page shows on another day is another document, not a correction.
    """

    def revise(transaction: WriteTransaction) -> WriteResult:
        write.check_match(read_document(transaction.session, document, transaction.snapshot))
        revise_document(transaction, document, payload)
        return WriteResult(read_document(transaction.session, document, transaction.snapshot))

    return write(editor, revise)


@list_route(
    router,
    "/documents/{id}/revisions",
    DocumentRevision,
    "List the revisions of a document",
    ListName.document_revisions,
    DOCUMENT_REVISION_COLUMNS,
    key=["id", "revision"],
)
def list_document_revisions(
    document: DocumentId, query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return every revision of a document with its event, reason, actor and changed fields."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            snapshot = open_snapshot(session, page.recorded_as_of)
            revisions = load_document_revisions(session, document, snapshot)
            return paginate_list(revisions, page, snapshot.seq, "revision")

    return listing.send(find, query, DOCUMENT_REVISION_COLUMNS)


@router.get(
    "/documents/{id}/revisions/{revision}",
    summary="Read a revision of a document",
    operation_id="read_document_revision",
    responses={200: {"model": DocumentRevision}},
)
def get_document_revision(
    document: DocumentId,
    revision: Annotated[int, Path(ge=1, le=2**31 - 1, description="The revision number, from 1.", examples=[1])],
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Return the document as of this revision."""
    with db.read() as session:
        snapshot = open_snapshot(session, recorded_as_of)
        body = read_document_revision(session, document, revision, snapshot)
    return json_response(
        request, body, tag=f"{revision}-", cache_scope=record_scope(snapshot.latest_seq, f"document-{document}")
    )
