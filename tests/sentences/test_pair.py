"""The sentence about two figures says what both count, up to when, and why they have their verdict."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.comparison.figure import PrintedFigure
from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.comparison.period import parse_period
from app.comparison.positions import compare_pair
from app.comparison.statement import Statement
from app.sentences.pair import explain_pair
from app.sentences.phrases import CategoryDetails, PlaceDetails, RecordNames, SourceDetails

CATEGORIES = [
    CategoryNode("dead", ("dead",), None, non_decreasing=True, unit="persons"),
    CategoryNode("missing", ("missing",), None, non_decreasing=True, unit="persons"),
    CategoryNode("dead-and-missing", ("dead", "missing"), None, non_decreasing=True, unit="persons"),
]
HIERARCHY = Hierarchy({node.slug: node for node in CATEGORIES}, {}, {"west": ("sea",)})
NAMES = RecordNames(
    {"a": SourceDetails("a", "Agency A"), "b": SourceDetails("b", "Agency with a long name", in_text="Agency B")},
    {"dead": CategoryDetails("Dead"), "dead-and-missing": CategoryDetails("Dead and missing")},
    {},
    {"west": PlaceDetails("Western sea", "in the western sea")},
)

FIRST = Statement(
    id="1",
    source="a",
    category="dead",
    subject="travellers",
    place="sea",
    unit="persons",
    proposition="quantity",
    modality="estimate",
    derivation="own",
    figure=PrintedFigure("3,140", value=3140),
    period=parse_period("2023-01-01/2023-12-31"),
    aggregation="cumulative",
    date=date(2024, 1, 6),
)
SECOND = replace(FIRST, id="2", source="b", figure=PrintedFigure("3,760", value=3760))
UP_TO = "up to 31 December 2023"


NOTHING_IN_COMMON = "the figures for the same end have no number in common"
PART = "one counts a part of what the other counts"


@pytest.mark.parametrize(
    ("changes", "figures", "explanation"),
    [
        (
            {},
            (f"3,140 persons {UP_TO}", f"3,760 persons {UP_TO}"),
            f"contradict each other: {NOTHING_IN_COMMON}; Agency B states 620 persons more",
        ),
        (
            {"figure": FIRST.figure},
            (f"3,140 persons {UP_TO}", f"3,140 persons {UP_TO}"),
            "agree: one figure lies within the other",
        ),
        (
            {"category": "dead-and-missing"},
            (f"3,140 persons (Dead) {UP_TO}", f"3,760 persons (Dead and missing) {UP_TO}"),
            f"do not conflict: {PART}: a lower bound for it, not a rival figure",
        ),
        (
            {"place": "west"},
            (f"3,140 persons (sea) {UP_TO}", f"3,760 persons (in the western sea) {UP_TO}"),
            f"contradict each other: {PART}, and is larger; Agency B states 620 persons more",
        ),
        (
            {"unit": "vehicles"},
            (f"3,140 persons {UP_TO}", f"3,760 vehicles {UP_TO}"),
            "cannot be compared: they count in different units",
        ),
        (
            {"period": parse_period("2023-01-01/2024-02"), "date": date(2024, 3, 6)},
            (f"3,140 persons {UP_TO}", "3,760 persons up to a day from 1 February 2024 to 29 February 2024"),
            "do not conflict: their periods end on different days, and a running total can have grown in between",
        ),
    ],
)
def test_a_pair_is_explained_in_one_sentence(
    changes: dict[str, Any], figures: tuple[str, str], explanation: str
) -> None:
    second = replace(SECOND, **changes)
    pair = compare_pair(FIRST, second, HIERARCHY)
    sentence = f"Agency A ({figures[0]}) and Agency B ({figures[1]}) {explanation}."
    assert explain_pair(FIRST, second, pair, NAMES) == sentence


@pytest.mark.parametrize(
    ("edtf", "aggregation", "said", "days"),
    [
        ("2026", "within", date(2026, 9, 2), "in 2026 up to 2 September 2026"),
        ("2026", "within", date(2027, 1, 2), "in 2026"),
        ("2026-09", "within", date(2026, 9, 2), "in September 2026 up to 2 September 2026"),
        ("2026-01-01/..", "within", date(2026, 9, 2), "from 1 January 2026 up to 2 September 2026"),
        ("2026-01/2026-03", "within", date(2026, 9, 2), "from January to March 2026"),
        ("2026-01/2026-12", "within", None, "from January to December 2026"),
        ("2026", "cumulative", date(2026, 9, 2), "up to a day from 1 January 2026 to 2 September 2026"),
        ("2026-09-02", "snapshot", date(2026, 9, 2), "on 2 September 2026"),
    ],
)
def test_the_days_of_a_figure_end_with_the_day_on_which_it_was_said(
    edtf: str, aggregation: str, said: date | None, days: str
) -> None:
    first = replace(FIRST, period=parse_period(edtf), aggregation=aggregation, date=said)
    sentence = explain_pair(first, SECOND, compare_pair(first, SECOND, HIERARCHY), NAMES)
    assert sentence.startswith(f"Agency A (3,140 persons {days}) and ")
