"""How far the positions on one topic lie apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.comparison.figure import Number
from app.comparison.positions import position_sort_key, stated_interval
from app.comparison.verdicts import Statement, ratio_of, sort_reasons
from app.enums import Reason

DEFAULT_WINDOW_DAYS: Final = 31
"""Days before the newest period end within which positions enter the spread."""


@dataclass(frozen=True, slots=True)
class SpreadQuestion:
    """What a side-by-side asks for; None asks for any."""

    category: str | None = None
    subject: str | None = None
    place: str | None = None
    aggregation: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class MeasuredSpread:
    """How far the positions on exactly one question lie apart: numbers that sources stated, no mean, no median.

    `left_out` names every other position with the reasons.
    """

    lower: Number | None
    upper: Number | None
    ratio: float | None
    sources: int
    open_lower: bool
    open_upper: bool
    left_out: tuple[tuple[str, tuple[Reason, ...]], ...]


def measure_spread(
    standing: Iterable[Statement], asked: SpreadQuestion, window: int = DEFAULT_WINDOW_DAYS
) -> MeasuredSpread:
    """Measure how far the positions on exactly the asked question lie apart.

    It takes those of unstated scope that end within `window` days of the newest of them, and leaves out forecasts,
    shares, and vague figures. Without any, its numbers are None and `sources` is 0.
    """
    left_out: dict[str, tuple[Reason, ...]] = {}
    eligible: list[Statement] = []
    everyone = sorted(standing, key=position_sort_key)
    for statement in everyone:
        reasons = _find_exclusion_reasons(statement, asked)
        if reasons:
            left_out[statement.id] = reasons
        else:
            eligible.append(statement)
    newest = max((each.period.latest_end for each in eligible if each.period.latest_end is not None), default=None)
    taken: list[Statement] = []
    for statement in eligible:
        last = statement.period.latest_end
        if last is None or newest is None:
            left_out[statement.id] = (Reason.end_uncertain,)
        elif (newest - last).days > window:
            left_out[statement.id] = (Reason.dates_differ,)
        else:
            taken.append(statement)
    return _build_spread(taken, tuple((each.id, left_out[each.id]) for each in everyone if each.id in left_out))


def _find_exclusion_reasons(statement: Statement, asked: SpreadQuestion) -> tuple[Reason, ...]:
    """Why the statement is not on exactly the asked question, or gives no number for it."""
    figure = statement.figure
    checks = (
        (Reason.subject_differs, asked.subject not in {None, statement.subject}),
        (Reason.place_differs, asked.place not in {None, statement.place}),
        (Reason.unit_differs, asked.unit not in {None, statement.unit}),
        (Reason.base_differs, figure.out_of is not None or figure.relative_to is not None),
        (Reason.modality_differs, statement.is_forecast),
        (Reason.aggregation_differs, asked.aggregation not in {None, statement.aggregation}),
        (Reason.components_differ, asked.category not in {None, statement.category}),
        (Reason.scope_differs, statement.has_stated_scope),
        (Reason.vague, not figure.has_number),
    )
    found = [reason for reason, applies in checks if applies]
    return sort_reasons(found) if len(found) > 1 else tuple(found)


def _build_spread(taken: list[Statement], left_out: tuple[tuple[str, tuple[Reason, ...]], ...]) -> MeasuredSpread:
    stated = [
        number
        for statement in taken
        for number in (statement.figure.value, statement.figure.lower, statement.figure.upper)
        if number is not None
    ]
    lower, upper = min(stated, default=None), max(stated, default=None)
    return MeasuredSpread(
        lower=lower,
        upper=upper,
        ratio=None if lower is None or upper is None else ratio_of(upper, lower),
        sources=len({each.source for each in taken}),
        open_lower=any(stated_interval(each).lower is None for each in taken),
        open_upper=any(stated_interval(each).upper is None for each in taken),
        left_out=left_out,
    )
