"""Units as people write them: "US$14.9 billion", "52%", "3.3 mm", "2,471 acres", "1 person".

Currencies and measures are written as CLDR says for British English. Its data are loaded with the first of them: the
units of most registers are plain words.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.comparison.units import (
    CURRENCIES,
    OTHER_MEASURES,
    PERCENT,
    TIMES,
    as_dimension,
    canonical_unit,
    dimension_of,
    has_fractions,
    spellings_of,
)

LOCALE: Final = "en_GB"

_PERCENT_NAMES: Final = frozenset({PERCENT, "per cent", "per-cent", "percents", "percentage", "pct", "%"})
_SHARE_PATTERN: Final = re.compile(r"(?:percent|per[ -]cent|percentage|pct|%)[ -]of[ -](?P<whole>.+)", re.IGNORECASE)
"""Percent of something that the unit names: `percent of GDP`."""

_SYMBOLS: Final = frozenset(
    {
        *("length-nanometer", "length-micrometer", "length-millimeter", "length-centimeter", "length-kilometer"),
        *("mass-microgram", "mass-milligram", "mass-kilogram", "volume-milliliter", "pressure-hectopascal"),
        *("temperature-celsius", "temperature-fahrenheit", "temperature-kelvin", "angle-degree"),
        *("energy-kilowatt-hour", "power-kilowatt", "power-megawatt", "power-gigawatt"),
        *("speed-kilometer-per-hour", "speed-meter-per-second", "speed-mile-per-hour"),
        *("concentr-part-per-1e6", "concentr-permille"),
    }
)
"""Measures that are written as a symbol (3.3 mm). Others are written as words (2,471 acres)."""

_SCALES_OF_THEIR_OWN: Final = frozenset({"index", "magnitude", "rate", "ratio", "score"})
"""Units with fractions that are no amount of anything."""

_PER_PATTERN: Final = re.compile(r"(?:^|(?<= ))per .+")
_LONG_DIGITS: Final = re.compile(r"[0-9]{4,}")
_HEAD_END: Final = re.compile(
    r" (?:among|at|by|for|from|in|near|of|on|other|per|reported|than|that|to|which|who|whom|with|without)\b.*",
    re.DOTALL,
)
_TENTHS_PATTERN: Final = re.compile(r"[0-9,]+\.[0-9]")
_IRREGULAR_SINGULARS: Final = {"people": "person", "children": "child", "men": "man", "women": "woman", "lives": "life"}
_UNCHANGED_SINGULARS: Final = frozenset({"species", "series", "news", "means"})


@dataclass(frozen=True, slots=True)
class UnitPhrase:
    """A unit as it is written with a number, which replaces `{}`.

    `is_measure` is true for an amount (money, percent, area), and false for counted things. `is_attached` says that the
    unit stands with each number of a range: "40% to 52%". `label` names the unit of a figure without a number, and
    `is_share` is true for percent, which can be of people. `per` is the end of a unit such as
    `cases-per-100000`, which stands behind what is counted: "per 100,000".
    """

    singular: str
    plural: str
    is_measure: bool = False
    is_attached: bool = False
    is_currency: bool = False
    is_share: bool = False
    label: str = ""
    per: str = ""

    def attach(self, number: str) -> str:
        """Return a number with the unit, if the unit stands with each number; else the number."""
        if not self.is_attached:
            return number
        if not self.is_currency:
            return self.plural.format(number)
        sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
        cents = "0" if _TENTHS_PATTERN.fullmatch(digits) else ""  # US$4.50
        return f"{sign}{self.plural.format(digits)}{cents}"

    def complete(self, words: str, *, is_one: bool = False) -> str:
        """Return words with numbers, completed by the unit if it stands behind the last number."""
        return words if self.is_attached else (self.singular if is_one else self.plural).format(words)

    def number_before(self, noun: str, words: str) -> str:
        """Return the number of `words` without the unit if `noun` ends with the unit or the unit has `per`; else ""."""
        names_unit = noun and (self.per or (self.label and f" {noun}".endswith(f" {self.label}")))
        if not names_unit or self.is_attached:
            return ""
        own = next((unit for pattern in (self.plural, self.singular) if words.endswith(unit := pattern[2:])), "")
        return words.removesuffix(own) if own else ""

    def of_what(self, noun: str) -> str:
        """Return what a measured amount is of: "in income" for money, "of crops" for others; empty without a noun."""
        return f"{'in' if self.is_currency else 'of'} {noun}" if noun else ""


NO_UNIT: Final = UnitPhrase("{}", "{}")


@lru_cache(maxsize=1_000)
def describe_unit(unit: str | None) -> UnitPhrase:
    """Return how a unit is written: a currency, a measure, or counted things."""
    if not unit:
        return NO_UNIT
    folded = " ".join(unit.split())
    lowercase = folded.casefold()
    if lowercase in _PERCENT_NAMES:
        return UnitPhrase("{}%", "{}%", is_measure=True, is_attached=True, is_share=True, label="percent")
    if (share := _SHARE_PATTERN.fullmatch(folded)) is not None:
        whole = _escape(share["whole"].replace("-", " "))
        pattern = f"{{}}% of {whole}"
        return UnitPhrase(pattern, pattern, is_measure=True, is_share=True, label=f"percent of {whole}")
    if folded == TIMES:
        return UnitPhrase("{} times", "{} times", is_measure=True, label=TIMES)
    if as_dimension(folded):  # of a claim that was recorded before its own unit was required
        pattern = f"{{}} ({folded}, in a unit that was not stated)"
        return UnitPhrase(pattern, pattern, is_measure=True, label=f"a unit of {folded} that was not stated")
    canonical = canonical_unit(folded)
    if canonical in CURRENCIES:
        return _describe_currency(canonical)
    dimension = dimension_of(canonical)
    name = f"{dimension}-{canonical}" if dimension else OTHER_MEASURES.get(lowercase.replace(" ", "-"))
    if name is not None and (measure := _describe_measure(name, is_symbol=name in _SYMBOLS)) is not None:
        return measure
    words = _escape(_name_plural(folded).replace("-", " "))
    is_points = lowercase.replace("-", " ").startswith("percentage point")
    is_measure = is_points or (has_fractions(folded) and lowercase not in _SCALES_OF_THEIR_OWN)
    per = _PER_PATTERN.search(words)
    if per is not None:
        words = _LONG_DIGITS.sub(lambda digits: f"{int(digits[0]):,}", words)
        per = _PER_PATTERN.search(words)
    return UnitPhrase(
        f"{{}} {make_singular(words)}",
        f"{{}} {words}",
        is_measure=is_measure,
        label=words,
        per="" if per is None else per[0],
    )


def _name_plural(unit: str) -> str:
    """Return the plural of a measure that CLDR does not name, if it is one of its spellings: `gigatonnes`."""
    plurals = [spelling for spelling in spellings_of(unit) if f"{spelling}s" not in spellings_of(unit)]
    known = sorted((each for each in plurals if each.endswith("s") and each[:-1] in spellings_of(unit)), key=len)
    return known[-1] if known else unit


def _describe_currency(code: str) -> UnitPhrase:
    from babel.numbers import get_currency_name, get_currency_symbol  # noqa: PLC0415 - only for registers with money

    symbol = _normalize_spaces(get_currency_symbol(code, LOCALE))
    name = get_currency_name(code, 2, LOCALE)  # "US dollars", behind a vague number
    pattern = f"{symbol} {{}}" if symbol[-1].isalpha() else f"{symbol}{{}}"
    return UnitPhrase(pattern, pattern, is_measure=True, is_attached=True, is_currency=True, label=name)


def _describe_measure(name: str, *, is_symbol: bool) -> UnitPhrase | None:
    from babel.units import UnknownUnitError, format_unit  # noqa: PLC0415 - as above

    length: str = "short" if is_symbol else "long"
    try:
        singular, plural = (
            _normalize_spaces(format_unit(number, name, length=length, locale=LOCALE)).replace(str(number), "{}", 1)  # type: ignore[arg-type] # one of its literals
            for number in (1, 2)
        )
    except UnknownUnitError:
        return None
    label = plural.replace("{}", "").strip()
    return UnitPhrase(singular, plural, is_measure=True, is_attached=" " not in plural, label=label)


def _normalize_spaces(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def make_singular(words: str) -> str:
    """Return a plural noun phrase in the singular: "item of equipment" for "items of equipment"."""
    end = _HEAD_END.search(words)
    head, rest = (words, "") if end is None else (words[: end.start()], words[end.start() :])
    before, space, noun = head.rpartition(" ")
    return f"{before}{space}{_make_noun_singular(noun)}{rest}"


def _make_noun_singular(noun: str) -> str:
    lowercase = noun.casefold()
    if lowercase in _UNCHANGED_SINGULARS or lowercase.endswith(("ss", "us", "is")):
        return noun
    if lowercase in _IRREGULAR_SINGULARS:
        return noun[:1] + _IRREGULAR_SINGULARS[lowercase][1:]
    if lowercase.endswith("ies") and len(noun) > len("ties"):
        return f"{noun[:-3]}y"
    if lowercase.endswith(("sses", "shes", "ches", "xes", "zes")):
        return noun[:-2]
    return noun[:-1] if lowercase.endswith("s") else noun
