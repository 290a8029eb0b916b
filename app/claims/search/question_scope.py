"""The claims that belong to a question: its categories, subjects and places, with what lies below them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_

from app.claims.search.index_lookup import Columns, match_any
from app.comparison.effective_period import TOTALS
from app.enums import Aggregation
from app.vocabulary.reference_data import ReferenceData

NARROWABLE: Final = ("category", "subject", "place")
"""The fields of a question that can include what lies below them."""


@dataclass(frozen=True, slots=True)
class QuestionScope:
    """What the claims of a question have in common. An empty tuple means any.

    `since` is the first day of the periods.
    """

    categories: tuple[str, ...]
    subjects: tuple[str, ...]
    places: tuple[str, ...]
    aggregations: tuple[str, ...]
    since: date | None

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """Each combination of a category, a subject and a place; shorter where any subject or place belongs."""
        return list(product(*(values for values in (self.categories, self.subjects, self.places) if values)))


def expand_question(
    fields: Mapping[str, Any], reference_data: ReferenceData, narrower: Collection[str]
) -> QuestionScope:
    """Return the scope of a question.

    Args:
        fields: `category`, `subject`, `place`, `aggregation` and `since` of the question; None means any.
        reference_data: The hierarchies.
        narrower: The fields among `NARROWABLE` that include what lies below them.
    """

    def expand(kind: str) -> tuple[str, ...]:
        slug = fields[kind]
        if slug is None:
            return ()
        return tuple(sorted(reference_data.descendants(kind, slug))) if kind in narrower else (slug,)

    aggregations = list_aggregations(fields["aggregation"])
    return QuestionScope(expand("category"), expand("subject"), expand("place"), aggregations, fields["since"])


def list_aggregations(aggregation: str | None) -> tuple[str, ...]:
    """Return the aggregations of one class: running totals and totals for a period are both totals."""
    if aggregation is None:
        return ()
    return tuple(sorted(TOTALS)) if str(aggregation) in TOTALS else (str(aggregation),)


def match_scope(
    columns: Columns,
    categories: Sequence[object],
    subjects: Sequence[object] = (),
    places: Sequence[object] = (),
    aggregations: Sequence[object] = (),
    since: Sequence[object] = (),
) -> ColumnElement[bool]:
    """Return the condition that a claim is in a scope.

    Each field is a sequence of values or bound parameters; an empty one is not compared. `since` is a day and its
    `partial_date_patterns`.
    """
    fields = {"category": categories, "subject": subjects, "place": places, "aggregation": aggregations}
    clauses = [match_any(columns, name, values) for name, values in fields.items() if values]
    return and_(*clauses, *([starts_on(columns, *since)] if since else []))


def starts_on(columns: Columns, day: Any, *patterns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a value or a bound parameter
    """Return the condition that the period may start on `day`.

    A running total may start on any day of the month or year that its period begins with. A snapshot has no start.
    """
    may_start = or_(*(columns.period.like(pattern) for pattern in patterns))
    starts = or_(columns.period_start == day, and_(columns.aggregation == str(Aggregation.cumulative), may_start))
    return and_(starts, columns.aggregation != str(Aggregation.snapshot))


def partial_date_patterns(day: date) -> list[str]:
    """Return the LIKE patterns of periods that begin with the month or year of `day`, without a day."""
    return [pattern for text in (day.isoformat()[:7], day.isoformat()[:4]) for pattern in (text, f"{text}/%")]
