"""The verdict on two statements: whether they agree, contradict, or cannot be compared, and why."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import product

from app.comparison.figure import Figure, Interval, Number, difference, interval, kind_of
from app.comparison.hierarchy import Relation, Scheme
from app.comparison.period import Days, Period, end_days, start_days
from app.enums import Reason, Verdict

_ORDER = {reason: rank for rank, reason in enumerate(Reason)}


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
    figure: Figure
    period: Period
    aggregation: str
    date: date | None
    includes: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()

    @property
    def scope_stated(self) -> bool:
        """Whether the source says whom it counts or leaves out."""
        return bool(self.includes or self.excludes)

    @property
    def is_forecast(self) -> bool:
        """Whether this is a forecast: a class of its own, never compared with what is said to have happened."""
        return self.modality == "forecast"


@dataclass(frozen=True, slots=True)
class Pair:
    """The verdict on two statements (ids); `ratio` (at least 1) and `gap` are of their nearest stated numbers."""

    a: str
    b: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    ratio: float | None
    gap: Number | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    verdict: Verdict
    reasons: frozenset[Reason] = frozenset()


def compare(a: Statement, b: Statement, scheme: Scheme, tolerance: float | None = None) -> Pair:
    """Compare two statements by the five steps of the side-by-side: gate, part of a whole, interval, dates, overlap.

    `tolerance` is the share (above 0 and up to 1) by which approximate figures are widened. Swapping the statements
    swaps `a` and `b` and changes nothing else.
    """
    barred, relation = _gate(a, b, scheme)
    if barred:
        return Pair(a.id, b.id, Verdict.not_comparable, in_order(barred), None, None)
    outcome = _Weighing(a, b, relation, scheme, tolerance).outcome()
    ratio, gap = distance(a.figure, b.figure) if _has_distance(outcome) else (None, None)
    return Pair(a.id, b.id, outcome.verdict, in_order(outcome.reasons), ratio, gap)


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons once each, in the order of the vocabulary."""
    return tuple(sorted(set(reasons), key=_ORDER.__getitem__))


def distance(a: Figure, b: Figure) -> tuple[float | None, Number | None]:
    """Give ratio and gap between the nearest numbers of two figures as they were stated.

    The ratio (at least 1, to six decimals) is None unless both numbers are positive, the gap is in the unit of the
    figures. Two equal points have ratio 1 and gap 0; figures that overlap otherwise have neither.
    """
    one, two = interval(a), interval(b)
    if one is None or two is None:
        return None, None
    if two.wholly_above(one):
        one, two = two, one
    high, low = one.lower, two.upper
    if high is None or low is None or not (one.wholly_above(two) or one == two == Interval(high, high)):
        return None, None
    return ratio_of(high, low), difference(high, low)


def ratio_of(larger: Number, smaller: Number) -> float | None:
    """Divide two numbers, to six decimals; None unless both are positive and the ratio fits a JSON double."""
    if larger <= 0 or smaller <= 0:
        return None
    ratio = larger / smaller
    return round(ratio, 6) if math.isfinite(ratio) else None


def _has_distance(outcome: _Outcome) -> bool:
    return outcome.verdict is not Verdict.not_comparable and Reason.part_of_whole not in outcome.reasons


# Step 1 -------------------------------------------------------------------------------------------------------------


def _gate(a: Statement, b: Statement, scheme: Scheme) -> tuple[set[Reason], Relation]:
    """Collect what bars the comparison, and tell which of the two is part of the other."""
    barred, relation = _dimensions(a, b, scheme)
    if a.unit != b.unit:
        barred.add(Reason.unit_differs)
    if not same_base(a, b):
        barred.add(Reason.base_differs)
    if a.is_forecast != b.is_forecast:
        barred.add(Reason.modality_differs)
    if not _same_aggregation(a, b):
        barred.add(Reason.aggregation_differs)
    if (window := window_reason(a, b)) is not None:
        barred.add(window)
    if "none" in {kind_of(a.figure, a.proposition), kind_of(b.figure, b.proposition)}:
        barred.add(Reason.no_figure)
    return barred, relation


