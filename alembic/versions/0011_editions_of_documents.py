"""An address has many documents, its editions; a citation may be marked as the leading one of its claim."""

import hashlib

import orjson
import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STANDING = sa.text("until_seq IS NULL")
PAST = sa.text("until_seq IS NOT NULL")
MARKED = sa.text("until_seq IS NULL AND marked")
ROWS_PER_BATCH = 5_000


def upgrade() -> None:
    op.add_column("document", sa.Column("edition", sa.String(64), nullable=True))
    _fill_editions()
    op.drop_index("uq_document_standing_url", "document")
    op.create_index(
        "uq_document_standing_edition",
        "document",
        ["edition"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
    op.create_index(
        "ix_document_url", "document", ["url", "published_on"], sqlite_where=STANDING, postgresql_where=STANDING
    )
    op.create_index("ix_document_past_url", "document", ["url"], sqlite_where=PAST, postgresql_where=PAST)
    op.add_column("citation", sa.Column("marked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "uq_citation_marked", "citation", ["claim"], unique=True, sqlite_where=MARKED, postgresql_where=MARKED
    )


def downgrade() -> None:
    connection = op.get_bind()
    shared = "SELECT 1 FROM document WHERE until_seq IS NULL AND url IS NOT NULL GROUP BY url HAVING count(*) > 1"
    if connection.execute(sa.text(f"{shared} LIMIT 1")).first():
        raise RuntimeError("several documents of one address cannot be stored in the schema before 0011")
    op.drop_index("uq_citation_marked", "citation")
    op.drop_column("citation", "marked")
    op.drop_index("ix_document_past_url", "document")
    op.drop_index("ix_document_url", "document")
    op.drop_index("uq_document_standing_edition", "document")
    op.create_index(
        "uq_document_standing_url",
        "document",
        ["url"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
    op.drop_column("document", "edition")


def _fill_editions() -> None:
    """Fill in the keys as the code does. A later change of them needs a migration that fills them again."""
    connection = op.get_bind()
    names = ("version", "url", "title", "published_on", "archive_url", "edition")
    document = sa.table("document", *(sa.column(name) for name in names))
    columns = [document.c[name] for name in names[:-1]]
    select = sa.select(*columns).where(document.c.url.is_not(None)).order_by(document.c.version).limit(ROWS_PER_BATCH)
    update = (
        sa.update(document).where(document.c.version == sa.bindparam("row_version")).values(edition=sa.bindparam("key"))
    )
    last = 0
    while rows := connection.execute(select.where(document.c.version > last)).all():
        last = rows[-1].version
        connection.execute(update, [{"row_version": row.version, "key": _edition_key(row)} for row in rows])


def _edition_key(row: sa.Row[tuple[int, str, str, object, str]]) -> str:
    day = None if row.published_on is None else str(row.published_on)
    title = row.title if day is None and row.archive_url is None else None
    return hashlib.sha256(orjson.dumps([row.url, day, row.archive_url, title])).hexdigest()
