"""Compares two statements: whether they agree, contradict or cannot be compared, with the reasons."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from app.comparison.comparability import (
    Comparability,
    check_comparability,
    is_converted,
    overlap,
    shared_periods,
)
from app.comparison.effective_period import (
    TOTALS,
    EffectivePeriod,
    compare_moments,
)
from app.comparison.figure import Number, NumberInterval, is_near_bound, subtract
from app.comparison.hierarchy import Containment, Hierarchy
from app.comparison.measure import Fit, Measure, facing_ends, fit, fit_below, measure
from app.comparison.statement import Statement
from app.enums import Reason, Verdict

_REASON_RANKS = {reason: rank for rank, reason in enumerate(Reason)}

EndOrder = Literal["earlier", "same", "later"]
"""The end of the period of the first statement, compared with that of the second."""


@dataclass(frozen=True, slots=True)
class PairComparison:
    """The verdict on two statements, by id.

    `ratio` (at least 1) and `gap` compare the facing ends of figures that have no number in common, and `above` is the
    statement with the larger one. The gap is in its unit; that of two ratios is a difference of shares. Two equal
    points have ratio 1 and gap 0.
    """

    a: str
    b: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    ratio: float | None = None
    gap: Number | None = None
    above: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its reasons."""

    verdict: Verdict
    reasons: frozenset[Reason] = frozenset()


def compare_statements(
    a: Statement, b: Statement, hierarchy: Hierarchy, tolerance: float | None = None
) -> PairComparison:
    """Compare two statements by the rules of the contract: comparability, part of a whole, intervals, dates, overlap.

    The comparison is symmetric: swapping the statements only swaps `a` and `b` of the result.

    Args:
        a: A statement.
        b: Another statement.
        hierarchy: The hierarchies of categories, subjects and places.
        tolerance: The relative tolerance of approximate figures, above 0 and up to 1.
    """
    comparability = check_comparability(a, b, hierarchy)
    outcome = decide(a, b, comparability, measure(a, tolerance), measure(b, tolerance))
    pair = PairComparison(a.id, b.id, outcome.verdict, sort_reasons(outcome.reasons))
    if outcome.verdict is Verdict.not_comparable or (
        Reason.part_of_whole in outcome.reasons and outcome.verdict is Verdict.no_conflict
    ):
        return pair
    return add_distance(pair, a, b)


def compare_for_one_end(a: Statement, b: Statement, tolerance: float | None = None) -> PairComparison:
    """Compare the numbers of two statements of one source about one period.

    The period, the components and the scope are the same, even where they are not known.
    """
    notes = frozenset({Reason.unit_converted}) if is_converted(a, b) else frozenset[Reason]()
    comparability = Comparability(frozenset(), Containment.SAME, notes, both_grow=False)
    one, two = measure(a, tolerance), measure(b, tolerance)
    if one is None or two is None:
        return PairComparison(a.id, b.id, Verdict.undetermined, sort_reasons({Reason.vague} | notes))
    outcome = _Comparison(a, b, comparability, one, two, shared_periods(a, b)).compare_at_same_end()
    return add_distance(PairComparison(a.id, b.id, outcome.verdict, sort_reasons(outcome.reasons | notes)), a, b)


