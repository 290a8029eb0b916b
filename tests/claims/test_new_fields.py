"""Hours, rates, units and relative figures: what a claim needs, what it serves, and what identifies it."""

import csv
import io
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from app.claims.check import find_claim_breaches
from app.claims.validation import compute_fingerprint
from app.database.tables import ClaimVersion, table_of
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
from tests.recorded_rows import record_once
from tests.registers import Register


@pytest.fixture
def small_register(register: Register) -> Register:
    """A register with the example vocabulary, and categories of every kind of unit."""
    record_once(register, record_units)
    return register


def record_units(register: Register) -> None:
    record_example_vocabulary(register)
    units = {"aid": "currency", "burned": "area", "rise": "length", "emitted": "mass", "approval": "percent"}
    for slug, unit in units.items():
        body = make_category_body(slug.title(), unit=unit, non_decreasing=False)
        assert register.write("PUT", f"/v1/categories/{slug}", body).status_code == 201


def period(edtf: str = "2024-09", aggregation: str = "within", **more: Any) -> dict[str, Any]:
    return {"edtf": edtf, "aggregation": aggregation, **more}


def post_fault(register: Register, **changes: Any) -> tuple[str, str, str | None]:
    """The only fault of a claim: pointer, detail and hint."""
    problem = assert_problem(register.write("POST", "/v1/claims", make_claim_body(**changes)), 422)
    (error,) = problem["errors"]
    return error["pointer"], error["detail"], error.get("hint")


def read_csv_row(register: Register, claim: dict[str, Any]) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(register.get("/v1/claims.csv").text))
    return next(row for row in rows if row["id"] == claim["id"])


# Hours


def test_the_day_of_a_claim_follows_from_its_moment(small_register: Register) -> None:
    moment = "2025-06-12T00:30:00+03:00"
    made = submit_claim(small_register, make_claim_body(date=None, said_at=moment))
    assert (made["said_at"], made["date"], made["date_edtf"]) == (moment, "2025-06-12", "2025-06-12")
    assert small_register.get(made["links"]["self"]).json()["said_at"] == moment
    assert read_csv_row(small_register, made)["said_at"] == moment
    assert orjson.loads(small_register.get("/v1/claims.ndjson").text)["said_at"] == moment


def test_a_moment_stands_beside_its_day(small_register: Register) -> None:
    moment = "2025-06-12T23:30:00-05:00"
    made = submit_claim(small_register, make_claim_body(date="2025-06-12", said_at=moment))
    other = submit_claim(
        small_register, make_claim_body(date=None, date_edtf="2025-06", said_at="2025-06-12T10:00:00Z")
    )
    assert (made["date"], other["date"], other["date_edtf"]) == ("2025-06-12", "2025-06-12", "2025-06")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"date": "2025-06-11"}, "#/date"),
        ({"date": None, "date_edtf": "2025-05"}, "#/date_edtf"),
        ({"date": None, "date_edtf": "2025-06-11"}, "#/date_edtf"),
    ],
)
def test_a_day_that_contradicts_the_moment_is_refused(
    small_register: Register, changes: dict[str, Any], pointer: str
) -> None:
    found, detail, _hint = post_fault(small_register, said_at="2025-06-12T00:30:00+03:00", **changes)
    assert found == pointer
    assert "2025-06-12" in detail


@pytest.mark.parametrize(
    "moment",
    [
        "2025-06-12",
        "2025-06-12T18:30:00",
        "2025-06-12T18:30+03:00",
        "2025-06-12 18:30:00+03:00",
        "2025-02-30T18:30:00Z",
        "2025-06-12T24:30:00Z",
        "2025-06-12T18:30:00+25:00",
        "0001-01-01T00:00:00+03:00",
        "noon",
        "",
    ],
)
def test_what_is_no_moment_is_refused(small_register: Register, moment: str) -> None:
    pointer, detail, _hint = post_fault(small_register, date=None, said_at=moment)
    assert pointer == "#/said_at"
    assert "2025-06-12T18:30:00+03:00" in detail


