"""The precision with which a number is printed: "45,000" may be any number that rounds to it."""

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from app.comparison.figure import Number

MIN_ROUNDED_ZEROS: Final = 3
"""Fewer trailing zeros count as printed: "20" is not "about 20"."""

DIGITS_IN_GROUP: Final = 3

_NUMERAL_PATTERN: Final = re.compile(r"\d+(?:[ .,'\u00a0\u2007\u2009\u202f\u2019\u02bc]\d+)*")
_SCALE_POWERS: Final = (0, 2, 3, 5, 6, 7, 9, 12)
"""The powers of ten of scale words: hundred, thousand, lakh, million, crore, billion, trillion."""

_MAX_CACHED_STEPS: Final = 1_000


@lru_cache(_MAX_CACHED_STEPS)
def rounding_step(as_printed: str, value: Number) -> Fraction:
    """Return the step to which a plain number may be rounded: 1,000 for "45,000", 100,000 for "1.2 million".

    Trailing zeros count as printed unless there are three or more, or a scale word ("1 million", "two hundred").
    """
    exact = abs(Fraction(str(value)))
    for power in _SCALE_POWERS:
        for numeral in _NUMERAL_PATTERN.findall(as_printed):
            for number, decimals in _read_numeral(numeral):
                if number * 10**power == exact:
                    return _step_of_numeral(number, decimals, power)
    # The number is printed in words.
    zeros = _trailing_zeros(exact)
    return Fraction(10) ** zeros if zeros >= _min_zeros_in_words(as_printed) else _last_digit(exact)


def significant_step(value: Number) -> Fraction:
    """Return the value of the last digit of a number that is not a trailing zero: 100 for 5,100, 0.1 for 8.5."""
    exact = abs(Fraction(str(value)))
    zeros = _trailing_zeros(exact)
    return Fraction(10) ** zeros if zeros else _last_digit(exact)


def _min_zeros_in_words(as_printed: str) -> int:
    return MIN_ROUNDED_ZEROS - 1 if "hundred" in as_printed.lower() else MIN_ROUNDED_ZEROS


def _read_numeral(numeral: str) -> Iterator[tuple[Fraction, int]]:
    """Yield the readings of a numeral with their number of decimals: the last mark separates a group, or decimals.

    The last group of a whole number has three digits, in every language.
    """
    parts = re.split(r"\D", numeral)
    digits = int("".join(parts))
    if len(parts) == 1 or len(parts[-1]) == DIGITS_IN_GROUP:
        yield Fraction(digits), 0
    if len(parts) > 1:
        yield Fraction(digits, 10 ** len(parts[-1])), len(parts[-1])


def _step_of_numeral(number: Fraction, decimals: int, power: int) -> Fraction:
    if decimals:
        return Fraction(10) ** (power - decimals)
    zeros = _trailing_zeros(number)
    return Fraction(10) ** (power + zeros if power or zeros >= MIN_ROUNDED_ZEROS else 0)


def _trailing_zeros(number: Fraction) -> int:
    if number.denominator != 1 or number == 0:
        return 0
    digits = str(number.numerator)
    return len(digits) - len(digits.rstrip("0"))


def _last_digit(number: Fraction) -> Fraction:
    """Return the value of the last decimal digit of a number; 1 for a whole number."""
    exponent = (Decimal(number.numerator) / Decimal(number.denominator)).normalize().as_tuple().exponent
    return Fraction(10) ** min(int(exponent), 0)
