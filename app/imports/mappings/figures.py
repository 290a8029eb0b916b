"""Figures as files hold them: numbers, and words like `7,000`, `over 300` or `12,5`, never guessed."""

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
    """The function that reads the figure of a row, or gives None where there is none. It raises `Unread`."""
    shares = {"out_of": fields.text_getter(mapped.out_of)}
    relative_to = fields.text_getter(mapped.relative_to)
    read = (
        _parts_getter(fields, mapped)
        if mapped.value or mapped.lower or mapped.upper
        else _printed_getter(fields, mapped, column)
    )

    def figure(scope: RowScope) -> FigureFields | None:
        found = read(scope)
        if found is None:
            return None
        for name, pluck in shares.items():
            if (text := pluck(scope)) is not None:
                found[name] = parse_number(text, mapped.decimal)
        if (base := relative_to(scope)) is not None:
            found["relative_to"] = base
        if mapped.coverage is not None and found.get("lower") is not None and found.get("upper") is not None:
            found["coverage"] = mapped.coverage
        return found

    return figure


def wording_getter(fields: GetterFactory, mapped: FigureMap) -> Callable[[RowScope], FigureFields | None]:
    """The function for propositions without a figure: the words, as they stand."""
    printed = fields.text_getter(mapped.printed)
    return lambda scope: {"as_printed": text} if (text := printed(scope)) else None


def _parts_getter(fields: GetterFactory, mapped: FigureMap) -> Callable[[RowScope], FigureFields | None]:
    """A figure whose value and bounds stand in columns of their own."""
    parts = {
        name: _cell_getter(fields, given) for name in NUMBER_FIELDS if (given := getattr(mapped, name)) is not None
    }
    printed = fields.text_getter(mapped.printed)

    def read(scope: RowScope) -> FigureFields | None:
        texts: dict[str, str] = {}
        found: FigureFields = {}
        for name, look in parts.items():
            value = look(scope)
            if (text := fields.to_text(value)) is not None:
                texts[name] = text
                found[name] = scale_number(parse_number(text, _decimal_sign(mapped, value)), mapped)
        if not found:
            return None
        found["as_printed"] = printed(scope) or _join_parts(texts)
        found["approximate"] = mapped.approximate
        return found

    return read


def _join_parts(texts: dict[str, str]) -> str:
    """The numbers of three columns in one wording."""
    value, lower, upper = (texts.get(name) for name in ("value", "lower", "upper"))
    if lower is not None and upper is not None:
        bounds = f"{lower} to {upper}"
    elif lower is not None:
        bounds = f"at least {lower}"
    else:
        bounds = f"up to {upper}" if upper is not None else ""
    return f"{value} ({bounds})" if value is not None and bounds else value or bounds


def _printed_getter(fields: GetterFactory, mapped: FigureMap, column: str) -> Callable[[RowScope], FigureFields | None]:
    """A figure that stands in one cell, with its qualifier perhaps in another."""
    look = _cell_getter(fields, Pick(column=column) if mapped.printed is None else mapped.printed)
    qualifier = fields.text_getter(mapped.qualifier)
    bare = not (mapped.scale or mapped.bound or mapped.approximate)

    def read(scope: RowScope) -> FigureFields | None:
        value = look(scope)
        text = fields.to_text(value)
        if text is None:
            return None
        decimal = _decimal_sign(mapped, value)
        if bare and mapped.qualifier is None and decimal == "." and is_plain_number(text):
            return {"as_printed": text, "value": parse_number(text)}
        template = qualifier(scope)
        if template is not None:
            if "{}" not in template:
                raise UnreadableValue(
                    f"The qualifier `{template}` has no place for the number.", "give it a `map` to words with {}"
                )
            text = template.replace("{}", text)
        return figure_fields(_apply_figure_map(parse_figure(text, decimal), mapped))

    return read


def _cell_getter(fields: GetterFactory, given: ValueExpression) -> ValueGetter | TextGetter:
    """The function for a value; where nothing is done to it, a number stays a number."""
    if isinstance(given, Pick) and given.model_fields_set <= {"column", "path"}:
        return fields.value_getter(given)
    return fields.text_getter(given)


def _decimal_sign(mapped: FigureMap, value: object) -> str:
    """The decimal sign in `value`: a number of JSON or of a sheet is one already, however the file spells others."""
    return mapped.decimal if isinstance(value, str) else "."


def parse_figure(text: str, decimal: str = ".") -> PrintedFigure:
    """The figure that a cell prints. Raises `Unread` where its words are not certain."""
    spelled = _replace_decimal_comma(text) if decimal == "," else text
    if is_plain_number(spelled):
        return PrintedFigure(text, value=parse_number(spelled))
    found = parse_wording(spelled)
    if found is None:
        hint = "set `decimal` if a comma is its decimal sign" if "," in text and decimal == "." else None
        raise UnreadableValue(f"`{text}` is not read as a figure: it could mean more than one thing, or none.", hint)
    return replace(found, as_printed=text)


def is_plain_number(text: str) -> bool:
    """Whether `text` is nothing but digits, perhaps with a sign, a point and an exponent."""
    return PLAIN_NUMBER.fullmatch(text) is not None


def _replace_decimal_comma(text: str) -> str:
    """A figure with a decimal comma, and points for thousands, as the rest of the register spells it."""
    spelled = POINT_GROUPED_NUMBER.sub(lambda grouped: grouped[0].replace(".", " "), text)
    if "." in spelled:
        raise UnreadableValue(f"`{text}` has a point that parts no thousands, and the decimal sign is a comma here.")
    return spelled.replace(",", ".")


def parse_number(text: str, decimal: str = ".") -> Number:
    """A number that nothing else can be read into. Raises `Unread`."""
    spelled = _replace_decimal_comma(text) if decimal == "," else text
    if GROUPED_NUMBER.fullmatch(spelled):
        spelled = spelled.replace(" ", "").replace(",", "")
    try:
        exact = Decimal("?" if "_" in spelled else spelled)
        found = int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**18 else float(exact)
    except (ArithmeticError, ValueError):
        raise UnreadableValue(f"`{text}` is not a number.") from None
    if not math.isfinite(found):
        raise UnreadableValue(f"`{text}` is not a finite number.")
    return found


def scale_number(value: Number | None, mapped: FigureMap) -> Number | None:
    """`value` in whole units. Raises `Unread`."""
    if value is None or mapped.scale is None:
        return value
    whole = float(Decimal(str(value)) * Decimal(str(mapped.scale)))
    if not math.isfinite(whole):
        raise UnreadableValue(f"{value} times {mapped.scale:g} is too large.")
    return normalize_number(whole)


def _apply_figure_map(figure: PrintedFigure, mapped: FigureMap) -> PrintedFigure:
    """What the mapping says of every figure of the column, put on a plain one."""
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
    """A figure as the fields of a `FigureInput`: only what it says."""
    names = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "coverage", "out_of", "relative_to")
    found = {name: value for name in names if (value := getattr(figure, name)) is not None}
    return found | {"as_printed": figure.as_printed, "approximate": figure.approximate}
