"""What a claim of a mapping has from `[claim]`, table by table, before any of it is checked."""

from collections.abc import Mapping
from typing import Any

BESIDE = {
    "edtf": frozenset[str](),
    "on": frozenset({"hours"}),
    "start": frozenset({"end"}),
    "end": frozenset({"start", "hours"}),
    "hours": frozenset({"on", "end"}),
}
"""Which of the other words for a period each goes with."""


def unstated(category: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """A category whose source adds up something and does not say what: TOML has no null for that."""
    if isinstance(category, dict) and category.get("components") == "unstated":
        return {**category, "components": None}
    return category


def claimed(shared: Any, own: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """A claim with what `[claim]` says; of the shared period only what goes with the claim's own words for it."""
    if not (isinstance(shared, dict) and isinstance(own, dict)):
        return own
    ours, theirs = own.get("period"), shared.get("period")
    if isinstance(ours, dict) and isinstance(theirs, dict):
        said = ours.keys() & BESIDE.keys()
        kept = {name: v for name, v in theirs.items() if name not in BESIDE or all(name in BESIDE[own] for own in said)}
        shared = {**shared, "period": kept}
    return merged(shared, own)


def merged(shared: Any, own: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """`own` over `shared`, table by table; what picks a value is replaced whole."""
    if not (isinstance(shared, dict) and isinstance(own, dict)) or _picks(shared) or _picks(own):
        return own
    return {**shared, **{name: merged(shared.get(name), value) for name, value in own.items()}}


def _picks(table: Mapping[str, Any]) -> bool:
    return any(name in table for name in ("column", "path", "text", "first"))
