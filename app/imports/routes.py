"""HTTP routes of imports: import a file, list imports, read an import."""

from codecs import BOM_UTF8
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.database.engine import Database
from app.database.read_session import read_session
from app.database.snapshot import open_snapshot
from app.http.auth import Contributor
from app.http.csv_columns import columns_of_model, define_column
from app.http.dependencies import Db
from app.http.idempotency import IdempotencyKey
from app.http.list_columns import ListName
from app.http.lists import ListResponseDep, list_route
from app.http.middleware import OutcomeMetric, declare_outcome_metric
from app.http.pagination import AsOf, Page, PageQuery
from app.http.responses import cacheable_response, json_response
from app.http.routing import api_router
from app.http.serializers import CSV
from app.http.spreadsheet import XLSX_MEDIA_TYPE
from app.http.writes import WriteConditions, WriteRequest
from app.imports.queries import find_imports, read_import
from app.imports.schemas import EXAMPLE_IMPORT_ID, Counts, Import, ImportQuery, ImportReport
from app.imports.uploads import FILE_NAME_OF_MEDIA_TYPE, MULTIPART_MEDIA_TYPE, UploadedFiles

if TYPE_CHECKING:
    from app.imports.sheet import SheetContent

router = api_router("imports")
LATER_FIELDS = ("status", "rows_published")
"""The columns that were added later, which come last."""

CSV_COLUMNS = [
    *columns_of_model(Import, LATER_FIELDS)[: -len(LATER_FIELDS)],
    *(define_column(Import, name, f"counts.{name}") for name in Counts.model_fields),
    define_column(Import, "url", "links.self"),
    *(define_column(Import, name, name) for name in LATER_FIELDS),
]
TEMPLATE_EXAMPLE = "skip,source,category,subject,place,as_printed,period,aggregation,modality,date,\u2026\r\n"

REPORT_CONTENT: dict[str, Any] = {
    XLSX_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}, "example": "\u2026"}
}
"""The response with `report=xlsx`."""

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


@router.get(
    "/imports/template.xlsx",
    summary="Get a sheet to fill in (XLSX)",
    operation_id="read_template_xlsx",
    response_class=Response,
    responses={
        200: {
            "description": "The sheet.",
            "content": {XLSX_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}, "example": "\u2026"}},
        }
    },
)
def read_template_xlsx(request: Request, db: Db) -> Response:
    """Return a spreadsheet for claims: columns with explanations, lists to choose from, and two examples.

    The lists are the sources, categories, subjects and places of the register, and the enumerations. Send the file,
    filled in, as the body of `POST /v1/imports`, or run `counterclaim import sheet.xlsx`. The examples are claims of
    the register; an import skips them.
    """
    from app.imports.workbook import write_template  # noqa: PLC0415 - most processes never write a workbook

    content, scope = _read_sheet(db)
    file = BytesIO()
    write_template(file, request.app.state.settings.title, content)
    return cacheable_response(
        request, file.getvalue(), XLSX_MEDIA_TYPE, headers=_template_headers("xlsx"), cache_scope=scope
    )


@router.get(
    "/imports/template.csv",
    summary="Get a sheet to fill in (CSV)",
    operation_id="read_template_csv",
    response_class=Response,
    responses={
        200: {
            "description": "The sheet.",
            "content": {"text/csv": {"schema": {"type": "string"}, "example": TEMPLATE_EXAMPLE}},
        },
    },
)
def read_template_csv(
    request: Request,
    db: Db,
    bom: Annotated[  # noqa: FBT002 - a query parameter
        bool, Query(description="Whether the file starts with a byte order mark, for Excel.", examples=[True])
    ] = False,
) -> Response:
    """Return the same sheet as CSV: the column names, a row that explains them, and two examples.

    An import skips these rows: their column `skip` is not empty.
    """
    from app.imports.sheet import csv_sheet  # noqa: PLC0415 - as above

    content, scope = _read_sheet(db)
    body = (BOM_UTF8 if bom else b"") + csv_sheet(content)
    return cacheable_response(request, body, CSV.media_type, headers=_template_headers("csv"), cache_scope=scope)


def _read_sheet(db: Database) -> tuple["SheetContent", CacheScope]:
    """Return what the sheet to fill in contains, and what it depends on."""
    from app.imports.sheet import read_content  # noqa: PLC0415 - as above

    with read_session(db) as read:
        snapshot = read.snapshot()
        return read_content(read, snapshot), CacheScope(snapshot.latest_seq)


def _template_headers(suffix: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="claims-template.{suffix}"'}


declare_outcome_metric("/v1/imports", OutcomeMetric("counterclaim_imports", "Imports over HTTP, by outcome."))


@router.post(
    "/imports",
    summary="Import a file",
    operation_id="post_import",
    openapi_extra={"requestBody": {"required": True, "content": REQUEST_CONTENT}},
    responses={
        200: {
            "model": ImportReport,
            "content": REPORT_CONTENT,
            "description": "Nothing was recorded: a dry run, or the files contain nothing new.",
        },
        201: {"model": ImportReport, "content": REPORT_CONTENT, "description": "The import was recorded."},
    },
)
def post_import(
    request: Request,
    contributor: Contributor,
    uploaded: UploadedFiles,
    query: Annotated[ImportQuery, Query()],
    key: IdempotencyKey,
) -> Response:
    """Record the rows of a file as claims, all of them or none.

    All rows are checked first. More than 5,000 claims are published in steps.

    The file is a filled-in sheet (`/v1/imports/template.xlsx`), an exported claims file, or any file with a mapping.

    New claims need the role contributor. An import that repairs, assesses, retracts or relates claims, or that adds
    sources or vocabulary, needs the role editor.
    """
    from app.imports.service import import_upload  # noqa: PLC0415 - most processes only serve reads

    if conditions := WriteConditions.from_request(request).digest_suffix:
        uploaded.add_to_digest(conditions.decode())
    with closing(uploaded):
        return import_upload(request, contributor, uploaded, query, WriteRequest(request, uploaded.digest, key))


@list_route(router, "/imports", Import, "List imports", ListName.imports, CSV_COLUMNS, key=["id"])
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
