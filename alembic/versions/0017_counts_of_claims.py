"""Stored counts of claims by their fields, filled in for the recorded claims."""

from collections import Counter
from typing import Any

import sqlalchemy as sa

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY_TEXT = sa.String(300).with_variant(sa.String(300, collation="C"), "postgresql")
ROWS_PER_BATCH = 20_000

KEYS = {
    "c": ("category",),
    "u": ("subject",),
    "p": ("place",),
    "s": ("source",),
    "y": ("year",),
    "k": ("proposition", "modality", "aggregation", "kind"),
    "r": ("status", "level", "reliability", "credibility"),
    "m": ("month",),
    "q": ("category", "subject", "place", "aggregation"),
}
PAIRS = (
    *("cu", "cp", "up", "cs", "us", "ps", "cy", "uy", "py", "sy", "ck", "uk", "pk", "sk", "yk"),
    *("cr", "ur", "pr", "sr", "yr", "kr"),
    *("mc", "mu", "mp", "ms", "mk", "mr", "qs", "qy", "qk", "qr"),
)

SELECT_CLAIMS = """
    SELECT c.version, c.date, c.category, c.subject, c.place, c.source, c.proposition, c.modality, c.aggregation,
        c.kind, c.status, a.version AS assessment, a.level, a.reliability, a.credibility
    FROM claim c LEFT JOIN assessment a ON a.version = (
        SELECT n.version FROM assessment n WHERE n.claim = c.id AND NOT n.withdrawn AND n.until_seq IS NULL
        ORDER BY n.assessed_on DESC, n.id DESC LIMIT 1)
    WHERE c.version > :after AND c.version <= :until AND c.until_seq IS NULL AND c.status <> 'removed'
"""


def upgrade() -> None:
    op.create_table(
        "claim_count",
        sa.Column("pair", sa.String(2), nullable=False),
        sa.Column("first", KEY_TEXT, nullable=False),
        sa.Column("second", KEY_TEXT, nullable=False),
        sa.Column("claims", BIG_INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("pair", "first", "second", name=op.f("pk_claim_count")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "claim_count_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", BIG_INTEGER, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_claim_count_state_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_count_state")),
    )
    _fill_counts()


def downgrade() -> None:
    op.drop_table("claim_count_state")
    op.drop_table("claim_count")


def _fill_counts() -> None:
    connection = op.get_bind()
    last = connection.execute(sa.text("SELECT max(version) FROM claim")).scalar() or 0
    counts: Counter[tuple[str, str, str]] = Counter()
    for after in range(0, last, ROWS_PER_BATCH):
        parameters = {"after": after, "until": after + ROWS_PER_BATCH}
        rows = connection.execute(sa.text(SELECT_CLAIMS), parameters).mappings()
        _count(counts, [_fields(dict(row)) for row in rows])
    names = ("pair", "first", "second", "claims")
    table = sa.table("claim_count", *map(sa.column, names))
    stored = [dict(zip(names, (*key, number), strict=True)) for key, number in counts.items()]
    for start in range(0, len(stored), ROWS_PER_BATCH):
        connection.execute(sa.insert(table), stored[start : start + ROWS_PER_BATCH])
    connection.execute(sa.text("INSERT INTO claim_count_state (id, seq) SELECT 1, seq FROM clock"))


def _fields(row: dict[str, Any]) -> dict[str, str]:
    day = str(row["date"]) if row["date"] else None
    level = "unassessed" if row["assessment"] is None else row["level"]
    return {**row, "level": level, "year": day and day[:4], "month": day and day[:7]}


def _count(counts: Counter[tuple[str, str, str]], rows: list[dict[str, str]]) -> None:
    keys = {code: [" ".join([row[name] or "-" for name in names]) for row in rows] for code, names in KEYS.items()}
    for code in KEYS:
        for key, number in Counter(keys[code]).items():
            counts[code, key, ""] += number
    for pair in PAIRS:
        for (first, second), number in Counter(zip(keys[pair[0]], keys[pair[1]], strict=True)).items():
            counts[pair, first, second] += number
