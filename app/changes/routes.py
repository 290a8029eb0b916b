"""HTTP routes of the change log: pages, and a stream of server-sent events."""

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
"""Time between two polls of the change log by an idle stream."""

KEEPALIVE_INTERVAL_SECONDS = 15.0
"""Time without an event after which a stream sends a comment, so that no proxy closes the connection as idle."""


class EventStream(StreamingResponse):
    """A response of server-sent events.

    FastAPI's `EventSourceResponse` (0.165) fails if a client disconnects while an event is being sent.
    """

    media_type = "text/event-stream"


@list_route(router, "/changes", ChangeRow, "List changes")
def list_changes(query: Annotated[ChangeQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the changes after a `seq`, in order, each with the record after the change.

    A client that reads all changes from 0 has a complete copy of the register.
    """

    def find(page: ChangeQuery) -> Page:
        with db.read() as session:
            return find_changes(session, page, open_snapshot(session, page.recorded_as_of))

    return listing.send(find, query, columns_of_model(ChangeRow))


@router.get(
    "/changes/stream",
    summary="Stream changes",
    operation_id="stream_changes",
    response_class=EventStream,
)
async def stream_changes(
    request: Request,
    db: Db,
    after: Annotated[
        int | None,
        Query(ge=0, le=2**62, description="Start after this `seq`. Default: with the next change.", examples=[1200]),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(
            pattern="^[0-9]{1,18}$",
            description="The last received `seq`. Browsers send it when they reconnect. It overrides `after`.",
            examples=["1250"],
        ),
    ] = None,
) -> EventStream:
    """Stream changes as server-sent events, each with its `seq` as id, until the client disconnects."""
    seq = int(last_event_id) if last_event_id else after
    if seq is None:
        seq = (await run_in_threadpool(_read_changes, db, 2**62)).seq
    events = _stream_events(db, seq, once=getattr(request.state, "head_only", False))
    return EventStream(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})


async def _stream_events(db: Database, seq: int, *, once: bool) -> AsyncIterator[bytes]:
    """Yield the changes after `seq` as events, waiting for further changes; nothing if `once` (a HEAD request)."""
    idle_seconds = 0.0
    while not once:
        page = await run_in_threadpool(_read_changes, db, seq)
        if page.rows:
            yield b"".join(map(_format_event, page.rows))
            seq, idle_seconds = page.rows[-1]["seq"], 0.0
        if page.next_cursor is None:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
            idle_seconds += POLL_INTERVAL_SECONDS
        if idle_seconds >= KEEPALIVE_INTERVAL_SECONDS:
            yield KEEPALIVE_COMMENT
            idle_seconds = 0.0


def _format_event(row: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=json_bytes(row).decode(), event="change", id=str(row["seq"]))


def _read_changes(db: Database, after: int) -> Page:
    with db.read() as session:
        return find_changes(session, ChangeQuery(after=after, limit=200), open_snapshot(session))
