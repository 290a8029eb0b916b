"""Reads digits with separators. What can be 1.2 and 1,200 at once is refused, unless something says which."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_SEPARATORS: Final = re.compile("[.,'٬٫ ]")
_GROUPS_OF_THREE: Final = r"[1-9][0-9]{0,2}(?:%s[0-9]{3})+"
_INDIAN_GROUPS: Final = r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"
_WHOLE_NUMBERS: Final = {
    sign: re.compile("|".join([_GROUPS_OF_THREE % re.escape(sign), *([_INDIAN_GROUPS] if sign == "," else [])]))
    for sign in ".,' ٬"
}
_OTHER: Final[dict[str, str]] = {".": ",", ",": "."}
_DIGITS_OF_A_GROUP: Final = 3


class AmbiguousSeparator(ValueError):
    """Digits whose separator can be a decimal sign or group thousands. `choices` are the two numbers."""

    def __init__(self, digits: str, choices: tuple[Decimal, Decimal]) -> None:
        super().__init__(digits)
        self.digits = digits
        self.choices = choices


class NotANumber(ValueError):
    """Digits with separators that are no number, such as 1,23 in English."""

    def __init__(self, digits: str) -> None:
        super().__init__(digits)
        self.digits = digits


@dataclass(frozen=True, slots=True)
class NumberSigns:
    """What is known of the separators.

    `decimal` is the decimal sign, if known, and `group` what groups thousands in the language. `is_strict`: the caller
    says so of exactly these digits. `is_inferred`: only the words tell the language. `comma_groups`: without a known
    sign, a comma groups thousands. `is_whole`: there are no fractions of the unit, or there are, or None: not known.
    `is_scaled`: a scale word follows. `groups_any`: what can group thousands does, whatever the language.
    """

    decimal: str = ""
    group: str = ""
    is_strict: bool = False
    is_inferred: bool = False
    comma_groups: bool = True
    is_whole: bool | None = None
    is_scaled: bool = False
    groups_any: bool = False


@dataclass(frozen=True, slots=True)
class Digits:
    """A number in digits, and whether a separator groups its thousands."""

    number: Decimal
    is_grouped: bool


def parse_digits(digits: str, signs: NumberSigns) -> Digits:
    """Return the number. Raises `AmbiguousSeparator` or `NotANumber`."""
    if digits.isdigit():
        return Digits(Decimal(digits), is_grouped=False)
    if "٫" in digits:
        whole, _, fraction = digits.partition("٫")
        return _with_fraction(digits, _parse_whole(whole), fraction)
    readings: dict[str, Digits] = {sign: found for sign in ".," if (found := _parse_with(digits, sign)) is not None}
    if not readings:
        raise NotANumber(digits)
    if signs.decimal not in _OTHER:
        return _choose(digits, readings, comma_groups=signs.comma_groups)
    expected, other = readings.get(signs.decimal), readings.get(_OTHER[signs.decimal])
    separators = _SEPARATORS.findall(digits)
    if expected is not None and other is not None and not signs.is_strict and expected.number != other.number:
        # "1.200" in a language that groups thousands with spaces: written by hand, or with a foreign decimal point.
        if signs.groups_any and not signs.is_scaled:
            return expected if expected.is_grouped else other
        is_foreign_group = expected.is_grouped and separators[0] != signs.group
        is_guess = signs.is_inferred and not expected.is_grouped
        if is_foreign_group or is_guess or (not expected.is_grouped and _may_group_thousands(digits, signs)):
            raise AmbiguousSeparator(digits, (expected.number, other.number))
    if expected is not None:
        return expected
    # "1.002.500" and "1.200,50" have one reading, whatever the language.
    if other is None or signs.is_strict or (len(separators) == 1 and not _is_foreign_decimal(digits, other, signs)):
        raise NotANumber(digits)
    return other


def _is_foreign_decimal(digits: str, other: Digits, signs: NumberSigns) -> bool:
    """Return whether a decimal sign of another language can be nothing else: "1.3 Millionen", "8.4 grados"."""
    can_have_fraction = signs.is_scaled or signs.is_whole is False
    return can_have_fraction and not other.is_grouped and len(_SEPARATORS.split(digits)[-1]) < _DIGITS_OF_A_GROUP


def _may_group_thousands(digits: str, signs: NumberSigns) -> bool:
    """Return whether three digits behind the decimal sign of the language may be a group of thousands.

    Articles print "14,000 ha" in French and "14.000 people" in English: a slip of the writer, and a thousandfold error
    of the reader. A fraction of three digits is usual only where the decimal sign is a point, and behind a scale word.
    """
    if signs.is_scaled:
        return digits.endswith("000")
    return signs.is_whole is True or signs.decimal == "," or digits.endswith("0")


def _choose(digits: str, readings: dict[str, Digits], *, comma_groups: bool) -> Digits:
    """Return the reading without a known decimal sign."""
    point, comma = readings.get("."), readings.get(",")
    if point is None or comma is None or point.number == comma.number:
        only = point or comma
        assert only is not None  # noqa: S101 - there is one
        return only
    if point.is_grouped and comma_groups:
        return point
    raise AmbiguousSeparator(digits, (point.number, comma.number))


def _parse_with(digits: str, decimal: str) -> Digits | None:
    """Return the number if `decimal` is the decimal sign, or None if it is none then."""
    whole, sign, fraction = digits.rpartition(decimal)
    if not sign:
        whole, fraction = digits, ""
    if decimal in whole:
        return None
    try:
        return _with_fraction(digits, _parse_whole(whole), fraction) if sign else _parse_whole(whole)
    except NotANumber:
        return None


def _with_fraction(digits: str, whole: Digits, fraction: str) -> Digits:
    if not fraction.isdigit():
        raise NotANumber(digits)
    return Digits(whole.number + Decimal(f"0.{fraction}"), whole.is_grouped)


def _parse_whole(text: str) -> Digits:
    """Return a whole number, with one kind of separator between its groups."""
    if text.isdigit():
        return Digits(Decimal(text), is_grouped=False)
    separator = _SEPARATORS.search(text)
    if (
        separator is None
        or _WHOLE_NUMBERS.get(separator[0]) is None
        or not _WHOLE_NUMBERS[separator[0]].fullmatch(text)
    ):
        raise NotANumber(text)
    return Digits(Decimal(text.replace(separator[0], "")), is_grouped=True)
