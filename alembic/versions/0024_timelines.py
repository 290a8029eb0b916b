"""A new epoch begins by itself when a standby of PostgreSQL was promoted."""

import sqlalchemy as sa

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("epoch", sa.Column("timeline", sa.String(8), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("epoch") as batch:
        batch.drop_column("timeline")
