"""Compares two statements: whether they agree, contradict or cannot be compared, with the reasons."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import product

from app.comparison.figure import Number, NumberInterval, PrintedFigure, interval_of, kind_of, subtract
from app.comparison.hierarchy import Containment, Hierarchy
from app.comparison.period import DayRange, EdtfPeriod, possible_end_days, possible_start_days
from app.enums import Reason, Verdict

_REASON_RANKS = {reason: rank for rank, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True)
class Statement:
    """The fields of a claim that a comparison needs. `source` is the holder of the position (through `speaks_for`)."""

    id: str
    source: str
    category: str
    subject: str
    place: str
    unit: str
    proposition: str
    modality: str
    derivation: str
    figure: PrintedFigure
    period: EdtfPeriod
    aggregation: str
    date: date | None
    includes: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()

    @property
    def has_stated_scope(self) -> bool:
        """Whether the source states which groups it includes or excludes."""
        return bool(self.includes or self.excludes)

    @property
    def is_forecast(self) -> bool:
        """Whether this is a forecast, which is only compared with other forecasts."""
        return self.modality == "forecast"


@dataclass(frozen=True, slots=True)
class PairComparison:
    """The verdict on two statements, by id. `ratio` (at least 1) and `gap` compare their nearest stated numbers."""

    a: str
    b: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    ratio: float | None
    gap: Number | None


@dataclass(frozen=True, slots=True)
class _ReasonedVerdict:
    verdict: Verdict
    reasons: frozenset[Reason] = frozenset()


def compare_statements(
    a: Statement, b: Statement, hierarchy: Hierarchy, tolerance: float | None = None
) -> PairComparison:
    """Compare two statements in five steps: comparability, part of a whole, intervals, dates, overlap.

    The comparison is symmetric: swapping the statements only swaps `a` and `b` of the result.

    Args:
        a: A statement.
        b: Another statement.
        hierarchy: The hierarchies of categories, subjects and places.
        tolerance: The relative tolerance of approximate figures, above 0 and up to 1.
    """
    barriers, relation = _check_comparability(a, b, hierarchy)
    if barriers:
        return PairComparison(a.id, b.id, Verdict.not_comparable, sort_reasons(barriers), None, None)
    outcome = _Comparison(a, b, relation, hierarchy, tolerance).decide()
    ratio, gap = measure_distance(a.figure, b.figure) if _has_distance(outcome) else (None, None)
    return PairComparison(a.id, b.id, outcome.verdict, sort_reasons(outcome.reasons), ratio, gap)


def sort_reasons(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the distinct reasons in the order of the enumeration."""
    return tuple(sorted(set(reasons), key=_REASON_RANKS.__getitem__))


def measure_distance(a: PrintedFigure, b: PrintedFigure) -> tuple[float | None, Number | None]:
    """Return the ratio and the gap between the nearest stated numbers of two figures.

    The ratio (at least 1, rounded to six decimals) is None unless both numbers are positive. The gap is in the unit of
    the figures. Two equal points have ratio 1 and gap 0; other overlapping figures have neither.
    """
    one, two = interval_of(a), interval_of(b)
    if one is None or two is None:
        return None, None
    if two.is_wholly_above(one):
        one, two = two, one
    high, low = one.lower, two.upper
    if high is None or low is None or not (one.is_wholly_above(two) or one == two == NumberInterval(high, high)):
        return None, None
    return ratio_of(high, low), subtract(high, low)


def ratio_of(larger: Number, smaller: Number) -> float | None:
    """Return the ratio of two numbers to six decimals; None unless both are positive and it fits a JSON double."""
    if larger <= 0 or smaller <= 0:
        return None
    ratio = larger / smaller
    return round(ratio, 6) if math.isfinite(ratio) else None


def _has_distance(outcome: _ReasonedVerdict) -> bool:
    return outcome.verdict is not Verdict.not_comparable and Reason.part_of_whole not in outcome.reasons


# Step 1 -------------------------------------------------------------------------------------------------------------


def _check_comparability(a: Statement, b: Statement, hierarchy: Hierarchy) -> tuple[set[Reason], Containment]:
    """Return the reasons that prevent a comparison, and which of the two statements is part of the other."""
    barriers, relation = _compare_dimensions(a, b, hierarchy)
    if a.unit != b.unit:
        barriers.add(Reason.unit_differs)
    if not has_same_base(a, b):
        barriers.add(Reason.base_differs)
    if a.is_forecast != b.is_forecast:
        barriers.add(Reason.modality_differs)
    if not _has_same_aggregation(a, b):
        barriers.add(Reason.aggregation_differs)
    if (window := find_window_mismatch(a, b)) is not None:
        barriers.add(window)
    if "none" in {kind_of(a.figure, a.proposition), kind_of(b.figure, b.proposition)}:
        barriers.add(Reason.no_figure)
    return barriers, relation


