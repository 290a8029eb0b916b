"""Finds anomalies in a time series of figures, in one pass with a small window of points in memory."""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from app.enums import SmellKind
from app.imports.quality.anomalies import Anomaly, TimeSeriesPoint, format_number, locations_of, round_to_calendar
from app.imports.quality.digit_errors import DIGIT_REPAIR_NAMES, DigitRepair, find_digit_repair, find_length_repair

_WINDOW_POINTS: Final = 30
"""Number of latest points that determine what is usual in a series."""
_MIN_POINTS: Final = 7
"""Number of points before anything counts as unusual."""
_JUMP_FACTOR: Final = 10
_SLIP_FACTOR: Final = 5
_PEAK_FACTOR: Final = 1.5
"""A jump exceeds this multiple of the latest peaks: recurring peaks (a salvo of missiles) are not unusual."""
_HIGHEST: Final = 1.0
_NINTH_DECILE: Final = 0.9
"""Figures that go up and down have single outliers, which are no rhythm; a total that grows in bulk has one."""
_ABRUPT_FACTOR: Final = 3
"""A jump exceeds this multiple of the figures before and after it: a wave that grows over weeks is not a jump."""
_RHYTHM_WEEKS: Final = 4
_MIN_REPEATED_STEPS: Final = 3
"""The number of steps of one length, on the same weekday of the latest weeks, that make a step a part of the rhythm."""
_MIN_USUAL_SIZE: Final = 5
"""Smaller numbers are never jumps, because they vary by chance."""
_MIN_TWO_DIGIT_NUMBER: Final = 10
_MAX_NEIGHBOUR_RATIO: Final = 2
"""Maximum ratio of the neighbours of a digit error, for figures that go up and down."""
_MIN_REGULAR_SHARE: Final = 0.8
"""Share of steps of equal length above which a longer step is a gap."""
_MAX_SHOWN_ROWS: Final = 20
"""Maximum number of rows of one date in an anomaly: a series with a wrong key can have a million of them."""
_MAX_LISTED_FIGURES: Final = 5


def find_time_series_anomalies(name: str, points: Iterable[TimeSeriesPoint], *, running: bool) -> Iterator[Anomaly]:
    """Yield the anomalies of one time series.

    Points of one period, said at no moments known to differ, count as one: the figure that continues the series best.
    Figures for periods of different lengths are never compared. Figures that are not finite are skipped.

    Args:
        name: The name of the series in messages.
        points: Its points by date, then by moment, then in reading order.
        running: Whether the figures are running totals.
    """
    checkers = _Checkers(name, running=running)
    gap_detector = _GapDetector(name)
    last: TimeSeriesPoint | None = None
    date_group: _DateGroup | None = None
    for point in (each for each in points if math.isfinite(each.value)):
        if last is not None and (point.end, point.moment, point.start) == (last.end, last.moment, last.start):
            if date_group is None:
                date_group = _DateGroup(last)
            date_group.add(point)
            continue
        if last is not None:
            if date_group is not None:
                yield date_group.anomaly(name)
                last, date_group = checkers.best_point(date_group), None
            yield from checkers[last.days].add_point(last)
            if point.end != last.end:
                yield from gap_detector.check_step(last, point)
        last = point
    if last is not None:
        if date_group is not None:
            yield date_group.anomaly(name)
            last = checkers.best_point(date_group)
        yield from checkers[last.days].add_point(last)
    for checker in checkers.values():
        yield from checker.finish()


