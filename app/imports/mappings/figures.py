"""Parses the figures of a file: numbers, and wordings like `7,000` or `over 300` with one possible meaning."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from app.comparison.figure import Number, PrintedFigure, normalize_number
from app.comparison.wordings.digits import AmbiguousSeparator, NumberSigns, parse_digits
from app.comparison.wordings.grammar import number_signs
from app.comparison.wordings.reader import read_wording
from app.comparison.wordings.reading import UnreadableWording, WordingContext
from app.imports.mappings.fields import GetterFactory, RowScope, TextGetter, UnreadableValue, ValueGetter
from app.imports.mappings.schema import FigureMap, Pick, ValueExpression

PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")

NUMBER_FIELDS = ("value", "lower", "upper")

FigureFields = dict[str, Any]
"""The fields of a `FigureInput`."""


IS_READ = "_is_read"
"""The key of a figure whose digits were read without a stated decimal sign. The mapper removes it."""


@dataclass(frozen=True, slots=True)
class FigureOptions:
    """How the figure of a row is meant, as the mapping says for all rows or for this one."""

    decimal: str | None = None
    scale: float | None = None
    bound: str | None = None
    approximate: bool = False
    coverage: float | None = None

    @property
    def is_unmodified(self) -> bool:
        """Whether a plain number is the value as it is printed."""
        return not (self.scale or self.bound or self.approximate)


OptionsGetter = Callable[[RowScope], FigureOptions]
OPTION_NAMES = ("decimal", "scale", "bound", "approximate", "coverage")


def _options_getter(fields: GetterFactory, mapped: FigureMap) -> OptionsGetter:
    """Return the function for the options of a row. It raises `UnreadableValue`."""
    constants = {name: getattr(mapped, name) for name in OPTION_NAMES if not isinstance(getattr(mapped, name), Pick)}
    picked = {name: fields.text_getter(getattr(mapped, name)) for name in OPTION_NAMES if name not in constants}
    constant = FigureOptions(**constants)
    if not picked:
        return lambda _scope: constant

    def options(scope: RowScope) -> FigureOptions:
        texts = {name: text for name, get_text in picked.items() if (text := get_text(scope))}
        return replace(constant, **{name: OPTION_PARSERS[name](text) for name, text in texts.items()})

    return options


def _parse_choice(name: str, *choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            listed = " or ".join(f"`{choice}`" for choice in choices)
            raise UnreadableValue(f"`{name}` is `{text[:100]}`; expected {listed}.", "a `map` converts other words")
        return text

    return parse


def _parse_flag(text: str) -> bool:
    if text.lower() not in FLAGS:
        raise UnreadableValue(
            f"`approximate` is `{text[:100]}`; expected `true` or `false`.", "a `map` converts other words"
        )
    return FLAGS[text.lower()]


def _parse_scale(text: str) -> float:
    scale = float(parse_number(text))
    if scale <= 0:
        raise UnreadableValue(f"`scale` is `{text}`; expected a number above 0.")
    return scale


def _parse_coverage(text: str) -> float:
    """Return a share; above 1 it is a percentage."""
    number = float(parse_number(text.removesuffix("%").strip()))
    share = number / 100 if text.endswith("%") or number > 1 else number
    if not 0 < share < 1:
        raise UnreadableValue(f"`coverage` is `{text}`; expected a share such as `0.95`, or `95%`.")
    return share


FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
OPTION_PARSERS: dict[str, Callable[[str], Any]] = {
    "decimal": _parse_choice("decimal", ".", ","),
    "scale": _parse_scale,
    "bound": _parse_choice("bound", "at_least", "at_most"),
    "approximate": _parse_flag,
    "coverage": _parse_coverage,
}


def figure_getter(fields: GetterFactory, mapped: FigureMap, column: str) -> Callable[[RowScope], FigureFields | None]:
    """Return the function that reads the figure of a row, or None if it has none. It raises `UnreadableValue`."""
    whole = fields.text_getter(mapped.out_of)
    texts = {
        name: fields.text_getter(getattr(mapped, name))
        for name in ("relative_to", "unit", "language", "wording_differs")
        if getattr(mapped, name) is not None
    }
    language = fields.text_getter(mapped.language)
    options_of = _options_getter(fields, mapped)
    read = (
        _parts_getter(fields, mapped)
        if mapped.value or mapped.lower or mapped.upper
        else _printed_getter(fields, mapped, column)
    )

    def figure(scope: RowScope) -> FigureFields | None:
        spoken, options = language(scope), options_of(scope)
        figure_values = read(scope, spoken, options)
        if figure_values is None:
            return None
        if (text := whole(scope)) is not None:
            figure_values["out_of"] = parse_number(text, options.decimal, spoken)
        figure_values |= {name: text for name, get_text in texts.items() if (text := get_text(scope))}
        if (
            options.coverage is not None
            and figure_values.get("lower") is not None
            and figure_values.get("upper") is not None
        ):
            figure_values["coverage"] = options.coverage
        return figure_values

    return figure


def wording_getter(fields: GetterFactory, mapped: FigureMap) -> Callable[[RowScope], FigureFields | None]:
    """Return the function for propositions without a figure: the verbatim wording."""
    printed = fields.text_getter(mapped.printed)
    return lambda scope: {"as_printed": text} if (text := printed(scope)) else None


FigureReader = Callable[[RowScope, str | None, FigureOptions], FigureFields | None]
"""Reads the figure of a row, in the language of the row, if the mapping says it, and with its options."""


def _parts_getter(fields: GetterFactory, mapped: FigureMap) -> FigureReader:
    """Return the function for a figure with columns for its value and bounds."""
    parts = {
        name: _cell_getter(fields, expression)
        for name in NUMBER_FIELDS
        if (expression := getattr(mapped, name)) is not None
    }
    printed = fields.text_getter(mapped.printed)

    def read(scope: RowScope, language: str | None, options: FigureOptions) -> FigureFields | None:
        texts: dict[str, str] = {}
        figure_values: FigureFields = {}
        is_read = False
        for name, get_value in parts.items():
            value = get_value(scope)
            if (text := fields.to_text(value)) is not None:
                texts[name] = text
                decimal = _decimal_sign(options, value)
                is_read |= decimal is None and not text.isdigit()
                figure_values[name] = scale_number(parse_number(text, decimal, language), options)
        if not figure_values:
            return None
        wording = printed(scope)
        figure_values["as_printed"] = wording or _join_parts(texts)
        figure_values["approximate"] = options.approximate
        if is_read and language is None and wording is None:
            figure_values[IS_READ] = True
        return _explain_scale(figure_values, options)

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


def _printed_getter(fields: GetterFactory, mapped: FigureMap, column: str) -> FigureReader:
    """Return the function for a figure in one cell, with an optional qualifier in another."""
    get_value = _cell_getter(fields, Pick(column=column) if mapped.printed is None else mapped.printed)
    qualifier = fields.text_getter(mapped.qualifier)
    margin = fields.text_getter(mapped.margin)
    is_bare = mapped.qualifier is None and mapped.margin is None

    def read(scope: RowScope, language: str | None, options: FigureOptions) -> FigureFields | None:
        value = get_value(scope)
        text = fields.to_text(value)
        if text is None:
            return None
        decimal = _decimal_sign(options, value)
        if is_bare and options.is_unmodified and _is_certain_number(text, decimal):
            return {"as_printed": text, "value": parse_number(text, ".")}
        template = qualifier(scope)
        if template is not None:
            if "{}" not in template:
                raise UnreadableValue(
                    f"The qualifier `{template}` does not contain `{{}}`, the position of the number.",
                    "add a `map` whose texts contain {}",
                )
            text = template.replace("{}", text)
        if (width := margin(scope)) is not None:
            text = f"{text} ± {width.removeprefix('±').strip()}"
        figure = parse_figure(text, decimal, language)
        figure_values = figure_fields(_apply_options(figure, options))
        if decimal is None and language is None and not text.isdigit():
            figure_values[IS_READ] = True
        if figure.kind == "plain" and options.bound is not None:
            bound = "a lower" if options.bound == "at_least" else "an upper"
            figure_values["wording_differs"] = f"The mapping records a plain number as {bound} bound."
        return _explain_scale(figure_values, options)

    return read


def _is_certain_number(text: str, decimal: str | None) -> bool:
    """Return whether a cell is a number as programs write it, whose separator cannot group thousands."""
    return text.isascii() and (text.isdigit() or (decimal == "." and is_plain_number(text)))


def _explain_scale(figure_values: FigureFields, options: FigureOptions) -> FigureFields:
    """Add why the numbers are not those of the wording, if the mapping states a scale."""
    if options.scale is not None and options.scale != 1:
        unit = _SCALE_NAMES.get(options.scale, f"units of {options.scale:,.15g}")
        reasons = [f"It is printed in {unit}.", figure_values.get("wording_differs")]
        figure_values["wording_differs"] = " ".join(filter(None, reasons))
    return figure_values


_SCALE_NAMES: dict[float, str] = {100: "hundreds", 1000: "thousands", 10**6: "millions", 10**9: "billions"}


def _cell_getter(fields: GetterFactory, expression: ValueExpression) -> ValueGetter | TextGetter:
    """Return the function for a value; a number that is not transformed stays a number."""
    if isinstance(expression, Pick) and expression.model_fields_set <= {"column", "path"}:
        return fields.value_getter(expression)
    return fields.text_getter(expression)


def _decimal_sign(options: FigureOptions, value: object) -> str | None:
    """Return the decimal sign of `value`, if it is known. Numbers of JSON or of a sheet always have a point."""
    return options.decimal if isinstance(value, str) else "."


def parse_figure(text: str, decimal: str | None = None, language: str | None = None) -> PrintedFigure:
    """Parse a printed figure. Raises `UnreadableValue` if its meaning is not certain."""
    if is_plain_number(text) and (decimal == "." or (decimal is None and "e" in text)):
        return PrintedFigure(text, value=parse_number(text, "."))
    try:
        return read_wording(text, WordingContext(language, decimal)).figure
    except UnreadableWording as error:
        raise UnreadableValue(f"Not read as a figure: {error.detail}", _decimal_hint(error)) from None


def _decimal_hint(error: UnreadableWording) -> str | None:
    if error.reason in {"ambiguous_separator", "no_number"}:
        return "say in the mapping which is the decimal sign: `decimal` or `language` of the figure"
    return error.hint or None


def is_plain_number(text: str) -> bool:
    """Return whether `text` is a number without separators: digits, an optional sign, point and exponent."""
    return PLAIN_NUMBER.fullmatch(text) is not None


def parse_number(text: str, decimal: str | None = ".", language: str | None = None) -> Number:
    """Parse a number with one possible meaning. Raises `UnreadableValue`.

    `decimal` is the decimal sign. If it is None, the `language` says it, or else the digits have to be certain.
    """
    sign, digits = ("-", text[1:]) if text[:1] == "-" else ("", text.removeprefix("+"))
    try:
        if _SEPARATED_DIGITS.fullmatch(digits) is not None:
            spelled = sign + str(parse_digits(digits, _number_signs(decimal, language)).number)
        else:
            spelled = text
        exact = Decimal("?" if "_" in spelled else spelled)
        number = int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**18 else float(exact)
    except AmbiguousSeparator as error:
        low, high = sorted(error.choices)
        hint = "say in the mapping which is the decimal sign: `decimal` or `language` of the figure"
        raise UnreadableValue(f"`{text}` can be {low.normalize():f} and {high.normalize():f}.", hint) from None
    except (ArithmeticError, ValueError):
        raise UnreadableValue(f"`{text}` is not a number.") from None
    if not math.isfinite(number):
        raise UnreadableValue(f"`{text}` is not a finite number.")
    return number


_SEPARATED_DIGITS = re.compile("[0-9]+(?:[., '][0-9]+)+")


def _number_signs(decimal: str | None, language: str | None) -> NumberSigns:
    if decimal is not None:
        return NumberSigns(decimal, is_strict=True)
    return NumberSigns(*(("", "") if language is None else number_signs(language)))


def scale_number(value: Number | None, options: FigureOptions) -> Number | None:
    """Convert `value` to whole units. Raises `UnreadableValue`."""
    if value is None or options.scale is None:
        return value
    whole = float(Decimal(str(value)) * Decimal(str(options.scale)))
    if not math.isfinite(whole):
        raise UnreadableValue(f"{value} times {options.scale:g} is too large.")
    return normalize_number(whole)


def _apply_options(figure: PrintedFigure, options: FigureOptions) -> PrintedFigure:
    """Apply the scale, the bound and `approximate` to a figure."""
    figure = replace(
        figure,
        value=scale_number(figure.value, options),
        lower=scale_number(figure.lower, options),
        upper=scale_number(figure.upper, options),
        out_of=scale_number(figure.out_of, options),
    )
    if figure.kind != "plain":
        return figure
    if options.bound == "at_least":
        return replace(figure, value=None, lower=figure.value, lower_inclusive=True)
    if options.bound == "at_most":
        return replace(figure, value=None, upper=figure.value, upper_inclusive=True)
    return replace(figure, approximate=options.approximate)


def figure_fields(figure: PrintedFigure) -> FigureFields:
    """Return the fields of a `FigureInput` that a figure has."""
    names = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "coverage", "out_of", "relative_to")
    figure_values = {name: value for name in names if (value := getattr(figure, name)) is not None}
    return figure_values | {"as_printed": figure.as_printed, "approximate": figure.approximate}
