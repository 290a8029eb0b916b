"""Printed figures: their numbers, the validation of these, and the interval that they describe."""

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from app.comparison.units import TIMES

Number = int | float | Fraction
"""A printed number; a fraction is the exact result of a conversion of units, and is never served."""
FigureKindName = Literal["plain", "approximate", "range", "lower_bound", "upper_bound", "vague", "none"]


def absolute(number: Number) -> Number:
    """Return the absolute value of a number."""
    return -number if number < 0 else number


MAX_MAGNITUDE: Final = 10**18
"""Numbers are below this limit in magnitude."""

MAX_SIGNIFICANT_DIGITS: Final = 15
MAX_EXACT_INTEGER: Final = 2**53
"""A double represents every whole number up to this one."""

NUMERIC_PROPOSITIONS: Final = frozenset({"quantity", "ratio", "change"})
RELATIVE_PROPOSITIONS: Final = frozenset({"ratio", "change"})
NON_NUMERIC_PROPOSITIONS: Final = frozenset({"peak_period", "trend", "existence", "denial"})


_TWO_SIDES_PATTERN: Final = re.compile(
    r"(?:[0-9]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred)\b).*\bto\b|[0-9] ?: ?[0-9]",
    re.IGNORECASE | re.DOTALL,
)
"""A number "to" another: "1 to 5", "one Russian to five Ukrainians", but not "close to 1 in 5"."""


class InvalidFigure(ValueError):
    """An invalid figure, with the `field`, the `expected` value and a `hint` (may be empty)."""

    def __init__(self, field: str, expected: str, hint: str = "") -> None:
        """Build the message from the field, the expected value and the hint."""
        self.field = field
        self.expected = expected
        self.hint = hint
        super().__init__(f"{field}: expected {expected}." + (f" {hint}" if hint else ""))


@dataclass(frozen=True, slots=True)
class PrintedFigure:
    """The printed wording of a figure and its numbers. A missing bound is unknown, not infinite or zero.

    `coverage` is the stated probability of the range (0 to 1). `out_of` is the whole of a share ("12 of the 100") or
    ratio. `relative_to` is what the number is relative to: see `app/comparison/relative_base.py`.
    """

    as_printed: str
    value: Number | None = None
    lower: Number | None = None
    upper: Number | None = None
    lower_inclusive: bool | None = None
    upper_inclusive: bool | None = None
    approximate: bool = False
    coverage: float | None = None
    out_of: Number | None = None
    relative_to: str | None = None

    @property
    def has_number(self) -> bool:
        """Whether the figure has a value or a bound."""
        return self.value is not None or self.lower is not None or self.upper is not None

    @property
    def kind(self) -> FigureKindName:
        """The kind of the figure by its numbers. Only `kind_of` returns `none`, which depends on the proposition."""
        if self.lower is not None:
            return "lower_bound" if self.upper is None else "range"
        if self.upper is not None:
            return "upper_bound"
        if self.value is None:
            return "vague"
        return "approximate" if self.approximate else "plain"


def kind_of(figure: PrintedFigure, proposition: str) -> FigureKindName:
    """Return the kind of a figure: without a number, `vague` for a numeric proposition, else `none`."""
    if not figure.has_number and proposition not in NUMERIC_PROPOSITIONS:
        return "none"
    return figure.kind


def normalize_number(number: Number) -> Number:
    """Return whole floats as integers (1000340.0 as 1000340, -0.0 as 0), so that they print without a decimal point.

    A large whole number has the digits that the float prints, at most 15 for a figure: 9.99999999999999e+17 is
    999999999999999000, and not the exact value of the float.
    """
    if isinstance(number, float) and number.is_integer():
        return int(number) if abs(number) <= MAX_EXACT_INTEGER else int(Decimal(repr(number)))
    return number


def format_canonical_number(number: Number) -> str:
    """Return a finite number in the canonical format of fingerprints: no exponent, no trailing zeros."""
    return format(Decimal(str(normalize_number(number))), "f")


def validate_figure(figure: PrintedFigure, proposition: str, unit: str | None = None) -> PrintedFigure:
    """Return the figure with normalized numbers and explicit inclusiveness.

    Raises `InvalidFigure` if its fields contradict each other, the proposition or the unit, or if a number does not fit
    a JSON double, which identifies every number of 15 significant digits (IEEE 754 binary64, RFC 8259 section 6).
    """
    if proposition not in NUMERIC_PROPOSITIONS | NON_NUMERIC_PROPOSITIONS:
        allowed = ", ".join(sorted(NUMERIC_PROPOSITIONS | NON_NUMERIC_PROPOSITIONS))
        raise InvalidFigure("proposition", f"one of {allowed}")
    if not figure.as_printed.strip():
        raise InvalidFigure("as_printed", "the wording of the source", "Copy the figure as printed.")
    if figure.relative_to is not None and not figure.relative_to.strip():
        raise InvalidFigure("relative_to", "the name of a base, or null")
    figure = replace(
        figure,
        value=_validate_number("value", figure.value),
        lower=_validate_number("lower", figure.lower),
        upper=_validate_number("upper", figure.upper),
        out_of=_validate_number("out_of", figure.out_of),
        lower_inclusive=_validate_inclusiveness("lower", figure.lower, figure.lower_inclusive),
        upper_inclusive=_validate_inclusiveness("upper", figure.upper, figure.upper_inclusive),
    )
    _check_bounds(figure)
    _check_coverage_and_base(figure)
    _check_proposition(figure, proposition)
    if proposition in RELATIVE_PROPOSITIONS:
        _check_relative_figure(figure, proposition, unit)
    return figure


