"""Two derived columns that index the latest claims of each series of a source.

A side-by-side shows only the latest claim of each series: the claims of one source that are comparable with each
other. The column `standpoint` is the series key within a category, subject and place. The column `recency` grows with
the end of the period, then with the date. An index over both finds the latest claims without reading older ones. The
columns only preselect claims; the rules of `app/comparison/positions.py` decide.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

FUTURE_PERIOD_SUFFIX: Final = "ahead"
OPEN_PERIOD_SUFFIX: Final = "open"
RETRACTED_SUFFIX: Final = "retracted"
WITHOUT_FIGURE_SUFFIX: Final = "none"

PERIOD_END_FACTOR: Final = 100_000_000
"""The recency is the end of the period times this factor, plus the date: 2025061120250612."""


def build_series_columns(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return both columns of a claim; None for a claim that was taken down."""
    if state["status"] == "removed":
        return {"standpoint": None, "recency": None}
    recency = encode_day(state["period_end"]) * PERIOD_END_FACTOR + encode_day(state["date"])
    return {"standpoint": _build_series_key(state), "recency": recency}


def encode_day(day: date | None) -> int:
    """Return a day as a number of eight digits, YYYYMMDD; 0, before every day, if unknown."""
    return 0 if day is None else day.year * 10_000 + day.month * 100 + day.day


def _build_series_key(state: Mapping[str, Any]) -> str:
    """Return the series key: source, aggregation, and all else that makes claims of a source separate positions.

    The suffixes separate claims that an index scan must treat differently: claims about a period that ends after the
    statement, claims with an open period, and claims that are not positions.
    """
    parts = [state["source"], str(state["aggregation"])]
    if state["modality"] == "forecast":
        parts.append("forecast")
    if state["includes"] or state["excludes"] or state["relative_to"] is not None:
        scope = [sorted(set(state["includes"])), sorted(set(state["excludes"])), state["relative_to"]]
        parts.append(hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:32])
    if state["period_end"] is None:
        parts.append(OPEN_PERIOD_SUFFIX)
    elif state["date"] is not None and state["period_end"] > state["date"]:
        parts.append(FUTURE_PERIOD_SUFFIX)
    if state["status"] == "retracted":
        parts.append(RETRACTED_SUFFIX)
    elif state["kind"] == "none":
        parts.append(WITHOUT_FIGURE_SUFFIX)
    return " ".join(parts)
