"""Parses the figures of a file: numbers, and wordings like `7,000` or `over 300` with one possible meaning."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.comparison.figure import Number, PrintedFigure, normalize_number
from app.comparison.wording import parse_wording
from app.imports.mappings.fields import GetterFactory, RowScope, TextGetter, UnreadableValue, ValueGetter
from app.imports.mappings.schema import FigureMap, Pick, ValueExpression

PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
GROUPED_NUMBER = re.compile(r"-?[0-9]{1,3}([ ,][0-9]{3})+(\.[0-9]+)?")
POINT_GROUPED_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,3}(\.[0-9]{3})+(?![0-9])")

NUMBER_FIELDS = ("value", "lower", "upper")

FigureFields = dict[str, Any]
"""The fields of a `FigureInput`."""


def figure_getter(fields: GetterFactory, mapped: FigureMap, column: str) -> Callable[[RowScope], FigureFields | None]:
    """Return the function that reads the figure of a row, or None if it has none. It raises `UnreadableValue`."""
    shares = {"out_of": fields.text_getter(mapped.out_of)}
    texts = {name: fields.text_getter(getattr(mapped, name)) for name in ("relative_to", "unit")}
    read = (
        _parts_getter(fields, mapped)
        if mapped.value or mapped.lower or mapped.upper
        else _printed_getter(fields, mapped, column)
    )

    def figure(scope: RowScope) -> FigureFields | None:
        figure_values = read(scope)
        if figure_values is None:
            return None
        for name, get_text in shares.items():
            if (text := get_text(scope)) is not None:
                figure_values[name] = parse_number(text, mapped.decimal)
        figure_values |= {name: text for name, get_text in texts.items() if (text := get_text(scope))}
        if (
            mapped.coverage is not None
            and figure_values.get("lower") is not None
            and figure_values.get("upper") is not None
        ):
            figure_values["coverage"] = mapped.coverage
        return figure_values

    return figure


def wording_getter(fields: GetterFactory, mapped: FigureMap) -> Callable[[RowScope], FigureFields | None]:
    """Return the function for propositions without a figure: the verbatim wording."""
    printed = fields.text_getter(mapped.printed)
    return lambda scope: {"as_printed": text} if (text := printed(scope)) else None


def _parts_getter(fields: GetterFactory, mapped: FigureMap) -> Callable[[RowScope], FigureFields | None]:
    """Return the function for a figure with columns for its value and bounds."""
    parts = {
        name: _cell_getter(fields, expression)
        for name in NUMBER_FIELDS
        if (expression := getattr(mapped, name)) is not None
    }
    printed = fields.text_getter(mapped.printed)

    def read(scope: RowScope) -> FigureFields | None:
        texts: dict[str, str] = {}
        figure_values: FigureFields = {}
        for name, get_value in parts.items():
            value = get_value(scope)
            if (text := fields.to_text(value)) is not None:
                texts[name] = text
                figure_values[name] = scale_number(parse_number(text, _decimal_sign(mapped, value)), mapped)
        if not figure_values:
            return None
        figure_values["as_printed"] = printed(scope) or _join_parts(texts)
        figure_values["approximate"] = mapped.approximate
        return figure_values

    return read


def _join_parts(texts: dict[str, str]) -> str:
    """Join the numbers of three columns to one wording."""
    value, lower, upper = (texts.get(name) for name in ("value", "lower", "upper"))
    if lower is not None and upper is not None:
        bounds = f"{lower} to {upper}"
    elif lower is not None:
        bounds = f"at least {lower}"
    else:
        bounds = f"up to {upper}" if upper is not None else ""
    return f"{value} ({bounds})" if value is not None and bounds else value or bounds


def _printed_getter(fields: GetterFactory, mapped: FigureMap, column: str) -> Callable[[RowScope], FigureFields | None]:
    """Return the function for a figure in one cell, with an optional qualifier in another."""
    get_value = _cell_getter(fields, Pick(column=column) if mapped.printed is None else mapped.printed)
    qualifier = fields.text_getter(mapped.qualifier)
    is_unmodified = not (mapped.scale or mapped.bound or mapped.approximate)

    def read(scope: RowScope) -> FigureFields | None:
        value = get_value(scope)
        text = fields.to_text(value)
        if text is None:
            return None
        decimal = _decimal_sign(mapped, value)
        if is_unmodified and mapped.qualifier is None and decimal == "." and is_plain_number(text):
            return {"as_printed": text, "value": parse_number(text)}
        template = qualifier(scope)
        if template is not None:
            if "{}" not in template:
                raise UnreadableValue(
                    f"The qualifier `{template}` does not contain `{{}}`, the position of the number.",
                    "add a `map` whose texts contain {}",
                )
            text = template.replace("{}", text)
        return figure_fields(_apply_figure_map(parse_figure(text, decimal), mapped))

    return read


def _cell_getter(fields: GetterFactory, expression: ValueExpression) -> ValueGetter | TextGetter:
    """Return the function for a value; a number that is not transformed stays a number."""
    if isinstance(expression, Pick) and expression.model_fields_set <= {"column", "path"}:
        return fields.value_getter(expression)
    return fields.text_getter(expression)


def _decimal_sign(mapped: FigureMap, value: object) -> str:
    """Return the decimal sign of `value`. Numbers of JSON or of a sheet always have a point."""
    return mapped.decimal if isinstance(value, str) else "."


def parse_figure(text: str, decimal: str = ".") -> PrintedFigure:
    """Parse a printed figure. Raises `UnreadableValue` if its meaning is not certain."""
    spelled = _replace_decimal_comma(text) if decimal == "," else text
    if is_plain_number(spelled):
        return PrintedFigure(text, value=parse_number(spelled))
    figure = parse_wording(spelled)
    if figure is None:
        hint = "set `decimal` if a comma is its decimal sign" if "," in text and decimal == "." else None
        raise UnreadableValue(f"`{text}` is not an unambiguous figure.", hint)
    return replace(figure, as_printed=text)


def is_plain_number(text: str) -> bool:
    """Return whether `text` is a number without separators: digits, an optional sign, point and exponent."""
    return PLAIN_NUMBER.fullmatch(text) is not None


def _replace_decimal_comma(text: str) -> str:
    """Convert a figure with a decimal comma and points for thousands to a decimal point."""
    spelled = POINT_GROUPED_NUMBER.sub(lambda grouped: grouped[0].replace(".", " "), text)
    if "." in spelled:
        raise UnreadableValue(
            f"`{text}` has a point that does not separate thousands, but the decimal sign is a comma."
        )
    return spelled.replace(",", ".")


def parse_number(text: str, decimal: str = ".") -> Number:
    """Parse a number with one possible meaning. Raises `UnreadableValue`."""
    spelled = _replace_decimal_comma(text) if decimal == "," else text
    if GROUPED_NUMBER.fullmatch(spelled):
        spelled = spelled.replace(" ", "").replace(",", "")
    try:
        exact = Decimal("?" if "_" in spelled else spelled)
        number = int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**18 else float(exact)
    except (ArithmeticError, ValueError):
        raise UnreadableValue(f"`{text}` is not a number.") from None
    if not math.isfinite(number):
        raise UnreadableValue(f"`{text}` is not a finite number.")
    return number


def scale_number(value: Number | None, mapped: FigureMap) -> Number | None:
    """Convert `value` to whole units. Raises `UnreadableValue`."""
    if value is None or mapped.scale is None:
        return value
    whole = float(Decimal(str(value)) * Decimal(str(mapped.scale)))
    if not math.isfinite(whole):
        raise UnreadableValue(f"{value} times {mapped.scale:g} is too large.")
    return normalize_number(whole)


def _apply_figure_map(figure: PrintedFigure, mapped: FigureMap) -> PrintedFigure:
    """Apply the scale, the bound and `approximate` of the mapping to a figure."""
    figure = replace(
        figure,
        value=scale_number(figure.value, mapped),
        lower=scale_number(figure.lower, mapped),
        upper=scale_number(figure.upper, mapped),
        out_of=scale_number(figure.out_of, mapped),
    )
    if figure.kind != "plain":
        return figure
    if mapped.bound == "at_least":
        return replace(figure, value=None, lower=figure.value, lower_inclusive=True)
    if mapped.bound == "at_most":
        return replace(figure, value=None, upper=figure.value, upper_inclusive=True)
    return replace(figure, approximate=mapped.approximate)


def figure_fields(figure: PrintedFigure) -> FigureFields:
    """Return the fields of a `FigureInput` that a figure has."""
    names = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "coverage", "out_of", "relative_to")
    figure_values = {name: value for name in names if (value := getattr(figure, name)) is not None}
    return figure_values | {"as_printed": figure.as_printed, "approximate": figure.approximate}