def _dimensions(a: Statement, b: Statement, scheme: Scheme) -> tuple[set[Reason], Relation]:
    relations = {
        Reason.components_differ: scheme.category_relation(a.category, b.category),
        Reason.subject_differs: scheme.subject_relation(a.subject, b.subject),
        Reason.place_differs: scheme.place_relation(a.place, b.place),
        Reason.scope_differs: scope_relation(a, b),
    }
    barred = set[Reason]()
    if relations[Reason.components_differ] is Relation.UNSTATED:
        barred.add(Reason.components_unstated)
    differing = {
        reason: relation for reason, relation in relations.items() if relation not in {Relation.SAME, Relation.UNSTATED}
    }
    ways = set(differing.values())
    if ways <= {Relation.INSIDE} or ways <= {Relation.AROUND}:
        return barred, ways.pop() if ways else Relation.SAME
    return barred | differing.keys(), Relation.APART


def scope_relation(a: Statement, b: Statement) -> Relation:
    """Tell how the scope (`includes`, `excludes`) of `a` lies to that of `b`; `UNSTATED` where only one states it."""
    if a.scope_stated != b.scope_stated:
        return Relation.UNSTATED
    if (a.includes, a.excludes) == (b.includes, b.excludes):
        return Relation.SAME
    if a.includes <= b.includes and a.excludes >= b.excludes:
        return Relation.INSIDE
    if b.includes <= a.includes and b.excludes >= a.excludes:
        return Relation.AROUND
    return Relation.APART


def same_base(a: Statement, b: Statement) -> bool:
    """Whether both are measured against the same thing, and both or neither are shares of something."""
    shares = {a.figure.out_of is None, b.figure.out_of is None}
    return a.figure.relative_to == b.figure.relative_to and len(shares) == 1


def _same_aggregation(a: Statement, b: Statement) -> bool:
    if a.aggregation == b.aggregation:
        return True
    # A running total and a total for one and the same period are one thing.
    return (
        {a.aggregation, b.aggregation} == {"cumulative", "within"}
        and None not in (a.period.first, a.period.last)
        and (a.period.first, a.period.last) == (b.period.first, b.period.last)
    )


def window_reason(a: Statement, b: Statement) -> Reason | None:
    """Why the starts of the two periods do not match, or None where they do (the days that they can mean overlap)."""
    one, two = start_days(a.period, a.aggregation), start_days(b.period, b.aggregation)
    if one is None or two is None:
        return Reason.window_unknown
    return None if one[0] <= two[1] and two[0] <= one[1] else Reason.window_differs


