"""The verdict on two statements: whether they agree, contradict, or cannot be compared, and why."""

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
    """A claim as far as its comparison goes; `source` is the holder of the position (through `speaks_for`)."""

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
        """Whether the source says whom it counts or leaves out."""
        return bool(self.includes or self.excludes)

    @property
    def is_forecast(self) -> bool:
        """Whether this is a forecast: a class of its own, never compared with what is said to have happened."""
        return self.modality == "forecast"


@dataclass(frozen=True, slots=True)
class PairComparison:
    """The verdict on two statements (ids); `ratio` (at least 1) and `gap` are of their nearest stated numbers."""

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


def compare_statements(a: Statement, b: Statement, scheme: Hierarchy, tolerance: float | None = None) -> PairComparison:
    """Compare two statements by the five steps of the side-by-side: gate, part of a whole, interval, dates, overlap.

    `tolerance` is the share (above 0 and up to 1) by which approximate figures are widened. Swapping the statements
    swaps `a` and `b` and changes nothing else.
    """
    barred, relation = _check_comparability(a, b, scheme)
    if barred:
        return PairComparison(a.id, b.id, Verdict.not_comparable, sort_reasons(barred), None, None)
    outcome = _Comparison(a, b, relation, scheme, tolerance).decide()
    ratio, gap = measure_distance(a.figure, b.figure) if _has_distance(outcome) else (None, None)
    return PairComparison(a.id, b.id, outcome.verdict, sort_reasons(outcome.reasons), ratio, gap)