def _validate_number(field: str, number: Number | None) -> Number | None:
    if number is None:
        return None
    # bool is a subclass of int in Python, but a boolean is never a valid number here.
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InvalidFigure(field, "a number")
    if isinstance(number, float) and not math.isfinite(number):
        raise InvalidFigure(field, "a finite number", "Leave an unknown bound null.")
    if abs(number) >= MAX_MAGNITUDE:
        raise InvalidFigure(field, "a number between -10^18 and 10^18, without these")
    plain = normalize_number(number)
    if len(Decimal(str(plain)).normalize().as_tuple().digits) > MAX_SIGNIFICANT_DIGITS:
        raise InvalidFigure(
            field, f"at most {MAX_SIGNIFICANT_DIGITS} significant digits", "JSON cannot represent more exactly."
        )
    return plain


def _validate_inclusiveness(bound: str, number: Number | None, inclusive: bool | None) -> bool | None:  # noqa: FBT001 - the type of the field
    if number is None:
        if inclusive is not None:
            raise InvalidFigure(f"{bound}_inclusive", f"null if {bound} is null")
        return None
    return True if inclusive is None else inclusive


def _check_bounds(figure: PrintedFigure) -> None:
    lower, upper, value = figure.lower, figure.upper, figure.value
    if lower is not None and upper is not None:
        if lower > upper:
            raise InvalidFigure("lower", "a number no greater than upper", "Swap the two bounds?")
        if lower == upper and not (figure.lower_inclusive and figure.upper_inclusive):
            raise InvalidFigure("lower_inclusive", "both bounds inclusive if they are equal")
    if value is not None and not NumberInterval(
        lower, upper, figure.lower_inclusive is not False, figure.upper_inclusive is not False
    ).contains(value):
        raise InvalidFigure("value", "a number within the bounds of the figure")


def _check_coverage_and_base(figure: PrintedFigure) -> None:
    if figure.coverage is not None:
        if figure.lower is None or figure.upper is None:
            raise InvalidFigure("coverage", "null unless both lower and upper are given")
        # The negated condition also rejects NaN.
        if isinstance(figure.coverage, bool) or not 0 < figure.coverage < 1:
            raise InvalidFigure("coverage", "a share above 0 and below 1", "Write 95% as 0.95.")
    if figure.out_of is not None:
        if not figure.has_number:
            raise InvalidFigure("out_of", "null unless a value or a bound is given")
        if figure.out_of <= 0:
            raise InvalidFigure("out_of", "a number above 0")
    if figure.approximate and not figure.has_number:
        raise InvalidFigure("approximate", "false if no number is given", "A figure without a number is vague.")


def _check_proposition(figure: PrintedFigure, proposition: str) -> None:
    if proposition in NON_NUMERIC_PROPOSITIONS and figure.has_number:
        field = next(name for name in ("value", "lower", "upper") if getattr(figure, name) is not None)
        raise InvalidFigure(
            field,
            f"null for the proposition {proposition}",
            "With a number the proposition is a quantity, a ratio or a change.",
        )


def _check_relative_figure(figure: PrintedFigure, proposition: str, unit: str | None) -> None:
    """Check a ratio (`value` to `out_of`, or `value` times) or a change, each with what it is relative to."""
    hints = {
        "ratio": 'Write "1 to 5" as value 1, out_of 5, and "four times" as value 4, unit times.',
        "change": 'Write "20% more" as value 20, unit percent, and "20% less" as value -20.',
    }
    if not figure.has_number:
        raise InvalidFigure("value", f"a number for the proposition {proposition}", hints[proposition])
    has_whole = figure.out_of is not None
    if proposition == "ratio" and unit != TIMES and not has_whole:
        raise InvalidFigure("out_of", "a number for the proposition ratio, or the unit times", hints["ratio"])
    if has_whole and (proposition == "change" or unit == TIMES):
        kind = "the proposition change" if proposition == "change" else "the unit times"
        raise InvalidFigure("out_of", f"null for {kind}", hints[proposition])
    # "1 in 5" is a share of one thing, and has no other side; "1 to 5" has one.
    if figure.relative_to is None and not (has_whole and _TWO_SIDES_PATTERN.search(figure.as_printed) is None):
        example = "such as `2022`, `1951/1980`, a subject or a category"
        raise InvalidFigure("relative_to", "what the figure is relative to", f"Name the base, {example}.")


