"""The base of a relative figure: a period, a subject, a category, or words."""

import re
from collections.abc import Container
from typing import Final, Literal

from app.comparison.period import InvalidPeriod, parse_period

BaseKind = Literal["period", "subject", "category", "words"]

_YEARS_PATTERN: Final = re.compile(r"(?<![0-9])[0-9]{4} ?- ?[0-9]{4}(?![0-9])")
_LONG_DASHES: Final = re.compile(" ?[\u2012\u2013\u2014\u2212] ?| - ")


def normalize_relative_to(text: str, subjects: Container[str], categories: Container[str]) -> tuple[BaseKind, str]:
    """Return what a base is, and the key by which two bases are compared.

    It is read as an EDTF period (with dashes folded), then as a subject, then as a category. Otherwise it is words, and
    letter case and spaces do not count.

    Args:
        text: `relative_to` of a figure, as given.
        subjects: The slugs of the recorded subjects.
        categories: The slugs of the recorded categories.
    """
    folded = " ".join(text.split())
    if (period := base_period(folded)) is not None:
        return "period", period
    if folded in subjects:
        return "subject", folded
    return ("category", folded) if folded in categories else ("words", folded.casefold())


def base_period(text: str) -> str | None:
    """Return a base as an EDTF period, or None if it is not one: "1951-1980" is `1951/1980`."""
    folded = " ".join(text.split())
    candidates = [folded, _LONG_DASHES.sub("/", folded)]
    if _YEARS_PATTERN.fullmatch(folded):
        candidates.append(re.sub(" ?- ?", "/", folded))
    for candidate in candidates:
        try:
            return parse_period(candidate).edtf
        except InvalidPeriod:
            continue
    return None
