"""Values picked from a row as a mapping says: each `Given` becomes a small function, made once for a whole file."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from app.comparison.figure import normalize_number
from app.errors import suggest_nearest
from app.imports.mappings.expressions import LONGEST_TEXT, Misfit, read_date_format, read_path, read_template
from app.imports.mappings.schema import Condition, Given, Pick

Scope = Mapping[str, Any]
"""A row as the mapping sees it: its columns, and `_file`, `_line`, `_vintage` and `_name` (the claim's)."""

Pluck = Callable[[Scope], str | None]
"""Gives the text of a field, or None where the row says nothing."""

Look = Callable[[Scope], Any]


class Unread(ValueError):
    """A value of a row that the mapping cannot turn into what it should be."""

    def __init__(self, detail: str, hint: str | None = None) -> None:
        super().__init__(detail)
        self.hint = hint


class Fields:
    """Makes the functions for one mapping, whose `missing` words mean that nothing is given."""

    def __init__(self, missing: Collection[str]) -> None:
        self.missing = frozenset(missing) | {""}

    def pluck(self, given: "Given | None") -> Pluck:
        """The function for one field."""
        if given is None:
            return lambda _scope: None
        if isinstance(given, str):
            return self._template(given)
        return self._worked(given, self._origin(given))

    def look(self, given: "Pick | Condition") -> Look:
        """The function for a value as it stands in the row, a number as a number."""
        if given.path is not None:
            return follow(given.path)
        column = given.column or ""
        return lambda scope: scope.get(column)

    def holds(self, condition: Condition) -> Callable[[Scope], bool]:
        """The function that tells whether a condition holds."""
        look = self.look(condition)

        def text(scope: Scope) -> str | None:
            value = look(scope)
            # Of a list or an object only its being there can be asked.
            return "…" if isinstance(value, list | dict) and value else self.text(value)

        if condition.empty is not None:
            wanted = condition.empty
            return lambda scope: (text(scope) is None) is wanted
        if condition.among is not None:
            among = frozenset(condition.among)
            return lambda scope: text(scope) in among
        part = condition.contains or ""
        return lambda scope: part in (text(scope) or "")

    def text(self, value: Any) -> str | None:  # noqa: ANN401 - whatever the file holds
        """A value as text; None where it is missing. Raises `Unread` for what is no single value."""
        if isinstance(value, str):
            value = value.strip()
            return None if value in self.missing else value
        if value is None or (isinstance(value, list | dict) and not value):
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(normalize_number(value))
        raise Unread("Expected one value, found a list or an object.", "`over` makes a claim of each of its members")

    def _origin(self, given: Pick) -> Pluck:
        if given.text is not None:
            return self._template(given.text)
        if given.first is not None:
            plucks = [self.pluck(each) for each in given.first]
            return lambda scope: next((found for pluck in plucks if (found := pluck(scope))), None)
        look = self.look(given)
        return lambda scope: self.text(look(scope))

    def _template(self, text: str) -> Pluck:
        parts = read_template(text)
        if all(name is None for _, name in parts):
            constant = "".join(literal for literal, _ in parts)
            return lambda _scope: constant

        def fill(scope: Scope) -> str | None:
            filled, length = list[str](), 0
            for literal, name in parts:
                filled.append(literal)
                if name is not None:
                    value = self.text(scope.get(name))
                    if value is None:
                        return None
                    filled.append(value)
                    if (length := length + len(value)) > LONGEST_TEXT:
                        raise Unread(f"What fills a template has more than {LONGEST_TEXT:,} characters.")
            return "".join(filled)

        return fill

    @staticmethod
    def _worked(given: Pick, origin: Pluck) -> Pluck:
        if not (given.after or given.before or given.map or given.otherwise is not None or given.date or given.slug):
            return origin
        said = read_date_format(given.date) if given.date else 0

        def work(scope: Scope) -> str | None:
            value = origin(scope)
            if value is None:
                return given.otherwise
            value = _cut(value, given)
            if given.map is not None and value is not None:
                if value not in given.map and given.otherwise is None:
                    raise Unread(f"`{value}` is not in the mapping's list.", _meant(value, given.map))
                value = given.map.get(value, given.otherwise)
            if given.date and value:
                value = _day(value, given.date, said)
            if given.slug and value:
                value = slugged(value)
            return value or given.otherwise

        return work


def _meant(value: str, known: Collection[str]) -> str | None:
    """A hint with the listed value that was perhaps meant: before all others one that only capitals tell apart."""
    alike = [each for each in known if each.casefold() == value.casefold()]
    return suggest_nearest(value, alike or known)


def _cut(value: str, given: Pick) -> str | None:
    if given.after:
        _, found, value = value.partition(given.after)
        if not found:
            return given.otherwise
    if given.before:
        value, found, _ = value.partition(given.before)
        if not found:
            return given.otherwise
    return value.strip()


def _day(value: str, format_: str, said: int) -> str:
    try:
        day = datetime.strptime(value, format_).date().isoformat()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Unread(f"`{value}` is not a date like {format_}.") from None
    return day[:said]


def follow(path: str) -> Look:
    """The function that follows a JMESPath. It raises `Unread`."""
    search = read_path(path)

    def look(scope: Scope) -> Any:  # noqa: ANN401 - whatever the file holds
        try:
            return search(scope)
        except Misfit as wrong:
            raise Unread(str(wrong)) from None

    return look


def slugged(text: str) -> str:
    """`Côte d'Ivoire` as `cote-d-ivoire`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")
