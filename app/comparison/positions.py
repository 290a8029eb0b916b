"""The two sides of a question and more: each source's position, the verdicts between them, and their spread."""

import math
from collections.abc import Iterable
from datetime import date
from itertools import combinations

from app.comparison.figure import Interval, Number, interval, kind_of
from app.comparison.hierarchy import Scheme
from app.comparison.verdicts import Pair, Statement, compare, distance, in_order, same_base, window_reason
from app.enums import Reason, Verdict

_Key = tuple[str | bool | frozenset[str] | None, ...]


def key_of(statement: Statement) -> _Key:
    """What a source has one position on; a forecast never displaces an estimate."""
    return (
        statement.source,
        statement.category,
        statement.subject,
        statement.place,
        statement.includes,
        statement.excludes,
        statement.aggregation,
        statement.unit,
        statement.figure.relative_to,
        statement.is_forecast,
    )


def find_positions(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Find where each source stands: its statement of the latest period end, date, narrowest interval, smallest id.

    Statements tied on end and date whose figures lie apart all stay: one utterance, transcribed in two ways. Those
    without a figure are no positions, vague ones are. Ordered by lower end (unknown first), then source, then id.
    """
    groups: dict[_Key, list[Statement]] = {}
    for statement in statements:
        if kind_of(statement.figure, statement.proposition) != "none":
            groups.setdefault(key_of(statement), []).append(statement)
    standing = [statement for group in groups.values() for statement in _standing(group)]
    return tuple(sorted(standing, key=position_order))


def compare_pairs(standing: Iterable[Statement], scheme: Scheme, tolerance: float | None = None) -> tuple[Pair, ...]:
    """Compare every two positions once, in their order; `tolerance` as in `compare`."""
    return tuple(compare_pair(a, b, scheme, tolerance) for a, b in combinations(standing, 2))


def compare_pair(a: Statement, b: Statement, scheme: Scheme, tolerance: float | None = None) -> Pair:
    """Compare two positions; two transcriptions of one utterance that lie apart contradict, however approximate."""
    if not is_transcription_conflict(a, b):
        return compare(a, b, scheme, tolerance)
    chances = {Reason.probabilistic} if a.figure.coverage is not None or b.figure.coverage is not None else set()
    reasons = in_order({Reason.transcription_conflict} | chances)
    return Pair(a.id, b.id, Verdict.contradict, reasons, *distance(a.figure, b.figure))


def is_transcription_conflict(a: Statement, b: Statement) -> bool:
    """Whether one utterance was transcribed in two ways: one position, period and date, and figures that lie apart."""
    return (
        key_of(a) == key_of(b)
        and _said(a) == _said(b)
        and same_base(a, b)
        and window_reason(a, b) is not Reason.window_differs
        and _apart(a, b)
    )


def age_days(statement: Statement, asked: date) -> int | None:
    """Days from the statement to the asked day: from its period's end or its date, whichever is earlier and known."""
    known = [day for day in (statement.period.last, statement.date) if day is not None]
    return (asked - min(known)).days if known else None


def _said(statement: Statement) -> tuple[int, int]:
    """The period end and the date as numbers of days; 0, before every day, where one is unknown."""
    end, said = statement.period.last, statement.date
    return end.toordinal() if end else 0, said.toordinal() if said else 0


def _standing(group: list[Statement]) -> list[Statement]:
    if len(group) == 1:
        return group
    latest = max(_said(each) for each in group)
    tied = [each for each in group if _said(each) == latest]
    best = min(tied, key=lambda each: (_width(each), each.id))
    apart = {each.id for each in _apart_from_some(tied)}
    return [each for each in tied if each is best or each.id in apart]


def _apart_from_some(tied: list[Statement]) -> list[Statement]:
    """Those whose figures lie apart from that of another."""
    known = [(each, numbers) for each in tied if (numbers := interval(each.figure)) is not None]
    # Whoever lies below or above anyone lies below the one that begins highest, or above the one that ends lowest.
    # Comparing every two would take minutes for a series that somebody entered without dates.
    highest = max((each for _, each in known if each.lower is not None), key=_begins, default=None)
    lowest = min((each for _, each in known if each.upper is not None), key=_ends, default=None)
    return [
        each
        for each, numbers in known
        if (highest is not None and highest.wholly_above(numbers))
        or (lowest is not None and numbers.wholly_above(lowest))
    ]


def _begins(numbers: Interval) -> tuple[Number, bool]:
    return numbers.lower or 0, not numbers.lower_inclusive


def _ends(numbers: Interval) -> tuple[Number, bool]:
    return numbers.upper or 0, numbers.upper_inclusive


def _width(statement: Statement) -> tuple[bool, Number]:
    numbers = interval(statement.figure)
    return (True, math.inf) if numbers is None else (False, numbers.width)


def _apart(a: Statement, b: Statement) -> bool:
    one, two = interval(a.figure), interval(b.figure)
    return one is not None and two is not None and one.disjoint(two)


def position_order(statement: Statement) -> tuple[bool, Number, str, str]:
    """Return the sort key of a position: by lower end, unknown first, then by source and id."""
    lower = stated_interval(statement).lower
    return lower is not None, lower or 0, statement.source, statement.id


def stated_interval(statement: Statement) -> Interval:
    """The stated interval; a vague figure leaves both ends unknown."""
    return interval(statement.figure) or Interval(None, None)
