"""Reads the numbers of a wording: digits with a scale word, number words, fractions and round words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

from app.comparison.wordings.digits import NumberSigns, parse_digits
from app.comparison.wordings.grammar import Grammar
from app.comparison.wordings.tokens import Token, fraction_of

MAX_NUMBER_WORDS: Final = 12
_TEXT2NUM_LANGUAGES: Final = frozenset({"en", "fr", "de", "es"})
_HUNDRED, _THOUSAND = 100, 1000
_CJK_SCALES: Final = frozenset("万萬만億亿억兆조")
_NO_FIRST_WORDS: Final = frozenset(
    {
        "o",
        "tens",
        "hundred",
        "hundreds",
        "thousand",
        "thousands",
        "million",
        "millions",
        "billion",
        "billions",
        "trillion",
    }
    | {"trillions", "millionen", "milliarden", "billionen", "milliard", "milliards", "cents", "cientos", "miles"}
    | {"millones", "millón", "billones", "billón"}
)
"""Scale words that text2num reads as numbers, but that are vague or incomplete without a number before them."""

_REPLACED_WORDS: Final = {
    "en": {"a": "one", "an": "one"},
    "de": {"eine": "eins", "ein": "eins", "einer": "eins", "million": "millionen", "milliarde": "milliarden"},
    "fr": {"une": "un"},
    "es": {"veintiún": "veintiuno", "una": "uno", "un": "uno"},
}


class TwoNumbers(ValueError):
    """Two numbers that can be one: "1 million 340"."""


@dataclass(frozen=True, slots=True)
class ReadNumber:
    """A number, and the position of the token behind it.

    `scale` is its scale word, 1 without one. `is_round`: a round word says it, which is no count. `is_spelled`: it is
    in words. `digits` are the digits that it was read from.
    """

    number: Fraction
    end: int
    scale: int = 1
    is_round: bool = False
    is_spelled: bool = False
    is_grouped: bool = False
    digits: tuple[str, ...] = ()

    @property
    def is_unscaled(self) -> bool:
        """Whether neither a scale word nor a grouping of digits confirms its size."""
        return self.scale == 1 and not self.is_grouped


def read_numbers(tokens: list[Token], start: int, grammar: Grammar, signs: NumberSigns) -> Iterator[ReadNumber]:
    """Yield every number that begins at `start`, the longest first."""
    if start >= len(tokens):
        return
    token = tokens[start]
    if token.kind == "number":
        yield _read_digits(tokens, start, grammar, signs)
    elif token.kind == "fraction":
        number = fraction_of(token.text)
        yield ReadNumber(*_scale(tokens, start + 1, grammar, number), is_spelled=True, digits=(token.text,))
    elif token.kind == "word":
        yield from _read_words(tokens, start, grammar)


def _read_digits(tokens: list[Token], start: int, grammar: Grammar, signs: NumberSigns) -> ReadNumber:
    text = tokens[start].text
    if _find_scale(tokens, start + 1, grammar, Fraction(2)) is not None:
        signs = replace(signs, comma_groups=False, is_inferred=False, is_scaled=True)
    parsed = parse_digits(text, signs)
    number, end = Fraction(parsed.number), start + 1
    digits: tuple[str, ...] = (text,)
    if end == len(tokens):
        return ReadNumber(number, end, is_grouped=parsed.is_grouped, digits=digits)
    if tokens[end].kind == "fraction" and number.denominator == 1:
        number += fraction_of(tokens[end].text)
        digits += (tokens[end].text,)
        end += 1
    elif number.denominator == 1 and (matched := grammar.and_fractions.match(tokens, end)):
        number, end = number + matched[0], matched[1]
    number, end, scale = _scale(tokens, end, grammar, number)
    read = ReadNumber(number, end, scale, is_grouped=parsed.is_grouped, digits=digits)
    return read if scale == 1 else _add_smaller_scales(tokens, read, grammar, signs)


def _add_smaller_scales(tokens: list[Token], number: ReadNumber, grammar: Grammar, signs: NumberSigns) -> ReadNumber:
    """Add what follows a scale word: "2 lakh 50 thousand", "98万4000". Raises `TwoNumbers` for "1 million 340"."""
    while number.scale > 1 and number.end < len(tokens) and tokens[number.end].kind == "number":
        following = tokens[number.end]
        part = parse_digits(following.text, signs)
        scaled = ReadNumber(*_scale(tokens, number.end + 1, grammar, Fraction(part.number)))
        is_adjacent = tokens[number.end - 1].text in _CJK_SCALES and not following.is_spaced
        # "4 тысячи 848": 848, and 848 thousandths of the scale, are one number.
        is_complete = number.scale == 10 ** _count_digits(following.text) and all(
            Fraction(whole).denominator == 1 for whole in (part.number, number.number / number.scale)
        )
        is_uncertain = scaled.scale == 1 and not is_adjacent and not is_complete
        if scaled.number >= number.scale or is_uncertain or scaled.scale >= number.scale:
            raise TwoNumbers
        total = number.number + scaled.number
        digits = (*number.digits, following.text)
        number = replace(number, number=total, end=scaled.end, scale=scaled.scale, digits=digits)
        if scaled.scale == 1:
            number = replace(number, is_grouped=True)
    return number


def _count_digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _find_scale(tokens: list[Token], start: int, grammar: Grammar, number: Fraction) -> tuple[int, int] | None:
    """Return the scale at `start`, which a hyphen may precede, and the position behind it."""
    position = start
    if position + 1 < len(tokens) and tokens[position].text == "-" and not tokens[position].is_spaced:
        position += 0 if tokens[position + 1].is_spaced else 1
    matched = grammar.scales.match(tokens, position)
    if matched is None and number <= 1:
        matched = grammar.singular_scales.match(tokens, position)
    return matched


def _scale(tokens: list[Token], end: int, grammar: Grammar, number: Fraction) -> tuple[Fraction, int, int]:
    """Multiply a number by the scale words at `end`: "thousand", "hundred thousand", "mil millones".

    Return the number, the position behind it, and its scale.
    """
    scale = 1
    while (matched := _find_scale(tokens, end, grammar, number if scale == 1 else Fraction(2))) is not None:
        if scale != 1 and matched[0] <= scale:
            break
        scale *= matched[0]
        end = matched[1]
        if matched[0] >= 10**6:
            break
    return (number, end, 1) if scale == 1 else (number * scale, end, scale)


def _read_words(tokens: list[Token], start: int, grammar: Grammar) -> Iterator[ReadNumber]:
    yield from _read_round_words(tokens, start, grammar)
    for fraction, end in grammar.fractions.matches(tokens, start):
        scaled = ReadNumber(*_scale(tokens, end, grammar, fraction), is_round=True, is_spelled=True)
        if scaled.scale > 1:
            yield scaled
        elif any(table.match(tokens, end) for table in (grammar.percent, grammar.units, grammar.currencies)):
            yield ReadNumber(fraction, end, is_spelled=True)  # "half a percentage point"
    for fraction, end in grammar.whole_words.matches(tokens, start):
        yield ReadNumber(*_scale(tokens, end, grammar, fraction), is_spelled=True)
    for number, end in spelled_numbers(tokens, start, grammar):
        yield _extend_spelled(tokens, start, end, grammar, number)
    yield from _read_lone_scale(tokens, start, grammar)


def _extend_spelled(tokens: list[Token], start: int, end: int, grammar: Grammar, number: int) -> ReadNumber:
    """Return a number in words with what belongs to it: "and a half million", "dozen", "thousand"."""
    exact, scale = Fraction(number), _trailing_scale(tokens, start, end, grammar, number)
    if matched := grammar.and_fractions.match(tokens, end):
        scaled = ReadNumber(*_scale(tokens, matched[1], grammar, exact + matched[0]), is_spelled=True)
        if scale > 1:  # "un million et demi"
            return ReadNumber(exact + matched[0] * scale, matched[1], scale, is_spelled=True)
        if scaled.scale > 1 or number < _HUNDRED:  # "eight and a half hours"
            return scaled
    if rounded := grammar.rounds.match(tokens, end):
        return ReadNumber(exact * rounded[0], rounded[1], is_round=True, is_spelled=True)
    parts = _scale(tokens, end, grammar, exact) if scale == 1 else (exact, end, scale)
    return ReadNumber(*parts, is_spelled=True)


def _read_lone_scale(tokens: list[Token], start: int, grammar: Grammar) -> Iterator[ReadNumber]:
    """Yield a scale word behind an article, or alone in a Slavic language: "a million", "тысяча"."""
    if (article := grammar.articles.match(tokens, start)) is not None:
        number, end, scale = _scale(tokens, article[1], grammar, Fraction(1))
    elif grammar.numerals and (grammar.vague.match(tokens, start) is None or _is_qualified(tokens, start, grammar)):
        number, end, scale = _scale(tokens, start, grammar, Fraction(1))
    else:
        return
    if scale > 1:
        if halved := grammar.and_fractions.match(tokens, end):
            number, end = number + halved[0] * scale, halved[1]
        yield ReadNumber(number, end, scale, is_spelled=True)


def _is_qualified(tokens: list[Token], start: int, grammar: Grammar) -> bool:
    """Return whether a qualifier ends at `start`: "более тысячи" is a number, "тысячи" alone is not."""
    return any(
        end == start and kind != "plain"
        for begin in range(start)
        for kind, end in grammar.before.matches(tokens, begin)
    )


def _read_round_words(tokens: list[Token], start: int, grammar: Grammar) -> Iterator[ReadNumber]:
    """Yield dozens and their like, with or without an article, and words such as "полмиллиона"."""
    for number, end in grammar.compounds.matches(tokens, start):
        yield ReadNumber(Fraction(number), end, number, is_round=True, is_spelled=True)
    position = start
    if (matched := grammar.articles.match(tokens, start)) is not None:
        position = matched[1]
    for begin in {start, position}:
        if rounded := grammar.rounds.match(tokens, begin):
            yield ReadNumber(Fraction(rounded[0]), rounded[1], is_round=True, is_spelled=True)


def spelled_numbers(tokens: list[Token], start: int, grammar: Grammar) -> Iterator[tuple[int, int]]:
    """Yield the numbers in words that begin at `start`, the longest first, each with the position behind it."""
    end = start
    while end < len(tokens) and end - start < MAX_NUMBER_WORDS and tokens[end].kind == "word":
        end += 1
    if grammar.numerals:
        while end > start:
            number = _compose(tokens[start:end], grammar)
            if number is not None:
                yield number, end
            end -= 1
        return
    if grammar.code not in _TEXT2NUM_LANGUAGES or tokens[start].text in _NO_FIRST_WORDS:
        return
    while end > start:
        number = _spelled(" ".join(token.text for token in tokens[start:end]), grammar.code)
        if number is not None:
            yield number, end
        end -= 1


@lru_cache(maxsize=4_096)
def _spelled(words: str, language: str) -> int | None:
    """Return the number that words spell out, by the library text2num, or None."""
    from text_to_num import text2num  # noqa: PLC0415 - loaded with the first number in words

    replaced = _REPLACED_WORDS[language]
    first, _, rest = words.partition(" ")
    if first in replaced and (rest or language != "en"):
        words = f"{replaced[first]} {rest}".strip()
    words = " ".join(replaced.get(word, word) if word.startswith("veinti") else word for word in words.split())
    if words.startswith("zero "):
        return None
    try:
        return int(text2num(words, language))
    except (ValueError, OverflowError):
        return None


def _compose(tokens: list[Token], grammar: Grammar) -> int | None:
    """Return the number of words such as "двадцать одна тысяча": each group of up to three words with its scale."""
    total, group, smallest, last_scale = 0, 0, _THOUSAND, 10**15
    has_word = False
    position = 0
    if (implied := _match_implied_one(tokens, grammar)) is not None:
        (total, position), last_scale, has_word = implied, implied[0], True
    while position < len(tokens):
        value = grammar.numerals.get(tokens[position].text)
        if value is not None:
            is_next = value < smallest and (group == 0 or _digits_fit(smallest, value))
            if not is_next or (value == 0 and len(tokens) > 1):
                return None
            group, smallest, has_word = group + value, value, True
            position += 1
            continue
        matched = grammar.scales.match(tokens, position)
        if matched is None or not has_word or group == 0 or matched[0] >= last_scale:
            return None
        total, group, smallest, last_scale = total + group * matched[0], 0, _THOUSAND, matched[0]
        position = matched[1]
    if last_scale > _THOUSAND and implied is not None and group:
        return None  # "миллион двести" can be 1,000,200 and 1,200,000
    return total + group if has_word else None


def _match_implied_one(tokens: list[Token], grammar: Grammar) -> tuple[int, int] | None:
    """Return a scale that stands for one of it, and the position behind it: "тысяча двести" is 1,200.

    Only hundreds may follow: "тысяча-две" is one or two thousand.
    """
    matched = grammar.singular_scales.match(tokens, 0)
    if matched is None or matched[1] >= len(tokens):
        return None
    return matched if grammar.numerals.get(tokens[matched[1]].text, 0) >= _HUNDRED else None


def _digits_fit(previous: int, value: int) -> bool:
    """Return whether a word can follow one of `previous`: units behind tens, both behind hundreds."""
    if previous >= _HUNDRED:
        return value < _HUNDRED
    return previous >= 20 and value < 10  # noqa: PLR2004 - twenty is the first of the tens that units follow


def _trailing_scale(tokens: list[Token], start: int, end: int, grammar: Grammar, number: int) -> int:
    """Return the scale word at the end of a number in words, which binds both ends of a range; 1 without one."""
    for length in (2, 1):
        if end - length <= start:
            continue
        matched = grammar.scales.match(tokens, end - length)
        if matched is not None and matched[1] == end and number % matched[0] == 0 and matched[0] > 1:
            return matched[0]
    return 1
