"""The spread of the positions on one question: their smallest and largest stated numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from app.comparison.comparability import check_comparability
from app.comparison.figure import Number, normalize_number
from app.comparison.groups import GroupKey, form_groups
from app.comparison.hierarchy import Hierarchy
from app.comparison.measure import Measure, measure
from app.comparison.positions import position_sort_key
from app.comparison.question import DEFAULT_WINDOW_DAYS, Question
from app.comparison.statement import Statement
from app.comparison.verdicts import ratio_of, sort_reasons
from app.enums import Reason


@dataclass(frozen=True, slots=True)
class MeasuredSpread:
    """The spread of one group of positions. It has only numbers that sources stated.

    The numbers are in `unit`. `left_out` lists all other positions with the reasons for their exclusion.
    """

    lower: Number | None
    upper: Number | None
    ratio: float | None
    unit: str | None
    sources: int
    open_lower: bool
    open_upper: bool
    left_out: tuple[tuple[str, tuple[Reason, ...]], ...]
    included: tuple[str, ...] = field(default=(), compare=False)
    """The positions that count, by id."""


def measure_spread(
    positions: Iterable[Statement], question: Question, hierarchy: Hierarchy, window: int = DEFAULT_WINDOW_DAYS
) -> MeasuredSpread:
    """Return the spread of the group of positions that answers exactly this question.

    It is the group with the category, subject and place of the question that has the most sources, then the newest end.
    Of it, the positions count that end within `window` days of the newest, or on one day if the figure does not only
    grow. Without any position its numbers are None and `sources` is 0.
    """
    ordered = sorted(positions, key=position_sort_key)
    on_question = (statement for statement in ordered if is_on_question(statement, question, hierarchy))
    selected = _select_group(on_question, hierarchy, window)
    if selected is None:
        reasons = {statement.id: _find_mismatch(statement, question, hierarchy) for statement in ordered}
        return _build_spread([], hierarchy, tuple(reasons.items()))
    group, included = selected
    included_ids = {statement.id for statement in included}
    group_ids = {statement.id for statement in group}
    left_out: list[tuple[str, tuple[Reason, ...]]] = []
    for statement in ordered:
        if statement.id in included_ids:
            continue
        if statement.id in group_ids:  # it ends too early
            left_out.append((statement.id, (Reason.dates_differ,)))
        else:
            left_out.append((statement.id, _find_difference(statement, group[0], question, hierarchy)))
    return _build_spread(included, hierarchy, tuple(left_out))


def measure_largest_group(
    positions: Iterable[Statement], hierarchy: Hierarchy, window: int = DEFAULT_WINDOW_DAYS
) -> MeasuredSpread:
    """Return the spread of the group of positions that has the most sources, then the newest end.

    Of it, the same positions count as in `measure_spread`. `left_out` is empty.
    """
    selected = _select_group(sorted(positions, key=position_sort_key), hierarchy, window)
    return _build_spread([] if selected is None else selected[1], hierarchy, ())


def _select_group(
    positions: Iterable[Statement], hierarchy: Hierarchy, window: int
) -> tuple[list[Statement], list[Statement]] | None:
    """Return the group with the most sources, then the newest end, and its positions that count; None without any."""
    groups = form_groups(positions, hierarchy)
    if not groups:
        return None
    key = min(groups, key=lambda key: _group_rank(key, groups[key]))
    group = groups[key]
    return group, group if key.last_days is not None else _select_newest(group, hierarchy, window)


def is_on_question(statement: Statement, question: Question, hierarchy: Hierarchy) -> bool:
    """Return whether a position has exactly the category, subject and place of the question."""
    return not _find_mismatch(statement, question, hierarchy)


def _group_rank(key: GroupKey, group: Sequence[Statement]) -> tuple[int, int, tuple[bool, str]]:
    sources = {statement.source for statement in group}
    newest = key.last_days[0] if key.last_days is not None else max(_end_of(statement) for statement in group)
    return -len(sources), -newest, key.sort_key


def _end_of(statement: Statement) -> int:
    end = statement.effective.end
    return 0 if end is None else end[0]


def _select_newest(group: Sequence[Statement], hierarchy: Hierarchy, window: int) -> list[Statement]:
    """Return the positions of a group of running totals that count: those that do not end too early."""
    grows = all(
        statement.proposition == "quantity" and hierarchy.is_non_decreasing(statement.category) for statement in group
    )
    days = window if grows else 0
    latest = max(_end_of(statement) for statement in group)
    return [statement for statement in group if latest - _end_of(statement) <= days]


def _find_difference(
    statement: Statement, member: Statement, question: Question, hierarchy: Hierarchy
) -> tuple[Reason, ...]:
    """Return the reasons why a position is not in the group of `member`."""
    reasons = set(_find_mismatch(statement, question, hierarchy))
    comparability = check_comparability(statement, member, hierarchy)
    reasons |= comparability.barriers
    if not reasons:
        same_scope = (statement.includes, statement.excludes) == (member.includes, member.excludes)
        reasons = {Reason.window_differs if same_scope else Reason.scope_differs}
    return sort_reasons(reasons)


def _find_mismatch(statement: Statement, question: Question, hierarchy: Hierarchy) -> tuple[Reason, ...]:
    """Return the reasons why a position does not have the category, subject and place of the question."""
    components = (hierarchy.components_of(slug) for slug in (statement.category, question.category))
    checks = (
        (Reason.subject_differs, question.subject not in {None, statement.subject}),
        (Reason.place_differs, question.place not in {None, statement.place}),
        (Reason.components_differ, len(set(components)) > 1),
    )
    return sort_reasons(reason for reason, applies in checks if applies)


def _build_spread(
    included: Sequence[Statement], hierarchy: Hierarchy, left_out: tuple[tuple[str, tuple[Reason, ...]], ...]
) -> MeasuredSpread:
    is_share = any(statement.proposition == "ratio" and statement.figure.out_of is not None for statement in included)
    unit = None if is_share else _common_unit(included, hierarchy)
    measures = [measured for statement in included if (measured := measure(statement)) is not None]
    numbers = [number for measured in measures for number in _stated_numbers(measured)]
    lower, upper = min(numbers, default=None), max(numbers, default=None)
    sources = len({statement.source for statement in included})
    return MeasuredSpread(
        lower=_in_unit(lower, included, unit),
        upper=_in_unit(upper, included, unit),
        ratio=None if lower is None or upper is None or sources < MIN_SOURCES_OF_RATIO else ratio_of(upper, lower),
        unit=unit,
        sources=sources,
        open_lower=any(measured.interval.lower is None for measured in measures),
        open_upper=any(measured.interval.upper is None for measured in measures),
        left_out=left_out,
        included=tuple(statement.id for statement in included),
    )


MIN_SOURCES_OF_RATIO = 2
"""A ratio compares the numbers of at least two sources."""


def _stated_numbers(measured: Measure) -> list[Number]:
    numbers = (measured.value, measured.interval.lower, measured.interval.upper)
    return [number for number in numbers if number is not None]


def _common_unit(included: Sequence[Statement], hierarchy: Hierarchy) -> str | None:
    """Return the unit of the category if a claim uses it, else the unit of the claim that was made first."""
    if not included:
        return None
    category = hierarchy.categories.get(included[0].category)
    units = {statement.unit for statement in included}
    if category is not None and category.unit in units:
        return category.unit
    first = min(included, key=lambda statement: (statement.date or date.max, statement.id))
    return first.unit


def _in_unit(number: Number | None, included: Sequence[Statement], unit: str | None) -> Number | None:
    """Return a number in the unit of the spread. Converted numbers are rounded to a double; a ratio is a share."""
    if not isinstance(number, Fraction):
        return number
    if included[0].proposition != "ratio":
        number /= next(
            measured.scale for each in included if each.unit == unit and (measured := measure(each)) is not None
        )
    return normalize_number(float(number))
