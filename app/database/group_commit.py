"""Group commit: writes that wait for the same lock share one transaction, and so one wait for the disk."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.transaction import WriteTransaction
from app.errors import Problem

MAX_WRITES_PER_COMMIT = 64
"""So many writes share a transaction at most: the others do not wait longer than that takes."""

T = TypeVar("T")


@dataclass(slots=True)
class _QueuedWrite:
    """A write that somebody waits for."""

    actor: str
    operation: Callable[[WriteTransaction], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    result: Any = None
    error: Exception | None = None


class _BatchFailed(Exception):
    """A write failed when it had begun to change the database: the transaction cannot be used any more."""


class GroupCommitter:
    """One thread writes for all who wait, in the order in which they came, and tells them after the commit.

    There are no savepoints. A write that is refused has sent nothing to the database yet (see `WriteTransaction`), so
    it is left out and the others continue. If one fails later, the whole transaction is rolled back and each write
    runs again in a transaction of its own: no caller has received a result by then.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[_QueuedWrite] = []
        self._is_running = False
        self._lock = Lock()
        self._process_cache: dict[str, Any] = {}
        # One of its own: the loop's would wake the loop a second time, to say that the thread is done.
        self._executor = ThreadPoolExecutor(1, "writer")

    async def write(self, actor: str, act: Callable[[WriteTransaction], T]) -> T:
        """What `act` makes of the log; it is committed. It may be called again, if the first try was rolled back."""
        loop = asyncio.get_running_loop()
        job = _QueuedWrite(actor, act, loop.create_future(), loop)
        with self._lock:
            self._queue.append(job)
            start, self._is_running = not self._is_running, True
        if start:
            self._executor.submit(self._run_batches)
        made: T = await job.future
        return made

    def _run_batches(self) -> None:
        """Write until nobody waits."""
        while True:
            jobs: list[_QueuedWrite] = []
            try:
                self._write_batch(jobs)
            except _BatchFailed:
                for job in jobs:
                    self._write_separately(job)
            except Exception as wrong:  # noqa: BLE001 - each of them is told
                jobs = jobs or self._take_queued()  # whoever waited for the lock in vain
                for job in jobs:
                    job.result, job.error = None, wrong
            for loop in {id(job.loop): job.loop for job in jobs}.values():
                with suppress(RuntimeError):  # a loop that has ended has nobody left to tell
                    loop.call_soon_threadsafe(_deliver_results, [job for job in jobs if job.loop is loop])
            with self._lock:
                if not self._queue:
                    self._is_running = False
                    return

    def _take_queued(self, most: int = sys.maxsize) -> list[_QueuedWrite]:
        with self._lock:
            jobs, self._queue = self._queue[:most], self._queue[most:]
        return jobs

    def _write_batch(self, jobs: list[_QueuedWrite], *, given: bool = False) -> None:
        """Commit those who wait when the lock is there; `jobs` says who they were."""
        seq = 0
        try:
            with self._database.write_engine.connect() as connection:
                log = WriteTransaction(connection, "", self._process_cache)
                jobs += [] if given else self._take_queued(MAX_WRITES_PER_COMMIT)
                for job in jobs:
                    _run_write(job, log, alone=len(jobs) == 1)
                _commit_batch(log, alone=len(jobs) == 1)
                seq = log.seq
        except BaseException:
            self._process_cache.clear()
            raise
        self._database.latest_seq = max(self._database.latest_seq, seq)

    def _write_separately(self, job: _QueuedWrite) -> None:
        job.result = job.error = None
        try:
            self._write_batch([job], given=True)
        except Exception as wrong:  # noqa: BLE001 - its caller is told
            job.result, job.error = None, wrong


def _run_write(job: _QueuedWrite, log: WriteTransaction, *, alone: bool) -> None:
    log.begin_write(job.actor)
    try:
        job.result = job.operation(log)
    except Exception as wrong:
        if log.has_flushed or not isinstance(wrong, Problem):
            if alone:
                raise
            raise _BatchFailed from wrong
        log.discard_write()
        job.error = wrong


def _commit_batch(log: WriteTransaction, *, alone: bool) -> None:
    try:
        log.commit()
    except DBAPIError as wrong:
        if alone:
            raise
        raise _BatchFailed from wrong


def _deliver_results(jobs: list[_QueuedWrite]) -> None:
    for job in jobs:
        if job.future.done():
            continue  # its client hung up
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


GROUP_COMMITTER = CacheKey("group_committer", GroupCommitter, keep_on_reset=True)
"""The one committer of a database in this process."""
