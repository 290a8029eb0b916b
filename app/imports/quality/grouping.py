"""Joins the anomalies of time series that have one cause, so that a report has one line for each."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from app.enums import SmellKind
from app.imports.quality.anomalies import Anomaly

MAX_LINES_PER_SERIES = 3
"""Maximum number of anomalies of one kind in a series that are listed one by one."""

MAX_LISTED_GAPS = 5
MAX_LISTED_ROWS = 20

Gap = tuple[date, date, str]


def group_anomalies(anomalies: Iterable[Anomaly]) -> list[Anomaly]:
    """Return the anomalies of all time series of an import, with one line for each cause.

    Dates that are missing from several series are missing from the file. A series that falls or jumps again and again
    has a reason of its own: its publisher takes entries back, or reports in bulk.
    """
    grouped: list[Anomaly] = []
    gaps: dict[Gap, list[Anomaly]] = {}
    by_series: dict[tuple[SmellKind, str], list[Anomaly]] = {}
    for anomaly in anomalies:
        if anomaly.gap is not None:
            gaps.setdefault(anomaly.gap, []).append(anomaly)
        elif anomaly.series is not None:
            by_series.setdefault((anomaly.kind, anomaly.series), []).append(anomaly)
        else:
            grouped.append(anomaly)
    for (kind, _), each in by_series.items():
        grouped += each if len(each) <= MAX_LINES_PER_SERIES else [_join_series(kind, each)]
    by_names: dict[tuple[tuple[str, ...], str], list[list[Anomaly]]] = {}
    for (_, _, rhythm), each in sorted(gaps.items()):
        names = tuple(sorted({anomaly.series or "" for anomaly in each}))
        by_names.setdefault((names, rhythm), []).append(each)
    return grouped + [_join_gaps(names, rhythm, same) for (names, rhythm), same in by_names.items()]


def _join_series(kind: SmellKind, anomalies: Sequence[Anomaly]) -> Anomaly:
    """Return one anomaly for those of one series: the largest of them, and their number."""
    largest = max(anomalies, key=lambda anomaly: anomaly.size)
    verb = "falls" if kind is SmellKind.total_falls else "jumps"
    return replace(largest, detail=f"{largest.detail.removesuffix('.')}; it {verb} {len(anomalies):,} times in all.")


def _join_gaps(names: Sequence[str], rhythm: str, gaps: Sequence[Sequence[Anomaly]]) -> Anomaly:
    """Return one anomaly for the gaps that the same series have."""
    first = gaps[0][0]
    if len(gaps) == len(names) == 1:
        return first
    total = round(sum(each[0].size for each in gaps))
    spans = [f"{each[0].gap[0]} and {each[0].gap[1]}" for each in gaps[:MAX_LISTED_GAPS] if each[0].gap is not None]
    more = f" and {len(gaps) - MAX_LISTED_GAPS:,} more" if len(gaps) > MAX_LISTED_GAPS else ""
    others = f" and {len(names) - 1} other series" if len(names) > 1 else ""
    dates = "One date is" if total == 1 else f"{total:,} dates are"
    place = "between" if len(gaps) == 1 else f"in {len(gaps):,} places: between"
    locations = sorted({location for each in gaps for anomaly in each[:1] for location in anomaly.locations})
    detail = f"{dates} missing from {names[0]}{others} {place} {', '.join(spans)}{more}; otherwise {rhythm}."
    return replace(first, locations=tuple(locations[:MAX_LISTED_ROWS]), detail=detail)
