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

AHEAD: Final = "ahead"
OPEN: Final = "open"
RETRACTED: Final = "retracted"
WITHOUT_FIGURE: Final = "none"

DAY: Final = 100_000_000
"""A recency is the period's end times this, plus the date: 2025061120250612."""


def placed(state: Mapping[str, Any]) -> dict[str, Any]:
    """The two columns of a claim with these columns; none of them where it was taken down."""
    if state["status"] == "removed":
        return {"standpoint": None, "recency": None}
    recency = as_number(state["period_end"]) * DAY + as_number(state["date"])
    return {"standpoint": _standpoint(state), "recency": recency}


def as_number(day: date | None) -> int:
    """A day as eight digits that sort like it; 0, before every day, where it is not known."""
    return 0 if day is None else day.year * 10_000 + day.month * 100 + day.day


def _standpoint(state: Mapping[str, Any]) -> str:
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
        words.append(OPEN)
    elif state["date"] is not None and state["period_end"] > state["date"]:
        words.append(AHEAD)
    if state["status"] == "retracted":
        words.append(RETRACTED)
    elif state["kind"] == "none":
        words.append(WITHOUT_FIGURE)
    return " ".join(words)
