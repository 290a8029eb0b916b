"""Standpoints lead to the latest claims of each line without a look at the ones before; timelines are walked."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INDICES = ("ix_claim_undated", "ix_claim_timeline", "ix_claim_standpoint")


def upgrade() -> None:
    # Added in place: rebuilding the table would lose the triggers of its full-text index on SQLite.
    line = sa.String(180).with_variant(sa.VARCHAR(180, collation="C"), "postgresql")
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("claim", sa.Column("standpoint", line, nullable=True))
    op.add_column("claim", sa.Column("recency", number, nullable=True))
    _fill()
    standing, undated = sa.text("until_seq IS NULL"), sa.text("date IS NULL")
    question = ["category", "subject", "place"]
    op.create_index(
        "ix_claim_standpoint",
        "claim",
        [*question, "standpoint", "recency", "period_start"],
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_index("ix_claim_timeline", "claim", [*question, "source", "date", "id"])
    op.create_index(
        "ix_claim_undated",
        "claim",
        [*question, "source", "id"],
        sqlite_where=undated,
        postgresql_where=undated,
    )


def downgrade() -> None:
    for name in INDICES:
        op.drop_index(name, "claim")
    op.drop_column("claim", "recency")
    op.drop_column("claim", "standpoint")


def _fill() -> None:
    """The columns of the claims that are there, as `app/standpoints.py` derived them when this was written."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        end, said = (f"COALESCE(to_char({day}, 'YYYYMMDD')::bigint, 0)" for day in ("period_end", "date"))
    else:
        end, said = (f"COALESCE(CAST(REPLACE({day}, '-', '') AS INTEGER), 0)" for day in ("period_end", "date"))
    op.execute(
        f"""
        UPDATE claim SET
            recency = {end} * 100000000 + {said},
            standpoint = source || ' ' || aggregation
                || CASE WHEN modality = 'forecast' THEN ' forecast' ELSE '' END
                || CASE WHEN period_end IS NULL THEN ' open' WHEN period_end > date THEN ' ahead' ELSE '' END
                || CASE WHEN status = 'retracted' THEN ' retracted' WHEN kind = 'none' THEN ' none' ELSE '' END
        WHERE status <> 'removed'
        """
    )
    scoped = sa.text(
        "SELECT version, includes, excludes, relative_to, source, aggregation, modality, standpoint FROM claim"
        " WHERE status <> 'removed' AND (CAST(includes AS TEXT) <> '[]' OR CAST(excludes AS TEXT) <> '[]'"
        " OR relative_to IS NOT NULL)"
    )
    filled = sa.text("UPDATE claim SET standpoint = :standpoint WHERE version = :version")
    rows = [{"version": row.version, "standpoint": _scoped(row)} for row in connection.execute(scoped)]
    if rows:
        connection.execute(filled, rows)


def _scoped(row: Any) -> str:
    """The standpoint of a claim that says whom it counts, or what it is relative to."""
    scope = [*(sorted(set(_read(words))) for words in (row.includes, row.excludes)), row.relative_to]
    digest = hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:32]
    start = f"{row.source} {row.aggregation}" + (" forecast" if row.modality == "forecast" else "")
    return f"{start} {digest}{row.standpoint.removeprefix(start)}"


def _read(words: Any) -> list[str]:
    """SQLite keeps a list as text."""
    found: list[str] = json.loads(words) if isinstance(words, str) else words
    return found
