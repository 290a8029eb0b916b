"""Figures as files hold them: numbers, and words like `7,000`, `over 300` or `12,5`, never guessed."""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from app.claims.figure import Figure, Number, plain_number
from app.claims.wording import parse_wording
from app.imports.fields import Fields, Look, Pluck, Scope, Unread
from app.imports.mapping import FigureMap, Pick

PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
GROUPED_POINTS = re.compile(r"(?<![0-9])[0-9]{1,3}(\.[0-9]{3})+(?![0-9])")

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
                found[name] = number(text)
        if (base := relative_to(scope)) is not None:
            found["relative_to"] = base
        return found

    return figure


def _by_parts(fields: Fields, mapped: FigureMap) -> Callable[[Scope], FigureFields | None]:
    """A figure whose value and bounds stand in columns of their own."""
    plucks = {name: fields.pluck(getattr(mapped, name)) for name in ("value", "lower", "upper")}
    printed = fields.pluck(mapped.printed)

    def read(scope: Scope) -> FigureFields | None:
        texts = {name: text for name, pluck in plucks.items() if (text := pluck(scope)) is not None}
        if not texts:
            return None
        found: FigureFields = {name: scaled(number(text), mapped) for name, text in texts.items()}
        found["as_printed"] = printed(scope) or _spelled(texts)
        found["approximate"] = mapped.approximate
        if mapped.coverage is not None and "lower" in found and "upper" in found:
            found["coverage"] = mapped.coverage
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
    look: Look | Pluck
    if mapped.printed is None:
        look = fields.look(Pick(column=column))
    elif (
        isinstance(mapped.printed, Pick)
        and mapped.printed.column is not None
        and mapped.printed == Pick(column=mapped.printed.column)
    ):
        look = fields.look(mapped.printed)
    else:
        look = fields.pluck(mapped.printed)
    qualifier = fields.pluck(mapped.qualifier)
    bare = not (mapped.scale or mapped.bound or mapped.approximate)

    def read(scope: Scope) -> FigureFields | None:
        value = look(scope)
        text = fields.text(value)
        if text is None:
            return None
        if bare and mapped.qualifier is None and PLAIN.fullmatch(text):
            return {"as_printed": text, "value": number(text)}
        template = qualifier(scope)
        if template is not None:
            text = template.replace("{}", text)
        return figure_fields(_shaped(worded(text, mapped.decimal), mapped))

    return read


def worded(text: str, decimal: str = ".") -> Figure:
    """The figure that a cell prints. Raises `Unread` where its words are not certain."""
    if PLAIN.fullmatch(text):
        return Figure(text, value=number(text))
    spelled = text
    if decimal == ",":
        spelled = GROUPED_POINTS.sub(lambda grouped: grouped[0].replace(".", " "), text).replace(",", ".")
    found = parse_wording(spelled)
    if found is None:
        hint = "set `decimal` if a comma is its decimal sign" if "," in text else None
        raise Unread(f"`{text}` is not read as a figure: it could mean more than one thing, or none.", hint)
    return replace(found, as_printed=text)


def number(text: str) -> Number:
    """A number that nothing else can be read into. Raises `Unread`."""
    try:
        exact = Decimal(
            text.replace(" ", "").replace(",", "") if re.fullmatch(r"-?\d{1,3}([ ,]\d{3})+", text) else text
        )
    except InvalidOperation:
        raise Unread(f"`{text}` is not a number.") from None
    if not exact.is_finite():
        raise Unread(f"`{text}` is not a finite number.")
    return int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**18 else float(exact)


def scaled(value: Number | None, mapped: FigureMap) -> Number | None:
    """`value` in whole units."""
    if value is None or mapped.scale is None:
        return value
    return plain_number(float(Decimal(str(value)) * Decimal(str(mapped.scale))))


def _shaped(figure: Figure, mapped: FigureMap) -> Figure:
    """What the mapping says of every figure of the column, put on a plain one."""
    figure = replace(
        figure,
        value=scaled(figure.value, mapped),
        lower=scaled(figure.lower, mapped),
        upper=scaled(figure.upper, mapped),
    )
    if figure.kind != "plain":
        return figure
    if mapped.bound == "at_least":
        return replace(figure, value=None, lower=figure.value, lower_inclusive=True)
    if mapped.bound == "at_most":
        return replace(figure, value=None, upper=figure.value, upper_inclusive=True)
    return replace(figure, approximate=mapped.approximate)


def figure_fields(figure: Figure) -> FigureFields:
    """A figure as the fields of a `FigureInput`: only what it says."""
    names = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "coverage", "out_of", "relative_to")
    found = {name: value for name in names if (value := getattr(figure, name)) is not None}
    return found | {"as_printed": figure.as_printed, "approximate": figure.approximate}
