"""The claims of a category, a subject or a place by date: those are the pages that are asked for most."""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SHOWN = sa.text("until_seq IS NULL AND status <> 'removed'")
ANY = sa.text("seq > 0")
TIMELINE = ["category", "subject", "place", "source", "date", "id"]


def upgrade() -> None:
    for name in ("subject", "place"):
        op.drop_index(f"ix_claim_{name}", "claim")
    for name in ("category", "subject", "place"):
        _create(f"ix_claim_{name}_date", [name, "date", "id"])
    # PostgreSQL took it for the index of standpoints, which it cannot tell apart by what it knows of the columns.
    op.drop_index("ix_claim_timeline", "claim")
    op.create_index("ix_claim_timeline", "claim", TIMELINE, sqlite_where=ANY, postgresql_where=ANY)


def downgrade() -> None:
    op.drop_index("ix_claim_timeline", "claim")
    op.create_index("ix_claim_timeline", "claim", TIMELINE)
    for name in ("category", "subject", "place"):
        op.drop_index(f"ix_claim_{name}_date", "claim")
    for name in ("subject", "place"):
        _create(f"ix_claim_{name}", [name])


def _create(name: str, columns: list[str]) -> None:
    op.create_index(name, "claim", columns, sqlite_where=SHOWN, postgresql_where=SHOWN)
