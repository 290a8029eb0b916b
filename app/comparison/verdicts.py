"""Compares two statements: whether they agree, contradict or cannot be compared, with the reasons."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from app.comparison.effective_period import (
    TOTALS,
    EffectivePeriod,
    Ordinals,
    aggregation_class,
    compare_moments,
    resolve_period,
)
from app.comparison.figure import Number, NumberInterval, is_near_bound, kind_of, subtract
from app.comparison.hierarchy import Containment, Hierarchy
from app.comparison.measure import Fit, Measure, facing_ends, fit, fit_below, measure
from app.comparison.statement import Statement
from app.comparison.units import canonical_unit
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


@dataclass(frozen=True, slots=True)
class Comparability:
    """What the comparison of two statements depends on besides their numbers and their ends.

    `barriers` are the reasons that prevent it. `relation` says which statement counts a part of the other.
    """

    barriers: frozenset[Reason]
    relation: Containment
    notes: frozenset[Reason]
    both_grow: bool


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


def is_converted(a: Statement, b: Statement) -> bool:
    """Return whether a unit must be converted to compare two figures: one of several spellings needs none."""
    return a.dimension == b.dimension and canonical_unit(a.unit) != canonical_unit(b.unit)


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


# Rules 1 and 2: comparability --------------------------------------------------------------------------------------


def check_comparability(a: Statement, b: Statement, hierarchy: Hierarchy) -> Comparability:
    """Return whether two statements can be compared, and which of them counts a part of the other."""
    nested, barriers, is_unstated = _relate_dimensions(a, b, hierarchy)
    barriers |= _find_differences(a, b)
    notes = {Reason.scope_unstated} if is_unstated else set[Reason]()
    if is_converted(a, b):
        notes.add(Reason.unit_converted)
    # The periods of different aggregation classes have nothing in common that could be compared.
    period = Containment.SAME if Reason.aggregation_differs in barriers else _relate_periods(a, b)
    if period is None:
        barriers.add(Reason.window_unknown)
    different_period = {Reason.window_differs} if period in _DIFFERENT else set[Reason]()
    directions = set(nested.values())
    relation = directions.copy().pop() if directions else period or Containment.SAME
    if barriers or Containment.DISJOINT in directions or len(directions) > 1:
        barriers |= nested.keys() | different_period
    elif period is Containment.DISJOINT or (period in _PARTS and directions - {period}):
        # Only the period prevents the comparison.
        barriers |= different_period
    elif relation in _PARTS and not _adds_up(a, b, hierarchy):
        barriers |= nested.keys() | different_period
    if period in _PARTS:
        notes.add(Reason.period_within)
    both_grow = hierarchy.is_non_decreasing(a.category) and hierarchy.is_non_decreasing(b.category)
    return Comparability(frozenset(barriers), relation, frozenset(notes), both_grow)


_PARTS = frozenset({Containment.INSIDE, Containment.CONTAINS})
_DIFFERENT = _PARTS | {Containment.DISJOINT}


def _find_differences(a: Statement, b: Statement) -> set[Reason]:
    """Return the reasons of the dimensions that must be the same, and cannot be nested."""
    is_rate = {a.aggregation, b.aggregation} == {"rate"}
    checks = (
        (Reason.proposition_differs, a.proposition != b.proposition),
        (Reason.unit_differs, a.dimension != b.dimension),
        (Reason.base_differs, not has_same_base(a, b)),
        (Reason.modality_differs, a.is_forecast != b.is_forecast),
        (Reason.aggregation_differs, aggregation_class(a.aggregation) != aggregation_class(b.aggregation)),
        (Reason.rate_unstated, is_rate and None in {a.per, b.per}),
        (Reason.rate_differs, is_rate and None not in {a.per, b.per} and a.per != b.per),
        (Reason.no_figure, "none" in {kind_of(a.figure, a.proposition), kind_of(b.figure, b.proposition)}),
    )
    return {reason for reason, applies in checks if applies}


def _relate_dimensions(
    a: Statement, b: Statement, hierarchy: Hierarchy
) -> tuple[dict[Reason, Containment], set[Reason], bool]:
    """Return how the dimensions that differ are nested, the barriers, and whether the scope is unstated by one."""
    scope, is_unstated = relate_scopes(a, b)
    relations = {
        Reason.components_differ: hierarchy.relate_categories(a.category, b.category),
        Reason.subject_differs: hierarchy.relate_subjects(a.subject, b.subject),
        Reason.place_differs: hierarchy.relate_places(a.place, b.place),
        Reason.scope_differs: scope,
    }
    barriers = set[Reason]()
    if relations[Reason.components_differ] is Containment.UNSTATED:
        barriers.add(Reason.components_unstated)
    nested: dict[Reason, Containment] = {
        reason: relation
        for reason, relation in relations.items()
        if relation not in {Containment.SAME, Containment.UNSTATED}
    }
    return nested, barriers, is_unstated


def relate_scopes(a: Statement, b: Statement) -> tuple[Containment, bool]:
    """Return how the scope (`includes`, `excludes`) of `a` relates to that of `b`, and whether a part is unstated.

    Each named subject is read by itself. Named by one side only, it is unstated. Left out by one side and counted by
    the other, the first scope lies within the second.
    """
    left_out_by_a, left_out_by_b = a.excludes & b.includes, b.excludes & a.includes
    is_unstated = bool((a.includes | a.excludes) ^ (b.includes | b.excludes))
    if left_out_by_a and left_out_by_b:
        return Containment.DISJOINT, is_unstated
    if left_out_by_a:
        return Containment.INSIDE, is_unstated
    return Containment.CONTAINS if left_out_by_b else Containment.SAME, is_unstated


def has_same_base(a: Statement, b: Statement) -> bool:
    """Return whether both figures are relative to the same base, and are shares of the same whole.

    A ratio is compared as its share, so that only the presence of `out_of` counts.
    """
    one, two = a.figure.out_of, b.figure.out_of
    same_whole = (one is None) == (two is None) if "ratio" in {a.proposition, b.proposition} else one == two
    return a.base == b.base and same_whole


def _adds_up(a: Statement, b: Statement, hierarchy: Hierarchy) -> bool:
    """Return whether a part of one figure cannot exceed the whole of the other."""
    return (
        a.proposition == b.proposition == "quantity"
        and all(each.figure.out_of is None and each.base is None for each in (a, b))
        and hierarchy.is_additive(a.category)
        and hierarchy.is_additive(b.category)
    )


def _relate_periods(a: Statement, b: Statement) -> Containment | None:
    """Return how the period of `a` relates to that of `b` on every day that they can mean; None if it is unknown.

    `SAME` means that they can be the same: two running totals with one possible start, two other periods with the same
    possible days. Rates and snapshots cannot be nested, because they do not add up over time.
    """
    one, two = shared_periods(a, b)
    if one.start is None or two.start is None or one.end is None or two.end is None:
        return None
    if a.aggregation == b.aggregation == "cumulative":
        may_be_same, is_same = _overlap(one.start, two.start), one.start == two.start
    else:
        may_be_same = _overlap(one.start, two.start) and _overlap(one.end, two.end)
        is_same = one.start == two.start and one.end == two.end
    if {a.aggregation, b.aggregation} <= TOTALS and not is_same:
        # Two running totals with one possible start are never nested.
        may_be_nested = not may_be_same or a.aggregation != "cumulative" or b.aggregation != "cumulative"
        if may_be_nested and _lies_within(one, two):
            return Containment.INSIDE
        if may_be_nested and _lies_within(two, one):
            return Containment.CONTAINS
    return Containment.SAME if may_be_same else Containment.DISJOINT


def shared_periods(a: Statement, b: Statement) -> tuple[EffectivePeriod, EffectivePeriod]:
    """Return the effective periods; a running total over the very period of the other is a total for that period."""
    if a.period.edtf == b.period.edtf and {a.aggregation, b.aggregation} == TOTALS:
        return as_total_for_period(a), as_total_for_period(b)
    return a.effective, b.effective


def as_total_for_period(statement: Statement) -> EffectivePeriod:
    """Return the effective period of a total, read as a total for that period."""
    if statement.aggregation == "within":
        return statement.effective
    return resolve_period(
        statement.period,
        "within",
        statement.date,
        statement.date_edtf,
        statement.said_at,
        is_forecast=statement.is_forecast,
    )


def _overlap(one: Ordinals, two: Ordinals) -> bool:
    return one[0] <= two[1] and two[0] <= one[1]


def _lies_within(one: EffectivePeriod, two: EffectivePeriod) -> bool:
    if one.start is None or two.start is None or one.end is None or two.end is None:
        return False
    return one.start[0] >= two.start[1] and one.end[1] <= two.end[0]


# Rules 2 to 5: numbers and dates -----------------------------------------------------------------------------------


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
        if _overlap(one, two):
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
