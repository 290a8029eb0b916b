"""Positions form a group where they count the same thing over the same period, whatever their ends are."""

from dataclasses import fields, replace
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings

from app.comparison.figure import PrintedFigure
from app.comparison.groups import GroupKey, form_groups, group_key_of
from app.comparison.period import parse_period
from app.comparison.positions import compare_pair, find_positions
from app.comparison.question import Question
from app.comparison.spread import measure_spread
from app.comparison.statement import Statement
from app.enums import Reason, Verdict
from tests.comparison.registers import HIERARCHY, draw_register, registers
from tests.comparison.statements import STATEMENT


def claim(**changes: Any) -> Statement:
    fields: dict[str, Any] = {"period": parse_period("2023-01-01/2023-06-12"), "aggregation": "cumulative"}
    return replace(STATEMENT, **fields | changes)


def key_of(**changes: Any) -> GroupKey:
    return group_key_of(claim(**changes), HIERARCHY)


QUESTION = Question(category="dead", subject="travellers", place="sea")
WITHIN = {"aggregation": "within"}
RATE = {"aggregation": "rate", "per": "day"}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({}, {"id": "2", "source": "b", "modality": "count", "derivation": "derived", "date": date(2024, 2, 1)}),
        ({}, {"period": parse_period("2023-01-01/2023-06-30")}),
        ({}, {"figure": PrintedFigure("20-30", lower=20, upper=30)}),
        (WITHIN, WITHIN | {"period": parse_period("2023-01-01/2023-06-12"), "id": "2"}),
        ({"category": "burnt", "unit": "hectares"}, {"category": "burnt", "unit": "acres"}),
        (
            {"proposition": "ratio", "figure": PrintedFigure("1 in 5", value=1, out_of=5)},
            {"proposition": "ratio", "figure": PrintedFigure("2 in 10", value=2, out_of=10)},
        ),
        ({"aggregation": "snapshot"}, {"aggregation": "snapshot", "period": parse_period("2023-06-12")}),
        (RATE, RATE | {"id": "2"}),
        (WITHIN | {"period": parse_period("2023")}, WITHIN | {"period": parse_period("2023-01-01/2023-12-31")}),
    ],
)
def test_like_positions_have_one_key(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert key_of(**one) == key_of(**two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({}, {"proposition": "change"}),
        ({}, {"unit": "vehicles"}),
        ({"category": "damage", "unit": "EUR"}, {"category": "damage", "unit": "USD"}),
        ({}, {"base": "2022"}),
        ({}, {"figure": PrintedFigure("12 of 100", value=12, out_of=100)}),
        (
            {"figure": PrintedFigure("12 of 200", value=12, out_of=200)},
            {"figure": PrintedFigure("12 of 100", value=12, out_of=100)},
        ),
        (
            {"proposition": "ratio", "figure": PrintedFigure("5 times", value=5)},
            {"proposition": "ratio", "figure": PrintedFigure("5 in 1", value=5, out_of=1)},
        ),
        ({}, {"modality": "forecast"}),
        ({}, {"aggregation": "snapshot"}),
        (RATE, RATE | {"per": "month"}),
        ({}, {"period": parse_period("2023-01-02/2023-06-12")}),
        (WITHIN, WITHIN | {"period": parse_period("2023-01-01/2023-06-30")}),
        (RATE, RATE | {"period": parse_period("2023-01-01/2023-06-30")}),
        (RATE, RATE | {"period": parse_period("2023-01-02/2023-06-12")}),
        ({"aggregation": "snapshot"}, {"aggregation": "snapshot", "period": parse_period("2023-06-30")}),
        ({}, {"category": "missing"}),
        ({}, {"category": "dead-named"}),
        ({}, {"subject": "children"}),
        ({}, {"place": "west"}),
        ({}, {"includes": frozenset({"crew"})}),
        ({}, {"excludes": frozenset({"crew"})}),
        ({"includes": frozenset({"crew"})}, {"excludes": frozenset({"crew"})}),
    ],
)
def test_unlike_positions_have_different_keys(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert key_of(**one) != key_of(**two)


@pytest.mark.parametrize(
    "changes",
    [
        {"category": "losses"},
        {"period": parse_period("../2023-06-12")},
        {"period": parse_period("2023-01-01/.."), "date": None},
        {"aggregation": "rate", "per": None},
        {"period": parse_period("2023-01/2023-06-12")},
        {"aggregation": "within", "period": parse_period("2023-XX")},
    ],
)
def test_what_cannot_be_compared_even_with_its_like_is_a_group_of_its_own(changes: dict[str, Any]) -> None:
    one, two = claim(**changes), claim(**changes, id="2", source="b")
    assert compare_pair(one, two, HIERARCHY).verdict is Verdict.not_comparable
    assert group_key_of(one, HIERARCHY).only == "1"
    assert group_key_of(one, HIERARCHY) != group_key_of(two, HIERARCHY)
    assert key_of().only is None
    assert key_of(period=parse_period("2023-01-01/2023-06")).only is None


@given(registers(8))
@settings(max_examples=100, deadline=None)
def test_a_position_is_alone_where_it_cannot_be_compared_with_a_copy_of_itself(claims: list[Statement]) -> None:
    for claim in claims:
        other = replace(claim, id="other", source="another")
        is_comparable = compare_pair(claim, other, HIERARCHY).verdict is not Verdict.not_comparable
        assert (group_key_of(claim, HIERARCHY).only is None) == is_comparable


def test_what_no_other_source_can_agree_with_is_a_group_of_its_own() -> None:
    crew = frozenset({"crew"})
    trend = claim(proposition="trend", figure=PrintedFigure("rising"))
    for alone in (trend, claim(includes=crew, excludes=crew), claim(category="losses")):
        assert group_key_of(alone, HIERARCHY).only == "1"
    assert group_key_of(claim(figure=PrintedFigure("dozens")), HIERARCHY).only is None
    # Of what grows, only running totals may end on different days.
    uncertain = {"period": parse_period("2023-01-01/2023-06~")}
    assert key_of(**uncertain).only is None
    for changes in ({"category": "crowd"}, {"proposition": "change", "unit": "percent"}, WITHIN, RATE):
        assert key_of(**uncertain, **changes).only == "1"
    assert key_of(period=parse_period("2023-06"), aggregation="snapshot").only == "1"


def group_ids(*claims: Statement) -> list[str]:
    """Return the ids of each group, in code-point order."""
    numbered = [replace(claim, id=str(number)) for number, claim in enumerate(claims)]
    return sorted("".join(each.id for each in group) for group in form_groups(numbered, HIERARCHY).values())


def total(edtf: str, aggregation: str = "cumulative", **changes: Any) -> Statement:
    return claim(period=parse_period(edtf), aggregation=aggregation, **changes)


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        # A running total over a year, and totals of the year, with the same EDTF and with the same days.
        ([total("2023"), total("2023", "within")], ["0", "10"]),
        ([total("2023-01-01/2023-12-31"), total("2023", "within")], ["0", "10"]),
        (
            [total("2023-01-01/2023-12-31"), total("2023", "within"), total("2023", "within")],
            ["0", "120"],
        ),
        # Running totals to other days are compared with the first, and not with the total of the year.
        (
            [total("2023-01-01/2023-12-31"), total("2023-01-01/2023-11-30"), total("2023", "within")],
            ["01", "20"],
        ),
        # A running total to any day in June, and the total to the end of June.
        ([total("2023-01-01/2023-06"), total("2023-01-01/2023-06", "within")], ["0", "10"]),
        # "2023" may be any days of the year, unless the other is "2023", too.
        ([total("2023"), total("2023-01/2023-12", "within")], ["0", "1"]),
        ([total("2023"), total("2023", "within"), total("2023-01/2023-12", "within")], ["0", "12"]),
        # Two running totals of which each may be for any days are not compared with each other.
        ([total("2023"), total("2023"), total("2023", "within")], ["0", "1", "2"]),
        ([total("2023"), total("2023-01-01/2023-12-31"), total("2023", "within")], ["0", "1", "21"]),
        # Said before the end of the period, the first covers other days.
        ([total("2023", date=date(2023, 6, 12)), total("2023", "within")], ["0", "1"]),
        ([total("2023"), total("2023", "within", unit="vehicles")], ["0", "1"]),
        ([total("2023"), total("2023", "rate", per="day")], ["0", "1"]),
    ],
)
def test_a_running_total_is_also_in_the_group_of_totals_for_its_period(
    claims: list[Statement], groups: list[str]
) -> None:
    assert group_ids(*claims) == groups


