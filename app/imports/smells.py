"""What a data editor would raise an eyebrow at in an import: each oddity with its rows and its numbers.

Nothing is changed and nothing is refused. A smell is a question to whoever imports, not a verdict: sources do revise
their totals, and a jump can be a battle.
"""

import math
import re
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from app.claims.figure import MAX_MAGNITUDE, canonical_number
from app.vocabulary.terms import Term

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


class SmellKind(Term):
    """What is odd about rows of an import."""

    total_falls = "total_falls", "A running total is lower than the one before it: restated, or mistyped."
    duplicate_date = "duplicate_date", "One series has several figures for one date."
    day_contradicts_date = "day_contradicts_date", "A row's day number counts to another date than the one it gives."
    digit_slip = "digit_slip", "A figure is out of line with its neighbours, and one digit would put it in line."
    jump = "jump", "A figure, or the growth of a running total, is more than ten times the usual."
    transcriptions_differ = (
        "transcriptions_differ",
        "Two transcriptions of one source's series give different figures for one date.",
    )
    number_in_label = "number_in_label", "A label carries a number, so that it changes whenever the number does."
    bound_equals_estimate = "bound_equals_estimate", "A bound is the estimate itself: perhaps copied into its place."
    estimate_outside_bounds = "estimate_outside_bounds", "An estimate lies outside of its own bounds."
    dates_missing = "dates_missing", "An otherwise regular series leaves dates out."


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a row stands; places sort in reading order."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Smell:
    """One oddity: its rows in reading order, and a sentence with the numbers."""

    kind: SmellKind
    places: tuple[Place, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Point:
    """One figure of one series: its value, else its lower, else its upper bound."""

    place: Place
    end: date
    value: float


DigitRelation = Literal["one_digit", "swapped", "dropped_or_added", "none"]
_Repair = tuple[DigitRelation, int]
_SLIPS: Final[dict[DigitRelation, str]] = {
    "one_digit": "a slip of one digit",
    "swapped": "two digits swapped",
    "dropped_or_added": "one digit dropped or added",
}
_REPAIRS: Final[dict[DigitRelation, str]] = {
    "one_digit": "one other digit",
    "swapped": "two digits swapped",
    "dropped_or_added": "one digit more or less",
}


# --- One series ---------------------------------------------------------------------------------------------------


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
        figures = [_spelled(value) for value in self._points]
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
            _places(before, after),
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

    def _repair(self, before: float, value: float, after: float) -> _Repair | None:
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

    def _repair(self, before: float, value: float, after: float) -> _Repair | None:
        if before <= value <= after or before > after:
            return None
        return _repaired(value, before, after)

    def _judge(self, before: Point | None, point: Point) -> Iterable[Smell]:
        if before is None or point.value == before.value:
            return ()
        growth = point.value - before.value
        if growth < 0:
            detail = f"The running total of {self._name} falls from {_dated(before)} to {_dated(point)}."
            return (Smell(SmellKind.total_falls, _places(before, point), detail),)
        rate = growth / max((point.end - before.end).days, 1)
        # Growth outright as well as by the day: where a source is silent for weeks, one more in a day is no jump.
        unusual = self._rate.exceeded_by(rate) and self._growth.exceeded_by(growth)
        usual = self._rate.median
        self._growth.add(growth)
        self._rate.add(rate)
        if not unusual:
            return ()
        detail = (
            f"The running total of {self._name} jumps by {_spelled(growth)} from {_dated(before)} to {_dated(point)}; "
            f"it usually grows by about {_rough(usual)} a day."
        )
        return (Smell(SmellKind.jump, _places(before, point), detail),)


class _Counts(_Judge):
    """Judges figures that each stand for themselves by their size."""

    __slots__ = ("_sizes",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._sizes = _Usual()

    def _repair(self, before: float, value: float, after: float) -> _Repair | None:
        low, high = (before, after) if before < after else (after, before)
        if value < high * _SLIP and low < value * _SLIP:
            return None
        # Neighbours that are themselves far apart, and numbers of one digit, say nothing about a third.
        if min(value, low) < _TWO_DIGITS or high > low * _ALIKE:
            return None
        return _lengthened(value, low, high)

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
        return (Smell(SmellKind.jump, _places(before, point), detail),)


def _slip(name: str, before: Point, point: Point, after: Point, repair: _Repair) -> Smell:
    relation, figure = repair
    return Smell(
        SmellKind.digit_slip,
        _places(before, point, after),
        f"The figure of {name}, {_dated(point)}, is out of line with {_dated(before)} and {_dated(after)}; with "
        f"{_REPAIRS[relation]} it would lie between them (for example {figure:,}).",
    )


# --- Digits -------------------------------------------------------------------------------------------------------


def digit_relation(one: float, other: float) -> DigitRelation:
    """Tell which single slip of the hand turns one number into the other: `swapped` is any two digits exchanged."""
    if not (math.isfinite(one) and math.isfinite(other)) or (one < 0) != (other < 0):
        return "none"
    longer, shorter = sorted((canonical_number(abs(one)), canonical_number(abs(other))), key=len, reverse=True)
    if len(longer) == len(shorter):
        differing = [pair for pair in zip(longer, shorter, strict=True) if pair[0] != pair[1]]
        if not all(a.isdigit() and b.isdigit() for a, b in differing):
            return "none"
        if len(differing) == 1:
            return "one_digit"
        return "swapped" if len(differing) == 2 and differing[0] == differing[1][::-1] else "none"  # noqa: PLR2004
    if len(longer) == len(shorter) + 1:
        at = next((i for i, digit in enumerate(shorter) if longer[i] != digit), len(shorter))
        if longer[at].isdigit() and longer[:at] + longer[at + 1 :] == shorter:
            return "dropped_or_added"
    return "none"


def _repaired(value: float, low: float, high: float) -> _Repair | None:
    """Find the slip of one digit that explains why a whole number is not between two others, and what it was before.

    Changing the last digits brings nearly anything between neighbours that lie far enough apart, so it explains a
    figure only where what is changed is large beside the room between them. Costs a few steps for each digit.
    """
    if not _is_whole(value) or low < 0 or high > MAX_MAGNITUDE:
        return None
    number, least, most = int(value), math.ceil(low), math.floor(high)
    room = 2 * (most - least + 1)
    found = _changed(number, least, most, room)
    if found is not None:
        return "one_digit", found
    if (least - number if number < least else number - most) < room:
        return None
    found = _swapped(number, least, most)
    return _lengthened(value, low, high) if found is None else ("swapped", found)


def _lengthened(value: float, low: float, high: float) -> _Repair | None:
    if not _is_whole(value) or low < 0 or high > MAX_MAGNITUDE:
        return None
    found = _resized(int(value), math.ceil(low), math.floor(high))
    return None if found is None else ("dropped_or_added", found)


def _is_whole(value: float) -> bool:
    return 0 < value < MAX_MAGNITUDE and value == int(value)


def _changed(number: int, least: int, most: int, room: int) -> int | None:
    place = 1
    while place <= number:
        if place >= room:
            digit = number // place % 10
            rest = number - digit * place
            wanted = max(-((rest - least) // place), 0)
            if wanted <= 9 and rest + wanted * place <= most:  # noqa: PLR2004 - the highest digit
                return rest + wanted * place
        place *= 10
    return None


def _swapped(number: int, least: int, most: int) -> int | None:
    # Neighbouring digits only: those are what fingers swap, and fewer chances mean fewer false alarms.
    place = 1
    while place * 10 <= number:
        right, left = number // place % 10, number // place // 10 % 10
        found = number + (right - left) * 9 * place
        if least <= found <= most:
            return found
        place *= 10
    return None


def _resized(number: int, least: int, most: int) -> int | None:
    place = 1
    while place <= number:
        shorter = number // (place * 10) * place + number % place
        if least <= shorter <= most:
            return shorter
        place *= 10
    place = 1
    while place <= number * 10:
        longer = number // place * place * 10 + number % place
        wanted = max(-((longer - least) // place), 0)
        if wanted <= 9 and longer + wanted * place <= most:  # noqa: PLR2004 - the highest digit
            return longer + wanted * place
        place *= 10
    return None


# --- One row ------------------------------------------------------------------------------------------------------


def figure_smells(
    place: Place, name: str, value: float | None, lower: float | None, upper: float | None
) -> Iterator[Smell]:
    """Compare an estimate with its own bounds.

    An exact figure printed as a range of no width is no smell, nor is a count of 0 from 0 on.
    """
    if lower is not None and upper is not None and lower > upper:
        detail = f"The lower bound of {name}, {_spelled(lower)}, is above its upper bound, {_spelled(upper)}."
        yield Smell(SmellKind.estimate_outside_bounds, (place,), detail)
        return
    if value is None or value == lower == upper:
        return
    for word, bound, beyond in (
        ("lower", lower, lower is not None and value < lower),
        ("upper", upper, upper is not None and value > upper),
    ):
        if bound is None:
            continue
        if beyond:
            side = "below" if word == "lower" else "above"
            detail = f"The estimate of {name}, {_spelled(value)}, is {side} its {word} bound, {_spelled(bound)}."
            yield Smell(SmellKind.estimate_outside_bounds, (place,), detail)
        elif bound == value and not (value == 0 and word == "lower"):
            detail = f"The {word} bound of {name} equals the estimate, {_spelled(value)}."
            yield Smell(SmellKind.bound_equals_estimate, (place,), detail)


_NUMBER: Final = re.compile(
    # Neither glued to letters nor hyphens (T-72, 2S19, 155mm, 2022-03-19) nor to the rest of a decimal or a date.
    r"(?<![^\W_])(?<![-./'’,#№])"
    r"(?P<number>[1-9]\d{0,2}(?:[,\u00a0\u202f\u2009 .'’]\d{3})+|\d{3,})"
    r"(?![^\W_]|[-/'’]|[.,]\d)",
)
_UNIT: Final = re.compile(r"\s?(?:[%°]|(?:mm|cm|m|km|kg|g|t|kt|kV|kW|MW|hp|mi|ft|lb)\b)", re.IGNORECASE)
_DESIGNATED: Final = re.compile(
    # What such a number says is which, or out of how many, not how many.
    r"(?:[№#]|\b(?:no|nr|per|unit|resolution|article|flight|law|decree|order|route)\b\.?)\s?$",
    re.IGNORECASE,
)
_YEARS: Final = range(1900, 2100)
_LABEL_SHOWN: Final = 80
_LOOK_BACK: Final = 16
"""Enough for the longest of the words above: a label can be a whole page."""


def label_smell(place: Place, column: str, label: str) -> Smell | None:
    """Find a number in a label, except in a model's name, a date, a calibre ("155 mm") or a base ("per 1,000")."""
    for match in _NUMBER.finditer(label):
        printed = match["number"]
        if (
            _is_date(printed)
            or _UNIT.match(label, match.end())
            or _DESIGNATED.search(label[max(match.start() - _LOOK_BACK, 0) : match.start()])
        ):
            continue
        shown = " ".join(label.split())
        shown = shown if len(shown) <= _LABEL_SHOWN else shown[: _LABEL_SHOWN - 1] + "…"
        return Smell(
            SmellKind.number_in_label, (place,), f'The label in {column} carries the number {printed}: "{shown}".'
        )
    return None


def _is_date(printed: str) -> bool:
    if not printed.isascii() or not printed.isdigit():
        return False
    if len(printed) == 8:  # noqa: PLR2004 - 20220319
        return int(printed[:4]) in _YEARS and 1 <= int(printed[4:6]) <= 12 and 1 <= int(printed[6:]) <= 31  # noqa: PLR2004
    return len(printed) == 4 and int(printed) in _YEARS  # noqa: PLR2004


_LONGEST_DAY: Final = 12
"""More digits than a day number can have: Python refuses to read very long ones."""


def day_smell(place: Place, column: str, day: object, on: date, first: date) -> Smell | None:
    """Compare a row's day number with its date, the day `first` being day 1; what is no whole number is passed over."""
    number = _whole(day)
    expected = (on - first).days + 1
    if number is None or number == expected:
        return None
    try:
        meant = f" is {first + timedelta(days=number - 1)}"
    except OverflowError:
        meant = " is no date"
    return Smell(
        SmellKind.day_contradicts_date,
        (place,),
        f"Day {number:,} in {column}{meant}, counted from {first} as day 1, but the row is dated {on}, "
        f"which is day {expected:,}.",
    )


def _whole(day: object) -> int | None:
    if isinstance(day, bool):
        return None
    if isinstance(day, str):
        text = day.strip()
        return int(text) if re.fullmatch(rf"-?[0-9]{{1,{_LONGEST_DAY}}}", text) else None
    if isinstance(day, float):
        return int(day) if day.is_integer() and abs(day) < MAX_MAGNITUDE else None
    return day if isinstance(day, int) and abs(day) < MAX_MAGNITUDE else None


def differing_transcriptions(
    name: str, on: date, one: float, other: float, places: Iterable[Place], other_document: str
) -> Smell:
    """Say that two transcriptions of one figure differ, and by which slip where one explains it."""
    relation = digit_relation(one, other)
    slip = f": {_SLIPS[relation]}" if relation in _SLIPS else ""
    return Smell(
        SmellKind.transcriptions_differ,
        tuple(sorted(places)),
        f"For {on}, {name} is {_spelled(one)} here and {_spelled(other)} in {other_document}{slip}.",
    )


# --- Words --------------------------------------------------------------------------------------------------------


def _places(*points: Point) -> tuple[Place, ...]:
    return tuple(sorted(point.place for point in points))


def _spelled(number: float) -> str:
    if math.isfinite(number) and abs(number) < MAX_MAGNITUDE and number == int(number):
        return f"{int(number):,}"
    return f"{number:,}"


def _rough(number: float) -> str:
    return _spelled(round(number) if abs(number) >= _SMALL * 2 else float(f"{number:.2g}"))


def _dated(point: Point) -> str:
    return f"{_spelled(point.value)} ({point.end})"
