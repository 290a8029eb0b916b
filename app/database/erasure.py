"""Erases deleted content from the files of a SQLite database: the full-text index and the write-ahead log.

SQLite overwrites deleted rows with zeros (`PRAGMA secure_delete`), but the segments of a full-text index contain the
words of deleted rows until they are merged (sqlite.org/fts5.html, section 6.8), and the write-ahead log contains old
pages until it is truncated. `user_version` of the file is the `seq` of the latest takedown whose content was erased.

On PostgreSQL, deleted rows stay in the files until `VACUUM FULL`, which `counterclaim vacuum` executes.
"""

from typing import Any

from sqlalchemy import Connection, func, select

from app.database.engine import Database
from app.database.tables import TAKEDOWN_CHANGE, VERSION_TABLES, Change, columns_of, table_of

FULL_TEXT_INDICES = ("claim_words", "citation_words")

PAGES_PER_MERGE = 500
"""Pages that one merge of a full-text index writes at least, in a transaction of its own."""


def erase_deleted_content(database: Database) -> bool:
    """Erase the content of all takedowns so far from the files of a SQLite database.

    Other writes can take place between the merges, and reads are not blocked.

    Returns:
        Whether everything is erased. If a reader keeps an old state open, the write-ahead log still contains it.
    """
    if database.dialect != "sqlite":
        return True
    with database.write_engine.connect() as connection:
        seq = _latest_takedown(connection)
        connection.rollback()
        for index in FULL_TEXT_INDICES:
            _merge_full_text_index(connection, index)
    if not _truncate_log(database):
        return False
    with database.write_engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA user_version = {seq}")
        connection.commit()
    return True


def is_erasure_pending(database: Database) -> bool:
    """Return whether the content of a takedown may still be in the files, because the process ended too early."""
    if database.dialect != "sqlite":
        return False
    with database.read_engine.connect() as connection:
        erased_until = connection.exec_driver_sql("PRAGMA user_version").scalar() or 0
        return _latest_takedown(connection) > erased_until


def vacuum(database: Database) -> None:
    """Rebuild the database files without the content of deleted rows. Other connections wait meanwhile."""
    if database.dialect == "sqlite":
        with database.write_engine.connect() as connection:
            for index in FULL_TEXT_INDICES:
                connection.exec_driver_sql(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")  # noqa: S608 - constants
            connection.commit()
        erase_deleted_content(database)
        _execute_outside_transaction(database, "VACUUM")
        _truncate_log(database)
        return
    others = ("change", "stored_answer", "imported_row", "claim_count", "publishing_import", "import_part")
    for table in (*(table_of(table).name for table in VERSION_TABLES.values()), *others):
        _execute_outside_transaction(database, f'VACUUM (FULL, ANALYZE) "{table}"')
    # The statistics of the planner have frequent values of each column. Their table keeps the rows that were replaced.
    _execute_outside_transaction(database, "VACUUM (FULL) pg_catalog.pg_statistic")


def _latest_takedown(connection: Connection) -> int:
    change = columns_of(Change)
    latest = select(func.max(change.seq)).where(TAKEDOWN_CHANGE)
    return connection.execute(latest).scalar() or 0


def _merge_full_text_index(connection: Connection, index: str) -> None:
    """Merge all segments of an index into one, in which no deleted word is left."""
    pages = -PAGES_PER_MERGE  # a negative number of pages begins a merge of all segments
    while True:
        before = _total_changes(connection)
        connection.exec_driver_sql(f"INSERT INTO {index} ({index}, rank) VALUES ('merge', {pages})")  # noqa: S608 - constants
        connection.commit()
        # A merge with nothing to do changes only the row of the command itself.
        if _total_changes(connection) - before < 2:  # noqa: PLR2004 - as sqlite.org/fts5.html, section 6.7, says
            return
        pages = PAGES_PER_MERGE


def _total_changes(connection: Connection) -> int:
    changes: int = connection.connection.driver_connection.total_changes  # type: ignore[union-attr] # a connection of sqlite3
    return changes


def _truncate_log(database: Database) -> bool:
    """Copy the write-ahead log into the database file and truncate it; return False if readers did not allow it.

    Waits for readers of earlier states, as long as a write waits for a lock.
    """
    ((is_blocked, _, _),) = _execute_outside_transaction(database, "PRAGMA wal_checkpoint(TRUNCATE)")
    return not is_blocked


def _execute_outside_transaction(database: Database, statement: str) -> list[Any]:
    connection = database.write_engine.raw_connection()
    driver: Any = connection.driver_connection
    try:
        if database.dialect == "postgresql":
            driver.autocommit = True
        cursor = driver.execute(statement)
        return list(cursor) if cursor.description else []
    finally:
        if database.dialect == "postgresql":
            driver.autocommit = False
        connection.close()
