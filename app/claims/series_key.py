"""Where a claim stands in the order of what its source said: two columns that find the latest of each line.

A side-by-side shows of each source only the latest of what it says in one way. `standpoint` names that way, within a
category, subject and place; `recency` grows with the end of the period and, where that is the same, with the day on
which it was said. An index over both leads to the latest claims without a look at the ones before them. The rules of
`claims/sides.py` decide; these columns only say which claims they need not be shown.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from app.database.row_encoding import declare_derived_columns
from app.database.tables import ClaimVersion

FUTURE_PERIOD_SUFFIX: Final = "ahead"
OPEN_PERIOD_SUFFIX: Final = "open"
RETRACTED_SUFFIX: Final = "retracted"
WITHOUT_FIGURE_SUFFIX: Final = "none"

PERIOD_END_FACTOR: Final = 100_000_000
"""A recency is the period's end times this, plus the date: 2025061120250612."""


def build_series_columns(state: Mapping[str, Any]) -> dict[str, Any]:
    """The two columns of a claim with these columns; none of them where it was taken down."""
    if state["status"] == "removed":
        return {"standpoint": None, "recency": None}
    recency = encode_day(state["period_end"]) * PERIOD_END_FACTOR + encode_day(state["date"])
    return {"standpoint": _build_series_key(state), "recency": recency}


def encode_day(day: date | None) -> int:
    """A day as eight digits that sort like it; 0, before every day, where it is not known."""
    return 0 if day is None else day.year * 10_000 + day.month * 100 + day.day


def _build_series_key(state: Mapping[str, Any]) -> str:
    """The source, how the figure counts, and whatever else keeps one claim from displacing another.

    The words at the end sort claims of one line apart, so that each range of the index is read in one direction:
    those about a day that had not come when they were said, those without an end, and those that are no position.
    """
    words = [state["source"], str(state["aggregation"])]
    if state["modality"] == "forecast":
        words.append("forecast")
    if state["includes"] or state["excludes"] or state["relative_to"] is not None:
        scope = [sorted(set(state["includes"])), sorted(set(state["excludes"])), state["relative_to"]]
        words.append(hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:32])
    if state["period_end"] is None:
        words.append(OPEN_PERIOD_SUFFIX)
    elif state["date"] is not None and state["period_end"] > state["date"]:
        words.append(FUTURE_PERIOD_SUFFIX)
    if state["status"] == "retracted":
        words.append(RETRACTED_SUFFIX)
    elif state["kind"] == "none":
        words.append(WITHOUT_FIGURE_SUFFIX)
    return " ".join(words)


declare_derived_columns(ClaimVersion, build_series_columns)
