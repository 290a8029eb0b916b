"""Noticing that the register moved on, whoever wrote: another thread, another process, another machine.

SQLite says so itself (`PRAGMA data_version`, in microseconds), so it is asked before every answer from memory and
nothing lags. PostgreSQL is asked at most once in `POLL_INTERVAL_SECONDS` seconds, and whenever this process wrote.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.cache.responses import ChangeImpact, ResponseCache
from app.database.change_feed import ChangeEntry, changes_since
from app.database.engine import LOCK_TIMEOUT_SECONDS, Database
from app.database.read_session import read_session
from app.errors import Unavailable

POLL_INTERVAL_SECONDS = 0.3
"""Seconds that an answer from memory may lie behind what another process wrote to PostgreSQL."""

MAX_CHANGES_PER_POLL = 200
"""After more changes than this nothing is looked at one by one: everything is forgotten."""

DescribeChange = Callable[[ChangeEntry], ChangeImpact]


@dataclass(frozen=True, slots=True)
class PollResult:
    """What was seen: the register at `seq`, and what changed since the memory's state (none: too much to tell)."""

    seq: int
    changes: Sequence[ChangeImpact] | None
    started_at: float
    latest_seq: int
    data_version: int | None
    day: int


class CacheInvalidator:
    """Moves a memory on to the present state of the register."""

    def __init__(self, database: Database, response_cache: ResponseCache, describe_change: DescribeChange) -> None:
        """`describe_change` says what a change means to responses: the features know it."""
        self.response_cache = response_cache
        self._describe_change = describe_change
        self.polls_every_request = database.dialect == "sqlite"
        """Whether looking takes no longer than an answer from memory: then it is done in place, each time."""
        self._database = database
        self._connection: Any = None
        self._last_poll = PollResult(0, None, -POLL_INTERVAL_SECONDS, 0, None, 0)

    def is_fresh(self) -> bool:
        """Whether the memory may answer without another look."""
        last = self._last_poll
        return (
            time.monotonic() - last.started_at < POLL_INTERVAL_SECONDS and self._database.latest_seq == last.latest_seq
        )

    def poll(self) -> PollResult | None:
        """See what changed; none where nothing did. Raises what the database raises. Runs in any thread."""
        # Taken before the look: what is written during it is seen by the next.
        began, written, day = time.monotonic(), self._database.latest_seq, int(time.time() // 86_400)
        version = self._data_version() if self.polls_every_request else None
        if self.polls_every_request and version == self._last_poll.data_version and day == self._last_poll.day:
            return None
        known = self.response_cache.seq
        with read_session(self._database) as read:
            ((seq,),) = read.fetch_rows("SELECT seq FROM clock")
            # Ages are counted to the day, and a retraction begins with one.
            is_same_day = day == self._last_poll.day
            changes = changes_since(read, known, seq, MAX_CHANGES_PER_POLL) if is_same_day else None
        impacts = None if changes is None else [self._describe_change(change) for change in changes]
        return PollResult(seq, impacts, began, written, version, day)

    def apply(self, look: PollResult | None) -> None:
        """Forget what a look has shown to be untrue. Only ever called in the event loop."""
        if look is None:
            return
        if look.seq < self.response_cache.seq:  # a register that went back is another one
            self._database.caches.reset()
        if look.changes is None:
            self.response_cache.clear()
            self.response_cache.seq = look.seq
        else:
            self.response_cache.advance(look.seq, look.changes)
        self._last_poll = look

    def wait_until_visible(self) -> None:
        """Come back when no process of the service answers with a state before this process's last write any more.

        Raises `Unavailable` where a replica does not follow.
        """
        if self.polls_every_request:
            return
        written, deadline = self._database.latest_seq, time.monotonic() + LOCK_TIMEOUT_SECONDS
        while self._database.latest_read_seq < written:
            if time.monotonic() > deadline:
                detail = "It is recorded, but the replica that readers are answered from does not follow."
                raise Unavailable(detail, hint="send it again", headers={"Retry-After": "2"})
            with read_session(self._database) as read:
                read.snapshot()
            time.sleep(0.02)
        time.sleep(POLL_INTERVAL_SECONDS)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _data_version(self) -> int:
        """A number that is another one after any other connection has committed."""
        if self._connection is None:
            self._connection = self._database.read_engine.raw_connection()
            self._connection.detach()
        version: int = self._connection.dbapi_connection.execute("PRAGMA data_version").fetchone()[0]
        return version
