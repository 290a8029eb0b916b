"""Group commit: queued writes share one transaction, and therefore one fsync."""

import asyncio
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from app.database.cache_registry import CacheKey
from app.database.engine import Database, note_request_state
from app.database.epochs import EPOCHS
from app.database.faults import DatabaseFault, classify
from app.database.lost_commits import not_recorded, outcome_unknown
from app.database.transaction import WriteTransaction
from app.errors import Problem

MAX_WRITES_PER_COMMIT = 64
"""Maximum number of writes in one transaction, which limits how long the first write waits for the commit."""

EXPIRY_SECONDS = 0.2
"""How long before the deadline of its request a write is given up, so that the response can name the outcome."""

T = TypeVar("T")


@dataclass(slots=True)
class _QueuedWrite:
    """A write in the queue, with the future of its caller."""

    actor: str
    operation: Callable[[WriteTransaction], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    context: Context = field(default_factory=copy_context)
    """The context of the caller, in which the thread runs the write."""
    result: Any = None
    error: Exception | None = None
    seq: int = 0
    """The state of the register after the write, or that in which it was refused; 0 before the commit."""
    is_abandoned: bool = False
    """Whether the caller has the answer that nothing is recorded, so that the write must not be committed."""
    is_committing: bool = False
    executor: ThreadPoolExecutor | None = None
    """The thread that has taken the write from the queue."""
    queued_at: float = field(default_factory=time.monotonic)


class _WriteAbandoned(Exception):
    """A write was given up by its caller before the commit, so the transaction must be rolled back."""


class _BatchFailed(Exception):
    """A write failed after a flush, or the commit failed, so the whole transaction must be rolled back."""


class GroupCommitter:
    """Runs queued writes in order on one thread, and returns the results to the callers after the commit.

    There are no savepoints. A write that is refused before its rows are flushed (see `WriteTransaction`) is discarded,
    and the others continue. If a write fails after a flush, the transaction is rolled back and the writes of the batch
    run again in separate transactions. No caller has received a result before that.

    A write that is not committed by its deadline is withdrawn, and its caller gets a 503. A commit is never cancelled:
    PostgreSQL could report a cancelled one as a success. If it is not known in time whether the write is recorded, its
    caller gets `outcome_unknown`, and another thread goes on with the queue.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[_QueuedWrite] = []
        self._is_running = False
        self._batch_started_at = 0.0
        self._lock = Lock()
        self._process_cache: dict[str, Any] = {}
        # Not `run_in_executor`: it would wake the event loop a second time, when the thread returns.
        self._executor = ThreadPoolExecutor(1, "writer")

    async def write(self, actor: str, operation: Callable[[WriteTransaction], T], expires_at: float | None = None) -> T:
        """Run `operation` in a write transaction and return its result after the commit.

        `operation` runs a second time if the first transaction is rolled back.

        Args:
            actor: The name of the actor.
            operation: The write.
            expires_at: The deadline of the request, in the time of the event loop. None: there is no deadline.

        Raises:
            Unavailable: The write did not begin in time. Nothing is recorded.
            OutcomeUnknown: The database has not confirmed the commit in time.
        """
        loop = asyncio.get_running_loop()
        job = _QueuedWrite(actor, operation, loop.create_future(), loop)
        if expires_at is not None and loop.time() > expires_at - EXPIRY_SECONDS:
            raise not_recorded()
        with self._lock:
            self._queue.append(job)
            start, self._is_running = not self._is_running, True
            if start:
                self._executor.submit(self._run_batches, self._executor)
        expiry = None if expires_at is None else loop.call_at(expires_at - EXPIRY_SECONDS, self._expire, job)
        try:
            result: T = await job.future
        finally:
            if expiry is not None:
                expiry.cancel()
        return result

    def _expire(self, job: _QueuedWrite) -> None:
        """Withdraw a write that is not committed yet, or let its caller know that the outcome is unknown."""
        if job.future.done():
            return
        with self._lock:
            job.is_abandoned = not job.is_committing
            if job.executor is None:
                self._queue.remove(job)
                is_hanging = self._batch_started_at < job.queued_at
            else:
                is_hanging = job.executor is self._executor
            if is_hanging:
                self._replace_thread()
        job.future.set_exception(not_recorded() if job.is_abandoned else outcome_unknown())

    def _replace_thread(self) -> None:
        """Let another thread go on with the queue: the database does not answer this one. Needs the lock."""
        self._executor.shutdown(wait=False)
        self._executor = ThreadPoolExecutor(1, "writer")
        self._process_cache = {}
        self._is_running = bool(self._queue)
        self._batch_started_at = time.monotonic()
        if self._is_running:
            self._executor.submit(self._run_batches, self._executor)

    def _run_batches(self, executor: ThreadPoolExecutor) -> None:
        """Commit batches until the queue is empty, or another thread has replaced this one of `executor`."""
        while True:
            jobs: list[_QueuedWrite] = []
            self._batch_started_at = time.monotonic()
            try:
                self._write_batch(jobs)
            except _BatchFailed:
                for job in jobs:
                    self._write_separately(job)
            except Exception as error:  # noqa: BLE001 - raised in the callers
                if not jobs and executor is self._executor:
                    jobs = self._take_queued()  # the clock was not locked, so no write of the queue can run
                for job in jobs:
                    job.result, job.error, job.seq = None, error, 0
            for loop in {id(job.loop): job.loop for job in jobs}.values():
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(_deliver_results, [job for job in jobs if job.loop is loop])
            with self._lock:
                if executor is not self._executor:
                    return
                if not self._queue:
                    self._is_running = False
                    return

    def _take_queued(self, limit: int = sys.maxsize) -> list[_QueuedWrite]:
        with self._lock:
            jobs, self._queue = self._queue[:limit], self._queue[limit:]
            for job in jobs:
                job.executor = self._executor
        return jobs

    def _write_batch(self, jobs: list[_QueuedWrite], *, take_queued: bool = True) -> None:
        """Commit `jobs` in one transaction.

        With `take_queued`, writes of the queue are added to `jobs` after the clock is locked. They are added in place,
        so the caller has them if an exception is raised.
        """
        seq = 0
        process_cache = self._process_cache
        try:
            with self._database.write_engine.connect() as connection:
                transaction = WriteTransaction(connection, "", process_cache)
                jobs += self._take_queued(MAX_WRITES_PER_COMMIT) if take_queued else []
                for job in jobs:
                    _run_write(job, transaction, is_only_write=len(jobs) == 1)
                self._begin_commit(jobs)
                self._commit_batch(transaction, is_only_write=len(jobs) == 1)
                seq = transaction.seq
            if transaction.epochs:
                self._database.caches[EPOCHS].replace(transaction.epochs)
        except BaseException as error:
            process_cache.clear()
            if classify(error) is DatabaseFault.away:
                self._database.close_idle_connections()
            raise
        self._database.note_write(seq)
        self._database.full_at = None

    def _commit_batch(self, transaction: WriteTransaction, *, is_only_write: bool) -> None:
        try:
            transaction.commit_or_find_out(self._database)
        except DBAPIError as error:
            if is_only_write:
                raise
            raise _BatchFailed from error

    def _begin_commit(self, jobs: list[_QueuedWrite]) -> None:
        """Mark the writes as being committed, unless one of them was given up."""
        with self._lock:
            if any(job.is_abandoned for job in jobs):
                raise _BatchFailed from _WriteAbandoned()
            for job in jobs:
                job.is_committing = True

    def _write_separately(self, job: _QueuedWrite) -> None:
        job.result = job.error = None
        job.seq = 0
        job.is_committing = False
        if job.is_abandoned:
            return
        try:
            self._write_batch([job], take_queued=False)
        except Exception as error:  # noqa: BLE001 - raised in the caller
            job.result, job.error, job.seq = None, error, 0


def _run_write(job: _QueuedWrite, transaction: WriteTransaction, *, is_only_write: bool) -> None:
    transaction.begin_write(job.actor)
    try:
        job.result = job.context.run(job.operation, transaction)
    except Exception as error:
        if transaction.has_flushed or not isinstance(error, Problem):
            if is_only_write:
                raise
            raise _BatchFailed from error
        transaction.discard_write()
        job.error = error
    job.seq = transaction.seq


def _deliver_results(jobs: list[_QueuedWrite]) -> None:
    for job in jobs:
        if job.future.done():
            continue  # the client disconnected, so the future was cancelled
        if job.seq:
            job.context.run(note_request_state, job.seq)
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


GROUP_COMMITTER = CacheKey("group_committer", GroupCommitter, keep_on_reset=True)
"""The group committer of a database; there is one per process."""
