"""Figures as files hold them: numbers, and words like `7,000`, `over 300` or `12,5`, never guessed."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.comparison.figure import Number, PrintedFigure, normalize_number
from app.comparison.wording import parse_wording
from app.imports.mappings.fields import Fields, Look, Pluck, Scope, Unread
from app.imports.mappings.schema import FigureMap, Given, Pick

PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
GROUPED = re.compile(r"-?[0-9]{1,3}([ ,][0-9]{3})+(\.[0-9]+)?")
GROUPED_POINTS = re.compile(r"(?<![0-9])[0-9]{1,3}(\.[0-9]{3})+(?![0-9])")

PARTS = ("value", "lower", "upper")

FigureFields = dict[str, Any]
"""The fields of a `FigureInput`."""


def figure_reader(fields: Fields, mapped: FigureMap, column: str) -> Callable[[Scope], FigureFields | None]:
    """The function that reads the figure of a row, or gives None where there is none. It raises `Unread`."""
    shares = {"out_of": fields.pluck(mapped.out_of)}
    relative_to = fields.pluck(mapped.relative_to)
    read = (
        _by_parts(fields, mapped) if mapped.value or mapped.lower or mapped.upper else _printed(fields, mapped, column)
    )

    def figure(scope: Scope) -> FigureFields | None:
        found = read(scope)
        if found is None:
            return None
        for name, pluck in shares.items():
            if (text := pluck(scope)) is not None:
                found[name] = number(text, mapped.decimal)
        if (base := relative_to(scope)) is not None:
            found["relative_to"] = base
        if mapped.coverage is not None and found.get("lower") is not None and found.get("upper") is not None:
            found["coverage"] = mapped.coverage
        return found

    return figure


def words_reader(fields: Fields, mapped: FigureMap) -> Callable[[Scope], FigureFields | None]:
    """The function for propositions without a figure: the words, as they stand."""
    printed = fields.pluck(mapped.printed)
    return lambda scope: {"as_printed": text} if (text := printed(scope)) else None


def _by_parts(fields: Fields, mapped: FigureMap) -> Callable[[Scope], FigureFields | None]:
    """A figure whose value and bounds stand in columns of their own."""
    parts = {name: _cell(fields, given) for name in PARTS if (given := getattr(mapped, name)) is not None}
    printed = fields.pluck(mapped.printed)

    def read(scope: Scope) -> FigureFields | None:
        texts: dict[str, str] = {}
        found: FigureFields = {}
        for name, look in parts.items():
            value = look(scope)
            if (text := fields.text(value)) is not None:
                texts[name] = text
                found[name] = scaled(number(text, _decimal(mapped, value)), mapped)
        if not found:
            return None
        found["as_printed"] = printed(scope) or _spelled(texts)
        found["approximate"] = mapped.approximate
        return found

    return read


def _spelled(texts: dict[str, str]) -> str:
    """The numbers of three columns in one wording."""
    value, lower, upper = (texts.get(name) for name in ("value", "lower", "upper"))
    if lower is not None and upper is not None:
        bounds = f"{lower} to {upper}"
    elif lower is not None:
        bounds = f"at least {lower}"
    else:
        bounds = f"up to {upper}" if upper is not None else ""
    return f"{value} ({bounds})" if value is not None and bounds else value or bounds


def _printed(fields: Fields, mapped: FigureMap, column: str) -> Callable[[Scope], FigureFields | None]:
    """A figure that stands in one cell, with its qualifier perhaps in another."""
    look = _cell(fields, Pick(column=column) if mapped.printed is None else mapped.printed)
    qualifier = fields.pluck(mapped.qualifier)
    bare = not (mapped.scale or mapped.bound or mapped.approximate)

    def read(scope: Scope) -> FigureFields | None:
        value = look(scope)
        text = fields.text(value)
        if text is None:
            return None
        decimal = _decimal(mapped, value)
        if bare and mapped.qualifier is None and decimal == "." and is_plain(text):
            return {"as_printed": text, "value": number(text)}
        template = qualifier(scope)
        if template is not None:
            if "{}" not in template:
                raise Unread(
                    f"The qualifier `{template}` has no place for the number.", "give it a `map` to words with {}"
                )
            text = template.replace("{}", text)
        return figure_fields(_shaped(worded(text, decimal), mapped))

    return read


def _cell(fields: Fields, given: Given) -> Look | Pluck:
    """The function for a value; where nothing is done to it, a number stays a number."""
    if isinstance(given, Pick) and given.model_fields_set <= {"column", "path"}:
        return fields.look(given)
    return fields.pluck(given)


def _decimal(mapped: FigureMap, value: object) -> str:
    """The decimal sign in `value`: a number of JSON or of a sheet is one already, however the file spells others."""
    return mapped.decimal if isinstance(value, str) else "."


def worded(text: str, decimal: str = ".") -> PrintedFigure:
    """The figure that a cell prints. Raises `Unread` where its words are not certain."""
    spelled = _with_point(text) if decimal == "," else text
    if is_plain(spelled):
        return PrintedFigure(text, value=number(spelled))
    found = parse_wording(spelled)
    if found is None:
        hint = "set `decimal` if a comma is its decimal sign" if "," in text and decimal == "." else None
        raise Unread(f"`{text}` is not read as a figure: it could mean more than one thing, or none.", hint)
    return replace(found, as_printed=text)


def is_plain(text: str) -> bool:
    """Whether `text` is nothing but digits, perhaps with a sign, a point and an exponent."""
    return PLAIN.fullmatch(text) is not None


def _with_point(text: str) -> str:
    """A figure with a decimal comma, and points for thousands, as the rest of the register spells it."""
    spelled = GROUPED_POINTS.sub(lambda grouped: grouped[0].replace(".", " "), text)
    if "." in spelled:
        raise Unread(f"`{text}` has a point that parts no thousands, and the decimal sign is a comma here.")
    return spelled.replace(",", ".")


def number(text: str, decimal: str = ".") -> Number:
    """A number that nothing else can be read into. Raises `Unread`."""
    spelled = _with_point(text) if decimal == "," else text
    if GROUPED.fullmatch(spelled):
        spelled = spelled.replace(" ", "").replace(",", "")
    try:
        exact = Decimal("?" if "_" in spelled else spelled)
        found = int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**18 else float(exact)
    except (ArithmeticError, ValueError):
        raise Unread(f"`{text}` is not a number.") from None
    if not math.isfinite(found):
        raise Unread(f"`{text}` is not a finite number.")
    return found


def scaled(value: Number | None, mapped: FigureMap) -> Number | None:
    """`value` in whole units. Raises `Unread`."""
    if value is None or mapped.scale is None:
        return value
    whole = float(Decimal(str(value)) * Decimal(str(mapped.scale)))
    if not math.isfinite(whole):
        raise Unread(f"{value} times {mapped.scale:g} is too large.")
    return normalize_number(whole)


def _shaped(figure: PrintedFigure, mapped: FigureMap) -> PrintedFigure:
    """What the mapping says of every figure of the column, put on a plain one."""
    figure = replace(
        figure,
        value=scaled(figure.value, mapped),
        lower=scaled(figure.lower, mapped),
        upper=scaled(figure.upper, mapped),
        out_of=scaled(figure.out_of, mapped),
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
