"""HTTP routes of imports: import a file, list imports, read an import."""

from contextlib import closing
from typing import Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.database.snapshot import open_snapshot
from app.http.auth import Contributor
from app.http.csv_columns import columns_of_model, define_column
from app.http.dependencies import Db
from app.http.idempotency import IdempotencyKey
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import AsOf, Page, PageQuery
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.writes import WriteConditions, WriteRequest
from app.imports.queries import find_imports, read_import
from app.imports.schemas import EXAMPLE_IMPORT_ID, Counts, Import, ImportQuery, ImportReport
from app.imports.uploads import FILE_NAME_OF_MEDIA_TYPE, MULTIPART_MEDIA_TYPE, UploadedFiles

router = api_router("imports")
CSV_COLUMNS = [
    *columns_of_model(Import),
    *(define_column(Import, name, f"counts.{name}") for name in Counts.model_fields),
    define_column(Import, "url", "links.self"),
]
REQUEST_CONTENT: dict[str, Any] = {
    **{media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in FILE_NAME_OF_MEDIA_TYPE},
    MULTIPART_MEDIA_TYPE: {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                    "description": "The files.",
                },
                "mapping": {"type": "string", "description": "A mapping of your own, as TOML."},
            },
        }
    },
}


@router.post(
    "/imports",
    summary="Import a file",
    operation_id="post_import",
    openapi_extra={"requestBody": {"required": True, "content": REQUEST_CONTENT}},
    responses={
        200: {
            "model": ImportReport,
            "description": "Nothing was recorded: a dry run, or the files contain nothing new.",
        },
        201: {"model": ImportReport, "description": "The import was recorded."},
    },
)
def post_import(
    request: Request,
    contributor: Contributor,
    uploaded: UploadedFiles,
    query: Annotated[ImportQuery, Query()],
    key: IdempotencyKey,
) -> Response:
    """Record the rows of a file as claims, all of them or none: an exported claims file, or any file with a mapping.

    New claims need the role contributor. An import that repairs, assesses, retracts or relates claims, or that adds
    sources or vocabulary, needs the role editor.
    """
    from app.imports.service import import_upload  # noqa: PLC0415 - most processes only serve reads

    if conditions := WriteConditions.from_request(request).digest_suffix:
        uploaded.add_to_digest(conditions.decode())
    with closing(uploaded):
        return import_upload(request, contributor, uploaded, query, WriteRequest(request, uploaded.digest, key))


@list_route(router, "/imports", Import, "List imports")
def list_imports(query: Annotated[PageQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """Return the imports that changed the register, newest first, with files and numbers of rows by outcome."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            return find_imports(session, page, open_snapshot(session, page.recorded_as_of))

    return want.send(find, query, CSV_COLUMNS)


@router.get("/imports/{id}", summary="Read an import", operation_id="read_import", responses={200: {"model": Import}})
def get_import(
    id: Annotated[str, Path(description="The import's id, as in a claim's `import_id`.", examples=[EXAMPLE_IMPORT_ID])],  # noqa: A002 - its name in the address
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Return one import with its actor, time and files, the numbers of rows by outcome, and data-quality warnings."""
    with db.read() as session:
        card = read_import(session, id, open_snapshot(session, recorded_as_of))
    return json_response(request, card)
