"""Anomalies that have one cause are one line of a report."""

from collections.abc import Sequence
from datetime import date, timedelta

from app.enums import SmellKind
from app.imports.quality.anomalies import Anomaly, RowLocation, TimeSeriesPoint
from app.imports.quality.grouping import group_anomalies
from app.imports.quality.time_series import find_time_series_anomalies

FIRST = date(2026, 1, 5)
"""A Monday."""


def series(values: Sequence[float | None], *, length: int = 1) -> list[TimeSeriesPoint]:
    """Return a point for each period of `length` days; None leaves one out."""
    points = []
    for number, value in enumerate(values):
        start = FIRST + timedelta(days=number * length)
        if value is not None:
            end = start + timedelta(days=length - 1)
            points.append(TimeSeriesPoint(RowLocation("a.csv", number + 2), end, value, None, start))
    return points


def find_anomalies(name: str, points: Sequence[TimeSeriesPoint], *, running: bool = False) -> list[Anomaly]:
    return list(find_time_series_anomalies(name, points, running=running))


def totals(values: Sequence[float | None]) -> list[TimeSeriesPoint]:
    return [TimeSeriesPoint(point.location, point.end, point.value) for point in series(values)]


def test_dates_that_several_series_lack_are_one_line() -> None:
    values: list[float | None] = [float(number) for number in range(60)]
    values[20] = values[41] = values[42] = None
    one, other = (
        find_anomalies("killed", totals(values), running=True),
        find_anomalies("wounded", totals(values), running=True),
    )
    [line] = group_anomalies([*one, *other])
    assert line.kind is SmellKind.dates_missing
    assert line.detail == (
        "3 dates are missing from killed and 1 other series in 2 places: between 2026-01-24 and 2026-01-26, "
        "2026-02-14 and 2026-02-17; otherwise daily."
    )
    assert [row.line for row in line.locations] == [21, 23, 42, 45]
    assert group_anomalies(one[:1]) == one[:1]


def test_a_total_that_falls_again_and_again_is_one_line() -> None:
    values = [100.0 + 3 * (number % 7) + number for number in range(60)]
    falls = [a for a in find_anomalies("tanks", totals(values), running=True) if a.kind is SmellKind.total_falls]
    assert len(falls) > 3
    [line] = group_anomalies(falls)
    assert line.detail.startswith("The running total of tanks falls from ")
    assert line.detail.endswith(f"; it falls {len(falls)} times in all.")
    assert group_anomalies(falls[:3]) == falls[:3]


def test_figures_for_periods_of_different_lengths_are_not_compared() -> None:
    weeks = series([float(10 + number % 3) for number in range(20)], length=7)
    months = [
        TimeSeriesPoint(RowLocation("a.csv", 90 + month), date(2026, month, 28), 500.0, None, date(2026, month, 1))
        for month in (3, 4, 5)
    ]
    both = sorted([*weeks, *months], key=lambda point: point.end)
    assert find_anomalies("dead", both) == []
    as_points = [TimeSeriesPoint(point.location, point.end, point.value) for point in both]
    assert {anomaly.kind for anomaly in find_anomalies("dead", as_points)} >= {SmellKind.jump}


def test_a_period_that_covers_the_days_before_it_leaves_no_gap() -> None:
    points = series([10.0] * 30)
    two_days = TimeSeriesPoint(
        RowLocation("a.csv", 40), FIRST + timedelta(days=31), 20, None, FIRST + timedelta(days=30)
    )
    later = [
        TimeSeriesPoint(p.location, p.end + timedelta(days=32), p.value, None, p.end + timedelta(days=32))
        for p in points
    ]
    assert find_anomalies("dead", [*points, two_days, *later]) == []


def test_a_pause_in_every_week_is_a_rhythm() -> None:
    values: list[float | None] = [None if number % 7 == 5 else 10.0 for number in range(84)]
    gaps = [a for a in find_anomalies("dead", series(values)) if a.kind is SmellKind.dates_missing]
    assert len(gaps) <= 3
    values[43] = values[44] = None
    told = [a.detail for a in find_anomalies("dead", series(values)) if a.kind is SmellKind.dates_missing]
    assert any(detail.startswith("2 dates are missing from dead between 2026-02-16 and 2026-02-19") for detail in told)


def test_a_wave_is_not_a_jump_and_an_outlier_is() -> None:
    usual = [20.0 + number % 5 for number in range(30)]
    wave = [*usual, 400.0, 800.0, 700.0, 300.0]
    assert [a.kind for a in find_anomalies("dead", series(wave))] == []
    outlier = [*usual, 400.0, 21.0, 22.0]
    assert [a.kind for a in find_anomalies("dead", series(outlier))] == [SmellKind.jump]