def test_a_moment_to_come_is_refused_but_not_a_day_that_has_begun_elsewhere(small_register: Register) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    later = (now + timedelta(minutes=5)).isoformat()
    assert post_fault(small_register, date=None, said_at=later)[0] == "#/said_at"
    far_east = (now - timedelta(minutes=1)).astimezone(timezone(timedelta(hours=14))).isoformat()
    made = submit_claim(small_register, make_claim_body(date=None, said_at=far_east))
    assert made["date"] == far_east[:10]


def test_two_statements_of_one_day_differ_by_their_moment(small_register: Register) -> None:
    plain = submit_claim(small_register, make_claim_body())
    early = submit_claim(small_register, make_claim_body(said_at="2025-06-12T08:00:00+03:00"))
    late = submit_claim(small_register, make_claim_body(said_at="2025-06-12T09:00:00+03:00"))
    assert len({plain["id"], early["id"], late["id"]}) == 3
    again = small_register.write("POST", "/v1/claims", make_claim_body(said_at="2025-06-12T05:00:00Z"))
    assert assert_problem(again, 409)["claim"] == early["id"]


def test_a_corrected_moment_takes_the_day_with_it(small_register: Register) -> None:
    made = submit_claim(small_register, make_claim_body(said_at="2025-06-12T08:00:00+03:00"))
    changed = correct_claim(small_register, made, said_at="2025-06-11T08:00:00+03:00").json()
    assert (changed["said_at"], changed["date"], changed["date_edtf"]) == (
        "2025-06-11T08:00:00+03:00",
        "2025-06-11",
        "2025-06-11",
    )
    revisions = small_register.get(made["links"]["revisions"]).json()["data"]
    assert {"field": "said_at", "before": "2025-06-12T08:00:00+03:00", "after": "2025-06-11T08:00:00+03:00"} in (
        revisions[1]["changes"]
    )
    assert revisions[0]["said_at"] == "2025-06-12T08:00:00+03:00"
    problem = assert_problem(correct_claim(small_register, made, date="2025-06-09"), 422)
    assert problem["errors"][0]["pointer"] == "#/changes/date"
    without = correct_claim(small_register, made, said_at=None).json()
    assert (without["said_at"], without["date"]) == (None, "2025-06-11")


# Rates


@pytest.mark.parametrize("per", ["hour", "day", "week", "month", "year"])
def test_a_rate_has_a_unit_of_time(small_register: Register, per: str) -> None:
    made = submit_claim(small_register, make_claim_body(period=period(aggregation="rate", per=per)))
    assert made["period"]["per"] == per
    assert small_register.get(made["links"]["self"]).json()["period"]["per"] == per
    assert read_csv_row(small_register, made)["per"] == per


def test_a_rate_without_a_unit_of_time_is_refused(small_register: Register) -> None:
    pointer, _detail, hint = post_fault(small_register, period=period(aggregation="rate"))
    assert pointer == "#/period/per"
    assert "`day`" in str(hint)


@pytest.mark.parametrize("aggregation", ["cumulative", "within", "snapshot"])
def test_only_a_rate_has_a_unit_of_time(small_register: Register, aggregation: str) -> None:
    assert post_fault(small_register, period=period(aggregation=aggregation, per="day"))[0] == "#/period/per"
    assert submit_claim(small_register, make_claim_body(period=period(aggregation=aggregation, per=None)))


def test_a_rate_a_day_is_not_a_rate_a_week(small_register: Register) -> None:
    daily = submit_claim(small_register, make_claim_body(period=period(aggregation="rate", per="day")))
    weekly = submit_claim(small_register, make_claim_body(period=period(aggregation="rate", per="week")))
    assert daily["id"] != weekly["id"]
    assert_problem(correct_claim(small_register, weekly, period=period(aggregation="rate", per="day")), 409)
    assert_problem(correct_claim(small_register, weekly, period=period(aggregation="rate")), 422)


def test_the_sentence_of_a_rate_names_its_unit_of_time(small_register: Register) -> None:
    for per, words in (("hour", "an hour"), ("week", "a week")):
        made = submit_claim(small_register, make_claim_body(period=period(aggregation="rate", per=per)))
        assert f" {words} " in small_register.get(f"{made['links']['citation']}.txt").text


# Units


