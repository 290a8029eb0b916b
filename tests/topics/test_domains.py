"""The rules over registers of other domains than that of the starter claims."""

from typing import Any

import pytest

from tests.examples import assert_problem
from tests.registers import Register
from tests.topics.domains import Domain, between, record_flood, record_sea_route, value

DEAD: dict[str, Any] = {"category": "dead", "subject": "travellers", "place": "sea"}
JANUARY: dict[str, Any] = {"date": "2024-01-06"}
FEBRUARY: dict[str, Any] = {"date": "2024-02-06"}


@pytest.fixture
def sea(register: Register) -> Domain:
    return record_sea_route(register)


@pytest.fixture
def flood(register: Register) -> Domain:
    return record_flood(register)


# The sea route


def test_disjoint_totals_contradict_and_say_which_is_above(sea: Domain) -> None:
    a = sea.say("a", "3,140", "2023", **DEAD, **JANUARY)
    b = sea.say("b", "3,760", "2023", **DEAD, **FEBRUARY)
    pair = sea.compare(a, b)
    assert (pair["verdict"], pair["reasons"], pair["above"], pair["gap"]) == ("contradict", ["disjoint"], b, 620)
    assert "Agency a" in pair["why"]
    assert "Agency b" in pair["why"]
    assert "3,140 persons" in pair["why"]


def test_rates_per_different_units_of_time_are_not_compared(sea: Domain) -> None:
    rates: dict[str, Any] = {"aggregation": "rate", **DEAD, **JANUARY}
    a = sea.say("a", "about 262", "2023", period={"per": "month"}, **rates)
    b = sea.say("b", "8.6", "2023", period={"per": "day"}, **rates)
    assert sea.verdict(a, b) == ("not_comparable", {"rate_differs"})
    problem = assert_problem(sea.try_to_say("x", "about 262", "2023", **rates), 422)
    assert "per" in problem["errors"][0]["pointer"]


def test_a_part_of_the_sea_stands_in_the_topic_of_the_sea(sea: Domain) -> None:
    sea.put("topics", "sea-dead", narrower=["category", "place"], **DEAD)
    whole = sea.say("a", "3,140", "2023", **DEAD, **JANUARY)
    part = sea.say("a", "2,300-2,600", "2023", **{**DEAD, "place": "central"}, **JANUARY)
    body = sea.side_by_side("sea-dead")
    assert {position["claim"]["id"] for position in body["positions"]} == {whole, part}
    assert [(pair["verdict"], pair["reasons"]) for pair in body["pairs"]] == [("no_conflict", ["part_of_whole"])]
    assert (body["spread"]["lower"], body["spread"]["upper"], body["spread"]["sources"]) == (3140, 3140, 1)
    assert body["spread"]["ratio"] is None
    assert body["spread"]["left_out"] == [{"claim": part, "reasons": ["place_differs"]}]
    assert len(sea.side_by_side("sea-dead", narrower="category")["positions"]) == 1


@pytest.mark.parametrize("aggregation", ["within", "cumulative"])
def test_half_a_year_cannot_exceed_the_year(sea: Domain, aggregation: str) -> None:
    half = "2023-01/2023-06" if aggregation == "within" else "2023-01-01/2023-06-30"
    part = sea.say("x", "4,200", half, aggregation, **DEAD, **JANUARY)
    whole = sea.say("y", "3,000", "2023", **DEAD, **JANUARY)
    assert sea.verdict(part, whole) == ("contradict", {"part_of_whole", "period_within"})
    assert sea.compare(part, whole)["above"] == part


def test_dimensions_that_nest_in_opposite_ways_are_not_compared(sea: Domain) -> None:
    children = sea.say("a", "3,900", "2023", **{**DEAD, "subject": "children"}, **JANUARY)
    everybody = sea.say("b", "4,200", "2023-01/2023-06", **DEAD, **JANUARY)
    assert sea.verdict(children, everybody) == ("not_comparable", {"window_differs"})


def test_a_month_and_its_year_of_one_source_are_two_positions(sea: Domain) -> None:
    sea.say("a", "3,140", "2023", **DEAD, **JANUARY)
    sea.say("a", "210", "2023-12", **DEAD, **JANUARY)
    body = sea.side_by_side(category="dead", subject="travellers", place="sea")
    assert len(body["positions"]) == 2
    assert [(pair["verdict"], set(pair["reasons"])) for pair in body["pairs"]] == [
        ("no_conflict", {"part_of_whole", "period_within"})
    ]


