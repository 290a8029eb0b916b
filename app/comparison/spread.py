"""The spread of the positions on one question: their smallest and largest stated numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.comparison.figure import Number
from app.comparison.positions import position_sort_key, stated_interval
from app.comparison.question import DEFAULT_WINDOW_DAYS, Question
from app.comparison.verdicts import Statement, ratio_of, sort_reasons
from app.enums import Reason


@dataclass(frozen=True, slots=True)
class MeasuredSpread:
    """The spread of the positions on exactly one question. It has only numbers that sources stated.

    `left_out` lists all other positions with the reasons for their exclusion.
    """

    lower: Number | None
    upper: Number | None
    ratio: float | None
    sources: int
    open_lower: bool
    open_upper: bool
    left_out: tuple[tuple[str, tuple[Reason, ...]], ...]


def measure_spread(
    positions: Iterable[Statement], question: Question, window: int = DEFAULT_WINDOW_DAYS
) -> MeasuredSpread:
    """Return the spread of the positions on exactly this question.

    It includes positions without a stated scope whose period ends within `window` days of the latest of them. It
    excludes forecasts, shares and vague figures. Without any position its numbers are None and `sources` is 0.
    """
    left_out: dict[str, tuple[Reason, ...]] = {}
    eligible: list[Statement] = []
    ordered = sorted(positions, key=position_sort_key)
    for statement in ordered:
        reasons = _find_exclusion_reasons(statement, question)
        if reasons:
            left_out[statement.id] = reasons
        else:
            eligible.append(statement)
    period_ends = [statement.period.latest_end for statement in eligible]
    latest_end = max((end for end in period_ends if end is not None), default=None)
    included: list[Statement] = []
    for statement in eligible:
        end = statement.period.latest_end
        if end is None or latest_end is None:
            left_out[statement.id] = (Reason.end_uncertain,)
        elif (latest_end - end).days > window:
            left_out[statement.id] = (Reason.dates_differ,)
        else:
            included.append(statement)
    exclusions = [(statement.id, left_out[statement.id]) for statement in ordered if statement.id in left_out]
    return _build_spread(included, tuple(exclusions))


def _find_exclusion_reasons(statement: Statement, question: Question) -> tuple[Reason, ...]:
    """Return the reasons why a statement does not belong to exactly this question or states no number."""
    figure = statement.figure
    checks = (
        (Reason.subject_differs, question.subject not in {None, statement.subject}),
        (Reason.place_differs, question.place not in {None, statement.place}),
        (Reason.unit_differs, question.unit not in {None, statement.unit}),
        (Reason.base_differs, figure.out_of is not None or figure.relative_to is not None),
        (Reason.modality_differs, statement.is_forecast),
        (Reason.aggregation_differs, question.aggregation not in {None, statement.aggregation}),
        (Reason.components_differ, question.category != statement.category),
        (Reason.scope_differs, statement.has_stated_scope),
        (Reason.vague, not figure.has_number),
    )
    reasons = [reason for reason, applies in checks if applies]
    return sort_reasons(reasons) if len(reasons) > 1 else tuple(reasons)


def _build_spread(included: list[Statement], left_out: tuple[tuple[str, tuple[Reason, ...]], ...]) -> MeasuredSpread:
    numbers = [
        number
        for statement in included
        for number in (statement.figure.value, statement.figure.lower, statement.figure.upper)
        if number is not None
    ]
    lower, upper = min(numbers, default=None), max(numbers, default=None)
    return MeasuredSpread(
        lower=lower,
        upper=upper,
        ratio=None if lower is None or upper is None else ratio_of(upper, lower),
        sources=len({statement.source for statement in included}),
        open_lower=any(stated_interval(statement).lower is None for statement in included),
        open_upper=any(stated_interval(statement).upper is None for statement in included),
        left_out=left_out,
    )
