"""Kinds of anomalies in imported rows, and the checks of single rows.

An anomaly is a warning with its rows and numbers. The data are not changed, because an unusual figure can be correct:
sources revise their totals, and a jump can be a real event.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from app.comparison.figure import MAX_MAGNITUDE
from app.enums import SmellKind
from app.imports.quality.digit_errors import DIGIT_ERROR_NAMES, digit_relation


@dataclass(frozen=True, slots=True, order=True)
class RowLocation:
    """The position of a row; locations sort in reading order."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly: its rows in reading order, and a sentence with the numbers."""

    kind: SmellKind
    locations: tuple[RowLocation, ...]
    detail: str
    series: str | None = None
    """The name of its time series."""
    size: float = 0
    """How far it is from what is usual; of a gap, the number of missing dates."""
    gap: tuple[date, date, str] | None = None
    """The dates before and after a gap, and the rhythm of the series."""


@dataclass(frozen=True, slots=True)
class TimeSeriesPoint:
    """One figure of a time series: its value, else its lower, else its upper bound.

    `moment` is when it was said, in UTC, if that is known: updates of one day are points of their own.
    """

    location: RowLocation
    end: date
    value: float
    moment: str | None = None
    start: date | None = None
    """The first day of the period of a figure that is no running total."""

    @property
    def days(self) -> int | None:
        """The length of its period, if it is known: the same for all months."""
        return None if self.start is None else round_to_calendar((self.end - self.start).days + 1)


_CALENDAR_STEPS: Final = ((30, 28, 31), (91, 89, 92), (365, 365, 366))


def round_to_calendar(days: int) -> int:
    """Round months, quarters and years to one length, however many days they have."""
    if days < 28:  # noqa: PLR2004 - no month is shorter
        return days
    return next((usual for usual, low, high in _CALENDAR_STEPS if low <= days <= high), days)


def find_figure_anomalies(
    location: RowLocation, name: str, value: float | None, lower: float | None, upper: float | None
) -> Iterator[Anomaly]:
    """Compare an estimate with its own bounds.

    An exact figure printed as a range without width is not an anomaly, nor is a count of 0 with the lower bound 0.
    """
    if lower is not None and upper is not None and lower > upper:
        detail = f"The lower bound of {name}, {format_number(lower)}, is above its upper bound, {format_number(upper)}."
        yield Anomaly(SmellKind.estimate_outside_bounds, (location,), detail)
        return
    if value is None or value == lower == upper:
        return
    for word, bound, beyond in (
        ("lower", lower, lower is not None and value < lower),
        ("upper", upper, upper is not None and value > upper),
    ):
        if bound is None:
            continue
        if beyond:
            side = "below" if word == "lower" else "above"
            detail = (
                f"The estimate of {name}, {format_number(value)}, is {side} its {word} bound, {format_number(bound)}."
            )
            yield Anomaly(SmellKind.estimate_outside_bounds, (location,), detail)
        elif bound == value and not (value == 0 and word == "lower"):
            detail = f"The {word} bound of {name} equals the estimate, {format_number(value)}."
            yield Anomaly(SmellKind.bound_equals_estimate, (location,), detail)


_NUMBER_PATTERN: Final = re.compile(
    # Not next to letters or hyphens (T-72, 2S19, 155mm, 2022-03-19), and not a part of a decimal or a date.
    r"(?<![^\W_])(?<![-./'’,#№])"
    r"(?P<number>[1-9]\d{0,2}(?:[,\u00a0\u202f\u2009 .'’]\d{3})+|\d{3,})"
    r"(?![^\W_]|[-/'’]|[.,]\d)",
)
_UNIT_PATTERN: Final = re.compile(r"\s?(?:[%°]|(?:mm|cm|m|km|kg|g|t|kt|kV|kW|MW|hp|mi|ft|lb)\b)", re.IGNORECASE)
_DESIGNATION_PATTERN: Final = re.compile(
    # Such a number identifies something or is a base; it does not count.
    r"(?:[№#]|\b(?:no|nr|per|unit|resolution|article|flight|law|decree|order|route)\b\.?)\s?$",
    re.IGNORECASE,
)
_PLAUSIBLE_YEARS: Final = range(1900, 2100)
_MAX_LABEL_CHARACTERS: Final = 80
_LOOKBEHIND_CHARACTERS: Final = 16
"""Enough for the longest designation above. A label can be very long."""


