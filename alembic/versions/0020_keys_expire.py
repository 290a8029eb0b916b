"""API keys expire and know when they were last used. Stored answers belong to the name of a key."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.add_column("api_key", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_key", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    # Two keys of one name can have used the same Idempotency-Key: the first answer is kept.
    _replace_stored_answers(
        sa.String(80),
        "SELECT k.name, a.path, a.key, a.digest, a.at, a.status, a.headers, a.body, a.claim FROM stored_answer AS a "
        "JOIN api_key AS k ON k.id = a.actor WHERE NOT EXISTS (SELECT 1 FROM stored_answer AS b "
        "JOIN api_key AS j ON j.id = b.actor WHERE j.name = k.name AND b.path = a.path AND b.key = a.key "
        "AND (b.at < a.at OR (b.at = a.at AND j.id < k.id)))",
    )


def downgrade() -> None:
    _replace_stored_answers(
        ID,
        "SELECT k.id, a.path, a.key, a.digest, a.at, a.status, a.headers, a.body, a.claim FROM stored_answer AS a "
        "JOIN api_key AS k ON k.name = a.actor "
        "AND k.id = (SELECT j.id FROM api_key AS j WHERE j.name = a.actor ORDER BY j.created_at, j.id LIMIT 1)",
    )
    for name in ("last_used_at", "expires_at"):
        op.drop_column("api_key", name)


def _replace_stored_answers(actor: sa.types.TypeEngine[str], rows: str) -> None:
    """Create the table anew with another type of `actor`, filled with `rows`."""
    op.create_table(
        "stored_answer_new",
        sa.Column("actor", actor, nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("claim", ID, nullable=True),
        sa.PrimaryKeyConstraint("actor", "path", "key", name="pk_stored_answer_new"),
    )
    op.execute(f"INSERT INTO stored_answer_new {rows}")
    op.drop_table("stored_answer")
    op.rename_table("stored_answer_new", "stored_answer")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_stored_answer_new RENAME TO pk_stored_answer")
    op.create_index("ix_stored_answer_at", "stored_answer", ["at"])
    op.create_index("ix_stored_answer_claim", "stored_answer", ["claim"])
