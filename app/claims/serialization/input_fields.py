"""A claim as it would be given again: what its source said and where, without what the register adds."""

from collections.abc import Mapping
from typing import Any

from app.comparison.figure import plain_number

NUMBERS = ("value", "lower", "upper", "coverage", "out_of")
FIGURE = ("as_printed", "lower_inclusive", "upper_inclusive", "approximate", "relative_to")
PLAIN = (
    "category",
    "subject",
    "place",
    "proposition",
    "modality",
    "derivation",
    "date",
    "date_edtf",
    "source",
    "includes",
    "excludes",
    "note",
)
CITATION = (
    "document",
    "role",
    "via",
    "fidelity",
    "quote",
    "quote_language",
    "translation",
    "locator",
    "gap",
    "withdrawn_on",
)


def figure_numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The numbers of a figure: whole ones without a decimal point."""
    return {name: None if row[name] is None else plain_number(row[name]) for name in NUMBERS}


def given_claim(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of a claim, without its citations."""
    return {
        **{name: row[name] for name in PLAIN},
        "figure": {**{name: row[name] for name in FIGURE}, **figure_numbers(row)},
        "period": {"edtf": row["period"], "aggregation": row["aggregation"]},
    }


def given_citation(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of a citation; its document by id."""
    return {name: row[name] for name in CITATION}


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[dict[str, Any]]:
    """What changed, field by field: `[{"field": "figure.value", "before": 1531, "after": 1351}]`."""
    found: list[dict[str, Any]] = []
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{path}{name}.")
        elif old != new:
            found.append({"field": path + name, "before": old, "after": new})
    return found
