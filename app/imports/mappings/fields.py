"""Compiles the value expressions of a mapping into functions of a row, once per file."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from app.comparison.figure import normalize_number
from app.comparison.written_dates import UnreadableDate, read_written_date, read_written_period
from app.errors import shorten, suggest_nearest
from app.imports.mappings.expressions import (
    MAX_FILLED_CHARACTERS,
    PathNotApplicable,
    compile_path,
    parse_date_format,
    parse_template,
)
from app.imports.mappings.schema import Condition, Pick, ValueExpression

RowScope = Mapping[str, Any]
"""A row for the mapping: its columns, and `_file`, `_line`, `_vintage` and `_name` (the name of the claim)."""

TextGetter = Callable[[RowScope], str | None]
"""Returns the text of a field, or None if the row has no value."""

ValueGetter = Callable[[RowScope], Any]


class UnreadableValue(ValueError):
    """A value of a row cannot be converted as the mapping requires."""

    def __init__(self, detail: str, hint: str | None = None) -> None:
        super().__init__(detail)
        self.hint = hint


class GetterFactory:
    """Creates the functions for one mapping, whose `missing` texts mean that there is no value."""

    def __init__(self, missing: Collection[str]) -> None:
        self.missing_values = frozenset(missing) | {""}
        self.found_paths: set[str] = set()
        """The paths that had a value in a row."""

    def path_getter(self, path: str) -> ValueGetter:
        """Return the function that applies a JMESPath, and remembers that it had a value."""
        search, found_paths = path_getter(path), self.found_paths

        def get_value(scope: RowScope) -> Any:  # noqa: ANN401 - any value of a file
            value = search(scope)
            if value is not None and path not in found_paths:
                found_paths.add(path)
            return value

        return get_value

    def text_getter(self, expression: "ValueExpression | None") -> TextGetter:
        """Return the function for one field."""
        if expression is None:
            return lambda _scope: None
        if isinstance(expression, str):
            return self._template_getter(expression)
        return self._transforming_getter(expression, self._origin_getter(expression))

    def value_getter(self, expression: "Pick | Condition") -> ValueGetter:
        """Return the function for an unconverted value of the row; a number stays a number."""
        if expression.path is not None:
            return self.path_getter(expression.path)
        column = expression.column or ""
        return lambda scope: scope.get(column)

    def predicate(self, condition: Condition) -> Callable[[RowScope], bool]:
        """Return the function that tests a condition."""
        get_value = self.value_getter(condition)

        def text(scope: RowScope) -> str | None:
            value = get_value(scope)
            # A list or an object has no text: only `empty` can be tested.
            return "…" if isinstance(value, list | dict) and value else self.to_text(value)

        if condition.empty is not None:
            wanted = condition.empty
            return lambda scope: (text(scope) is None) is wanted
        if condition.among is not None:
            among = frozenset(condition.among)
            return lambda scope: text(scope) in among
        part = condition.contains or ""
        return lambda scope: part in (text(scope) or "")

    def to_text(self, value: Any) -> str | None:  # noqa: ANN401 - any value of a file
        """Convert a value to text; None if it is missing. Raises `UnreadableValue` for lists and objects."""
        if isinstance(value, str):
            value = value.strip()
            return None if value in self.missing_values else value
        if value is None or (isinstance(value, list | dict) and not value):
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(normalize_number(value))
        raise UnreadableValue(
            "Expected one value, found a list or an object.", "`over` creates a claim for each element of a list"
        )

    def _origin_getter(self, expression: Pick) -> TextGetter:
        if expression.text is not None:
            return self._template_getter(expression.text)
        if expression.first is not None:
            getters = [self.text_getter(option) for option in expression.first]
            return lambda scope: next((text for get_text in getters if (text := get_text(scope))), None)
        get_value = self.value_getter(expression)
        return lambda scope: self.to_text(get_value(scope))

    def _template_getter(self, text: str) -> TextGetter:
        parts = parse_template(text)
        if all(name is None for _, name in parts):
            constant = "".join(literal for literal, _ in parts)
            return lambda _scope: constant

        def fill(scope: RowScope) -> str | None:
            filled, length = list[str](), 0
            for literal, name in parts:
                filled.append(literal)
                if name is not None:
                    value = self.to_text(scope.get(name))
                    if value is None:
                        return None
                    filled.append(value)
                    if (length := length + len(value)) > MAX_FILLED_CHARACTERS:
                        raise UnreadableValue(
                            f"The values of a template have more than {MAX_FILLED_CHARACTERS:,} characters."
                        )
            return "".join(filled)

        return fill

    @staticmethod
    def _transforming_getter(expression: Pick, origin: TextGetter) -> TextGetter:
        if not (
            expression.after
            or expression.before
            or expression.map
            or expression.otherwise is not None
            or expression.written
            or expression.date
            or expression.slug
        ):
            return origin
        date_characters = parse_date_format(expression.date) if expression.date else 0

        def transform(scope: RowScope) -> str | None:
            value = origin(scope)
            if value is None:
                return expression.otherwise
            value = _cut_text(value, expression)
            if expression.map is not None and value is not None:
                if value not in expression.map and expression.otherwise is None:
                    raise UnreadableValue(
                        f"`{value}` is not listed in the `map` of the mapping.", _suggest_value(value, expression.map)
                    )
                value = expression.map.get(value, expression.otherwise)
            if expression.written and value:
                value = _read_written(value, expression.written)
            if expression.date and value:
                value = _format_day(value, expression.date, date_characters)
            if expression.slug and value:
                value = slugify(value)
            return value or expression.otherwise

        return transform


def _suggest_value(value: str, options: Collection[str]) -> str | None:
    """Suggest the nearest listed value, preferably one that differs in case only."""
    same_letters = [option for option in options if option.casefold() == value.casefold()]
    return suggest_nearest(value, same_letters or options)


def _cut_text(value: str, expression: Pick) -> str | None:
    if expression.after:
        _, separator, value = value.partition(expression.after)
        if not separator:
            return expression.otherwise
    if expression.before:
        value, separator, _ = value.partition(expression.before)
        if not separator:
            return expression.otherwise
    return value.strip()


def _read_written(value: str, kind: str) -> str:
    try:
        return read_written_date(value) if kind == "date" else read_written_period(value)
    except UnreadableDate as error:
        raise UnreadableValue(f"`{shorten(value)}` is not read as a {kind}: {error.detail}.", error.hint) from None


def _format_day(value: str, format_: str, date_characters: int) -> str:
    try:
        day = datetime.strptime(value, format_).date().isoformat()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise UnreadableValue(f"`{value}` is not a date in the format `{format_}`.") from None
    return day[:date_characters]


def describe_origin(expression: "ValueExpression") -> str:
    """Return where the value of an expression comes from, for messages: its column, path or template."""
    if isinstance(expression, str):
        return f"The template `{expression}`"
    if expression.column is not None:
        return f"The column `{expression.column}`"
    if expression.path is not None:
        return f"The path `{expression.path}`"
    if expression.text is not None:
        return f"The template `{expression.text}`"
    return " and ".join(describe_origin(option) for option in expression.first or [])


def path_getter(path: str) -> ValueGetter:
    """Return the function that applies a JMESPath; it raises `UnreadableValue`."""
    search = compile_path(path)

    def get_value(scope: RowScope) -> Any:  # noqa: ANN401 - any value of a file
        try:
            return search(scope)
        except PathNotApplicable as error:
            raise UnreadableValue(str(error)) from None

    return get_value


def slugify(text: str) -> str:
    """Convert `Côte d'Ivoire` to `cote-d-ivoire`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")
