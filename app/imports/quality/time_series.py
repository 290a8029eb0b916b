"""Finds anomalies in a time series of figures, in one pass with a small window of points in memory."""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from app.enums import SmellKind
from app.imports.quality.anomalies import Anomaly, TimeSeriesPoint, format_number, locations_of
from app.imports.quality.digit_errors import DIGIT_REPAIR_NAMES, DigitRepair, find_digit_repair, find_length_repair

_WINDOW_POINTS: Final = 30
"""Number of latest points that determine what is usual in a series."""
_MIN_POINTS: Final = 7
"""Number of points before anything counts as unusual."""
_JUMP_FACTOR: Final = 10
_SLIP_FACTOR: Final = 5
_PEAK_FACTOR: Final = 1.5
"""A jump exceeds this multiple of the ninth decile, because regular peaks (a salvo of missiles) are not unusual."""
_ABRUPT_FACTOR: Final = 3
"""A jump exceeds this multiple of the previous figure: a wave that grows over weeks is not a jump."""
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

    Points of one date, said at no moments known to differ, count as one: the figure that continues the series best.
    Figures that are not finite are skipped.

    Args:
        name: The name of the series in messages.
        points: Its points by date, then by moment, then in reading order.
        running: Whether the figures are running totals.
    """
    checker: _SeriesChecker = _TotalsChecker(name) if running else _CountsChecker(name)
    gap_detector = _GapDetector(name)
    last: TimeSeriesPoint | None = None
    date_group: _DateGroup | None = None
    finite = math.isfinite
    for point in points:
        if not finite(point.value):
            continue
        if last is not None and (point.end, point.moment) == (last.end, last.moment):
            if date_group is None:
                date_group = _DateGroup(last)
            date_group.add(point)
            continue
        if last is not None:
            if date_group is not None:
                yield date_group.anomaly(name)
                last, date_group = date_group.best_point(checker.latest, running=running), None
            yield from checker.add_point(last)
            if point.end != last.end:
                yield from gap_detector.check_step(last, point)
        last = point
    if last is not None:
        if date_group is not None:
            yield date_group.anomaly(name)
            last = date_group.best_point(checker.latest, running=running)
        yield from checker.add_point(last)
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


class _RunningMedian:
    """The median of the latest numbers, which are kept sorted."""

    __slots__ = ("_order", "_sorted", "median")

    def __init__(self) -> None:
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
        """Return whether a number is a jump: far above the median and above the ninth decile."""
        if number <= self.median * _JUMP_FACTOR:
            return False
        return number > self._sorted[len(self._sorted) * 9 // 10] * _PEAK_FACTOR


class _GapDetector:
    """Finds steps from date to date that are longer than the usual one."""

    __slots__ = ("_name", "_steps", "_unjudged_steps", "_usual_days")

    def __init__(self, name: str) -> None:
        self._name = name
        self._usual_days = 0
        self._steps: deque[int] = deque(maxlen=_WINDOW_POINTS)
        self._unjudged_steps: list[tuple[TimeSeriesPoint, TimeSeriesPoint, int]] = []

    def check_step(self, before: TimeSeriesPoint, after: TimeSeriesPoint) -> Iterable[Anomaly]:
        """Return the anomalies of one step; the first steps are checked when the usual step is known."""
        days = _round_to_calendar((after.end - before.end).days)
        steps = self._steps
        steps.append(days)
        if len(steps) < _MIN_POINTS:
            self._unjudged_steps.append((before, after, days))
            return ()
        if days == self._usual_days and not self._unjudged_steps:
            return ()
        counted = steps.count(self._usual_days)
        if counted * 2 <= len(steps):
            self._usual_days = max(sorted(set(steps)), key=steps.count)
            counted = steps.count(self._usual_days)
        if counted < len(steps) * _MIN_REGULAR_SHARE:
            return ()
        pending, self._unjudged_steps = [*self._unjudged_steps, (before, after, days)], []
        return [self._gap(*step) for step in pending if step[2] > self._usual_days * 1.5 > 0]

    def _gap(self, before: TimeSeriesPoint, after: TimeSeriesPoint, days: int) -> Anomaly:
        missing = max(round(days / self._usual_days) - 1, 1)
        word = {1: "daily", 7: "weekly", 30: "monthly", 91: "quarterly", 365: "yearly"}.get(self._usual_days)
        rhythm = word or f"one date every {self._usual_days} days"
        dates = "One date is" if missing == 1 else f"{missing:,} dates are"
        return Anomaly(
            SmellKind.dates_missing,
            locations_of(before, after),
            f"{dates} missing from {self._name} between {before.end} and {after.end}; it is otherwise {rhythm}.",
        )


_CALENDAR_STEPS: Final = ((30, 28, 31), (91, 89, 92), (365, 365, 366))


def _round_to_calendar(days: int) -> int:
    """Round months, quarters and years to one length, however many days they have."""
    if days < 28:  # noqa: PLR2004 - no month is shorter
        return days
    return next((usual for usual, low, high in _CALENDAR_STEPS if low <= days <= high), days)


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
        return self._check_point(before, middle)

    def finish(self) -> Iterable[Anomaly]:
        return () if self.latest is None else self._check_point(self._before, self.latest)

    def _find_repair(self, before: float, value: float, after: float) -> DigitRepair | None:
        raise NotImplementedError

    def _check_point(self, before: TimeSeriesPoint | None, point: TimeSeriesPoint) -> Iterable[Anomaly]:
        raise NotImplementedError


class _TotalsChecker(_SeriesChecker):
    """Checks the order and the growth of running totals."""

    __slots__ = ("_growth", "_rate")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._growth = _RunningMedian()
        self._rate = _RunningMedian()

    def _find_repair(self, before: float, value: float, after: float) -> DigitRepair | None:
        if before <= value <= after or before > after:
            return None
        return find_digit_repair(value, before, after)

    def _check_point(self, before: TimeSeriesPoint | None, point: TimeSeriesPoint) -> Iterable[Anomaly]:
        if before is None or point.value == before.value:
            return ()
        growth = point.value - before.value
        if growth < 0:
            detail = f"The running total of {self._name} falls from {_format_point(before)} to {_format_point(point)}."
            return (Anomaly(SmellKind.total_falls, locations_of(before, point), detail),)
        rate = growth / max((point.end - before.end).days, 1)
        # Growth in total and per day: after weeks without reports, one more in a day is not a jump.
        unusual = self._rate.is_exceeded_by(rate) and self._growth.is_exceeded_by(growth)
        usual = self._rate.median
        self._growth.add(growth)
        self._rate.add(rate)
        if not unusual:
            return ()
        detail = (
            f"The running total of {self._name} jumps by {format_number(growth)} "
            f"from {_format_point(before)} to {_format_point(point)}; "
            f"it usually grows by about {_format_roughly(usual)} a day."
        )
        return (Anomaly(SmellKind.jump, locations_of(before, point), detail),)


class _CountsChecker(_SeriesChecker):
    """Checks the size of independent figures."""

    __slots__ = ("_sizes",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._sizes = _RunningMedian()

    def _find_repair(self, before: float, value: float, after: float) -> DigitRepair | None:
        low, high = (before, after) if before < after else (after, before)
        if value < high * _SLIP_FACTOR and low < value * _SLIP_FACTOR:
            return None
        # Distant neighbours and numbers of one digit give no information about a third number.
        if min(value, low) < _MIN_TWO_DIGIT_NUMBER or high > low * _MAX_NEIGHBOUR_RATIO:
            return None
        return find_length_repair(value, low, high)

    def _check_point(self, before: TimeSeriesPoint | None, point: TimeSeriesPoint) -> Iterable[Anomaly]:
        # Sizes, not values: excess deaths vary around zero, so their usual value has no meaning.
        size = abs(point.value)
        unusual = self._sizes.is_exceeded_by(size)
        usual = self._sizes.median
        self._sizes.add(size)
        if not unusual or before is None or usual < _MIN_USUAL_SIZE or size < _ABRUPT_FACTOR * abs(before.value):
            return ()
        detail = (
            f"The figure of {self._name} is {_format_point(point)}, more than ten times its usual size of about "
            f"{_format_roughly(usual)}; the one before it is {_format_point(before)}."
        )
        return (Anomaly(SmellKind.jump, locations_of(before, point), detail),)


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
