"""Parses the printed wording of a figure ("surpassed one million"). Ambiguous wordings are not parsed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.comparison.figure import (
    MAX_SIGNIFICANT_DIGITS,
    InvalidFigure,
    Number,
    PrintedFigure,
    absolute,
    normalize_number,
    validate_figure,
)

_MAX_WORDING_CHARACTERS: Final = 80
"""Longer texts are sentences, not wordings. The limit also bounds the running time of the regular expressions."""

_CHARACTER_REPLACEMENTS: Final = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u2009\u202f\t\n", " ") | dict.fromkeys("‐‑‒–—−", "-") | dict.fromkeys("’ʼ", "'")
)

# fmt: off
_UNIT_WORDS: Final = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]
_TENS_WORDS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
# fmt: on
_WORD_VALUES: Final = {word: number for number, word in enumerate(_UNIT_WORDS)} | {
    word: number * 10 for number, word in enumerate(_TENS_WORDS, start=2)
}
_SCALE_FACTORS: Final = {
    "hundred": 10**2,
    "thousand": 10**3,
    "k": 10**3,
    "million": 10**6,
    "mln": 10**6,
    "mn": 10**6,
    "m": 10**6,
    "billion": 10**9,
    "bn": 10**9,
    "trillion": 10**12,
}

_DIGITS_PATTERN: Final = r"[+-]?(?:[0-9]{1,3}(?:(?P<mark%s>[, '])[0-9]{3}(?:(?P=mark%s)[0-9]{3})*)|[0-9]+)(?:\.[0-9]+)?"
_TENS_AND_UNITS: Final = rf"(?:{'|'.join(_TENS_WORDS[::-1])})[ -](?:{'|'.join(_UNIT_WORDS[1:10])})"
_WORD_PATTERN: Final = rf"(?:{_TENS_AND_UNITS}|{'|'.join([*_UNIT_WORDS[::-1], *_TENS_WORDS])}|half an?|an?)"
_SCALE_PATTERN: Final = r"hundred thousand|hundred million|hundred|thousand|million|billion|trillion|mln|mn|bn|[km]"


def _number_pattern(name: str) -> str:
    """Return a pattern for one number. Its group names end with `name`, so that a pattern can have two numbers."""
    digits = _DIGITS_PATTERN % (name, name)
    number = rf"(?:(?P<digits{name}>{digits})|(?P<words{name}>{_WORD_PATTERN}))"
    return rf"{number}(?:[ -]?(?P<scale{name}>{_SCALE_PATTERN}))?(?![a-z0-9.,%])"


# Not compiled at import: compiling them takes as long as importing the rest of the package.
_NUMBER_PATTERN: Final = _number_pattern("a")
_RANGE_PATTERNS: Final = (
    rf"{_number_pattern('a')} ?(?P<join>-) ?{_number_pattern('b')}",
    rf"{_number_pattern('a')} (?P<join>to) {_number_pattern('b')}",
    rf"(?P<join>between) {_number_pattern('a')} and {_number_pattern('b')}",
    rf"(?P<join>from) {_number_pattern('a')} to {_number_pattern('b')}",
)
_SHARE_PATTERN: Final = (
    rf"{_number_pattern('a')} (?:out )?of (?:the )?{_number_pattern('b')}(?: (?:[a-z]+ed|lost|dead|missing))?"
)
_RATIO_PATTERNS: Final = (
    rf"{_number_pattern('a')} ?: ?{_number_pattern('b')}",
    rf"{_number_pattern('a')} to {_number_pattern('b')}",
    rf"{_number_pattern('a')} (?P<one>[a-z]+) to {_number_pattern('b')} (?P<two>[a-z]+)",
)
_VAGUE_PATTERN: Final = re.compile(
    r"(?:(?:many|several|some|a few|tens of|hundreds of|dozens of|thousands of|scores of) )*"
    r"(?:dozens|scores|hundreds|thousands|millions|billions|several|many|a few|few|a handful|countless|numerous"
    r"|(?:several|a few|many)(?: dozen| hundred| thousand| million))(?: more)?"
)

_MODIFIER_WORDS: Final = {
    "about": "approximately|approx\\.?|about|around|some|roughly|circa|ca?\\.?|~|≈",
    "over": "surpassed|surpassing|over|more than|exceeding|exceeded|exceeds|exceed|topped|above|greater than"
    "|in excess of|upwards of|>(?!=)",
    "least": "at least|no fewer than|no less than|not less than|not fewer than|a minimum of|>=|≥",
    "most": "up to|as many as|as much as|at most|no more than|not more than|a maximum of|<=|≤",
    "under": "under|less than|fewer than|below|<(?!=)",
    "nearly": "nearly|almost|close to|approaching|just under|just below",
}
# A space follows a word; it is optional after a sign or a full stop.
_MODIFIER_PATTERN: Final = re.compile(
    "(?:"
    + "|".join(rf"(?P<{name}>{words})" for name, words in _MODIFIER_WORDS.items())
    + ")(?:(?<=[a-z]) |(?<![a-z]) ?)"
)


_THOUSAND: Final = 1000
_YEAR_PATTERN: Final = re.compile("(?:19|20)[0-9]{2}")


@dataclass(frozen=True, slots=True)
class _ParsedNumber:
    """A parsed number. `is_unscaled`: neither a scale word ("million") nor digit grouping confirms its magnitude."""

    number: Number
    scale: int
    is_unscaled: bool


def parse_wording(text: str) -> PrintedFigure | None:
    """Parse the wording of a figure, without a sentence around it. Return None if it is not certain.

    `as_printed` is the unchanged text. A ratio ("1:5") has no `relative_to` and a range no `coverage`, because the
    wording does not state them. Ambiguous texts are None: "1.351" (thousands or decimals), "60-70,000", "1 to 5".
    """
    if len(text) > _MAX_WORDING_CHARACTERS:
        return None
    words = text.translate(_CHARACTER_REPLACEMENTS).strip().lower()
    figure = _parse(words)
    if figure is None:
        return None
    try:
        return validate_figure(replace(figure, as_printed=text), "quantity")
    except InvalidFigure:
        return None


def _parse(words: str) -> PrintedFigure | None:
    if _VAGUE_PATTERN.fullmatch(words):
        return PrintedFigure(words)
    modifier = _MODIFIER_PATTERN.match(words)
    if modifier is None:
        return _parse_pair(words) or _parse_plain(words)
    rest = words[modifier.end() :]
    if modifier.lastgroup == "about":
        figure = _parse_range(rest) or _parse_plain(rest)
        return None if figure is None or figure.out_of is not None else replace(figure, approximate=True)
    parsed = _parse_number(rest)
    return None if parsed is None else _BOUND_BUILDERS[str(modifier.lastgroup)](parsed.number)


_BOUND_BUILDERS: Final[dict[str, Callable[[Number], PrintedFigure]]] = {
    "over": lambda number: PrintedFigure("", lower=number, lower_inclusive=False),
    "least": lambda number: PrintedFigure("", lower=number, lower_inclusive=True),
    "most": lambda number: PrintedFigure("", upper=number, upper_inclusive=True),
    "under": lambda number: PrintedFigure("", upper=number, upper_inclusive=False),
    "nearly": lambda number: PrintedFigure("", upper=number, upper_inclusive=False, approximate=True),
}


def _parse_plain(words: str) -> PrintedFigure | None:
    if words.endswith(" or more"):
        parsed = _parse_number(words.removesuffix(" or more"))
        return None if parsed is None else _BOUND_BUILDERS["least"](parsed.number)
    parsed = _parse_number(words)
    return None if parsed is None else PrintedFigure("", value=parsed.number)


def _parse_number(words: str) -> _ParsedNumber | None:
    match = re.fullmatch(_NUMBER_PATTERN, words)
    return None if match is None else _number_from_match(match, "a")


def _parse_pair(words: str) -> PrintedFigure | None:
    return _parse_range(words) or _parse_share(words) or _parse_ratio(words)


def _parse_range(words: str) -> PrintedFigure | None:
    for pattern in _RANGE_PATTERNS:
        match = re.fullmatch(pattern, words)
        if match is not None and (ends := _parse_range_ends(match)) is not None:
            return PrintedFigure("", lower=ends[0], upper=ends[1])
    return None


def _parse_range_ends(match: re.Match[str]) -> tuple[Number, Number] | None:
    one, two = _number_from_match(match, "a"), _number_from_match(match, "b")
    if one is None or two is None:
        return None
    lower = one.number
    if one.is_unscaled and two.scale > 1 and absolute(lower) < _THOUSAND:
        # In "60-70 thousand" the scale applies to both bounds.
        lower = normalize_number(float(Decimal(str(lower)) * two.scale))
    elif one.is_unscaled and absolute(lower) * _THOUSAND < absolute(two.number):
        # "60-70,000" may be short for 60,000-70,000.
        return None
    years = all(_YEAR_PATTERN.fullmatch(match[f"digits{name}"] or "") for name in "ab")
    may_be_odds = match["join"] == "to" and lower >= 0 and two.number < _THOUSAND
    return None if years or may_be_odds or lower >= two.number else (lower, two.number)


def _parse_share(words: str) -> PrintedFigure | None:
    match = re.fullmatch(_SHARE_PATTERN, words)
    if match is None:
        return None
    part, whole = _number_from_match(match, "a"), _number_from_match(match, "b")
    if part is None or whole is None or words.endswith((" percent", " per cent")):
        return None
    return PrintedFigure("", value=part.number, out_of=whole.number)


def _parse_ratio(words: str) -> PrintedFigure | None:
    for pattern in _RATIO_PATTERNS:
        match = re.fullmatch(pattern, words)
        if match is None:
            continue
        one, two = _number_from_match(match, "a"), _number_from_match(match, "b")
        if one is None or two is None:
            return None
        nouns = match.groupdict()
        has_two_nouns = "one" in nouns and nouns["one"] != nouns["two"]
        is_spelled_out = match["wordsa"] == "one" and "one" not in nouns
        has_colon = ":" in words and 1 in {one.number, two.number} and one.is_unscaled and two.is_unscaled
        if has_two_nouns or is_spelled_out or has_colon:
            return PrintedFigure("", value=one.number, out_of=two.number)
    return None


def _number_from_match(match: re.Match[str], name: str) -> _ParsedNumber | None:
    digits, words, scale_word = match[f"digits{name}"], match[f"words{name}"], match[f"scale{name}"]
    scale = 1
    for part in (scale_word or "").split():
        scale *= _SCALE_FACTORS[part]
    if words is not None:
        factor = _parse_number_words(words, scaled=scale > 1)
        return (
            None
            if factor is None
            else _ParsedNumber(normalize_number(float(factor * scale)), scale, is_unscaled=scale == 1)
        )
    # In "1.351" the dot separates thousands in some European languages and decimals in others.
    if scale == 1 and re.fullmatch(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}", digits):
        return None
    separator = match[f"mark{name}"]
    ungrouped = digits.replace(separator, "") if separator else digits
    # Decimal arithmetic: 1.2 million must be exactly 1200000, and more digits than a double can hold are rejected.
    exact = Decimal(ungrouped) * scale
    if len(exact.normalize().as_tuple().digits) > MAX_SIGNIFICANT_DIGITS:
        return None
    return _ParsedNumber(normalize_number(float(exact)), scale, is_unscaled=scale == 1 and separator is None)


def _parse_number_words(words: str, *, scaled: bool) -> Decimal | None:
    if words in {"a", "an"}:
        return Decimal(1) if scaled else None
    if words.startswith("half"):
        return Decimal("0.5") if scaled else None
    tens, _, unit = words.replace("-", " ").partition(" ")
    return Decimal(_WORD_VALUES[tens] + (_WORD_VALUES[unit] if unit else 0))


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
    return next((unit for unit, pattern in _RELATIVE_PATTERNS if re.search(pattern, words)), None)
