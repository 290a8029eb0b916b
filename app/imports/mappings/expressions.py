"""The small languages inside a mapping: paths, templates and date formats. Each is read, and nothing is evaluated."""

import re
import string
from collections.abc import Callable, Mapping
from datetime import datetime
from math import prod
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

MAX_PATH_GROWTH = 1_000
"""How many times what it reads a path may make of it: `[@, @]` twice makes four of one, and thirty times a billion."""

MAX_PATH_CHARACTERS = 2_000
MAX_TEMPLATE_CHARACTERS = 5_000
MAX_FILLED_CHARACTERS = 100_000
"""Characters that a template may fill: no field of a claim takes as many."""

YEAR_DIRECTIVES, MONTH_DIRECTIVES, DAY_DIRECTIVES = frozenset("yYGcx"), frozenset("mbBcx"), frozenset("djcx")
WEEK_DIRECTIVES, WEEKDAY_DIRECTIVES = frozenset("UVW"), frozenset("uwaA")
DIRECTIVE_PATTERN = re.compile(r"%(.)", re.DOTALL)
SAMPLE_DATE = datetime(2022, 2, 24)  # noqa: DTZ001 - a format is tried on it

PathFunction = Callable[[Mapping[str, Any]], Any]
TemplateParts = list[tuple[str, str | None]]
"""Literal text and the column that follows it, in turn."""


class PathNotApplicable(ValueError):
    """A path asks of a row what it cannot give, such as the sum of words."""


def compile_path(text: str) -> PathFunction:
    """The function that follows a JMESPath into a row; it raises `Misfit`. Raises `ValueError` for what is none."""
    if len(text) > MAX_PATH_CHARACTERS:
        raise ValueError(f"a path has at most {MAX_PATH_CHARACTERS:,} characters")
    try:
        compiled = jmespath.compile(text)
        growth = _max_growth(compiled.parsed)
    except JMESPathError as wrong:
        raise ValueError(f"not a JMESPath expression: {' '.join(str(wrong).split())}") from None
    except RecursionError:
        raise ValueError("not a JMESPath expression: it is nested too deeply") from None
    if growth > MAX_PATH_GROWTH:
        raise ValueError("this path repeats what it reads too often")

    def search(row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the file holds
        try:
            return compiled.search(row)
        except (JMESPathError, ArithmeticError, TypeError, ValueError) as wrong:
            raise PathNotApplicable(f"`{text}` does not fit this row: {' '.join(str(wrong).split())}") from None

    return search


def _max_growth(node: Any) -> int:  # noqa: ANN401 - a tree of jmespath, which is not typed
    """How many times its input the result of a path can be, at most. Raises `ValueError` for unknown functions."""
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


def parse_template(text: str) -> TemplateParts:
    """The parts of a template. Raises `ValueError`: in its braces stands the name of a column, and nothing else."""
    if len(text) > MAX_TEMPLATE_CHARACTERS:
        raise ValueError(f"a template has at most {MAX_TEMPLATE_CHARACTERS:,} characters")
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as wrong:
        raise ValueError(f"`{text}` is no template: {wrong}; write `{{{{` for a brace") from None
    for _, name, spec, conversion in parts:
        if name == "" or spec or conversion:
            raise ValueError(f"`{text}` is no template: in the braces stands the name of a column, and nothing else")
    return [(literal, name) for literal, name, _, _ in parts]


def parse_date_format(text: str) -> int:
    """How many characters of YYYY-MM-DD a date in this format says: 10, 7 or 4. Raises `ValueError`."""
    letters = set(DIRECTIVE_PATTERN.findall(text)) - {"%"}
    if not letters & YEAR_DIRECTIVES:
        raise ValueError(f"`{text}` is no format of a date: it has no year, which is %Y")
    try:
        datetime.strptime(SAMPLE_DATE.strftime(text), text)  # noqa: DTZ007 - a day has no zone
    except (ValueError, re.error) as wrong:
        raise ValueError(f"`{text}` is no format of a date: {wrong}") from None
    if letters & DAY_DIRECTIVES or (letters & WEEK_DIRECTIVES and letters & WEEKDAY_DIRECTIVES):
        return len("YYYY-MM-DD")
    return len("YYYY-MM") if letters & MONTH_DIRECTIVES else len("YYYY")
