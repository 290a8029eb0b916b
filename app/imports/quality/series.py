"""What smells in one series of figures, read day by day with only a small window of it in memory."""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from app.imports.quality.anomalies import Point, Smell, SmellKind, places_of, spelled
from app.imports.quality.digit_errors import REPAIRS, Repair, lengthened, repaired

_WINDOW: Final = 30
"""How many of the latest points say what is usual in a series."""
_KNOWN: Final = 7
"""How many of them it takes before anything can be called unusual."""
_JUMP: Final = 10
_SLIP: Final = 5
_ABOVE_PEAKS: Final = 1.5
"""How many times what nine of ten of the latest stay below: missiles come in salvoes, and a salvo is no news."""
_ABRUPT: Final = 3
"""How often the figure before it a jump must be: a wave that builds up over weeks is no jump."""
_SMALL: Final = 5
"""Below this, ten times the usual is still a small number, and chance makes small numbers."""
_TWO_DIGITS: Final = 10
_ALIKE: Final = 2
"""How often one neighbour of a slip may be the other, where figures go up and down."""
_REGULAR: Final = 0.8
"""The share of steps that must be alike before a longer one is a gap."""
_SHOWN: Final = 20
"""How many rows of one date a smell names: a wrongly keyed series can put a million on one day."""
_LISTED: Final = 5


def series_smells(name: str, points: Iterable[Point], *, running: bool) -> Iterator[Smell]:
    """Smell one series, given by date and then as read, in one pass that remembers only its latest points.

    Points of one date count as one: the figure that continues the series best. A figure that is not finite is passed
    over. `running` says that the figures are running totals.
    """
    judge: _Judge = _Totals(name) if running else _Counts(name)
    calendar = _Calendar(name)
    last: Point | None = None
    same: _SameDate | None = None
    finite = math.isfinite
    for point in points:
        if not finite(point.value):
            continue
        if last is not None and point.end == last.end:
            if same is None:
                same = _SameDate(last)
            same.add(point)
            continue
        if last is not None:
            if same is not None:
                yield same.smell(name)
                last, same = same.fitting(judge.latest, running=running), None
            yield from judge.take(last)
            yield from calendar.step(last, point)
        last = point
    if last is not None:
        if same is not None:
            yield same.smell(name)
            last = same.fitting(judge.latest, running=running)
        yield from judge.take(last)
    yield from judge.finish()


class _SameDate:
    """The points of one date, of which only so many are kept."""

    def __init__(self, first: Point) -> None:
        self._points = {first.value: first}
        self._places = [first.place]
        self._count = 1

    def add(self, point: Point) -> None:
        self._count += 1
        known = self._points.get(point.value)
        # The earlier row stands for equal figures, in whichever order they came.
        if (known is None and len(self._points) < _SHOWN) or (known is not None and point.place < known.place):
            self._points[point.value] = point
        insort(self._places, point.place)
        del self._places[_SHOWN:]

    def fitting(self, before: Point | None, *, running: bool) -> Point:
        """The figure that continues the series best; where there is nothing to continue, the smallest."""
        points = self._points.values()
        if before is None:
            return min(points, key=lambda point: point.value)
        level = before.value
        return min(points, key=lambda point: (running and point.value < level, abs(point.value - level), point.value))

    def smell(self, name: str) -> Smell:
        figures = [spelled(value) for value in self._points]
        if len(figures) > _LISTED:
            figures[_LISTED - 1 :] = ["others"]
        end = next(iter(self._points.values())).end
        if len(figures) == 1:
            told = f"{'both' if self._count == 2 else 'all'} with {figures[0]}"  # noqa: PLR2004 - "both" is two
        else:
            told = f"with {', '.join(figures[:-1])} and {figures[-1]}"
        times = "twice" if self._count == 2 else f"{self._count:,} times"  # noqa: PLR2004
        return Smell(SmellKind.duplicate_date, tuple(self._places), f"The series {name} has {end} {times}, {told}.")


