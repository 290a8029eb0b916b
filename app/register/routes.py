"""The HTTP routes of the register."""

from collections.abc import Iterator
from datetime import UTC, datetime

from fastapi import Request
from starlette.responses import Response

from app.cache.etags import digest
from app.cache.scope import CacheScope
from app.database.read_session import read_session
from app.database.takedowns import read_latest_takedown
from app.http.dependencies import Db
from app.http.file_copies import FILE_COPIES, copy_name
from app.http.file_response import FileChanged, LongFileResponse
from app.http.offload import offloaded
from app.http.responses import (
    SHARED_CACHE_CONTROL,
    VARY,
    check_read_conditions,
    is_not_modified,
    json_response,
    key_headers,
)
from app.http.routing import api_router
from app.register.package import FORMAT_VERSION, RegisterState, read_register_id, write_package
from app.register.queries import read_register
from app.register.schemas import RegisterDescription

router = api_router("register")


@router.get(
    "/register",
    summary="Read the register",
    operation_id="read_register",
    responses={200: {"model": RegisterDescription}},
)
def get_register(request: Request, db: Db) -> Response:
    """Return the register itself: its permanent id, its title, its terms, and how many records it has."""
    with read_session(db) as read:
        snapshot = read.snapshot()
        body = read_register(read.session, snapshot, request.app.state.settings)
    return json_response(request, body, cache_scope=CacheScope(snapshot.latest_seq))


ZIP_MEDIA_TYPE = "application/zip"


@router.get(
    "/export",
    summary="Export the register",
    operation_id="export_register",
    response_class=Response,
    responses={
        200: {
            "content": {ZIP_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}, "example": "…"}},
            "description": "A data package (Frictionless): CSV files, and `datapackage.json` with their checksums.",
        }
    },
)
@offloaded()
def export_register(request: Request, db: Db) -> Response:
    """Return the whole register, with its history, as a ZIP archive that `counterclaim import` restores.

    Every record, change, id and time is in it. API keys are not.
    """
    with read_session(db) as read:
        snapshot = read.snapshot()
    takedown, settings = read_latest_takedown(db), request.app.state.settings
    state = RegisterState(read_register_id(db), snapshot.seq, snapshot.at, settings.title, settings.terms or None)
    parts = (state.id, state.at.isoformat(), state.title, state.terms or "", str(takedown), str(FORMAT_VERSION))
    name = f"{state.seq}-{digest(*(part.encode() for part in parts))}"
    day = datetime.now(UTC).date().isoformat()
    headers = {
        "ETag": f'"{name}"',
        "Cache-Control": SHARED_CACHE_CONTROL,
        "Vary": VARY,
        **key_headers(CacheScope(state.seq)),
        "Content-Disposition": f'attachment; filename="counterclaim-register-{day}.zip"',
    }
    check_read_conditions(request, headers["ETag"])
    if is_not_modified(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)

    def render() -> Iterator[bytes]:
        for chunk in write_package(db, state):
            if read_latest_takedown(db) != takedown:
                raise FileChanged("Something was taken down while the package was sent.")
            yield chunk

    copies = db.caches[FILE_COPIES]
    return LongFileResponse(request, copies, copy_name(name, takedown), render, ZIP_MEDIA_TYPE, headers)
