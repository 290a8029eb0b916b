"""The question of a side-by-side, and the options of its comparison."""

from dataclasses import dataclass
from datetime import date
from typing import Final

DEFAULT_WINDOW_DAYS: Final = 31
"""Positions whose period ends within this many days of the latest period end enter the spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question of a side-by-side: a topic, or the filters of a request. None means any.

    `slug` and `title` are those of the topic. `since` is the first day of the periods.
    """

    slug: str | None = None
    title: str | None = None
    category: str
    subject: str | None = None
    place: str | None = None
    aggregation: str | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOptions:
    """The options of a comparison.

    `tolerance` is the relative tolerance of approximate figures, and `window` the days before the latest period end
    that enter the spread. `narrower` names the fields of the question that include what lies below them. `against` is
    the only source, by slug, with which all positions are compared; None compares all pairs. `ends_by` limits positions
    to figures whose period ends by that day. With `why`, each pair has a sentence.
    """

    tolerance: float | None = None
    window: int = DEFAULT_WINDOW_DAYS
    narrower: frozenset[str] = frozenset({"category"})
    against: str | None = None
    ends_by: date | None = None
    why: bool = False
