"""The latest takedown, which ends the validity of every copy of content that was made before it."""

from app.database.engine import Database
from app.database.read_session import read_session
from app.database.tables import TAKEDOWN_CHANGE

_SELECT_LATEST = f"SELECT seq FROM change WHERE {TAKEDOWN_CHANGE.text} ORDER BY seq DESC LIMIT 1"  # noqa: S608 - a constant


def read_latest_takedown(database: Database) -> int:
    """Return the `seq` of the latest takedown, or 0 if there was none."""
    with read_session(database) as read:
        rows = read.fetch_rows(_SELECT_LATEST)
    return int(rows[0][0]) if rows else 0


def read_latest_takedown_of_primary(database: Database) -> int:
    """Return the same from the primary database, which a replica may lag behind."""
    with database.read_primary() as session:
        return session.connection().exec_driver_sql(_SELECT_LATEST).scalar() or 0


def read_change_time(database: Database, seq: int) -> str:
    """Return the time of a change as text; empty if there is no such change.

    It tells registers apart whose numbers are the same, such as those before and after a backup was restored.
    """
    with read_session(database) as read:
        rows = read.fetch_rows(f"SELECT at FROM change WHERE seq = {int(seq)}")  # noqa: S608 - an integer
    return str(rows[0][0]) if rows else ""
