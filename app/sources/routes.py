"""Sources and documents over HTTP."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.cache.scope import record_scope
from app.database.snapshot import open_snapshot
from app.database.transaction import WriteTransaction
from app.errors import InvalidRequest
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
from app.vocabulary.slug_records import find_records, handle_put, read_record

router = api_router("sources")
SOURCE_COLUMNS = columns_of_model(Source)
DOCUMENT_COLUMNS = columns_of_model(Document)


@list_route(router, "/sources", Source, "List sources")
def list_sources(query: Annotated[PageQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """Everyone who makes or relays claims, by slug."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            return find_records(session, SOURCE, page, open_snapshot(session, page.recorded_as_of))

    return want.send(find, query, SOURCE_COLUMNS)


@router.get("/sources/{slug}", summary="Read a source", operation_id="read_source", responses={200: {"model": Source}})
def get_source(
    slug: Annotated[str, Path(description="Its slug.", examples=["csis"])],
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Who this is, what it is, and where it stands in the dispute."""
    with db.read() as session:
        view = open_snapshot(session, recorded_as_of)
        card = read_record(session, SOURCE, slug, view)
    return json_response(request, card, basis=record_scope(view.latest_seq, f"source-{slug}"))


@router.put(
    "/sources/{slug}",
    summary="Record a source",
    operation_id="put_source",
    responses={200: {"model": Source}, 201: {"model": Source, "description": "It is new."}},
)
def record_source(
    slug: Annotated[Slug, Path(description="Its slug.", examples=["csis"])],
    given: SourceInput,
    write: WriteRequestDep,
    editor: Editor,
) -> Response:
    """Make or change a source. The state before stays in its history; an identical one writes nothing."""
    return handle_put(write, editor, SOURCE, slug, lambda log: put_source(log, slug, given))


@list_route(router, "/documents", Document, "List documents")
def list_documents(query: Annotated[PageQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """Every article, report, post and data set that claims are read in, the oldest record first."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            return find_documents(session, page, open_snapshot(session, page.recorded_as_of))

    return want.send(find, query, DOCUMENT_COLUMNS)


@router.get(
    "/documents/{id}", summary="Read a document", operation_id="read_document", responses={200: {"model": Document}}
)
def get_document(
    id: Annotated[str, Path(description="Its id.", examples=["01a1f640-bc00-7643-9830-d0c28b0cfb0d"])],  # noqa: A002 - its name in the address
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """What this document is, who published it, and where it can be opened."""
    with db.read() as session:
        view = open_snapshot(session, recorded_as_of)
        card = read_document(session, id, view)
    return json_response(request, card, basis=record_scope(view.latest_seq, f"document-{id}"))


@router.post(
    "/documents",
    summary="Record a document",
    operation_id="post_document",
    responses={
        200: {"model": Document, "description": "It stood already."},
        201: {"model": Document, "description": "It is new."},
    },
)
def post_document(given: DocumentInput, write: WriteRequestDep, contributor: Contributor) -> Response:
    """Record where claims can be read. Of one address there is one document: if it stands already, that one answers."""

    def record(log: WriteTransaction) -> WriteResult:
        if faults := find_document_faults(log, given):
            raise InvalidRequest(faults[0].detail, hint=faults[0].hint, errors=faults)
        id_, created = record_document(log, given)
        return WriteResult(read_document(log.session, id_, log.snapshot), created=created)

    return write(contributor, record)