class _DateGroup:
    """The points of one date, up to `_MAX_SHOWN_ROWS`."""

    def __init__(self, first: TimeSeriesPoint) -> None:
        self._points = {first.value: first}
        self._locations = [first.location]
        self._count = 1

    def add(self, point: TimeSeriesPoint) -> None:
        self._count += 1
        known = self._points.get(point.value)
        # The earliest row represents equal figures, in whichever order they are read.
        if (known is None and len(self._points) < _MAX_SHOWN_ROWS) or (
            known is not None and point.location < known.location
        ):
            self._points[point.value] = point
        insort(self._locations, point.location)
        del self._locations[_MAX_SHOWN_ROWS:]

    @property
    def days(self) -> int | None:
        """The length of the period of the points."""
        return next(iter(self._points.values())).days

    def best_point(self, before: TimeSeriesPoint | None, *, running: bool) -> TimeSeriesPoint:
        """Return the figure that continues the series best; the smallest if there is no earlier point."""
        points = self._points.values()
        if before is None:
            return min(points, key=lambda point: point.value)
        level = before.value
        return min(points, key=lambda point: (running and point.value < level, abs(point.value - level), point.value))

    def anomaly(self, name: str) -> Anomaly:
        figures = [format_number(value) for value in self._points]
        if len(figures) > _MAX_LISTED_FIGURES:
            figures[_MAX_LISTED_FIGURES - 1 :] = ["others"]
        end = next(iter(self._points.values())).end
        if len(figures) == 1:
            figure_text = f"{'both' if self._count == 2 else 'all'} with {figures[0]}"  # noqa: PLR2004 - "both" is two
        else:
            figure_text = f"with {', '.join(figures[:-1])} and {figures[-1]}"
        times = "twice" if self._count == 2 else f"{self._count:,} times"  # noqa: PLR2004
        return Anomaly(
            SmellKind.duplicate_date, tuple(self._locations), f"The series {name} has {end} {times}, {figure_text}."
        )


class _Checkers(dict["int | None", "_SeriesChecker"]):
    """The checkers of a series, one for each length of periods."""

    def __init__(self, name: str, *, running: bool) -> None:
        self._name = name
        self._running = running

    def __missing__(self, days: int | None) -> "_SeriesChecker":
        checker = self[days] = _TotalsChecker(self._name) if self._running else _CountsChecker(self._name)
        return checker

    def best_point(self, group: _DateGroup) -> TimeSeriesPoint:
        """Return the figure of one period that continues the series best."""
        return group.best_point(self[group.days].latest, running=self._running)


