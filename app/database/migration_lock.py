"""A lock that lets several `counterclaim migrate` wait for one another."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.database.engine import Database
from app.database.server_settings import is_pooled

ADVISORY_LOCK = 7_283_518_402_611
"""The number of the lock on PostgreSQL; any number that no other program uses on the same database."""


class MigrationNeedsDirectConnection(Exception):
    """The lock of migrations belongs to a session of the server, which a pooler shares out."""


@contextmanager
def migration_lock(database: Database) -> Iterator[None]:
    """Hold the lock in the block: an advisory lock of PostgreSQL, or one of the folder of the file of SQLite.

    Raises:
        MigrationNeedsDirectConnection: There is a pooler such as PgBouncer in front of PostgreSQL.
    """
    if database.dialect == "postgresql":
        with database.write_engine.connect() as connection:
            if is_pooled(connection):
                raise MigrationNeedsDirectConnection
            connection.exec_driver_sql("SET lock_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
            connection.commit()  # the lock belongs to the session, and no transaction stays open meanwhile
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})")
                connection.commit()
                connection.invalidate()  # not back to the pool: its settings differ
        return
    folder = Path(str(database.url.database or ".")).absolute().parent
    if not folder.is_dir():
        yield  # SQLite says what is wrong
        return
    # Not of the file itself: closing it would release the locks that SQLite holds in this process.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