@pytest.mark.parametrize(
    ("category", "units"),
    [
        ("aid", ["USD", "EUR"]),
        ("burned", ["hectares", "acres", "km²"]),
        ("rise", ["millimeter", "metres"]),
        ("emitted", ["tonnes", "pounds"]),
    ],
)
def test_a_figure_of_a_dimension_has_its_own_unit(small_register: Register, category: str, units: list[str]) -> None:
    for unit in units:
        figure = make_figure_body("14.9", value=14.9, unit=unit)
        made = submit_claim(small_register, make_claim_body(category=category, figure=figure))
        assert made["figure"]["unit"] == unit
        assert small_register.get(made["links"]["self"]).json()["figure"]["unit"] == unit
        assert read_csv_row(small_register, made)["unit"] == unit


@pytest.mark.parametrize(
    ("category", "unit", "hint"),
    [
        ("aid", None, "ISO 4217"),
        ("aid", "usd", "`USD`"),
        ("aid", "dollars", "ISO 4217"),
        ("aid", "currency", "ISO 4217"),
        ("burned", None, "hectares"),
        ("burned", "meters", "hectares"),
        ("emitted", "tons", "short-tons"),
        ("killed", "soldiers", "leave `unit` out"),
        ("killed", "percent", "`change`"),
        ("killed", "times", "`ratio`"),
    ],
)
def test_a_unit_that_does_not_belong_to_the_category_is_refused(
    small_register: Register, category: str, unit: str | None, hint: str
) -> None:
    figure = make_figure_body("1,351", value=1351, unit=unit)
    pointer, _detail, found = post_fault(small_register, category=category, figure=figure)
    assert pointer == "#/figure/unit"
    assert hint in str(found)


def test_a_vague_figure_of_a_dimension_needs_no_unit(small_register: Register) -> None:
    made = submit_claim(small_register, make_claim_body(category="aid", figure={"as_printed": "a lot of money"}))
    assert made["figure"]["unit"] == "currency"


def test_the_unit_of_the_category_is_the_same_as_none(small_register: Register) -> None:
    made = submit_claim(small_register, make_claim_body())
    figure = make_figure_body(value=1351, unit="persons")
    problem = assert_problem(small_register.write("POST", "/v1/claims", make_claim_body(figure=figure)), 409)
    assert problem["claim"] == made["id"]


def test_spellings_of_one_unit_are_one_claim(small_register: Register) -> None:
    bodies = [
        make_claim_body(category="burned", figure=make_figure_body(value=1351, unit=unit))
        for unit in ("km²", "square kilometres")
    ]
    submit_claim(small_register, bodies[0])
    assert_problem(small_register.write("POST", "/v1/claims", bodies[1]), 409)
    submit_claim(small_register, make_claim_body(category="burned", figure=make_figure_body(value=1351, unit="acres")))


# Changes and ratios


CHANGE = {"as_printed": "20% more than in 2022", "value": 20, "unit": "percent", "relative_to": "2022"}
TIMES = {
    "as_printed": "four times the 2006–2024 average",
    "value": 4,
    "unit": "times",
    "relative_to": "2006–2024 average",
}


@pytest.mark.parametrize(
    ("relative_to", "kind"),
    [
        ("2022", "period"),
        ("1951–1980", "period"),
        ("brigade", "subject"),
        ("wounded", "category"),
        ("the average of the war", "words"),
    ],
)
def test_a_change_is_relative_to_a_period_a_subject_a_category_or_words(
    small_register: Register, relative_to: str, kind: str
) -> None:
    made = submit_claim(
        small_register, make_claim_body(proposition="change", figure={**CHANGE, "relative_to": relative_to})
    )
    assert (
        made["figure"].items()
        >= {
            "value": 20,
            "unit": "percent",
            "relative_to": relative_to,
            "relative_to_kind": kind,
        }.items()
    )
    assert small_register.get(made["links"]["self"]).json() == made
    assert small_register.get("/v1/claims").json()["data"] == [made]
    assert orjson.loads(small_register.get("/v1/claims.ndjson").text) == made
    (revision,) = small_register.get(made["links"]["revisions"]).json()["data"]
    assert revision["figure"] == made["figure"]


