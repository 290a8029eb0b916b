"""Selects what a short overview of a question shows: like positions together, and the pairs that deserve a look."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, auto
from heapq import nsmallest
from typing import Final

from app.comparison.figure import Number
from app.comparison.groups import GroupKey, form_groups
from app.comparison.hierarchy import Hierarchy
from app.comparison.positions import compare_pair, position_sort_key, recency_of
from app.comparison.question import DEFAULT_WINDOW_DAYS, Question
from app.comparison.spread import MeasuredSpread, is_on_question, measure_largest_group
from app.comparison.statement import Statement
from app.comparison.verdict_counts import survey_pairs
from app.comparison.verdicts import PairComparison
from app.enums import Reason, Verdict


@dataclass(frozen=True, slots=True)
class BriefGroup:
    """The positions that count the same thing from the same start, newest first.

    `current` are those that end within the window of the newest end of the group, and `earlier` the others.
    """

    key: GroupKey
    is_on_question: bool
    """Whether the group has exactly the category, subject and place of the question."""
    current: tuple[Statement, ...]
    earlier: tuple[Statement, ...]
    spread: MeasuredSpread

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All positions of the group, newest first."""
        return self.current + self.earlier


def group_positions(
    positions: Iterable[Statement], question: Question, hierarchy: Hierarchy, window: int = DEFAULT_WINDOW_DAYS
) -> list[BriefGroup]:
    """Return the positions in groups, each position once.

    The first groups have the category, subject and place of the question. Groups with more sources stand first, then
    those with a newer end. Positions that differ only in that their periods begin on uncertain days are one group here,
    but its spread joins no figures that cannot be compared.
    """
    ordered = sorted(positions, key=position_sort_key)
    groups = [
        _build_group(key, members, question, hierarchy, window)
        for key, members in _assign_groups(ordered, hierarchy).items()
    ]
    return sorted(groups, key=_group_order)


def _assign_groups(positions: Sequence[Statement], hierarchy: Hierarchy) -> dict[GroupKey, list[Statement]]:
    """Return each position in one group: of several, the one with the most sources, then that of its own period."""
    members: dict[GroupKey, list[Statement]] = {}
    for key, statements in form_groups(positions, hierarchy).items():
        members.setdefault(replace(key, only=None), []).extend(statements)
    sources = {key: len({statement.source for statement in statements}) for key, statements in members.items()}
    keys_by_id: dict[str, list[GroupKey]] = {}
    for key, statements in members.items():
        for statement in statements:
            keys_by_id.setdefault(statement.id, []).append(key)
    assigned: dict[GroupKey, list[Statement]] = {}
    for statement in positions:
        keys = keys_by_id[statement.id]
        key = max(keys, key=lambda key: (sources[key], key.last_days is None, key.sort_key))
        assigned.setdefault(key, []).append(statement)
    return assigned


def _build_group(
    key: GroupKey, members: Sequence[Statement], question: Question, hierarchy: Hierarchy, window: int
) -> BriefGroup:
    newest_first = sorted(members, key=_newest_first)
    latest = recency_of(newest_first[0])[0]
    current = tuple(statement for statement in newest_first if latest - recency_of(statement)[0] <= window)
    return BriefGroup(
        key,
        all(is_on_question(statement, question, hierarchy) for statement in members),
        current,
        tuple(newest_first[len(current) :]),
        measure_largest_group(members, hierarchy, window),
    )


def _newest_first(statement: Statement) -> tuple[int, int, object]:
    end, day = recency_of(statement)
    return -end, -day, position_sort_key(statement)


def _group_order(group: BriefGroup) -> tuple[bool, int, int, tuple[bool, str]]:
    sources = {statement.source for statement in group.statements}
    return not group.is_on_question, -len(sources), -recency_of(group.current[0])[0], group.key.sort_key


