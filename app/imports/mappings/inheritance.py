"""Merges `[claim]` into the claims of a mapping, before validation."""

from collections.abc import Mapping
from typing import Any

COMPATIBLE_PERIOD_FIELDS = {
    "edtf": frozenset[str](),
    "on": frozenset({"hours"}),
    "start": frozenset({"end"}),
    "end": frozenset({"start", "hours"}),
    "hours": frozenset({"on", "end"}),
}
"""For each field of a period the fields that can be combined with it."""


def resolve_unstated(category: Any) -> Any:  # noqa: ANN401 - any value of a file
    """Replace `components = "unstated"` by None, which TOML cannot express."""
    if isinstance(category, dict) and category.get("components") == "unstated":
        return {**category, "components": None}
    return category


def inherit_claim(shared: Any, own: Any) -> Any:  # noqa: ANN401 - any value of a file
    """Merge `[claim]` into a claim; of the shared period only the fields that are compatible with the claim's own."""
    if not (isinstance(shared, dict) and isinstance(own, dict)):
        return own
    own_period, shared_period = own.get("period"), shared.get("period")
    if isinstance(own_period, dict) and isinstance(shared_period, dict):
        own_fields = own_period.keys() & COMPATIBLE_PERIOD_FIELDS.keys()
        compatible = {
            name: value
            for name, value in shared_period.items()
            if name not in COMPATIBLE_PERIOD_FIELDS
            or all(name in COMPATIBLE_PERIOD_FIELDS[field] for field in own_fields)
        }
        if own_period.get("aggregation", "rate") != "rate":
            compatible.pop("per", None)  # only a rate has a unit of time
        shared = {**shared, "period": compatible}
    return merge_tables(shared, own)


def merge_tables(shared: Any, own: Any) -> Any:  # noqa: ANN401 - any value of a file
    """Merge `own` over `shared`, table by table; a table that picks a value is replaced completely."""
    if not (isinstance(shared, dict) and isinstance(own, dict)) or _is_pick(shared) or _is_pick(own):
        return own
    return {**shared, **{name: merge_tables(shared.get(name), value) for name, value in own.items()}}


def _is_pick(table: Mapping[str, Any]) -> bool:
    return any(name in table for name in ("column", "path", "text", "first"))
