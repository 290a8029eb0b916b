"""Reads days and periods as people write them in English, such as `1 Dec 2024` and `Apr 2023 to Jun 2024`, as EDTF."""

import re
from dataclasses import dataclass, replace
from typing import Final

from app.comparison.period import InvalidPeriod, parse_date, parse_period

_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH_NUMBERS: Final = {name: number for number, month in enumerate(_MONTHS, 1) for name in (month, month[:3])} | {
    "sept": 9
}
_MONTH: Final = f"(?P<month>{'|'.join(sorted(_MONTH_NUMBERS, key=len, reverse=True))})\\.?"
_DAY: Final = "(?:the )?(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_YEAR: Final = "(?P<year>[0-9]{4})"
_GAP: Final = "[ ./-]+"

_DATE_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        f"(?:{_DAY}(?:{_GAP}| of )?)?{_MONTH}(?:,?{_GAP}{_YEAR})?",  # 1 Dec 2024; 1st of December, 2024; 1-Dec-2024
        f"{_MONTH} {_DAY}(?:,? {_YEAR})?",  # Dec 1, 2024
        f"{_YEAR}{_GAP}{_MONTH}(?:{_GAP}{_DAY})?",  # 2024 Dec 1
        f"{_YEAR}",
        f"{_DAY}(?:, ?{_YEAR})?",  # the ends of "1-15 June 2024" and of "June 1-15, 2024"
    )
)

_FROM_PATTERN: Final = re.compile(r"(?:from|since) (?P<rest>.+)")
_BETWEEN_PATTERN: Final = re.compile(r"between (?P<start>.+) and (?P<end>.+)")
_UNTIL_PATTERN: Final = re.compile(r"(?:up to|to|until|till|through) (?P<end>.+)")
_ONWARDS_PATTERN: Final = re.compile(r"(?P<start>.+?) (?:on|onwards?)")
_SEPARATORS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r" (?:up to|to|until|till|through|thru) ",
        " ?[\u2010-\u2015\u2212] ?",
        " -{1,2} ",
        " ?/ ?",
        "-",
    )
)
"""What stands between the ends of a period; one that has others inside comes first."""

_PRESENT: Final = frozenset({"present", "now", "today", "date", "the present", "ongoing"})
_NUMERIC_DATE: Final = re.compile(r"\b([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})\b")
_SHORT_YEAR: Final = re.compile(f"(?:{_DAY}{_GAP})?{_MONTH}{_GAP}'?(?P<year>[0-9]{{2}})")
_EDTF_CHARACTERS: Final = re.compile(r"[0-9X?~%/.-]*")
_MAX_CHARACTERS: Final = 80
_MONTHS_OF_YEAR: Final = 12


class UnreadableDate(ValueError):
    """A text that is not read as a date or a period: the reason, and what to write instead."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _WrittenDate:
    """A date in words, of which the other end of a period may have the missing parts."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    edtf: str | None = None
    """The date as it was written, if that is EDTF."""

    @property
    def is_complete(self) -> bool:
        """Whether it has a year, and a month if it has a day."""
        return self.edtf is not None or (self.year is not None and (self.day is None or self.month is not None))

    def format(self) -> str:
        """Return the date in EDTF."""
        if self.edtf is not None:
            return self.edtf
        parts = [f"{self.year:04}", *(f"{part:02}" for part in (self.month, self.day) if part is not None)]
        return "-".join(parts)


def read_written_date(text: str) -> str:
    """Return a date as EDTF: `1 Dec 2024` is `2024-12-01`, `Nov 2024` is `2024-11`.

    EDTF is returned as it is, and so is a text without words, for the rules of EDTF to refuse. Raises `UnreadableDate`
    for words that are not a date, and for numbers whose order of day and month is not known.
    """
    words = " ".join(text.split())
    if _is_edtf_date(words):
        return words
    _refuse_uncertain_order(words)
    found = _read_date(words.casefold()) if len(words) <= _MAX_CHARACTERS else None
    if found is not None and found.is_complete:
        return _checked(found.format(), words)
    if _EDTF_CHARACTERS.fullmatch(words):
        return words
    if found is not None:
        raise UnreadableDate("it has no year", "write the year, as in 1 December 2024")
    raise UnreadableDate("it is not read as a date", "write 2024-12-01, 1 December 2024 or Dec 2024")


def read_written_period(text: str) -> str:
    """Return a period as EDTF: `since 15 April 2023` is `2023-04-15/..`, `Apr 2023 to Jun 2024` is `2023-04/2024-06`.

    EDTF is returned as it is, and so is a text without words, for the rules of EDTF to refuse. `to Nov 2024` has a
    start that is not known (`/2024-11`). Raises `UnreadableDate` as `read_written_date` does.
    """
    words = " ".join(text.split())
    if _is_edtf_period(words) or len(words) > _MAX_CHARACTERS:
        return words
    _refuse_uncertain_order(words)
    folded = words.casefold()
    found = _read_date(folded)
    if found is not None and found.is_complete:
        return _checked(found.format(), words)
    ends = _split_period(folded)
    if ends is not None:
        return _checked("/".join(ends), words)
    for match in _NUMERIC_DATE.finditer(words):
        _refuse_uncertain_order(match[0])
    if _EDTF_CHARACTERS.fullmatch(words):
        return words
    if found is not None:
        raise UnreadableDate("it has no year", "write the year, as in 1 December 2024")
    raise UnreadableDate(
        "it is not read as a period",
        "write 2023-04/2024-06, April 2023 to June 2024, since 15 April 2023, or another period in EDTF",
    )


