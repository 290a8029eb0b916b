"""The check of an SQLite file at the start of the service and every night, in one child process for all workers.

The child has the lowest priority, and imports nothing of the application. Damage that it finds is recorded for all
processes (`DamageRecord`).
"""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from threading import Event, Thread

from app.database.damage import DamageRecord
from app.logs import logger

START_DELAY_SECONDS = 5.0
"""How long after the start of the service the first check begins."""

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
    child = subprocess.run(  # noqa: S603 - this program
        [sys.executable, "-I", "-S", "-c", PROGRAM, path], capture_output=True, text=True, check=False
    )
    if child.returncode:
        raise OSError(child.stderr.strip().splitlines()[-1] if child.stderr.strip() else "the check failed")
    found = child.stdout.strip()
    return None if found == "ok" else found


def check_file(path: str, record: DamageRecord) -> None:
    """Check an SQLite file, and record what is damaged."""
    try:
        damage = run_quick_check(path)
    except OSError as error:
        logger.warning("the check of %s could not run: %s", os.path.basename(path), error)  # noqa: PTH119 - of a text
        return
    if damage is None:
        logger.info("quick_check of %s found no damage", path)
        return
    logger.error("the database file %s is damaged: %s", path, damage)
    record.write(f"The database file {os.path.basename(path)} is damaged: {damage}.")  # noqa: PTH119 - as above


def start_nightly_check(path: str, record: DamageRecord) -> Event:
    """Check an SQLite file soon, and every night. Set the event that is returned to end that."""
    stop = Event()

    def run() -> None:
        seconds = START_DELAY_SECONDS
        while not stop.wait(seconds):
            check_file(path, record)
            seconds = seconds_until_night(datetime.now().astimezone())

    Thread(target=run, daemon=True, name="quick_check").start()
    return stop


def seconds_until_night(now: datetime) -> float:
    """Return the time from `now` until the next nightly check."""
    night = now.replace(hour=NIGHTLY_HOUR, minute=0, second=0, microsecond=0)
    return ((night if night > now else night + timedelta(days=1)) - now).total_seconds()
