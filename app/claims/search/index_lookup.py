"""Index lookups: statements that find the versions of claims through an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, false, literal_column, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from app.database.sql import OrderedJoin, with_index
from app.database.tables import ClaimVersion, table_of
from app.enums import Status

CLAIM = table_of(ClaimVersion)

Columns = ReadOnlyColumnCollection[str, Any]
"""The columns of claims: those of the table, or of a subquery with some of them."""


BoundParameters = Sequence[BindParameter[Any]]
"""The bound parameters of a filter."""


@dataclass(frozen=True, slots=True)
class IndexLookup:
    """A lookup of all claims that match a filter, and perhaps of some others."""

    versions: Select[Any]
    """The versions of the claims."""
    index_rows: Select[Any]
    """The rows that the lookup reads from the index. Their number is its cost."""


def visible_claims(columns: Columns) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a current claim that was not taken down. A partial index of such claims needs both."""
    return columns.until_seq.is_(None), columns.status != Status.removed


def look_up_claims(index: str, *conditions: ColumnElement[bool]) -> IndexLookup:
    """Return a lookup in a partial index of the visible claims."""
    statement = with_index(select(CLAIM.c.version), CLAIM, index).where(*conditions, *visible_claims(CLAIM.c))
    return IndexLookup(statement, statement)


def look_up_claims_by_id(
    source: FromClause, claim_id: ColumnElement[Any], *conditions: ColumnElement[bool], index: str | None = None
) -> IndexLookup:
    """Return a lookup of the claims that rows of another table refer to."""
    versions = select(CLAIM.c.version).distinct().select_from(OrderedJoin(source, CLAIM, CLAIM.c.id == claim_id))
    rows: Select[Any] = select(literal_column("1").label("version")).select_from(source)
    statements = [statement.where(*conditions) for statement in (versions, rows)]
    return IndexLookup(
        *(statement if index is None else with_index(statement, source, index) for statement in statements)
    )


def match_any(columns: Columns, name: str, values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values.

    A single value is compared with `=`, so that the index is also ordered by the columns after it.
    """
    if not values:
        return false()
    condition: ColumnElement[bool] = columns[name] == values[0] if len(values) == 1 else columns[name].in_(values)
    return condition


def look_up_slugs(column: str, parameters: BoundParameters) -> IndexLookup:
    """Return a lookup of the claims with one of these slugs."""
    return look_up_claims(f"ix_claim_{column}_date", match_any(CLAIM.c, column, parameters))
