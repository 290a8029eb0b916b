"""The reader of wordings for sentences, and the rule for wordings that are relative to something else."""

import re
from functools import cache
from typing import Final

from app.comparison.figure import PrintedFigure
from app.comparison.wordings.reader import read_english
from app.comparison.wordings.reading import UnreadableWording

_CHARACTER_REPLACEMENTS: Final = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u2009\u202f\t\n", " ") | dict.fromkeys("‐‑‒–—−", "-") | dict.fromkeys("’ʼ", "'")
)


def parse_wording(text: str) -> PrintedFigure | None:
    """Return the figure of an English wording that has only a qualifier and numbers. Return None if it is not certain.

    `as_printed` is the unchanged text. Wordings with a unit or a rate, and those in other languages, are None here:
    `read_wording` in `app/comparison/wordings/reader.py` reads them.
    """
    try:
        reading = read_english(text)
    except UnreadableWording:
        return None
    is_share = reading.figure.out_of is not None
    return reading.figure if reading.is_bare or is_share else None


def find_stated_base(text: str) -> str | None:
    """Return what an English wording says that its figure is relative to: "2022" for "20% more than in 2022"."""
    try:
        return read_english(text).figure.relative_to
    except UnreadableWording:
        return None


_PERCENT_PATTERN: Final = r"(?:%|per ?cent\b|pct\b|percentage points?\b)"
_TIMES_PATTERN: Final = r"(?:[0-9][0-9.,]*|two|three|four|five|six|seven|eight|nine|ten|a dozen|several|many)[ -]times"
_COMPARATIVES: Final = "more|less|fewer|higher|lower|greater|larger|smaller|bigger"
_CHANGES: Final = "rise|increase|jump|growth|surge|gain|drop|fall|decline|decrease|reduction|cut"
_CHANGED: Final = (
    "up|down|rose|risen|rises?|rising|grew|grown|increased?|increasing|jumped|fell|fallen|falls?|falling|dropped"
    "|declined?|decreased?|shrank|shrunk"
)
_RELATIVE_PATTERNS: Final = (
    ("percent", rf"{_PERCENT_PATTERN} (?:(?:{_COMPARATIVES})\b(?! or (?:more|less|fewer))|(?:above|below|up|down)\b)"),
    ("percent", rf"{_PERCENT_PATTERN} (?:{_CHANGES})s?\b"),
    (
        "percent",
        rf"\b(?:{_CHANGED}) (?:by )?(?:(?:about|around|some|nearly|almost|over) )?[0-9.,]+ ?{_PERCENT_PATTERN}",
    ),
    ("times", rf"\b{_TIMES_PATTERN} (?:as|the|{_COMPARATIVES})\b"),
    ("times", r"\b(?:twice|double|triple) (?:as|the)\b"),
)


def find_relative_wording(text: str) -> str | None:
    """Return the unit, `percent` or `times`, of a wording that states a number relative to something else.

    "20% more than in 2022" is relative, "more than 20%" is not. None if the wording is not relative, or if it is not
    certain.
    """
    words = " ".join(text.translate(_CHARACTER_REPLACEMENTS).lower().split())
    if not any(map(str.isalpha, words)):
        return None  # each pattern contains a word
    return next((unit for unit, pattern in _compile_relative_patterns() if pattern.search(words)), None)


@cache
def _compile_relative_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the unit and the pattern of each relative wording. They are compiled with their first use."""
    return tuple((unit, re.compile(pattern)) for unit, pattern in _RELATIVE_PATTERNS)
