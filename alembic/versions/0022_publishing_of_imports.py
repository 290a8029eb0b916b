"""Long imports are published in several transactions. Recorded imports were published in one, and have no steps."""

import sqlalchemy as sa

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.String(36).with_variant(sa.UUID(as_uuid=False), "postgresql")
SLUG = sa.String(80).with_variant(sa.String(80, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "import_step",
        sa.Column("import_id", ID, nullable=False),
        sa.Column("first_seq", BIG_INTEGER, nullable=False),
        sa.Column("last_seq", BIG_INTEGER, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "first_seq", name=op.f("pk_import_step")),
    )
    op.create_index("ix_import_step_first_seq", "import_step", ["first_seq"])
    op.create_table(
        "publishing_import",
        sa.Column("import_id", ID, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_begun", sa.Boolean(), nullable=False),
        sa.Column("series", SLUG, nullable=True),
        sa.Column("checked_seq", BIG_INTEGER, nullable=False),
        sa.Column("own_changes", BIG_INTEGER, nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.Column("left_out_outcomes", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_publishing_import")),
    )
    op.create_table(
        "import_part",
        sa.Column("import_id", ID, nullable=False),
        sa.Column("number", BIG_INTEGER, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_import_part")),
    )


def downgrade() -> None:
    op.drop_table("import_part")
    op.drop_table("publishing_import")
    op.drop_table("import_step")
