"""The marks of figures, in the unit of their axis."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from app.charts.axis import Real
from app.charts.description import Mark, MarkKind
from app.comparison.figure import Number, normalize_number
from app.comparison.measure import compared_unit
from app.comparison.units import TIMES, conversion_factor
from app.sentences.figures import describe_number, describe_rate
from app.sentences.units import describe_unit

KINDS: Mapping[str, MarkKind] = {
    "plain": MarkKind.point,
    "approximate": MarkKind.approximate,
    "range": MarkKind.range,
    "lower_bound": MarkKind.lower_bound,
    "upper_bound": MarkKind.upper_bound,
}


@dataclass(frozen=True, slots=True)
class AxisKey:
    """What figures on one axis have in common: their unit above all."""

    proposition: str
    unit: str
    """What makes units comparable: `area` for hectares and acres."""
    per: str | None
    whole: str | None
    base: str | None


@dataclass(frozen=True, slots=True)
class AxisUnit:
    """The unit of an axis: that of its first figure. The others are converted to it, exactly."""

    key: AxisKey
    unit: str
    label: str


def axis_unit_of(proposition: str, unit: str, aggregation: str, per: str | None, figure: Mapping[str, Any]) -> AxisUnit:
    """Return the unit of the axis on which a figure stands."""
    out_of = figure["out_of"]
    is_share = proposition == "ratio" and out_of is not None
    words = describe_unit(unit).label
    if is_share:
        words = "ratio: the first number divided by the second"
    elif out_of is not None:
        words = f"{words} out of {describe_number(out_of)}"
    elif proposition == "change" and unit != TIMES:
        words = f"change in {words}"
    rate = describe_rate(aggregation, per)
    key = AxisKey(
        proposition,
        "" if is_share else compared_unit(unit),
        rate or None,
        None if out_of is None else "share" if is_share else str(out_of),
        figure["relative_to"],
    )
    return AxisUnit(key, unit, f"{words} {rate}" if rate else words)


def write_axis_label(axis_unit: AxisUnit, units: Collection[str]) -> str:
    """Return the label of an axis, which says whether figures were stated in other units too."""
    is_converted = axis_unit.key.unit != axis_unit.unit and set(units) != {axis_unit.unit} and axis_unit.key.unit
    return f"{axis_unit.label} (figures in other units are converted)" if is_converted else axis_unit.label


def build_mark(figure: Mapping[str, Any], proposition: str, unit: str, axis_unit: AxisUnit | None) -> Mark:
    """Return the mark of a figure. Without an axis its numbers are as stated."""
    factor = _factor_of(figure, proposition, unit, axis_unit)

    def convert(name: str) -> Real | None:
        number: Number | None = figure[name]
        if number is None or factor == 1:
            return _as_real(number)
        return _as_real(float(f"{float(Fraction(str(number)) * factor):.12g}"))

    value, lower, upper = convert("value"), convert("lower"), convert("upper")
    kind = KINDS.get(str(figure["kind"]), MarkKind.words)
    if kind is MarkKind.range and lower == upper:
        kind, value, lower, upper = MarkKind.point, lower, None, None
        kind = MarkKind.approximate if figure["approximate"] else kind
    return Mark(kind, value, lower, upper, bool(figure["approximate"]))


def _as_real(number: Number | None) -> Real | None:
    if number is None:
        return None
    plain = normalize_number(number)
    return plain if isinstance(plain, int | float) else float(plain)


def _factor_of(figure: Mapping[str, Any], proposition: str, unit: str, axis_unit: AxisUnit | None) -> Fraction:
    """Return by what the numbers of a figure are multiplied on the axis."""
    if proposition == "ratio" and figure["out_of"] is not None:
        return 1 / Fraction(str(figure["out_of"]))
    if axis_unit is None or unit == axis_unit.unit or compared_unit(unit) == unit:
        return Fraction(1)
    return conversion_factor(unit) / conversion_factor(axis_unit.unit)
