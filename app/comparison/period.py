"""Periods of claims: dates and intervals in EDTF levels 0 and 1, and the possible days of their ends."""

import re
from calendar import month_name, monthrange
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Final, Literal

Precision = Literal["day", "month", "season", "year"]
Qualifier = Literal["", "?", "~", "%"]
DayRange = tuple[date, date]

EXPECTED_PERIOD: Final = (
    "an EDTF date or interval (levels 0 and 1, years 0001\u20139999) such as 2024-06 or 2022-02-24/2025-06-12"
)
EXPECTED_DATE: Final = (
    "an EDTF date (levels 0 and 1, years 0001\u20139999) such as 2024-06-12, 2024-06, 2024 or 2024-06~"
)

_DATE_PATTERN: Final = re.compile(
    r"(?P<year>[0-9]{4}|[0-9]{3}X|[0-9]{2}XX)(?:-(?P<month>[0-9]{2}|XX)(?:-(?P<day>[0-9]{2}|XX))?)?(?P<qualifier>[?~%]?)"
)
_MONTHS_BY_PRECISION: Final[dict[Precision, int]] = {"month": 1, "season": 3, "year": 12}
# Seasons of the northern hemisphere; winter ends in the next year. EDTF does not define the months, and ending winter
# on 31 December (as the Python package `edtf` does) would exclude days that the source may mean.
_SEASON_START_MONTHS: Final = {21: 3, 22: 6, 23: 9, 24: 12}
_MAX_QUOTED_CHARACTERS: Final = 40

MAX_CACHED_TEXTS: Final = 2_000
"""Maximum number of cached parse results. A file of a million rows has a few thousand distinct periods."""


class InvalidPeriod(ValueError):
    """A text that is not a valid period, with the `expected` format and a `hint` (may be empty)."""

    def __init__(self, text: str, expected: str, hint: str = "") -> None:
        """Build the message, with a long text truncated."""
        self.expected = expected
        self.hint = hint
        quoted = text if len(text) <= _MAX_QUOTED_CHARACTERS else text[:_MAX_QUOTED_CHARACTERS] + "…"
        super().__init__(f"{quoted!r}: expected {expected}." + (f" Hint: {hint}." if hint else ""))


@dataclass(frozen=True, slots=True)
class DateSpan:
    """The earliest and latest day that an EDTF date can mean.

    `precision` is the unit of the date: 2004-06 is that month, 2004-XX is an unspecified month of that year.
    """

    earliest: date
    latest: date
    precision: Precision = "day"
    qualifier: Qualifier = ""

    @property
    def is_qualified(self) -> bool:
        """Whether the date is uncertain (`?`), approximate (`~`) or both (`%`)."""
        return self.qualifier != ""

    @property
    def padding_units(self) -> int:
        """The padding of a qualifier in units of precision: two for `%`, one for the others."""
        return {"": 0, "?": 1, "~": 1, "%": 2}[self.qualifier]

    @property
    def padded_span(self) -> "DateSpan":
        """The span, extended on both sides by the padding of its qualifier.

        EDTF defines no width for a qualifier. The padding only decides whether a verdict depends on the exact day
        (`end_uncertain`); it is never part of a response.
        """
        if not self.is_qualified:
            return self
        return replace(
            self,
            earliest=_shift_start(self.earliest, self.precision, -self.padding_units),
            latest=_shift_end(self.latest, self.precision, self.padding_units),
        )

    @property
    def possible_last_days(self) -> DayRange:
        """The possible last days of the unit, without the padding of a qualifier."""
        if self.precision == "day":
            return self.earliest, self.latest
        months = _MONTHS_BY_PRECISION[self.precision]
        return min(self.latest, _last_day_of_month(_month_index(self.earliest) + months - 1)), self.latest

    @property
    def possible_first_days(self) -> DayRange:
        """The possible first days of the unit, without the padding of a qualifier."""
        if self.precision == "day":
            return self.earliest, self.latest
        if self.precision == "season":
            return self.earliest, self.earliest
        months = _MONTHS_BY_PRECISION[self.precision]
        return self.earliest, _first_day_of_month(_month_index(self.latest) - months + 1)


@dataclass(frozen=True, slots=True)
class EdtfPeriod:
    """A date or an interval. An end that is open (`..`) or unknown (empty) is None."""

    edtf: str
    start: DateSpan | None
    end: DateSpan | None
    is_interval: bool

    @property
    def earliest_start(self) -> date | None:
        """The earliest possible first day: `start` in responses."""
        return None if self.start is None else self.start.earliest

    @property
    def latest_end(self) -> date | None:
        """The latest possible last day: `end` in responses."""
        return None if self.end is None else self.end.latest


