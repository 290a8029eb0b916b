"""Positions: the latest comparable claim of each source, and the comparison of positions in pairs."""

import math
from collections.abc import Iterable
from datetime import date
from itertools import combinations

from app.comparison.figure import Number, NumberInterval, interval_of, kind_of
from app.comparison.hierarchy import Hierarchy
from app.comparison.verdicts import (
    PairComparison,
    Statement,
    compare_statements,
    find_window_mismatch,
    has_same_base,
    measure_distance,
    sort_reasons,
)
from app.enums import Reason, Verdict

_SeriesKey = tuple[str | bool | frozenset[str] | None, ...]


def series_key_of(statement: Statement) -> _SeriesKey:
    """Return the series key: a source has one position per key. A forecast never replaces an estimate."""
    return (
        statement.source,
        statement.category,
        statement.subject,
        statement.place,
        statement.includes,
        statement.excludes,
        statement.aggregation,
        statement.unit,
        statement.figure.relative_to,
        statement.is_forecast,
    )


def find_positions(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return the positions of the sources, ordered by lower bound (unknown first), source and id.

    The position of a series is its statement with the latest period end, then the latest date, the narrowest interval
    and the smallest id. Statements with the same end and date but disjoint figures are all positions: one statement,
    transcribed differently. Statements without a figure are not positions; vague ones are.
    """
    groups: dict[_SeriesKey, list[Statement]] = {}
    for statement in statements:
        if kind_of(statement.figure, statement.proposition) != "none":
            groups.setdefault(series_key_of(statement), []).append(statement)
    positions = [statement for group in groups.values() for statement in _select_latest(group)]
    return tuple(sorted(positions, key=position_sort_key))


def compare_pairs(
    positions: Iterable[Statement], hierarchy: Hierarchy, tolerance: float | None = None
) -> tuple[PairComparison, ...]:
    """Compare each pair of positions, in their order. `tolerance` is that of `compare_statements`."""
    return tuple(compare_pair(a, b, hierarchy, tolerance) for a, b in combinations(positions, 2))


def compare_pair(a: Statement, b: Statement, hierarchy: Hierarchy, tolerance: float | None = None) -> PairComparison:
    """Compare two positions. Conflicting transcriptions of one statement contradict, even if they are approximate."""
    if not is_transcription_conflict(a, b):
        return compare_statements(a, b, hierarchy, tolerance)
    probabilistic = {Reason.probabilistic} if a.figure.coverage is not None or b.figure.coverage is not None else set()
    reasons = sort_reasons({Reason.transcription_conflict} | probabilistic)
    return PairComparison(a.id, b.id, Verdict.contradict, reasons, *measure_distance(a.figure, b.figure))


def is_transcription_conflict(a: Statement, b: Statement) -> bool:
    """Return whether two statements of the same series, period and date have disjoint figures."""
    return (
        series_key_of(a) == series_key_of(b)
        and _recency(a) == _recency(b)
        and has_same_base(a, b)
        and find_window_mismatch(a, b) is not Reason.window_differs
        and _are_disjoint(a, b)
    )


def age_days(statement: Statement, day: date) -> int | None:
    """Return the days from the end of the period or the date of a statement, the earlier known one, to `day`."""
    known_days = [known for known in (statement.period.latest_end, statement.date) if known is not None]
    return (day - min(known_days)).days if known_days else None


def _recency(statement: Statement) -> tuple[int, int]:
    """Return the period end and the date as ordinals; 0, before every day, if unknown."""
    end, statement_date = statement.period.latest_end, statement.date
    return end.toordinal() if end else 0, statement_date.toordinal() if statement_date else 0


def _select_latest(group: list[Statement]) -> list[Statement]:
    if len(group) == 1:
        return group
    latest = max(_recency(statement) for statement in group)
    tied = [statement for statement in group if _recency(statement) == latest]
    best = min(tied, key=lambda statement: (_width_key(statement), statement.id))
    disjoint_ids = {statement.id for statement in _find_disjoint(tied)}
    return [statement for statement in tied if statement is best or statement.id in disjoint_ids]


def _find_disjoint(tied: list[Statement]) -> list[Statement]:
    """Return the statements whose interval is disjoint from that of another one.

    An interval is below another one if it is below the one with the highest lower bound, and above another one if it
    is above the one with the lowest upper bound. Comparing all pairs would take minutes for a long undated series.
    """
    intervals = [(statement, interval) for statement in tied if (interval := interval_of(statement.figure)) is not None]
    highest = max((each for _, each in intervals if each.lower is not None), key=_lower_end_key, default=None)
    lowest = min((each for _, each in intervals if each.upper is not None), key=_upper_end_key, default=None)
    return [
        statement
        for statement, interval in intervals
        if (highest is not None and highest.is_wholly_above(interval))
        or (lowest is not None and interval.is_wholly_above(lowest))
    ]


def _lower_end_key(interval: NumberInterval) -> tuple[Number, bool]:
    return interval.lower or 0, not interval.lower_inclusive


def _upper_end_key(interval: NumberInterval) -> tuple[Number, bool]:
    return interval.upper or 0, interval.upper_inclusive


def _width_key(statement: Statement) -> tuple[bool, Number]:
    interval = interval_of(statement.figure)
    return (True, math.inf) if interval is None else (False, interval.width)


def _are_disjoint(a: Statement, b: Statement) -> bool:
    one, two = interval_of(a.figure), interval_of(b.figure)
    return one is not None and two is not None and one.is_disjoint_from(two)


def position_sort_key(statement: Statement) -> tuple[bool, Number, str, str]:
    """Return the sort key of a position: by lower bound, unknown first, then by source and id."""
    lower = stated_interval(statement).lower
    return lower is not None, lower or 0, statement.source, statement.id


def stated_interval(statement: Statement) -> NumberInterval:
    """Return the stated interval of a figure; both bounds are unknown for a vague figure."""
    return interval_of(statement.figure) or NumberInterval(None, None)