def test_a_base_becomes_a_subject_when_the_subject_is_recorded(small_register: Register) -> None:
    made = submit_claim(
        small_register, make_claim_body(proposition="change", figure={**CHANGE, "relative_to": "garrison"})
    )
    assert made["figure"]["relative_to_kind"] == "words"
    assert small_register.write("PUT", "/v1/subjects/garrison", {"name": "The garrison"}).status_code == 201
    path = made["links"]["self"]
    assert small_register.get(path).json()["figure"]["relative_to_kind"] == "subject"
    past = small_register.get(path, params={"recorded_as_of": f"seq:{made['seq']}"}).json()
    assert past["figure"]["relative_to_kind"] == "words"


@pytest.mark.parametrize(
    ("kind", "record", "name"),
    [
        ("subjects", {"name": "The garrison"}, "The garrison"),
        ("subjects", {"name": "The garrison", "in_text": {"group": "the garrison of $1"}}, "the garrison of $1"),
        ("categories", make_category_body(name="Prisoners"), "Prisoners"),
        (
            "categories",
            make_category_body(name="Guns", in_text={"form": "lost", "noun": "towed guns"}),
            "towed guns",
        ),
        (
            "categories",
            make_category_body(
                name="Held",
                in_text={
                    "form": "people",
                    "past": "been taken prisoner",
                    "future": "be taken prisoner",
                    "part": "taken prisoner",
                },
            ),
            "taken prisoner",
        ),
    ],
)
def test_a_display_names_the_record_that_its_figure_is_relative_to(
    small_register: Register, kind: str, record: dict[str, Any], name: str
) -> None:
    figure = {"as_printed": "20%", "value": 20, "unit": "percent", "relative_to": "base"}
    first = submit_claim(small_register, make_claim_body(proposition="change", figure=figure))
    assert first["figure"]["display"] == "20% more (relative to base)"
    rows = small_register.get("/v1/claims").json()["data"]
    assert rows == [first]  # and cached
    assert small_register.write("PUT", f"/v1/{kind}/base", record).status_code == 201
    display = f"20% more (relative to {name})"
    second = submit_claim(small_register, make_claim_body(proposition="change", source="paper", figure=figure))
    for answer in (
        small_register.get("/v1/claims").json()["data"],
        [small_register.get(first["links"]["self"]).json(), second],
        [orjson.loads(line) for line in small_register.get("/v1/claims.ndjson").text.splitlines()],
        small_register.get(f"{first['links']['self']}/revisions").json()["data"],
    ):
        assert {claim["figure"]["display"] for claim in answer} == {display}
    assert small_register.get("/v1/claims.csv?fields=display").text.split("\r\n")[1:-1] == [display] * 2
    past = small_register.get(first["links"]["self"], params={"recorded_as_of": f"seq:{first['seq']}"}).json()
    assert past["figure"]["display"] == "20% more (relative to base)"
    topic = {"title": "How much more?", **{name: first[name] for name in ("category", "subject", "place")}}
    assert small_register.write("PUT", "/v1/topics/more", topic).status_code == 201
    for path in ("brief.md", "chart.svg", "chart.svg?view=timeline", "feed.atom"):
        text = small_register.get(f"/v1/topics/more/{path}").text
        assert name in text
        assert "relative to base" not in text, path
    assert name in str(small_register.get("/v1/topics/more").json()["newest"])


@pytest.mark.parametrize(
    ("figure", "unit"),
    [
        ({**CHANGE, "as_printed": "12.5 per cent less", "value": -12.5}, "percent"),
        ({"as_printed": "1,200 more", "value": 1200, "relative_to": "2022"}, "persons"),
        ({"as_printed": "1,200 fewer", "value": -1200, "relative_to": "2022", "unit": "persons"}, "persons"),
        (
            {"as_printed": "over 20%", "lower": 20, "lower_inclusive": False, "unit": "percent", "relative_to": "x"},
            "percent",
        ),
    ],
)
def test_a_change_is_in_percent_or_in_the_unit_of_the_category(
    small_register: Register, figure: dict[str, Any], unit: str
) -> None:
    made = submit_claim(small_register, make_claim_body(proposition="change", figure=figure))
    assert made["figure"]["unit"] == unit
    assert small_register.get(f"{made['links']['citation']}.txt").text.count(figure["as_printed"]) == 1