@pytest.mark.parametrize("edtf", ["2023", "2023-01-01/2023-12-31"])
def test_a_spread_joins_both_kinds_of_totals_for_one_period(edtf: str) -> None:
    running = total(edtf, id="a", figure=PrintedFigure("2,900", value=2900))
    within = total(edtf, "within", id="b", source="b", figure=PrintedFigure("3,140", value=3140))
    found = measure_spread([running, within], QUESTION, HIERARCHY)
    assert (found.lower, found.upper, found.sources, found.left_out) == (2900, 3140, 2, ())


ONE_IN_FIVE = {"proposition": "ratio", "figure": PrintedFigure("1 in 5", value=1, out_of=5)}
CHANGE = {"proposition": "change", "unit": "percent", "base": "2022"}


@pytest.mark.parametrize("changes", [ONE_IN_FIVE, CHANGE])
def test_a_spread_joins_ratios_and_changes_for_one_end_only(changes: dict[str, Any]) -> None:
    newest = total("2023-01-01/2023-06-12", **changes)
    alike = total("2023-01-01/2023-06-12", id="2", source="b", **changes)
    earlier = total("2023-01-01/2023-06-10", id="3", source="c", **changes)
    assert compare_pair(newest, earlier, HIERARCHY).verdict is Verdict.not_comparable
    found = measure_spread([newest, alike, earlier], QUESTION, HIERARCHY)
    assert (found.sources, found.left_out) == (2, (("3", (Reason.dates_differ,)),))


