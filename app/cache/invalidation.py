"""Invalidation of cached responses by polling for changes, which any thread, process or machine may have written.

SQLite reports changes in microseconds (`PRAGMA data_version`), so it is polled before every cached response and no
response is stale. PostgreSQL is polled at most once in `POLL_INTERVAL_SECONDS`, and after each write of this process.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.cache.responses import ChangeImpact, ResponseCache
from app.database.change_feed import ChangeEntry, changes_since
from app.database.engine import Database
from app.database.epochs import EPOCHS
from app.database.read_session import read_session
from app.database.tables import TAKEDOWN_CHANGE

POLL_INTERVAL_SECONDS = 0.3
"""The maximum staleness of a cached response, in seconds, after another process wrote to PostgreSQL."""

POLL_BUSY_MILLISECONDS = 20
"""How long a poll waits for the lock of another process that holds the file of SQLite exclusively."""

SLOW_POLL_SECONDS = 0.05
"""A poll of SQLite that takes longer holds up the event loop: the next ones run in a thread, until one is fast."""

MAX_CHANGES_PER_POLL = 200
"""If there are more changes than this since the last poll, the whole cache is cleared."""

_PURGER_SECONDS = {
    "sqlite": "(julianday(max(expires_at)) - julianday('now')) * 86400",
    "postgresql": "extract(epoch FROM max(expires_at) - clock_timestamp())",
}
"""For how many seconds a purger of a shared cache holds its lease; NULL without one."""

DescribeChange = Callable[[ChangeEntry], ChangeImpact]


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of a poll: the latest `seq`, and the changes since the `seq` of the cache (None: clear the cache)."""

    seq: int
    changes: Sequence[ChangeImpact] | None
    started_at: float
    latest_seq: int
    data_version: int | None
    day: int
    epoch: int
    has_takedown: bool = False
    """Whether something was taken down since the last poll. No cache may keep anything then, not even past states."""
    has_forked: bool = False
    """Whether a standby was promoted since the last poll, so that a `seq` may be another state than before."""
    purger_seconds: float = 0.0
    """For how many seconds from the poll on a shared cache in front of the service is purged."""


def _takedown_query(after: int, until: int) -> str:
    # The integers are part of the text because the two drivers have different placeholders.
    condition = f"{TAKEDOWN_CHANGE.text} AND seq > {int(after)} AND seq <= {int(until)}"
    return f"SELECT seq FROM change WHERE {condition} LIMIT 1"  # noqa: S608 - two integers


