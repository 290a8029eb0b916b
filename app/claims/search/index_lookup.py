"""Statements that find the versions of claims through an index."""

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
"""The columns of claims: those of the table, or of a subquery that has some of them."""


BoundParameters = Sequence[BindParameter[Any]]
"""The values of a filter, to be filled in later."""


@dataclass(frozen=True, slots=True)
class IndexLookup:
    """How the claims of a filter (perhaps some more) are found."""

    versions: Select[Any]
    """Their versions."""
    index_rows: Select[Any]
    """The rows that are read from the index: what they count is the cost of the lookup."""


def visible_claims(columns: Columns) -> tuple[ColumnElement[bool], ...]:
    """The conditions of a claim that stands and was not taken down; an index that holds only such claims needs both."""
    return columns.until_seq.is_(None), columns.status != Status.removed


def look_up_claims(index: str, *conditions: ColumnElement[bool]) -> IndexLookup:
    """The visible claims that an index over nothing else leads to."""
    found = with_index(select(CLAIM.c.version), CLAIM, index).where(*conditions, *visible_claims(CLAIM.c))
    return IndexLookup(found, found)


def look_up_claims_by_id(
    source: FromClause, claim_id: ColumnElement[Any], *conditions: ColumnElement[bool], index: str | None = None
) -> IndexLookup:
    """The claims that rows of another table name."""
    named = select(CLAIM.c.version).distinct().select_from(OrderedJoin(source, CLAIM, CLAIM.c.id == claim_id))
    rows: Select[Any] = select(literal_column("1").label("version")).select_from(source)
    statements = [each.where(*conditions) for each in (named, rows)]
    return IndexLookup(*(each if index is None else with_index(each, source, index) for each in statements))


def match_any(columns: Columns, name: str, marks: Sequence[Any]) -> ColumnElement[bool]:
    """The column has one of the values. A single one is compared, so that an index goes on behind it."""
    if not marks:
        return false()
    found: ColumnElement[bool] = columns[name] == marks[0] if len(marks) == 1 else columns[name].in_(marks)
    return found


def look_up_slugs(kind: str, marks: BoundParameters) -> IndexLookup:
    """The claims with one of these slugs."""
    return look_up_claims(f"ix_claim_{kind}_date", match_any(CLAIM.c, kind, marks))
