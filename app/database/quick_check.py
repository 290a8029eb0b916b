"""The check of an SQLite file at the start of the service and every night, in one child process for all workers.

The child has the lowest priority, and imports nothing of the application. Damage that it finds is recorded for all
processes (`DamageRecord`).
"""

import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from threading import Thread

from app.database.damage import DamageRecord
from app.logs import logger

START_DELAY_SECONDS = 5.0
"""How long after the start of the service the first check begins."""

POLL_SECONDS = 1.0
"""How often a single process looks whether a check is due or has ended."""

NIGHTLY_HOUR = 3
"""The hour of local time at which the file is checked every night."""

PROGRAM = """
import os, sqlite3, sys
from pathlib import Path
os.nice(19)
try:
    connection = sqlite3.connect(Path(sys.argv[1]).absolute().as_uri() + "?mode=ro", uri=True, timeout=60)
    rows = [text for (text,) in connection.execute("PRAGMA quick_check(3)")]
except sqlite3.DatabaseError as error:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        raise
    rows = [str(error)]
print("; ".join(" ".join(text.split()) for text in rows))
"""


def run_quick_check(path: str) -> str | None:
    """Check an SQLite file in a child process; return what is damaged, or None. Raises `OSError` if it cannot run."""
    return _read_result(_start_quick_check(path))


def _start_quick_check(path: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this program
        [sys.executable, "-I", "-S", "-c", PROGRAM, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_result(child: subprocess.Popen[str]) -> str | None:
    """Wait for the end of a check; return what is damaged, or None. Raises `OSError` if it has failed."""
    output, errors = child.communicate()
    if child.returncode:
        raise OSError(errors.strip().splitlines()[-1] if errors.strip() else "the check failed")
    found = output.strip()
    return None if found == "ok" else found


class NightlyCheck:
    """Checks an SQLite file soon, and every night, without a thread: whoever has it calls `poll` now and then."""

    def __init__(self, path: str, record: DamageRecord) -> None:
        self._path = path
        self._name = os.path.basename(path)  # noqa: PTH119 - of a text
        self._record = record
        self._child: subprocess.Popen[str] | None = None
        self._next_at = time.monotonic() + START_DELAY_SECONDS

    def poll(self) -> None:
        """Start a check that is due, or record the damage that one which has ended has found."""
        try:
            if self._child is not None and self._child.poll() is not None:
                child, self._child = self._child, None
                self._record_result(_read_result(child))
            elif self._child is None and time.monotonic() >= self._next_at:
                self._next_at = time.monotonic() + seconds_until_night(datetime.now().astimezone())
                self._child = _start_quick_check(self._path)
        except OSError as error:
            logger.warning("the check of %s could not run: %s", self._name, error)

    def _record_result(self, damage: str | None) -> None:
        if damage is None:
            logger.info("quick_check of %s found no damage", self._path)
            return
        logger.error("the database file %s is damaged: %s", self._path, damage)
        self._record.write(f"The database file {self._name} is damaged: {damage}.")


def start_nightly_check(check: NightlyCheck) -> None:
    """Poll a check in a thread, as long as this process runs."""

    def run() -> None:
        while True:
            time.sleep(POLL_SECONDS)
            check.poll()

    Thread(target=run, daemon=True, name="quick_check").start()


def seconds_until_night(now: datetime) -> float:
    """Return the time from `now` until the next nightly check."""
    night = now.replace(hour=NIGHTLY_HOUR, minute=0, second=0, microsecond=0)
    return ((night if night > now else night + timedelta(days=1)) - now).total_seconds()
