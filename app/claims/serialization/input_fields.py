"""Recorded claims in the fields of a request, without the fields that the register adds."""

from collections.abc import Mapping
from typing import Any

from app.comparison.figure import normalize_number

FIGURE_NUMBER_FIELDS = ("value", "lower", "upper", "coverage", "out_of")
FIGURE_PLAIN_FIELDS = ("as_printed", "lower_inclusive", "upper_inclusive", "approximate", "relative_to")
"""The fields of a `PrintedFigure` that are not numbers."""

FIGURE_WORDING_FIELDS = ("language", "wording_differs")
"""The fields of a figure that say something about its wording."""

CLAIM_PLAIN_FIELDS = (
    "category",
    "subject",
    "place",
    "proposition",
    "modality",
    "derivation",
    "date",
    "date_edtf",
    "said_at",
    "source",
    "includes",
    "excludes",
    "note",
)
CITATION_PLAIN_FIELDS = (
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


def plain_figure_numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the numbers of a figure, with whole numbers as integers."""
    return {name: None if row[name] is None else normalize_number(row[name]) for name in FIGURE_NUMBER_FIELDS}


def claim_as_input(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the request fields of a claim, without its citations."""
    return {
        **{name: row[name] for name in CLAIM_PLAIN_FIELDS},
        "figure": {
            **{name: row[name] for name in (*FIGURE_PLAIN_FIELDS, *FIGURE_WORDING_FIELDS)},
            **plain_figure_numbers(row),
            "unit": row["unit"],
        },
        "period": {"edtf": row["period"], "aggregation": row["aggregation"], "per": row["per"]},
    }


def citation_as_input(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the request fields of a citation, with its document by id."""
    return {name: row[name] for name in ("document", *CITATION_PLAIN_FIELDS)}


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[dict[str, Any]]:
    """Return the changed fields: `[{"field": "figure.value", "before": 1531, "after": 1351}]`."""
    changes: list[dict[str, Any]] = []
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += field_changes(old, new, f"{path}{name}.")
        elif old != new:
            changes.append({"field": path + name, "before": old, "after": new})
    return changes
