"""Counts the verdicts on all pairs of many positions.

A verdict depends on the dimensions of two positions, on the order of their starts and ends, and on how their numbers
fit. Positions are grouped by their dimensions. For each pair, the order and the fit are encoded as one number with a
few comparisons of integers and floats; pairs of two groups with the same number have the same verdict, which is
computed once by the rules. Pairs for which the numbers do not say enough are compared by the rules one by one.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, combinations_with_replacement, product
from typing import NamedTuple

from app.comparison.comparability import check_comparability
from app.comparison.effective_period import TOTALS, EndMoment, Ordinals, compare_moments
from app.comparison.figure import NumberInterval
from app.comparison.hierarchy import Hierarchy
from app.comparison.measure import MAX_ROUNDING_GAP, measure
from app.comparison.positions import PositionKey, compare_pair, position_key_of
from app.comparison.statement import Statement
from app.comparison.verdicts import PairComparison
from app.enums import Reason, Verdict

MAX_PAIRED_POSITIONS = 40
"""Up to so many positions, all pairs are compared by the rules one by one."""

MAX_COMPARED_PAIRS = MAX_PAIRED_POSITIONS * (MAX_PAIRED_POSITIONS - 1) // 2
"""The number of their pairs."""

PAIRS_PER_COMPARISON = 16
"""So many pairs of many positions are counted in the time in which one pair is compared by the rules."""

_OVERLAP, _INSIDE, _ABOVE, _BELOW, _ROUNDED_ABOVE, _ROUNDED_BELOW, _CORE_ABOVE, _CORE_BELOW = range(8)
_MOMENT_CODES = {-1: 1, 0: 2, 1: 3, None: 4}
_GAP_SHARE = float(MAX_ROUNDING_GAP)
_SMALLEST_GAP = 1e-300
"""A gap up to this size is none: an exclusive bound at 0 is moved to the next double."""
_UNKNOWN_DAY = (0, 0)


class _Member(NamedTuple):
    """The numbers of a position on which verdicts depend, with exclusive bounds moved to the next double.

    `key` numbers the position key, `start` and `end` number the possible days, and `flags` encodes what else a verdict
    depends on besides order and fit.
    """

    statement: Statement
    key: int
    flags: int
    start: int
    end: int
    moment: EndMoment | None
    lower: float
    upper: float
    core_lower: float
    core_upper: float
    rounding_lower: float
    rounding_upper: float
    value: float
    is_bounded: bool
    is_plain: bool


Classify = Callable[[PairComparison], int | None]
"""Returns the class of a pair that is collected, and None for a pair that is only counted."""


@dataclass(slots=True)
class PairSurvey:
    """The number of pairs of positions by verdict, and the collected pairs, each with its class."""

    classify: Classify
    counts: Counter[Verdict] = field(default_factory=Counter)
    collected: list[tuple[int, Statement, Statement]] = field(default_factory=list)

    def add(self, a: Statement, b: Statement, hierarchy: Hierarchy, tolerance: float | None) -> None:
        """Compare a pair by the rules, count it, and collect it if it has a class."""
        pair = compare_pair(a, b, hierarchy, tolerance)
        self.counts[pair.verdict] += 1
        pair_class = self.classify(pair)
        if pair_class is not None:
            self.collected.append((pair_class, a, b))


def count_verdicts(
    positions: Sequence[Statement], hierarchy: Hierarchy, tolerance: float | None = None
) -> Counter[Verdict]:
    """Return the number of pairs of positions by verdict."""
    if len(positions) <= MAX_PAIRED_POSITIONS:
        return Counter(compare_pair(a, b, hierarchy, tolerance).verdict for a, b in combinations(positions, 2))
    return survey_pairs(positions, hierarchy, tolerance, lambda _pair: None).counts


def recount_verdicts(
    counts: Counter[Verdict],
    before: Mapping[int, Statement],
    after: Mapping[int, Statement],
    hierarchy: Hierarchy,
    tolerance: float | None = None,
) -> Counter[Verdict]:
    """Return the number of pairs of the positions `after` by verdict, given the counts of the positions `before`.

    Positions with the same key are equal. If few of them differ, only their pairs are compared.
    """
    same = [statement for key, statement in after.items() if key in before]
    removed = [statement for key, statement in before.items() if key not in after]
    added = [statement for key, statement in after.items() if key not in before]
    pairs = sum(len(each) * len(same) + len(each) * (len(each) - 1) // 2 for each in (removed, added))
    all_pairs = len(after) * (len(after) - 1) // 2
    if pairs > max(min(all_pairs, MAX_COMPARED_PAIRS), all_pairs // PAIRS_PER_COMPARISON):
        return count_verdicts(list(after.values()), hierarchy, tolerance)
    recounted = Counter(counts)
    for statements, sign in ((removed, -1), (added, 1)):
        for a, b in chain(product(statements, same), combinations(statements, 2)):
            recounted[compare_pair(a, b, hierarchy, tolerance).verdict] += sign
    return recounted


def survey_pairs(
    positions: Sequence[Statement], hierarchy: Hierarchy, tolerance: float | None, classify: Classify
) -> PairSurvey:
    """Count the pairs of positions by verdict, and collect those of which `classify` returns a class.

    Pairs whose numbers have the same order and fit are in one class.
    """
    survey = PairSurvey(classify)
    keys: dict[PositionKey, int] = {}
    days: dict[Ordinals, int] = {}
    groups: dict[object, list[_Member]] = {}
    for statement in positions:
        member = _build_member(statement, keys.setdefault(position_key_of(statement), len(keys)), days, tolerance)
        groups.setdefault(_dimensions_of(statement), []).append(member)
    orders = _encode_orders(list(days))
    for one, two in combinations_with_replacement(list(groups.values()), 2):
        barriers = check_comparability(one[0].statement, two[0].statement, hierarchy).barriers
        if barriers - {Reason.window_differs}:
            pairs = len(one) * (len(one) - 1) // 2 if one is two else len(one) * len(two)
            within_sources = list(_pairs_within_sources(one)) if one is two else []
            for a, b in within_sources:
                survey.add(a, b, hierarchy, tolerance)
            survey.counts[Verdict.not_comparable] += pairs - len(within_sources)
        else:
            _survey_between(one, two, orders, hierarchy, tolerance, survey)
    return survey


def _pairs_within_sources(members: Sequence[_Member]) -> Iterable[tuple[Statement, Statement]]:
    """Return the pairs of one source and position key, which are compared by their numbers alone."""
    by_key: dict[int, list[Statement]] = {}
    for member in members:
        by_key.setdefault(member.key, []).append(member.statement)
    return chain.from_iterable(combinations(statements, 2) for statements in by_key.values())


def _dimensions_of(statement: Statement) -> tuple[object, ...]:
    """Return all on which comparability depends, besides the days of the period."""
    figure, effective = statement.figure, statement.effective
    return (
        *(statement.proposition, statement.dimension, statement.base, figure.out_of, figure.has_number),
        *(statement.is_forecast, statement.aggregation, statement.per, statement.category, statement.subject),
        *(statement.place, statement.includes, statement.excludes),
        *(effective.start is None, effective.end is None),
    )


def _build_member(statement: Statement, key: int, days: dict[Ordinals, int], tolerance: float | None) -> _Member:
    measured = measure(statement, tolerance)
    if measured is None:
        message = "a position has a number"
        raise ValueError(message)
    effective = statement.effective
    lower, upper = _bounds_of(measured.interval)
    is_bounded = -math.inf < lower and upper < math.inf
    return _Member(
        statement,
        key,
        effective.is_short << 2 | (measured.plain is not None) << 1 | measured.is_soft,
        days.setdefault(effective.start or _UNKNOWN_DAY, len(days)),
        days.setdefault(effective.end or _UNKNOWN_DAY, len(days)),
        effective.moment,
        lower,
        upper,
        *_bounds_of(measured.core),
        *(_bounds_of(measured.rounding) if measured.plain is not None else (lower, upper)),
        math.nan if measured.value is None else float(measured.value),
        is_bounded,
        measured.plain is not None,
    )


def _bounds_of(interval: NumberInterval) -> tuple[float, float]:
    lower = -math.inf if interval.lower is None else float(interval.lower)
    upper = math.inf if interval.upper is None else float(interval.upper)
    return (
        lower if interval.lower_inclusive else math.nextafter(lower, math.inf),
        upper if interval.upper_inclusive else math.nextafter(upper, -math.inf),
    )


def _encode_orders(days: Sequence[Ordinals]) -> list[list[int]]:
    """Encode which orders of two days are possible, given the earliest and latest day that each can mean."""
    return [
        [(a[0] < b[1]) << 3 | (b[0] < a[1]) << 2 | (a == b) << 1 | (a[0] <= b[1] and b[0] <= a[1]) for b in days]
        for a in days
    ]


def _survey_between(  # noqa: C901, PLR0912 - the inner loop runs for every pair: a call would double its cost
    one: Sequence[_Member],
    two: Sequence[_Member],
    orders: Sequence[Sequence[int]],
    hierarchy: Hierarchy,
    tolerance: float | None,
    survey: PairSurvey,
) -> None:
    """Count the verdicts on the pairs of two groups, or of one group with itself."""
    codes: dict[int, int] = {}
    verdicts: dict[int, Verdict] = {}
    classes: dict[int, int] = {}
    is_same = one is two
    is_mixed = {one[0].statement.aggregation, two[0].statement.aggregation} == TOTALS
    for index, a in enumerate(one):
        # fmt: off
        (
            x, x_key, x_flags, x_start, x_end, x_moment, x_lower, x_upper, x_core_lower, x_core_upper, _, _, x_value,
            x_bounded, x_plain,
        ) = a
        x_start_orders, x_end_orders = orders[x_start], orders[x_end]
        for b in two[index + 1 :] if is_same else two:
            (
                y, y_key, y_flags, y_start, y_end, y_moment, y_lower, y_upper, y_core_lower, y_core_upper, _, _,
                y_value, y_bounded, y_plain,
            ) = b
            # fmt: on
            fit: int | None
            if (is_above := x_lower > y_upper) or y_lower > x_upper:
                fit = _ABOVE if is_above else _BELOW
                if x_plain or y_plain:
                    fit = _fit_at_gap(a, b, is_above=is_above)
            elif (is_above := x_core_lower > y_core_upper) or y_core_lower > x_core_upper:
                fit = _CORE_ABOVE if is_above else _CORE_BELOW
            elif (  # a value of a figure lies within its own bounds
                (y_bounded and (y_lower <= x_value <= y_upper or (y_lower <= x_lower and x_upper <= y_upper)))
                or (x_bounded and (x_lower <= y_value <= x_upper or (x_lower <= y_lower and y_upper <= x_upper)))
            ):
                fit = _INSIDE
            else:
                fit = _OVERLAP
            if fit is None or x_key == y_key or (is_mixed and x.period.edtf == y.period.edtf):
                survey.add(x, y, hierarchy, tolerance)
                continue
            moment = 0
            # Of different days, only the hours with an offset are compared.
            if (x_moment and y_moment) and (x_end == y_end or None not in {x_moment.utc, y_moment.utc}):
                moment = _MOMENT_CODES[compare_moments(x_moment, y_moment)]
            order = x_start_orders[y_start] << 4 | x_end_orders[y_end]
            code = fit << 17 | x_flags << 14 | y_flags << 11 | order << 3 | moment
            if code in codes:
                codes[code] += 1
            else:
                codes[code] = 1
                pair = compare_pair(x, y, hierarchy, tolerance)
                verdicts[code] = pair.verdict
                if (pair_class := survey.classify(pair)) is not None:
                    classes[code] = pair_class
            if code in classes:
                survey.collected.append((classes[code], x, y))
    for code, verdict in verdicts.items():
        survey.counts[verdict] += codes[code]


def _fit_at_gap(a: _Member, b: _Member, *, is_above: bool) -> int | None:
    """Return how disjoint figures fit of which one is plain; None if the gap is at the limit of rounding."""
    high, low = (a.lower, b.upper) if is_above else (b.lower, a.upper)
    limit = _GAP_SHARE * max(abs(high), abs(low))
    gap = high - low
    if (
        gap > limit * (1 + 1e-9) + _SMALLEST_GAP
        or a.rounding_lower > b.rounding_upper
        or b.rounding_lower > a.rounding_upper
    ):
        return _ABOVE if is_above else _BELOW
    if gap > limit * (1 - 1e-9):
        return None
    # An approximate figure is compared without rounding, and then it matters which one is larger.
    return _ROUNDED_ABOVE if is_above else _ROUNDED_BELOW