def sort_reasons(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the distinct reasons in the order of the enumeration."""
    return tuple(sorted(set(reasons), key=_REASON_RANKS.__getitem__))


def add_distance(pair: PairComparison, a: Statement, b: Statement) -> PairComparison:
    """Return the comparison with the ratio and the gap of the stated numbers, and which statement is above."""
    one, two = measure(a), measure(b)
    if one is None or two is None:
        return pair
    first, second = one.interval, two.interval
    if pair.verdict is Verdict.contradict:
        # Under a tolerance, "nearly 950,000" contradicts 500,000 although its stated interval has no lower bound.
        first, second = _interval_at_bound(a, one), _interval_at_bound(b, two)
    if not first.is_disjoint_from(second):
        is_point = first == second and first.width == 0
        return replace(pair, ratio=_ratio_of_equal(first), gap=0) if is_point else pair
    low, high = facing_ends(first, second)
    upper, scale = (a, one.scale) if first.is_wholly_above(second) else (b, two.scale)
    gap = subtract(high, low) if upper.proposition == "ratio" else subtract(high / scale, low / scale)
    return replace(pair, ratio=ratio_of(high, low), gap=gap, above=upper.id)


def _interval_at_bound(statement: Statement, stated: Measure) -> NumberInterval:
    """Return the interval of a figure, or the only bound of one that lies close to it."""
    interval = stated.interval
    bound = interval.lower if interval.upper is None else interval.upper
    return NumberInterval(bound, bound) if is_near_bound(statement.figure) else interval


def _ratio_of_equal(point: NumberInterval) -> float | None:
    return 1.0 if point.lower is not None and point.lower > 0 else None


def ratio_of(larger: Number, smaller: Number) -> float | None:
    """Return the ratio of two numbers to six decimals; None unless both are positive and it fits a JSON double."""
    if larger <= 0 or smaller <= 0:
        return None
    ratio = float(larger / smaller)
    return round(ratio, 6) if math.isfinite(ratio) else None


def decide(
    a: Statement, b: Statement, comparability: Comparability, one: Measure | None, two: Measure | None
) -> Outcome:
    """Return the verdict on two statements with these numbers, over every day that their periods can mean."""
    if comparability.barriers:
        return Outcome(Verdict.not_comparable, comparability.barriers)
    if one is None or two is None:
        return Outcome(Verdict.undetermined, comparability.notes | {Reason.vague})
    outcome = _Comparison(a, b, comparability, one, two, shared_periods(a, b)).decide()
    if outcome.verdict is Verdict.not_comparable:
        return outcome
    return Outcome(outcome.verdict, outcome.reasons | comparability.notes)


_WEAKEST_FIRST = (Verdict.not_comparable, Verdict.no_conflict, Verdict.agree)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A comparison of two comparable statements that have numbers."""

    a: Statement
    b: Statement
    comparability: Comparability
    one: Measure
    two: Measure
    periods: tuple[EffectivePeriod, EffectivePeriod]

    def decide(self) -> Outcome:
        """Return the verdict over all possible days; undetermined if only some of them give a contradiction."""
        orders = list(self._possible_end_orders())
        by_end = [self._decide_for(order) for order in orders]
        if len(orders) == 1 and not self._may_start_apart():
            return self._with_hours(by_end[0])
        outcomes = list(by_end)
        if self._may_start_apart():
            outcomes.append(Outcome(Verdict.not_comparable, frozenset({Reason.window_differs})))
        return _combine(outcomes, _is_mixed(by_end), self._may_start_apart())

    def _possible_end_orders(self) -> Iterator[EndOrder]:
        one, two = (period.end for period in self.periods)
        if one is None or two is None:
            return
        if one[0] == one[1] and two[0] == two[1]:
            order = self._compare_certain_ends(one[0], two[0])
            yield "same" if not order else "earlier" if order < 0 else "later"
            return
        if one[0] < two[1]:
            yield "earlier"
        if overlap(one, two):
            yield "same"
        if two[0] < one[1]:
            yield "later"

    def _compare_certain_ends(self, one: int, two: int) -> int | None:
        """Return -1, 0 or 1 if the first of two certain last days is earlier, the same or later.

        Totals of what only grows end at an hour: None if it decides and is not known. The hours of different days are
        compared only if both offsets are known, because a day begins earlier in the east.
        """
        by_day = (one > two) - (one < two)
        if not (self.comparability.both_grow and self._is_total_quantity()):
            return by_day
        a, b = (period.moment for period in self.periods)
        if a is None or b is None or (by_day and (a.utc is None or b.utc is None)):
            return by_day
        return compare_moments(a, b)

    def _is_hour_unknown(self) -> bool:
        """Return whether both figures end on one day, at hours of which the order is not known."""
        one, two = (period.end for period in self.periods)
        if one is None or two is None or not one[0] == one[1] == two[0] == two[1]:
            return False
        return self._compare_certain_ends(one[0], two[0]) is None

    def _is_total_quantity(self) -> bool:
        return self.a.proposition == "quantity" and {self.a.aggregation, self.b.aggregation} <= TOTALS

    def _can_grow_in_between(self) -> bool:
        """Return whether the later of two ends can have a larger figure: for running totals, or on one certain day."""
        if not self._is_total_quantity():
            return False
        if self.a.aggregation == self.b.aggregation == "cumulative":
            return True
        one, two = (period.end for period in self.periods)
        return one is not None and one == two and one[0] == one[1]

    def _may_start_apart(self) -> bool:
        """Return whether the periods of comparable statements may start on different days, and are then no match."""
        if Reason.period_within in self.comparability.notes or self.a.aggregation == "snapshot":
            return False
        one, two = (period.start for period in self.periods)
        return one is None or two is None or not one[0] == one[1] == two[0] == two[1]

    def _decide_for(self, order: EndOrder) -> Outcome:
        if self.comparability.relation is Containment.INSIDE:
            return self._compare_part(self.one, self.two, order)
        if self.comparability.relation is Containment.CONTAINS:
            return self._compare_part(self.two, self.one, _reverse(order))
        if order == "same":
            return self.compare_at_same_end()
        if not (self.comparability.both_grow and self._can_grow_in_between()):
            return Outcome(Verdict.not_comparable, frozenset({Reason.window_differs}))
        earlier, later = (self.one, self.two) if order == "earlier" else (self.two, self.one)
        found = fit_below(earlier, later)
        if found is Fit.DISJOINT:
            return self._contradict(Reason.falls)
        if found is Fit.APPROXIMATE:
            return self._undetermined()
        return self._outcome(Verdict.no_conflict, Reason.dates_differ)

    def _compare_part(self, part: Measure, whole: Measure, order: EndOrder) -> Outcome:
        """Return the verdict on a part that ends `order` than its whole."""
        reasons = {Reason.part_of_whole}
        if order != "same" and Reason.period_within not in self.comparability.notes:
            reasons.add(Reason.dates_differ)
        if order == "later" or (order == "earlier" and not self.comparability.both_grow):
            return self._outcome(Verdict.no_conflict, *reasons)
        found = fit_below(part, whole)
        if found is Fit.DISJOINT:
            return self._contradict(Reason.part_of_whole)
        if found is Fit.APPROXIMATE:
            return self._undetermined(Reason.part_of_whole)
        return self._outcome(Verdict.no_conflict, *reasons)

    def compare_at_same_end(self) -> Outcome:
        """Return the verdict on figures for one end, by their numbers alone."""
        one, two = self.one, self.two
        found = fit(one, two)
        if found is Fit.DISJOINT:
            return self._contradict(Reason.disjoint)
        if found is Fit.APPROXIMATE:
            return self._undetermined()
        if found is Fit.ROUNDED:
            both_plain = one.plain is not None and two.plain is not None
            return self._outcome(Verdict.agree if both_plain else Verdict.no_conflict, Reason.rounded)
        if _is_inside(one, two) or _is_inside(two, one):
            return self._outcome(Verdict.agree)
        reasons = []
        if not (one.interval.is_bounded and two.interval.is_bounded):
            reasons.append(Reason.open_end)
        if not (one.interval.is_within(two.interval) or two.interval.is_within(one.interval)):
            reasons.append(Reason.partial_overlap)
        return self._outcome(Verdict.no_conflict, *reasons)

    def _with_hours(self, outcome: Outcome) -> Outcome:
        """Return the outcome, or undetermined if it contradicts only because the hour of an end is not known."""
        # With one of the two orders, nothing contradicts: a total can have grown, and a part can exceed an older whole.
        if outcome.verdict is not Verdict.contradict or not self._is_hour_unknown():
            return outcome
        reasons = outcome.reasons | {Reason.hours_unknown}
        if self.a.effective.is_short and self.b.effective.is_short:
            return Outcome(Verdict.undetermined, reasons - {Reason.disjoint})
        return Outcome(Verdict.contradict, reasons)

    def _contradict(self, *reasons: Reason) -> Outcome:
        """Return the verdict on disjoint figures: undetermined if the source of one does not state its scope."""
        if Reason.scope_unstated in self.comparability.notes:
            return self._outcome(Verdict.undetermined, *(set(reasons) - {Reason.disjoint, Reason.falls}))
        return self._outcome(Verdict.contradict, *reasons)

    def _undetermined(self, *reasons: Reason) -> Outcome:
        return self._outcome(Verdict.undetermined, Reason.approximate, *reasons)

    def _outcome(self, verdict: Verdict, *reasons: Reason) -> Outcome:
        is_probabilistic = verdict is not Verdict.not_comparable and (
            self.a.figure.coverage is not None or self.b.figure.coverage is not None
        )
        return Outcome(verdict, frozenset(reasons) | ({Reason.probabilistic} if is_probabilistic else set()))


def _reverse(order: EndOrder) -> EndOrder:
    return "later" if order == "earlier" else "earlier" if order == "later" else "same"


def _is_mixed(outcomes: Iterable[Outcome]) -> bool:
    return len({outcome.verdict for outcome in outcomes}) > 1


def _combine(outcomes: list[Outcome], ends_matter: bool, starts_matter: bool) -> Outcome:  # noqa: FBT001 - two conditions
    """Return the verdict over several possible days.

    If some contradict and others do not, the verdict is undetermined; else it is the weakest of them.
    """
    uncertain = {Reason.end_uncertain} if ends_matter else set[Reason]()
    if starts_matter:
        uncertain.add(Reason.start_uncertain)
    verdicts = {outcome.verdict for outcome in outcomes}
    undecided = [outcome for outcome in outcomes if outcome.verdict in {Verdict.contradict, Verdict.undetermined}]
    if len(undecided) == len(outcomes):
        verdict = Verdict.contradict if verdicts == {Verdict.contradict} else Verdict.undetermined
        return Outcome(verdict, frozenset().union(*(outcome.reasons for outcome in outcomes)))
    if undecided:
        reasons = frozenset[Reason]().union(*(outcome.reasons for outcome in undecided))
        return Outcome(Verdict.undetermined, (reasons - {Reason.disjoint, Reason.falls}) | uncertain)
    weakest = next(verdict for verdict in _WEAKEST_FIRST if verdict in verdicts)
    chosen = [outcome.reasons for outcome in outcomes if outcome.verdict is weakest]
    return Outcome(weakest, frozenset[Reason]().union(*chosen))


def _is_inside(one: Measure, two: Measure) -> bool:
    """Return whether the value of a figure, or else its whole interval, lies within the bounded other interval."""
    if not two.interval.is_bounded:
        return False
    if one.value is not None:
        return two.interval.contains(one.value)
    return one.interval.is_bounded and one.interval.is_within(two.interval)