def test_a_replaced_figure_is_no_position(sea: Domain) -> None:
    old = sea.say("a", "5,080", "2016", date="2017-01-06", **DEAD)
    new = sea.say("a", "5,143", "2016", date="2018-01-05", **DEAD)
    relation = {"type": "supersedes", "claim": old}
    assert sea.register.write("POST", f"/v1/claims/{new}/relations", relation).status_code == 201

    def positions(**parameters: str) -> list[str]:
        body = sea.side_by_side(category="dead", subject="travellers", place="sea", **parameters)
        return [position["claim"]["id"] for position in body["positions"]]

    assert positions() == [new]
    assert positions(known_on="2018-01-04") == [old]
    assert sea.verdict(old, new) == ("not_comparable", {"superseded"})
    retraction = {"reason": "Withdrawn.", "retracted_on": "2019-01-01"}
    revision = {"If-Match": '"1"'}
    assert sea.register.write("POST", f"/v1/claims/{new}/retraction", retraction, **revision).status_code == 200
    assert positions() == []
    body = sea.side_by_side(category="dead", subject="travellers", place="sea")
    assert body["left_out"] == {"superseded": 1}


def test_one_utterance_relayed_differently_is_one_position(sea: Domain) -> None:
    said: dict[str, Any] = {**DEAD, "date": "2017-01-06"}
    exact = sea.say("a", "5,096", "2016", **said)
    rounded = sea.say("a", "about 5,100", "2016", **said)
    bound = sea.say("a", "more than 5,000", "2016", **said)
    body = sea.side_by_side(category="dead", subject="travellers", place="sea")
    assert [position["claim"]["id"] for position in body["positions"]] == [exact]
    assert set(body["positions"][0]["wordings"]) == {exact, rounded, bound}
    assert sea.verdict(rounded, bound) == ("agree", {"one_utterance"})


def test_two_lower_bounds_of_one_day_are_not_one_utterance(sea: Domain) -> None:
    said: dict[str, Any] = {**DEAD, "date": "2017-01-06"}
    ids = {sea.say("a", printed, "2016", **said) for printed in ("at least 300", "at least 1,200")}
    body = sea.side_by_side(category="dead", subject="travellers", place="sea")
    assert {position["claim"]["id"] for position in body["positions"]} == ids
    assert [(pair["verdict"], set(pair["reasons"])) for pair in body["pairs"]] == [
        ("no_conflict", {"one_source", "open_end"})
    ]


def test_a_topic_takes_all_totals_over_one_period_and_counts_the_rest(sea: Domain) -> None:
    sea.put("topics", "sea-2023", aggregation="within", since="2023-01-01", **DEAD)
    total = sea.say("x", "2,900", "2023-01-01/2023-12-31", "cumulative", **DEAD, **JANUARY)
    sea.say("y", "700", "2023-06/2023-07", **DEAD, **JANUARY)
    sea.say("z", "12", "2023-12-31", "snapshot", **DEAD, **JANUARY)
    body = sea.side_by_side("sea-2023")
    assert [position["claim"]["id"] for position in body["positions"]] == [total]
    assert body["left_out"] == {"aggregation_differs": 1, "window_differs": 1}
    row = sea.register.get("/v1/topics/sea-2023").json()
    assert row["claims"] == 1


@pytest.mark.parametrize(
    ("edtf", "fields"),
    [
        ("2026-12", {"date": "2026-11-01"}),
        ("2020", {"date": "2026-01-01", "modality": "forecast"}),
        ("2023", {"date": "2024-01-01", "figure": value(-5)}),
    ],
)
def test_no_figure_is_about_days_to_come(sea: Domain, edtf: str, fields: dict[str, Any]) -> None:
    assert_problem(sea.try_to_say("a", "5", edtf, **{**DEAD, **fields}), 422)


def test_a_period_that_runs_on_ends_on_the_day_of_the_statement(sea: Domain) -> None:
    sea.say("a", "1,200", "2026", date="2026-09-02", **DEAD)
    (position,) = sea.side_by_side(category="dead", subject="travellers", place="sea")["positions"]
    assert position["effective_end"] == "2026-09-02"


def test_an_undated_claim_is_left_out_under_known_on_and_counted(sea: Domain) -> None:
    sea.say("a", "1,200", "2023", **DEAD)
    asked = {"category": "dead", "subject": "travellers", "place": "sea"}
    body = sea.side_by_side(**asked)
    assert (len(body["positions"]), body["known_on"], body["left_out"]) == (1, None, {})
    body = sea.side_by_side(**asked, known_on="2026-11-29")
    assert (len(body["positions"]), body["known_on"], body["left_out"]) == (0, "2026-11-29", {"date_unknown": 1})