@dataclass(frozen=True, slots=True)
class NumberInterval:
    """An interval of numbers. A bound of None is unknown and limits nothing."""

    lower: Number | None
    upper: Number | None
    lower_inclusive: bool = True
    upper_inclusive: bool = True

    @property
    def is_bounded(self) -> bool:
        """Whether both bounds are known."""
        return self.lower is not None and self.upper is not None

    @property
    def width(self) -> Number:
        """The distance between the bounds; infinite if one is unknown."""
        if self.lower is None or self.upper is None:
            return math.inf
        return subtract(self.upper, self.lower)

    def is_wholly_above(self, other: "NumberInterval") -> bool:
        """Return whether every number of this interval is greater than every number of the other."""
        if self.lower is None or other.upper is None:
            return False
        touching = self.lower == other.upper and not (self.lower_inclusive and other.upper_inclusive)
        return self.lower > other.upper or touching

    def is_disjoint_from(self, other: "NumberInterval") -> bool:
        """Return whether both intervals have no number in common."""
        return self.is_wholly_above(other) or other.is_wholly_above(self)

    def contains(self, number: Number) -> bool:
        """Return whether the interval contains the number."""
        return not self.is_disjoint_from(NumberInterval(number, number))

    def is_within(self, other: "NumberInterval") -> bool:
        """Return whether the other interval contains this one."""
        return _begins_no_higher(other, self) and _ends_no_higher(self, other)


def _begins_no_higher(one: NumberInterval, two: NumberInterval) -> bool:
    """Return whether the lower bound of `one` is no higher than that of `two`."""
    if one.lower is None or two.lower is None:
        return one.lower is None
    return one.lower < two.lower or (one.lower == two.lower and (one.lower_inclusive or not two.lower_inclusive))


def _ends_no_higher(one: NumberInterval, two: NumberInterval) -> bool:
    """Return whether the upper bound of `one` is no higher than that of `two`."""
    if one.upper is None or two.upper is None:
        return two.upper is None
    return one.upper < two.upper or (one.upper == two.upper and (two.upper_inclusive or not one.upper_inclusive))


def interval_of(figure: PrintedFigure, tolerance: float | None = None) -> NumberInterval | None:
    """Return the interval of numbers that the figure allows, or None if it has no number.

    Bounds are the interval; a value without bounds is a point. A `tolerance` (above 0 and up to 1) widens every end of
    an approximate figure by that share of its size: a value without bounds and "nearly" and "just over" on both sides.
    It changes nothing else, because a printed number or range has only the width that its source states. Raises
    `ValueError` for a tolerance outside its range.
    """
    if tolerance is not None and not 0 < tolerance <= 1:
        message = "tolerance: expected a share above 0 and up to 1."
        raise ValueError(message)
    value, lower, upper = figure.value, figure.lower, figure.upper
    if lower is None and upper is None:
        if value is None:
            return None
        lower = upper = value
    if tolerance is None or not figure.approximate:
        return NumberInterval(lower, upper, figure.lower_inclusive is not False, figure.upper_inclusive is not False)
    if is_near_bound(figure):
        lower = upper = lower if upper is None else upper
    return NumberInterval(
        None if lower is None else _shift_by_share(lower, -tolerance),
        None if upper is None else _shift_by_share(upper, tolerance),
    )


def is_near_bound(figure: PrintedFigure) -> bool:
    """Return whether the number lies close to one exclusive bound: "nearly 950,000" or "just over 300"."""
    if not figure.approximate or figure.value is not None:
        return False
    nearly = figure.lower is None and figure.upper_inclusive is False
    just_over = figure.upper is None and figure.lower_inclusive is False
    return nearly or just_over


def _shift_by_share(number: Number, share: float) -> Number:
    if isinstance(number, Fraction):
        return number + abs(number) * Fraction(str(share))
    # Decimal arithmetic: 3 + 10% must be 3.3, not 3.3000000000000003, or a figure on the bound is excluded.
    exact = Decimal(str(number))
    return normalize_number(float(exact + abs(exact) * Decimal(str(share))))


def subtract(larger: Number, smaller: Number) -> Number:
    """Return the exact difference of two numbers as printed, rounded to at most 15 significant digits."""
    exact = _as_printed_fraction(larger) - _as_printed_fraction(smaller)
    return normalize_number(float(f"{float(exact):.{MAX_SIGNIFICANT_DIGITS}g}"))


def _as_printed_fraction(number: Number) -> Fraction:
    """Return a number exactly; 66.04 is 66.04, and not the binary fraction next to it."""
    return number if isinstance(number, Fraction) else Fraction(str(number))


def magnitude_of(figure: PrintedFigure) -> Number | None:
    """Return the number that a figure is sorted by: its value, else its lower bound, else its upper bound."""
    if figure.value is not None:
        return figure.value
    return figure.lower if figure.lower is not None else figure.upper
