"""Leases: processes, purgers and mirrors for which a takedown waits, and the role of keys that hold them over HTTP."""

import sqlalchemy as sa

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.String(36).with_variant(sa.UUID(as_uuid=False), "postgresql")

ROLES = ("contributor", "editor", "admin")
KINDS = ("process", "purger", "mirror")


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("id", ID, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(*KINDS, name="kind", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("key", ID, nullable=True),
        sa.Column("seconds", sa.Float(precision=53), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("acknowledged", BIG_INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease")),
    )
    op.create_table(
        "lease_server",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("server", sa.String(80), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_lease_server_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease_server")),
    )
    _allow_roles((*ROLES, "mirror"))


def downgrade() -> None:
    op.execute("DELETE FROM api_key WHERE role = 'mirror'")
    _allow_roles(ROLES)
    op.drop_table("lease_server")
    op.drop_table("lease")


def _allow_roles(roles: tuple[str, ...]) -> None:
    """Let an API key have one of `roles`."""
    with op.batch_alter_table("api_key") as table:
        table.drop_constraint(op.f("ck_api_key_role"), type_="check")
        table.create_check_constraint(op.f("ck_api_key_role"), f"role IN ({', '.join(map(repr, roles))})")
