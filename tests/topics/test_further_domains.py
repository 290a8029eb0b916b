"""The rules over three more domains: wildfires, parties and polls, and a river.

All values, names and addresses are invented.
"""

from random import Random
from typing import Any

import pytest

from app.topics.side_by_side import compare_positions
from tests.comparison.registers import HIERARCHY, draw_register
from tests.examples import assert_problem
from tests.recorded_rows import record_once
from tests.registers import Register
from tests.topics.domains import Domain, between, value

FOREST: dict[str, Any] = {"subject": "forest", "place": "land"}
BURNT: dict[str, Any] = {"category": "burnt", **FOREST, "date": "2025-08-11"}
HOUSES: dict[str, Any] = {"category": "houses-lost", **FOREST, "modality": "count"}
FIRE = "2025-08-01/2025-08-10"
CUMULATIVE = "cumulative"


@pytest.fixture
def fires(register: Register) -> Domain:
    record_once(register, record_fires)
    return Domain(register)


def record_fires(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    for slug, parents in {"land": [], "north": ["land"], "valley": ["north"], "south": ["land"]}.items():
        domain.put("places", slug, parents=parents)
    domain.put("subjects", "forest")
    domain.put("subjects", "pine-forest", parents=["forest"])
    domain.put("categories", "burnt", unit="area", non_decreasing=True)
    domain.put("categories", "cost", unit="currency", additive=True)
    domain.put("categories", "houses-lost", unit="houses", non_decreasing=True)


def area(number: float, unit: str = "hectares", **more: Any) -> dict[str, Any]:
    return {"figure": value(number, unit=unit, **more)}


def test_areas_of_a_fire_and_of_its_parts(fires: Domain) -> None:
    whole = fires.say("a", "12,000", FIRE, CUMULATIVE, **BURNT, **area(12000))
    acres = fires.say("b", "29,653", FIRE, CUMULATIVE, **BURNT, **area(29653, "acres"))
    kilometers = fires.say("y", "120", FIRE, CUMULATIVE, **BURNT, **area(120, "square-kilometers"))
    assert fires.verdict(whole, acres) == ("agree", {"rounded", "unit_converted"})
    assert fires.verdict(whole, kilometers) == ("agree", {"unit_converted"})
    north = fires.say("a", "13,000", FIRE, CUMULATIVE, **BURNT | {"place": "north"}, **area(13000))
    south = fires.say("b", "9,000", FIRE, CUMULATIVE, **BURNT | {"place": "south"}, **area(9000))
    valley = BURNT | {"place": "valley", "subject": "pine-forest"}
    two_days = fires.say("b", "13,000", "2025-08-03/2025-08-04", **valley, **area(13000))
    assert fires.verdict(north, whole) == ("contradict", {"part_of_whole"})
    assert fires.verdict(north, south) == ("not_comparable", {"place_differs"})
    assert fires.verdict(two_days, whole) == ("contradict", {"part_of_whole", "period_within"})
    body = fires.side_by_side(category="burnt", subject="forest", place="land", narrower="true")
    spread = body["spread"]
    assert (spread["lower"], spread["unit"], spread["sources"]) == (12000, "hectares", 3)
    assert {each["claim"] for each in spread["left_out"]} == {north, south, two_days}


def test_a_cost_can_fall_and_a_currency_is_not_converted(fires: Domain) -> None:
    cost: dict[str, Any] = {"category": "cost", **FOREST, "date": "2025-09-01"}
    dollars = fires.say("a", "2.1 billion", "2025-08", **cost, figure=value(2.1e9, unit="USD"))
    north = fires.say("b", "3 billion", "2025-08", **cost | {"place": "north"}, figure=value(3e9, unit="USD"))
    euros = fires.say("x", "2 billion", "2025-08", **cost, figure=value(2e9, unit="EUR"))
    year = fires.say("y", "1.9bn", "2025", **cost | {"date": "2026-01-05"}, figure=value(1.9e9, unit="USD"))
    assert fires.verdict(dollars, north) == ("contradict", {"part_of_whole"})
    assert fires.verdict(dollars, euros) == ("not_comparable", {"unit_differs"})
    assert fires.verdict(dollars, year) == ("no_conflict", {"part_of_whole", "period_within"})


def test_changes_and_multiples_are_compared_with_their_like(fires: Domain) -> None:
    year: dict[str, Any] = BURNT | {"date": "2026-01-02"}

    def change(source: str, number: float, unit: str, base: str, **fields: Any) -> str:
        figure = value(number, unit=unit, relative_to=base)
        return fires.say(source, "so much more", "2025", **year, figure=figure, **({"proposition": "change"} | fields))

    more = change("a", 20, "percent", "2024")
    same = change("b", 20, "percent", " 2024 ")
    less = change("x", -20, "percent", "2024")
    hectares = change("y", 1000, "hectares", "2024")
    acres = change("z", 2471, "acres", "2024")
    other_base = change("a", 20, "percent", "2006–2024")
    times = change("a", 4, "times", "2006–2024", proposition="ratio")
    also_times = change("b", 4, "times", "2006/2024", proposition="ratio")
    assert fires.verdict(more, same) == ("agree", set())
    assert fires.verdict(more, less) == ("contradict", {"disjoint"})
    assert fires.verdict(more, hectares) == ("not_comparable", {"unit_differs"})
    assert fires.verdict(hectares, acres) == ("agree", {"rounded", "unit_converted"})
    assert fires.verdict(more, other_base) == ("not_comparable", {"base_differs"})
    assert fires.verdict(times, also_times) == ("agree", set())
    assert "proposition_differs" in fires.verdict(times, other_base)[1]
    for wrong in ({}, {"proposition": "change"}):
        answer = fires.try_to_say("b", "20% more", "2025", **year, figure=value(20, unit="percent"), **wrong)
        assert_problem(answer, 422)


def test_updates_of_one_day_are_ordered_by_their_moments(fires: Domain) -> None:
    def at(source: str, number: str, moment: str) -> str:
        return fires.say(source, number, "2025-08-05", **HOUSES, said_at=f"2025-08-05T{moment}")

    first, last = at("a", "120", "10:00:00+02:00"), at("a", "210", "15:00:00+02:00")
    between_them = at("b", "180", "12:00:00+02:00")
    same_moment = at("z", "200", "10:00:00Z")
    without = fires.say("x", "150", "2025-08-05", **HOUSES, date="2025-08-05")
    next_day = fires.say("y", "300", "2025-08-05", **HOUSES, date="2025-08-06")
    assert fires.verdict(first, last) == ("no_conflict", {"dates_differ"})
    assert fires.verdict(last, between_them) == ("no_conflict", {"dates_differ"})
    assert fires.verdict(between_them, same_moment) == ("contradict", {"disjoint"})
    assert fires.verdict(last, without) == ("undetermined", {"hours_unknown"})
    assert fires.verdict(last, next_day) == ("no_conflict", {"dates_differ"})
    early = at("y", "260", "11:00:00Z")
    assert fires.verdict(early, last) == ("contradict", {"falls"})

    def positions(**parameters: str) -> list[str]:
        body = fires.side_by_side(category="houses-lost", **FOREST, **parameters)
        return [position["claim"]["figure"]["as_printed"] for position in body["positions"]]

    assert positions() == ["150", "180", "200", "210", "300"]
    assert positions(known_on="2025-08-05T08:30:00Z") == ["120"]
    assert positions(known_on="2025-08-05") == ["150", "180", "200", "210", "260"]


def test_what_positions_replaced_is_counted(fires: Domain) -> None:
    said = [fires.say("a", number, "2024", **HOUSES, date=f"2025-0{n}-05") for n, number in ((1, "100"), (2, "110"))]
    said.append(fires.say("a", "125", "2024", **HOUSES, date="2025-03-05"))
    for newer, older in ((said[1], said[0]), (said[2], said[1])):
        relation = {"type": "supersedes", "claim": older}
        assert fires.register.write("POST", f"/v1/claims/{newer}/relations", relation).status_code == 201
    fires.put("topics", "houses", category="houses-lost", **FOREST)
    for parameters, position, left_out in (
        ({}, said[2], {"superseded": 2}),
        ({"known_on": "2025-01-31"}, said[0], {}),
        ({"known_on": "2025-02-28"}, said[1], {"superseded": 1}),
        ({"known_on": "2025-03-05"}, said[2], {"superseded": 2}),
    ):
        body = fires.side_by_side("houses", **parameters)
        assert [each["claim"]["id"] for each in body["positions"]] == [position]
        assert body["left_out"] == left_out
    assert fires.verdict(said[0], said[2]) == ("not_comparable", {"superseded"})
    assert fires.verdict(said[0], said[1], known_on="2025-02-28") == ("not_comparable", {"superseded"})


def test_a_relay_of_a_replaced_figure_is_no_position(fires: Domain) -> None:
    old = fires.say("a", "9,001", "2024", **HOUSES, date="2025-01-05")
    relayed = [
        fires.say("a", printed, "2024", **HOUSES, date="2025-01-05", figure=figure)
        for printed, figure in (("about 9,000", value(9000, approximate=True)), ("at least 9,000", {"lower": 9000}))
    ]
    figure = {"lower": 8000, "lower_inclusive": False}
    kept = fires.say("a", "over 8,000", "2024", **HOUSES, date="2025-01-04", figure=figure)
    new = fires.say("a", "9,064", "2024", **HOUSES | {"modality": "estimate"}, date="2025-03-05")
    relation = {"type": "supersedes", "claim": old}
    assert fires.register.write("POST", f"/v1/claims/{new}/relations", relation).status_code == 201
    fires.put("topics", "houses", category="houses-lost", **FOREST)
    body = fires.side_by_side("houses")
    assert {each["claim"]["id"] for each in body["positions"]} == {new, kept}
    assert body["left_out"] == {"superseded": 3}
    (before,) = fires.side_by_side("houses", known_on="2025-02-01")["positions"]
    assert before["claim"]["id"] == old
    assert set(before["wordings"]) == {old, *relayed}


def test_two_claims_are_compared_as_in_the_side_by_side(fires: Domain) -> None:
    """Two wordings would be one utterance if the source had not said something else as well."""
    said: dict[str, Any] = {**HOUSES, "date": "2024-01-06"}
    wordings = [fires.say("a", printed, "2023", **said) for printed in ("about 5,000", "around 5,100")]
    assert fires.verdict(*wordings) == ("agree", {"one_utterance"})
    third = fires.say("a", "over 4,000", "2023", **said)
    body = fires.side_by_side(category="houses-lost", **FOREST)
    assert len(body["positions"]) == 3
    in_table = {frozenset((pair["a"], pair["b"])): (pair["verdict"], set(pair["reasons"])) for pair in body["pairs"]}
    for a, b in ((wordings[0], wordings[1]), (wordings[0], third), (wordings[1], third)):
        assert fires.verdict(a, b) == in_table[frozenset((a, b))]
    assert in_table[frozenset(wordings)] == ("undetermined", {"approximate"})


def test_a_date_may_be_an_interval(fires: Domain) -> None:
    claim = fires.say("z", "90", "2022", **HOUSES, date_edtf="2024-12-31/..")
    body = fires.register.get(f"/v1/claims/{claim}").json()
    assert (body["date"], body["date_edtf"]) == (body["recorded_at"][:10], "2024-12-31/..")
    assert "not before 31 December 2024" in fires.register.get(f"/v1/claims/{claim}/citation.txt").text
    published = {"url": "https://example.org/z", "title": "A page", "published_on": "2025-02-01"}
    dated = fires.say("z", "91", "2022", **HOUSES, date_edtf="2024-12-31/..", citations=[{"document": published}])
    assert fires.register.get(f"/v1/claims/{dated}").json()["date"] == "2025-02-01"
    for edtf, fields in (("2999-12-31/..", {}), ("2024-12-31/..", {"date": "2024-12-30"}), ("31.12.2024/..", {})):
        assert_problem(fires.try_to_say("z", "92", "2022", **HOUSES, date_edtf=edtf, **fields), 422)


# Parties and polls, and a river

MEMBERS: dict[str, Any] = {"category": "members", "subject": "party-red", "place": "country", "modality": "count"}
SHARE: dict[str, Any] = {"category": "vote-share", "subject": "party-red", "place": "country"}
DROWNED: dict[str, Any] = {"category": "drowned", "subject": "river", "place": "bridge"}


@pytest.fixture
def country(register: Register) -> Domain:
    record_once(register, record_country)
    return Domain(register)


def record_country(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    for place, parents in (("country", []), ("north", ["country"]), ("bridge", [])):
        domain.put("places", place, parents=parents)
    for subject, parents in (("party-red", []), ("party-red-youth", ["party-red"]), ("river", [])):
        domain.put("subjects", subject, parents=parents)
    domain.put("categories", "members", unit="persons", additive=True)
    domain.put("categories", "vote-share", unit="percent")
    domain.put("categories", "level", unit="length")
    domain.put("categories", "drowned", unit="persons", non_decreasing=True)


def test_memberships_and_shares_of_one_day(country: Domain) -> None:
    new_year, snapshot = "2025-12-31", "snapshot"
    january: dict[str, Any] = {"date": "2026-01-15"}
    members = country.say("a", "412,000", new_year, snapshot, **MEMBERS, **january)
    about = country.say("b", "about 380,000", new_year, snapshot, **MEMBERS, **january)
    summer = country.say("y", "450,000", "2025-06-30", "snapshot", **MEMBERS, date="2025-07-10")
    youth = country.say("a", "500,000", new_year, snapshot, **MEMBERS | {"subject": "party-red-youth"}, **january)
    north = country.say("b", "413,000", new_year, snapshot, **MEMBERS | {"place": "north"}, **january)
    assert country.verdict(members, about) == ("undetermined", {"approximate"})
    assert country.verdict(members, about, tolerance="0.1") == ("agree", set())
    assert country.verdict(members, about, tolerance="0.01") == ("contradict", {"disjoint"})
    assert country.verdict(members, summer) == ("not_comparable", {"window_differs"})
    assert country.verdict(youth, members) == ("contradict", {"part_of_whole"})
    assert country.verdict(north, members) == ("contradict", {"part_of_whole"})
    assert country.verdict(youth, north) == ("not_comparable", {"subject_differs", "place_differs"})

    def share(source: str, figure: dict[str, Any], **fields: Any) -> str:
        return country.say(source, "so many", "2025-10-05", "snapshot", **SHARE | fields, figure=figure)

    poll = share("a", value(31), date="2025-10-06")
    interval = share("b", between(28, 30) | {"coverage": 0.95}, date="2025-10-06")
    expected = share("x", value(33), date="2025-10-01", modality="forecast")
    in_the_north = share("y", value(40), date="2025-10-06", place="north")
    assert country.verdict(poll, interval) == ("contradict", {"disjoint", "probabilistic"})
    assert country.verdict(poll, expected) == ("not_comparable", {"modality_differs"})
    assert country.verdict(poll, in_the_north) == ("not_comparable", {"place_differs"})


def test_readings_of_a_gauge(country: Domain) -> None:
    level: dict[str, Any] = {"category": "level", "subject": "river", "place": "bridge", "modality": "count"}

    def read(source: str, number: float, unit: str, moment: str) -> str:
        said_at = f"2025-09-14T{moment}+02:00"
        return country.say(
            source, str(number), "2025-09-14", "snapshot", **level, **area(number, unit), said_at=said_at
        )

    read("a", 7.12, "meter", "06:00:00")
    last = read("a", 7.95, "meter", "18:00:00")
    centimeters = read("b", 795, "centimeter", "18:00:00")
    feet = read("x", 26.1, "foot", "18:00:00")
    assert country.verdict(last, centimeters) == ("agree", {"unit_converted"})
    assert country.verdict(last, feet) == ("agree", {"rounded", "unit_converted"})
    body = country.side_by_side(category="level", subject="river", place="bridge")
    assert {position["claim"]["id"] for position in body["positions"]} == {last, centimeters, feet}
    assert (body["spread"]["sources"], body["spread"]["unit"]) == (3, "meter")


def test_a_topic_with_a_first_day_takes_no_snapshot(country: Domain) -> None:
    country.put("topics", "drowned-2025", since="2025-01-01", **DROWNED)
    running = country.say("b", "28", "2025-01-01/2025-08-31", "cumulative", **DROWNED, date="2025-09-01")
    year = country.say("a", "30", "2025", "cumulative", **DROWNED, date="2025-09-02")
    whole = country.say("x", "33", "2025", **DROWNED, date="2026-01-10")
    for day in ("2025-01-01", "2025-09-14"):
        country.say("y", "12", day, "snapshot", **DROWNED, date="2025-09-15")
    country.say("z", "40", "2024", **DROWNED, date="2025-01-10")
    body = country.side_by_side("drowned-2025")
    assert {position["claim"]["id"] for position in body["positions"]} == {running, year, whole}
    assert body["left_out"] == {"window_differs": 3}
    row = country.register.get("/v1/topics/drowned-2025").json()
    claims = country.register.get("/v1/topics/drowned-2025/claims").json()["data"]
    assert (row["claims"], len(claims)) == (3, 3)
    # "2025" of a running total is any day of the year until it was said.
    assert country.verdict(running, year) == ("undetermined", {"start_uncertain", "end_uncertain"})
    assert country.verdict(running, whole) == ("no_conflict", {"part_of_whole", "period_within"})


def test_a_retraction_is_known_from_its_day_on(country: Domain) -> None:
    claim = country.say("a", "55", "2023", **DROWNED, date="2024-01-05")
    retraction = {"reason": "Withdrawn.", "retracted_on": "2024-06-01"}
    answer = country.register.write("POST", f"/v1/claims/{claim}/retraction", retraction, **{"If-Match": '"1"'})
    assert answer.status_code == 200
    for known_on, is_known in (
        ("2024-05-31", False),
        ("2024-06-01", True),
        ("2024-06-01T12:00:00Z", False),
        ("2024-06-02T00:00:00Z", True),
    ):
        body = country.side_by_side(
            **{name: DROWNED[name] for name in ("category", "subject", "place")}, known_on=known_on
        )
        assert (len(body["positions"]), len(body["retracted"])) == ((0, 1) if is_known else (1, 0)), known_on
        (shown,) = body["retracted"] or [position["claim"] for position in body["positions"]]
        assert shown["status"] == ("retracted" if is_known else "asserted")
        listed = country.register.get("/v1/claims", params={"known_on": known_on}).json()["data"]
        assert [each["status"] for each in listed] == [shown["status"]]


def test_the_pairs_of_one_source_are_all_of_its_pairs_even_beyond_forty_positions() -> None:
    statements = draw_register(Random(3), 60, sources=3)  # noqa: S311 - no secret
    assert compare_positions(statements, HIERARCHY, None) is None
    own = [statement for statement in statements if statement.source == "source-1"]
    others = len(statements) - len(own)
    pairs = compare_positions(statements, HIERARCHY, None, "source-1") or []
    assert len(pairs) == len(own) * (len(own) - 1) // 2 + len(own) * others
    by_id = {statement.id: statement.source for statement in statements}
    assert sum(by_id[pair.a] == by_id[pair.b] for pair in pairs) == len(own) * (len(own) - 1) // 2
    assert len(compare_positions(statements[:40], HIERARCHY, None) or []) == 40 * 39 // 2