def find_label_anomaly(location: RowLocation, column: str, label: str) -> Anomaly | None:
    """Find a number in a label, except in a model's name, a date, a calibre ("155 mm") or a base ("per 1,000")."""
    for match in _NUMBER_PATTERN.finditer(label):
        printed = match["number"]
        if (
            _is_date(printed)
            or _UNIT_PATTERN.match(label, match.end())
            or _DESIGNATION_PATTERN.search(label[max(match.start() - _LOOKBEHIND_CHARACTERS, 0) : match.start()])
        ):
            continue
        shown = " ".join(label.split())
        shown = shown if len(shown) <= _MAX_LABEL_CHARACTERS else shown[: _MAX_LABEL_CHARACTERS - 1] + "…"
        return Anomaly(
            SmellKind.number_in_label, (location,), f'The label in {column} contains the number {printed}: "{shown}".'
        )
    return None


def _is_date(printed: str) -> bool:
    if not printed.isascii() or not printed.isdigit():
        return False
    if len(printed) == 8:  # noqa: PLR2004 - 20220319
        return int(printed[:4]) in _PLAUSIBLE_YEARS and 1 <= int(printed[4:6]) <= 12 and 1 <= int(printed[6:]) <= 31  # noqa: PLR2004
    return len(printed) == 4 and int(printed) in _PLAUSIBLE_YEARS  # noqa: PLR2004


_MAX_DAY_DIGITS: Final = 12
"""More digits than a day number can have: Python refuses to read very long ones."""


def find_day_anomaly(location: RowLocation, column: str, day: object, on: date, first: date) -> Anomaly | None:
    """Compare a row's day number with its date, where `first` is day 1. Skip values that are not whole numbers."""
    number = _parse_whole_number(day)
    expected = (on - first).days + 1
    if number is None or number == expected:
        return None
    try:
        counted_date = f" is {first + timedelta(days=number - 1)}"
    except OverflowError:
        counted_date = " is not a date"
    return Anomaly(
        SmellKind.day_contradicts_date,
        (location,),
        f"Day {number:,} in {column}{counted_date}, counted from {first} as day 1, but the row is dated {on}, "
        f"which is day {expected:,}.",
    )


def _parse_whole_number(day: object) -> int | None:
    if isinstance(day, bool):
        return None
    if isinstance(day, str):
        text = day.strip()
        return int(text) if re.fullmatch(rf"-?[0-9]{{1,{_MAX_DAY_DIGITS}}}", text) else None
    if isinstance(day, float):
        return int(day) if day.is_integer() and abs(day) < MAX_MAGNITUDE else None
    return day if isinstance(day, int) and abs(day) < MAX_MAGNITUDE else None


def transcription_anomaly(
    name: str, on: date, one: float, other: float, locations: Iterable[RowLocation], other_document: str
) -> Anomaly:
    """Return the anomaly of two transcriptions that differ, with the digit error that explains it."""
    relation = digit_relation(one, other)
    slip = f": {DIGIT_ERROR_NAMES[relation]}" if relation in DIGIT_ERROR_NAMES else ""
    return Anomaly(
        SmellKind.transcriptions_differ,
        tuple(sorted(locations)),
        f"For {on}, {name} is {format_number(one)} here and {format_number(other)} in {other_document}{slip}.",
    )


def locations_of(*points: TimeSeriesPoint) -> tuple[RowLocation, ...]:
    """Return the locations of points in reading order."""
    return tuple(sorted(point.location for point in points))


def format_number(number: float) -> str:
    """Format a number with thousands separators."""
    if math.isfinite(number) and abs(number) < MAX_MAGNITUDE and number == int(number):
        return f"{int(number):,}"
    return f"{number:,}"
