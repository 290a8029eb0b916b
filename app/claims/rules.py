"""Rules that were added after claims had been recorded. They hold for new claims; older ones stay as they are.

Each rule names the fields of a claim that it depends on: a correction is refused by a rule only if it changes one of
these. `app/claims/check.py` lists the recorded claims that break a rule.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from app.comparison.figure import PrintedFigure
from app.comparison.period import EdtfPeriod
from app.comparison.units import TIMES, as_dimension, suggest_unit
from app.comparison.wording import find_relative_wording

RuleName = Literal[
    "rate_without_per",
    "unit_missing",
    "relative_wording",
    "negative_total",
    "period_after_statement",
    "forecast_of_past",
]

_STATEMENT_DAY: Final = ("period", "modality", "date", "date_edtf", "said_at")

RULE_FIELDS: Final[dict[RuleName, frozenset[str]]] = {
    "rate_without_per": frozenset({"period"}),
    "unit_missing": frozenset({"figure", "proposition", "category"}),
    "relative_wording": frozenset({"figure", "proposition", "category"}),
    "negative_total": frozenset({"figure", "proposition", "category"}),
    "period_after_statement": frozenset(_STATEMENT_DAY),
    "forecast_of_past": frozenset(_STATEMENT_DAY),
}
"""The fields of a claim that each rule depends on."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule: where in the claim, what is wrong, and what to do."""

    rule: RuleName
    pointer: str
    detail: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledClaim:
    """The fields of a claim that the rules depend on.

    `unit` is the unit of the claim itself, or None. `earliest_date` is the earliest day that the date can mean, and
    `recorded_on` the day of recording, which stands for the date of an undated claim.
    """

    category_unit: str
    is_non_decreasing: bool
    proposition: str
    modality: str
    figure: PrintedFigure
    unit: str | None
    period: EdtfPeriod
    aggregation: str
    per: str | None
    date: dt.date | None
    earliest_date: dt.date | None
    recorded_on: dt.date


def find_breaches(claim: RuledClaim) -> list[Breach]:
    """Return the rules that a claim breaks."""
    return [*_check_rate(claim), *_check_figure(claim), *_check_period(claim)]


def _check_rate(claim: RuledClaim) -> Iterator[Breach]:
    if claim.aggregation == "rate" and claim.per is None:
        hint = "give `hour`, `day`, `week`, `month` or `year`, as the source states it"
        yield Breach("rate_without_per", "period/per", "A rate needs `per`, its unit of time.", hint)


def _check_figure(claim: RuledClaim) -> Iterator[Breach]:
    figure, unit = claim.figure, claim.unit
    needs_unit = figure.has_number and not (claim.proposition == "ratio" and figure.out_of is not None)
    dimension = as_dimension(claim.category_unit)
    if unit is None and needs_unit and dimension is not None:
        detail = f"The category has no unit but a dimension, {dimension}: the figure needs a unit of its own."
        yield Breach("unit_missing", "figure/unit", detail, suggest_unit(dimension))
    if claim.proposition != "quantity":
        return
    relative_unit = find_relative_wording(figure.as_printed)
    if relative_unit is not None and relative_unit != (unit or claim.category_unit):
        proposition = "ratio" if relative_unit == TIMES else "change"
        hint = f'give `"proposition": "{proposition}"`, `"unit": "{relative_unit}"` and `relative_to`'
        detail = f"`{figure.as_printed}` is relative to something else; it is not a quantity."
        yield Breach("relative_wording", "figure", detail, hint)
    if claim.is_non_decreasing:
        for name in ("value", "lower", "upper"):
            number = getattr(figure, name)
            if number is not None and number < 0:
                detail = "A total of a category that can only grow is not negative."
                yield Breach("negative_total", f"figure/{name}", detail, "for fewer than before, give a `change`")


def _check_period(claim: RuledClaim) -> Iterator[Breach]:
    period = claim.period
    if claim.modality == "forecast":
        said, end = claim.earliest_date, period.end
        if said is not None and end is not None and end.padded_span.latest <= said:
            detail = f"A forecast is about a period that ends after it was made, on {said}."
            yield Breach("forecast_of_past", "period/edtf", detail, "is it an `estimate`?")
        return
    said = claim.date or claim.recorded_on
    if period.start is not None and period.start.padded_span.earliest > said:
        day = f"was made on {said}" if claim.date else "has no date"
        detail = f"The period begins after the day on which the claim was made: it {day}."
        yield Breach("period_after_statement", "period/edtf", detail, "is it a `forecast`?")