def test_origins_follow_only_relations_that_had_been_stated(sea: Domain) -> None:
    later = {**DEAD, "derivation": "derived"}
    first = sea.say("a", "1,000", "2023", date="2024-01-01", derivation="own", **DEAD)
    second = sea.say("b", "1,000", "2023", date="2024-01-02", **later)
    third = sea.say("x", "1,010", "2023", date="2024-01-03", **later)
    for claim, basis, day in ((third, second, "2024-01-03"), (second, first, "2024-02-01")):
        document = {"url": f"https://example.org/on/{day}", "title": "On the basis", "published_on": day}
        made = sea.register.write("POST", "/v1/documents", document | {"publisher": "agency-y"})
        relation = {"type": "based_on", "claim": basis, "document": made.json()["id"]}
        assert sea.register.write("POST", f"/v1/claims/{claim}/relations", relation).status_code == 201

    def roots(**parameters: str) -> list[str]:
        body = sea.side_by_side(category="dead", subject="travellers", place="sea", **parameters)
        (position,) = [each for each in body["positions"] if each["claim"]["id"] == third]
        return [root["claim"] for root in position["roots"]]

    assert roots() == [first]
    assert roots(known_on="2024-01-31") == [second]


def test_a_moment_limits_counts_and_positions_alike(sea: Domain) -> None:
    sea.put("topics", "sea-dead", **DEAD)
    sea.say("a", "10", "2024-01-06", said_at="2024-01-06T08:00:00+01:00", **DEAD)
    sea.say("b", "14", "2024-01-06", said_at="2024-01-06T18:00:00+01:00", **DEAD)
    sea.say("x", "15", "2024-01-06", date="2024-01-06", **DEAD)
    for moment, expected in (("2024-01-06T06:59:59Z", 0), ("2024-01-06T12:00:00Z", 1), ("2024-01-07T00:00:00Z", 3)):
        body = sea.side_by_side("sea-dead", known_on=moment)
        row = sea.register.get("/v1/topics/sea-dead", params={"known_on": moment}).json()
        rows = sea.register.get("/v1/topics/sea-dead/claims", params={"known_on": moment}).json()["data"]
        assert (len(body["positions"]), row["claims"], len(rows)) == (expected, expected, expected)
        assert body["known_on"] == moment
    other = sea.say("y", "16", "2024-01-06", date="2024-01-07", **DEAD)
    claims = [each["id"] for each in sea.register.get("/v1/claims", params={"source": "agency-a"}).json()["data"]]
    assert_problem(
        sea.register.get("/v1/compare", params={"a": claims[0], "b": other, "known_on": "2024-01-06T12:00:00Z"}),
        404,
        "not_said_yet",
    )


def test_the_last_moment_of_a_day_is_the_position(sea: Domain) -> None:
    said: dict[str, Any] = {**DEAD, "date": "2024-01-06"}
    period = ("2024-01-06", "within")
    sea.say("a", "10", *period, said_at="2024-01-06T08:00:00+01:00", **said)
    last = sea.say("a", "14", *period, said_at="2024-01-06T18:00:00+01:00", **said)
    body = sea.side_by_side(category="dead", subject="travellers", place="sea")
    assert [position["claim"]["id"] for position in body["positions"]] == [last]
    without = sea.say("a", "12", *period, **said)
    body = sea.side_by_side(category="dead", subject="travellers", place="sea")
    assert {position["claim"]["id"] for position in body["positions"]} == {last, without}
    assert [(pair["verdict"], pair["reasons"]) for pair in body["pairs"]] == [("undetermined", ["same_day"])]


def test_all_pairs_are_counted_even_if_they_are_not_listed(sea: Domain) -> None:
    for number in range(45):
        sea.put("sources", f"agency-{number}", kind="media", interest="unknown")
        sea.say(str(number), f"{1000 + number * 10:,}", "2023", **DEAD, **JANUARY)
    sea.put("topics", "sea-dead", **DEAD)
    body = sea.side_by_side("sea-dead")
    assert body["pairs"] is None
    assert body["verdicts"]["contradict"] > 900
    assert sum(body["verdicts"].values()) == 45 * 44 // 2
    assert sea.register.get("/v1/topics/sea-dead").json()["verdicts"] == body["verdicts"]
    against = sea.side_by_side("sea-dead", against="agency-7")["pairs"]
    assert len(against) == 44


