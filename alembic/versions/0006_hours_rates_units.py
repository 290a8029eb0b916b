"""Hours, rates, units and relative figures of claims; additive categories; interests and narrower fields of topics."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import orjson
import sqlalchemy as sa
from alembic.operations import BatchOperations
from sqlalchemy.dialects import postgresql

from alembic import op
from app.comparison.relative_base import base_period

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OLD_PROPOSITIONS = ("quantity", "ratio", "peak_period", "trend", "existence", "denial")
PROPOSITIONS = ("quantity", "ratio", "change", "peak_period", "trend", "existence", "denial")
PER_VALUES = ("hour", "day", "week", "month", "year")

FINGERPRINT_COLUMNS = (
    *("category", "subject", "place", "proposition", "modality", "aggregation", "source"),
    *("value", "lower", "upper", "out_of", "coverage", "magnitude"),
    *("lower_inclusive", "upper_inclusive", "approximate", "relative_to", "as_printed"),
    *("period", "includes", "excludes", "date", "per", "said_at", "unit"),
)

ROWS_PER_BATCH = 5_000

DAY_PATTERN = re.compile(
    r"\b(?:(?:a|per|each|every) day|day by day)\b(?!\s+(?:after|ago|before|earlier|later|of|on which|that|when))"
    r"|\bdaily\b(?!\s+(?:beast|express|mail|mirror|star|telegraph|times))|/ ?day\b|\bday(?:'s|’s)? average\b"
    r"|\b(?:täglich|pro tag|am tag|par jour|por día|al día|diarias?|diarios?)\b"
    r"|\b(?:на добу|за добу|на день|щодня|щодоби|щоденн\w+|в день|в сутки|ежедневн\w+|ежесуточн\w+)\b"
)
OTHER_UNIT_PATTERN = re.compile(r"\b(?:a|an|per|each|every) (?:hour|week|month|year)\b|\b(?:hour|week|month|year)ly\b")


def upgrade() -> None:
    with _changing_claims(PROPOSITIONS) as table:
        table.add_column(sa.Column("relative_period", sa.String(85), nullable=True))
        table.add_column(sa.Column("unit", sa.String(40), nullable=True))
        table.add_column(sa.Column("per", sa.String(24), nullable=True))
        table.add_column(sa.Column("said_at", sa.String(40), nullable=True))
        table.create_check_constraint(op.f("ck_claim_per"), _is_one_of("per", PER_VALUES))
        table.create_check_constraint(op.f("ck_claim_rate"), "per IS NULL OR aggregation = 'rate'")
    with op.batch_alter_table("category") as table:
        table.add_column(sa.Column("additive", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("topic") as table:
        table.add_column(sa.Column("interests", _json(), nullable=False, server_default="{}"))
        table.add_column(sa.Column("narrower", _json(), nullable=False, server_default='["category"]'))
    # The defaults were only for the rows that were there.
    with op.batch_alter_table("category") as table:
        table.alter_column("additive", server_default=None)
    with op.batch_alter_table("topic") as table:
        table.alter_column("interests", server_default=None)
        table.alter_column("narrower", server_default=None)
    op.execute("UPDATE category SET additive = non_decreasing")
    _fill_relative_periods()
    _fill_per()


def downgrade() -> None:
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT 1 FROM claim WHERE proposition = 'change' LIMIT 1")).first():
        raise RuntimeError("claims with the proposition `change` cannot be stored in the schema before 0006")
    _update_fingerprints(with_new_fields=False)
    with op.batch_alter_table("topic") as table:
        table.drop_column("narrower")
        table.drop_column("interests")
    with op.batch_alter_table("category") as table:
        table.drop_column("additive")
    with _changing_claims(OLD_PROPOSITIONS) as table:
        table.drop_constraint(op.f("ck_claim_rate"), type_="check")
        table.drop_constraint(op.f("ck_claim_per"), type_="check")
        for name in ("said_at", "per", "unit", "relative_period"):
            table.drop_column(name)


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON(none_as_null=True)


def _id() -> sa.types.TypeEngine[str]:
    return sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def _is_one_of(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


@contextmanager
def _changing_claims(propositions: Sequence[str]) -> Iterator[BatchOperations]:
    """Alter the table of claims, and the propositions that it accepts.

    SQLite rebuilds the table for that, which drops the triggers of the full-text index; they are created again.
    """
    connection = op.get_bind()
    triggers: list[str] = []
    if connection.dialect.name == "sqlite":
        query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'claim'"
        triggers = list(connection.execute(sa.text(query)).scalars())
    with op.batch_alter_table("claim", recreate="always" if triggers else "never") as table:
        yield table
        table.drop_constraint(op.f("ck_claim_proposition"), type_="check")
        table.create_check_constraint(op.f("ck_claim_proposition"), _is_one_of("proposition", propositions))
    for trigger in triggers:
        op.execute(trigger)


def _fill_relative_periods() -> None:
    """Fill in the bases that are periods. A later change of `base_period` needs a migration of its own."""
    update = sa.text("UPDATE claim SET relative_period = :period WHERE version = :version")
    for rows in _batches("version, relative_to", "relative_to IS NOT NULL"):
        periods = [{"version": row.version, "period": base_period(row.relative_to)} for row in rows]
        _update(update, [period for period in periods if period["period"] is not None])


def _fill_per() -> None:
    """Set `per` to `day` where the figure as printed, or else a quote of the claim, says so, and nowhere else."""
    quotes_of = sa.text("SELECT claim, quote FROM citation WHERE claim IN :claims AND quote IS NOT NULL")
    quotes_of = quotes_of.bindparams(sa.bindparam("claims", expanding=True, type_=_id()))
    update = sa.text("UPDATE claim SET per = 'day' WHERE version = :version")
    for rows in _batches("version, id, as_printed", "aggregation = 'rate' AND status <> 'removed'"):
        quotes: dict[str, list[str]] = {}
        for claim, quote in op.get_bind().execute(quotes_of, {"claims": sorted({str(row.id) for row in rows})}):
            quotes.setdefault(str(claim), []).append(quote)
        daily = [row.version for row in rows if _is_daily(row.as_printed, quotes.get(str(row.id), []))]
        _update(update, [{"version": version} for version in daily])
    _update_fingerprints(with_new_fields=True)


def _is_daily(wording: str, quotes: Sequence[str]) -> bool:
    for texts in ([wording], quotes):
        text = " \n ".join(texts).casefold()
        says_day, says_other = DAY_PATTERN.search(text), OTHER_UNIT_PATTERN.search(text)
        if says_day or says_other:
            return not says_other
    return False


def _update_fingerprints(*, with_new_fields: bool) -> None:
    """Compute the fingerprints of claims with new fields as `app/claims/validation.py` did when this was written.

    The fingerprints in rows of imports follow, so that the same file imported again still changes nothing.
    """
    connection = op.get_bind()
    current = sa.text("SELECT 1 FROM claim WHERE fingerprint = :fingerprint AND until_seq IS NULL")
    update = sa.text("UPDATE claim SET fingerprint = :fingerprint WHERE version = :version")
    columns = ", ".join(("version", "id", "fingerprint", "until_seq", *FINGERPRINT_COLUMNS))
    has_new_field = "(per IS NOT NULL OR said_at IS NOT NULL OR unit IS NOT NULL) AND fingerprint <> ''"
    for rows in _batches(columns, f"{has_new_field} AND status <> 'removed'"):
        changed: dict[tuple[str, str], str] = {}
        for row in rows:
            fingerprint = _fingerprint(row, with_new_fields=with_new_fields)
            # Claims that differ only in new fields have one fingerprint without these: all but one keep theirs.
            if row.until_seq is None and connection.execute(current, {"fingerprint": fingerprint}).first():
                continue
            connection.execute(update, {"version": row.version, "fingerprint": fingerprint})
            changed[str(row.id), row.fingerprint] = fingerprint
        if changed:
            _update_imported_rows(changed)


def _update_imported_rows(changed: Mapping[tuple[str, str], str]) -> None:
    """Replace fingerprints in rows of imports. The keys of `changed` are claim and old fingerprint."""
    connection = op.get_bind()
    rows_of = sa.text("SELECT series, key, print, written, claim FROM imported_row WHERE claim IN :claims")
    rows_of = rows_of.bindparams(sa.bindparam("claims", expanding=True, type_=_id()))
    update = sa.text(
        "UPDATE imported_row SET print = :new_print, written = :new_written"
        " WHERE series = :series AND key = :key AND print = :print"
    )
    for row in connection.execute(rows_of, {"claims": sorted({claim for claim, _ in changed})}).all():
        new_print = changed.get((str(row.claim), row.print), row.print)
        new_written = changed.get((str(row.claim), row.written), row.written)
        if (new_print, new_written) != (row.print, row.written):
            values = {"series": row.series, "key": row.key, "print": row.print}
            connection.execute(update, {**values, "new_print": new_print, "new_written": new_written})


def _fingerprint(row: sa.Row[Any], *, with_new_fields: bool) -> str:
    state = dict(zip(row._fields, row, strict=True))
    numbers = [state[name] for name in ("value", "lower", "upper", "out_of", "coverage")]
    flags = [None if state[name] is None else bool(state[name]) for name in ("lower_inclusive", "upper_inclusive")]
    parts: list[Any] = [
        *(state[name] for name in ("category", "subject", "place", "proposition", "modality", "aggregation", "source")),
        [None if number is None else _format_number(number) for number in numbers],
        [*flags, bool(state["approximate"]), state["relative_to"]],
        state["period"],
        sorted(_read_list(state["includes"])),
        sorted(_read_list(state["excludes"])),
        state["date"],
        None if state["magnitude"] is not None else " ".join(state["as_printed"].casefold().split()),
    ]
    if with_new_fields:
        parts.append({"per": state["per"]})  # `said_at` and `unit` have no values yet
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


def _format_number(number: float) -> str:
    return format(Decimal(str(int(number) if number.is_integer() else number)), "f")


def _read_list(value: Any) -> list[str]:
    """Return a list, which SQLite stores as text."""
    slugs: list[str] = json.loads(value) if isinstance(value, str) else value
    return slugs


def _batches(columns: str, condition: str) -> Iterator[Sequence[sa.Row[Any]]]:
    """Yield the claims that satisfy a condition, in batches, ordered by version."""
    query = f"SELECT {columns} FROM claim WHERE version > :last AND {condition} ORDER BY version LIMIT {ROWS_PER_BATCH}"
    last = 0
    while rows := op.get_bind().execute(sa.text(query), {"last": last}).all():
        last = rows[-1].version
        yield rows


def _update(statement: sa.TextClause, values: Sequence[Mapping[str, Any]]) -> None:
    if values:
        op.get_bind().execute(statement, values)