@pytest.mark.parametrize(
    ("proposition", "figure", "pointer"),
    [
        ("change", {**CHANGE, "relative_to": None}, "#/figure/relative_to"),
        ("change", {**CHANGE, "unit": None}, "#/figure/unit"),
        ("change", {**CHANGE, "unit": "times"}, "#/figure/unit"),
        ("change", {**CHANGE, "out_of": 5}, "#/figure/out_of"),
        ("change", {"as_printed": "far more", "relative_to": "2022"}, "#/figure/value"),
        ("ratio", {**TIMES, "relative_to": None}, "#/figure/relative_to"),
        ("ratio", {**TIMES, "unit": None}, "#/figure/out_of"),
        ("ratio", {**TIMES, "out_of": 5}, "#/figure/out_of"),
        ("ratio", {**TIMES, "unit": "percent"}, "#/figure/unit"),
        ("quantity", {**CHANGE, "unit": None}, "#/figure"),
        ("quantity", {**TIMES, "unit": None}, "#/figure"),
    ],
)
def test_a_relative_figure_that_is_incomplete_is_refused(
    small_register: Register, proposition: str, figure: dict[str, Any], pointer: str
) -> None:
    body = make_claim_body(proposition=proposition, figure=figure)
    problem = assert_problem(small_register.write("POST", "/v1/claims", body), 422)
    assert pointer in {error["pointer"] for error in problem["errors"]}


def test_a_relative_wording_is_no_quantity_of_persons(small_register: Register) -> None:
    figure = {"as_printed": "20% more than in 2022", "value": 20}
    _pointer, detail, hint = post_fault(small_register, figure=figure)
    assert "is relative to something else" in detail
    assert '"proposition": "change"' in str(hint)


@pytest.mark.parametrize(
    "figure",
    [
        {"as_printed": "more than 20%", "lower": 20, "lower_inclusive": False},
        {"as_printed": "5% higher than a year before", "value": 5},
    ],
)
def test_a_quantity_in_percent_is_no_relative_wording(small_register: Register, figure: dict[str, Any]) -> None:
    assert (
        submit_claim(small_register, make_claim_body(category="approval", figure=figure))["figure"]["unit"] == "percent"
    )


def test_one_in_five_is_not_one_percent(small_register: Register) -> None:
    figure: dict[str, Any] = {"as_printed": "one in five"}
    for wrong in ({}, {"value": 1, "out_of": 5}):
        assert post_fault(small_register, category="approval", figure=figure | wrong)
    given = submit_claim(small_register, make_claim_body(category="approval", figure=figure | {"value": 20}))
    assert given["figure"]["display"] == "20%"
    ratio = submit_claim(small_register, make_claim_body(category="approval", proposition="ratio", figure=figure))
    assert ratio["figure"]["display"] == "1 in 5"


def test_a_change_of_a_percentage_is_in_points_or_in_percent(small_register: Register) -> None:
    """Unemployment "up 0.1 points" is not up by 0.1 percent, and the two are not compared."""
    words = "up 0.1 percentage points"
    body = make_claim_body(category="approval", proposition="change", figure={"as_printed": words})
    read = submit_claim(small_register, body | {"figure": {"as_printed": words, "relative_to": "2022"}})
    assert (
        read["figure"].items()
        >= {"value": 0.1, "unit": "percentage-points", "display": f"{words} (relative to 2022)"}.items()
    )
    in_percent = {"as_printed": words, "value": 0.1, "unit": "percent", "relative_to": "2022"}
    assert post_fault(small_register, category="approval", proposition="change", figure=in_percent)
    persons = {"as_printed": words, "value": 0.1, "unit": "percentage-points", "relative_to": "2022"}
    assert post_fault(small_register, proposition="change", figure=persons)[0] == "#/figure/unit"


def test_a_ratio_is_one_number_in_times_or_one_of_many(small_register: Register) -> None:
    times = submit_claim(small_register, make_claim_body(proposition="ratio", figure=TIMES))
    times_words = TIMES["as_printed"]
    assert times["figure"].items() >= {"value": 4, "out_of": None, "unit": "times", "relative_to_kind": "words"}.items()
    share = {"as_printed": "1 in 5", "value": 1, "out_of": 5}
    made = submit_claim(small_register, make_claim_body(proposition="ratio", figure=share))
    assert made["figure"].items() >= {"out_of": 5, "unit": "persons", "relative_to_kind": None}.items()
    for claim, words, told in ((times, times_words, f"“{times_words}”"), (made, "1 in 5", " 1 in 5 ")):
        assert told in small_register.get(f"{claim['links']['citation']}.txt").text
        assert small_register.get(f"/v1/claims/{claim['id']}/figure.txt").text.strip() == words