def _compare_dimensions(a: Statement, b: Statement, hierarchy: Hierarchy) -> tuple[set[Reason], Containment]:
    relations = {
        Reason.components_differ: hierarchy.relate_categories(a.category, b.category),
        Reason.subject_differs: hierarchy.relate_subjects(a.subject, b.subject),
        Reason.place_differs: hierarchy.relate_places(a.place, b.place),
        Reason.scope_differs: relate_scopes(a, b),
    }
    barriers = set[Reason]()
    if relations[Reason.components_differ] is Containment.UNSTATED:
        barriers.add(Reason.components_unstated)
    differing = {
        reason: relation
        for reason, relation in relations.items()
        if relation not in {Containment.SAME, Containment.UNSTATED}
    }
    directions = set(differing.values())
    if directions <= {Containment.INSIDE} or directions <= {Containment.CONTAINS}:
        return barriers, directions.pop() if directions else Containment.SAME
    return barriers | differing.keys(), Containment.DISJOINT


def relate_scopes(a: Statement, b: Statement) -> Containment:
    """Return how the scope (`includes`, `excludes`) of `a` relates to that of `b`; `UNSTATED` if only one states it."""
    if a.has_stated_scope != b.has_stated_scope:
        return Containment.UNSTATED
    if (a.includes, a.excludes) == (b.includes, b.excludes):
        return Containment.SAME
    if a.includes <= b.includes and a.excludes >= b.excludes:
        return Containment.INSIDE
    if b.includes <= a.includes and b.excludes >= a.excludes:
        return Containment.CONTAINS
    return Containment.DISJOINT


def has_same_base(a: Statement, b: Statement) -> bool:
    """Return whether both figures are relative to the same subject, and both or neither are shares."""
    shares = {a.figure.out_of is None, b.figure.out_of is None}
    return a.figure.relative_to == b.figure.relative_to and len(shares) == 1


def _has_same_aggregation(a: Statement, b: Statement) -> bool:
    if a.aggregation == b.aggregation:
        return True
    # For the same period, a running total and a total for the period are the same quantity.
    return (
        {a.aggregation, b.aggregation} == {"cumulative", "within"}
        and None not in (a.period.earliest_start, a.period.latest_end)
        and (a.period.earliest_start, a.period.latest_end) == (b.period.earliest_start, b.period.latest_end)
    )


def find_window_mismatch(a: Statement, b: Statement) -> Reason | None:
    """Return the reason why the period starts do not match, or None if their possible first days overlap."""
    one, two = possible_start_days(a.period, a.aggregation), possible_start_days(b.period, b.aggregation)
    if one is None or two is None:
        return Reason.window_unknown
    return None if one[0] <= two[1] and two[0] <= one[1] else Reason.window_differs