class CacheInvalidator:
    """Invalidator of a response cache: it polls the database for changes and evicts the responses that they affect."""

    def __init__(self, database: Database, response_cache: ResponseCache, describe_change: DescribeChange) -> None:
        """Invalidate `response_cache`. `describe_change` returns which responses a change affects."""
        self.response_cache = response_cache
        self._describe_change = describe_change
        self.polls_every_request = database.dialect == "sqlite"
        """Whether a poll is fast enough to run in the event loop before every cached response."""
        self.database = database
        self.epochs = database.caches[EPOCHS]
        self.is_slow = False
        """Whether the last poll took long or failed, so that the next one must not run in the event loop."""
        self._connection: Any = None
        self._last_poll = PollResult(0, None, -POLL_INTERVAL_SECONDS, 0, None, 0, 0)
        self._last_epoch: int | None = None
        """The epoch of the last poll. This process may have begun a later one since, without forgetting its caches."""
        self.purged_until = 0.0
        """Until when a shared cache in front of the service is purged, by `time.monotonic`; 0: there is no purger."""
        self._select_head = (
            "SELECT seq, (SELECT max(number) FROM epoch), "  # noqa: S608 - one of two constants
            f"(SELECT {_PURGER_SECONDS[database.dialect]} FROM lease WHERE kind = 'purger') FROM clock"
        )

    def is_fresh(self) -> bool:
        """Return whether cached responses may be sent without another poll."""
        last = self._last_poll
        return (
            time.monotonic() - last.started_at < POLL_INTERVAL_SECONDS and self.database.latest_seq == last.latest_seq
        )

    def poll(self) -> PollResult | None:
        """Return the changes since the last poll, or None if there are none. May run in any thread."""
        # Read before the poll, so that the next poll finds what is written during this one.
        started_at, latest_seq, day = time.monotonic(), self.database.latest_seq, int(time.time() // 86_400)
        data_version = self._data_version() if self.polls_every_request else None
        if self.polls_every_request and data_version == self._last_poll.data_version and day == self._last_poll.day:
            return None
        cached_seq = self.response_cache.seq
        with read_session(self.database) as read:
            ((seq, epoch, purger_seconds),) = read.fetch_rows(self._select_head)
            known = self.epochs.latest if self._last_epoch is None and self.epochs.is_loaded else self._last_epoch
            has_forked = known not in (None, epoch)
            if has_forked or not self.epochs.is_loaded:
                self.epochs.load(read.session)
            # Responses contain ages in days, and a retraction takes effect at the start of a day.
            is_same_day = day == self._last_poll.day
            keeps_others = is_same_day and not has_forked
            changes = changes_since(read, cached_seq, seq, MAX_CHANGES_PER_POLL) if keeps_others else None
            has_takedown = cached_seq < seq and bool(read.fetch_rows(_takedown_query(cached_seq, seq)))
        impacts = None if changes is None else [self._describe_change(change) for change in changes]
        return PollResult(
            seq,
            impacts,
            started_at,
            latest_seq,
            data_version,
            day,
            epoch,
            has_takedown,
            has_forked,
            float(purger_seconds or 0),
        )

    def poll_in_loop(self) -> None:
        """Poll in the event loop, which other requests wait for."""
        self.is_slow = True  # also if the poll fails
        result, seconds = self._timed_poll()
        self.apply(result)
        self.is_slow = seconds > SLOW_POLL_SECONDS

    async def poll_in_thread(self) -> None:
        """Poll in a thread, which may hang for as long as the database."""
        result, seconds = await asyncio.to_thread(self._timed_poll)
        self.apply(result)
        self.is_slow = seconds > SLOW_POLL_SECONDS

    def _timed_poll(self) -> tuple[PollResult | None, float]:
        """Return the result of a poll, and how many seconds it took."""
        started_at = time.monotonic()
        return self.poll(), time.monotonic() - started_at

    def apply(self, result: PollResult | None) -> None:
        """Evict the responses that the changes of a poll affect. Must run in the event loop."""
        if result is None or (result.seq < self.database.required_seq and not result.has_forked):
            return  # nothing has changed, or a takedown was met during the poll
        if result.has_forked:
            self.database.forget_states(result.seq)
        has_gone_back = result.seq < self.response_cache.seq  # the database was replaced or restored
        if result.has_forked or has_gone_back or result.has_takedown:
            self.database.caches.reset()
        if result.changes is None:
            self.response_cache.clear()
            self.response_cache.seq = result.seq
        else:
            self.response_cache.advance(result.seq, result.changes)
        self._last_poll, self._last_epoch = result, result.epoch
        self.purged_until = result.started_at + result.purger_seconds if result.purger_seconds > 0 else 0.0

    def forget_before(self, takedown: int) -> None:
        """Forget what was read before a takedown, and read no state before it. Must run in the event loop."""
        self.database.require(takedown)
        self.database.caches.reset()
        self.response_cache.clear()
        self.response_cache.seq = max(self.response_cache.seq, takedown)

    def may_store(self, oldest_seq: int | None) -> bool:
        """Return whether a response may be cached that has read `oldest_seq`, or nothing (None)."""
        return oldest_seq is None or oldest_seq >= self.database.required_seq

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _data_version(self) -> int:
        """Return the data version of SQLite, which differs after any other connection has committed."""
        if self._connection is None:
            self._connection = self.database.read_engine.raw_connection()
            self._connection.detach()
            # It is read in the event loop.
            self._connection.dbapi_connection.execute(f"PRAGMA busy_timeout={POLL_BUSY_MILLISECONDS}")
        version: int = self._connection.dbapi_connection.execute("PRAGMA data_version").fetchone()[0]
        return version
