"""The worked case of the contract holds on the starter claims, on both databases."""

from itertools import combinations
from typing import Any

import pytest

from tests.registers import Register

ADDRESS = "/v1/topics/russian-casualties/side-by-side?known_on=2025-06-12"


class Answer:
    """A side-by-side whose claims are named by short keys instead of ids."""

    def __init__(self, register: Register, address: str = ADDRESS) -> None:
        answer: Any = register.get(address)
        assert answer.status_code == 200, answer.text
        self.body: dict[str, Any] = answer.json()

    def position(self, source: str, words: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = [
            each
            for each in self.body["positions"]
            if each["source"]["slug"] == source and words in each["claim"]["figure"]["as_printed"]
        ]
        assert len(found) == 1, [
            (each["source"]["slug"], each["claim"]["figure"]["as_printed"]) for each in self.body["positions"]
        ]
        return found[0]

    def pair(self, *ends: dict[str, Any]) -> dict[str, Any]:
        wanted = {each["claim"]["id"] for each in ends}
        return next(pair for pair in self.body["pairs"] if {pair["a"], pair["b"]} == wanted)


@pytest.fixture(scope="module")
def worked(shared_starter_register: Register) -> Answer:
    return Answer(shared_starter_register)


def test_kyiv_and_london_are_undetermined_without_a_tolerance_and_agree_at_one_percent(
    shared_starter_register: Register, worked: Answer
) -> None:
    for answer, verdict, reasons in (
        (worked, "undetermined", ["approximate"]),
        (Answer(shared_starter_register, ADDRESS + "&tolerance=0.01"), "agree", []),
    ):
        kyiv, london = answer.position("ua-general-staff", "1,000,340"), answer.position("uk-mod", "one million")
        pair = answer.pair(kyiv, london)
        assert (pair["verdict"], pair["reasons"]) == (verdict, reasons)
        assert (pair["gap"], pair["ratio"]) == (340, 1.00034)


def test_csis_is_in_no_conflict_with_either(worked: Answer) -> None:
    csis = worked.position("csis", "950,000")
    for other in (worked.position("ua-general-staff", "1,000,340"), worked.position("uk-mod", "one million")):
        pair = worked.pair(csis, other)
        assert (pair["verdict"], pair["reasons"]) == ("no_conflict", ["dates_differ"])


def test_the_dead_that_csis_counts_are_part_of_its_casualties(worked: Answer) -> None:
    whole, part = worked.position("csis", "950,000"), worked.position("csis", "250,000")
    pair = worked.pair(whole, part)
    assert (pair["verdict"], pair["reasons"]) == ("no_conflict", ["part_of_whole"])
    related = [
        (relation["type"], relation["claim"], relation["to_claim"]) for relation in worked.body["related"]["relations"]
    ]
    assert ("part_of", part["claim"]["id"], whole["claim"]["id"]) in related


def test_named_dead_are_a_floor_under_every_casualty_total(worked: Answer) -> None:
    named = worked.position("mediazona-bbc", "109,625")
    totals = [each for each in worked.body["positions"] if each["claim"]["category"] == "casualties"]
    assert any(each["source"]["slug"] == "us-dod" and each["claim"]["figure"]["upper"] == 80000 for each in totals)
    for total in totals:
        pair = worked.pair(named, total)
        assert pair["verdict"] == "no_conflict"
        assert "part_of_whole" in pair["reasons"]


def test_moscows_last_figure_is_old_but_not_in_conflict_with_the_named_dead(worked: Answer) -> None:
    moscow, named = worked.position("ru-mod", "5,937"), worked.position("mediazona-bbc", "109,625")
    pair = worked.pair(moscow, named)
    assert (pair["verdict"], pair["reasons"]) == ("no_conflict", ["dates_differ"])
    assert moscow["age_days"] == 995


def test_the_british_figure_rests_on_kyivs_and_the_american_one_is_unknown(worked: Answer) -> None:
    kyiv = worked.position("ua-general-staff", "1,000,340")
    assert [root["source"] for root in kyiv["roots"]] == ["ua-general-staff"]
    assert [root["source"] for root in worked.position("uk-mod", "one million")["roots"]] == ["ua-general-staff"]
    csis = {root["source"]: root["derivation"] for root in worked.position("csis", "950,000")["roots"]}
    assert csis.keys() == {"ua-general-staff", "us-dod"}
    assert csis["us-dod"] == "unknown"
    origins = worked.body["independent_origins"]
    assert 3 <= origins["at_least"] <= origins["at_most"] < len({p["source"]["slug"] for p in worked.body["positions"]})


def test_every_two_positions_are_compared_once(worked: Answer) -> None:
    ids = [position["claim"]["id"] for position in worked.body["positions"]]
    assert {frozenset((pair["a"], pair["b"])) for pair in worked.body["pairs"]} == {
        frozenset(two) for two in combinations(ids, 2)
    }


def test_no_number_comes_out_that_no_source_stated(worked: Answer) -> None:
    stated = {
        each["claim"]["figure"][name]
        for each in worked.body["positions"]
        for name in ("value", "lower", "upper")
        if each["claim"]["figure"][name] is not None
    }
    assert {worked.body["spread"]["lower"], worked.body["spread"]["upper"]} <= stated
    for position in worked.body["positions"]:
        ends = {position["interval"][end] for end in ("lower", "upper")} - {None} if position["interval"] else set()
        assert ends <= stated


def test_nothing_said_later_is_known(worked: Answer) -> None:
    assert all(each["claim"]["date"] <= "2025-06-12" for each in worked.body["positions"])
    assert worked.body["known_on"] == "2025-06-12"