def test_a_spread_joins_rates_for_one_period_only() -> None:
    newest = total("2023-01-01/2023-06-12", **RATE)
    alike = total("2023-01-01/2023-06-12", id="2", source="b", **RATE)
    longer = total("2022-01-01/2023-06-12", id="3", source="c", **RATE)
    assert compare_pair(newest, longer, HIERARCHY).verdict is Verdict.not_comparable
    found = measure_spread([newest, alike, longer], QUESTION, HIERARCHY)
    assert (found.sources, found.left_out) == (2, (("3", (Reason.window_differs,)),))


def test_groups_that_tie_are_ordered_by_stated_scope_then_by_their_fields() -> None:
    keys = [
        key_of(),
        key_of(includes=frozenset({"crew"})),
        key_of(category="missing"),
        key_of(excludes=frozenset({"crew"})),
    ]
    ordered = sorted(keys, key=lambda each: each.sort_key)
    assert [(each.components, each.includes, each.excludes) for each in ordered] == [
        (("dead",), ("crew",), ()),
        (("dead",), (), ("crew",)),
        (("dead",), (), ()),
        (("missing",), (), ()),
    ]
    assert [each.has_stated_scope for each in ordered] == [True, True, False, False]
    assert key_of(base="2022").sort_key > key_of().sort_key
    assert len(key_of().sort_key[1].split("\0")) == len(fields(GroupKey))


@given(registers(20))
@example(draw_register(Random(22811), 13))  # noqa: S311 - deterministic
@settings(max_examples=100, deadline=None)
def test_a_spread_joins_only_what_pairs_compare(claims: list[Statement]) -> None:
    standing = [position.statement for position in find_positions(claims)]
    found = measure_spread(standing, QUESTION, HIERARCHY)
    left_out = {id_ for id_, _ in found.left_out}
    joined = [statement for statement in standing if statement.id not in left_out]
    for number, one in enumerate(joined):
        for two in joined[number + 1 :]:
            assert compare_pair(one, two, HIERARCHY).verdict is not Verdict.not_comparable
