"""Days and periods in words, as far as they are known: "on 3 June 2025", "in March 2022", "since 24 February 2022"."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from app.comparison.period import Period, PeriodFault, Span, parse_date, parse_period

# Not calendar.month_name: that one speaks the language of the machine.
# fmt: off
MONTHS: Final = (
    "", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)
# fmt: on
_SEASONS: Final = {"21": "spring", "22": "summer", "23": "autumn", "24": "winter"}
_MARKS: Final = "?~%"
UNSTATED: Final = "over a period that was not stated"


@dataclass(frozen=True, slots=True)
class Named:
    """A date in words and the preposition that it takes."""

    text: str
    preposition: str

    def __str__(self) -> str:
        """The date with its preposition."""
        return f"{self.preposition} {self.text}"


def day_words(day: date) -> str:
    """Write a day as `3 June 2025`."""
    return f"{day.day} {MONTHS[day.month]} {day.year}"


def named(edtf: str) -> Named:
    """Put one EDTF date into words; a qualifier becomes "about" or "(uncertain)". Raises `PeriodFault`."""
    span = parse_date(edtf)
    found = _unqualified(edtf.rstrip(_MARKS), span)
    text = f"about {found.text}" if span.qualifier in {"~", "%"} else found.text
    return Named(f"{text} (uncertain)" if span.qualifier in {"?", "%"} else text, found.preposition)


def _unqualified(edtf: str, span: Span) -> Named:
    year, *rest = edtf.split("-")
    if year.endswith("XX"):
        return Named(f"the years {span.earliest.year} to {span.latest.year}", "in")
    if year.endswith("X"):
        return Named(f"the {span.earliest.year}s", "in")
    month = rest[0] if rest else "XX"
    number = int(year)
    if month == "XX":
        return Named(str(number), "in")
    if month in _SEASONS:
        # A winter runs into the next year.
        return Named(f"{_SEASONS[month]} {f'{number}/{(number + 1) % 100:02}' if month == '24' else number}", "in")
    if len(rest) == 1 or rest[1] == "XX":
        return Named(f"{MONTHS[int(month)]} {number}", "in")
    return Named(day_words(span.earliest), "on")


def said_on(day: date | None, edtf: str | None) -> Named | None:
    """When something was said, as far as it is known; None where nobody knows."""
    if edtf is not None:
        try:
            return named(edtf)
        except PeriodFault:
            pass  # an interval: the day that stands for it is the last that it can mean
    return None if day is None else Named(day_words(day), "on")


def when(edtf: str, aggregation: str, said: date | None) -> str:
    """Say what period a figure covers: `since` for a running total up to the day on which it was said."""
    period = parse_period(edtf)
    begin, _, finish = period.edtf.partition("/")
    if aggregation == "snapshot":
        end = finish if period.is_interval else begin
        return "as of a day that was not stated" if period.end is None else f"as of {named(end).text}"
    if not period.is_interval:
        return str(named(begin))
    if period.start is None and period.end is None:
        return UNSTATED
    if aggregation == "cumulative":
        if period.start is None:
            return f"up to {named(finish).text} (since when was not said)"
        if period.end is None or _covers(period.end, said):
            return f"since {named(begin).text}"
    elif period.start is None:
        return f"until {named(finish).text}"
    elif period.end is None:
        return f"from {named(begin).text} on"
    return _stretch(period, begin, finish)


def _covers(end: Span, said: date | None) -> bool:
    return said is not None and end.earliest <= said <= end.latest


def _stretch(period: Period, begin: str, finish: str) -> str:
    assert period.start is not None  # noqa: S101 - its callers have looked
    assert period.end is not None  # noqa: S101
    first, last = period.start.earliest, period.end.latest
    exact = len(begin) == len(finish) == len("2025-06-12")
    if exact and (first.month, first.day, last.month, last.day) == (1, 1, 12, 31):
        years = last.year - first.year
        if years == 0:
            return f"in {first.year}"
        return f"in {first.year} and {last.year}" if years == 1 else f"from {first.year} to {last.year}"
    one, two = named(begin).text, named(finish).text
    if one == two:
        return str(named(begin))
    # "from 20 to 27 December 2024", "from September to November 2024"
    words, others = one.split(" "), two.split(" ")
    if len(words) == len(others) and not set(begin + finish) & set(_MARKS + "X"):
        while len(words) > 1 and words[-1] == others[len(words) - 1]:
            words.pop()
    return f"from {' '.join(words)} to {two}"
