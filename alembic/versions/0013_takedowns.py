"""Takedowns of sources: the hashes of their slugs. An index finds the takedowns in the change log."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

TAKEDOWN_CHANGE = sa.text("action = 'takedown'")


def upgrade() -> None:
    slug = sa.String(80).with_variant(postgresql.VARCHAR(80, collation="C"), "postgresql")
    op.create_table(
        "removed_slug",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("replacement", slug, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_removed_slug")),
    )
    op.create_index(
        "ix_change_takedown", "change", ["seq"], sqlite_where=TAKEDOWN_CHANGE, postgresql_where=TAKEDOWN_CHANGE
    )


def downgrade() -> None:
    op.drop_index("ix_change_takedown", "change")
    op.drop_table("removed_slug")
