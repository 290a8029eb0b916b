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

MOST_GROWTH = 1_000
"""How many times what it reads a path may make of it: `[@, @]` twice makes four of one, and thirty times a billion."""

LONGEST_PATH = 2_000
LONGEST_TEMPLATE = 5_000
LONGEST_TEXT = 100_000
"""Characters that a template may fill: no field of a claim takes as many."""

YEAR, MONTH, DAY = frozenset("yYGcx"), frozenset("mbBcx"), frozenset("djcx")
WEEK, WEEKDAY = frozenset("UVW"), frozenset("uwaA")
DIRECTIVES = re.compile(r"%(.)", re.DOTALL)
SAMPLE = datetime(2022, 2, 24)  # noqa: DTZ001 - a format is tried on it

Search = Callable[[Mapping[str, Any]], Any]
Template = list[tuple[str, str | None]]
"""Literal text and the column that follows it, in turn."""


class Misfit(ValueError):
    """A path asks of a row what it cannot give, such as the sum of words."""


def read_path(text: str) -> Search:
    """The function that follows a JMESPath into a row; it raises `Misfit`. Raises `ValueError` for what is none."""
    if len(text) > LONGEST_PATH:
        raise ValueError(f"a path has at most {LONGEST_PATH:,} characters")
    try:
        compiled = jmespath.compile(text)
        growth = _growth(compiled.parsed)
    except JMESPathError as wrong:
        raise ValueError(f"not a JMESPath expression: {' '.join(str(wrong).split())}") from None
    except RecursionError:
        raise ValueError("not a JMESPath expression: it is nested too deeply") from None
    if growth > MOST_GROWTH:
        raise ValueError("this path repeats what it reads too often")

    def search(row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the file holds
        try:
            return compiled.search(row)
        except (JMESPathError, ArithmeticError, TypeError, ValueError) as wrong:
            raise Misfit(f"`{text}` does not fit this row: {' '.join(str(wrong).split())}") from None

    return search


def _growth(node: Any) -> int:  # noqa: ANN401 - a tree of jmespath, which is not typed
    """How many times its input the result of a path can be, at most. Raises `ValueError` for unknown functions."""
    kind, inner = node["type"], [_growth(child) for child in node["children"]]
    if kind == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        raise ValueError(f"JMESPath has no function `{node['value']}`")
    if kind == "literal":
        return _leaves(node["value"])
    if kind in {"multi_select_list", "multi_select_dict"}:
        return max(1, sum(inner))
    return prod(inner)


def _leaves(value: Any) -> int:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        value = list(value.values())
    return max(1, sum(map(_leaves, value))) if isinstance(value, list) else 1


def read_template(text: str) -> Template:
    """The parts of a template. Raises `ValueError`: in its braces stands the name of a column, and nothing else."""
    if len(text) > LONGEST_TEMPLATE:
        raise ValueError(f"a template has at most {LONGEST_TEMPLATE:,} characters")
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as wrong:
        raise ValueError(f"`{text}` is no template: {wrong}; write `{{{{` for a brace") from None
    for _, name, spec, conversion in parts:
        if name == "" or spec or conversion:
            raise ValueError(f"`{text}` is no template: in the braces stands the name of a column, and nothing else")
    return [(literal, name) for literal, name, _, _ in parts]


def read_date_format(text: str) -> int:
    """How many characters of YYYY-MM-DD a date in this format says: 10, 7 or 4. Raises `ValueError`."""
    letters = set(DIRECTIVES.findall(text)) - {"%"}
    if not letters & YEAR:
        raise ValueError(f"`{text}` is no format of a date: it has no year, which is %Y")
    try:
        datetime.strptime(SAMPLE.strftime(text), text)  # noqa: DTZ007 - a day has no zone
    except (ValueError, re.error) as wrong:
        raise ValueError(f"`{text}` is no format of a date: {wrong}") from None
    if letters & DAY or (letters & WEEK and letters & WEEKDAY):
        return len("YYYY-MM-DD")
    return len("YYYY-MM") if letters & MONTH else len("YYYY")
