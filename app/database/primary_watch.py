"""A look at the primary database several times a second, by which it is known how old a state of the replica is.

Without it, a standby whose replay is paused would be read for as long as that lasts. Nothing is written for it.
"""

import time
from collections import deque
from threading import Event, Lock, Thread

from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError

from app.database.server_connection import autocommit_connection
from app.logs import log_once

INTERVAL_SECONDS = 0.25
RETRY_SECONDS = 1.0
"""The pause before a primary database that is down is asked again."""

AWAY_SECONDS = 2.0
"""The primary database is away if it was not seen for this long."""

KEPT_SECONDS = 3600.0
"""For how long it is known when the primary database reached a state."""

CLOSE_SECONDS = 1.0
"""How long closing waits for the thread, which hangs if the primary database does."""


class PrimaryWatch:
    """What the primary database had, and since when."""

    def __init__(self, dialect: Dialect, url: URL, most_lag: float) -> None:
        """Watch the database at `url`; `most_lag` is how old a state of the replica may be, in seconds."""
        self.most_lag = most_lag
        self.is_fed = False
        """Whether another thread looks at the primary database, and notes what it sees."""
        self._dialect = dialect
        self._url = url
        self._reached: deque[tuple[float, int]] = deque()
        """When the primary database was first seen in a state, and the `seq` of that, oldest first."""
        self._seen_at: float | None = None
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None

    @property
    def sees_primary(self) -> bool:
        """Whether the primary database answers. The thread starts with the first question."""
        self._start()
        return self._seen_at is not None and time.monotonic() - self._seen_at < AWAY_SECONDS

    def required_seq(self) -> int:
        """Return the least `seq` of a state that is not too old: what the primary database had `most_lag` ago."""
        limit = time.monotonic() - self.most_lag
        with self._lock:
            return next((seq for at, seq in reversed(self._reached) if at <= limit), 0)

    def lag_seconds(self, seq: int) -> float:
        """Return for how long the primary database has had a change that a state `seq` lacks; 0.0 if it lacks none."""
        lag = 0.0
        with self._lock:
            for at, reached in reversed(self._reached):
                if reached <= seq:
                    break
                lag = time.monotonic() - at
        return lag

    def note(self, seq: int) -> None:
        """Note that the primary database is at `seq`."""
        now = time.monotonic()
        self._seen_at = now
        with self._lock:
            if self._reached and seq < self._reached[-1][1]:
                self._reached.clear()  # it was restored, or replaced by a standby that was behind
            if not self._reached or seq > self._reached[-1][1]:
                self._reached.append((now, seq))
            while len(self._reached) > 1 and self._reached[1][0] < now - KEPT_SECONDS:
                self._reached.popleft()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        if self._thread is None and not self.is_fed and not self._stop.is_set():
            with self._lock:
                if self._thread is None:
                    self._thread = Thread(target=self._run, daemon=True, name="primary watch")
                    self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with autocommit_connection(self._dialect, self._url) as fetch_value:
                    while not self._stop.is_set():
                        self.note(int(fetch_value("SELECT seq FROM clock")))
                        self._stop.wait(INTERVAL_SECONDS)
            except Exception as error:  # noqa: BLE001 - without the thread, any state would do
                if not isinstance(error, DBAPIError):
                    log_once("the primary database cannot be watched: %s", error, error=error, cause="primary watch")
                self._stop.wait(RETRY_SECONDS)
