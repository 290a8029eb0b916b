"""Copies a register to another database, from SQLite to PostgreSQL or back: `counterclaim copy`.

The tables are copied as the data package (`/v1/export`), and apart from it what a package never contains: API keys,
stored answers, hashes of what was taken down, epochs, and the steps of long imports.
"""

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from sqlalchemy import delete, func, insert, select

from app.database.engine import Database
from app.database.epochs import forget_timeline
from app.database.tables import (
    ApiKey,
    Change,
    EpochStart,
    ErasedKey,
    ImportStep,
    PublishingImport,
    StoredAnswer,
    table_of,
)
from app.errors import CopyFailed
from app.register.backup import RegisterMark, read_mark
from app.register.package import read_state, write_package
from app.register.restore import restore_package

PRIVATE_TABLES = (ApiKey, StoredAnswer, ErasedKey, EpochStart, ImportStep)

BATCH_ROWS = 500


def copy_register(source: Database, target: Database, title: str) -> RegisterMark:
    """Copy a register into an empty database, or complete a copy of the same state. Return what was copied.

    Each step is one transaction. An interrupted copy is completed by running it again.

    Raises:
        CopyFailed: The target contains another register or state, or the source changed meanwhile.
    """
    with source.read_primary() as session:
        mark = read_mark(session)
        if session.execute(select(table_of(PublishingImport).c.import_id)).first() is not None:
            raise CopyFailed("An import is being published. Wait until it is, and copy then.")
    with target.read_primary() as session:
        present = read_mark(session)
        is_empty = not session.execute(select(func.count()).select_from(table_of(Change))).scalar_one()
    if is_empty:
        _copy_package(source, target, title)
    elif (present.id, present.seq) != (mark.id, mark.seq):  # the epochs are copied below
        raise CopyFailed(
            f"The target contains seq {present.seq} of the register {present.id}, the source seq {mark.seq} of "
            f"{mark.id}. Copy into a new database, after `counterclaim migrate`."
        )
    for table in PRIVATE_TABLES:
        _copy_table(source, target, table_of(table))
    with target.write() as session:
        forget_timeline(session)
    with source.read_primary() as before, target.read_primary() as after:
        if read_mark(before) != read_mark(after):
            raise CopyFailed("The source was written to meanwhile. Stop the service, and copy into a new database.")
    return mark


def _copy_package(source: Database, target: Database, title: str) -> None:
    state = read_state(source, title, None)
    with NamedTemporaryFile(suffix=".zip") as file:
        for chunk in write_package(source, state):
            file.write(chunk)
        file.flush()
        restore_package(target, Path(file.name))


def _copy_table(source: Database, target: Database, table: Any) -> None:  # noqa: ANN401 - a table
    """Replace the rows of a table."""
    with source.read_primary() as read, target.write() as session:
        session.execute(delete(table))
        rows = read.execute(select(table).execution_options(yield_per=BATCH_ROWS)).mappings()
        for batch in rows.partitions(BATCH_ROWS):
            session.execute(insert(table), [dict(row) for row in batch])