def sort_reasons(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons once each, in the order of the vocabulary."""
    return tuple(sorted(set(reasons), key=_REASON_RANKS.__getitem__))


def measure_distance(a: PrintedFigure, b: PrintedFigure) -> tuple[float | None, Number | None]:
    """Give ratio and gap between the nearest numbers of two figures as they were stated.

    The ratio (at least 1, to six decimals) is None unless both numbers are positive, the gap is in the unit of the
    figures. Two equal points have ratio 1 and gap 0; figures that overlap otherwise have neither.
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
    """Divide two numbers, to six decimals; None unless both are positive and the ratio fits a JSON double."""
    if larger <= 0 or smaller <= 0:
        return None
    ratio = larger / smaller
    return round(ratio, 6) if math.isfinite(ratio) else None


def _has_distance(outcome: _ReasonedVerdict) -> bool:
    return outcome.verdict is not Verdict.not_comparable and Reason.part_of_whole not in outcome.reasons


# Step 1 -------------------------------------------------------------------------------------------------------------


def _check_comparability(a: Statement, b: Statement, scheme: Hierarchy) -> tuple[set[Reason], Containment]:
    """Collect what bars the comparison, and tell which of the two is part of the other."""
    barred, relation = _compare_dimensions(a, b, scheme)
    if a.unit != b.unit:
        barred.add(Reason.unit_differs)
    if not has_same_base(a, b):
        barred.add(Reason.base_differs)
    if a.is_forecast != b.is_forecast:
        barred.add(Reason.modality_differs)
    if not _has_same_aggregation(a, b):
        barred.add(Reason.aggregation_differs)
    if (window := find_window_mismatch(a, b)) is not None:
        barred.add(window)
    if "none" in {kind_of(a.figure, a.proposition), kind_of(b.figure, b.proposition)}:
        barred.add(Reason.no_figure)
    return barred, relation


def _compare_dimensions(a: Statement, b: Statement, scheme: Hierarchy) -> tuple[set[Reason], Containment]:
    relations = {
        Reason.components_differ: scheme.relate_categories(a.category, b.category),
        Reason.subject_differs: scheme.relate_subjects(a.subject, b.subject),
        Reason.place_differs: scheme.relate_places(a.place, b.place),
        Reason.scope_differs: relate_scopes(a, b),
    }
    barred = set[Reason]()
    if relations[Reason.components_differ] is Containment.UNSTATED:
        barred.add(Reason.components_unstated)
    differing = {
        reason: relation
        for reason, relation in relations.items()
        if relation not in {Containment.SAME, Containment.UNSTATED}
    }
    ways = set(differing.values())
    if ways <= {Containment.INSIDE} or ways <= {Containment.CONTAINS}:
        return barred, ways.pop() if ways else Containment.SAME
    return barred | differing.keys(), Containment.DISJOINT


def relate_scopes(a: Statement, b: Statement) -> Containment:
    """Tell how the scope (`includes`, `excludes`) of `a` lies to that of `b`; `UNSTATED` where only one states it."""
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
    """Whether both are measured against the same thing, and both or neither are shares of something."""
    shares = {a.figure.out_of is None, b.figure.out_of is None}
    return a.figure.relative_to == b.figure.relative_to and len(shares) == 1


def _has_same_aggregation(a: Statement, b: Statement) -> bool:
    if a.aggregation == b.aggregation:
        return True
    # A running total and a total for one and the same period are one thing.
    return (
        {a.aggregation, b.aggregation} == {"cumulative", "within"}
        and None not in (a.period.earliest_start, a.period.latest_end)
        and (a.period.earliest_start, a.period.latest_end) == (b.period.earliest_start, b.period.latest_end)
    )


def find_window_mismatch(a: Statement, b: Statement) -> Reason | None:
    """Why the starts of the two periods do not match, or None where they do (the days that they can mean overlap)."""
    one, two = possible_start_days(a.period, a.aggregation), possible_start_days(b.period, b.aggregation)
    if one is None or two is None:
        return Reason.window_unknown
    return None if one[0] <= two[1] and two[0] <= one[1] else Reason.window_differs


# Steps 2 to 5 -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two statements that passed the gate; `relation` tells which is part of the other."""

    a: Statement
    b: Statement
    relation: Containment
    hierarchy: Hierarchy
    tolerance: float | None

    def decide(self) -> _ReasonedVerdict:
        """Weigh the figures for every order of the two ends; where the order decides, nobody can."""
        a_days, b_days = self._possible_end_days()
        outcomes = [self._decide_for_ends(a_end, b_end) for a_end, b_end in product(a_days, b_days)]
        reasons = frozenset[Reason]().union(*(outcome.reasons for outcome in outcomes))
        verdicts = {outcome.verdict for outcome in outcomes}
        if len(verdicts) == 1:
            verdict = verdicts.pop()
        else:
            verdict = Verdict.undetermined
            # What one order says of dates, windows and overlaps, another denies.
            reasons = (reasons & _ORDER_INDEPENDENT_REASONS) | {Reason.end_uncertain}
        if relate_scopes(self.a, self.b) is Containment.UNSTATED:
            reasons |= {Reason.scope_unstated}
        return _ReasonedVerdict(verdict, reasons)

    def _possible_end_days(self) -> tuple[DayRange, DayRange]:
        shared = self._shared_aggregation()
        return possible_end_days(self.a.period, shared), possible_end_days(self.b.period, shared)

    def _shared_aggregation(self) -> str:
        # The gate lets different ones pass only where `within` means the same as the running total.
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
        grows = self._shared_aggregation() in {"cumulative", "within"} and self._are_both_non_decreasing()
        if part_end == whole_end or (part_end < whole_end and grows):
            return self._check_not_larger(part, whole, Reason.part_of_whole)
        # It is the dates that leave nothing to test: a part of a later day may well outgrow the whole of an earlier.
        return self._with_vagueness(Verdict.no_conflict, Reason.part_of_whole, Reason.dates_differ)

    def _check_not_larger(self, small: Statement, large: Statement, reason: Reason) -> _ReasonedVerdict:
        """Of two statements of which the first can be no larger: they contradict where it is."""
        one, two = self._interval(small), self._interval(large)
        if one is None or two is None:
            return self._with_vagueness(Verdict.no_conflict, reason)
        if one.is_wholly_above(two):
            # Two totals contradict whatever their dates; a part still needs to be told from a rival.
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
        """The numbers exclude each other; say so, as far as they are firm enough to."""
        found = [*reasons, *self._probabilistic_reasons()]
        verdict = Verdict.contradict
        if self.tolerance is None and (self.a.figure.approximate or self.b.figure.approximate):
            verdict = Verdict.undetermined
            found.append(Reason.approximate)
        if relate_scopes(self.a, self.b) is Containment.UNSTATED:
            verdict = Verdict.undetermined
        return self._with_vagueness(verdict, *found)

    def _with_vagueness(self, verdict: Verdict, *reasons: Reason) -> _ReasonedVerdict:
        vague = not (self.a.figure.has_number and self.b.figure.has_number)
        return _ReasonedVerdict(verdict, frozenset(reasons) | ({Reason.vague} if vague else set()))

    def _probabilistic_reasons(self) -> tuple[Reason, ...]:
        rests_on_chance = self.a.figure.coverage is not None or self.b.figure.coverage is not None
        return (Reason.probabilistic,) if rests_on_chance else ()

    def _interval(self, statement: Statement) -> NumberInterval | None:
        return interval_of(statement.figure, self.tolerance)

    def _are_both_non_decreasing(self) -> bool:
        return self.hierarchy.is_non_decreasing(self.a.category) and self.hierarchy.is_non_decreasing(self.b.category)


_ORDER_INDEPENDENT_REASONS = frozenset({Reason.part_of_whole, Reason.approximate, Reason.probabilistic, Reason.vague})


def _is_inside(figure: PrintedFigure, own: NumberInterval, other: NumberInterval) -> bool:
    """Whether the figure's value, or without one its whole range, lies inside the other with both ends known."""
    if not other.is_bounded:
        return False
    return other.contains(figure.value) if figure.value is not None else own.is_bounded and own.is_within(other)
