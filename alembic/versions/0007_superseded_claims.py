"""The claims that a relation supersedes leads to, by an index: they are few among all relations."""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SUPERSEDES = sa.text("until_seq IS NULL AND type = 'supersedes'")


def upgrade() -> None:
    op.create_index(
        "ix_relation_supersedes", "relation", ["to_claim"], sqlite_where=SUPERSEDES, postgresql_where=SUPERSEDES
    )


def downgrade() -> None:
    op.drop_index("ix_relation_supersedes", "relation")