# Steps 2 to 5 -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Weighing:
    """Two statements that passed the gate; `relation` tells which is part of the other."""

    a: Statement
    b: Statement
    relation: Relation
    scheme: Scheme
    tolerance: float | None

    def outcome(self) -> _Outcome:
        """Weigh the figures for every order of the two ends; where the order decides, nobody can."""
        a_days, b_days = self._ends()
        outcomes = [self._for_ends(a_end, b_end) for a_end, b_end in product(a_days, b_days)]
        reasons = frozenset[Reason]().union(*(outcome.reasons for outcome in outcomes))
        verdicts = {outcome.verdict for outcome in outcomes}
        if len(verdicts) == 1:
            verdict = verdicts.pop()
        else:
            verdict = Verdict.undetermined
            # What one order says of dates, windows and overlaps, another denies.
            reasons = (reasons & _WHATEVER_THE_ORDER) | {Reason.end_uncertain}
        if scope_relation(self.a, self.b) is Relation.UNSTATED:
            reasons |= {Reason.scope_unstated}
        return _Outcome(verdict, reasons)

    def _ends(self) -> tuple[Days, Days]:
        shared = self._aggregation()
        return end_days(self.a.period, shared), end_days(self.b.period, shared)

    def _aggregation(self) -> str:
        # The gate lets different ones pass only where `within` means the same as the running total.
        return self.a.aggregation if self.a.aggregation == self.b.aggregation else "cumulative"

    def _for_ends(self, a_end: date, b_end: date) -> _Outcome:
        if self.relation is Relation.INSIDE:
            return self._part(self.a, a_end, self.b, b_end)
        if self.relation is Relation.AROUND:
            return self._part(self.b, b_end, self.a, a_end)
        if a_end == b_end:
            return self._same_end()
        if self._aggregation() != "cumulative" or not self._both_grow():
            return self._found(Verdict.not_comparable, Reason.window_differs)
        earlier, later = (self.a, self.b) if a_end < b_end else (self.b, self.a)
        return self._test(earlier, later, Reason.dates_differ)

    def _part(self, part: Statement, part_end: date, whole: Statement, whole_end: date) -> _Outcome:
        grows = self._aggregation() in {"cumulative", "within"} and self._both_grow()
        if part_end == whole_end or (part_end < whole_end and grows):
            return self._test(part, whole, Reason.part_of_whole)
        # It is the dates that leave nothing to test: a part of a later day may well outgrow the whole of an earlier.
        return self._found(Verdict.no_conflict, Reason.part_of_whole, Reason.dates_differ)

    def _test(self, small: Statement, large: Statement, reason: Reason) -> _Outcome:
        """Of two statements of which the first can be no larger: they contradict where it is."""
        one, two = self._interval(small), self._interval(large)
        if one is None or two is None:
            return self._found(Verdict.no_conflict, reason)
        if one.wholly_above(two):
            # Two totals contradict whatever their dates; a part still needs to be told from a rival.
            return self._against(*((reason,) if reason is Reason.part_of_whole else ()))
        return self._found(Verdict.no_conflict, reason, *self._chances())

    def _same_end(self) -> _Outcome:
        one, two = self._interval(self.a), self._interval(self.b)
        if one is None or two is None:
            return self._found(Verdict.undetermined)
        if one.disjoint(two):
            return self._against()
        if _lies_inside(self.a.figure, one, two) or _lies_inside(self.b.figure, two, one):
            return self._found(Verdict.agree, *self._chances())
        reasons = list(self._chances())
        if not (one.bounded and two.bounded):
            reasons.append(Reason.open_end)
        if not (one.within(two) or two.within(one)):
            reasons.append(Reason.partial_overlap)
        return self._found(Verdict.no_conflict, *reasons)

    def _against(self, *reasons: Reason) -> _Outcome:
        """The numbers exclude each other; say so, as far as they are firm enough to."""
        found = [*reasons, *self._chances()]
        verdict = Verdict.contradict
        if self.tolerance is None and (self.a.figure.approximate or self.b.figure.approximate):
            verdict = Verdict.undetermined
            found.append(Reason.approximate)
        if scope_relation(self.a, self.b) is Relation.UNSTATED:
            verdict = Verdict.undetermined
        return self._found(verdict, *found)

    def _found(self, verdict: Verdict, *reasons: Reason) -> _Outcome:
        vague = not (self.a.figure.has_number and self.b.figure.has_number)
        return _Outcome(verdict, frozenset(reasons) | ({Reason.vague} if vague else set()))

    def _chances(self) -> tuple[Reason, ...]:
        rests_on_chance = self.a.figure.coverage is not None or self.b.figure.coverage is not None
        return (Reason.probabilistic,) if rests_on_chance else ()

    def _interval(self, statement: Statement) -> Interval | None:
        return interval(statement.figure, self.tolerance)

    def _both_grow(self) -> bool:
        return self.scheme.only_grows(self.a.category) and self.scheme.only_grows(self.b.category)


_WHATEVER_THE_ORDER = frozenset({Reason.part_of_whole, Reason.approximate, Reason.probabilistic, Reason.vague})


def _lies_inside(figure: Figure, own: Interval, other: Interval) -> bool:
    """Whether the figure's value, or without one its whole range, lies inside the other with both ends known."""
    if not other.bounded:
        return False
    return other.contains(figure.value) if figure.value is not None else own.bounded and own.within(other)
