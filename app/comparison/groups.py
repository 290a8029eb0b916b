"""Groups of positions: those that count the same thing from the same start, regardless of their ends."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.comparison.comparability import as_total_for_period
from app.comparison.effective_period import EffectivePeriod, Ordinals, aggregation_class
from app.comparison.figure import kind_of
from app.comparison.hierarchy import Containment, Hierarchy
from app.comparison.statement import Statement


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What the positions of a group have in common.

    `whole` is `out_of`, except for ratios, which are compared as shares. `first_days` are the possible first days of
    totals and rates, and `last_days` the possible last days of all that is no running total. `components` are the atoms
    of the category. `only` is the id of a position that cannot be compared even with others like it, and is None else.
    """

    proposition: str
    dimension: str
    base: str | None
    whole: str | None
    is_forecast: bool
    aggregation_class: str
    per: str | None
    first_days: Ordinals | None
    last_days: Ordinals | None
    components: tuple[str, ...]
    subject: str
    place: str
    includes: tuple[str, ...]
    excludes: tuple[str, ...]
    only: str | None

    @property
    def has_stated_scope(self) -> bool:
        """Whether the sources of the group state which subjects they include or exclude."""
        return bool(self.includes or self.excludes)

    @property
    def sort_key(self) -> tuple[bool, str]:
        """The order of groups that tie: unstated scope last, then by all fields."""
        fields = (getattr(self, name) for name in self.__slots__)
        return not self.has_stated_scope, "\0".join("" if each is None else str(each) for each in fields)


def form_groups(statements: Iterable[Statement], hierarchy: Hierarchy) -> dict[GroupKey, list[Statement]]:
    """Return the positions by the key of their group, in their order.

    A running total is also in the group of the totals for its very period, because it is compared with them.
    """
    groups: dict[GroupKey, list[Statement]] = {}
    running: list[tuple[GroupKey, Statement]] = []
    for statement in statements:
        key = group_key_of(statement, hierarchy)
        groups.setdefault(key, []).append(statement)
        if statement.aggregation == "cumulative":
            running.append((key, statement))
    added: dict[GroupKey, list[tuple[GroupKey, Statement]]] = {}
    for own_key, statement in running:
        key = _build_key(statement, hierarchy, _period_as_total(statement), "within")
        if key in groups and _is_same_period(statement, groups[key]):
            added.setdefault(key, []).append((own_key, statement))
    for key, members in added.items():
        # Running totals of which each could be for other days are not compared with each other.
        like = [statement for own_key, statement in members if own_key.only is None]
        groups[key] += like or ([members[0][1]] if len(members) == 1 else [])
    return groups


def _period_as_total(statement: Statement) -> EffectivePeriod:
    """Return the effective period of a running total, as a total for that period unless its days are certain."""
    effective = statement.effective
    return effective if _is_certain(effective) else as_total_for_period(statement)


def _is_same_period(statement: Statement, totals: Iterable[Statement]) -> bool:
    """Return whether a running total covers the same days as totals for a period that begin and end on its days.

    If its days are not certain, only the same EDTF says so.
    """
    return _is_certain(statement.effective) or all(total.period.edtf == statement.period.edtf for total in totals)


def _is_certain(effective: EffectivePeriod) -> bool:
    return all(days is not None and days[0] == days[1] for days in (effective.start, effective.end))


def group_key_of(statement: Statement, hierarchy: Hierarchy) -> GroupKey:
    """Return the key of the group of a position."""
    return _build_key(statement, hierarchy, statement.effective, statement.aggregation)


def _build_key(statement: Statement, hierarchy: Hierarchy, effective: EffectivePeriod, aggregation: str) -> GroupKey:
    figure = statement.figure
    is_share = statement.proposition == "ratio"
    whole = None if figure.out_of is None else "share" if is_share else str(figure.out_of)
    return GroupKey(
        proposition=statement.proposition,
        dimension=statement.dimension,
        base=statement.base,
        whole=whole,
        is_forecast=statement.is_forecast,
        aggregation_class=aggregation_class(aggregation),
        per=statement.per,
        first_days=None if aggregation == "snapshot" else effective.start,
        last_days=None if aggregation == "cumulative" else effective.end,
        components=hierarchy.components_of(statement.category),
        subject=statement.subject,
        place=statement.place,
        includes=tuple(sorted(statement.includes)),
        excludes=tuple(sorted(statement.excludes)),
        only=None if _is_comparable(statement, hierarchy, effective, aggregation) else statement.id,
    )


def _is_comparable(statement: Statement, hierarchy: Hierarchy, effective: EffectivePeriod, aggregation: str) -> bool:
    """Return whether a position can be compared with others like it: with a copy of itself by another source."""
    start, end = effective.start, effective.end
    if start is None or end is None or (aggregation == "rate" and statement.per is None):
        return False
    if statement.includes & statement.excludes or kind_of(statement.figure, statement.proposition) == "none":
        return False
    if hierarchy.relate_categories(statement.category, statement.category) is Containment.UNSTATED:
        return False
    if start[0] != start[1] and aggregation != "snapshot":
        return False
    can_grow = aggregation == "cumulative" and statement.proposition == "quantity"
    return end[0] == end[1] or (can_grow and hierarchy.is_non_decreasing(statement.category))
