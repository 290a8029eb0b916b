"""The claims of a category, a subject or a place by date: those are the pages that are asked for most."""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SHOWN = sa.text("until_seq IS NULL AND status <> 'removed'")


def upgrade() -> None:
    for name in ("subject", "place"):
        op.drop_index(f"ix_claim_{name}", "claim")
    for name in ("category", "subject", "place"):
        _create(f"ix_claim_{name}_date", [name, "date", "id"])


def downgrade() -> None:
    for name in ("category", "subject", "place"):
        op.drop_index(f"ix_claim_{name}_date", "claim")
    for name in ("subject", "place"):
        _create(f"ix_claim_{name}", [name])


def _create(name: str, columns: list[str]) -> None:
    op.create_index(name, "claim", columns, sqlite_where=SHOWN, postgresql_where=SHOWN)
