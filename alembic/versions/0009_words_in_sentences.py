"""How records read in sentences, short names of sources, and the figures of claims in English."""

from typing import Any

import sqlalchemy as sa

from alembic import op
from app.comparison.figure import PrintedFigure, normalize_number
from app.sentences.figures import build_display

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROWS_PER_BATCH = 5_000
NUMBERS = ("value", "lower", "upper", "coverage", "out_of")
OTHER_FIGURE_COLUMNS = ("as_printed", "lower_inclusive", "upper_inclusive", "approximate", "relative_to")
OTHER_COLUMNS = ("version", "proposition", "unit", "category", "aggregation", "per")


def upgrade() -> None:
    for table in ("category", "subject"):
        op.add_column(table, sa.Column("in_text", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("place", sa.Column("in_text", sa.Text(), nullable=True))
    op.add_column("source", sa.Column("short_name", sa.Text(), nullable=True))
    op.add_column("source", sa.Column("in_text", sa.Text(), nullable=True))
    op.add_column("claim", sa.Column("display", sa.Text(), nullable=True))
    _fill_display()


def downgrade() -> None:
    op.drop_column("claim", "display")
    op.drop_column("source", "in_text")
    op.drop_column("source", "short_name")
    for table in ("place", "subject", "category"):
        op.drop_column(table, "in_text")


def _fill_display() -> None:
    """Fill the column in all versions, past ones included, as the code does.

    The unit of a category does not change once claims use it. Claims that were taken down have no words.
    """
    connection = op.get_bind()
    units = {
        row.slug: row.unit
        for row in connection.execute(sa.text("SELECT slug, unit FROM category WHERE until_seq IS NULL"))
    }
    names = (*OTHER_COLUMNS, *OTHER_FIGURE_COLUMNS, *NUMBERS, "status")
    # Booleans by their type: SQLite stores them as numbers.
    booleans = {name: sa.Boolean() for name in ("lower_inclusive", "upper_inclusive", "approximate")}
    claim = sa.table("claim", *(sa.column(name, booleans.get(name)) for name in (*names, "display")))
    update = (
        sa.update(claim).where(claim.c.version == sa.bindparam("row_version")).values(display=sa.bindparam("display"))
    )
    select = sa.select(*(claim.c[name] for name in names)).order_by(claim.c.version).limit(ROWS_PER_BATCH)
    last = 0
    while rows := connection.execute(select.where(claim.c.version > last)).mappings().all():
        last = rows[-1]["version"]
        connection.execute(update, [{"row_version": row["version"], "display": _display(row, units)} for row in rows])


def _display(row: Any, units: dict[str, str]) -> str:
    if row["status"] == "removed":
        return ""
    numbers = {name: None if row[name] is None else normalize_number(row[name]) for name in NUMBERS}
    figure = PrintedFigure(**{name: row[name] for name in OTHER_FIGURE_COLUMNS}, **numbers)
    unit = row["unit"] or units.get(row["category"])
    return build_display(figure, row["proposition"], unit, row["aggregation"], row["per"])
