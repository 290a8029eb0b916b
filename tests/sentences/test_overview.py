"""The sentences at the head of an overview say no more than the figures do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.comparison.period import parse_period
from app.sentences.overview import GroupWords, PairWords, write_lead
from app.sentences.phrases import CategoryDetails, RecordNames, SourceDetails
from tests.comparison.statements import STATEMENT

NAMES = RecordNames(
    categories={"dead": CategoryDetails("Dead")},
    sources={slug: SourceDetails(slug, f"Agency {slug.upper()}") for slug in ("a", "b", "c")},
    subjects={},
    places={},
)
RUNNING_TOTAL = replace(STATEMENT, period=parse_period("2023-01-01/2023-06-12"), aggregation="cumulative")
DEAD = "dead, since 1 January 2023"
MISSING = "missing, since 1 January 2023"
NO_PAIRS = PairWords(comparable=0, contradictions=0, on_question=0, undecided=0)


def group(title: str, sources: Sequence[str], *, is_on_question: bool = True) -> GroupWords:
    statements = [replace(RUNNING_TOTAL, id=f"{title}-{source}", source=source) for source in sources]
    return GroupWords(title, is_on_question, statements, (), len(sources))


def lead(groups: Sequence[GroupWords], pairs: PairWords = NO_PAIRS, **more: Any) -> list[str]:
    return write_lead(groups, pairs, more.pop("without_number", 0), NAMES, **more)


def test_without_a_figure_on_the_question_no_group_looks_like_the_answer() -> None:
    groups = [group(DEAD, "a", is_on_question=False), group(MISSING, "ab", is_on_question=False)]
    assert lead(groups) == [
        "No source has stated a number on exactly this question.",
        (
            f"Counted apart: {DEAD}: 12 persons (Agency A, up to 12 June 2023); "
            f"{MISSING}: 2 sources, newest 12 persons (Agency A, up to 12 June 2023)."
        ),
        "No two of the 3 figures can be compared: each counts something else, or is for another period.",
    ]


def test_contradictions_among_other_figures_are_not_told_of_the_question() -> None:
    groups = [group(DEAD, "ab"), group(MISSING, "ab", is_on_question=False)]
    pairs = PairWords(comparable=6, contradictions=2, on_question=0, undecided=1)
    assert lead(groups, pairs)[1] == (
        "No figure on the question contradicts another; of those counted apart, 2 pairs cannot both be true."
    )


@pytest.mark.parametrize(
    ("groups", "pairs", "sentence"),
    [
        ([group(DEAD, "a")], NO_PAIRS, "It is the only figure on record."),
        ([group(DEAD, "ab")], PairWords(1, 0, 0, 0), "The two figures do not contradict each other."),
        (
            [group(DEAD, "ab")],
            PairWords(1, 0, 0, 1),
            "The two figures do not contradict each other; on one pair, what was said does not suffice to decide.",
        ),
        ([group(DEAD, "ab")], PairWords(1, 1, 1, 0), "One pair of the 2 figures cannot both be true."),
        ([group(DEAD, "ab")], PairWords(1, 1, 1, 0, "Why."), "One pair of the 2 figures cannot both be true: Why."),
        (
            [group(DEAD, "abc"), group(MISSING, "a", is_on_question=False)],
            PairWords(6, 3, 2, 0),
            "2 pairs on the question cannot both be true.",
        ),
    ],
)
def test_conflicts_are_told_in_words(groups: list[GroupWords], pairs: PairWords, sentence: str) -> None:
    assert lead(groups, pairs)[1] == sentence


def test_words_without_a_number_are_told() -> None:
    assert lead([], without_number=2) == [
        "No source has stated a number on this question.",
        "2 claims have words without a number.",
    ]


def test_parties_are_told() -> None:
    assert "Agency A, a party, up to" in lead([GroupWords(DEAD, True, [RUNNING_TOTAL], (), 1)], parties=["a"])[0]
