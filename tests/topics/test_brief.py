"""The brief of a topic, in every format, on both databases."""

import csv
import io
from typing import Any

import pytest

from tests.registers import Register
from tests.topics.domains import Domain

BRIEF = "/v1/topics/russian-casualties/brief"
MAX_LINES, MAX_WIDTH = 60, 110


def read(register: Register, address: str) -> dict[str, Any]:
    answer = register.get(address)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def claims_of(group: dict[str, Any]) -> list[str]:
    return [position["claim"] for position in (*group["current"], *group["earlier"])]


def test_the_brief_has_the_positions_and_verdicts_of_the_side_by_side(shared_starter_register: Register) -> None:
    for slug in ("russian-casualties", "russian-casualties-and-missing", "north-korean-casualties", "russian-killed"):
        for state in ("", "known_on=2025-06-12", "ends_by=2024-12-31", "tolerance=0.01"):
            brief = read(shared_starter_register, f"/v1/topics/{slug}/brief?positions=500&pairs=100&{state}")
            side_by_side = read(shared_starter_register, f"/v1/topics/{slug}/side-by-side?{state}")
            shown = [claim for group in brief["groups"] for claim in claims_of(group)]
            assert sorted(shown) == sorted(position["claim"]["id"] for position in side_by_side["positions"])
            for name in ("topic", "known_on", "tolerance", "verdicts", "left_out", "ends_by"):
                assert brief[name] == side_by_side[name], name
            if side_by_side["pairs"] is not None:
                assert contradictions(brief["look"]) == contradictions(side_by_side["pairs"])


def contradictions(pairs: list[dict[str, Any]]) -> set[frozenset[str]]:
    return {frozenset({pair["a"], pair["b"]}) for pair in pairs if pair["verdict"] == "contradict"}


def test_the_worked_case_is_told_in_groups(shared_starter_register: Register) -> None:
    brief = read(shared_starter_register, f"{BRIEF}?known_on=2025-06-12")
    first = brief["groups"][0]
    assert first["title"] == "killed and wounded, since 24 February 2022"
    assert first["is_on_question"]
    assert [position["source"]["slug"] for position in first["current"]] == ["uk-mod", "ua-general-staff", "csis"]
    assert [position["age_days"] for position in first["current"]] == [0, 0, 9]
    assert first["current"][0]["figure"]["display"] == "about 1 million persons"
    killed = next(group for group in brief["groups"] if group["title"] == "killed, since 24 February 2022")
    assert not killed["is_on_question"]
    assert (killed["beside"]["verdict"], "part_of_whole" in killed["beside"]["reasons"]) == ("no_conflict", True)
    london = next(entry for entry in brief["on_same_end"] if entry["claim"] == first["current"][0]["claim"])
    assert [total["figure"]["display"] for total in london["totals"]] == ["about 1,000,340 persons"]
    assert brief["lead"][0] == (
        "Killed and wounded, since 24 February 2022: the newest figures are about 1 million persons (UK Ministry of "
        "Defence, up to 12 June 2025), about 1,000,340 persons (Ukraine's General Staff, a party, up to 12 June 2025) "
        "and over 950,000 persons (CSIS, up to 3 June 2025)."
    )


def assert_fits_screen(register: Register, address: str) -> None:
    answer = register.get(address)
    assert answer.status_code == 200, answer.text
    lines = answer.text.splitlines()
    assert 3 < len(lines) <= MAX_LINES, address
    assert max(map(len, lines)) <= MAX_WIDTH, address


def test_a_brief_fits_a_screen_unless_more_is_asked_for(shared_starter_register: Register) -> None:
    topics = read(shared_starter_register, "/v1/topics?limit=1000")["data"]
    assert len(topics) > 30
    for topic in topics:
        assert_fits_screen(shared_starter_register, f"/v1/topics/{topic['slug']}/brief.md")
    assert_fits_screen(shared_starter_register, f"{BRIEF}.txt")
    brief = read(shared_starter_register, BRIEF)
    assert all(len(claims_of(group)) <= 12 for group in brief["groups"])
    assert len(brief["look"]) == 10
    assert brief["look_left_out"] > 0
    more = read(shared_starter_register, f"{BRIEF}?positions=40&pairs=100")
    assert len(more["look"]) == 10 + brief["look_left_out"]
    assert sum(map(len, map(claims_of, more["groups"]))) == sum(
        len(claims_of(group)) + group["left_out"] for group in brief["groups"]
    )
    assert len(shared_starter_register.get(f"{BRIEF}.txt?positions=40&pairs=100").text.splitlines()) > MAX_LINES