class _Usual:
    """The latest numbers, kept sorted, so that their median costs next to nothing."""

    __slots__ = ("_order", "_sorted", "median")

    def __init__(self) -> None:
        self._order: deque[float] = deque()
        self._sorted: list[float] = []
        self.median = math.inf
        """Infinite until enough is known, so that nothing exceeds it."""

    def add(self, number: float) -> None:
        ordered = self._sorted
        self._order.append(number)
        insort(ordered, number)
        if len(ordered) > _WINDOW:
            del ordered[bisect_left(ordered, self._order.popleft())]
        known = len(ordered)
        if known >= _KNOWN:
            # Halved first: the sum of two large floats can be infinite.
            self.median = ordered[(known - 1) // 2] / 2 + ordered[known // 2] / 2

    def exceeded_by(self, number: float) -> bool:
        """Whether a number is a jump: far above the median, and above what now and then happens here."""
        if number <= self.median * _JUMP:
            return False
        return number > self._sorted[len(self._sorted) * 9 // 10] * _ABOVE_PEAKS


class _Calendar:
    """The usual step from date to date, and the steps that are longer."""

    __slots__ = ("_early", "_name", "_steps", "_usual")

    def __init__(self, name: str) -> None:
        self._name = name
        self._usual = 0
        self._steps: deque[int] = deque(maxlen=_WINDOW)
        self._early: list[tuple[Point, Point, int]] = []

    def step(self, before: Point, after: Point) -> Iterable[Smell]:
        """Judge one step; the first few are judged when it is known what is usual."""
        days = _bucket((after.end - before.end).days)
        steps = self._steps
        steps.append(days)
        if len(steps) < _KNOWN:
            self._early.append((before, after, days))
            return ()
        if days == self._usual and not self._early:
            return ()
        counted = steps.count(self._usual)
        if counted * 2 <= len(steps):
            self._usual = max(sorted(set(steps)), key=steps.count)
            counted = steps.count(self._usual)
        if counted < len(steps) * _REGULAR:
            return ()
        pending, self._early = [*self._early, (before, after, days)], []
        return [self._gap(*each) for each in pending if each[2] > self._usual * 1.5 > 0]

    def _gap(self, before: Point, after: Point, days: int) -> Smell:
        missing = max(round(days / self._usual) - 1, 1)
        word = {1: "daily", 7: "weekly", 30: "monthly", 91: "quarterly", 365: "yearly"}.get(self._usual)
        rhythm = word or f"one date every {self._usual} days"
        dates = "One date is" if missing == 1 else f"{missing:,} dates are"
        return Smell(
            SmellKind.dates_missing,
            places_of(before, after),
            f"{dates} missing from {self._name} between {before.end} and {after.end}; it is otherwise {rhythm}.",
        )


_CALENDAR_STEPS: Final = ((30, 28, 31), (91, 89, 92), (365, 365, 366))


def _bucket(days: int) -> int:
    """Count months, quarters and years as alike, however many days they have."""
    if days < 28:  # noqa: PLR2004 - no month is shorter
        return days
    return next((usual for usual, low, high in _CALENDAR_STEPS if low <= days <= high), days)


class _Judge:
    """Sees the points of a series one after another, and judges one point late: a slip needs both neighbours."""

    __slots__ = ("_before", "_name", "latest")

    def __init__(self, name: str) -> None:
        self._name = name
        self._before: Point | None = None
        self.latest: Point | None = None

    def take(self, point: Point) -> Iterable[Smell]:
        before, middle = self._before, self.latest
        self.latest = point
        if middle is None:
            return ()
        if before is not None:
            repair = self._repair(before.value, middle.value, point.value)
            if repair is not None:
                # The slip is passed over: what comes next is measured against the point before it.
                return (_slip(self._name, before, middle, point, repair),)
        self._before = middle
        return self._judge(before, middle)

    def finish(self) -> Iterable[Smell]:
        return () if self.latest is None else self._judge(self._before, self.latest)

    def _repair(self, before: float, value: float, after: float) -> Repair | None:
        raise NotImplementedError

    def _judge(self, before: Point | None, point: Point) -> Iterable[Smell]:
        raise NotImplementedError


class _Totals(_Judge):
    """Judges running totals by their order and their growth."""

    __slots__ = ("_growth", "_rate")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._growth = _Usual()
        self._rate = _Usual()

    def _repair(self, before: float, value: float, after: float) -> Repair | None:
        if before <= value <= after or before > after:
            return None
        return repaired(value, before, after)

    def _judge(self, before: Point | None, point: Point) -> Iterable[Smell]:
        if before is None or point.value == before.value:
            return ()
        growth = point.value - before.value
        if growth < 0:
            detail = f"The running total of {self._name} falls from {_dated(before)} to {_dated(point)}."
            return (Smell(SmellKind.total_falls, places_of(before, point), detail),)
        rate = growth / max((point.end - before.end).days, 1)
        # Growth outright as well as by the day: where a source is silent for weeks, one more in a day is no jump.
        unusual = self._rate.exceeded_by(rate) and self._growth.exceeded_by(growth)
        usual = self._rate.median
        self._growth.add(growth)
        self._rate.add(rate)
        if not unusual:
            return ()
        detail = (
            f"The running total of {self._name} jumps by {spelled(growth)} from {_dated(before)} to {_dated(point)}; "
            f"it usually grows by about {_rough(usual)} a day."
        )
        return (Smell(SmellKind.jump, places_of(before, point), detail),)


class _Counts(_Judge):
    """Judges figures that each stand for themselves by their size."""

    __slots__ = ("_sizes",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._sizes = _Usual()

    def _repair(self, before: float, value: float, after: float) -> Repair | None:
        low, high = (before, after) if before < after else (after, before)
        if value < high * _SLIP and low < value * _SLIP:
            return None
        # Neighbours that are themselves far apart, and numbers of one digit, say nothing about a third.
        if min(value, low) < _TWO_DIGITS or high > low * _ALIKE:
            return None
        return lengthened(value, low, high)

    def _judge(self, before: Point | None, point: Point) -> Iterable[Smell]:
        # Sizes, not values: excess deaths swing around zero, and their usual value says nothing about them.
        size = abs(point.value)
        unusual = self._sizes.exceeded_by(size)
        usual = self._sizes.median
        self._sizes.add(size)
        if not unusual or before is None or usual < _SMALL or size < _ABRUPT * abs(before.value):
            return ()
        detail = (
            f"The figure of {self._name} is {_dated(point)}, more than ten times its usual size of about "
            f"{_rough(usual)}; the one before it is {_dated(before)}."
        )
        return (Smell(SmellKind.jump, places_of(before, point), detail),)


def _slip(name: str, before: Point, point: Point, after: Point, repair: Repair) -> Smell:
    relation, figure = repair
    return Smell(
        SmellKind.digit_slip,
        places_of(before, point, after),
        f"The figure of {name}, {_dated(point)}, is out of line with {_dated(before)} and {_dated(after)}; with "
        f"{REPAIRS[relation]} it would lie between them (for example {figure:,}).",
    )


def _rough(number: float) -> str:
    return spelled(round(number) if abs(number) >= _SMALL * 2 else float(f"{number:.2g}"))


def _dated(point: Point) -> str:
    return f"{spelled(point.value)} ({point.end})"
