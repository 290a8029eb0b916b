"""The wording of a figure is read at every entry of the register, and its numbers agree with it."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from app.claims.check import find_claim_breaches
from app.database.tables import ClaimVersion, columns_of, table_of
from app.starter.load import load_starter
from tests.examples import (
    assert_problem,
    correct_claim,
    make_category_body,
    make_citation_body,
    make_claim_body,
    make_figure_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register, open_register

DIFFERS = "figure_differs_from_wording"


@pytest.fixture(scope="module")
def desk(database_copies: Any) -> Iterator[Register]:
    """A register with the example vocabulary, and categories of other units, that the tests of this module share."""
    for register in open_register(database_copies.create_copy("empty")):
        record_example_vocabulary(register)
        units = {"burned": "area", "aid": "currency", "approval": "percent", "excess": "persons"}
        for slug, unit in units.items():
            body = make_category_body(slug.title(), unit=unit, non_decreasing=False, fractional=slug == "excess")
            assert register.write("PUT", f"/v1/categories/{slug}", body).status_code == 201
        yield register


def refuse_claim(register: Register, code: str, **changes: Any) -> dict[str, Any]:
    return assert_problem(register.write("POST", "/v1/claims", make_claim_body(**changes)), 422, code)


RATE = {"edtf": "2024-09", "aggregation": "rate", "per": "month"}


# Numbers left out


@pytest.mark.parametrize(
    ("figure", "changes", "stored"),
    [
        ({"as_printed": "over 29,700"}, {}, {"lower": 29700, "lower_inclusive": False, "kind": "lower_bound"}),
        ({"as_printed": "rund 147.000", "language": "de"}, {}, {"value": 147000, "approximate": True}),
        ({"as_printed": "понад 1 млн"}, {}, {"lower": 1000000, "lower_inclusive": False}),
        ({"as_printed": "5 ± 2"}, {}, {"value": 5, "lower": 3, "upper": 7, "kind": "range"}),
        ({"as_printed": "1 in 5"}, {}, {"value": 1, "out_of": 5}),
        ({"as_printed": "thousands more"}, {}, {"kind": "vague", "value": None}),
        ({"as_printed": "آلاف", "kind": "vague"}, {}, {"kind": "vague", "value": None}),
        ({"as_printed": "262.5 a month"}, {"period": RATE}, {"value": 262.5}),
        (
            {"as_printed": "1,000 hectares", "language": "en"},
            {"category": "burned"},
            {"value": 1000, "unit": "hectare"},
        ),
        ({"as_printed": "€1.2bn"}, {"category": "aid"}, {"value": 1200000000, "unit": "EUR"}),
        (
            {"as_printed": "20% more than in 2022"},
            {"proposition": "change"},
            {"value": 20, "unit": "percent", "relative_to": "2022", "relative_to_kind": "period"},
        ),
        ({"as_printed": "about 300", "value": 300}, {}, {"value": 300, "approximate": True}),
    ],
)
def test_the_numbers_of_a_wording_can_be_left_out(
    desk: Register, figure: dict[str, Any], changes: dict[str, Any], stored: dict[str, Any]
) -> None:
    made = submit_claim(desk, make_claim_body(figure=figure, note=figure["as_printed"], **changes))
    assert made["figure"].items() >= {**figure, **stored}.items()
    assert desk.get(made["links"]["self"]).json()["figure"] == made["figure"]


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        ({"as_printed": "1.200"}, "`1.200` can be 1.2 and 1200."),
        ({"as_printed": "1.2", "language": "en"}, "counted in whole units"),
        ({"as_printed": "whichever came"}, "not understood: `whichever`, `came`"),
        ({"as_printed": "260 a month"}, "is a rate"),
        ({"as_printed": "20% more than in 2022"}, "states a change"),
        ({"as_printed": "about 12 or 13", "kind": "vague"}, "more than one number"),
    ],
)
def test_a_wording_that_is_not_read_needs_numbers(desk: Register, figure: dict[str, Any], reason: str) -> None:
    error = refuse_claim(desk, "invalid_request", figure=figure)["errors"][0]
    assert error["pointer"] == "#/figure/as_printed"
    assert reason in error["detail"]
    assert error["hint"]


# Numbers that say something else


@pytest.mark.parametrize(
    ("figure", "changes"),
    [
        ({"as_printed": "3,600", "value": 360}, {}),
        ({"as_printed": "half of the area", "value": 50, "unit": "hectares"}, {"category": "burned"}),
        ({"as_printed": "260 a month", "value": 260}, {"period": {**RATE, "per": "day"}}),
        ({"as_printed": "over 950,000", "value": 950000}, {}),
        ({"as_printed": "10%", "value": 10}, {}),
    ],
)
def test_numbers_that_say_something_else_need_a_reason(
    desk: Register, figure: dict[str, Any], changes: dict[str, Any]
) -> None:
    problem = refuse_claim(desk, DIFFERS, figure=figure, **changes)
    assert [error["pointer"] for error in problem["errors"]] == ["#/figure"]
    assert " reads as " in problem["detail"]
    assert "wording_differs" in problem["hint"]
    explained = {**figure, "wording_differs": "The table beside it has the number."}
    made = submit_claim(desk, make_claim_body(figure=explained, **changes))
    assert made["figure"].items() >= explained.items()
    path = made["links"]["self"]
    assert desk.get(path).json()["figure"]["wording_differs"] == explained["wording_differs"]
    lines = [orjson.loads(line) for line in desk.get("/v1/claims.ndjson").text.splitlines()]
    assert explained["wording_differs"] in {line["figure"]["wording_differs"] for line in lines}


def test_a_verbatim_quote_has_the_wording_or_the_same_figure(desk: Register) -> None:
    figure = {"as_printed": "over 12,300"}
    other = make_citation_body(quote="Many fell.", fidelity="verbatim")
    problem = refuse_claim(desk, DIFFERS, figure=figure, citations=[other])
    assert problem["errors"][0]["pointer"] == "#/citations/0/quote"
    same = make_citation_body(quote="Загинули понад 12 300 військових.", quote_language="uk", fidelity="verbatim")
    made = submit_claim(desk, make_claim_body(figure=figure, citations=[same]))
    path = made["links"]["self"] + "/citations"
    another = make_citation_body("https://example.org/2", quote="Many fell.", fidelity="verbatim")
    assert assert_problem(desk.write("POST", path, another), 422, DIFFERS)["errors"][0]["pointer"] == "#/quote"
    assert desk.write("POST", path, {**another, "fidelity": "distorted"}).status_code == 201


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"figure": {"as_printed": "7.5", "value": 7.5}}, 422),
        ({"figure": {"as_printed": "7.5", "value": 7.5}, "category": "excess"}, 201),
        ({"figure": {"as_printed": "7.5", "value": 7.5}, "category": "approval"}, 201),
        ({"figure": {"as_printed": "7.5", "value": 7.5}, "period": RATE}, 201),
        ({"figure": {"as_printed": "7.5 of 100", "value": 7.5, "out_of": 100}}, 201),
        ({"figure": {"as_printed": "7.5 hectares", "value": 7.5, "unit": "hectares"}, "category": "burned"}, 201),
    ],
)
def test_only_measures_and_some_categories_have_fractions(desk: Register, changes: dict[str, Any], status: int) -> None:
    answer = desk.write("POST", "/v1/claims", make_claim_body(**changes))
    assert answer.status_code == status, answer.text
    assert "`fractional`" in answer.text or status == 201


# Recorded claims


def test_recorded_claims_that_break_the_rules_stay_and_are_listed(register: Register) -> None:
    record_example_vocabulary(register)
    good = submit_claim(register, make_claim_body())
    made = submit_claim(register, make_claim_body(figure={"as_printed": "3,600", "value": 3600}))
    quoted = submit_claim(
        register,
        make_claim_body(
            figure={"as_printed": "4,700"}, citations=[make_citation_body(quote="4,700 fell", fidelity="verbatim")]
        ),
    )
    table = table_of(ClaimVersion)
    with register.database.write_engine.begin() as connection:
        for claim, values in (
            (made, {"as_printed": "360.5", "value": 3600.5}),
            (quoted, {"as_printed": "4,800", "value": 4800}),
        ):
            connection.execute(table.update().where(columns_of(ClaimVersion).id == claim["id"]).values(**values))
    assert sorted((each.claim, each.rule) for each in find_claim_breaches(register.database)) == sorted(
        [
            (made["id"], "fraction_of_whole_units"),
            (made["id"], DIFFERS),
            (quoted["id"], "quote_differs_from_wording"),
        ]
    )
    assert good["id"] not in {each.claim for each in find_claim_breaches(register.database)}
    assert correct_claim(register, made, note="Seen again.").status_code == 200
    assert_problem(correct_claim(register, made, period={"edtf": "2024", "aggregation": "within"}), 422)
    figure = {"as_printed": "3,600", "value": 360}
    assert_problem(correct_claim(register, made, figure=figure), 422, DIFFERS)
    fixed = correct_claim(register, made, figure={"as_printed": "over 3,600"})
    assert fixed.json()["figure"].items() >= {"lower": 3600, "lower_inclusive": False}.items()


def test_the_starter_claims_agree_with_their_wordings(starter_register: Register) -> None:
    assert list(find_claim_breaches(starter_register.database)) == []
    assert load_starter(starter_register.database) == 0


def test_an_export_with_reasons_is_imported_elsewhere(desk: Register, register: Register) -> None:
    record_example_vocabulary(register)
    body = make_claim_body(figure=make_figure_body("17", lower=17, wording_differs="It is a floor."), note="A floor.")
    made = submit_claim(desk, {**body, "figure": {**body["figure"], "language": "en"}})
    text = desk.get(f"/v1/claims.ndjson?q={made['figure']['as_printed']}").text
    line = next(line for line in text.splitlines() if made["id"] in line)
    headers = {"Content-Type": "application/x-ndjson", **register.keys["admin"]}
    answer = register.post("/v1/imports", content=line.encode(), headers=headers)
    assert answer.status_code in {200, 201}, answer.text
    copied = register.get(made["links"]["self"]).json()["figure"]
    assert copied == made["figure"]


# The reader by itself


def get_reading(register: Register, text: str, **parameters: str) -> Any:
    return register.get("/v1/reading", params={"as_printed": text, **parameters})


def test_a_wording_is_read(desk: Register) -> None:
    answer = get_reading(desk, "surpassed one million", language="en", unit="persons")
    assert answer.status_code == 200
    assert answer.json() == {
        "figure": {
            "as_printed": "surpassed one million",
            "language": "en",
            "kind": "lower_bound",
            "value": None,
            "lower": 1000000,
            "upper": None,
            "lower_inclusive": False,
            "upper_inclusive": None,
            "approximate": False,
            "coverage": None,
            "out_of": None,
            "relative_to": None,
            "unit": "persons",
        },
        "proposition": "quantity",
        "per": None,
    }


@pytest.mark.parametrize(
    ("text", "parameters", "stated"),
    [
        ("260 a month", {}, ("quantity", "month", None)),
        ("260 a month", {"category": "killed"}, ("quantity", "month", "persons")),
        ("20% more than in 2022", {"category": "killed"}, ("change", None, "percent")),
        ("four times the average", {}, ("ratio", None, "times")),
        ("one in five", {"unit": "persons"}, ("ratio", None, "persons")),
        ("US$14.9 billion", {"category": "aid"}, ("quantity", None, "USD")),
        ("1,351 killed", {"category": "killed"}, ("quantity", None, "persons")),
    ],
)
def test_a_reading_names_proposition_and_units(
    desk: Register, text: str, parameters: dict[str, str], stated: tuple[str, str | None, str | None]
) -> None:
    body = get_reading(desk, text, **parameters).json()
    assert (body["proposition"], body["per"], body["figure"]["unit"]) == stated


@pytest.mark.parametrize(
    ("text", "parameters", "reason"),
    [
        ("1.200", {"unit": "persons"}, "ambiguous_separator"),
        ("every two hours", {}, "rate_not_supported"),
        ("one every two hours", {"language": "en"}, "rate_not_supported"),
        ("260 a month", {"unit": "persons"}, "rate"),
        ("7.5", {"category": "killed"}, "fraction_of_whole_units"),
        ("1 " * 4_000, {}, "too_long"),
    ],
)
def test_a_wording_that_is_not_read_has_a_reason(
    desk: Register, text: str, parameters: dict[str, str], reason: str
) -> None:
    problem = assert_problem(get_reading(desk, text, **parameters), 422, "unread_wording")
    assert problem["reason"] == reason
    assert problem["errors"][0]["pointer"].endswith("as_printed")
    assert len(problem["detail"]) < 500


def test_parameters_of_the_reader_are_checked(desk: Register) -> None:
    assert_problem(get_reading(desk, "5", category="kiled"), 422, "unknown_slug")
    assert_problem(desk.get("/v1/reading"), 422, "invalid_request")
    assert_problem(get_reading(desk, "5", langauge="en"), 422, "unknown_parameter")
    assert_problem(get_reading(desk, "5", language="e"), 422, "invalid_request")
