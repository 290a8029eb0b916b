"""The axes of a chart: their domain, whether they are linear or logarithmic, and their ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.comparison.figure import normalize_number
from app.errors import invalid_field
from app.sentences.dates import MONTH_NAMES
from app.sentences.figures import describe_number

LOGARITHMIC_RATIO: Final = 50
"""An axis is logarithmic if its largest number is at least so many times its smallest one."""

MAX_TICK_STEPS: Final = 6
MAX_TIME_TICKS: Final = 8
SMALL_PART: Final = Decimal("0.25")
"""So much of a step between two ticks is no reason for another one."""

FEW_DECADES: Final = 3
"""A logarithmic axis of fewer powers of ten also has ticks at twice and five times each."""

Real = int | float
"""A number on an axis."""


class Scale(StrEnum):
    """The scales of an axis that a request can choose."""

    linear = "linear"
    log = "log"


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its number or, on a time axis, the ordinal of its day, and its text."""

    value: Real
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of numbers. A linear one includes zero; `label` names the unit and says if it is logarithmic."""

    label: str
    is_logarithmic: bool
    domain: tuple[Real, Real]
    ticks: tuple[Tick, ...]

    def share_of(self, number: Real) -> float:
        """Return where a number lies on the axis: 0 at its start, 1 at its end."""
        start, end = self.domain
        if self.is_logarithmic:
            start, end, number = math.log(start), math.log(end), math.log(max(number, start))
        return min(max((number - start) / (end - start), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """An axis of days, as ordinals."""

    domain: tuple[int, int]
    ticks: tuple[Tick, ...]

    def share_of(self, day: date) -> float:
        """Return where a day lies on the axis: 0 at its start, 1 at its end."""
        start, end = self.domain
        return min(max((day.toordinal() - start) / (end - start), 0.0), 1.0)


def build_axis(numbers: Iterable[Real], unit: str, scale: Scale | None = None) -> Axis:
    """Return an axis for some numbers.

    It is logarithmic if `scale` says so or, without a `scale`, where the largest number is `LOGARITHMIC_RATIO` times
    the smallest one and all are positive.

    Raises:
        InvalidRequest: `scale` is `log`, and a number is zero or negative.
    """
    known = list(numbers) or [0]
    smallest, largest = min(known), max(known)
    if scale is Scale.log and smallest <= 0 and any(known):
        raise invalid_field(
            "scale",
            f"A logarithmic axis cannot show {describe_number(normalize_number(smallest))}.",
            hint="use `scale=linear`, or leave it out",
            location="query",
        )
    can_be_logarithmic = smallest > 0
    is_wide = can_be_logarithmic and largest / smallest >= LOGARITHMIC_RATIO
    if can_be_logarithmic and (scale is Scale.log or (scale is None and is_wide)):
        return _build_logarithmic(smallest, largest, unit)
    return _build_linear(min(smallest, 0), max(largest, 0), unit)


def _build_linear(smallest: Real, largest: Real, unit: str) -> Axis:
    step = _round_step((Decimal(str(largest)) - Decimal(str(smallest))) / MAX_TICK_STEPS or Decimal("0.2"))
    first = math.floor(Decimal(str(smallest)) / step)
    last = max(math.ceil(Decimal(str(largest)) / step), 0 if first else 1)
    # A little below zero needs no tick of its own: -5 beside a billion.
    starts_early = first == -1 and -smallest < step * SMALL_PART
    ends_late = last == 1 and largest < step * SMALL_PART and first < 0
    values = [normalize_number(float(step * number)) for number in range(first + starts_early, last + 1 - ends_late)]
    ticks = tuple(_tick(value) for value in values)
    start, end = smallest if starts_early else ticks[0].value, largest if ends_late else ticks[-1].value
    return Axis(unit, is_logarithmic=False, domain=(start, end if end > start else start + 1), ticks=ticks)


def _round_step(step: Decimal) -> Decimal:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least `step`."""
    power = Decimal(10) ** step.adjusted()
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step)


def _build_logarithmic(smallest: Real, largest: Real, unit: str) -> Axis:
    low, high = math.floor(math.log10(smallest)), math.ceil(math.log10(largest))
    marks = sorted(Decimal(10) ** power * factor for power in range(low, high + 1) for factor in (1, 2, 5))
    start = max(mark for mark in marks if mark <= Decimal(str(smallest)))
    end = min(mark for mark in marks if mark >= Decimal(str(largest)) and mark > start)
    shown = [mark for mark in marks if start <= mark <= end]
    if sum(_is_power_of_ten(mark) for mark in shown) >= FEW_DECADES:
        shown = [mark for mark in shown if _is_power_of_ten(mark) or mark in (start, end)]
    ticks = tuple(_tick(normalize_number(float(mark))) for mark in shown)
    label = f"{unit}, logarithmic scale: equal distances are equal ratios"
    return Axis(label, is_logarithmic=True, domain=(ticks[0].value, ticks[-1].value), ticks=ticks)


def _is_power_of_ten(mark: Decimal) -> bool:
    return mark.normalize().as_tuple().digits == (1,)


def is_power_of_ten(number: Real) -> bool:
    """Return whether a number is 1, 10, 0.1 or another power of ten."""
    return _is_power_of_ten(Decimal(str(number)))


def _tick(value: object) -> Tick:
    assert isinstance(value, int | float)  # noqa: S101 - no fractions here
    label = describe_number(value)
    return Tick(value, f"−{label[1:]}" if label.startswith("-") else label)


def build_time_axis(days: Iterable[date]) -> TimeAxis:
    """Return an axis from the first to the last of some days, with ticks at the starts of years, months or days."""
    known = sorted(days)
    first, last = known[0], known[-1]
    if (last - first).days < 2:  # noqa: PLR2004 - one day would have no width
        first = date.fromordinal(max(first.toordinal() - 1, date.min.toordinal()))
        last = date.fromordinal(min(last.toordinal() + 1, date.max.toordinal()))
    ticks = [Tick(day.toordinal(), label) for day, label in _list_time_ticks(first, last)]
    return TimeAxis((first.toordinal(), last.toordinal()), tuple(ticks))


def _list_time_ticks(first: date, last: date) -> list[tuple[date, str]]:
    months = (last.year - first.year) * 12 + last.month - first.month
    if months <= 2:  # noqa: PLR2004 - then days
        step = max(1, -(-(last - first).days // MAX_TIME_TICKS))
        days = [first + timedelta(days=number) for number in range(0, (last - first).days + 1, step)]
        return [(day, f"{day.day} {MONTH_NAMES[day.month]}") for day in days]
    step = next((each for each in (1, 2, 3, 6, 12) if months / each <= MAX_TIME_TICKS), 0)
    if not step:
        years = -(-(last.year - first.year) // MAX_TIME_TICKS)
        starts = [date(year, 1, 1) for year in range(first.year + 1, last.year + 1) if year % years == 0]
        return [(day, str(day.year)) for day in starts]
    starts = [
        date(first.year + month // 12, month % 12 + 1, 1)
        for month in range(first.month, first.month + months)
        if month % step == 0
    ]
    return [(day, str(day.year) if day.month == 1 else f"{MONTH_NAMES[day.month][:3]} {day.year}") for day in starts]
