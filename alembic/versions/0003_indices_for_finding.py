"""Indices for finding: walks meet only claims that are shown, and every filter that can be rare has one."""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SHOWN = "until_seq IS NULL AND status <> 'removed'"
WALKED = {
    "ix_claim_date": ["date", "id"],
    "ix_claim_recorded": ["seq", "id"],
    "ix_claim_magnitude": ["magnitude", "id"],
    "ix_claim_topic_date": ["category", "subject", "place", "date", "id"],
    "ix_claim_source_date": ["source", "date", "id"],
}
"""These were there before, over all versions."""

ADDED = [
    ("ix_claim_past", "claim", ["until_seq"], "until_seq IS NOT NULL"),
    ("ix_claim_subject", "claim", ["subject"], SHOWN),
    ("ix_claim_place", "claim", ["place"], SHOWN),
    ("ix_claim_period_start", "claim", ["period_start"], SHOWN),
    ("ix_claim_period_end", "claim", ["period_end"], SHOWN),
    (
        "ix_claim_high",
        "claim",
        ["high"],
        f"{SHOWN} AND (high IS NULL OR high > magnitude) AND magnitude IS NOT NULL",
    ),
    ("ix_claim_low", "claim", ["low"], f"{SHOWN} AND (low IS NULL OR low < magnitude) AND magnitude IS NOT NULL"),
    ("ix_claim_kind", "claim", ["kind"], f"{SHOWN} AND kind NOT IN ('plain', 'approximate')"),
    ("ix_claim_modality", "claim", ["modality"], f"{SHOWN} AND modality NOT IN ('estimate', 'count')"),
    ("ix_claim_aggregation", "claim", ["aggregation"], f"{SHOWN} AND aggregation NOT IN ('cumulative', 'within')"),
    ("ix_claim_proposition", "claim", ["proposition"], f"{SHOWN} AND proposition <> 'quantity'"),
    ("ix_claim_status", "claim", ["status"], "until_seq IS NULL AND status <> 'asserted'"),
    ("ix_assessment_level", "assessment", ["level"], "until_seq IS NULL"),
    ("ix_assessment_reliability", "assessment", ["reliability"], "until_seq IS NULL"),
    ("ix_assessment_credibility", "assessment", ["credibility"], "until_seq IS NULL"),
    ("ix_change_vocabulary", "change", ["seq"], "kind IN ('source', 'category', 'subject', 'place', 'topic')"),
]


def upgrade() -> None:
    for name, columns in WALKED.items():
        op.drop_index(name, "claim")
        _create(name, "claim", columns, SHOWN)
    for each in ADDED:
        _create(*each)
    op.drop_index("ix_change_at", "change")
    op.create_index("ix_change_at", "change", ["at", "seq"])
    op.drop_index("ix_citation_claim_seq", "citation")
    op.create_index("ix_citation_claim_id", "citation", ["claim", "id"])


def downgrade() -> None:
    op.drop_index("ix_citation_claim_id", "citation")
    op.create_index("ix_citation_claim_seq", "citation", ["claim", "seq"])
    op.drop_index("ix_change_at", "change")
    op.create_index("ix_change_at", "change", ["at"])
    for name, table, *_ in reversed(ADDED):
        op.drop_index(name, table)
    for name, columns in WALKED.items():
        op.drop_index(name, "claim")
        op.create_index(name, "claim", columns)


def _create(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
