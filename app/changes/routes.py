"""The change log over HTTP: in pages, and as a stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import Response, StreamingResponse

from app.changes.queries import find_changes
from app.changes.schemas import ChangeQuery, ChangeRow
from app.database.engine import Database
from app.database.snapshot import open_snapshot
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import Page
from app.http.responses import json_bytes
from app.http.routing import api_router

router = api_router("changes")

POLL_INTERVAL_SECONDS = 0.5
"""Seconds between two looks at the log while a stream is idle."""

KEEPALIVE_INTERVAL_SECONDS = 15.0
"""Seconds of silence after which a stream sends a comment, so that no proxy takes it for dead."""


class EventStream(StreamingResponse):
    """Server-sent events. FastAPI's own class (0.165) fails whenever a client leaves while an event is being sent."""

    media_type = "text/event-stream"


@list_route(router, "/changes", ChangeRow, "Follow the register")
def list_changes(query: Annotated[ChangeQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """Every change after a `seq`, in order, with the record as it stands after it. Follow it from 0 to hold a copy."""

    def find(page: ChangeQuery) -> Page:
        with db.read() as session:
            return find_changes(session, page, open_snapshot(session, page.recorded_as_of))

    return want.send(find, query, columns_of_model(ChangeRow))


@router.get(
    "/changes/stream",
    summary="Follow the register as a stream",
    operation_id="stream_changes",
    response_class=EventStream,
)
async def stream_changes(
    request: Request,
    db: Db,
    after: Annotated[
        int | None,
        Query(
            ge=0, le=2**62, description="Begin after this `seq`; with the next change if not given.", examples=[1200]
        ),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(
            pattern=r"^\d{1,18}$",
            description="Sent by browsers when they connect again; goes before `after`.",
            examples=["1250"],
        ),
    ] = None,
) -> EventStream:
    """Changes as server-sent events, each with its `seq` as id, for as long as the connection lasts."""
    seq = int(last_event_id) if last_event_id else after
    if seq is None:
        seq = (await run_in_threadpool(_read_changes, db, 2**62)).seq
    events = _stream_events(db, seq, once=getattr(request.state, "head_only", False))
    return EventStream(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})


async def _stream_events(db: Database, seq: int, *, once: bool) -> AsyncIterator[bytes]:
    """The changes after `seq`, those to come too unless `once`, as the lines of an event stream."""
    quiet = 0.0
    while not once:
        found = await run_in_threadpool(_read_changes, db, seq)
        if found.rows:
            yield b"".join(map(_format_event, found.rows))
            seq, quiet = found.rows[-1]["seq"], 0.0
        if found.next_cursor is None:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
            quiet += POLL_INTERVAL_SECONDS
        if quiet >= KEEPALIVE_INTERVAL_SECONDS:
            yield KEEPALIVE_COMMENT
            quiet = 0.0


def _format_event(row: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=json_bytes(row).decode(), event="change", id=str(row["seq"]))


def _read_changes(db: Database, after: int) -> Page:
    with db.read() as session:
        return find_changes(session, ChangeQuery(after=after, limit=200), open_snapshot(session))