def test_the_format_is_that_of_the_suffix_then_the_parameter_then_accept(shared_starter_register: Register) -> None:
    for address, accept, media_type in (
        (BRIEF, "*/*", "application/json"),
        (BRIEF, "text/markdown", "text/markdown; charset=utf-8"),
        (f"{BRIEF}?format=txt", "text/markdown", "text/plain; charset=utf-8"),
        (f"{BRIEF}.csv?format=txt", "text/markdown", "text/csv; charset=utf-8"),
        (f"{BRIEF}.json", "text/markdown", "application/json"),
    ):
        answer = shared_starter_register.get(address, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    refused = shared_starter_register.get(f"{BRIEF}.xlsx")
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    assert refused.json()["hint"] == "the formats are json, md, txt and csv"
    refused = shared_starter_register.get(BRIEF, headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert shared_starter_register.get("/v1/topics/nothing/brief").status_code == 404
    assert shared_starter_register.get(f"{BRIEF}?positions=0").status_code == 422


def test_the_csv_has_a_row_for_each_shown_position(shared_starter_register: Register) -> None:
    brief = read(shared_starter_register, BRIEF)
    answer = shared_starter_register.get(f"{BRIEF}.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == [claim for group in brief["groups"] for claim in claims_of(group)]
    first = brief["groups"][0]["current"][0]
    assert rows[0]["group"] == brief["groups"][0]["title"]
    assert (rows[0]["display"], rows[0]["source"]) == (first["figure"]["display"], first["source"]["slug"])
    assert (rows[0]["is_current"], rows[0]["effective_end"]) == ("true", first["effective_end"])


def test_a_past_state_of_the_register_has_the_same_brief(starter_register: Register) -> None:
    before = read(starter_register, BRIEF)
    claim = before["groups"][0]["current"][0]["claim"]
    body = {"reason": "A slip.", "retracted_on": "2026-01-05"}
    answer = starter_register.write("POST", f"/v1/claims/{claim}/retraction", body, **{"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    after = read(starter_register, BRIEF)
    assert after["groups"][0]["current"][0]["claim"] != claim
    assert after["retracted"] == before["retracted"] + 1
    past = read(starter_register, f"{BRIEF}?recorded_as_of=seq:{before['seq']}")
    assert [claims_of(group) for group in past["groups"]] == [claims_of(group) for group in before["groups"]]
    for name in ("lead", "look", "verdicts", "left_out"):
        assert past[name] == before[name], name
    for entry, past_entry in zip(before["on_same_end"], past["on_same_end"], strict=True):
        assert [total["claim"] for total in entry["totals"]] == [total["claim"] for total in past_entry["totals"]]


@pytest.fixture
def domain(register: Register) -> Domain:
    domain = Domain(register)
    domain.put_agencies()
    domain.put("places", "harbour")
    domain.put("subjects", "boats")
    return domain


def put_topic(domain: Domain, unit: str, **fields: Any) -> None:
    domain.put("categories", "counted", unit=unit, non_decreasing=False, **fields)
    domain.put("topics", "question", category="counted", subject="boats", place="harbour", title="How many?")


def test_an_empty_topic_says_so(domain: Domain) -> None:
    put_topic(domain, "boats")
    brief = read(domain.register, "/v1/topics/question/brief")
    assert brief["groups"] == brief["look"] == brief["on_same_end"] == []
    assert brief["lead"] == ["No source has stated a number on this question."]
    assert domain.register.get("/v1/topics/question/brief.md").text.startswith("# How many?\n")
    assert len(domain.register.get("/v1/topics/question/brief.csv").text.splitlines()) == 1


def test_the_first_group_has_the_spread_of_the_side_by_side(shared_starter_register: Register) -> None:
    compared = 0
    for topic in read(shared_starter_register, "/v1/topics?limit=1000")["data"]:
        groups = read(shared_starter_register, f"/v1/topics/{topic['slug']}/brief")["groups"]
        if groups and groups[0]["is_on_question"]:
            assert groups[0]["spread"] == {name: topic["spread"][name] for name in groups[0]["spread"]}, topic["slug"]
            compared += 1
    assert compared > 20


def test_figures_in_other_units_and_periods_are_other_groups(domain: Domain) -> None:
    put_topic(domain, "currency")
    fields = {"category": "counted", "subject": "boats", "place": "harbour", "date": "2024-02-01"}
    domain.say("a", "12", "2023", figure={"value": 12, "unit": "USD"}, **fields)
    domain.say("b", "14", "2023", figure={"value": 14, "unit": "USD"}, **fields)
    domain.say("x", "11", "2023", figure={"value": 11, "unit": "EUR"}, **fields)
    domain.say("y", "5", "2022", figure={"value": 5, "unit": "USD"}, **fields)
    brief = read(domain.register, "/v1/topics/question/brief")
    assert [(group["title"], len(claims_of(group))) for group in brief["groups"]] == [
        ("Counted in US dollars, in 2023", 2),
        ("Counted in euros, in 2023", 1),
        ("Counted in US dollars, in 2022", 1),
    ]
    spread = brief["groups"][0]["spread"]
    assert (spread["lower"], spread["upper"], spread["sources"], spread["unit"]) == (12, 14, 2, "USD")
    assert [pair["verdict"] for pair in brief["look"]] == ["contradict"]
    assert brief["groups"][1]["beside"]["reasons"] == ["unit_differs"]
    assert "US$12" in brief["lead"][0]


def test_a_hostile_title_stays_text(domain: Domain) -> None:
    put_topic(domain, "boats")
    title = "<script>alert(1)</script> [x](javascript:y) *bold* " + "ب" * 200
    domain.put("topics", "question", category="counted", subject="boats", place="harbour", title=title)
    text = domain.register.get("/v1/topics/question/brief.md").text
    assert "\\<script>" in text
    assert "\\[x\\](javascript:y)" in text
    assert max(map(len, text.splitlines())) <= 2 * MAX_WIDTH