# Steps 2 to 5 -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A comparison of two comparable statements. `relation` says which of them is part of the other."""

    a: Statement
    b: Statement
    relation: Containment
    hierarchy: Hierarchy
    tolerance: float | None

    def decide(self) -> _ReasonedVerdict:
        """Return the verdict for all possible orders of the period ends; undetermined if it depends on the order."""
        a_days, b_days = self._possible_end_days()
        outcomes = [self._decide_for_ends(a_end, b_end) for a_end, b_end in product(a_days, b_days)]
        reasons = frozenset[Reason]().union(*(outcome.reasons for outcome in outcomes))
        verdicts = {outcome.verdict for outcome in outcomes}
        if len(verdicts) == 1:
            verdict = verdicts.pop()
        else:
            verdict = Verdict.undetermined
            # Reasons about dates, windows and overlaps hold for one order of the ends only.
            reasons = (reasons & _ORDER_INDEPENDENT_REASONS) | {Reason.end_uncertain}
        if relate_scopes(self.a, self.b) is Containment.UNSTATED:
            reasons |= {Reason.scope_unstated}
        return _ReasonedVerdict(verdict, reasons)

    def _possible_end_days(self) -> tuple[DayRange, DayRange]:
        shared = self._shared_aggregation()
        return possible_end_days(self.a.period, shared), possible_end_days(self.b.period, shared)

    def _shared_aggregation(self) -> str:
        # Comparable statements differ only if `within` is the same quantity as the running total.
        return self.a.aggregation if self.a.aggregation == self.b.aggregation else "cumulative"

    def _decide_for_ends(self, a_end: date, b_end: date) -> _ReasonedVerdict:
        if self.relation is Containment.INSIDE:
            return self._compare_part_with_whole(self.a, a_end, self.b, b_end)
        if self.relation is Containment.CONTAINS:
            return self._compare_part_with_whole(self.b, b_end, self.a, a_end)
        if a_end == b_end:
            return self._compare_at_same_end()
        if self._shared_aggregation() != "cumulative" or not self._are_both_non_decreasing():
            return self._with_vagueness(Verdict.not_comparable, Reason.window_differs)
        earlier, later = (self.a, self.b) if a_end < b_end else (self.b, self.a)
        return self._check_not_larger(earlier, later, Reason.dates_differ)

    def _compare_part_with_whole(
        self, part: Statement, part_end: date, whole: Statement, whole_end: date
    ) -> _ReasonedVerdict:
        is_non_decreasing = self._shared_aggregation() in {"cumulative", "within"} and self._are_both_non_decreasing()
        if part_end == whole_end or (part_end < whole_end and is_non_decreasing):
            return self._check_not_larger(part, whole, Reason.part_of_whole)
        # The dates allow no test: a part at a later day may exceed the whole at an earlier day.
        return self._with_vagueness(Verdict.no_conflict, Reason.part_of_whole, Reason.dates_differ)

    def _check_not_larger(self, small: Statement, large: Statement, reason: Reason) -> _ReasonedVerdict:
        """Return the verdict for two statements of which `small` must not exceed `large`."""
        one, two = self._interval(small), self._interval(large)
        if one is None or two is None:
            return self._with_vagueness(Verdict.no_conflict, reason)
        if one.is_wholly_above(two):
            # For two totals the dates do not matter. For a part, the reason shows that it is not a rival figure.
            return self._contradict(*((reason,) if reason is Reason.part_of_whole else ()))
        return self._with_vagueness(Verdict.no_conflict, reason, *self._probabilistic_reasons())

    def _compare_at_same_end(self) -> _ReasonedVerdict:
        one, two = self._interval(self.a), self._interval(self.b)
        if one is None or two is None:
            return self._with_vagueness(Verdict.undetermined)
        if one.is_disjoint_from(two):
            return self._contradict()
        if _is_inside(self.a.figure, one, two) or _is_inside(self.b.figure, two, one):
            return self._with_vagueness(Verdict.agree, *self._probabilistic_reasons())
        reasons = list(self._probabilistic_reasons())
        if not (one.is_bounded and two.is_bounded):
            reasons.append(Reason.open_end)
        if not (one.is_within(two) or two.is_within(one)):
            reasons.append(Reason.partial_overlap)
        return self._with_vagueness(Verdict.no_conflict, *reasons)

    def _contradict(self, *reasons: Reason) -> _ReasonedVerdict:
        """Return the verdict for disjoint intervals: contradict, or undetermined if the figures are not firm."""
        all_reasons = [*reasons, *self._probabilistic_reasons()]
        verdict = Verdict.contradict
        if self.tolerance is None and (self.a.figure.approximate or self.b.figure.approximate):
            verdict = Verdict.undetermined
            all_reasons.append(Reason.approximate)
        if relate_scopes(self.a, self.b) is Containment.UNSTATED:
            verdict = Verdict.undetermined
        return self._with_vagueness(verdict, *all_reasons)

    def _with_vagueness(self, verdict: Verdict, *reasons: Reason) -> _ReasonedVerdict:
        vague = not (self.a.figure.has_number and self.b.figure.has_number)
        return _ReasonedVerdict(verdict, frozenset(reasons) | ({Reason.vague} if vague else set()))

    def _probabilistic_reasons(self) -> tuple[Reason, ...]:
        is_probabilistic = self.a.figure.coverage is not None or self.b.figure.coverage is not None
        return (Reason.probabilistic,) if is_probabilistic else ()

    def _interval(self, statement: Statement) -> NumberInterval | None:
        return interval_of(statement.figure, self.tolerance)

    def _are_both_non_decreasing(self) -> bool:
        return self.hierarchy.is_non_decreasing(self.a.category) and self.hierarchy.is_non_decreasing(self.b.category)


_ORDER_INDEPENDENT_REASONS = frozenset({Reason.part_of_whole, Reason.approximate, Reason.probabilistic, Reason.vague})


def _is_inside(figure: PrintedFigure, own: NumberInterval, other: NumberInterval) -> bool:
    """Return whether the value of a figure, or else its whole interval, lies within a bounded `other` interval."""
    if not other.is_bounded:
        return False
    return other.contains(figure.value) if figure.value is not None else own.is_bounded and own.is_within(other)
