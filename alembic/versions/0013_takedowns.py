"""Hashes of what was taken down, marks of removed documents, and an index of takedowns in the change log."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TAKEDOWN_CHANGE = sa.text("action = 'takedown'")


def upgrade() -> None:
    slug = sa.String(80).with_variant(postgresql.VARCHAR(80, collation="C"), "postgresql")
    op.create_table(
        "erased_key",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("record", slug, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erased_key")),
    )
    op.create_index(
        "ix_change_takedown", "change", ["seq"], sqlite_where=TAKEDOWN_CHANGE, postgresql_where=TAKEDOWN_CHANGE
    )

    op.add_column("document", sa.Column("removed", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("document", "removed")
    op.drop_index("ix_change_takedown", "change")
    op.drop_table("erased_key")
