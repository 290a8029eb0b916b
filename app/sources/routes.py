"""Sources and documents over HTTP."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.cache.scope import of_record
from app.database.engine import Db
from app.database.snapshot import view_of
from app.database.transaction import Log
from app.errors import InvalidRequest
from app.http.auth import Contributor, Editor
from app.http.csv_columns import columns_of_model
from app.http.lists import Wanted, listing
from app.http.pagination import AsOf, Found, PageQuery
from app.http.responses import one
from app.http.routing import api_router
from app.http.schema_types import Slug
from app.http.writes import Made, Write
from app.sources.documents import document_faults, find_documents, read_document, record_document
from app.sources.queries import SOURCE, put_source
from app.sources.schemas import Document, DocumentInput, Source, SourceInput
from app.vocabulary.slug_records import find_slugged, read_slugged

router = api_router("sources")
SOURCE_COLUMNS = columns_of_model(Source)
DOCUMENT_COLUMNS = columns_of_model(Document)


@listing(router, "/sources", Source, "List sources")
def list_sources(query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:
    """Everyone who makes or relays claims, by slug."""

    def find(page: PageQuery) -> Found:
        with db.read() as session:
            return find_slugged(session, SOURCE, page, view_of(session, page.recorded_as_of))

    return want.rows(find, query, SOURCE_COLUMNS)


@router.get("/sources/{slug}", summary="Read a source", operation_id="read_source", responses={200: {"model": Source}})
def get_source(
    slug: Annotated[str, Path(description="Its slug.", examples=["csis"])],
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Who this is, what it is, and where it stands in the dispute."""
    with db.read() as session:
        view = view_of(session, recorded_as_of)
        card = read_slugged(session, SOURCE, slug, view)
    return one(request, card, basis=of_record(view.head, f"source-{slug}"))


@router.put(
    "/sources/{slug}",
    summary="Record a source",
    operation_id="put_source",
    responses={200: {"model": Source}, 201: {"model": Source, "description": "It is new."}},
)
def record_source(
    slug: Annotated[Slug, Path(description="Its slug.", examples=["csis"])],
    given: SourceInput,
    write: Write,
    editor: Editor,
) -> Response:
    """Make or change a source. The state before stays in its history; an identical one writes nothing."""
    return write.put(editor, SOURCE, slug, lambda log: put_source(log, slug, given))


@listing(router, "/documents", Document, "List documents")
def list_documents(query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:
    """Every article, report, post and data set that claims are read in, the oldest record first."""

    def find(page: PageQuery) -> Found:
        with db.read() as session:
            return find_documents(session, page, view_of(session, page.recorded_as_of))

    return want.rows(find, query, DOCUMENT_COLUMNS)


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
        view = view_of(session, recorded_as_of)
        card = read_document(session, id, view)
    return one(request, card, basis=of_record(view.head, f"document-{id}"))


@router.post(
    "/documents",
    summary="Record a document",
    operation_id="post_document",
    responses={
        200: {"model": Document, "description": "It stood already."},
        201: {"model": Document, "description": "It is new."},
    },
)
def post_document(given: DocumentInput, write: Write, contributor: Contributor) -> Response:
    """Record where claims can be read. Of one address there is one document: if it stands already, that one answers."""

    def record(log: Log) -> Made:
        if faults := document_faults(log, given):
            raise InvalidRequest(faults[0].detail, hint=faults[0].hint, errors=faults)
        id_, created = record_document(log, given)
        return Made(read_document(log.session, id_, log.view), created=created)

    return write(contributor, record)