@lru_cache(maxsize=MAX_CACHED_TEXTS)
def parse_date(text: str) -> DateSpan:
    """Parse an EDTF date of level 0 or 1 (ISO 8601-2:2019; Library of Congress, EDTF specification).

    Seasons 21 to 24 are those of the northern hemisphere; winter ends in February of the next year. Raises
    `InvalidPeriod` for intervals, datetimes, years outside 0001 to 9999, and days that do not exist.
    """
    match = _DATE_PATTERN.fullmatch(text)
    if match is None:
        raise InvalidPeriod(
            text, EXPECTED_DATE, _suggest_correction(text) or ("give one date, not an interval" if "/" in text else "")
        )
    year, month, day = match["year"], match["month"], match["day"]
    qualifier: Qualifier = _parse_qualifier(match["qualifier"])
    if year.startswith("00") and not int(year.replace("X", "0")):
        raise InvalidPeriod(text, EXPECTED_DATE, _YEAR_RANGE_HINT)
    if "X" in year:
        if month is not None:
            raise InvalidPeriod(text, EXPECTED_DATE, "a year with unspecified digits stands alone, such as 201X")
        first, last = int(year.replace("X", "0")), int(year.replace("X", "9"))
        return DateSpan(date(first, 1, 1), date(last, 12, 31), "year", qualifier)
    return _parse_within_year(text, int(year), month, day, qualifier)


def _parse_within_year(text: str, year: int, month: str | None, day: str | None, qualifier: Qualifier) -> DateSpan:
    whole_year = date(year, 1, 1), date(year, 12, 31)
    if month is None:
        return DateSpan(*whole_year, "year", qualifier)
    if month == "XX":
        if day not in {None, "XX"}:
            raise InvalidPeriod(text, EXPECTED_DATE, "a day needs its month")
        return DateSpan(*whole_year, "month" if day is None else "day", qualifier)
    number = int(month)
    if number in _SEASON_START_MONTHS and day is None:
        begin = year * 12 + _SEASON_START_MONTHS[number] - 1
        return DateSpan(_first_day_of_month(begin), _last_day_of_month(begin + 2), "season", qualifier)
    if not 1 <= number <= 12:  # noqa: PLR2004 - the months of a year
        raise InvalidPeriod(text, EXPECTED_DATE, "months run from 01 to 12, seasons from 21 (spring) to 24 (winter)")
    length = monthrange(year, number)[1]
    if day is None or day == "XX":
        precision: Precision = "month" if day is None else "day"
        return DateSpan(date(year, number, 1), date(year, number, length), precision, qualifier)
    if not 1 <= int(day) <= length:
        raise InvalidPeriod(text, EXPECTED_DATE, f"{month_name[number]} {year} has {length} days")
    exact = date(year, number, int(day))
    return DateSpan(exact, exact, "day", qualifier)


@lru_cache(maxsize=MAX_CACHED_TEXTS)
def parse_period(text: str) -> EdtfPeriod:
    """Parse an EDTF date or interval of level 0 or 1. Each end of an interval is a date, `..` or empty.

    A single date is both start and end. Raises `InvalidPeriod` as `parse_date` does, and for an interval that ends
    before it starts or has neither a start nor an end.
    """
    trimmed = text.strip()
    begin, slash, finish = trimmed.partition("/")
    if not slash:
        try:
            span = parse_date(trimmed)
        except InvalidPeriod as fault:
            raise InvalidPeriod(trimmed, EXPECTED_PERIOD, fault.hint) from None
        return EdtfPeriod(trimmed, span, span, is_interval=False)
    if "/" in finish:
        raise InvalidPeriod(trimmed, EXPECTED_PERIOD, _suggest_correction(trimmed))
    if not begin and not finish:
        raise InvalidPeriod(
            trimmed, EXPECTED_PERIOD, "an interval needs a start or an end; write ../.. if neither is bounded"
        )
    start, end = _parse_interval_end(trimmed, begin), _parse_interval_end(trimmed, finish)
    if start is not None and end is not None and start.earliest > end.latest:
        raise InvalidPeriod(trimmed, EXPECTED_PERIOD, "the interval ends before it starts")
    return EdtfPeriod(trimmed, start, end, is_interval=True)


def _parse_interval_end(text: str, part: str) -> DateSpan | None:
    if part in {"", ".."}:
        return None
    try:
        return parse_date(part)
    except InvalidPeriod as fault:
        raise InvalidPeriod(text, EXPECTED_PERIOD, _suggest_correction(text) or fault.hint) from None


