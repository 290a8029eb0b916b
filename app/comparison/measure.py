"""The numbers of a claim in one unit, and how two of them relate: overlapping, rounded, approximate or disjoint."""

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from app.comparison.figure import Number, NumberInterval, PrintedFigure, absolute, interval_of, is_near_bound
from app.comparison.rounding import rounding_step
from app.comparison.units import conversion_factor, dimension_of

if TYPE_CHECKING:
    from app.comparison.statement import Statement

MAX_ROUNDING_GAP: Final = Fraction(1, 20)
"""Rounding closes a gap of up to 5% of the larger number."""

CURRENCY: Final = "currency"


class Fit(Enum):
    """How the numbers of two claims fit together."""

    OVERLAP = auto()
    """They have a number in common."""
    ROUNDED = auto()
    """Only the rounding of a plain number closes the gap between them."""
    APPROXIMATE = auto()
    """The width of an approximate figure decides, which no source states."""
    DISJOINT = auto()
    """They have no number in common."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The numbers of a figure in the base unit of its dimension, as the share of `out_of` for a ratio.

    `interval` is widened by the tolerance. `core` is the part of it that is certain: "nearly 950,000" lies just below
    that number, although its lower bound is unknown. `is_soft` marks an approximate figure without a tolerance.
    """

    interval: NumberInterval
    core: NumberInterval
    is_soft: bool
    value: Number | None
    plain: PrintedFigure | None
    scale: Fraction

    @property
    def rounding(self) -> NumberInterval:
        """The numbers that round to a plain number as printed; the interval of any other figure."""
        if self.plain is None or self.plain.value is None:
            return self.interval
        exact = Fraction(str(self.plain.value))
        half = rounding_step(self.plain.as_printed, self.plain.value) / 2
        low, high = (exact - half) * self.scale, (exact + half) * self.scale
        return NumberInterval(low, high, lower_inclusive=False, upper_inclusive=False)


def measure(statement: "Statement", tolerance: float | None = None) -> Measure | None:
    """Return the numbers of a claim under a tolerance; None if it has none."""
    if tolerance is None or not statement.figure.approximate:
        return statement.stated
    return measure_figure(statement.figure, statement.unit, statement.proposition, tolerance)


def measure_figure(
    figure: PrintedFigure, unit: str, proposition: str, tolerance: float | None = None
) -> Measure | None:
    """Return the numbers of a figure under a tolerance; None if it has none."""
    scale = _scale_of(figure, unit, proposition)
    converted = figure if scale is None else _convert(figure, scale)
    interval = interval_of(converted, tolerance)
    if interval is None:
        return None
    is_soft = figure.approximate and tolerance is None
    is_plain = not figure.approximate and figure.lower is None and figure.upper is None
    return Measure(
        interval,
        _core_of(interval) if is_soft and is_near_bound(figure) else interval,
        is_soft,
        converted.value,
        figure if is_plain else None,
        scale or Fraction(1),
    )


def compared_unit(unit: str) -> str:
    """Return what makes two units comparable: the dimension of areas, lengths and masses, else the unit itself."""
    dimension = dimension_of(unit)
    return unit if dimension is None or dimension == CURRENCY else dimension


def fit(a: Measure, b: Measure) -> Fit:
    """Return how two figures for the same moment fit together."""
    if not a.interval.is_disjoint_from(b.interval):
        return Fit.APPROXIMATE if a.core.is_disjoint_from(b.core) else Fit.OVERLAP
    return _fit_across_gap(a, b)


def fit_below(small: Measure, large: Measure) -> Fit:
    """Return how two figures fit of which the first must not exceed the second; `DISJOINT` if it exceeds it."""
    if not small.interval.is_wholly_above(large.interval):
        return Fit.APPROXIMATE if small.core.is_wholly_above(large.core) else Fit.OVERLAP
    return _fit_across_gap(small, large)


def _fit_across_gap(a: Measure, b: Measure) -> Fit:
    if a.is_soft or b.is_soft:
        return Fit.APPROXIMATE
    if a.plain is None and b.plain is None:
        return Fit.DISJOINT
    low, high = facing_ends(a.interval, b.interval)
    if high - low <= MAX_ROUNDING_GAP * max(absolute(high), absolute(low)) and not a.rounding.is_disjoint_from(
        b.rounding
    ):
        return Fit.ROUNDED
    return Fit.DISJOINT


def facing_ends(a: NumberInterval, b: NumberInterval) -> tuple[Number, Number]:
    """Return the two nearest ends of disjoint intervals, the smaller first."""
    below, above = (b, a) if a.is_wholly_above(b) else (a, b)
    if below.upper is None or above.lower is None:
        message = "the intervals are not disjoint"
        raise ValueError(message)
    return below.upper, above.lower


def _core_of(interval: NumberInterval) -> NumberInterval:
    """Return the numbers next to the only bound of an interval."""
    if interval.upper is not None:
        return NumberInterval(math.nextafter(interval.upper, -math.inf), interval.upper, upper_inclusive=False)
    lower = interval.lower or 0
    return NumberInterval(lower, math.nextafter(lower, math.inf), lower_inclusive=False)


def _scale_of(figure: PrintedFigure, unit: str, proposition: str) -> Fraction | None:
    """Return the factor that makes the numbers of a figure comparable; None if they are as stated."""
    if proposition == "ratio" and figure.out_of is not None:
        return 1 / Fraction(str(figure.out_of))
    return None if compared_unit(unit) == unit else conversion_factor(unit)


def _convert(figure: PrintedFigure, scale: Fraction) -> PrintedFigure:
    def convert(number: Number | None) -> Fraction | None:
        return None if number is None else Fraction(str(number)) * scale

    return replace(
        figure, value=convert(figure.value), lower=convert(figure.lower), upper=convert(figure.upper), out_of=None
    )
