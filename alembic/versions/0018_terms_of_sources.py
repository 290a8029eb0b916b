"""Sources have terms of use."""

import sqlalchemy as sa

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source", sa.Column("terms", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("source", "terms")
