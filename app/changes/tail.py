"""The end of the change log, read once for all streams of a process.

An idle stream costs nothing but its keep-alive: one task looks for changes and wakes the streams, and all that continue
from the same change share what is read.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cachetools import LRUCache
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.changes.queries import find_changes
from app.changes.schemas import ChangeQuery
from app.changes.served import serve_records
from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.epochs import Epoch, read_epochs
from app.database.read_session import read_session
from app.database.tables import Change, columns_of
from app.errors import Problem
from app.http.shutdown import Shutdown

POLL_INTERVAL_SECONDS = 0.5
"""Time between two polls of the change log while streams are idle."""

BATCH_ROWS = 200
SHARED_BATCHES = 8

logger = logging.getLogger("counterclaim")


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Changes that follow one another, as rows of the change log or as served records."""

    rows: Sequence[dict[str, Any]]
    seq: int
    """The `seq` of the last change; without changes, the one after which they were looked for."""
    is_last: bool
    """Whether there are no more for now."""
    epochs: Sequence[Epoch]
    """All epochs of the register, oldest first."""
    following: datetime | None = None
    """The time of the change after these, if there is one. It can belong to the same transaction."""
    formatted: dict[Any, bytes] = field(default_factory=dict)
    """The events for each filter with which the batch was formatted."""


def read_batch(database: Database, after: int, *, served: bool) -> ChangeBatch:
    """Return the changes after the change `after`, at most `BATCH_ROWS`, if `served` with served records.

    They are not filtered: nearly all reads of a stream find few changes or none.
    """
    with read_session(database) as read:
        snapshot, epochs = read.snapshot(), read_epochs(read.session)
        if after >= snapshot.seq:
            return ChangeBatch([], after, is_last=True, epochs=epochs)
        page = find_changes(read.session, ChangeQuery(after=after, limit=BATCH_ROWS), snapshot)
        last = page.rows[-1]["seq"] if page.rows else after
        if not served:
            return ChangeBatch(page.rows, last, page.next_cursor is None, epochs)
        rows = serve_records(read, page.rows, snapshot.latest_seq)
        following = read.session.execute(select(Change.at).where(columns_of(Change).seq == last + 1)).scalar()  # type: ignore[call-overload] # SQLModel does not type its columns
        return ChangeBatch(rows, last, page.next_cursor is None, epochs, following)


class ChangeTail:
    """What the streams of a process share. All methods run in the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seq = 0
        """The latest `seq` that a poll has found."""
        self._changed = asyncio.Event()
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._batches: LRUCache[tuple[int, bool, int], asyncio.Task[ChangeBatch]] = LRUCache(SHARED_BATCHES)

    async def read(self, after: int, *, served: bool) -> ChangeBatch:
        """Return the changes after the change `after`, see `read_batch`."""
        key = (after, served, self._seq)
        task = self._batches.get(key)
        if task is None:
            task = asyncio.create_task(run_in_threadpool(read_batch, self._database, after, served=served))
            self._batches[key] = task
            task.add_done_callback(self._forget_if_failed(key))
        return await asyncio.shield(task)  # a client that disconnects must not cancel the read of the others

    def _forget_if_failed(self, key: tuple[int, bool, int]) -> Callable[[asyncio.Task[ChangeBatch]], None]:
        def forget(task: asyncio.Task[ChangeBatch]) -> None:
            if task.cancelled() or task.exception() is not None:
                self._batches.pop(key, None)

        return forget

    async def wait(self, after: int, shutdown: Shutdown, seconds: float) -> None:
        """Wait until there is a change after the change `after` or the process is ending, at most for `seconds`."""
        if self._seq > after or shutdown.is_stopping:
            return
        self._listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll(shutdown))
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass
        finally:
            self._listeners -= 1

    async def _poll(self, shutdown: Shutdown) -> None:
        """Look for changes while streams wait, and wake them when there are some or the process is ending."""
        while self._listeners and not await shutdown.wait(POLL_INTERVAL_SECONDS):
            try:
                seq = await run_in_threadpool(_read_latest_seq, self._database)
            except (SQLAlchemyError, sqlite3.Error, Problem) as error:
                logger.warning("streams wait for the database: %s", error)
                continue
            if seq != self._seq:
                self._seq = seq
                self._wake()
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _read_latest_seq(database: Database) -> int:
    with read_session(database) as read:
        ((seq,),) = read.fetch_rows("SELECT seq FROM clock")
    return int(seq)


CHANGE_TAIL: CacheKey[ChangeTail] = CacheKey("change tail", ChangeTail)
