"""The register has an id of its own, which is made here and never changes."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from uuid_utils import uuid7

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    register = op.create_table(
        "register",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("register_id", ID, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_register_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register")),
    )
    op.bulk_insert(register, [{"id": 1, "register_id": str(uuid7())}])


def downgrade() -> None:
    op.drop_table("register")
