"""Erases stored responses to writes (`Idempotency-Key`) that contain what a takedown erases."""

from collections.abc import Collection

from sqlalchemy import select, update

from app.database.tables import StoredAnswer, columns_of
from app.database.transaction import WriteTransaction

RESPONSES_PER_FETCH = 100


def clear_stored_responses(transaction: WriteTransaction, texts: Collection[str]) -> None:
    """Delete the bodies of stored responses that contain one of `texts`. They are at most 24 hours old.

    A packed file may contain them unseen, so the bodies of all files are deleted.
    """
    needles = [text.encode() for text in texts]
    columns = columns_of(StoredAnswer)
    statement = select(columns.actor, columns.path, columns.key, columns.body, columns.headers).where(
        columns.body.is_not(None)
    )
    rows = transaction.session.execute(statement.execution_options(yield_per=RESPONSES_PER_FETCH))
    affected = [
        row[:3] for row in rows if "content-type" in row.headers or any(needle in row.body for needle in needles)
    ]
    for actor, path, key in affected:
        is_same = (columns.actor == actor, columns.path == path, columns.key == key)
        transaction.session.execute(update(StoredAnswer).where(*is_same).values(body=None))
