"""The HTTP routes of the register."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Request
from sqlalchemy import select
from starlette.responses import Response
from starlette.types import Scope

from app.cache.etags import digest
from app.cache.scope import CacheScope
from app.changes.position import Position, resolve_position
from app.database.engine import Database
from app.database.read_session import read_session
from app.database.snapshot import open_snapshot
from app.database.tables import Change, columns_of
from app.database.takedowns import read_latest_takedown
from app.http.deadline import disable_deadline
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
from app.register.delta import read_delta
from app.register.package import (
    FORMAT_VERSION,
    PACKAGE_TABLES,
    describe_state,
    read_state,
    write_archive,
    write_package,
)
from app.register.queries import read_register
from app.register.schemas import RegisterDescription
from app.settings import Settings

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


def _is_whole(scope: Scope) -> bool:
    """Return whether a request is for the whole package, which takes long."""
    return b"after=" not in scope["query_string"]


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
@offloaded(_is_whole)
def export_register(
    request: Request,
    db: Db,
    after: Annotated[
        Position | None,
        Query(
            description="Only the records that changed after this `seq`, or `EPOCH:SEQ`, up to the `seq` in "
            "`datapackage.json`; a 204 if there are none. After changes too large, everything.",
            examples=[1],
        ),
    ] = None,
) -> Response:
    """Return the whole register, with its history, as a ZIP archive that `counterclaim import` restores.

    Every record, change, id and time is in it. API keys are not.
    """
    takedown, settings = read_latest_takedown(db), request.app.state.settings
    if after is not None:
        disable_deadline(request.scope)
        if (delta := _export_delta(db, settings, after)) is not None:
            return delta
    state = read_state(db, settings.title, settings.terms or None)
    parts = (state.id, state.at.isoformat(), state.title, state.terms or "", str(takedown), str(FORMAT_VERSION))
    name = f"{state.seq}-{digest(*(part.encode() for part in parts), b'%d' % len(state.epochs))}"
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


def _export_delta(db: Database, settings: Settings, position: int | str) -> Response | None:
    """Return what changed after a position, a 204 if nothing did, or None if only the whole package has it."""
    headers = {"Cache-Control": "no-store"}
    with db.read() as session:
        snapshot = open_snapshot(session)
        after = resolve_position(session, position, snapshot, "after")
        if after == snapshot.seq:
            return Response(status_code=204, headers=headers)
        delta = read_delta(session, after, snapshot)
        if delta is None:
            return None
        change = columns_of(Change)
        at = session.execute(select(change.at).where(change.seq == delta.seq)).scalar_one()
        state = describe_state(session, delta.seq, at, settings.title, settings.terms or None, after)
    tables = ((table, delta.rows[table.name]) for table in PACKAGE_TABLES)
    body = b"".join(write_archive(state, tables, (delta.after, delta.erased)))
    return Response(body, media_type=ZIP_MEDIA_TYPE, headers=headers)
