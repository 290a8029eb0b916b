"""Values picked from a row as a mapping says: each `Given` becomes a small function, made once for a whole file."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from app.comparison.figure import normalize_number
from app.errors import suggest_nearest
from app.imports.mappings.expressions import (
    MAX_FILLED_CHARACTERS,
    PathNotApplicable,
    compile_path,
    parse_date_format,
    parse_template,
)
from app.imports.mappings.schema import Condition, Pick, ValueExpression

RowScope = Mapping[str, Any]
"""A row as the mapping sees it: its columns, and `_file`, `_line`, `_vintage` and `_name` (the claim's)."""

TextGetter = Callable[[RowScope], str | None]
"""Gives the text of a field, or None where the row says nothing."""

ValueGetter = Callable[[RowScope], Any]


class UnreadableValue(ValueError):
    """A value of a row that the mapping cannot turn into what it should be."""

    def __init__(self, detail: str, hint: str | None = None) -> None:
        super().__init__(detail)
        self.hint = hint


class GetterFactory:
    """Makes the functions for one mapping, whose `missing` words mean that nothing is given."""

    def __init__(self, missing: Collection[str]) -> None:
        self.missing_values = frozenset(missing) | {""}

    def text_getter(self, given: "ValueExpression | None") -> TextGetter:
        """The function for one field."""
        if given is None:
            return lambda _scope: None
        if isinstance(given, str):
            return self._template_getter(given)
        return self._transforming_getter(given, self._origin_getter(given))

    def value_getter(self, given: "Pick | Condition") -> ValueGetter:
        """The function for a value as it stands in the row, a number as a number."""
        if given.path is not None:
            return path_getter(given.path)
        column = given.column or ""
        return lambda scope: scope.get(column)

    def predicate(self, condition: Condition) -> Callable[[RowScope], bool]:
        """The function that tells whether a condition holds."""
        look = self.value_getter(condition)

        def text(scope: RowScope) -> str | None:
            value = look(scope)
            # Of a list or an object only its being there can be asked.
            return "…" if isinstance(value, list | dict) and value else self.to_text(value)

        if condition.empty is not None:
            wanted = condition.empty
            return lambda scope: (text(scope) is None) is wanted
        if condition.among is not None:
            among = frozenset(condition.among)
            return lambda scope: text(scope) in among
        part = condition.contains or ""
        return lambda scope: part in (text(scope) or "")

    def to_text(self, value: Any) -> str | None:  # noqa: ANN401 - whatever the file holds
        """A value as text; None where it is missing. Raises `Unread` for what is no single value."""
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
            "Expected one value, found a list or an object.", "`over` makes a claim of each of its members"
        )

    def _origin_getter(self, given: Pick) -> TextGetter:
        if given.text is not None:
            return self._template_getter(given.text)
        if given.first is not None:
            plucks = [self.text_getter(each) for each in given.first]
            return lambda scope: next((found for pluck in plucks if (found := pluck(scope))), None)
        look = self.value_getter(given)
        return lambda scope: self.to_text(look(scope))

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
                            f"What fills a template has more than {MAX_FILLED_CHARACTERS:,} characters."
                        )
            return "".join(filled)

        return fill

    @staticmethod
    def _transforming_getter(given: Pick, origin: TextGetter) -> TextGetter:
        if not (given.after or given.before or given.map or given.otherwise is not None or given.date or given.slug):
            return origin
        said = parse_date_format(given.date) if given.date else 0

        def work(scope: RowScope) -> str | None:
            value = origin(scope)
            if value is None:
                return given.otherwise
            value = _cut_text(value, given)
            if given.map is not None and value is not None:
                if value not in given.map and given.otherwise is None:
                    raise UnreadableValue(f"`{value}` is not in the mapping's list.", _suggest_value(value, given.map))
                value = given.map.get(value, given.otherwise)
            if given.date and value:
                value = _format_day(value, given.date, said)
            if given.slug and value:
                value = slugify(value)
            return value or given.otherwise

        return work


def _suggest_value(value: str, known: Collection[str]) -> str | None:
    """A hint with the listed value that was perhaps meant: before all others one that only capitals tell apart."""
    alike = [each for each in known if each.casefold() == value.casefold()]
    return suggest_nearest(value, alike or known)


def _cut_text(value: str, given: Pick) -> str | None:
    if given.after:
        _, found, value = value.partition(given.after)
        if not found:
            return given.otherwise
    if given.before:
        value, found, _ = value.partition(given.before)
        if not found:
            return given.otherwise
    return value.strip()


def _format_day(value: str, format_: str, said: int) -> str:
    try:
        day = datetime.strptime(value, format_).date().isoformat()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise UnreadableValue(f"`{value}` is not a date like {format_}.") from None
    return day[:said]


def path_getter(path: str) -> ValueGetter:
    """The function that follows a JMESPath. It raises `Unread`."""
    search = compile_path(path)

    def look(scope: RowScope) -> Any:  # noqa: ANN401 - whatever the file holds
        try:
            return search(scope)
        except PathNotApplicable as wrong:
            raise UnreadableValue(str(wrong)) from None

    return look


def slugify(text: str) -> str:
    """`Côte d'Ivoire` as `cote-d-ivoire`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")
