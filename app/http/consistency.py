"""Read-your-writes: a request waits until this process reads the state in its `X-Register-Seq`."""

import asyncio
import time
from contextlib import suppress
from typing import Annotated

from fastapi import Header, Query, Request
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.epochs import EPOCHS, find_fork, history_forked
from app.database.snapshot import open_snapshot
from app.database.tables import Clock, columns_of
from app.errors import Unavailable
from app.http.dependencies import Db

MAX_WAIT_SECONDS = 1.0
"""The maximum wait for a state."""

MAX_WAITING_REQUESTS = 100
"""The maximum number of requests of a process that wait at the same time."""

POLL_INTERVAL_SECONDS = 0.05

MAX_DIGITS = 18
"""The maximum length of a sequence number."""

MAX_POLL_SECONDS = 1.0
"""The maximum duration of the last poll, which may begin just before the end of the wait."""


class StateWaiter:
    """Lets requests wait for a state of the register. One poll of the clock at a time serves all of them.

    A request that waits holds neither a thread nor a connection to the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = 0
        self._poll_task: asyncio.Task[None] | None = None
        self._polled_at = 0.0
        self._wanted = 0

    async def wait(self, seq: int) -> None:
        """Return as soon as this process reads the state `seq`. Raises `Unavailable` after `MAX_WAIT_SECONDS`."""
        if self._database.latest_read_seq >= seq:
            return
        if self._waiting >= MAX_WAITING_REQUESTS:
            detail = f"{MAX_WAITING_REQUESTS} requests are waiting for a state of the register already."
            raise Unavailable(detail, hint="try again", headers={"Retry-After": "1"})
        self._waiting += 1
        self._wanted = max(self._wanted, seq) if self._waiting > 1 else seq
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        try:
            while not await self._poll_for(seq):
                if time.monotonic() >= deadline:
                    detail = f"This server reads seq {self._database.latest_read_seq}; {seq} is not available yet."
                    raise Unavailable(detail, hint="try again", headers={"Retry-After": "1"})
        finally:
            self._waiting -= 1

    async def _poll_for(self, seq: int) -> bool:
        """Wait for the next poll. Return whether the state `seq` has been read."""
        if self._poll_task is None or self._poll_task.done():
            self._poll_task = asyncio.create_task(self._poll())
        task = self._poll_task
        await asyncio.wait({task}, timeout=MAX_POLL_SECONDS)
        if task.done():
            task.result()  # raises the error of the database
        return self._database.latest_read_seq >= seq

    async def _poll(self) -> None:
        await asyncio.sleep(max(0.0, self._polled_at + POLL_INTERVAL_SECONDS - time.monotonic()))
        await run_in_threadpool(_read_clock, self._database, self._wanted)
        self._polled_at = time.monotonic()


STATE_WAITER = CacheKey("state_waiter", StateWaiter, keep_on_reset=True)


NAMED_STATES = ("after", "recorded_as_of", "updated_since")
"""Query parameters that may contain a sequence number."""


async def _check_epoch(request: Request, database: Database, epoch: int, seqs: list[str | None]) -> None:
    """Raise `HistoryForked` if the register has not the change of that epoch that a request names."""
    values = [*seqs, *(value.removeprefix("seq:") for value in map(request.query_params.get, NAMED_STATES) if value)]
    seq = max((int(value) for value in values if value and value.isdecimal() and len(value) <= MAX_DIGITS), default=0)
    fork = find_fork(await run_in_threadpool(database.caches[EPOCHS].read_recent), epoch, seq)
    if fork is not None:
        raise history_forked(fork, epoch, seq, database.caches[EPOCHS].latest)


async def wait_for_seq(
    request: Request,
    db: Db,
    x_register_seq: Annotated[
        str | None,
        Header(
            pattern="^[0-9]{1,18}$",
            description="The highest `X-Register-Seq` received so far: the response shows at least that state. With "
            "the `X-Register-Epoch` received beside it, the response is a 409 `history_forked` if the register was "
            "restored to an earlier state since.",
            examples=["1"],
        ),
    ] = None,
    seq: Annotated[
        str | None,
        Query(
            pattern="^[0-9]{1,18}$",
            description="The same as the header `X-Register-Seq`, for pages of other sites: a browser sends a "
            "preflight request before one with that header. It is not part of the links in the response.",
            examples=["1"],
        ),
    ] = None,
    x_register_epoch: Annotated[
        # Described with `X-Register-Seq`: one more parameter of each operation would be a hundredth of the document.
        str | None,
        Header(pattern="^[0-9]{1,9}$", include_in_schema=False),
    ] = None,
) -> None:
    """Wait until this process reads the state in `X-Register-Seq` or `seq`, so that clients read their own writes.

    Otherwise the response is a 503.
    """
    if x_register_epoch is not None:
        await _check_epoch(request, db, int(x_register_epoch), [x_register_seq, seq])
    requested = max((int(text) for text in (x_register_seq, seq) if text is not None), default=None)
    if requested is not None:
        await db.caches[STATE_WAITER].wait(requested)


def _read_clock(database: Database, seq: int) -> None:
    """Open a snapshot, which updates `latest_read_seq`: on the primary database if the replica lacks `seq`."""
    with database.read() as session:
        open_snapshot(session)
    if database.replica is not None and database.latest_read_seq < seq:
        with suppress(DBAPIError, PoolTimeout), database.read_primary() as session:
            primary_seq: int = session.execute(select(columns_of(Clock).seq)).scalar_one()
            if primary_seq >= seq:
                database.note_read(primary_seq)  # the replica is not read before it has that