# Days to come


@pytest.mark.parametrize("modality", ["count", "estimate", "allegation"])
@pytest.mark.parametrize(
    "edtf", ["2025-06-13", "2025-07", "2026", "2025-06-13/..", "2025-06-13/2025-06-20", "2025-08~"]
)
def test_a_figure_about_days_to_come_is_a_forecast(small_register: Register, modality: str, edtf: str) -> None:
    pointer, detail, hint = post_fault(small_register, modality=modality, period=period(edtf))
    assert pointer == "#/period/edtf"
    assert "2025-06-12" in detail
    assert "forecast" in str(hint)
    assert submit_claim(small_register, make_claim_body(modality="forecast", period=period(edtf)))


@pytest.mark.parametrize(
    "edtf",
    ["2025", "2025-06", "2025-06-12/..", "2025-06-12", "2022/2030", "../2030", "/2030", "2025-06-13~", "2025-07~"],
)
def test_a_period_that_runs_on_is_accepted(small_register: Register, edtf: str) -> None:
    assert submit_claim(small_register, make_claim_body(period=period(edtf)))


def test_a_figure_without_a_date_is_held_against_the_day_of_its_recording(small_register: Register) -> None:
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    assert post_fault(small_register, date=None, period=period(tomorrow))[0] == "#/period/edtf"
    assert submit_claim(small_register, make_claim_body(date=None, period=period(tomorrow[:4])))
    assert submit_claim(small_register, make_claim_body(date=None, modality="forecast", period=period(tomorrow)))


def test_the_last_day_that_a_date_can_mean_counts(small_register: Register) -> None:
    uncertain = {"date": None, "date_edtf": "2025-06"}
    assert submit_claim(small_register, make_claim_body(**uncertain, period=period("2025-06-20")))
    assert post_fault(small_register, **uncertain, period=period("2025-07"))[0] == "#/period/edtf"
    assert submit_claim(small_register, make_claim_body(**uncertain, modality="forecast", period=period("2025-06-20")))
    assert (
        post_fault(small_register, **uncertain, modality="forecast", period=period("2025-06-01"))[0] == "#/period/edtf"
    )


@pytest.mark.parametrize("edtf", ["2025-06-12", "2025-05", "2022-02-24/2025-06-12", "2024"])
def test_a_forecast_of_the_past_is_refused(small_register: Register, edtf: str) -> None:
    pointer, detail, _hint = post_fault(small_register, modality="forecast", period=period(edtf))
    assert pointer == "#/period/edtf"
    assert "after it was made" in detail


# Numbers


@pytest.mark.parametrize("field", ["value", "lower", "upper"])
def test_a_total_that_only_grows_is_not_negative(small_register: Register, field: str) -> None:
    figure = {"as_printed": "minus five", field: -5}
    assert post_fault(small_register, figure=figure)[0] == f"#/figure/{field}"
    assert submit_claim(small_register, make_claim_body(category="survived", figure=figure))
    relative = {"as_printed": "five fewer", "value": -5, "relative_to": "2022"}
    assert submit_claim(small_register, make_claim_body(proposition="change", figure=relative))


@pytest.mark.parametrize("number", [999_999_999_999_999_000, -123_456_789_012_345_000, 10**17, 999_999_999_999_999])
def test_a_large_number_keeps_its_digits(small_register: Register, number: int) -> None:
    body = make_claim_body(category="survived", figure=make_figure_body(str(number), value=number, upper=number))
    made = submit_claim(small_register, body)
    path = made["links"]["self"]
    assert f'"value":{number},' in small_register.get(path).text.replace(" ", "")
    assert f'"upper":{number},' in small_register.get("/v1/claims.ndjson").text.replace(" ", "")
    assert read_csv_row(small_register, made)["value"] == str(number)
    (revision,) = small_register.get(made["links"]["revisions"]).json()["data"]
    assert revision["figure"]["value"] == number