def possible_end_days(period: EdtfPeriod, aggregation: str) -> DayRange:
    """Return the earliest and the latest possible day of the end of a period.

    A snapshot, and a running total, refer to one day: an end with a precision below a day is any day in it. A total for
    a period and a rate cover the whole period, which ends on its last day. A qualifier pads the end on both sides. An
    open or unknown end is any day from the start on.
    """
    if period.end is None:
        return period.earliest_start or date.min, date.max
    span = period.end
    if aggregation in _AGGREGATIONS_UP_TO_A_DAY:
        return span.padded_span.earliest, span.padded_span.latest
    earliest, latest = span.possible_last_days
    if not span.is_qualified:
        return earliest, latest
    return _shift_end(earliest, span.precision, -span.padding_units), _shift_end(
        latest, span.precision, span.padding_units
    )


def possible_start_days(period: EdtfPeriod, aggregation: str) -> DayRange | None:
    """Return the earliest and the latest possible day of the start of a period; None if it is open or unknown.

    The start of a running total, and the date of a snapshot, is any day of its span. Any other period starts on the
    first day of its unit. A qualifier pads the start on both sides.
    """
    if period.start is None:
        return None
    span = period.start
    if aggregation in _AGGREGATIONS_UP_TO_A_DAY:
        return span.padded_span.earliest, span.padded_span.latest
    earliest, latest = span.possible_first_days
    if not span.is_qualified:
        return earliest, latest
    return _shift_start(earliest, span.precision, -span.padding_units), _shift_start(
        latest, span.precision, span.padding_units
    )


_AGGREGATIONS_UP_TO_A_DAY: Final = frozenset({"cumulative", "snapshot"})


def date_from_edtf(edtf: str, not_after: date) -> date:
    """Return the latest possible day of an EDTF text, at most `not_after`, which also ends an open interval.

    Raises `InvalidPeriod` as `parse_period` does.
    """
    last = parse_period(edtf).latest_end
    return not_after if last is None else min(last, not_after)


def _parse_qualifier(mark: str) -> Qualifier:
    return "?" if mark == "?" else "~" if mark == "~" else "%" if mark == "%" else ""


def _month_index(day: date) -> int:
    return day.year * 12 + day.month - 1


def _first_day_of_month(index: int) -> date:
    year, month = divmod(index, 12)
    if year < date.min.year:
        return date.min
    return date.max if year > date.max.year else date(year, month + 1, 1)


def _last_day_of_month(index: int) -> date:
    next_month = _first_day_of_month(index + 1)
    return next_month if next_month in {date.min, date.max} else date.fromordinal(next_month.toordinal() - 1)


def _shift_start(day: date, precision: Precision, units: int) -> date:
    if precision == "day":
        return _shift_day(day, units)
    return _first_day_of_month(_month_index(day) + units * _MONTHS_BY_PRECISION[precision])


def _shift_end(day: date, precision: Precision, units: int) -> date:
    if precision == "day":
        return _shift_day(day, units)
    return _last_day_of_month(_month_index(day) + units * _MONTHS_BY_PRECISION[precision])


def _shift_day(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal()))


_MONTH_PATTERN: Final = "(0?[1-9]|1[0-2])"
_DAY_PATTERN: Final = "(0?[1-9]|[12][0-9]|3[01])"
_YEAR_RANGE_HINT: Final = "years run from 0001 to 9999"
_COMMON_MISTAKES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (f"(?P<m>{_MONTH_PATTERN})[./-](?P<y>[0-9]{{4}})", "write {y}-{m}"),
        (f"(?P<d>{_DAY_PATTERN})[.](?P<m>{_MONTH_PATTERN})[.](?P<y>[0-9]{{4}})", "write {y}-{m}-{d}"),
        ("[0-9]{1,2}[/-][0-9]{1,2}[/-][0-9]{4}", "write the year first, such as 2025-06-12"),
        (f"(?P<y>[0-9]{{4}})[./-](?P<m>{_MONTH_PATTERN})", "write {y}-{m}"),
        (f"(?P<y>[0-9]{{4}})[./-](?P<m>{_MONTH_PATTERN})[./-](?P<d>{_DAY_PATTERN})", "write {y}-{m}-{d}"),
        ("(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})", "write {y}-{m}-{d}"),
        (".*[0-9]T[0-9].*", "give the day without a time"),
        ("(?:[-\u2212Y]|[0-9]{5,}).*", _YEAR_RANGE_HINT),
        ("(?=.*[xu])[0-9xu-]+[?~%]?", "write unspecified digits as a capital X"),
        ("[0-9X]XXX.*", "at most the last two digits of a year can be unspecified"),
    )
)
"""Common formats other than EDTF, each with the hint for an error."""


def _suggest_correction(text: str) -> str:
    if len(text) > _MAX_QUOTED_CHARACTERS:
        return ""
    for pattern, hint in _COMMON_MISTAKES:
        if (match := pattern.fullmatch(text)) is not None:
            return hint.format(**{name: part.zfill(2) for name, part in match.groupdict().items()})
    return ""
