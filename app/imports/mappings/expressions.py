"""Compiles the paths, templates and date formats of a mapping. None of them can execute code."""

import re
import string
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import prod
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

MAX_PATH_GROWTH = 1_000
"""Maximum size of a path's result, as a multiple of its input. Each `[@, @]` in a path doubles the result."""

MAX_PATH_CHARACTERS = 2_000
MAX_TEMPLATE_CHARACTERS = 5_000
MAX_FILLED_CHARACTERS = 100_000
"""Maximum number of characters of the values in a template, far above the limit of any field of a claim."""

YEAR_DIRECTIVES, MONTH_DIRECTIVES, DAY_DIRECTIVES = frozenset("yYGcx"), frozenset("mbBcx"), frozenset("djcx")
WEEK_DIRECTIVES, WEEKDAY_DIRECTIVES = frozenset("UVW"), frozenset("uwaA")
DIRECTIVE_PATTERN = re.compile(r"%(.)", re.DOTALL)
SAMPLE_DATE = datetime(2022, 2, 24, tzinfo=UTC)

PathFunction = Callable[[Mapping[str, Any]], Any]
TemplateParts = list[tuple[str, str | None]]
"""Pairs of literal text and the column that follows it."""


class PathNotApplicable(ValueError):
    """A path cannot be applied to a row, for example the sum of texts."""


def compile_path(text: str) -> PathFunction:
    """Return a function that applies a JMESPath to a row; it raises `PathNotApplicable`.

    Raises:
        ValueError: The expression is invalid or can produce too large a result.
    """
    if len(text) > MAX_PATH_CHARACTERS:
        raise ValueError(f"a path has at most {MAX_PATH_CHARACTERS:,} characters")
    try:
        compiled = jmespath.compile(text)
        growth = _max_growth(compiled.parsed)
    except JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ValueError("not a JMESPath expression: it is nested too deeply") from None
    if growth > MAX_PATH_GROWTH:
        raise ValueError("the result of this path can be too large")

    def search(row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any value of a file
        try:
            return compiled.search(row)
        except (JMESPathError, ArithmeticError, TypeError, ValueError) as error:
            raise PathNotApplicable(f"`{text}` cannot be applied to this row: {' '.join(str(error).split())}") from None

    return search


def _max_growth(node: Any) -> int:  # noqa: ANN401 - a tree of jmespath, which is not typed
    """Return the maximum growth of a path's result over its input. Raises `ValueError` for unknown functions."""
    kind, inner = node["type"], [_max_growth(child) for child in node["children"]]
    if kind == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        raise ValueError(f"JMESPath has no function `{node['value']}`")
    if kind == "literal":
        return _count_leaves(node["value"])
    if kind in {"multi_select_list", "multi_select_dict"}:
        return max(1, sum(inner))
    return prod(inner)


def _count_leaves(value: Any) -> int:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        value = list(value.values())
    return max(1, sum(map(_count_leaves, value))) if isinstance(value, list) else 1


def path_columns(text: str) -> set[str]:
    """Return the names of the columns of a row that a JMESPath can read."""
    return _root_fields(jmespath.compile(text).parsed)


def _root_fields(node: Any) -> set[str]:  # noqa: ANN401 - a tree of jmespath, which is not typed
    """Return the fields of the row itself, without those of the values inside it."""
    kind, inner = node["type"], node["children"]
    if kind == "field":
        return {node["value"]}
    if kind in _PATHS_FROM_FIRST:
        return _root_fields(inner[1 if inner[0]["type"] in {"current", "identity"} else 0])
    return {name for child in inner for name in _root_fields(child)} if kind != "expref" else set()


_PATHS_FROM_FIRST = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten", "pipe"}
)
"""The nodes of a path whose further parts are applied to the value of the first one."""


def parse_template(text: str) -> TemplateParts:
    """Return the parts of a template. Raises `ValueError` if its braces contain anything but a column name."""
    if len(text) > MAX_TEMPLATE_CHARACTERS:
        raise ValueError(f"a template has at most {MAX_TEMPLATE_CHARACTERS:,} characters")
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"`{text}` is not a template: {error}; write `{{{{` for a brace") from None
    for _, name, spec, conversion in parts:
        if name == "" or spec or conversion:
            raise ValueError(f"`{text}` is not a template: braces may contain only the name of a column")
    return [(literal, name) for literal, name, _, _ in parts]


def parse_date_format(text: str) -> int:
    """Return the number of characters of YYYY-MM-DD that this format determines: 10, 7 or 4. Raises `ValueError`."""
    letters = set(DIRECTIVE_PATTERN.findall(text)) - {"%"}
    if not letters & YEAR_DIRECTIVES:
        raise ValueError(f"`{text}` is not a date format: it has no year, such as %Y")
    try:
        datetime.strptime(SAMPLE_DATE.strftime(text), text)  # noqa: DTZ007 - a day has no zone
    except (ValueError, re.error) as error:
        raise ValueError(f"`{text}` is not a date format: {error}") from None
    if letters & DAY_DIRECTIVES or (letters & WEEK_DIRECTIVES and letters & WEEKDAY_DIRECTIVES):
        return len("YYYY-MM-DD")
    return len("YYYY-MM") if letters & MONTH_DIRECTIVES else len("YYYY")
