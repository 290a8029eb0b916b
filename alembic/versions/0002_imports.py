"""Imports: each run that changed the register, and what every row of a series said."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[str]:
    return sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.VARCHAR(length, collation="C"), "postgresql")


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "import",
        sa.Column("version", _big(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", _big(), nullable=False),
        sa.Column("until_seq", _big(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", _id(), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("mapping", sa.String(80), nullable=False),
        sa.Column("series", _text(80), nullable=True),
        sa.Column("vintage", sa.Date(), nullable=True),
        sa.Column("files", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("smell_counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("smells", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_import")),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_import_seq_change")),
        sa.ForeignKeyConstraint(["until_seq"], ["change.seq"], name=op.f("fk_import_until_seq_change")),
    )
    op.create_index(op.f("ix_import_seq"), "import", ["seq"])
    op.create_index("ix_import_id_seq", "import", ["id", "seq"])
    op.create_index(
        "uq_import_standing",
        "import",
        ["id"],
        unique=True,
        sqlite_where=sa.text("until_seq IS NULL"),
        postgresql_where=sa.text("until_seq IS NULL"),
    )
    op.create_table(
        "imported_row",
        sa.Column("series", _text(80), nullable=False),
        sa.Column("key", _text(300), nullable=False),
        sa.Column("print", sa.String(64), nullable=False),
        sa.Column("written", sa.String(64), nullable=False),
        sa.Column("claim", _id(), nullable=False),
        sa.Column("vintage", sa.Date(), nullable=False),
        sa.Column("seq", _big(), nullable=False),
        sa.PrimaryKeyConstraint("series", "key", "print", name=op.f("pk_imported_row")),
        sa.ForeignKeyConstraint(["seq"], ["change.seq"], name=op.f("fk_imported_row_seq_change")),
    )
    op.create_index(op.f("ix_imported_row_seq"), "imported_row", ["seq"])
    # Added in place: rebuilding the table would lose the triggers of its full-text index on SQLite.
    op.add_column("claim", sa.Column("import_id", _id(), nullable=True))


def downgrade() -> None:
    op.drop_column("claim", "import_id")
    op.drop_table("imported_row")
    op.drop_table("import")