@pytest.mark.parametrize("number", [10**18, -(10**18), 1e18, 1_234_567_890_123_456])
def test_a_number_that_a_double_does_not_identify_is_refused(small_register: Register, number: float) -> None:
    figure = make_figure_body("a lot", value=number)
    assert post_fault(small_register, category="survived", figure=figure)[0] == "#/figure/value"


# What was recorded before


def break_rules(register: Register, claim: dict[str, Any], **columns: Any) -> None:
    """Change the record of a claim behind the back of the rules, as an earlier release might have recorded it."""
    table = table_of(ClaimVersion)
    with register.database.write() as session:
        session.execute(table.update().where(table.c.id == claim["id"]).values(columns))


def test_a_correction_is_refused_by_a_new_rule_only_where_it_touches_the_field(small_register: Register) -> None:
    rate = submit_claim(small_register, make_claim_body(period=period(aggregation="rate", per="day")))
    early = submit_claim(small_register, make_claim_body(period=period("2025-06-12")))
    break_rules(small_register, rate, per=None)
    break_rules(small_register, early, date=date(2025, 6, 11), date_edtf="2025-06-11")
    for claim in (rate, early):
        assert correct_claim(small_register, claim, note="A note.").status_code == 200
        assert correct_claim(small_register, claim, figure=make_figure_body("7", value=7)).status_code == 200
    assert_problem(correct_claim(small_register, rate, period=period(aggregation="rate")), 422)
    assert_problem(correct_claim(small_register, early, period=period("2025-06-13")), 422)
    assert_problem(correct_claim(small_register, early, date="2025-06-10"), 422)
    assert correct_claim(small_register, rate, period=period(aggregation="rate", per="week")).status_code == 200
    assert correct_claim(small_register, early, date="2025-06-12").status_code == 200


def make_old_rate(register: Register) -> dict[str, Any]:
    """A rate without a unit of time, as earlier releases recorded it."""
    rate = submit_claim(register, make_claim_body(period=period(aggregation="rate", per="day")))
    table = table_of(ClaimVersion)
    with register.database.read() as session:
        row = dict(session.execute(table.select().where(table.c.id == rate["id"])).mappings().one())
    break_rules(register, rate, per=None, fingerprint=compute_fingerprint({**row, "per": None}))
    return rate


def test_a_file_from_before_changes_nothing_even_where_it_breaks_a_new_rule(small_register: Register) -> None:
    rate = make_old_rate(small_register)
    for suffix, media_type in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
        rows = small_register.get(f"/v1/claims.{suffix}").text
        headers = {**small_register.keys["editor"], "Content-Type": media_type}
        report = small_register.client.post("/v1/imports", content=rows, headers=headers).json()
        assert report["counts"].items() >= {"rows": 1, "unchanged": 1}.items(), report
        refused = rows.replace("1,351", "1,352").replace("1351", "1352").replace(rate["id"], "")
        assert small_register.client.post("/v1/imports", content=refused, headers=headers).status_code == 422
    body = make_claim_body(period=period(aggregation="rate"))
    assert assert_problem(small_register.write("POST", "/v1/claims", body), 409)["claim"] == rate["id"]


def test_the_check_lists_recorded_claims_that_break_a_new_rule(small_register: Register) -> None:
    rate = make_old_rate(small_register)
    early = submit_claim(small_register, make_claim_body(period=period("2025-06-12")))
    break_rules(small_register, early, date=date(2025, 6, 11))
    undated = submit_claim(small_register, make_claim_body(date=None, period=period("2024")))
    break_rules(small_register, undated, period="2099", period_start=date(2099, 1, 1), period_end=date(2099, 12, 31))
    forecast = submit_claim(small_register, make_claim_body(modality="forecast", period=period("2025-07")))
    break_rules(small_register, forecast, date=date(2025, 7, 31), date_edtf="2025-07-31")
    below_zero = submit_claim(
        small_register, make_claim_body(category="survived", figure=make_figure_body("-5", value=-5))
    )
    break_rules(small_register, below_zero, category="killed")
    aid = submit_claim(
        small_register, make_claim_body(category="aid", figure=make_figure_body("9", value=9, unit="USD"))
    )
    break_rules(small_register, aid, unit=None)
    relative = submit_claim(small_register, make_claim_body(figure=make_figure_body("20", value=20)))
    break_rules(small_register, relative, as_printed="20% more than in 2022")
    submit_claim(small_register, make_claim_body())
    taken_down = submit_claim(small_register, make_claim_body(period=period("2023")))
    break_rules(small_register, taken_down, status="removed", date=None, period="", aggregation="rate")
    assert [(each.claim, each.rule) for each in find_claim_breaches(small_register.database)] == [
        (rate["id"], "rate_without_per"),
        (early["id"], "period_after_statement"),
        (undated["id"], "period_after_statement"),
        (forecast["id"], "forecast_of_past"),
        (below_zero["id"], "negative_total"),
        (aid["id"], "unit_missing"),
        (relative["id"], "relative_wording"),
    ]