class Notability(IntEnum):
    """Why a pair of positions deserves a look, the most important reason first."""

    CONTRADICTION = auto()
    """Two figures for the same thing that cannot both be true."""
    TRANSCRIPTION_CONFLICT = auto()
    """Two transcriptions of one statement."""
    NEEDS_TOLERANCE = auto()
    """An approximate figure: only a tolerance would decide."""
    PART_ABOVE_WHOLE = auto()
    """A part that is larger than the whole, in two groups."""
    UNDECIDED = auto()
    """What else would have to be known to decide, such as the hour."""


def notability_of(pair: PairComparison) -> Notability | None:
    """Return why a pair deserves a look; None if it does not."""
    if pair.verdict is Verdict.undetermined:
        return Notability.NEEDS_TOLERANCE if Reason.approximate in pair.reasons else Notability.UNDECIDED
    if pair.verdict is not Verdict.contradict:
        return None
    if Reason.transcription_conflict in pair.reasons:
        return Notability.TRANSCRIPTION_CONFLICT
    return Notability.PART_ABOVE_WHOLE if Reason.part_of_whole in pair.reasons else Notability.CONTRADICTION


@dataclass(frozen=True, slots=True)
class NotablePairs:
    """The pairs that deserve a look, the worst first, and counts of all pairs.

    `total` is the number of all pairs that deserve a look, and `contradictions_on_question` that of the contradictions
    with at least one position on the question.
    """

    pairs: tuple[PairComparison, ...]
    total: int
    verdicts: Counter[Verdict]
    contradictions_on_question: int


def find_notable_pairs(
    groups: Sequence[BriefGroup], hierarchy: Hierarchy, tolerance: float | None, limit: int
) -> NotablePairs:
    """Return at most `limit` pairs of positions that deserve a look.

    The order is that of `Notability`, then pairs of two current positions, then the larger ratio and gap.
    """
    positions = sorted((each for group in groups for each in group.statements), key=position_sort_key)
    current_ids = {statement.id for group in groups for statement in group.current}
    question_ids = {statement.id for group in groups if group.is_on_question for statement in group.statements}
    survey = survey_pairs(positions, hierarchy, tolerance, notability_of)

    def estimated_rank(collected: tuple[int, Statement, Statement]) -> tuple[int, bool, float]:
        notability, a, b = collected
        return notability, not {a.id, b.id} <= current_ids, -_distance_of(a, b)

    def rank(pair: PairComparison) -> tuple[int, bool, float, Number, str, str]:
        is_current = {pair.a, pair.b} <= current_ids
        return notability_of(pair) or 0, not is_current, -(pair.ratio or 0), -(pair.gap or 0), pair.a, pair.b

    nearest = nsmallest(limit * EXAMINED_PAIRS_FACTOR, survey.collected, key=estimated_rank)
    pairs = sorted((compare_pair(a, b, hierarchy, tolerance) for _, a, b in nearest), key=rank)
    on_question = sum(
        notability in _CONTRADICTIONS and bool({a.id, b.id} & question_ids) for notability, a, b in survey.collected
    )
    return NotablePairs(tuple(pairs[:limit]), len(survey.collected), survey.counts, on_question)


_CONTRADICTIONS: Final = (
    Notability.CONTRADICTION,
    Notability.TRANSCRIPTION_CONFLICT,
    Notability.PART_ABOVE_WHOLE,
)
EXAMINED_PAIRS_FACTOR: Final = 3
"""So many times the number of pairs that are shown are compared by the rules, in the order of an estimated distance."""


def _distance_of(a: Statement, b: Statement) -> float:
    """Return about how many times the larger of two figures is the smaller one."""
    ends = []
    for statement in (a, b):
        interval = statement.stated.interval if statement.stated else None
        lower = upper = 0.0
        if interval is not None:
            numbers = [float(end) for end in (interval.lower, interval.upper) if end is not None]
            lower, upper = min(numbers, default=0), max(numbers, default=0)
        ends.append((lower, upper))
    (a_lower, a_upper), (b_lower, b_upper) = ends
    larger, smaller = max(a_lower, b_lower), min(a_upper, b_upper)
    return larger / smaller if smaller > 0 else larger - smaller
