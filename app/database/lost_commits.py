"""Finds out whether a transaction is recorded whose commit was sent to PostgreSQL, and whose answer was lost.

A transaction leaves a random mark under its last `seq`. After a lost answer, another connection locks the clock row.
The lost transaction has then ended, and its mark is there if it was committed. If a standby was promoted meanwhile, it
may be recorded on the server that is gone: its outcome stays unknown.
"""

import time
from enum import Enum, auto

from sqlalchemy.exc import DBAPIError

from app.database.engine import Database
from app.database.server_connection import server_connection
from app.errors import OutcomeUnknown, Unavailable

RETRY_SECONDS = 0.1
"""The pause before the server is asked again, if it cannot be reached."""

LOCK_CLOCK = "SELECT seq, at, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM clock FOR UPDATE"
"""Locks the clock row of PostgreSQL, and reads it with the timeline of the server, in hexadecimal digits."""

SELECT_MARK = "SELECT mark FROM commit_mark WHERE seq = %s"


class CommitOutcome(Enum):
    """What is known about a transaction."""

    recorded = auto()
    not_recorded = auto()
    unknown = auto()


def find_outcome(database: Database, seq: int, mark: int, timeline: str) -> CommitOutcome:
    """Return whether a transaction is recorded whose commit was not answered. The search ends after a deadline.

    Args:
        database: The database.
        seq: The last `seq` of the transaction.
        mark: The mark that it left under its `seq`.
        timeline: The timeline of the server on which it began.
    """
    expires_at = time.monotonic() + database.timeouts.deadline
    while (seconds := expires_at - time.monotonic()) > RETRY_SECONDS:
        timeouts = {"lock_timeout": f"{seconds * 1000:.0f}", "statement_timeout": f"{seconds * 1000:.0f}"}
        try:
            with server_connection(database.write_engine.dialect, database.url, timeouts, seconds) as driver:
                _seq, _at, timeline_now = driver.execute(LOCK_CLOCK).fetchone()
                if driver.execute(SELECT_MARK, [seq]).fetchone() == (mark,):
                    driver.commit()  # waits for a synchronous standby, as the lost transaction may not have done
                    return CommitOutcome.recorded
                return CommitOutcome.not_recorded if timeline_now == timeline else CommitOutcome.unknown
        except DBAPIError:
            time.sleep(RETRY_SECONDS)
    return CommitOutcome.unknown


def not_recorded() -> Unavailable:
    """Return the problem of a write that the database has not recorded, and will not."""
    detail = "The database did not take the write in time. Nothing was recorded."
    return Unavailable(detail, hint="send the request again", headers={"Retry-After": "2"})


def outcome_unknown() -> OutcomeUnknown:
    """Return the problem of a write that may be recorded, or not."""
    detail = "The database has not confirmed the write in time. It may be recorded, or not."
    hint = "send the same request again with the same Idempotency-Key: it is recorded once, and gets the first answer"
    return OutcomeUnknown(detail, hint=hint, headers={"Retry-After": "5"})
