"""Reads the printed wording of a figure ("surpassed one million", "between 7,000 and 15,000") and never guesses."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.comparison.figure import MAX_DIGITS, Figure, FigureFault, Number, checked, plain_number

_LONGEST: Final = 80
"""Longer texts are sentences, not wordings; the cap also bounds the time that the patterns below can take."""

_SPELLING: Final = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u2009\u202f\t\n", " ") | dict.fromkeys("‐‑‒–—−", "-") | dict.fromkeys("’ʼ", "'")
)

# fmt: off
_UNITS: Final = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
# fmt: on
_WORDS: Final = {word: number for number, word in enumerate(_UNITS)} | {
    word: number * 10 for number, word in enumerate(_TENS, start=2)
}
_SCALES: Final = {
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

_DIGITS: Final = r"[+-]?(?:[0-9]{1,3}(?:(?P<mark%s>[, '])[0-9]{3}(?:(?P=mark%s)[0-9]{3})*)|[0-9]+)(?:\.[0-9]+)?"
_WORD: Final = (
    rf"(?:(?:{'|'.join(_TENS[::-1])})[ -](?:{'|'.join(_UNITS[1:10])})|{'|'.join([*_UNITS[::-1], *_TENS])}|half an?|an?)"
)
_SCALE: Final = r"hundred thousand|hundred million|hundred|thousand|million|billion|trillion|mln|mn|bn|[km]"


def _number(name: str) -> str:
    """A pattern for one number; its groups carry the name, so that two fit into one pattern."""
    digits = _DIGITS % (name, name)
    return rf"(?:(?P<digits{name}>{digits})|(?P<words{name}>{_WORD}))(?:[ -]?(?P<scale{name}>{_SCALE}))?(?![a-z0-9.,%])"


# Compiled when they are first needed: that takes as long as loading the rest of the room.
_ONE: Final = _number("a")
_RANGE: Final = (
    rf"{_number('a')} ?(?P<join>-) ?{_number('b')}",
    rf"{_number('a')} (?P<join>to) {_number('b')}",
    rf"(?P<join>between) {_number('a')} and {_number('b')}",
    rf"(?P<join>from) {_number('a')} to {_number('b')}",
)
_SHARE: Final = rf"{_number('a')} (?:out )?of (?:the )?{_number('b')}(?: (?:[a-z]+ed|lost|dead|missing))?"
_ODDS: Final = (
    rf"{_number('a')} ?: ?{_number('b')}",
    rf"{_number('a')} to {_number('b')}",
    rf"{_number('a')} (?P<one>[a-z]+) to {_number('b')} (?P<two>[a-z]+)",
)
_VAGUE: Final = re.compile(
    r"(?:(?:many|several|some|a few|tens of|hundreds of|dozens of|thousands of|scores of) )*"
    r"(?:dozens|scores|hundreds|thousands|millions|billions|several|many|a few|few|a handful|countless|numerous"
    r"|(?:several|a few|many)(?: dozen| hundred| thousand| million))(?: more)?"
)

_MODIFIERS: Final = {
    "about": "approximately|approx\\.?|about|around|some|roughly|circa|ca?\\.?|~|≈",
    "over": "surpassed|surpassing|over|more than|exceeding|exceeded|exceeds|exceed|topped|above|greater than"
    "|in excess of|upwards of|>(?!=)",
    "least": "at least|no fewer than|no less than|not less than|not fewer than|a minimum of|>=|≥",
    "most": "up to|as many as|as much as|at most|no more than|not more than|a maximum of|<=|≤",
    "under": "under|less than|fewer than|below|<(?!=)",
    "nearly": "nearly|almost|close to|approaching|just under|just below",
}
# After a word comes a space; after a sign or a full stop there may be one.
_MODIFIER: Final = re.compile(
    "(?:" + "|".join(rf"(?P<{name}>{words})" for name, words in _MODIFIERS.items()) + ")(?:(?<=[a-z]) |(?<![a-z]) ?)"
)


_THOUSAND: Final = 1000
_YEAR: Final = re.compile("(?:19|20)[0-9]{2}")


@dataclass(frozen=True, slots=True)
class _Read:
    """One number as it was read; `bare` when neither a scale ("million") nor grouped digits say how large it is."""

    number: Number
    scale: int
    bare: bool


def parse_wording(text: str) -> Figure | None:
    """Read the words of a figure (not a sentence around it) into a Figure, or give None where that is not certain.

    `as_printed` keeps the text as it came. A ratio ("1:5") lacks `relative_to`, and a range its `coverage`, because
    the wording does not say them. None also for what could be read in two ways: "1.351" (a thousand or one and a bit),
    "60-70,000", "1 to 5".
    """
    if len(text) > _LONGEST:
        return None
    words = text.translate(_SPELLING).strip().lower()
    figure = _read(words)
    if figure is None:
        return None
    try:
        return checked(replace(figure, as_printed=text), "quantity")
    except FigureFault:
        return None


def _read(words: str) -> Figure | None:
    if _VAGUE.fullmatch(words):
        return Figure(words)
    modifier = _MODIFIER.match(words)
    if modifier is None:
        return _pair(words) or _plain(words)
    rest = words[modifier.end() :]
    if modifier.lastgroup == "about":
        found = _range(rest) or _plain(rest)
        return None if found is None or found.out_of is not None else replace(found, approximate=True)
    read = _lone(rest)
    return None if read is None else _BOUNDS[str(modifier.lastgroup)](read.number)


_BOUNDS: Final[dict[str, Callable[[Number], Figure]]] = {
    "over": lambda number: Figure("", lower=number, lower_inclusive=False),
    "least": lambda number: Figure("", lower=number, lower_inclusive=True),
    "most": lambda number: Figure("", upper=number, upper_inclusive=True),
    "under": lambda number: Figure("", upper=number, upper_inclusive=False),
    "nearly": lambda number: Figure("", upper=number, upper_inclusive=False, approximate=True),
}


def _plain(words: str) -> Figure | None:
    if words.endswith(" or more"):
        read = _lone(words.removesuffix(" or more"))
        return None if read is None else _BOUNDS["least"](read.number)
    read = _lone(words)
    return None if read is None else Figure("", value=read.number)


def _lone(words: str) -> _Read | None:
    match = re.fullmatch(_ONE, words)
    return None if match is None else _taken(match, "a")


def _pair(words: str) -> Figure | None:
    return _range(words) or _share(words) or _odds(words)


def _range(words: str) -> Figure | None:
    for pattern in _RANGE:
        match = re.fullmatch(pattern, words)
        if match is not None and (ends := _range_ends(match)) is not None:
            return Figure("", lower=ends[0], upper=ends[1])
    return None


def _range_ends(match: re.Match[str]) -> tuple[Number, Number] | None:
    one, two = _taken(match, "a"), _taken(match, "b")
    if one is None or two is None:
        return None
    lower = one.number
    if one.bare and two.scale > 1 and abs(lower) < _THOUSAND:
        # "60-70 thousand" scales both ends.
        lower = plain_number(float(Decimal(str(lower)) * two.scale))
    elif one.bare and abs(lower) * _THOUSAND < abs(two.number):
        # "60-70,000" may be short for 60,000-70,000.
        return None
    years = all(_YEAR.fullmatch(match[f"digits{name}"] or "") for name in "ab")
    may_be_odds = match["join"] == "to" and lower >= 0 and two.number < _THOUSAND
    return None if years or may_be_odds or lower >= two.number else (lower, two.number)


def _share(words: str) -> Figure | None:
    match = re.fullmatch(_SHARE, words)
    if match is None:
        return None
    part, whole = _taken(match, "a"), _taken(match, "b")
    if part is None or whole is None or words.endswith((" percent", " per cent")):
        return None
    return Figure("", value=part.number, out_of=whole.number)


def _odds(words: str) -> Figure | None:
    for pattern in _ODDS:
        match = re.fullmatch(pattern, words)
        if match is None:
            continue
        one, two = _taken(match, "a"), _taken(match, "b")
        if one is None or two is None:
            return None
        nouns = match.groupdict()
        named = "one" in nouns and nouns["one"] != nouns["two"]
        spelled = match["wordsa"] == "one" and "one" not in nouns
        coloned = ":" in words and 1 in {one.number, two.number} and one.bare and two.bare
        if named or spelled or coloned:
            return Figure("", value=one.number, out_of=two.number)
    return None


def _taken(match: re.Match[str], name: str) -> _Read | None:
    digits, words, scale_word = match[f"digits{name}"], match[f"words{name}"], match[f"scale{name}"]
    scale = 1
    for part in (scale_word or "").split():
        scale *= _SCALES[part]
    if words is not None:
        share = _spelled(words, scaled=scale > 1)
        return None if share is None else _Read(plain_number(float(share * scale)), scale, bare=scale == 1)
    # 1.351 is a thousand and more in half of Europe, and one and a bit in the other half.
    if scale == 1 and re.fullmatch(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}", digits):
        return None
    mark = match[f"mark{name}"]
    plain = digits.replace(mark, "") if mark else digits
    # In decimal: 1.2 million must be 1200000 to the last digit, and no digit may be lost unseen.
    exact = Decimal(plain) * scale
    if len(exact.normalize().as_tuple().digits) > MAX_DIGITS:
        return None
    return _Read(plain_number(float(exact)), scale, bare=scale == 1 and mark is None)


def _spelled(words: str, *, scaled: bool) -> Decimal | None:
    if words in {"a", "an"}:
        return Decimal(1) if scaled else None
    if words.startswith("half"):
        return Decimal("0.5") if scaled else None
    tens, _, unit = words.replace("-", " ").partition(" ")
    return Decimal(_WORDS[tens] + (_WORDS[unit] if unit else 0))
