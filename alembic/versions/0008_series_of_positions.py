"""Series of claims have all that makes positions separate, and their recency ends with the day of the statement."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from alembic import op
from app.comparison.series_key import build_series_columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = (
    *("version", "status", "source", "aggregation", "modality", "proposition", "kind", "per", "unit", "out_of"),
    *("period", "period_end", "date", "date_edtf", "includes", "excludes", "relative_to"),
)
ROWS_PER_BATCH = 5_000
QUESTION = ("category", "subject", "place")


def upgrade() -> None:
    """Fill both columns as the code does. A later change of them needs a migration that fills them again."""
    _fill(build_series_columns)


def downgrade() -> None:
    _fill(_build_columns_before)


def _fill(build: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    connection = op.get_bind()
    # Updating the index with every row takes longer than building it once.
    op.drop_index("ix_claim_standpoint", "claim")
    types = {"includes": sa.JSON(), "excludes": sa.JSON(), "period_end": sa.Date(), "date": sa.Date()}
    claim = sa.table("claim", *(sa.column(name, types.get(name)) for name in (*COLUMNS, "standpoint", "recency")))
    update = (
        sa.update(claim)
        .where(claim.c.version == sa.bindparam("row_version"))
        .values(standpoint=sa.bindparam("standpoint"), recency=sa.bindparam("recency"))
    )
    last = 0
    select = sa.select(*(claim.c[name] for name in COLUMNS)).order_by(claim.c.version).limit(ROWS_PER_BATCH)
    while rows := connection.execute(select.where(claim.c.version > last)).mappings().all():
        last = rows[-1]["version"]
        connection.execute(update, [{"row_version": row["version"], **build(row)} for row in rows])
    standing = sa.text("until_seq IS NULL")
    columns = [*QUESTION, "standpoint", "recency", "period_start"]
    op.create_index("ix_claim_standpoint", "claim", columns, sqlite_where=standing, postgresql_where=standing)


def _build_columns_before(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return both columns as the code did before this migration."""
    if row["status"] == "removed":
        return {"standpoint": None, "recency": None}
    end, said = row["period_end"], row["date"]
    parts = [row["source"], row["aggregation"]]
    if row["modality"] == "forecast":
        parts.append("forecast")
    if row["includes"] or row["excludes"] or row["relative_to"] is not None:
        scope = [sorted(set(row["includes"])), sorted(set(row["excludes"])), row["relative_to"]]
        parts.append(hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:32])
    if end is None:
        parts.append("open")
    elif said is not None and end > said:
        parts.append("ahead")
    if row["status"] == "retracted":
        parts.append("retracted")
    elif row["kind"] == "none":
        parts.append("none")
    numbers = [0 if day is None else day.year * 10_000 + day.month * 100 + day.day for day in (end, said)]
    return {"standpoint": " ".join(parts), "recency": numbers[0] * 100_000_000 + numbers[1]}
