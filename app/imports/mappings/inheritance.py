"""What a claim of a mapping has from `[claim]`, table by table, before any of it is checked."""

from collections.abc import Mapping
from typing import Any

COMPATIBLE_PERIOD_FIELDS = {
    "edtf": frozenset[str](),
    "on": frozenset({"hours"}),
    "start": frozenset({"end"}),
    "end": frozenset({"start", "hours"}),
    "hours": frozenset({"on", "end"}),
}
"""Which of the other words for a period each goes with."""


def resolve_unstated(category: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """A category whose source adds up something and does not say what: TOML has no null for that."""
    if isinstance(category, dict) and category.get("components") == "unstated":
        return {**category, "components": None}
    return category


def inherit_claim(shared: Any, own: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """A claim with what `[claim]` says; of the shared period only what goes with the claim's own words for it."""
    if not (isinstance(shared, dict) and isinstance(own, dict)):
        return own
    ours, theirs = own.get("period"), shared.get("period")
    if isinstance(ours, dict) and isinstance(theirs, dict):
        said = ours.keys() & COMPATIBLE_PERIOD_FIELDS.keys()
        kept = {
            name: v
            for name, v in theirs.items()
            if name not in COMPATIBLE_PERIOD_FIELDS or all(name in COMPATIBLE_PERIOD_FIELDS[own] for own in said)
        }
        shared = {**shared, "period": kept}
    return merge_tables(shared, own)


def merge_tables(shared: Any, own: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """`own` over `shared`, table by table; what picks a value is replaced whole."""
    if not (isinstance(shared, dict) and isinstance(own, dict)) or _is_pick(shared) or _is_pick(own):
        return own
    return {**shared, **{name: merge_tables(shared.get(name), value) for name, value in own.items()}}


def _is_pick(table: Mapping[str, Any]) -> bool:
    return any(name in table for name in ("column", "path", "text", "first"))
