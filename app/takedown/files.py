"""Erases the content of takedowns from the database files, again and again until no reader prevents it."""

import logging
from threading import Timer

from app.database.engine import Database
from app.database.erasure import erase_deleted_content

RETRY_SECONDS = 30

logger = logging.getLogger("counterclaim")


def erase_files(database: Database) -> None:
    """Erase what was taken down from the files. If a reader prevents it, log that and try again in the background."""
    if erase_deleted_content(database):
        return
    logger.warning("A reader keeps the write-ahead log open, which still contains what was taken down.")
    retry = Timer(RETRY_SECONDS, erase_files, (database,))
    retry.daemon = True
    retry.start()
