"""The write-ahead log of SQLite, truncated when it has grown, also while reads overlap (decision 0063).

SQLite copies the log into the file after every thousand pages, but begins the log anew only if at that moment nobody
reads from it. If each read begins before the one before it ends, that moment never comes, and the log grows for ever.
A checkpoint that waits for the readers comes to an end: a read that begins after everything is copied does not use the
log.
"""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from app.logs import log_once

MAX_LOG_BYTES = 16_000_000
"""Size from which the log is truncated. It can be larger after one large transaction, or while a long read goes on."""

RETRY_BYTES = 4_000_000
"""After readers have not ended in time, the log is truncated when it has grown by this much, or by the next check."""

READER_WAIT_SECONDS = 0.5
"""How long truncating waits for readers. Other writes wait meanwhile, reads do not."""


BLOCKED_SECONDS = 30.0
"""After readers have not ended in time, the check waits so long: each attempt holds up the writers."""


class WriteLog:
    """The log of one database file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._path = Path(f"{file}-wal")
        self._next_bytes = MAX_LOG_BYTES
        self._blocked_at = -BLOCKED_SECONDS

    @property
    def size_bytes(self) -> int:
        """Return the size of the log, 0 if there is none."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def on_checkin(self, driver: Any, _record: Any) -> None:  # noqa: ANN401 - of SQLAlchemy's event
        """Truncate the log if it has grown, with the connection of a write that has ended."""
        if driver is not None and self.size_bytes >= self._next_bytes:
            self._truncate(driver)

    def truncate_if_large(self) -> None:
        """Truncate a log that is too large although nobody writes now. May run in any thread."""
        if self.size_bytes < MAX_LOG_BYTES or time.monotonic() < self._blocked_at + BLOCKED_SECONDS:
            return
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._file, isolation_level=None)) as connection:
            self._truncate(connection)

    def _truncate(self, driver: sqlite3.Connection) -> None:
        try:
            ((busy_milliseconds,),) = driver.execute("PRAGMA busy_timeout").fetchall()
            driver.execute(f"PRAGMA busy_timeout={READER_WAIT_SECONDS * 1000:.0f}")
            try:
                ((is_blocked, _, _),) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                driver.execute(f"PRAGMA busy_timeout={busy_milliseconds}")
        except sqlite3.Error as error:
            is_blocked = True
            log_once("the write-ahead log was not truncated: %s", error, error=error, cause="write-ahead log")
        self._next_bytes = self.size_bytes + RETRY_BYTES if is_blocked else MAX_LOG_BYTES
        if is_blocked:
            self._blocked_at = time.monotonic()
