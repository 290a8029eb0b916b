"""HTTP routes of the change log: pages, and a stream of server-sent events."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from app.changes.position import POSITION_PATTERN, Position, format_position, resolve_position
from app.changes.queries import find_changes
from app.changes.schemas import KIND_DESCRIPTION, TOPIC_DESCRIPTION, ChangeKind, ChangeQuery, ChangeRow, ChangeShape
from app.changes.served import serve_records
from app.changes.tail import CHANGE_TAIL, ChangeBatch
from app.changes.topics import check_topics
from app.database.engine import Database
from app.database.epochs import find_fork, latest_epoch
from app.database.read_session import read_session
from app.database.snapshot import open_snapshot
from app.http.access import AccessControl
from app.http.addresses import whole_address
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.linked_data import node
from app.http.list_columns import ListName
from app.http.lists import BomParameter, FieldsParameter, FormatParameter, ListResponse, Shape, list_route
from app.http.pagination import Page
from app.http.responses import json_bytes
from app.http.routing import api_router
from app.http.schema_types import Slug
from app.http.shutdown import Shutdown

router = api_router("changes")

KEEPALIVE_INTERVAL_SECONDS = 15.0
"""Time without an event after which a stream sends a comment, so that no proxy closes the connection as idle."""


class StreamShape(StrEnum):
    """The shape of the events of a stream."""

    change = "change"
    served = "served"


class StreamQuery(BaseModel):
    """The changes to stream."""

    after: Position | None = Field(
        default=None,
        description="Start after this `seq`, or `EPOCH:SEQ`. Default: with the next change.",
        examples=[1],
    )
    kind: list[ChangeKind] = Field(default_factory=list, description=KIND_DESCRIPTION, examples=[["claim"]])
    topic: list[Slug] = Field(default_factory=list, description=TOPIC_DESCRIPTION, examples=[["russian-casualties"]])
    shape: StreamShape = Field(
        default=StreamShape.change,
        description="`served` sends one event `transaction` for the changes of each transaction (at most 200 of them), "
        "with the records as a GET serves them, in place of one event `change` for each change.",
        examples=["served"],
    )


class EventStream(StreamingResponse):
    """A response of server-sent events.

    FastAPI's `EventSourceResponse` (0.165) fails if a client disconnects while an event is being sent.
    """

    media_type = "text/event-stream"


class ChangeListResponse(ListResponse):
    """The response of the list of changes, which has a further shape."""

    def __init__(
        self,
        request: Request,
        format: FormatParameter = None,  # noqa: A002 - the name of the parameter
        shape: Annotated[
            ChangeShape,
            Query(
                description="`array` returns the JSON rows without the envelope. `served` returns them with the "
                "envelope, each with its record as a GET serves it in the state right after the change.",
                examples=["served"],
            ),
        ] = ChangeShape.envelope,
        fields: FieldsParameter = None,
        bom: BomParameter = False,  # noqa: FBT002 - a query parameter
    ) -> None:
        super().__init__(request, format, Shape.array if shape is ChangeShape.array else Shape.envelope, fields, bom)
        self.is_served = shape is ChangeShape.served


CHANGE_COLUMNS = columns_of_model(ChangeRow)


@list_route(router, "/changes", ChangeRow, "List changes", ListName.changes, CHANGE_COLUMNS, key=["seq"], linked=True)
def list_changes(
    query: Annotated[ChangeQuery, Query()], db: Db, listing: Annotated[ChangeListResponse, Depends()]
) -> Response:
    """Return the changes after a `seq`, in order, each with the record after the change.

    A client that reads all changes from 0 has a complete copy of the register.
    """

    def find(page: ChangeQuery) -> Page:
        with read_session(db) as read:
            snapshot = read.snapshot(page.recorded_as_of)
            found = find_changes(read.session, page, snapshot)
            return (
                replace(found, rows=serve_records(read, found.rows, snapshot.latest_seq))
                if listing.is_served
                else found
            )

    return listing.send(find, query, CHANGE_COLUMNS, link=_change_node)


def _change_node(change: dict[str, Any]) -> dict[str, Any]:
    """Return a change as an activity of PROV, without the record."""
    address = whole_address(f"/v1/changes?after={change['seq'] - 1}&limit=1")
    return node(
        address,
        "prov:Activity",
        name=f"{change['kind']} {change['action']}",
        identifier=change["id"],
        description=change["reason"],
        prov_startedAtTime=change["at"],
        prov_wasAssociatedWith=node(None, "prov:Agent", name=change["actor"]),
    )


@router.get(
    "/changes/stream",
    summary="Stream changes",
    operation_id="stream_changes",
    response_class=EventStream,
)
async def stream_changes(
    request: Request,
    db: Db,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[
        str | None,
        Header(
            pattern=POSITION_PATTERN,
            description="The last received id. Browsers send it when they reconnect. It overrides `after`.",
            examples=["1"],
        ),
    ] = None,
) -> EventStream:
    """Stream changes as server-sent events of the type `change`, each with its `seq` as id, after a fork `EPOCH:SEQ`.

    With `shape=served` the events have the type `transaction`: the changes of one transaction as `seq`, `at`, `more`
    and `changes`. `more` says that the next event has further changes of a long transaction.

    The response starts with the `seq` from which it continues, and repeats the latest one with every keep-alive. A
    client that reconnects with `Last-Event-ID` therefore misses nothing.
    """
    start = await run_in_threadpool(_read_start, db, query, last_event_id)
    access: AccessControl = request.app.state.access
    may_read = partial(access.may_read, request.scope)
    is_head = getattr(request.state, "head_only", False)
    events = _stream_events(db, query, start, request.app.state.shutdown, may_read, once=is_head)
    return EventStream(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})


async def _stream_events(
    db: Database,
    query: StreamQuery,
    start: tuple[int, int],
    shutdown: Shutdown,
    may_read: Callable[[], Awaitable[bool]],
    *,
    once: bool,
) -> AsyncIterator[bytes]:
    """Yield the changes after the epoch and `seq` of `start` as events until the process ends.

    It ends earlier if the client may not read them any more, or the history forked before a change that it has.
    Nothing is yielded if `once` (a HEAD request).
    """
    if once:
        return
    served = query.shape is StreamShape.served
    epoch, seq = start
    yield b": connected\n" + _format_id(epoch, seq)
    sent_at = time.monotonic()
    while not shutdown.is_stopping:
        batch = await db.caches[CHANGE_TAIL].read(seq, served=served)
        if not await may_read() or find_fork(batch.epochs, epoch, seq):
            return
        epoch, seq = batch.epochs[-1].number, batch.seq
        if events := format_events(batch, query):
            yield events
            sent_at = time.monotonic()
        if batch.is_last:
            await db.caches[CHANGE_TAIL].wait(seq, shutdown, sent_at + KEEPALIVE_INTERVAL_SECONDS - time.monotonic())
        if time.monotonic() - sent_at >= KEEPALIVE_INTERVAL_SECONDS:
            yield KEEPALIVE_COMMENT.rstrip() + b"\n" + _format_id(epoch, seq)
            sent_at = time.monotonic()


def _format_id(epoch: int, seq: int) -> bytes:
    """Return an event without data: a client only notes its id, for `Last-Event-ID`."""
    return b"id: %s\n\n" % format_position(epoch, seq).encode()


def _format_event(row: dict[str, Any], epoch: int) -> bytes:
    id_ = format_position(epoch, row["seq"])
    return format_sse_event(data_str=json_bytes(row).decode(), event="change", id=id_)


def _read_start(db: Database, query: StreamQuery, last_event_id: str | None) -> tuple[int, int]:
    """Return the epoch, and the `seq` from which a stream continues.

    Raises `InvalidRequest` if it is beyond the end of the change log, `HistoryForked` if the register does not have
    that change any more, and `UnknownSlug` for an unknown topic.
    """
    with db.read() as session:
        snapshot = open_snapshot(session)
        check_topics(session, query.topic, snapshot)
        seq = snapshot.seq
        if last_event_id:
            seq = resolve_position(session, last_event_id, snapshot, "Last-Event-ID", "header")
        elif query.after is not None:
            seq = resolve_position(session, query.after, snapshot, "after")
        return latest_epoch(session), seq


def format_events(batch: ChangeBatch, query: StreamQuery) -> bytes:
    """Return the events of a stream for the changes of a batch, without those that its filters leave out."""
    kinds, topics = frozenset(query.kind), frozenset(query.topic)
    key = (query.shape, kinds, topics)
    epoch = batch.epochs[-1].number
    if key not in batch.formatted:
        rows = [
            row
            for row in batch.rows
            if (not kinds or row["kind"] in kinds) and (not topics or not topics.isdisjoint(row["topics"]))
        ]
        batch.formatted[key] = (
            _format_transactions(rows, batch.following, epoch)
            if query.shape is StreamShape.served
            else b"".join(_format_event(row, epoch) for row in rows)
        )
    return batch.formatted[key]


def _format_transactions(rows: Sequence[dict[str, Any]], following: datetime | None, epoch: int) -> bytes:
    """Return one event for the changes of each transaction. `following` is the time of the change after the batch."""
    events = []
    for at, changes in groupby(rows, key=itemgetter("at")):
        listed = list(changes)
        message = {"seq": listed[-1]["seq"], "at": at, "more": at == following, "changes": listed}
        data = json_bytes(message).decode()
        events.append(format_sse_event(data_str=data, event="transaction", id=format_position(epoch, message["seq"])))
    return b"".join(events)
