"""The spread has only numbers that sources stated, and joins only positions that are compared with each other."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.comparison.figure import PrintedFigure
from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.comparison.period import parse_period
from app.comparison.question import Question
from app.comparison.spread import MeasuredSpread, measure_spread
from app.comparison.statement import Statement
from app.enums import Reason
from tests.comparison.statements import WAR_STATEMENT, parse_figure

R = Reason


def category(slug: str, *components: str, unit: str = "persons", grows: bool = True) -> CategoryNode:
    return CategoryNode(slug, components or (slug,), None, grows, unit)


CATEGORIES = [
    category("killed"),
    category("wounded"),
    category("casualties", "killed", "wounded"),
    category("killed-and-wounded", "wounded", "killed"),
    category("tanks", unit="vehicles"),
    category("balance", grows=False),
    category("burnt", unit="area"),
    category("sown", unit="acres"),
    CategoryNode("losses", None, None, non_decreasing=True, unit="persons"),
]
HIERARCHY = Hierarchy(
    {each.slug: each for each in CATEGORIES},
    subjects={"wagner": ("russian-forces",)},
    places={"kursk-oblast": ("russia-ukraine-war",)},
)
QUESTION = Question(category="casualties", subject="russian-forces", place="russia-ukraine-war")


def claim(id: str, source: str, words: str, end: str = "2025-06-12", **changes: Any) -> Statement:  # noqa: A002 - the field's name
    fields: dict[str, Any] = {"figure": parse_figure(words), "period": parse_period(f"2022-02-24/{end}")}
    return replace(WAR_STATEMENT, id=id, source=source, **fields | changes)


def test_the_spread_is_made_of_stated_numbers() -> None:
    standing = [
        claim("1", "kyiv", "about 1,000,340"),
        claim("2", "london", "nearly 950,000"),
        claim("3", "csis", "over 400,000", "2025-06-01"),
        claim("4", "kyiv", "500,000-600,000", "2025-06-11", modality="count"),
    ]
    assert measure_spread(standing, QUESTION, HIERARCHY) == MeasuredSpread(
        400000, 1000340, 2.50085, "persons", 3, open_lower=True, open_upper=True, left_out=()
    )


def test_the_spread_of_one_source_has_no_ratio() -> None:
    standing = [
        claim("1", "kyiv", "1,000"),
        claim("4", "kyiv", "500-600", "2025-06-11", modality="count"),
    ]
    assert measure_spread(standing, QUESTION, HIERARCHY) == MeasuredSpread(
        500, 1000, None, "persons", 1, open_lower=False, open_upper=False, left_out=()
    )


def test_the_best_estimate_of_an_open_range_counts() -> None:
    open_range = claim("1", "kyiv", "0", figure=PrintedFigure("at most 50, perhaps 7", value=7, upper=50))
    found = measure_spread([open_range, claim("2", "london", "at least 20")], QUESTION, HIERARCHY)
    assert (found.lower, found.upper, found.ratio) == (7, 50, 7.142857)
    assert (found.open_lower, found.open_upper) == (True, True)


def test_every_position_that_is_left_out_is_named_with_its_reasons() -> None:
    counted = [claim("00", "kyiv", "1,000"), claim("000", "london", "900")]
    strays: dict[str, tuple[Statement, tuple[Reason, ...]]] = {
        "01": (claim("01", "a", "5", category="killed"), (R.components_differ,)),
        "02": (claim("02", "a", "5", subject="wagner"), (R.subject_differs,)),
        "03": (claim("03", "a", "5", place="syria"), (R.place_differs,)),
        "04": (claim("04", "a", "5", aggregation="rate", per="day"), (R.aggregation_differs,)),
        "05": (claim("05", "a", "5", includes=frozenset({"wagner"})), (R.scope_differs,)),
        "06": (claim("06", "a", "5", modality="forecast"), (R.modality_differs,)),
        "07": (claim("07", "a", "5 of 10"), (R.base_differs,)),
        "09": (claim("09", "a", "5", "2025-05-11"), (R.dates_differ,)),
        "10": (claim("10", "a", "5", "..", date=None), (R.window_unknown,)),
        "11": (
            claim("11", "a", "5", unit="vehicles", category="tanks"),
            (R.unit_differs, R.components_differ),
        ),
        "12": (claim("12", "a", "5", category="losses"), (R.components_differ, R.components_unstated)),
        "13": (claim("13", "a", "5", excludes=frozenset({"wagner"})), (R.scope_differs,)),
        "14": (
            claim("14", "a", "5", place="kursk-oblast", subject="wagner"),
            (R.subject_differs, R.place_differs),
        ),
        "15": (
            replace(claim("15", "a", "5"), period=parse_period("2023-01-01/2025-06-12")),
            (R.window_differs,),
        ),
        "16": (claim("16", "a", "5", aggregation="within", end="2025-06-11"), (R.window_differs,)),
        "17": (
            claim("17", "a", "5", proposition="change", base="2021"),
            (R.proposition_differs, R.base_differs),
        ),
    }
    standing = [*counted, *(statement for statement, _ in strays.values())]
    found = measure_spread(standing, QUESTION, HIERARCHY)
    assert (found.lower, found.upper, found.ratio, found.sources) == (900, 1000, 1.111111, 2)
    assert dict(found.left_out) == {id_: reasons for id_, (_, reasons) in strays.items()}
    assert [id_ for id_, _ in found.left_out] == sorted(id_ for id_, _ in found.left_out)
    again = measure_spread(reversed(standing), QUESTION, HIERARCHY)
    assert again == found


def test_the_window_is_counted_in_days_before_the_newest_end() -> None:
    standing = [claim("1", "kyiv", "1,000"), claim("2", "london", "900", "2025-05-12")]
    assert measure_spread(standing, QUESTION, HIERARCHY).sources == 2
    assert measure_spread(standing, QUESTION, HIERARCHY, window=30).left_out == (("2", (R.dates_differ,)),)
    # The earliest day that an end can mean counts.
    month = claim("2", "london", "900", "2025-05")
    assert measure_spread([standing[0], month], QUESTION, HIERARCHY, window=41).left_out == (("2", (R.dates_differ,)),)
    assert measure_spread([standing[0], month], QUESTION, HIERARCHY, window=42).sources == 2


def test_what_can_fall_has_one_end() -> None:
    question = replace(QUESTION, category="balance")
    standing = [
        claim("1", "kyiv", "10", category="balance"),
        claim("2", "london", "9", "2025-06-11", category="balance"),
        claim("3", "csis", "12", category="balance"),
    ]
    found = measure_spread(standing, question, HIERARCHY)
    assert (found.lower, found.upper, found.sources) == (10, 12, 2)
    assert found.left_out == (("2", (R.dates_differ,)),)


def test_categories_with_the_same_atoms_have_a_window_only_if_all_can_only_grow() -> None:
    sum_of_estimates = category("killed-and-wounded", "wounded", "killed", grows=False)
    hierarchy = replace(HIERARCHY, categories={**HIERARCHY.categories, sum_of_estimates.slug: sum_of_estimates})
    newest, earlier = (
        claim("1", "kyiv", "1,000"),
        claim("2", "london", "900", "2025-06-11", category=sum_of_estimates.slug),
    )
    assert measure_spread([newest, earlier], QUESTION, HIERARCHY).sources == 2
    assert measure_spread([newest, earlier], QUESTION, hierarchy).left_out == (("2", (R.dates_differ,)),)


def test_of_groups_with_uncertain_ends_the_earliest_day_decides_which_is_newest() -> None:
    on_a_day = claim("1", "kyiv", "1,000", period=parse_period("2025-06-02"), aggregation="snapshot")
    in_a_month = claim("2", "london", "900", period=parse_period("2025-06"), aggregation="snapshot")
    found = measure_spread([on_a_day, in_a_month], QUESTION, HIERARCHY)
    assert (found.lower, found.left_out) == (1000, (("2", (R.window_differs,)),))


def test_the_group_with_the_most_sources_is_taken_then_the_one_with_the_newest_end() -> None:
    start, later = parse_period("2022-02-24/2025-06-12"), parse_period("2024-01-01/2025-07-12")
    one = [claim("1", "kyiv", "1,000", period=start), claim("2", "london", "900", period=start)]
    two = [
        claim("3", "csis", "70", period=later),
        claim("4", "csis", "80", period=later, modality="count"),
    ]
    assert measure_spread(one + two, QUESTION, HIERARCHY).upper == 1000
    assert measure_spread([*one, *two, claim("5", "a", "60", period=later)], QUESTION, HIERARCHY).upper == 80
    # The newest end of a group counts, not its oldest.
    older = [
        claim("6", "kyiv", "50", "2025-05-20", excludes=frozenset({"wagner"})),
        claim("7", "b", "50", "2025-05-20"),
    ]
    older[1] = replace(older[1], excludes=frozenset({"wagner"}))
    spread_out = [one[0], claim("8", "london", "900", "2025-05-12")]
    assert measure_spread(spread_out + older, QUESTION, HIERARCHY).upper == 1000
    scoped = [replace(each, id=f"s{each.id}", includes=frozenset({"wagner"})) for each in one]
    found = measure_spread(one + scoped, QUESTION, HIERARCHY)
    assert [id_ for id_, _ in found.left_out] == ["2", "1"]


def test_the_same_atoms_are_one_category() -> None:
    standing = [
        claim("1", "kyiv", "1,000"),
        claim("2", "london", "900", category="killed-and-wounded"),
    ]
    assert measure_spread(standing, QUESTION, HIERARCHY).sources == 2


def test_without_a_subject_or_place_in_the_question_the_groups_still_have_one() -> None:
    standing = [
        claim("1", "kyiv", "1,000"),
        claim("2", "kyiv", "900", subject="wagner", place="syria"),
    ]
    found = measure_spread(standing, Question(category="casualties"), HIERARCHY)
    assert (found.lower, found.upper) == (1000, 1000)
    assert found.left_out == (("2", (R.subject_differs, R.place_differs)),)


def test_what_no_source_can_be_compared_on_is_joined_with_nothing() -> None:
    losses = [
        claim("1", "kyiv", "1,000", category="losses"),
        claim("2", "london", "900", category="losses"),
    ]
    found = measure_spread(losses, replace(QUESTION, category="losses"), HIERARCHY)
    assert (found.sources, found.left_out) == (1, (("2", (R.components_unstated,)),))
    rates = [
        claim("1", "kyiv", "10", aggregation="rate"),
        claim("2", "london", "9", aggregation="rate"),
    ]
    found = measure_spread(rates, QUESTION, HIERARCHY)
    assert (found.sources, found.left_out) == (1, (("2", (R.rate_unstated,)),))


@pytest.mark.parametrize("standing", [[], [claim("1", "kyiv", "5", category="killed")]])
def test_without_positions_on_the_question_there_is_no_spread(standing: list[Statement]) -> None:
    found = measure_spread(standing, QUESTION, HIERARCHY)
    assert (found.lower, found.upper, found.ratio, found.unit, found.sources) == (None, None, None, None, 0)
    assert (found.open_lower, found.open_upper) == (False, False)
    assert found.left_out == tuple((each.id, (R.components_differ,)) for each in standing)


def test_a_spread_that_is_not_positive_has_no_ratio() -> None:
    assert measure_spread([claim("1", "kyiv", "0"), claim("2", "london", "5")], QUESTION, HIERARCHY).ratio is None


# Units


def burnt(id: str, source: str, words: str, unit: str, **changes: Any) -> Statement:  # noqa: A002 - the field's name
    day = changes.pop("date", date(2025, 7, 31))
    return replace(claim(id, source, words), category="burnt", unit=unit, date=day, **changes)


def test_numbers_are_given_in_the_unit_that_was_named_first() -> None:
    question = replace(QUESTION, category="burnt")
    hectares = burnt("1", "a", "1,000", "hectares")
    acres = burnt("2", "b", "2,000", "acres", date=date(2025, 7, 30))
    found = measure_spread([hectares, acres], question, HIERARCHY)
    assert (found.unit, found.lower, found.ratio) == ("acres", 2000, 1.235527)
    assert found.upper == pytest.approx(2471.0538)
    first = replace(hectares, date=date(2025, 7, 29))
    found = measure_spread([first, acres], question, HIERARCHY)
    assert (found.unit, found.upper) == ("hectares", 1000)
    assert found.lower == pytest.approx(809.3713)
    undated = replace(hectares, date=None)
    assert measure_spread([undated, acres], question, HIERARCHY).unit == "acres"


def test_the_unit_of_the_category_comes_before_others() -> None:
    question = replace(QUESTION, category="sown")
    hectares = replace(burnt("1", "a", "1,000", "hectares", date=date(2025, 7, 1)), category="sown")
    acres = replace(burnt("2", "b", "2,000", "acres"), category="sown")
    assert measure_spread([hectares, acres], question, HIERARCHY).unit == "acres"
    assert measure_spread([hectares], question, HIERARCHY).unit == "hectares"


def test_numbers_in_the_base_unit_and_shares_are_plain_numbers() -> None:
    question = replace(QUESTION, category="burnt")
    found = measure_spread([burnt("1", "a", "1,000", "hectares")], question, HIERARCHY)
    assert [type(number) for number in (found.lower, found.upper)] == [int, int]

    def share(id: str, source: str, value: int, out_of: int) -> Statement:  # noqa: A002 - the field's name
        return claim(id, source, "5", proposition="ratio", figure=PrintedFigure("x", value=value, out_of=out_of))

    for standing in ([share("1", "a", 5, 1), share("2", "b", 1, 5)], [share("1", "a", 1, 5), share("2", "b", 5, 1)]):
        found = measure_spread(standing, QUESTION, HIERARCHY)
        assert (found.lower, found.upper, found.ratio) == (0.2, 5, 25.0)
        assert {type(number) for number in (found.lower, found.upper)} <= {int, float}


def test_a_window_reaches_back_from_the_newest_end_of_the_group_only() -> None:
    newest = claim("3", "a", "5", category="killed", end="2025-07-12")
    standing = [claim("1", "kyiv", "1,000"), claim("2", "london", "900", "2025-05-12"), newest]
    found = measure_spread(standing, QUESTION, HIERARCHY, window=31)
    assert (found.sources, [id_ for id_, _ in found.left_out]) == (2, ["3"])
