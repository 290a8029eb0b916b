"""The change log over HTTP: in pages, and as a stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from app.changes.clock import view_of
from app.changes.queries import find_changes
from app.changes.schemas import ChangeQuery, ChangeRow
from app.db import Database, Db
from app.formats import Wanted, columns_of_model, json_bytes, listing
from app.paging import Found

router = APIRouter(tags=["changes"])

LOOK_EVERY = 0.5
"""Seconds between two looks at the log while a stream is idle."""


@listing(router, "/changes", ChangeRow, "Follow the register")
def list_changes(query: Annotated[ChangeQuery, Query()], db: Db, want: Wanted) -> Response:
    """Every change after a `seq`, in order, with the record as it stands after it. Follow it from 0 to hold a copy."""

    def find(page: ChangeQuery) -> Found:
        with db.read() as session:
            return find_changes(session, page, view_of(session, page.recorded_as_of))

    return want.rows(find, query, columns_of_model(ChangeRow))


@router.get(
    "/changes/stream",
    summary="Follow the register as a stream",
    operation_id="stream_changes",
    response_class=EventSourceResponse,
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
) -> AsyncIterator[ServerSentEvent]:
    """Changes as server-sent events, each with its `seq` as id, for as long as the connection lasts."""
    seq = int(last_event_id) if last_event_id else after
    if seq is None:
        seq = (await run_in_threadpool(_changes, db, 2**62)).seq
    while not getattr(request.state, "head_only", False):
        found = await run_in_threadpool(_changes, db, seq)
        for row in found.rows:
            yield ServerSentEvent(raw_data=json_bytes(row).decode(), event="change", id=str(row["seq"]))
            seq = row["seq"]
        if found.next_cursor is None:
            await asyncio.sleep(LOOK_EVERY)


def _changes(db: Database, after: int) -> Found:
    with db.read() as session:
        return find_changes(session, ChangeQuery(after=after, limit=200), view_of(session))
