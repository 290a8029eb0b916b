"""Slips of the hand: which digit, changed, swapped, dropped or added, turns one number into another."""

import math
from typing import Final, Literal

from app.comparison.figure import MAX_MAGNITUDE, format_canonical_number

DigitRelation = Literal["one_digit", "swapped", "dropped_or_added", "none"]
DigitRepair = tuple[DigitRelation, int]
"""What slipped, and the number that it was before."""

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
    """Tell which single slip of the hand turns one number into the other: `swapped` is any two digits exchanged."""
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
    """Find the slip of one digit that explains why a whole number is not between two others, and what it was before.

    Changing the last digits brings nearly anything between neighbours that lie far enough apart, so it explains a
    figure only where what is changed is large beside the room between them. Costs a few steps for each digit.
    """
    if not is_whole_number(value) or low < 0 or high > MAX_MAGNITUDE:
        return None
    number, least, most = int(value), math.ceil(low), math.floor(high)
    room = 2 * (most - least + 1)
    found = _change_digit(number, least, most, room)
    if found is not None:
        return "one_digit", found
    if (least - number if number < least else number - most) < room:
        return None
    found = _swap_digits(number, least, most)
    return find_length_repair(value, low, high) if found is None else ("swapped", found)


def find_length_repair(value: float, low: float, high: float) -> DigitRepair | None:
    """Find what one digit more or less would have made of a number that is not between two others."""
    if not is_whole_number(value) or low < 0 or high > MAX_MAGNITUDE:
        return None
    found = _resize_number(int(value), math.ceil(low), math.floor(high))
    return None if found is None else ("dropped_or_added", found)


def is_whole_number(value: float) -> bool:
    """Whether a number is whole, positive, and one that a figure can have."""
    return 0 < value < MAX_MAGNITUDE and value == int(value)


def _change_digit(number: int, least: int, most: int, room: int) -> int | None:
    place = 1
    while place <= number:
        if place >= room:
            digit = number // place % 10
            rest = number - digit * place
            wanted = max(-((rest - least) // place), 0)
            if wanted <= 9 and rest + wanted * place <= most:  # noqa: PLR2004 - the highest digit
                return rest + wanted * place
        place *= 10
    return None


def _swap_digits(number: int, least: int, most: int) -> int | None:
    # Neighbouring digits only: those are what fingers swap, and fewer chances mean fewer false alarms.
    place = 1
    while place * 10 <= number:
        right, left = number // place % 10, number // place // 10 % 10
        found = number + (right - left) * 9 * place
        if least <= found <= most:
            return found
        place *= 10
    return None


def _resize_number(number: int, least: int, most: int) -> int | None:
    place = 1
    while place <= number:
        shorter = number // (place * 10) * place + number % place
        if least <= shorter <= most:
            return shorter
        place *= 10
    place = 1
    while place <= number * 10:
        longer = number // place * place * 10 + number % place
        wanted = max(-((longer - least) // place), 0)
        if wanted <= 9 and longer + wanted * place <= most:  # noqa: PLR2004 - the highest digit
            return longer + wanted * place
        place *= 10
    return None
