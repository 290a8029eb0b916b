"""The address of a document as it is compared, beside its URL as it was given."""

from typing import Any

import sqlalchemy as sa

from alembic import op
from app.sources.addresses import normalize_address
from app.sources.editions import edition_key

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STANDING = sa.text("until_seq IS NULL")
PAST = sa.text("until_seq IS NOT NULL")
ROWS_PER_BATCH = 5_000
PARTS = ("version", "url", "title", "published_on", "archive_url", "until_seq")


def upgrade() -> None:
    op.add_column("document", sa.Column("address", sa.Text(), nullable=True))
    op.execute("UPDATE document SET address = url")
    _normalize_addresses()
    op.drop_index("ix_document_past_url", "document")
    op.drop_index("ix_document_url", "document")
    _create_indexes("address")


def downgrade() -> None:
    _set_editions_of_urls()
    op.drop_index("ix_document_past_address", "document")
    op.drop_index("ix_document_address", "document")
    op.drop_column("document", "address")
    _create_indexes("url")


def _create_indexes(column: str) -> None:
    op.create_index(
        f"ix_document_{column}",
        "document",
        [column, "published_on"],
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
    op.create_index(f"ix_document_past_{column}", "document", [column], sqlite_where=PAST, postgresql_where=PAST)


def _normalize_addresses() -> None:
    """Normalize the addresses that differ from their URL, with the keys of their editions.

    Where two recorded documents would be one edition, the first keeps it, and the others keep their URL as address.
    """
    for row in _rows():
        address = normalize_address(row.url)
        key = _key(row, address)
        if address != row.url and not (row.until_seq is None and _is_taken(key)):
            _update(row.version, address=address, edition=key)


def _set_editions_of_urls() -> None:
    for row in _rows():
        if normalize_address(row.url) != row.url:
            _update(row.version, edition=_key(row, row.url))


def _rows() -> Any:
    document = sa.table("document", *(sa.column(name) for name in PARTS))
    select = sa.select(*(document.c[name] for name in PARTS)).where(document.c.url.is_not(None))
    last = 0
    while (
        rows := op.get_bind()
        .execute(select.where(document.c.version > last).order_by(document.c.version).limit(ROWS_PER_BATCH))
        .all()
    ):
        yield from rows
        last = rows[-1].version


def _key(row: sa.Row[Any], address: str) -> str:
    day = None if row.published_on is None else str(row.published_on)
    parts = {"url": row.url, "title": row.title, "published_on": day, "archive_url": row.archive_url}
    return str(edition_key({**parts, "address": address}))


def _is_taken(key: str) -> bool:
    taken = sa.text("SELECT 1 FROM document WHERE edition = :key AND until_seq IS NULL")
    return op.get_bind().execute(taken, {"key": key}).first() is not None


def _update(version: int, **values: str) -> None:
    names = ", ".join(f"{name} = :{name}" for name in values)
    statement = sa.text(f"UPDATE document SET {names} WHERE version = :version")
    op.get_bind().execute(statement, {**values, "version": version})