# Floods


def test_a_region_is_a_part_of_the_country_only_for_what_adds_up(flood: Domain) -> None:
    said: dict[str, Any] = {"subject": "people", "date": "2024-01-06"}

    def compare(category: str) -> tuple[str, set[str]]:
        euros = {"figure": value(10e9, unit="EUR"), "category": category, **said}
        country = flood.say("a", "10 billion", "2023", place="country", **euros)
        euros["figure"] = value(1e9, unit="EUR")
        return flood.verdict(country, flood.say("b", "1 billion", "2023", place="region", **euros))

    assert compare("damage") == ("no_conflict", {"part_of_whole"})
    assert compare("income-lost") == ("not_comparable", {"place_differs"})


def test_currencies_are_never_converted(flood: Domain) -> None:
    said: dict[str, Any] = {"category": "damage", "subject": "people", "place": "country", "date": "2024-01-06"}
    euros = flood.say("a", "10 billion", "2023", figure=value(10e9, unit="EUR"), **said)
    dollars = flood.say("b", "12 billion", "2023", figure=value(12e9, unit="USD"), **said)
    assert flood.verdict(euros, dollars) == ("not_comparable", {"unit_differs"})


def test_areas_are_converted_exactly(flood: Domain) -> None:
    said: dict[str, Any] = {"category": "burnt-area", "subject": "people", "place": "country", "date": "2024-01-06"}
    hectares = flood.say("a", "1,000", "2023-07-01", "snapshot", figure=value(1000, unit="hectares"), **said)
    acres = flood.say("b", "2,471", "2023-07-01", "snapshot", figure=value(2471, unit="acres"), **said)
    more = flood.say("x", "1,100", "2023-07-01", "snapshot", figure=value(1100, unit="hectares"), **said)
    assert flood.verdict(hectares, acres) == ("agree", {"rounded", "unit_converted"})
    assert flood.verdict(hectares, more) == ("contradict", {"disjoint"})


def test_percentages_excess_deaths_and_changes_have_no_parts(flood: Domain) -> None:
    said: dict[str, Any] = {"subject": "people", "date": "2024-01-06"}

    def compare(category: str, region: float, country: float, **fields: Any) -> tuple[str, set[str]]:
        figure = fields.pop("figure", {})
        ids = [
            flood.say(
                source,
                str(number),
                "2023",
                category=category,
                place=place,
                figure=value(number, **figure),
                **said,
                **fields,
            )
            for source, number, place in (("a", region, "region"), ("b", country, "country"))
        ]
        return flood.verdict(*ids)

    assert compare("unemployment", 9, 5) == ("not_comparable", {"place_differs"})
    assert compare("excess-deaths", 500, 400) == ("not_comparable", {"place_differs"})
    change = {"unit": "percent", "relative_to": "2022"}
    assert compare("drowned", 40, 20, proposition="change", figure=change) == ("not_comparable", {"place_differs"})


def test_equal_shares_agree_and_a_change_is_no_share(flood: Domain) -> None:
    said: dict[str, Any] = {"category": "drowned", "subject": "people", "place": "country", "date": "2024-01-06"}
    one = flood.say("a", "1 in 5", "2023", proposition="ratio", figure=value(1, out_of=5), **said)
    two = flood.say("b", "2 in 10", "2023", proposition="ratio", figure=value(2, out_of=10), **said)
    assert flood.verdict(one, two) == ("agree", set())
    base: dict[str, Any] = {"relative_to": "2022"}
    change: dict[str, Any] = {"proposition": "change", "figure": value(20, unit="percent", **base)}
    more = flood.say("x", "20% more than in 2022", "2023", **change, **said)
    times = flood.say("y", "1.2 times", "2023", proposition="ratio", figure=value(1.2, unit="times", **base), **said)
    verdict, reasons = flood.verdict(more, times)
    assert verdict == "not_comparable"
    assert "proposition_differs" in reasons
    problem = flood.try_to_say("z", "20% more than in 2022", "2023", figure=value(20), **said)
    assert_problem(problem, 422)


def test_a_change_does_not_fall(flood: Domain) -> None:
    said: dict[str, Any] = {"category": "drowned", "subject": "people", "place": "country", "proposition": "change"}
    figure = {"unit": "percent", "relative_to": "2022"}
    ids = [
        flood.say(
            "a", "20%", "2023-01-01/2023-05-31", "cumulative", date="2023-06-01", figure=value(20, **figure), **said
        ),
        flood.say(
            "b", "12%", "2023-01-01/2023-08-31", "cumulative", date="2023-09-01", figure=value(12, **figure), **said
        ),
    ]
    assert flood.verdict(*ids) == ("not_comparable", {"window_differs"})


