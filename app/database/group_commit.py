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

from app.database.engine import Database
from app.database.transaction import Log
from app.errors import Problem

MOST = 64
"""So many writes share a transaction at most: the others do not wait longer than that takes."""

T = TypeVar("T")


@dataclass(slots=True)
class _Job:
    """A write that somebody waits for."""

    actor: str
    act: Callable[[Log], Any]
    told: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    made: Any = None
    wrong: Exception | None = None


class _Spoilt(Exception):
    """A write failed when it had begun to change the database: the transaction cannot be used any more."""


class Together:
    """One thread writes for all who wait, in the order in which they came, and tells them after the commit.

    There are no savepoints. A write that is refused has handed nothing to the database yet (see `Log`), so it is left
    out, and the others do not notice. Should one fail later, the transaction is rolled back whole and each of them is
    done again in a transaction of its own: nobody has been told anything by then.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Job] = []
        self._at_work = False
        self._guard = Lock()
        self._memory: dict[str, Any] = {}
        # One of its own: the loop's would wake the loop a second time, to say that the thread is done.
        self._thread = ThreadPoolExecutor(1, "writer")

    async def write(self, actor: str, act: Callable[[Log], T]) -> T:
        """What `act` makes of the log; it is committed. It may be called again, if the first try was rolled back."""
        loop = asyncio.get_running_loop()
        job = _Job(actor, act, loop.create_future(), loop)
        with self._guard:
            self._waiting.append(job)
            start, self._at_work = not self._at_work, True
        if start:
            self._thread.submit(self._work)
        made: T = await job.told
        return made

    def _work(self) -> None:
        """Write until nobody waits."""
        while True:
            jobs: list[_Job] = []
            try:
                self._write(jobs)
            except _Spoilt:
                for job in jobs:
                    self._write_alone(job)
            except Exception as wrong:  # noqa: BLE001 - each of them is told
                jobs = jobs or self._take()  # whoever waited for the lock in vain
                for job in jobs:
                    job.made, job.wrong = None, wrong
            for loop in {id(job.loop): job.loop for job in jobs}.values():
                with suppress(RuntimeError):  # a loop that has ended has nobody left to tell
                    loop.call_soon_threadsafe(_tell, [job for job in jobs if job.loop is loop])
            with self._guard:
                if not self._waiting:
                    self._at_work = False
                    return

    def _take(self, most: int = sys.maxsize) -> list[_Job]:
        with self._guard:
            jobs, self._waiting = self._waiting[:most], self._waiting[most:]
        return jobs

    def _write(self, jobs: list[_Job], *, given: bool = False) -> None:
        """Commit those who wait when the lock is there; `jobs` says who they were."""
        seq = 0
        try:
            with self._database.writer.connect() as connection:
                log = Log(connection, "", self._memory)
                jobs += [] if given else self._take(MOST)
                for job in jobs:
                    _run(job, log, alone=len(jobs) == 1)
                _commit(log, alone=len(jobs) == 1)
                seq = log.seq
        except BaseException:
            self._memory.clear()
            raise
        self._database.seen = max(self._database.seen, seq)

    def _write_alone(self, job: _Job) -> None:
        job.made = job.wrong = None
        try:
            self._write([job], given=True)
        except Exception as wrong:  # noqa: BLE001 - its caller is told
            job.made, job.wrong = None, wrong


def _run(job: _Job, log: Log, *, alone: bool) -> None:
    log.begin(job.actor)
    try:
        job.made = job.act(log)
    except Exception as wrong:
        if log.wrote or not isinstance(wrong, Problem):
            if alone:
                raise
            raise _Spoilt from wrong
        log.take_back()
        job.wrong = wrong


def _commit(log: Log, *, alone: bool) -> None:
    try:
        log.commit()
    except DBAPIError as wrong:
        if alone:
            raise
        raise _Spoilt from wrong


def _tell(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.told.done():
            continue  # its client hung up
        if job.wrong is not None:
            job.told.set_exception(job.wrong)
        else:
            job.told.set_result(job.made)


def together(database: Database) -> Together:
    """Those who write to this database in this process."""
    made: Together | None = database.writers.get("together")
    return made or database.writers.setdefault("together", Together(database))
