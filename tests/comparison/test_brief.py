"""The selection of a brief: every position once, and the pairs that deserve a look."""

from functools import cache
from itertools import combinations
from random import Random

import pytest

from app.comparison.brief import Notability, find_notable_pairs, group_positions, notability_of
from app.comparison.positions import compare_pair
from app.comparison.question import Question
from app.comparison.spread import is_on_question
from app.comparison.statement import Statement
from app.comparison.verdict_counts import count_verdicts
from app.enums import Verdict
from tests.comparison.registers import HIERARCHY, draw_register

QUESTION = Question(category="dead", subject="travellers", place="sea")
WINDOW_DAYS = 31


@cache
def register(seed: int) -> list[Statement]:
    return draw_register(Random(seed), 30, sources=10)  # noqa: S311 - no secret


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tolerance", [None, 0.5])
def test_the_pairs_that_deserve_a_look_are_those_of_the_rules(seed: int, tolerance: float | None) -> None:
    positions = register(seed)
    notable = find_notable_pairs(group_positions(positions, QUESTION, HIERARCHY), HIERARCHY, tolerance, 1_000)
    pairs = (compare_pair(a, b, HIERARCHY, tolerance) for a, b in combinations(positions, 2))
    expected = {frozenset({pair.a, pair.b}): pair.verdict for pair in pairs if notability_of(pair) is not None}
    assert expected
    assert {frozenset({pair.a, pair.b}): pair.verdict for pair in notable.pairs} == expected
    assert notable.total == len(expected)
    assert notable.verdicts == count_verdicts(positions, HIERARCHY, tolerance)
    classes = [notability_of(pair) or 0 for pair in notable.pairs]
    assert classes == sorted(classes)
    on_question = {each.id for each in positions if is_on_question(each, QUESTION, HIERARCHY)}
    contradictions = [ids for ids, verdict in expected.items() if verdict is Verdict.contradict and ids & on_question]
    assert notable.contradictions_on_question == len(contradictions)


@pytest.mark.parametrize("seed", range(8))
def test_fewer_pairs_are_the_first_ones(seed: int) -> None:
    positions = register(seed)
    groups = group_positions(positions, QUESTION, HIERARCHY)
    all_pairs = find_notable_pairs(groups, HIERARCHY, None, 1_000)
    few = find_notable_pairs(groups, HIERARCHY, None, 3)
    assert len(few.pairs) == min(3, all_pairs.total)
    assert few.total == all_pairs.total
    assert [notability_of(pair) for pair in few.pairs] == [notability_of(pair) for pair in all_pairs.pairs[:3]]


@pytest.mark.parametrize("seed", range(8))
def test_every_position_is_in_one_group_newest_first(seed: int) -> None:
    positions = register(seed)
    groups = group_positions(positions, QUESTION, HIERARCHY)
    listed = [statement.id for group in groups for statement in group.statements]
    assert sorted(listed) == sorted(statement.id for statement in positions)
    assert [group.is_on_question for group in groups] == sorted(
        (group.is_on_question for group in groups), reverse=True
    )
    for group in groups:
        ends = [statement.effective.earliest_end for statement in group.statements if statement.effective.earliest_end]
        assert ends == sorted(ends, reverse=True)
        newest = group.current[0].effective.earliest_end
        for statements, is_current in ((group.current, True), (group.earlier, False)):
            for statement in statements:
                end = statement.effective.earliest_end
                if newest is not None and end is not None:
                    assert ((newest - end).days <= WINDOW_DAYS) is is_current


def test_without_positions_there_is_no_group_and_no_pair() -> None:
    assert group_positions([], QUESTION, HIERARCHY) == []
    notable = find_notable_pairs([], HIERARCHY, None, 10)
    assert (notable.pairs, notable.total, notable.verdicts[Verdict.contradict]) == ((), 0, 0)


def test_contradictions_come_before_what_a_tolerance_decides() -> None:
    assert Notability.CONTRADICTION < Notability.TRANSCRIPTION_CONFLICT < Notability.NEEDS_TOLERANCE
    assert Notability.NEEDS_TOLERANCE < Notability.PART_ABOVE_WHOLE < Notability.UNDECIDED