# Crowds and hours


def test_of_three_estimates_of_a_crowd_two_contradict(register: Register) -> None:
    crowd = Domain(register)
    crowd.put_agencies()
    crowd.put("places", "square")
    crowd.put("subjects", "protesters")
    crowd.put("categories", "present", unit="persons", non_decreasing=False)
    question = {"category": "present", "subject": "protesters", "place": "square"}
    crowd.put("topics", "protest", interests={"agency-a": "party"}, **question)
    said: dict[str, Any] = {**question, "date": "2025-03-15"}
    day = ("2025-03-15", "snapshot")
    crowd.say("a", "up to 800,000", *day, **said)
    police = crowd.say("b", "107,000", *day, said_at="2025-03-15T18:00:00+01:00", **said)
    research = crowd.say(
        "x", "275,000-325,000", *day, said_at="2025-03-15T22:00:00+01:00", figure=between(275000, 325000), **said
    )
    vague = crowd.say("y", "a few hundred thousand", *day, **said)
    body = crowd.side_by_side("protest")
    verdicts = sorted((pair["verdict"], *pair["reasons"]) for pair in body["pairs"])
    assert verdicts == [("contradict", "disjoint"), ("no_conflict", "open_end"), ("no_conflict", "open_end")]
    assert crowd.verdict(police, research) == ("contradict", {"disjoint"})
    assert [claim["id"] for claim in body["related"]["claims"]] == [vague]
    interests = {position["source"]["slug"]: position["source"]["interest"] for position in body["positions"]}
    assert interests == {"agency-a": "party", "agency-b": "independent", "agency-x": "independent"}
    assert register.get("/v1/sources/agency-a").json()["interest"] == "independent"
    assert {position["claim"]["source"]["interest"] for position in body["positions"]} == {"party", "independent"}
    for path in ("claims", "timeline", "side-by-side"):
        csv = register.get(f"/v1/topics/protest/{path}.csv", params={"fields": "source,source_interest"}).text
        assert set(csv.split()[1:]) >= {"agency-a,party", "agency-b,independent"}
        assert "agency-a,independent" not in csv
    assert "agency-a,independent" in register.get("/v1/claims.csv", params={"fields": "source,source_interest"}).text


def test_an_unknown_hour_leaves_a_growing_toll_undetermined(sea: Domain) -> None:
    said: dict[str, Any] = {**DEAD, "modality": "count"}
    first = sea.say("a", "19", "2025-03-15", said_at="2025-03-15T10:00:00+01:00", **said)
    second = sea.say("b", "34", "2025-03-15", date="2025-03-15", **said)
    next_day = sea.say("x", "34", "2025-03-15", date="2025-03-16", **said)
    assert sea.verdict(first, second) == ("undetermined", {"hours_unknown"})
    assert sea.verdict(first, next_day) == ("no_conflict", {"dates_differ"})


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("20", "21", ("contradict", {"disjoint"})),
        ("45,000", "45,280", ("agree", {"rounded"})),
        ("1 million", "1,040,000", ("agree", {"rounded"})),
        ("1 million", "1,100,000", ("contradict", {"disjoint"})),
        ("1 million", "over 1 million", ("no_conflict", {"rounded"})),
        ("nearly 950,000", "500,000", ("undetermined", {"approximate"})),
    ],
)
def test_rounded_numbers_agree(sea: Domain, a: str, b: str, verdict: tuple[str, set[str]]) -> None:
    ids = [sea.say(source, printed, "2023", **DEAD, **JANUARY) for source, printed in (("a", a), ("b", b))]
    assert sea.verdict(*ids) == verdict


def test_a_rounded_total_of_a_later_day_does_not_fall(sea: Domain) -> None:
    early = sea.say("a", "1,000,340", "2022-02-24/2023-06-30", "cumulative", **DEAD, **JANUARY)
    late = sea.say("b", "1 million", "2022-02-24/2023-07-31", "cumulative", **DEAD, **JANUARY)
    assert sea.verdict(early, late) == ("no_conflict", {"dates_differ"})
    month = [sea.say(source, "70,000", "2022-02-24/2023-06", "cumulative", **DEAD, **JANUARY) for source in ("x", "y")]
    assert sea.verdict(*month)[0] == "no_conflict"
