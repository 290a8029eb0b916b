"""The language of figures, why their numbers differ from their wording, and categories with fractions."""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("claim", sa.Column("language", sa.String(35), nullable=True))
    op.add_column("claim", sa.Column("wording_differs", sa.Text(), nullable=True))
    with op.batch_alter_table("category") as table:
        table.add_column(sa.Column("fractional", sa.Boolean(), nullable=False, server_default=sa.false()))
    # The default was only for the rows that were there.
    with op.batch_alter_table("category") as table:
        table.alter_column("fractional", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("category") as table:
        table.drop_column("fractional")
    op.drop_column("claim", "wording_differs")
    op.drop_column("claim", "language")
