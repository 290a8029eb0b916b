"""Finds the digit error (one digit changed, swapped, dropped or added) that turns one number into another."""

import math
from typing import Final, Literal

from app.comparison.figure import MAX_MAGNITUDE, format_canonical_number

DigitRelation = Literal["one_digit", "swapped", "dropped_or_added", "none"]
DigitRepair = tuple[DigitRelation, int]
"""The digit error, and the number without it."""

DIGIT_ERROR_NAMES: Final[dict[DigitRelation, str]] = {
    "one_digit": "a slip of one digit",
    "swapped": "two digits swapped",
    "dropped_or_added": "one digit dropped or added",
}
DIGIT_REPAIR_NAMES: Final[dict[DigitRelation, str]] = {
    "one_digit": "one other digit",
    "swapped": "two digits swapped",
    "dropped_or_added": "one digit more or less",
}


def digit_relation(one: float, other: float) -> DigitRelation:
    """Return the digit error that turns one number into the other; `swapped` is any two digits exchanged."""
    if not (math.isfinite(one) and math.isfinite(other)) or (one < 0) != (other < 0):
        return "none"
    longer, shorter = sorted(
        (format_canonical_number(abs(one)), format_canonical_number(abs(other))), key=len, reverse=True
    )
    if len(longer) == len(shorter):
        differing = [pair for pair in zip(longer, shorter, strict=True) if pair[0] != pair[1]]
        if not all(a.isdigit() and b.isdigit() for a, b in differing):
            return "none"
        if len(differing) == 1:
            return "one_digit"
        return "swapped" if len(differing) == 2 and differing[0] == differing[1][::-1] else "none"  # noqa: PLR2004
    if len(longer) == len(shorter) + 1:
        at = next((i for i, digit in enumerate(shorter) if longer[i] != digit), len(shorter))
        if longer[at].isdigit() and longer[:at] + longer[at + 1 :] == shorter:
            return "dropped_or_added"
    return "none"


def find_digit_repair(value: float, low: float, high: float) -> DigitRepair | None:
    """Return the digit error that explains why a whole number is not between two others, and the corrected number.

    Changing the last digits brings nearly any number between two distant neighbours. A change therefore counts only if
    it is large compared with the distance between them. Takes a few steps per digit.
    """
    if not is_whole_number(value) or low < 0 or high > MAX_MAGNITUDE:
        return None
    number, minimum, maximum = int(value), math.ceil(low), math.floor(high)
    range_size = 2 * (maximum - minimum + 1)
    changed = _change_digit(number, minimum, maximum, range_size)
    if changed is not None:
        return "one_digit", changed
    if (minimum - number if number < minimum else number - maximum) < range_size:
        return None
    swapped = _swap_digits(number, minimum, maximum)
    return find_length_repair(value, low, high) if swapped is None else ("swapped", swapped)


def find_length_repair(value: float, low: float, high: float) -> DigitRepair | None:
    """Return the number with one digit more or less that is between two others, if there is one."""
    if not is_whole_number(value) or low < 0 or high > MAX_MAGNITUDE:
        return None
    resized = _resize_number(int(value), math.ceil(low), math.floor(high))
    return None if resized is None else ("dropped_or_added", resized)


def is_whole_number(value: float) -> bool:
    """Return whether a number is whole, positive and in the range of figures."""
    return 0 < value < MAX_MAGNITUDE and value == int(value)


def _change_digit(number: int, minimum: int, maximum: int, range_size: int) -> int | None:
    place = 1
    while place <= number:
        if place >= range_size:
            digit = number // place % 10
            rest = number - digit * place
            wanted = max(-((rest - minimum) // place), 0)
            if wanted <= 9 and rest + wanted * place <= maximum:  # noqa: PLR2004 - the highest digit
                return rest + wanted * place
        place *= 10
    return None


def _swap_digits(number: int, minimum: int, maximum: int) -> int | None:
    # Neighbouring digits only: these are typed in the wrong order, and fewer candidates give fewer false positives.
    place = 1
    while place * 10 <= number:
        right, left = number // place % 10, number // place // 10 % 10
        swapped = number + (right - left) * 9 * place
        if minimum <= swapped <= maximum:
            return swapped
        place *= 10
    return None


def _resize_number(number: int, minimum: int, maximum: int) -> int | None:
    place = 1
    while place <= number:
        shorter = number // (place * 10) * place + number % place
        if minimum <= shorter <= maximum:
            return shorter
        place *= 10
    place = 1
    while place <= number * 10:
        longer = number // place * place * 10 + number % place
        wanted = max(-((longer - minimum) // place), 0)
        if wanted <= 9 and longer + wanted * place <= maximum:  # noqa: PLR2004 - the highest digit
            return longer + wanted * place
        place *= 10
    return None
