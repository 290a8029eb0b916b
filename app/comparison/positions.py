"""The two sides of a question and more: each source's position, the verdicts between them, and their spread."""

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
    """What a source has one position on; a forecast never displaces an estimate."""
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
    """Find where each source stands: its statement of the latest period end, date, narrowest interval, smallest id.

    Statements tied on end and date whose figures lie apart all stay: one utterance, transcribed in two ways. Those
    without a figure are no positions, vague ones are. Ordered by lower end (unknown first), then source, then id.
    """
    groups: dict[_SeriesKey, list[Statement]] = {}
    for statement in statements:
        if kind_of(statement.figure, statement.proposition) != "none":
            groups.setdefault(series_key_of(statement), []).append(statement)
    standing = [statement for group in groups.values() for statement in _select_latest(group)]
    return tuple(sorted(standing, key=position_sort_key))


def compare_pairs(
    standing: Iterable[Statement], scheme: Hierarchy, tolerance: float | None = None
) -> tuple[PairComparison, ...]:
    """Compare every two positions once, in their order; `tolerance` as in `compare`."""
    return tuple(compare_pair(a, b, scheme, tolerance) for a, b in combinations(standing, 2))


def compare_pair(a: Statement, b: Statement, scheme: Hierarchy, tolerance: float | None = None) -> PairComparison:
    """Compare two positions; two transcriptions of one utterance that lie apart contradict, however approximate."""
    if not is_transcription_conflict(a, b):
        return compare_statements(a, b, scheme, tolerance)
    chances = {Reason.probabilistic} if a.figure.coverage is not None or b.figure.coverage is not None else set()
    reasons = sort_reasons({Reason.transcription_conflict} | chances)
    return PairComparison(a.id, b.id, Verdict.contradict, reasons, *measure_distance(a.figure, b.figure))


def is_transcription_conflict(a: Statement, b: Statement) -> bool:
    """Whether one utterance was transcribed in two ways: one position, period and date, and figures that lie apart."""
    return (
        series_key_of(a) == series_key_of(b)
        and _recency(a) == _recency(b)
        and has_same_base(a, b)
        and find_window_mismatch(a, b) is not Reason.window_differs
        and _are_disjoint(a, b)
    )


def age_days(statement: Statement, asked: date) -> int | None:
    """Days from the statement to the asked day: from its period's end or its date, whichever is earlier and known."""
    known = [day for day in (statement.period.latest_end, statement.date) if day is not None]
    return (asked - min(known)).days if known else None


def _recency(statement: Statement) -> tuple[int, int]:
    """The period end and the date as numbers of days; 0, before every day, where one is unknown."""
    end, said = statement.period.latest_end, statement.date
    return end.toordinal() if end else 0, said.toordinal() if said else 0


def _select_latest(group: list[Statement]) -> list[Statement]:
    if len(group) == 1:
        return group
    latest = max(_recency(each) for each in group)
    tied = [each for each in group if _recency(each) == latest]
    best = min(tied, key=lambda each: (_width_key(each), each.id))
    apart = {each.id for each in _find_disjoint(tied)}
    return [each for each in tied if each is best or each.id in apart]


def _find_disjoint(tied: list[Statement]) -> list[Statement]:
    """Those whose figures lie apart from that of another."""
    known = [(each, numbers) for each in tied if (numbers := interval_of(each.figure)) is not None]
    # Whoever lies below or above anyone lies below the one that begins highest, or above the one that ends lowest.
    # Comparing every two would take minutes for a series that somebody entered without dates.
    highest = max((each for _, each in known if each.lower is not None), key=_lower_end_key, default=None)
    lowest = min((each for _, each in known if each.upper is not None), key=_upper_end_key, default=None)
    return [
        each
        for each, numbers in known
        if (highest is not None and highest.is_wholly_above(numbers))
        or (lowest is not None and numbers.is_wholly_above(lowest))
    ]


def _lower_end_key(numbers: NumberInterval) -> tuple[Number, bool]:
    return numbers.lower or 0, not numbers.lower_inclusive


def _upper_end_key(numbers: NumberInterval) -> tuple[Number, bool]:
    return numbers.upper or 0, numbers.upper_inclusive


def _width_key(statement: Statement) -> tuple[bool, Number]:
    numbers = interval_of(statement.figure)
    return (True, math.inf) if numbers is None else (False, numbers.width)


def _are_disjoint(a: Statement, b: Statement) -> bool:
    one, two = interval_of(a.figure), interval_of(b.figure)
    return one is not None and two is not None and one.is_disjoint_from(two)


def position_sort_key(statement: Statement) -> tuple[bool, Number, str, str]:
    """Return the sort key of a position: by lower end, unknown first, then by source and id."""
    lower = stated_interval(statement).lower
    return lower is not None, lower or 0, statement.source, statement.id


def stated_interval(statement: Statement) -> NumberInterval:
    """The stated interval; a vague figure leaves both ends unknown."""
    return interval_of(statement.figure) or NumberInterval(None, None)
