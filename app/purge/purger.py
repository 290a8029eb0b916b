"""The purger of a shared cache: it follows the change log, purges what has changed, and holds a lease meanwhile.

A takedown waits for the lease (see `app/database/leases.py`), which the purger renews only when the cache has confirmed
that everything up to the takedown is purged. It tells the cache until when it holds the lease, by the clock of the
cache: if the purger stops or is frozen, the cache no longer relies on purges when the lease has ended.
"""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

from sqlalchemy.exc import SQLAlchemyError
from uuid_utils import uuid7

from app.cache.scope import REGISTER_KEY
from app.database.engine import Database
from app.database.lease_keeper import RENEWALS_PER_LEASE, read_clock
from app.database.leases import Holder, LogPosition, RegisterHead, end_lease, read_head, renew_lease
from app.database.read_session import ReadSession, read_session
from app.enums import LeaseKind
from app.errors import PurgeFailed
from app.logs import log_once
from app.purge.cache_client import CacheAnswer, CacheClient, format_known
from app.purge.keys import find_changed_keys

LOOK_SECONDS = 0.1
"""The time between two looks at the change log."""

RETRY_SECONDS = 1.0
"""The pause after the database or the cache has failed."""

CONTACT_SECONDS = 1.0
"""The longest time between two requests to the cache: it may have been restarted."""

DAY_SECONDS = 86_400

LATE_SECONDS = 5.0
"""How long after the start of a day a response can arrive that was made before it."""


class Purger:
    """Purges one cache, in the thread that calls `run`."""

    def __init__(self, database: Database, cache: CacheClient, lease_seconds: float) -> None:
        """Purge `cache` of what changes in `database`, with leases of `lease_seconds`."""
        self._database = database
        self._cache = cache
        name = f"{socket.gethostname()[:60]} {os.getpid()} purges {cache.url}"[:200]
        self._holder = Holder(str(uuid7()), LeaseKind.purger, name, lease_seconds)
        self._purged: LogPosition | None = None
        """The latest change whose purge the cache has confirmed; None: it has to be purged of everything."""
        self._acknowledged = LogPosition(0, 0)
        self._days: tuple[int, ...] = ()
        self._cache_ahead = 0.0
        """By how many seconds the clock of the cache is at least ahead of `read_clock`."""
        self._contact_at = 0.0
        self._renew_at = 0.0
        self._held_until = 0.0

    def start(self) -> None:
        """Purge the cache of everything, and get the lease. Raises `PurgeFailed` if the cache cannot be purged."""
        self.keep()

    def run(self, stop: Event) -> None:
        """Purge the cache until `stop` is set. Goes on when the database or the cache fails."""
        pause = LOOK_SECONDS
        while not stop.wait(pause):
            pause = LOOK_SECONDS
            try:
                self.keep()
            except (PurgeFailed, SQLAlchemyError) as error:
                log_once("the cache is not purged: %s", error, error=error, cause="purge")
                pause = RETRY_SECONDS
        self.close()

    def keep(self) -> None:
        """Purge what has changed, and renew the lease if it is time for that."""
        head = self._purge_changes()
        if read_clock() >= self._renew_at or head.takedown > self._acknowledged:
            self._renew(head.takedown)

    def close(self) -> None:
        """Tell the cache that it is no longer purged, and end the lease. The lease ends by itself if that fails."""
        with suppress(PurgeFailed, SQLAlchemyError):
            if self._purged is not None:
                self._cache.purge(self._purged, (), until=0)
            with self._database.write() as session:
                end_lease(session, self._holder.id)
        self._cache.close()

    def _purge_changes(self) -> RegisterHead:
        days = tuple(int((time.time() - late) // DAY_SECONDS) for late in (0, LATE_SECONDS))
        with read_session(self._database) as read:
            head = read_head(read.session)
            position, keys = self._find_changes(read, head.latest.epoch)
        if days != self._days:  # responses contain ages in days
            keys = [REGISTER_KEY]
        if keys or position != self._purged or read_clock() - self._contact_at > CONTACT_SECONDS:
            self._send(position, keys)
            self._days = days
        return head

    def _find_changes(self, read: ReadSession, epoch: int) -> tuple[LogPosition, Sequence[str]]:
        """Return the latest change, and the keys of what has changed since the last purge."""
        snapshot = read.snapshot()
        position = LogPosition(epoch, snapshot.latest_seq)
        if self._purged is None or self._purged.epoch != epoch or position < self._purged:
            return position, [REGISTER_KEY]
        return position, find_changed_keys(read, self._purged.seq, snapshot)

    def _send(self, position: LogPosition, keys: Sequence[str]) -> None:
        """Purge `keys`, or everything if the cache is not in the state that this purger has left it in."""
        if self._purged is None:
            self._note_clock(self._cache.read_state())
        until = self._held_until + self._cache_ahead if self._held_until else 0.0
        answer = self._cache.purge(position, keys, until)
        is_continued = self._purged is not None and answer.known == format_known(self._purged)
        if not is_continued and list(keys) != [REGISTER_KEY]:  # it was restarted, or has another purger
            answer = self._cache.purge(position, [REGISTER_KEY], until)
        self._note_clock(answer)
        self._purged, self._contact_at = position, answer.received_at

    def _note_clock(self, answer: CacheAnswer) -> None:
        self._cache_ahead = answer.clock - answer.received_at

    def _renew(self, takedown: LogPosition) -> None:
        started_at = read_clock()
        with self._database.write() as session:
            is_renewed = renew_lease(session, self._holder, takedown)
        self._acknowledged = takedown
        with read_session(self._database) as read:
            latest = read_head(read.session).takedown
        # A takedown that was committed meanwhile may not have seen the renewal.
        if is_renewed and latest <= takedown and self._purged is not None:
            self._held_until = started_at + self._holder.seconds
            self._renew_at = started_at + self._holder.seconds / RENEWALS_PER_LEASE
            self._send(self._purged, ())
