"""A process that holds a lease: it looks at the primary database four times a second, and renews the lease in time.

See `app/database/leases.py`. The look is also what tells how old a state of the replica is (`PrimaryWatch`).
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from uuid_utils import uuid7

from app.database.engine import Database
from app.database.leases import Holder, LogPosition, RegisterHead, end_lease, read_head, renew_lease
from app.enums import LeaseKind
from app.logs import log_once

LOOK_SECONDS = 0.25
RETRY_SECONDS = 1.0
"""The pause before a database that is down is asked again."""

RENEWALS_PER_LEASE = 3

PROCESS_RENEWALS_PER_LEASE = 10
"""A failover may begin right before the next renewal: what is left of the lease then has to last for it."""

CLOSE_SECONDS = 1.0
"""How long closing waits for the thread, which hangs if the database does."""

Forget = Callable[[LogPosition], None]
"""Forgets every copy of what was read before a takedown, and lets nothing be read from before it, or raises."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A monotonic clock that goes on while the machine is suspended, where there is one."""


def read_clock() -> float:
    """Return the seconds of a clock that is never set, and does not stop."""
    return time.clock_gettime(_CLOCK)


class LeaseState(Protocol):
    """Whether a process may serve what it has read."""

    def is_held(self) -> bool:
        """Return whether what was read may be served at this moment."""


class LeaseKeeper:
    """Holds a lease in a thread of its own. Any thread may ask whether it is held."""

    def __init__(self, database: Database, seconds: float, forget: Forget) -> None:
        """Hold a lease for `seconds` at a time. `forget` is called, in the thread, before a takedown counts.

        It must return only when nothing from before the takedown can be served any more.
        """
        self._database = database
        name = f"{socket.gethostname()[:100]} {os.getpid()}"
        self._holder = Holder(str(uuid7()), LeaseKind.process, name, seconds)
        self._forget = forget
        self._engine = database.create_lease_engine()
        # On SQLite, each transaction of an engine that writes takes the lock of the file.
        self._look_engine = database.primary_read_engine if database.dialect == "sqlite" else self._engine
        self._acknowledged = LogPosition(0, 0)
        self._renew_at = 0.0
        self._held_until = 0.0
        self._stop = Event()
        self._wake = Event()
        self._thread: Thread | None = None

    def is_held(self) -> bool:
        """Return whether what was read may be served at this moment."""
        return read_clock() < self._held_until

    def start(self) -> None:
        """Get the lease, if the database answers, and keep it from now on. Blocks for some seconds if it does not."""
        if self._database.primary_watch is not None:
            self._database.primary_watch.is_fed = True
        self._try_to_keep()
        self._thread = Thread(target=self._run, daemon=True, name="lease")
        self._thread.start()

    def look_now(self) -> None:
        """Look at the database at once: this process has taken something down."""
        self._wake.set()

    def close(self) -> None:
        """Serve nothing any more, and end the lease, so that no takedown waits for it."""
        self._stop.set()
        self._wake.set()
        self._held_until = 0.0
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
            if not self._thread.is_alive():
                with suppress(SQLAlchemyError), self._open() as session, session.begin():
                    end_lease(session, self._holder.id)
        self._engine.dispose()

    def keep(self) -> None:
        """Look at the database once. Forget what was taken down, and renew the lease if it is time for that."""
        head = self._look()
        is_due = read_clock() >= self._renew_at
        if head.takedown > self._acknowledged:
            self._forget(head.takedown)
            self._acknowledged = head.takedown
            is_due = True
        if is_due:
            self._renew()

    def _renew(self) -> None:
        started_at = read_clock()
        with self._open() as session, session.begin():
            is_renewed = renew_lease(session, self._holder, self._acknowledged)
        # A takedown that was committed meanwhile may not have seen the renewal.
        if is_renewed and self._look().takedown <= self._acknowledged and not self._stop.is_set():
            self._held_until = started_at + self._holder.seconds
            self._renew_at = started_at + self._holder.seconds / PROCESS_RENEWALS_PER_LEASE

    def _look(self) -> RegisterHead:
        with Session(self._look_engine, autoflush=False) as session:
            head = read_head(session)
        if self._database.primary_watch is not None:
            self._database.primary_watch.note(head.latest.seq)
        return head

    def _open(self) -> Session:
        return Session(self._engine, autoflush=False)

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while not self._stop.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            if not self._stop.is_set():
                pause = LOOK_SECONDS if self._try_to_keep() else RETRY_SECONDS

    def _try_to_keep(self) -> bool:
        try:
            self.keep()
        except Exception as error:  # noqa: BLE001 - without the thread, the lease would end
            self._engine.dispose()
            log_once("the lease cannot be renewed: %s", error, error=error, cause="lease")
            return False
        return True
