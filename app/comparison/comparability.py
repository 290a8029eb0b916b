"""Whether two statements can be compared, and whether one counts a part of what the other counts."""

from dataclasses import dataclass

from app.comparison.effective_period import TOTALS, EffectivePeriod, Ordinals, aggregation_class, resolve_period
from app.comparison.figure import kind_of
from app.comparison.hierarchy import Containment, Hierarchy
from app.comparison.statement import Statement
from app.comparison.units import canonical_unit
from app.enums import Reason


@dataclass(frozen=True, slots=True)
class Comparability:
    """What the comparison of two statements depends on besides their numbers and their ends.

    `barriers` are the reasons that prevent it. `relation` says which statement counts a part of the other.
    """

    barriers: frozenset[Reason]
    relation: Containment
    notes: frozenset[Reason]
    both_grow: bool


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


def is_converted(a: Statement, b: Statement) -> bool:
    """Return whether a unit must be converted to compare two figures: one of several spellings needs none."""
    return a.dimension == b.dimension and canonical_unit(a.unit) != canonical_unit(b.unit)


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
        may_be_same, is_same = overlap(one.start, two.start), one.start == two.start
    else:
        may_be_same = overlap(one.start, two.start) and overlap(one.end, two.end)
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


def overlap(one: Ordinals, two: Ordinals) -> bool:
    """Return whether two spans of possible days have a day in common."""
    return one[0] <= two[1] and two[0] <= one[1]


def _lies_within(one: EffectivePeriod, two: EffectivePeriod) -> bool:
    if one.start is None or two.start is None or one.end is None or two.end is None:
        return False
    return one.start[0] >= two.start[1] and one.end[1] <= two.end[0]