def _split_period(folded: str) -> tuple[str, str] | None:
    """Return both ends of a period in EDTF, or None if it is not understood."""
    if (match := _UNTIL_PATTERN.fullmatch(folded)) and (end := _read_end(match["end"])) is not None:
        return "", end
    if match := _BETWEEN_PATTERN.fullmatch(folded):
        return _join_ends(match["start"], match["end"])
    if match := _FROM_PATTERN.fullmatch(folded):
        rest = match["rest"]
        onwards = _ONWARDS_PATTERN.fullmatch(rest)
        if (start := _read_end(onwards["start"] if onwards else rest)) is not None:
            return start, ".."
        return _split_ends(rest)
    if match := _ONWARDS_PATTERN.fullmatch(folded):
        start = _read_end(match["start"])
        return None if start is None else (start, "..")
    return _split_ends(folded)


def _split_ends(folded: str) -> tuple[str, str] | None:
    """Return both ends of a period with a word or a dash between them."""
    for separator in _SEPARATORS:
        parts = separator.split(folded)
        if len(parts) == 2 and (ends := _join_ends(*parts)) is not None:  # noqa: PLR2004 - both ends
            return ends
    return None


def _join_ends(first: str, last: str) -> tuple[str, str] | None:
    """Return both ends in EDTF. The first one may lack what the last one has: `1-15 June 2024`."""
    start = _read_date(first)
    if start is None:
        return None
    if last in _PRESENT:
        return (start.format(), "..") if start.is_complete else None
    end = _read_date(last)
    if end is None:
        return None
    if end.edtf is None and end.month is None and end.day is not None:
        end = replace(end, month=start.month)  # June 1-15, 2024
    if start.edtf is None and end.edtf is None:
        if start.month is None and start.year is None and end.day is not None:
            start = replace(start, month=end.month)
        start = replace(start, year=end.year if start.year is None else start.year)
    return (start.format(), end.format()) if start.is_complete and end.is_complete else None


def _read_end(folded: str) -> str | None:
    """Return a complete date in EDTF, or None."""
    found = _read_date(folded)
    return found.format() if found is not None and found.is_complete else None


def _read_date(folded: str) -> _WrittenDate | None:
    """Return a date in words or in EDTF, or None."""
    if _is_edtf_date(folded.upper()):
        return _WrittenDate(edtf=folded.upper())
    for pattern in _DATE_PATTERNS:
        if match := pattern.fullmatch(folded):
            parts = match.groupdict()
            month = parts.get("month")
            year, day = ((int(parts[name]) if parts.get(name) else None) for name in ("year", "day"))
            return _WrittenDate(year, _MONTH_NUMBERS[month] if month else None, day)
    return None


def _is_edtf_date(text: str) -> bool:
    try:
        parse_date(text)
    except InvalidPeriod:
        return False
    return True


def _is_edtf_period(text: str) -> bool:
    try:
        parse_period(text)
    except InvalidPeriod:
        return False
    return True


def _checked(edtf: str, words: str) -> str:
    """Return a period that exists. Raises `UnreadableDate`."""
    try:
        return parse_period(edtf).edtf
    except InvalidPeriod as error:
        reason = error.hint or f"expected {error.expected}"
        raise UnreadableDate(f"it is read as {edtf}: {reason}", f"correct {words!r}") from None


def _refuse_uncertain_order(words: str) -> None:
    """Raise `UnreadableDate` for `03/04/2024`, which is a day in April or in March, and for `Dec-24`."""
    if (match := _NUMERIC_DATE.fullmatch(words)) is not None:
        first, second, year = int(match[1]), int(match[3]), match[4]
        if len(year) == 2:  # noqa: PLR2004 - the digits of a year
            raise UnreadableDate("its year has two digits", "write the year first, such as 2024-12-01")
        days = [
            f"{year}-{month:02}-{day:02}"
            for day, month in dict.fromkeys(((first, second), (second, first)))
            if 1 <= month <= _MONTHS_OF_YEAR and _is_edtf_date(f"{year}-{month:02}-{day:02}")
        ]
        if len(days) > 1:
            raise UnreadableDate(f"it can be {days[0]} and {days[1]}", "write the one that is meant")
        if match[2] == "/" and days:
            raise UnreadableDate("countries write day and month in different orders", f"write {days[0]}")
    if (match := _SHORT_YEAR.fullmatch(words.casefold())) is not None:
        detail = "its year has two digits" if match["day"] else f"{match['year']} can be a day and a year"
        raise UnreadableDate(detail, "write the year in full, as in 1 Dec 2024 or Dec 2024")
