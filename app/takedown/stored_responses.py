"""Erases stored responses to writes (`Idempotency-Key`) that contain what a takedown erases."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select, update

from app.database.tables import PublishingImport, StoredAnswer, columns_of
from app.database.transaction import WriteTransaction
from app.http.idempotency import stored_path

RESPONSES_PER_FETCH = 100

IMPORT_RESPONSE = b'"dry_run":'
"""What only the responses to imports contain: they quote rows and the names of files."""


def clear_stored_responses(transaction: WriteTransaction, texts: Collection[str], *, slug: str | None = None) -> None:
    """Delete the bodies and headers of stored responses that contain one of `texts`. They are at most 24 hours old.

    A packed file may contain them unseen, and the response to an import may quote them, so all of those are deleted.

    Args:
        transaction: The transaction of the takedown.
        texts: What the takedown erases.
        slug: The slug that it erases, if any: also from the addresses of requests and responses.
    """
    _clear_responses_of_imports(transaction)
    needles = [text.encode() for text in texts]
    segment = None if slug is None else re.compile(rf"/{re.escape(slug)}(?![a-z0-9-])")
    columns = columns_of(StoredAnswer)
    statement = select(columns.actor, columns.path, columns.key, columns.body, columns.headers)
    rows = transaction.session.execute(statement.execution_options(yield_per=RESPONSES_PER_FETCH)).mappings()
    for row in [row for row in map(dict, rows) if _contains(row, needles, segment)]:
        is_same = (columns.actor == row["actor"], columns.path == row["path"], columns.key == row["key"])
        # Earlier releases stored the path as it is.
        values: dict[str, Any] = {"path": stored_path(row["path"]), "body": None, "headers": {}}
        transaction.session.execute(update(StoredAnswer).where(*is_same).values(values))


def _clear_responses_of_imports(transaction: WriteTransaction) -> None:
    """Delete the responses that are stored when an import is published that others may have begun."""
    columns = columns_of(PublishingImport)
    for import_id, answer in transaction.session.execute(select(columns.import_id, columns.answer)).all():
        if answer is not None:
            cleared = answer | {"body": None, "headers": {}}
            is_same = columns.import_id == import_id
            transaction.session.execute(update(PublishingImport).where(is_same).values(answer=cleared))


def _contains(row: Mapping[Any, Any], needles: Collection[bytes], segment: re.Pattern[str] | None) -> bool:
    """Return whether a stored response contains a text or a segment of an address, or may contain them."""
    body, headers = row["body"] or b"", row["headers"]
    addresses = f"{row['path']} {headers.get('location', '')}"
    return (
        (bool(body) and ("content-type" in headers or IMPORT_RESPONSE in body))
        or any(needle in body for needle in needles)
        or (segment is not None and segment.search(addresses) is not None)
    )
