"""Phrases for days and periods: "on 3 June 2025", "in March 2022", "since 24 February 2022"."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from app.comparison.period import DateSpan, EdtfPeriod, InvalidPeriod, parse_date, parse_period
from app.comparison.relative_base import base_period

# Not calendar.month_name, which depends on the locale.
# fmt: off
MONTH_NAMES: Final = (
    "", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)
# fmt: on
_SEASON_NAMES: Final = {"21": "spring", "22": "summer", "23": "autumn", "24": "winter"}
_QUALIFIER_MARKS: Final = "?~%"
UNSTATED_PERIOD: Final = "over a period that was not stated"


@dataclass(frozen=True, slots=True)
class DatePhrase:
    """A date in words and its preposition."""

    text: str
    preposition: str

    def __str__(self) -> str:
        """Return the date with its preposition."""
        return f"{self.preposition} {self.text}"


def format_day(day: date) -> str:
    """Return a day as `3 June 2025`."""
    return f"{day.day} {MONTH_NAMES[day.month]} {day.year}"


def describe_known_on(known_on: str) -> str:
    """Return a day or a moment in words: "12 June 2025", "12 June 2025 at 08:00 UTC"."""
    if len(known_on) == len("2025-06-12"):
        return format_day(date.fromisoformat(known_on))
    moment = datetime.fromisoformat(known_on).astimezone(UTC)
    seconds = f"{moment:%H:%M:%S}".removesuffix(":00")
    return f"{format_day(moment.date())} at {seconds} UTC"


def describe_date(edtf: str) -> DatePhrase:
    """Return an EDTF date in words; a qualifier becomes "about" or "(uncertain)". Raises `InvalidPeriod`."""
    span = parse_date(edtf)
    phrase = _describe_unqualified_date(edtf.rstrip(_QUALIFIER_MARKS), span)
    text = f"about {phrase.text}" if span.qualifier in {"~", "%"} else phrase.text
    return DatePhrase(f"{text} (uncertain)" if span.qualifier in {"?", "%"} else text, phrase.preposition)


def _describe_unqualified_date(edtf: str, span: DateSpan) -> DatePhrase:
    year, *rest = edtf.split("-")
    if year.endswith("XX"):
        return DatePhrase(f"the years {span.earliest.year} to {span.latest.year}", "in")
    if year.endswith("X"):
        return DatePhrase(f"the {span.earliest.year}s", "in")
    month = rest[0] if rest else "XX"
    number = int(year)
    if month == "XX":
        return DatePhrase(str(number), "in")
    if month in _SEASON_NAMES:
        # A winter ends in the next year.
        return DatePhrase(
            f"{_SEASON_NAMES[month]} {f'{number}/{(number + 1) % 100:02}' if month == '24' else number}", "in"
        )
    if len(rest) == 1 or rest[1] == "XX":
        return DatePhrase(f"{MONTH_NAMES[int(month)]} {number}", "in")
    return DatePhrase(format_day(span.earliest), "on")


def describe_statement_date(day: date | None, edtf: str | None) -> DatePhrase | None:
    """Return the date of a statement in words, as precisely as it is known; None if unknown."""
    if edtf is not None:
        try:
            return describe_date(edtf)
        except InvalidPeriod:
            begin, _, finish = edtf.partition("/")
            if finish in {"", ".."} and begin not in {"", ".."}:
                return DatePhrase(describe_date(begin).text, "not before")
            if begin in {"", ".."} and finish not in {"", ".."}:
                return DatePhrase(describe_date(finish).text, "not after")
    return None if day is None else DatePhrase(format_day(day), "on")


@dataclass(frozen=True, slots=True)
class BasePeriodPhrase:
    """The period that a figure is relative to: "in 2022", or several years, which are not one date."""

    text: str
    preposition: str
    is_one_date: bool

    def __str__(self) -> str:
        """Return the period with its preposition, if it has one."""
        return f"{self.preposition} {self.text}".strip()


def describe_base_period(text: str) -> BasePeriodPhrase | None:
    """Return the base of a relative figure in words if it is a period, else None."""
    edtf = base_period(text)
    if edtf is None:
        return None
    begin, _, finish = edtf.partition("/")
    if not finish:
        phrase = describe_date(begin)
        return BasePeriodPhrase(phrase.text, phrase.preposition, is_one_date=True)
    ends = ["an unstated start" if begin in {"", ".."} else describe_date(begin).text]
    ends.append("an unstated end" if finish == ".." else describe_date(finish).text)
    are_years = all(end.isdigit() for end in ends)
    return BasePeriodPhrase(("–" if are_years else " to ").join(ends), "", is_one_date=False)


def describe_period(
    edtf: str,
    aggregation: str,
    statement_date: date | None,
    date_edtf: str | None = None,
    *,
    is_forecast: bool = False,
) -> str:
    """Return the period of a figure in words: "since" for a running total up to the day of the statement.

    Only a forecast is about days after its statement. Other figures of a period that runs on end with that day: "in
    2026 up to 2 September 2026".
    """
    period = parse_period(edtf)
    text = _describe_whole_period(period, aggregation, statement_date, is_forecast=is_forecast)
    limit = _find_limit(period, aggregation, statement_date, is_forecast=is_forecast)
    if limit is None:
        return text
    begin = period.edtf.partition("/")[0]
    if period.is_interval and period.start is not None and aggregation == "cumulative":
        return f"since {describe_date(begin).text}"
    last = describe_limit(edtf, aggregation, statement_date, date_edtf, is_forecast=is_forecast)
    if not last or last.removeprefix("up to ") in text:
        return text
    if period.start is None:
        return f"{last} (since when was not said)" if aggregation == "cumulative" else last
    if period.is_interval and text.startswith("from "):
        text = f"from {describe_date(begin).text}"
    return f"{text} {last}"


def describe_limit(
    edtf: str,
    aggregation: str,
    statement_date: date | None,
    date_edtf: str | None = None,
    *,
    is_forecast: bool = False,
) -> str:
    """Return "up to 2 September 2026" if a figure ends before its period, with the day of its statement; else ""."""
    limit = _find_limit(parse_period(edtf), aggregation, statement_date, is_forecast=is_forecast)
    last = None if limit is None else describe_statement_date(limit, date_edtf)
    return f"up to {last.text}" if last else ""


def _find_limit(period: EdtfPeriod, aggregation: str, statement_date: date | None, *, is_forecast: bool) -> date | None:
    """Return the day of the statement if the period runs on after it, else None."""
    if is_forecast or aggregation == "snapshot" or statement_date is None:
        return None
    if period.end is None:
        return None if aggregation == "cumulative" or period.start is None else statement_date
    return statement_date if period.end.latest > statement_date else None


def _describe_whole_period(
    period: EdtfPeriod, aggregation: str, statement_date: date | None, *, is_forecast: bool
) -> str:
    begin, _, finish = period.edtf.partition("/")
    if aggregation == "snapshot":
        end = finish if period.is_interval else begin
        if period.end is None:
            return "as of a day that was not stated"
        return str(describe_date(end)) if is_forecast else f"as of {describe_date(end).text}"
    if not period.is_interval:
        return str(describe_date(begin))
    if period.start is None and period.end is None:
        return UNSTATED_PERIOD
    if aggregation == "cumulative":
        if period.start is None:
            return f"up to {describe_date(finish).text} (since when was not said)"
        if period.end is None or _includes_day(period.end, statement_date):
            return f"since {describe_date(begin).text}"
    elif period.start is None:
        return f"until {describe_date(finish).text}"
    elif period.end is None:
        return f"from {describe_date(begin).text} on"
    return _describe_interval(period, begin, finish)


def _includes_day(span: DateSpan, day: date | None) -> bool:
    return day is not None and span.earliest <= day <= span.latest


def _describe_interval(period: EdtfPeriod, begin: str, finish: str) -> str:
    assert period.start is not None  # noqa: S101 - the callers check it
    assert period.end is not None  # noqa: S101
    first, last = period.start.earliest, period.end.latest
    exact = len(begin) == len(finish) == len("2025-06-12")
    if exact and (first.month, first.day, last.month, last.day) == (1, 1, 12, 31):
        years = last.year - first.year
        if years == 0:
            return f"in {first.year}"
        return f"in {first.year} and {last.year}" if years == 1 else f"from {first.year} to {last.year}"
    one, two = describe_date(begin).text, describe_date(finish).text
    if one == two:
        return str(describe_date(begin))
    # "from 20 to 27 December 2024", "from September to November 2024"
    words, others = one.split(" "), two.split(" ")
    if len(words) == len(others) and not set(begin + finish) & set(_QUALIFIER_MARKS + "X"):
        while len(words) > 1 and words[-1] == others[len(words) - 1]:
            words.pop()
    return f"from {' '.join(words)} to {two}"
