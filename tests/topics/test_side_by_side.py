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
def side_by_side(shared_starter_register: Register) -> Answer:
    return Answer(shared_starter_register)


def test_kyiv_and_london_are_undetermined_without_a_tolerance_and_agree_at_one_percent(
    shared_starter_register: Register, side_by_side: Answer
) -> None:
    for answer, verdict, reasons in (
        (side_by_side, "undetermined", ["approximate"]),
        (Answer(shared_starter_register, ADDRESS + "&tolerance=0.01"), "agree", []),
    ):
        kyiv, london = answer.position("ua-general-staff", "1,000,340"), answer.position("uk-mod", "one million")
        pair = answer.pair(kyiv, london)
        assert (pair["verdict"], pair["reasons"]) == (verdict, reasons)
        assert (pair["gap"], pair["ratio"]) == (340, 1.00034)


def test_csis_is_in_no_conflict_with_either(side_by_side: Answer) -> None:
    csis = side_by_side.position("csis", "950,000")
    for other in (
        side_by_side.position("ua-general-staff", "1,000,340"),
        side_by_side.position("uk-mod", "one million"),
    ):
        pair = side_by_side.pair(csis, other)
        assert (pair["verdict"], pair["reasons"]) == ("no_conflict", ["dates_differ"])


def test_the_dead_that_csis_counts_are_part_of_its_casualties(side_by_side: Answer) -> None:
    whole, part = side_by_side.position("csis", "950,000"), side_by_side.position("csis", "250,000")
    pair = side_by_side.pair(whole, part)
    assert (pair["verdict"], pair["reasons"]) == ("no_conflict", ["part_of_whole"])
    related = [
        (relation["type"], relation["claim"], relation["to_claim"])
        for relation in side_by_side.body["related"]["relations"]
    ]
    assert ("part_of", part["claim"]["id"], whole["claim"]["id"]) in related


def test_named_dead_are_a_floor_under_every_casualty_total(side_by_side: Answer) -> None:
    named = side_by_side.position("mediazona-bbc", "109,625")
    totals = [each for each in side_by_side.body["positions"] if each["claim"]["category"] == "casualties"]
    assert any(each["source"]["slug"] == "us-dod" and each["claim"]["figure"]["upper"] == 80000 for each in totals)
    for total in totals:
        pair = side_by_side.pair(named, total)
        assert pair["verdict"] == "no_conflict"
        assert "part_of_whole" in pair["reasons"]


def test_moscows_last_figure_is_old_but_not_in_conflict_with_the_named_dead(side_by_side: Answer) -> None:
    moscow, named = side_by_side.position("ru-mod", "5,937"), side_by_side.position("mediazona-bbc", "109,625")
    pair = side_by_side.pair(moscow, named)
    assert (pair["verdict"], pair["reasons"]) == ("no_conflict", ["dates_differ"])
    assert moscow["age_days"] == 995


def test_the_british_figure_rests_on_kyivs_and_the_american_one_is_unknown(side_by_side: Answer) -> None:
    kyiv = side_by_side.position("ua-general-staff", "1,000,340")
    assert [root["source"] for root in kyiv["roots"]] == ["ua-general-staff"]
    assert [root["source"] for root in side_by_side.position("uk-mod", "one million")["roots"]] == ["ua-general-staff"]
    csis = {root["source"]: root["derivation"] for root in side_by_side.position("csis", "950,000")["roots"]}
    assert csis.keys() == {"ua-general-staff", "us-dod"}
    assert csis["us-dod"] == "unknown"
    origins = side_by_side.body["independent_origins"]
    assert (
        3
        <= origins["at_least"]
        <= origins["at_most"]
        < len({p["source"]["slug"] for p in side_by_side.body["positions"]})
    )


def test_every_two_positions_are_compared_once(side_by_side: Answer) -> None:
    ids = [position["claim"]["id"] for position in side_by_side.body["positions"]]
    assert {frozenset((pair["a"], pair["b"])) for pair in side_by_side.body["pairs"]} == {
        frozenset(two) for two in combinations(ids, 2)
    }


def test_no_number_comes_out_that_no_source_stated(side_by_side: Answer) -> None:
    stated = {
        each["claim"]["figure"][name]
        for each in side_by_side.body["positions"]
        for name in ("value", "lower", "upper")
        if each["claim"]["figure"][name] is not None
    }
    assert {side_by_side.body["spread"]["lower"], side_by_side.body["spread"]["upper"]} <= stated
    for position in side_by_side.body["positions"]:
        ends = {position["interval"][end] for end in ("lower", "upper")} - {None} if position["interval"] else set()
        assert ends <= stated


def test_nothing_said_later_is_known(side_by_side: Answer) -> None:
    assert all(each["claim"]["date"] <= "2025-06-12" for each in side_by_side.body["positions"])
    assert side_by_side.body["known_on"] == "2025-06-12"
