"""All assessments by level and claim: a page of claims by confidence is an index scan, also of a past state."""

import sqlalchemy as sa

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CURRENT_VERSION = sa.text("until_seq IS NULL")


def upgrade() -> None:
    op.drop_index("ix_assessment_level", "assessment")
    op.create_index("ix_assessment_level", "assessment", ["level", "claim", "until_seq"])


def downgrade() -> None:
    op.drop_index("ix_assessment_level", "assessment")
    op.create_index(
        "ix_assessment_level",
        "assessment",
        ["level"],
        sqlite_where=CURRENT_VERSION,
        postgresql_where=CURRENT_VERSION,
    )