def test_topics_state_the_interest_of_sources_and_what_is_narrower(small_register: Register) -> None:
    body = {"title": "How many?", "category": "casualties", "subject": "army", "place": "war"}
    made = small_register.write("PUT", "/v1/topics/losses", body).json()
    assert (made["interests"], made["narrower"]) == ({}, ["category"])
    fuller = {**body, "interests": {"paper": "aligned"}, "narrower": ["place", "category", "place"]}
    changed = small_register.write("PUT", "/v1/topics/losses", fuller)
    assert changed.status_code == 200
    assert changed.json().items() >= {"interests": {"paper": "aligned"}, "narrower": ["category", "place"]}.items()
    assert small_register.get("/v1/topics/losses").json().items() >= {"interests": {"paper": "aligned"}}.items()
    past = small_register.get("/v1/topics/losses", params={"recorded_as_of": f"seq:{made['seq']}"}).json()
    assert (past["interests"], past["narrower"]) == ({}, ["category"])
    again = small_register.write("PUT", "/v1/topics/losses", fuller).json()
    assert again["seq"] == changed.json()["seq"]
    assert small_register.write("PUT", "/v1/topics/losses", {**fuller, "narrower": []}).json()["narrower"] == []
    unknown = {**body, "interests": {"papre": "party"}}
    problem = assert_problem(small_register.write("PUT", "/v1/topics/losses", unknown), 422)
    assert problem["errors"][0].items() >= {"pointer": "#/interests/papre"}.items()
    assert "paper" in problem["errors"][0]["hint"]


def test_categories_are_additive_if_their_totals_only_grow_or_if_it_is_said(small_register: Register) -> None:
    categories = {row["slug"]: row["additive"] for row in small_register.get("/v1/categories").json()["data"]}
    assert categories.items() >= {"killed": True, "survived": False, "aid": False}.items()
    body = make_category_body(non_decreasing=False, additive=True)
    assert small_register.write("PUT", "/v1/categories/missing", body).json()["additive"] is True
    assert small_register.get("/v1/categories/missing").json()["additive"] is True
    refused = make_category_body(non_decreasing=True, additive=False)
    assert_problem(small_register.write("PUT", "/v1/categories/missing", refused), 422)


def test_a_takedown_erases_the_new_fields(small_register: Register) -> None:
    figure = {**CHANGE, "relative_to": "1951–1980"}
    body = make_claim_body(
        proposition="change",
        figure=figure,
        period=period(aggregation="rate", per="month"),
        said_at="2025-06-12T08:00:00+03:00",
        citations=[make_citation_body()],
    )
    made = submit_claim(small_register, body)
    answer = small_register.write(
        "POST", f"{made['links']['self']}/takedown", {"reason": "A name."}, **{"If-Match": "*"}
    )
    assert answer.status_code == 200
    table = table_of(ClaimVersion)
    with small_register.database.read() as session:
        rows = session.execute(table.select().where(table.c.id == made["id"])).mappings().all()
    assert len(rows) == 2
    for row in rows:
        assert {row[name] for name in ("unit", "per", "said_at", "relative_to", "relative_period")} == {None}


def test_columns_of_other_files_are_appended(small_register: Register) -> None:
    topic_columns = ["narrower", "newest", "spread_lower"]
    for path, columns in (("topics", topic_columns), ("categories", ["additive", "fractional"])):
        header = small_register.get(f"/v1/{path}.csv").text.split("\r\n", 1)[0].split(",")
        start = header.index("seq") + 1
        assert header[start : start + len(columns)] == columns
