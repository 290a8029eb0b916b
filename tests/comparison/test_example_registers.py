"""Small registers of several domains: a sea route, a flood, a poll, a crowd, an earthquake. All values are invented."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from app.comparison.figure import PrintedFigure
from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.comparison.period import parse_period
from app.comparison.positions import compare_pair, find_positions
from app.comparison.question import Question
from app.comparison.spread import measure_spread
from app.comparison.statement import Statement
from app.comparison.verdicts import PairComparison
from app.enums import Reason, Verdict
from tests.comparison.statements import STATEMENT, parse_figure

AGREE, NO_CONFLICT, CONTRADICT = Verdict.agree, Verdict.no_conflict, Verdict.contradict
UNDETERMINED, NOT_COMPARABLE = Verdict.undetermined, Verdict.not_comparable
R = Reason


def category(
    slug: str, *components: str, unit: str = "persons", grows: bool = True, additive: bool = False
) -> CategoryNode:
    return CategoryNode(slug, components or (slug,), None, grows, unit, additive)


CATEGORIES = (
    category("dead"),
    category("missing"),
    category("dead-and-missing", "dead", "missing"),
    category("damage", unit="currency", grows=False, additive=True),
    category("income-lost", unit="currency", grows=False),
    category("burnt", unit="area"),
    category("unemployed", unit="percent", grows=False),
    category("temperature", unit="celsius", grows=False),
    category("excess-deaths", grows=False),
    category("protesters", grows=False),
)
HIERARCHY = Hierarchy(
    {each.slug: each for each in CATEGORIES},
    subjects={"children": ("travellers",), "women": ("everybody",)},
    places={"west": ("sea",), "central": ("sea",), "east": ("sea",), "region": ("country",)},
)


def claim(
    source: str, words: str, edtf: str, aggregation: str = "within", day: str = "2024-02-01", **changes: Any
) -> Statement:
    moment = changes.pop("at", None)
    fields: dict[str, Any] = {
        "id": f"{source}: {words}",
        "source": source,
        "modality": "count",
        "period": parse_period(edtf),
        "aggregation": aggregation,
        "date": date.fromisoformat(day),
        "said_at": None if moment is None else datetime.fromisoformat(moment),
    }
    if "figure" not in changes:
        fields["figure"] = parse_figure(words)
    return replace(STATEMENT, **fields | changes)


def compare(a: Statement, b: Statement, tolerance: float | None = None) -> PairComparison:
    """Compare two claims, which must not depend on which is named first."""
    pair, mirrored = compare_pair(a, b, HIERARCHY, tolerance), compare_pair(b, a, HIERARCHY, tolerance)
    assert pair == replace(mirrored, a=a.id, b=b.id)
    return pair


def verdict(a: Statement, b: Statement, tolerance: float | None = None) -> tuple[Verdict, tuple[Reason, ...]]:
    pair = compare(a, b, tolerance)
    return pair.verdict, pair.reasons


# Dead and missing on a sea route

SEA_2023 = claim("A", "3,140", "2023")


def test_two_counts_of_one_year_contradict() -> None:
    pair = compare(SEA_2023, claim("B", "3,760", "2023"))
    assert (pair.verdict, pair.reasons) == (CONTRADICT, (R.disjoint,))
    assert (pair.above, pair.gap, pair.ratio) == ("B: 3,760", 620, 1.197452)


def test_rates_per_month_and_per_day_are_not_compared() -> None:
    monthly = claim("A", "about 262", "2023", "rate", per="month")
    daily = claim("A", "8.6", "2023", "rate", per="day")
    assert verdict(monthly, daily) == (NOT_COMPARABLE, (R.rate_differs,))
    assert verdict(monthly, replace(daily, per=None)) == (NOT_COMPARABLE, (R.rate_unstated,))
    assert verdict(replace(monthly, per=None), replace(daily, per=None, source="B")) == (
        NOT_COMPARABLE,
        (R.rate_unstated,),
    )
    assert verdict(monthly, replace(monthly, source="B", figure=daily.figure)) == (UNDETERMINED, (R.approximate,))


def test_a_part_of_the_sea_stands_beside_the_sea_and_outside_of_the_spread() -> None:
    basin = claim("A", "2,300-2,600", "2023", place="central")
    assert verdict(basin, SEA_2023) == (NO_CONFLICT, (R.part_of_whole,))
    standing = [position.statement for position in find_positions([basin, SEA_2023, claim("B", "3,760", "2023")])]
    found = measure_spread(standing, Question(category="dead", subject="travellers", place="sea"), HIERARCHY)
    assert (found.lower, found.upper, found.sources) == (3140, 3760, 2)
    assert found.left_out == ((basin.id, (R.place_differs,)),)


def test_half_a_year_above_its_year_contradicts() -> None:
    half, year = claim("X", "4,200", "2023-01/2023-06"), claim("Y", "3,000", "2023")
    expected = CONTRADICT, (R.part_of_whole, R.period_within)
    assert verdict(half, year) == expected
    assert verdict(replace(half, aggregation="cumulative", period=parse_period("2023-01-01/2023-06-30")), year) == (
        expected
    )
    assert verdict(replace(half, figure=year.figure), year) == (NO_CONFLICT, (R.part_of_whole, R.period_within))


def test_children_of_a_year_are_no_part_of_everybody_of_half_a_year() -> None:
    children, everybody = (
        claim("A", "3,900", "2023", subject="children"),
        claim("B", "4,200", "2023-01/2023-06"),
    )
    assert verdict(children, everybody) == (NOT_COMPARABLE, (R.window_differs,))


def test_the_wordings_of_one_utterance_are_one_position() -> None:
    year = {"edtf": "2016", "day": "2017-01-06"}
    relayed = [claim("A", words, **year) for words in ("5,096", "about 5,100", "more than 5,000")]
    (position,) = find_positions(relayed)
    assert position.wordings == ("A: 5,096", "A: about 5,100", "A: more than 5,000")
    bounds = [claim("A", words, **year) for words in ("at least 300", "at least 1,200")]
    assert len(find_positions(bounds)) == 2


def test_a_running_total_over_a_year_is_the_total_for_that_year() -> None:
    total = claim("X", "2,900", "2023-01-01/2023-12-31", "cumulative")
    assert verdict(total, claim("Y", "2,900", "2023-01-01/2023-12-31")) == (AGREE, ())
    assert verdict(total, claim("Y", "2,900", "2023")) == (AGREE, ())
    assert verdict(total, claim("Y", "2,800", "2023")) == (CONTRADICT, (R.disjoint,))


def test_the_last_hour_of_a_day_is_the_position_beside_claims_without_an_hour() -> None:
    toll = {"edtf": "2025-03-15", "day": "2025-03-15"}
    first = claim("A", "19", at="2025-03-15T10:00:00+01:00", **toll)
    last = claim("A", "34", at="2025-03-15T18:00:00+01:00", **toll)
    unknown = claim("A", "27", **toll)
    assert [each.id for each in find_positions([first, last, unknown])] == [unknown.id, last.id]
    assert verdict(last, unknown) == (UNDETERMINED, (R.same_day,))
    updates = [replace(each, said_at=None) for each in (first, last, unknown)]
    assert len(find_positions(updates)) == 3
    assert verdict(updates[0], updates[1]) == (UNDETERMINED, (R.same_day,))


# A flood: money and areas


def damage(source: str, words: str, unit: str = "EUR", **changes: Any) -> Statement:
    return claim(source, words, "2023-07", category="damage", subject="flood", unit=unit, **changes)


def test_damage_in_a_region_is_a_part_of_that_in_the_country_only_if_it_adds_up() -> None:
    country, region = damage("X", "10 billion", place="country"), damage("Y", "1 billion", place="region")
    assert verdict(country, region) == (NO_CONFLICT, (R.part_of_whole,))
    assert verdict(country, replace(region, figure=PrintedFigure("11 billion", value=11 * 10**9))) == (
        CONTRADICT,
        (R.part_of_whole,),
    )
    lost = replace(country, category="income-lost"), replace(region, category="income-lost")
    assert verdict(*lost) == (NOT_COMPARABLE, (R.place_differs,))
    question = Question(category="damage", subject="flood", place="country")
    found = measure_spread([country, region], question, HIERARCHY)
    assert (found.lower, found.upper, found.sources, found.ratio) == (10**10, 10**10, 1, None)


def test_currencies_are_never_converted() -> None:
    euros, dollars = damage("X", "10 billion"), damage("Y", "12 billion", "USD")
    assert verdict(euros, dollars) == (NOT_COMPARABLE, (R.unit_differs,))


def test_areas_are_compared_after_conversion() -> None:
    hectares = claim("X", "1,000", "2023-07-01", category="burnt", unit="hectares")
    acres = claim("Y", "2,471", "2023-07-01", category="burnt", unit="acres")
    assert verdict(hectares, acres) == (AGREE, (R.rounded, R.unit_converted))
    assert verdict(hectares, replace(acres, unit="hectares", figure=PrintedFigure("1,100", value=1100))) == (
        CONTRADICT,
        (R.disjoint,),
    )


# Parts that do not add up


@pytest.mark.parametrize("proposition", ["quantity", "change"])
def test_shares_and_changes_have_no_parts(proposition: str) -> None:
    def share(source: str, words: str, **changes: Any) -> Statement:
        fields = {"category": "unemployed", "unit": "percent", "proposition": proposition, **changes}
        return claim(source, words, "2023-07-01", "snapshot", **fields)

    region, country = share("X", "9", place="region"), share("Y", "5", place="country")
    assert verdict(region, country) == (NOT_COMPARABLE, (R.place_differs,))
    women, everybody = share("X", "45", subject="women"), share("Y", "40", subject="everybody")
    assert verdict(women, everybody) == (NOT_COMPARABLE, (R.subject_differs,))


def test_a_change_of_what_grows_does_not_add_up_either() -> None:
    def change(source: str, words: str, edtf: str, **changes: Any) -> Statement:
        fields = {"unit": "percent", "proposition": "change", "base": "2022", **changes}
        return claim(source, words, edtf, "cumulative", **fields)

    children = change("X", "40", "2023-01-01/2023-08-31", subject="children")
    everybody = change("Y", "20", "2023-01-01/2023-08-31")
    assert verdict(children, everybody) == (NOT_COMPARABLE, (R.subject_differs,))
    earlier = change("X", "20", "2023-01-01/2023-05-31")
    later = change("X", "12", "2023-01-01/2023-08-31")
    assert verdict(earlier, later) == (NOT_COMPARABLE, (R.window_differs,))


def test_temperatures_and_excess_deaths_have_no_parts() -> None:
    for slug, unit in (("temperature", "celsius"), ("excess-deaths", "persons")):
        region = claim("X", "500", "2023", category=slug, unit=unit, place="region")
        country = claim("Y", "400", "2023", category=slug, unit=unit, place="country")
        assert verdict(region, country) == (NOT_COMPARABLE, (R.place_differs,))


def test_equal_ratios_agree() -> None:
    one_in_five = claim("X", "1", "2023", proposition="ratio", figure=PrintedFigure("1 in 5", value=1, out_of=5))
    two_in_ten = claim("Y", "2", "2023", proposition="ratio", figure=PrintedFigure("2 in 10", value=2, out_of=10))
    assert verdict(one_in_five, two_in_ten) == (AGREE, ())


def test_a_ratio_is_not_compared_with_a_change() -> None:
    share = claim("X", "120", "2023", proposition="ratio", unit="percent", base="2022")
    change = claim("Y", "20", "2023", proposition="change", unit="percent", base="2022")
    assert verdict(share, change) == (NOT_COMPARABLE, (R.proposition_differs,))


def test_of_which_in_december_stands_beside_its_year() -> None:
    year, december = claim("A", "3,140", "2023"), claim("A", "210", "2023-12")
    assert {each.id for each in find_positions([year, december])} == {year.id, december.id}
    assert verdict(year, december) == (NO_CONFLICT, (R.part_of_whole, R.period_within))
    total = claim("A", "1,000,340", "2022-02-24/2025-06-12", "cumulative", "2025-06-12")
    day = claim("A", "1,140", "2025-06-12", "within", "2025-06-12")
    assert len(find_positions([total, day])) == 2
    assert verdict(total, day) == (NO_CONFLICT, (R.part_of_whole, R.period_within))


# A crowd: one event, three estimates


def test_three_estimates_of_one_crowd() -> None:
    crowd = {"edtf": "2025-03-15", "aggregation": "snapshot", "day": "2025-03-15", "category": "protesters"}
    organisers, police = claim("O", "up to 800,000", **crowd), claim("P", "107,000", **crowd)
    researchers = claim("R", "275,000-325,000", **crowd)
    assert verdict(organisers, police) == (NO_CONFLICT, (R.open_end,))
    assert verdict(organisers, researchers) == (NO_CONFLICT, (R.open_end,))
    assert verdict(police, researchers) == (CONTRADICT, (R.disjoint,))
    at_six = replace(police, said_at=datetime.fromisoformat("2025-03-15T18:00:00+01:00"))
    at_ten = replace(researchers, said_at=datetime.fromisoformat("2025-03-15T22:00:00+01:00"))
    assert verdict(at_six, at_ten) == (CONTRADICT, (R.disjoint,))
    vague = claim("V", "hundreds of thousands", **crowd)
    assert vague.id not in {each.id for each in find_positions([organisers, police, researchers, vague])}


# Rounding and hours


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("20", "21", (CONTRADICT, (R.disjoint,))),
        ("45,000", "45,280", (AGREE, (R.rounded,))),
        ("1 million", "1,040,000", (AGREE, (R.rounded,))),
        ("1 million", "1,100,000", (CONTRADICT, (R.disjoint,))),
        ("1 million", "over 1 million", (NO_CONFLICT, (R.rounded,))),
        ("nearly 950,000", "500,000", (UNDETERMINED, (R.approximate,))),
    ],
)
def test_a_printed_number_may_be_rounded(a: str, b: str, expected: tuple[Verdict, tuple[Reason, ...]]) -> None:
    assert verdict(claim("X", a, "2023"), claim("Y", b, "2023")) == expected


def test_a_rounded_total_of_a_later_day_does_not_fall() -> None:
    june = claim("X", "1,000,340", "2022-02-24/2025-06-30", "cumulative", "2025-07-06")
    july = claim("Y", "1 million", "2022-02-24/2025-07-31", "cumulative", "2025-08-06")
    assert verdict(june, july) == (NO_CONFLICT, (R.dates_differ,))
    exact = replace(july, figure=PrintedFigure("1,000,100", value=1_000_100))
    assert verdict(june, exact) == (CONTRADICT, (R.falls,))


def test_a_rounded_part_does_not_exceed_its_whole() -> None:
    part, whole = claim("X", "45,280", "2023", place="west"), claim("Y", "45,000", "2023")
    assert verdict(part, whole) == (NO_CONFLICT, (R.part_of_whole,))


def test_tolls_of_one_day() -> None:
    at_ten = claim("A", "19", "2025-03-15", "within", "2025-03-15", at="2025-03-15T10:00:00+01:00")
    that_day = claim("B", "34", "2025-03-15", "within", "2025-03-15")
    assert verdict(at_ten, that_day) == (UNDETERMINED, (R.hours_unknown,))
    said_next_day = replace(that_day, date=date(2025, 3, 16))
    assert verdict(at_ten, said_next_day) == (NO_CONFLICT, (R.dates_differ,))


def test_equal_totals_to_one_month_are_no_conflict() -> None:
    one = claim("X", "70,000", "2022-02-24/2025-06", "cumulative", "2025-07-06")
    assert verdict(one, replace(one, id="Y", source="Y")) == (NO_CONFLICT, (R.dates_differ,))