class _RunningMedian:
    """The median of the latest numbers, which are kept sorted."""

    __slots__ = ("_order", "_peak_rank", "_sorted", "median")

    def __init__(self, peak_rank: float) -> None:
        """`peak_rank` is the share of the latest numbers that are below what counts as a peak."""
        self._peak_rank = peak_rank
        self._order: deque[float] = deque()
        self._sorted: list[float] = []
        self.median = math.inf
        """Infinite until there are enough numbers, so that nothing exceeds it."""

    def add(self, number: float) -> None:
        ordered = self._sorted
        self._order.append(number)
        insort(ordered, number)
        if len(ordered) > _WINDOW_POINTS:
            del ordered[bisect_left(ordered, self._order.popleft())]
        known = len(ordered)
        if known >= _MIN_POINTS:
            # Halved first: the sum of two large floats can be infinite.
            self.median = ordered[(known - 1) // 2] / 2 + ordered[known // 2] / 2

    def is_exceeded_by(self, number: float) -> bool:
        """Return whether a number is a jump: far above the median and above the latest peaks."""
        if number <= self.median * _JUMP_FACTOR:
            return False
        rank = min(int(len(self._sorted) * self._peak_rank), len(self._sorted) - 1)
        return number > self._sorted[rank] * _PEAK_FACTOR


class _GapDetector:
    """Finds steps from date to date that are longer than the usual one."""

    __slots__ = ("_gaps", "_name", "_steps", "_unjudged_steps", "_usual_days")

    def __init__(self, name: str) -> None:
        self._name = name
        self._usual_days = 0
        self._steps: deque[int] = deque(maxlen=_WINDOW_POINTS)
        self._gaps: deque[tuple[date, int]] = deque(maxlen=_WINDOW_POINTS)
        self._unjudged_steps: list[tuple[TimeSeriesPoint, TimeSeriesPoint, int]] = []

    def check_step(self, before: TimeSeriesPoint, after: TimeSeriesPoint) -> Iterable[Anomaly]:
        """Return the anomalies of one step; the first steps are checked when the usual step is known."""
        days = round_to_calendar((after.end - before.end).days)
        # Nothing is missing if the period of the next figure begins where the last one ends.
        is_covered = after.start is not None and (after.start - before.end).days <= 1
        step = (before, after, 0 if is_covered else days)
        steps = self._steps
        steps.append(days)
        if len(steps) < _MIN_POINTS:
            self._unjudged_steps.append(step)
            return ()
        if days == self._usual_days and not self._unjudged_steps:
            return ()
        counted = steps.count(self._usual_days)
        if counted * 2 <= len(steps):
            self._usual_days = max(sorted(set(steps)), key=steps.count)
            counted = steps.count(self._usual_days)
        if counted < len(steps) * _MIN_REGULAR_SHARE:
            return ()
        pending, self._unjudged_steps = [*self._unjudged_steps, step], []
        gaps = [each for each in pending if each[2] > self._usual_days * 1.5 > 0]
        return [self._gap(*each) for each in gaps if not self._is_weekly(each[0], each[2])]

    def _is_weekly(self, before: TimeSeriesPoint, days: int) -> bool:
        """Return whether the publisher pauses like this every week, for example from Friday to Monday."""
        on = before.end
        repeated = [
            each
            for each, length in self._gaps
            if length == days and 0 < (on - each).days <= 7 * _RHYTHM_WEEKS and (on - each).days % 7 == 0
        ]
        self._gaps.append((on, days))
        return len(repeated) >= _MIN_REPEATED_STEPS

    def _gap(self, before: TimeSeriesPoint, after: TimeSeriesPoint, days: int) -> Anomaly:
        missing = max(round(days / self._usual_days) - 1, 1)
        word = {1: "daily", 7: "weekly", 30: "monthly", 91: "quarterly", 365: "yearly"}.get(self._usual_days)
        rhythm = word or f"one date every {self._usual_days} days"
        dates = "One date is" if missing == 1 else f"{missing:,} dates are"
        return Anomaly(
            SmellKind.dates_missing,
            locations_of(before, after),
            f"{dates} missing from {self._name} between {before.end} and {after.end}; it is otherwise {rhythm}.",
            series=self._name,
            size=missing,
            gap=(before.end, after.end, rhythm),
        )


class _SeriesChecker:
    """Checks the points of a time series in order, one point behind, because a digit error needs both neighbours."""

    __slots__ = ("_before", "_name", "latest")

    def __init__(self, name: str) -> None:
        self._name = name
        self._before: TimeSeriesPoint | None = None
        self.latest: TimeSeriesPoint | None = None

    def add_point(self, point: TimeSeriesPoint) -> Iterable[Anomaly]:
        before, middle = self._before, self.latest
        self.latest = point
        if middle is None:
            return ()
        if before is not None:
            repair = self._find_repair(before.value, middle.value, point.value)
            if repair is not None:
                # The point with the error is skipped: the next point is compared with the one before it.
                return (_digit_anomaly(self._name, before, middle, point, repair),)
        self._before = middle
        return self._check_point(before, middle, point)

    def finish(self) -> Iterable[Anomaly]:
        return () if self.latest is None else self._check_point(self._before, self.latest, None)

    def _find_repair(self, before: float, value: float, after: float) -> DigitRepair | None:
        raise NotImplementedError

    def _check_point(
        self, before: TimeSeriesPoint | None, point: TimeSeriesPoint, after: TimeSeriesPoint | None
    ) -> Iterable[Anomaly]:
        raise NotImplementedError


class _TotalsChecker(_SeriesChecker):
    """Checks the order and the growth of running totals."""

    __slots__ = ("_growth", "_rate")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._growth = _RunningMedian(_HIGHEST)
        self._rate = _RunningMedian(_HIGHEST)

    def _find_repair(self, before: float, value: float, after: float) -> DigitRepair | None:
        if before <= value <= after or before > after:
            return None
        return find_digit_repair(value, before, after)

    def _check_point(
        self, before: TimeSeriesPoint | None, point: TimeSeriesPoint, after: TimeSeriesPoint | None
    ) -> Iterable[Anomaly]:
        if before is None or point.value == before.value:
            return ()
        growth = point.value - before.value
        if growth < 0:
            detail = f"The running total of {self._name} falls from {_format_point(before)} to {_format_point(point)}."
            rows = locations_of(before, point)
            return (Anomaly(SmellKind.total_falls, rows, detail, series=self._name, size=-growth),)
        rate = growth / max((point.end - before.end).days, 1)
        # Growth in total and per day: after weeks without reports, one more in a day is not a jump.
        unusual = self._rate.is_exceeded_by(rate) and self._growth.is_exceeded_by(growth)
        usual = self._rate.median
        self._growth.add(growth)
        self._rate.add(rate)
        if not unusual or (after is not None and (after.value - point.value) * _ABRUPT_FACTOR > growth):
            return ()
        detail = (
            f"The running total of {self._name} jumps by {format_number(growth)} "
            f"from {_format_point(before)} to {_format_point(point)}; "
            f"it usually grows by about {_format_roughly(usual)} a day."
        )
        rows = locations_of(before, point)
        return (Anomaly(SmellKind.jump, rows, detail, series=self._name, size=growth),)


class _CountsChecker(_SeriesChecker):
    """Checks the size of independent figures."""

    __slots__ = ("_sizes",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._sizes = _RunningMedian(_NINTH_DECILE)

    def _find_repair(self, before: float, value: float, after: float) -> DigitRepair | None:
        low, high = (before, after) if before < after else (after, before)
        if value < high * _SLIP_FACTOR and low < value * _SLIP_FACTOR:
            return None
        # Distant neighbours and numbers of one digit give no information about a third number.
        if min(value, low) < _MIN_TWO_DIGIT_NUMBER or high > low * _MAX_NEIGHBOUR_RATIO:
            return None
        return find_length_repair(value, low, high)

    def _check_point(
        self, before: TimeSeriesPoint | None, point: TimeSeriesPoint, after: TimeSeriesPoint | None
    ) -> Iterable[Anomaly]:
        # Sizes, not values: excess deaths vary around zero, so their usual value has no meaning.
        size = abs(point.value)
        unusual = self._sizes.is_exceeded_by(size)
        usual = self._sizes.median
        self._sizes.add(size)
        if not unusual or before is None or usual < _MIN_USUAL_SIZE:
            return ()
        if any(size < _ABRUPT_FACTOR * abs(near.value) for near in (before, after) if near is not None):
            return ()
        detail = (
            f"The figure of {self._name} is {_format_point(point)}, more than ten times its usual size of about "
            f"{_format_roughly(usual)}; the one before it is {_format_point(before)}."
        )
        rows = locations_of(before, point)
        return (Anomaly(SmellKind.jump, rows, detail, series=self._name, size=size),)


def _digit_anomaly(
    name: str, before: TimeSeriesPoint, point: TimeSeriesPoint, after: TimeSeriesPoint, repair: DigitRepair
) -> Anomaly:
    relation, figure = repair
    return Anomaly(
        SmellKind.digit_slip,
        locations_of(before, point, after),
        f"The figure of {name}, {_format_point(point)}, is out of line "
        f"with {_format_point(before)} and {_format_point(after)}; with "
        f"{DIGIT_REPAIR_NAMES[relation]} it would lie between them (for example {figure:,}).",
    )


def _format_roughly(number: float) -> str:
    return format_number(round(number) if abs(number) >= _MIN_USUAL_SIZE * 2 else float(f"{number:.2g}"))


def _format_point(point: TimeSeriesPoint) -> str:
    return f"{format_number(point.value)} ({point.end})"
