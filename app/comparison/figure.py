"""Printed figures: their numbers, the validation of these, and the interval that they describe."""

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

Number = int | float
FigureKindName = Literal["plain", "approximate", "range", "lower_bound", "upper_bound", "vague", "none"]

MAX_MAGNITUDE: Final = 10**15
MAX_SIGNIFICANT_DIGITS: Final = 15

NUMERIC_PROPOSITIONS: Final = frozenset({"quantity", "ratio"})
NON_NUMERIC_PROPOSITIONS: Final = frozenset({"peak_period", "trend", "existence", "denial"})


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
    ratio. `relative_to` is the subject that the number is relative to. The unit is that of the category.
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
    """Return whole floats as integers (1000340.0 as 1000340, -0.0 as 0), so that they print without a decimal point."""
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return number


def format_canonical_number(number: Number) -> str:
    """Return a finite number in the canonical format of fingerprints: no exponent, no trailing zeros."""
    return format(Decimal(str(normalize_number(number))), "f")


def validate_figure(figure: PrintedFigure, proposition: str) -> PrintedFigure:
    """Return the figure with normalized numbers and explicit inclusiveness.

    Raises `InvalidFigure` if its fields contradict each other or the proposition, or if a number does not fit a JSON
    double: 15 significant digits and a magnitude up to 10^15 are exact (IEEE 754 binary64, RFC 8259 section 6).
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
    return figure


def _validate_number(field: str, number: Number | None) -> Number | None:
    if number is None:
        return None
    # bool is a subclass of int in Python, but a boolean is never a valid number here.
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InvalidFigure(field, "a number")
    if isinstance(number, float) and not math.isfinite(number):
        raise InvalidFigure(field, "a finite number", "Leave an unknown bound null.")
    if abs(number) > MAX_MAGNITUDE:
        raise InvalidFigure(field, "a number between -10^15 and 10^15")
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
            field, f"null for the proposition {proposition}", "With a number the proposition is a quantity or a ratio."
        )
    if proposition == "ratio":
        if not figure.has_number:
            raise InvalidFigure("value", "a number for the proposition ratio", 'Write "1 to 5" as value 1, out_of 5.')
        if figure.out_of is None:
            raise InvalidFigure("out_of", "a number for the proposition ratio", 'Write "1 to 5" as value 1, out_of 5.')
        if figure.relative_to is None:
            raise InvalidFigure(
                "relative_to", "the other side of the ratio", "Name the subject that the figure is relative to."
            )


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

    Bounds are the interval; a value without bounds is a point. A `tolerance` (above 0 and up to 1) widens an
    approximate value without bounds by that share of its size, and gives "nearly N" a lower bound. It changes nothing
    else, because a printed number or range has only the width that its source states. Raises `ValueError` for a
    tolerance outside its range.
    """
    if tolerance is not None and not 0 < tolerance <= 1:
        message = "tolerance: expected a share above 0 and up to 1."
        raise ValueError(message)
    value, lower, upper = figure.value, figure.lower, figure.upper
    if lower is None and upper is None:
        if value is None:
            return None
        if tolerance is None or not figure.approximate:
            return NumberInterval(value, value)
        return NumberInterval(_shift_by_share(value, -tolerance), _shift_by_share(value, tolerance))
    if tolerance is not None and upper is not None and _is_nearly(figure):
        return NumberInterval(_shift_by_share(upper, -tolerance), upper, upper_inclusive=False)
    return NumberInterval(lower, upper, figure.lower_inclusive is not False, figure.upper_inclusive is not False)


def _is_nearly(figure: PrintedFigure) -> bool:
    return figure.approximate and figure.lower is None and figure.value is None and figure.upper_inclusive is False


def _shift_by_share(number: Number, share: float) -> Number:
    # Decimal arithmetic: 3 + 10% must be 3.3, not 3.3000000000000003, or a figure on the bound is excluded.
    exact = Decimal(str(number))
    return normalize_number(float(exact + abs(exact) * Decimal(str(share))))


def subtract(larger: Number, smaller: Number) -> Number:
    """Return the difference of two numbers in decimal arithmetic, to at most 15 significant digits."""
    exact = Decimal(str(larger)) - Decimal(str(smaller))
    return normalize_number(float(f"{exact:.{MAX_SIGNIFICANT_DIGITS}g}"))


def magnitude_of(figure: PrintedFigure) -> Number | None:
    """Return the number that a figure is sorted by: its value, else its lower bound, else its upper bound."""
    if figure.value is not None:
        return figure.value
    return figure.lower if figure.lower is not None else figure.upper
