"""Two derived columns that index the latest claims of each series of a source.

A side-by-side shows only the latest claim of each position key (`app/comparison/positions.py`). The column `standpoint`
is a series key within a category, subject and place: claims of one series have one position key, but a position key can
have several series. The column `recency` grows with the effective end of the period, then with the date. An index over
both finds the latest claims without reading older ones. The columns only preselect claims; the rules of
`app/comparison` decide.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from app.comparison.effective_period import TOTALS, EffectivePeriod, grain_of, resolve_period
from app.comparison.period import parse_period

FORECAST_MARK: Final = "forecast"
RETRACTED_SUFFIX: Final = "retracted"
WITHOUT_NUMBER_SUFFIX: Final = "none"

PERIOD_END_FACTOR: Final = 100_000_000
"""The recency is the end of the period times this factor, plus the date: 2025061120250612."""

_DIGEST_LENGTH: Final = 24
_TOTAL_PREFIX: Final = "total-"
_KINDS_WITHOUT_NUMBER: Final = frozenset({"none", "vague"})


def build_series_columns(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return both columns of a claim; None for a claim that was taken down."""
    if state["status"] == "removed":
        return {"standpoint": None, "recency": None}
    return {"standpoint": _build_series_key(state), "recency": _build_recency(state)}


def encode_day(day: date | None) -> int:
    """Return a day as a number of eight digits, YYYYMMDD; 0, before every day, if unknown."""
    return 0 if day is None else day.year * 10_000 + day.month * 100 + day.day


def aggregation_pattern(aggregation: str) -> str:
    """Return the LIKE pattern of the series keys of an aggregation class."""
    is_total = aggregation in TOTALS
    return f"% {_TOTAL_PREFIX}%" if is_total else f"% {aggregation} %"


def has_aggregation(series_key: str, aggregation: str) -> bool:
    """Return whether the aggregation of a series is in the class of `aggregation`."""
    own = series_key.split(" ", 2)[1]
    return own.startswith(_TOTAL_PREFIX) if aggregation in TOTALS else own == aggregation


def _build_recency(state: Mapping[str, Any]) -> int:
    """Return the recency: a period ends no later than the claim was made, unless the claim is a forecast."""
    end, said = state["period_end"], state["date"]
    if state["modality"] != "forecast" and said is not None and (end is None or end > said):
        end = said
    return encode_day(end) * PERIOD_END_FACTOR + encode_day(said)


def _build_series_key(state: Mapping[str, Any]) -> str:
    """Return the series key: source, aggregation, and all else that makes claims of a source separate positions.

    Claims whose end is not certain are a series for each such end, because their recency does not order them. The
    suffixes separate claims that are not positions.
    """
    aggregation = str(state["aggregation"])
    is_total = aggregation in TOTALS
    parts = [state["source"], f"{_TOTAL_PREFIX}{aggregation}" if is_total else aggregation, str(state["modality"])]
    if state["proposition"] != "quantity":
        parts.append(str(state["proposition"]))
    if state.get("per") is not None:
        parts.append(str(state["per"]))
    period = parse_period(state["period"])
    effective = resolve_period(
        period,
        aggregation,
        state["date"],
        state["date_edtf"],
        is_forecast=state["modality"] == "forecast",
    )
    if aggregation == "cumulative":
        parts.append(state["period"].partition("/")[0] or "..")
    elif aggregation != "snapshot":
        parts.append(grain_of(period, aggregation, effective))
    details = _list_details(state, effective)
    if any(details):
        parts.append(hashlib.sha256(json.dumps(details).encode()).hexdigest()[:_DIGEST_LENGTH])
    if state["status"] == "retracted":
        parts.append(RETRACTED_SUFFIX)
    elif state["kind"] in _KINDS_WITHOUT_NUMBER:
        parts.append(WITHOUT_NUMBER_SUFFIX)
    return " ".join(parts)


def _list_details(state: Mapping[str, Any], effective: EffectivePeriod) -> list[Any]:
    """Return the rare details of a claim that make a series of its own."""
    is_certain = effective.end is None or effective.end[0] == effective.end[1]
    return [
        sorted(set(state["includes"])),
        sorted(set(state["excludes"])),
        state["relative_to"],
        state["out_of"] is not None,
        state.get("unit"),
        None if is_certain else [state["period"], state["date_edtf"]],
    ]


def parse_moment(text: str | None) -> datetime | None:
    """Return the moment of a stored `said_at`."""
    return None if text is None else datetime.fromisoformat(text)
