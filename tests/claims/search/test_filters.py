"""Every filter of `/v1/claims` returns the same claims as an equivalent condition in Python."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.claims.search.filters import ClaimQuery, Sort
from tests.examples import (
    assert_problem,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    read_all_rows,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

Row = dict[str, Any]
Test = Callable[[Row], bool]


@pytest.fixture(scope="module")
def rows(shared_starter_register: Register) -> list[Row]:
    found = read_all_rows(shared_starter_register, "/v1/claims")
    assert len(found) > 50
    return found


def interval_of(row: Row) -> tuple[float, float] | None:
    figure = row["figure"]
    value, lower, upper = figure["value"], figure["lower"], figure["upper"]
    if lower is None and upper is None:
        return None if value is None else (value, value)
    return (float("-inf") if lower is None else lower, float("inf") if upper is None else upper)


def with_descendants(wanted: list[str], above: dict[str, list[str]]) -> set[str]:
    """Return `wanted` and all their descendants."""
    found = set(wanted)
    while more := {slug for slug, upper in above.items() if found & set(upper)} - found:
        found |= more
    return found


def level_of(row: Row) -> str:
    return row["confidence"]["level"] if row["confidence"] else "unassessed"


def has_grade(name: str, *wanted: str) -> Test:
    return lambda row: row["confidence"] is not None and row["confidence"][name] in wanted


def ends_on_or_after(day: str) -> Test:
    return lambda row: row["period"]["end"] is None or row["period"]["end"] >= day


def starts_on_or_before(day: str) -> Test:
    return lambda row: row["period"]["start"] is None or row["period"]["start"] <= day


def at_least(number: float) -> Test:
    return lambda row: (found := interval_of(row)) is not None and found[1] >= number


def at_most(number: float) -> Test:
    return lambda row: (found := interval_of(row)) is not None and found[0] <= number


def has_date(test: Callable[[str], bool]) -> Test:
    return lambda row: row["date"] is not None and test(row["date"])


CASES: list[tuple[dict[str, Any], Test]] = [
    ({"category": "casualties"}, lambda r: r["category"] == "casualties"),
    ({"category": ["casualties", "tanks-lost"]}, lambda r: r["category"] in ("casualties", "tanks-lost")),
    ({"subject": "north-korean-forces"}, lambda r: r["subject"] == "north-korean-forces"),
    ({"place": ["kursk-oblast", "vovchansk"]}, lambda r: r["place"] in ("kursk-oblast", "vovchansk")),
    ({"source": "csis"}, lambda r: r["source"]["slug"] == "csis"),
    ({"source": ["csis", "uk-mod", "oryx"]}, lambda r: r["source"]["slug"] in ("csis", "uk-mod", "oryx")),
    ({"source_kind": "think_tank"}, lambda r: r["source"]["kind"] == "think_tank"),
    ({"source_kind": ["media", "military"]}, lambda r: r["source"]["kind"] in ("media", "military")),
    ({"interest": "party"}, lambda r: r["source"]["interest"] == "party"),
    (
        {"interest": ["independent", "unknown"]},
        lambda r: r["source"]["interest"] in ("independent", "unknown"),
    ),
    ({"proposition": "quantity"}, lambda r: r["proposition"] == "quantity"),
    (
        {"proposition": ["ratio", "peak_period", "trend"]},
        lambda r: r["proposition"] in ("ratio", "peak_period", "trend"),
    ),
    ({"modality": "count"}, lambda r: r["modality"] == "count"),
    ({"modality": ["forecast", "allegation"]}, lambda r: r["modality"] in ("forecast", "allegation")),
    ({"aggregation": "cumulative"}, lambda r: r["period"]["aggregation"] == "cumulative"),
    ({"aggregation": ["within", "rate"]}, lambda r: r["period"]["aggregation"] in ("within", "rate")),
    ({"kind": "lower_bound"}, lambda r: r["figure"]["kind"] == "lower_bound"),
    ({"kind": ["vague", "none", "range"]}, lambda r: r["figure"]["kind"] in ("vague", "none", "range")),
    ({"confidence": "low"}, lambda r: level_of(r) == "low"),
    ({"confidence": "unassessed"}, lambda r: r["confidence"] is None),
    ({"confidence": ["high", "unassessed"]}, lambda r: level_of(r) in ("high", "unassessed")),
    ({"reliability": "F"}, has_grade("reliability", "F")),
    ({"reliability": ["B", "C"]}, has_grade("reliability", "B", "C")),
    ({"credibility": "6"}, has_grade("credibility", "6")),
    ({"credibility": ["2", "3"]}, has_grade("credibility", "2", "3")),
    ({"date_from": "2025-01-01"}, has_date(lambda d: d >= "2025-01-01")),
    ({"date_to": "2023-12-31"}, has_date(lambda d: d <= "2023-12-31")),
    ({"date_from": "2024-06-01", "date_to": "2024-12-31"}, has_date(lambda d: "2024-06-01" <= d <= "2024-12-31")),
    ({"known_on": "2025-06-12"}, has_date(lambda d: d <= "2025-06-12")),
    ({"known_on": "2022-09-21"}, has_date(lambda d: d <= "2022-09-21")),
    ({"undated": "true"}, lambda r: r["date"] is None),
    ({"undated": "false", "source": "csis"}, lambda r: r["date"] is not None and r["source"]["slug"] == "csis"),
    ({"confidence_min": "moderate"}, lambda r: level_of(r) in ("moderate", "high")),
    ({"confidence_min": "low"}, lambda r: r["confidence"] is not None and r["confidence"]["level"] is not None),
    ({"period_from": "2025-01-01"}, ends_on_or_after("2025-01-01")),
    ({"period_to": "2022-06-30"}, starts_on_or_before("2022-06-30")),
    (
        {"period_from": "2024-06-01", "period_to": "2024-06-30"},
        lambda r: ends_on_or_after("2024-06-01")(r) and starts_on_or_before("2024-06-30")(r),
    ),
    ({"value_min": 100_000}, at_least(100_000)),
    ({"value_max": 500}, at_most(500)),
    ({"value_min": 60_000, "value_max": 75_000.5}, lambda r: at_least(60_000)(r) and at_most(75_000.5)(r)),
    ({"value_min": -1e15}, lambda r: interval_of(r) is not None),
    ({"value_min": 1_000_000, "value_max": 1_000_000}, lambda r: at_least(1e6)(r) and at_most(1e6)(r)),
    ({"status": "asserted"}, lambda r: r["status"] == "asserted"),
    ({"status": "removed"}, lambda _: False),
    (
        {"source": "csis", "category": "killed", "kind": ["upper_bound", "range"]},
        lambda r: (
            r["source"]["slug"] == "csis"
            and r["category"] == "killed"
            and r["figure"]["kind"] in ("upper_bound", "range")
        ),
    ),
    ({"superseded": "true"}, lambda r: r["superseded_by"] is not None),
    ({"superseded": "false"}, lambda r: r["superseded_by"] is None),
    ({"updated_since": "2001-01-01T00:00:00Z"}, lambda _: True),
    ({"updated_since": "2001-01-01T00:00:00"}, lambda _: True),
    ({"updated_since": "2999-01-01T00:00:00-05:00"}, lambda _: False),
    ({}, lambda _: True),
]


@pytest.mark.parametrize(("asked", "test"), CASES, ids=[str(asked) for asked, _ in CASES])
def test_a_filter_finds_exactly_the_claims_it_names(
    shared_starter_register: Register, rows: list[Row], asked: dict[str, Any], test: Test
) -> None:
    found = shared_starter_register.get("/v1/claims", params={**asked, "limit": 1000, "total": "true"}).json()
    assert [row["id"] for row in found["data"]] == [row["id"] for row in rows if test(row)]
    assert found["meta"]["total"] == len(found["data"]) == found["meta"]["count"]


def test_every_filter_has_a_case() -> None:
    # `q` is tested in test_full_text.py.
    declared = {name for name, info in ClaimQuery.model_fields.items() if info.metadata or name == "narrower"}
    asked = {name for case, _ in CASES for name in case} | {"document", "topic", "narrower", "limit", "cursor", "q"}
    assert declared <= asked


def test_narrower_takes_what_lies_below(shared_starter_register: Register, rows: list[Row]) -> None:
    above = {
        kind: {each["slug"]: each["parents"] for each in read_all_rows(shared_starter_register, f"/v1/{kind}")}
        for kind in ("subjects", "places")
    }
    for name, slug in (("subject", "russian-forces"), ("place", "russia-ukraine-war"), ("place", "ukraine")):
        below = with_descendants([slug], above[name + "s"])
        for narrower, wanted in (("true", below), ("false", {slug})):
            found = read_all_rows(shared_starter_register, "/v1/claims", 1000, **{name: slug, "narrower": narrower})
            assert [r["id"] for r in found] == [r["id"] for r in rows if r[name] in wanted]


def test_narrower_takes_the_components_of_a_sum_and_what_lies_below_them(
    shared_starter_register: Register, rows: list[Row]
) -> None:
    found = read_all_rows(shared_starter_register, "/v1/claims", category="casualties", narrower="true")
    categories = {row["category"] for row in found}
    assert {"casualties", "killed", "wounded"} <= categories
    assert "casualties-and-missing" not in categories
    assert [r["id"] for r in found] == [r["id"] for r in rows if r["category"] in categories]


def is_in_class(aggregation: str, asked: str | None) -> bool:
    totals = {"cumulative", "within"}
    return asked is None or aggregation in (totals if asked in totals else {asked})


def test_a_topic_is_found_by_its_fields(shared_starter_register: Register, rows: list[Row]) -> None:
    topics = read_all_rows(shared_starter_register, "/v1/topics")
    for topic in topics:
        found = read_all_rows(shared_starter_register, "/v1/claims", topic=topic["slug"], narrower="false")
        same = [
            row["id"]
            for row in rows
            if (row["category"], row["subject"], row["place"]) == (topic["category"], topic["subject"], topic["place"])
            and is_in_class(row["period"]["aggregation"], topic["aggregation"])
        ]
        assert set(same) >= {row["id"] for row in found}
        if topic["since"] is None:
            assert [row["id"] for row in found] == same
        else:
            assert all(row["period"]["edtf"].startswith(topic["since"][:4]) for row in found)
        wide = read_all_rows(shared_starter_register, "/v1/claims", topic=topic["slug"])
        assert {row["id"] for row in wide} >= {row["id"] for row in found}
        assert wide == read_all_rows(shared_starter_register, f"/v1/topics/{topic['slug']}/claims")
        assert topic["claims"] == len(wide)
    both = read_all_rows(shared_starter_register, "/v1/claims", topic=[topics[0]["slug"], topics[1]["slug"]])
    each = [read_all_rows(shared_starter_register, "/v1/claims", topic=topics[i]["slug"]) for i in (0, 1)]
    assert {row["id"] for row in both} == {row["id"] for some in each for row in some}


def test_a_document_finds_the_claims_that_are_read_in_it(shared_starter_register: Register, rows: list[Row]) -> None:
    cited = sorted({citation["document"]["id"] for row in rows for citation in row["citations"]})[:5]
    for wanted in ([cited[0]], cited):
        found = read_all_rows(shared_starter_register, "/v1/claims", document=wanted)
        assert [row["id"] for row in found] == [
            row["id"] for row in rows if {c["document"]["id"] for c in row["citations"]} & set(wanted)
        ]


@pytest.mark.parametrize("unknown", ["zz", "00000000-0000-4000-8000-000000000000", "\U0001f4c4", "a" * 80])
def test_an_unknown_document_is_refused(shared_starter_register: Register, rows: list[Row], unknown: str) -> None:
    known = rows[0]["citations"][0]["document"]["id"]
    for asked in (unknown, [known, unknown]):
        for path in ("/v1/claims", "/v1/claims.csv", "/v1/topics/russian-casualties/claims"):
            answer = shared_starter_register.get(path, params={"document": asked})
            problem = assert_problem(answer, 422, "unknown_slug")
            assert problem["errors"][0]["detail"] == f"There is no document `{unknown}`."


def test_a_document_is_unknown_in_a_state_before_it_was_recorded(register: Register) -> None:
    record_example_vocabulary(register)
    before = register.get("/v1/claims").json()["meta"]["seq"]
    claim = submit_claim(register, make_unique_claim_body())
    asked = {"document": claim["citations"][0]["document"]["id"]}
    assert [row["id"] for row in read_all_rows(register, "/v1/claims", **asked)] == [claim["id"]]
    past = register.get("/v1/claims", params=asked | {"recorded_as_of": f"seq:{before}"})
    assert_problem(past, 422, "unknown_slug")


def test_a_document_that_was_taken_down_is_still_found(register: Register) -> None:
    record_example_vocabulary(register)
    claim = submit_claim(register, make_unique_claim_body())
    document = claim["citations"][0]["document"]["id"]
    register.write("POST", f"/v1/documents/{document}/takedown", {"reason": "An order."})
    assert [row["id"] for row in read_all_rows(register, "/v1/claims", document=document)] == [claim["id"]]


def test_updated_since_finds_what_was_cited_anew(register: Register) -> None:
    record_example_vocabulary(register)
    first, second = submit_claim(register, make_unique_claim_body()), submit_claim(register, make_unique_claim_body())
    since = second["recorded_at"]
    assert [r["id"] for r in read_all_rows(register, "/v1/claims", updated_since=since)] == [second["id"]]
    cite = {"document": {"title": "Another", "url": "https://example.org/2"}}
    assert register.write("POST", f"/v1/claims/{first['id']}/citations", cite).status_code == 201
    found = {r["id"] for r in read_all_rows(register, "/v1/claims", updated_since=since)}
    assert found == {first["id"], second["id"]}


def test_open_ends_overlap_everything_on_their_side(register: Register) -> None:
    record_example_vocabulary(register)
    figures = {
        "over": make_figure_body("over 100", lower=100, lower_inclusive=False),
        "up to": make_figure_body("up to 100", upper=100),
        "range": make_figure_body("50-150", lower=50, upper=150),
        "value": make_figure_body("100", value=100),
        "vague": {"as_printed": "thousands"},
        "negative": make_figure_body("-100", value=-100),
        "share": make_figure_body("12 of the 100", value=12, out_of=100),
    }
    named = {
        submit_claim(register, make_claim_body(category="survived", figure=each))["id"]: name
        for name, each in figures.items()
    }

    def found(**asked: Any) -> set[str]:
        return {named[row["id"]] for row in read_all_rows(register, "/v1/claims", **asked)}

    assert found(value_min=1000) == {"over"}
    assert found(value_max=-1000) == {"up to"}
    assert found(value_min=120, value_max=130) == {"over", "range"}
    assert found(value_min=100, value_max=100) == {"over", "up to", "range", "value"}
    assert found(value_max=0) == {"up to", "negative"}
    assert found(value_min=150.5) == {"over"}
    assert found(value_min=12, value_max=12) == {"share", "up to"}


def test_an_open_period_reaches_every_day_on_its_side(register: Register) -> None:
    record_example_vocabulary(register)
    periods = ("2022-02-24/..", "../2022-12-31", "2023", "2022-02-24/2022-12-31", "2022-11/2023-02", "2024-06~")
    named = {}
    for edtf in periods:
        body = make_unique_claim_body(period={"edtf": edtf, "aggregation": "within"})
        named[submit_claim(register, body)["id"]] = edtf

    def found(**asked: Any) -> set[str]:
        return {named[row["id"]] for row in read_all_rows(register, "/v1/claims", **asked)}

    assert found(period_from="2030-01-01") == {"2022-02-24/.."}
    assert found(period_to="1990-01-01") == {"../2022-12-31"}
    assert found(period_from="2023-01-31", period_to="2023-01-31") == {"2022-02-24/..", "2023", "2022-11/2023-02"}
    assert found(period_from="2022-12-31", period_to="2022-12-31") == set(periods) - {"2023", "2024-06~"}


def test_f_and_6_cannot_be_judged_and_are_not_unassessed(register: Register) -> None:
    record_example_vocabulary(register)
    judged = {"reliability": "F", "credibility": "6", "rationale": "Nobody can tell."}
    graded_f = submit_claim(register, make_unique_claim_body(confidence=judged))
    nobody = submit_claim(register, make_unique_claim_body())
    assert graded_f["confidence"]["reliability"] == "F"
    assert graded_f["confidence"]["level"] is None
    assert nobody["confidence"] is None
    for asked, wanted in (
        ({"reliability": "F"}, [graded_f["id"]]),
        ({"credibility": "6"}, [graded_f["id"]]),
        ({"confidence": "unassessed"}, [nobody["id"]]),
        ({"reliability": "E"}, []),
        ({"confidence": "low"}, []),
    ):
        assert [row["id"] for row in read_all_rows(register, "/v1/claims", 1000, **asked)] == wanted


SORTS: dict[str, Callable[[Row], Any]] = {
    "date": lambda r: r["date"],
    "recorded": lambda r: r["seq"],
    "value": lambda r: next(
        (r["figure"][name] for name in ("value", "lower", "upper") if r["figure"][name] is not None), None
    ),
    "source": lambda r: (r["source"]["slug"], r["date"] or "9999-12-31"),
    "confidence": lambda r: {"low": 1, "moderate": 2, "high": 3}.get(level_of(r)),
}


@pytest.mark.parametrize("sort", [sort.value for sort in Sort])
def test_a_sort_puts_the_unknown_last_and_settles_ties_by_id(
    shared_starter_register: Register, rows: list[Row], sort: str
) -> None:
    key = SORTS[sort.removeprefix("-")]
    known = sorted(
        (row for row in rows if key(row) is not None),
        key=lambda row: (key(row), row["id"]),
        reverse=sort.startswith("-"),
    )
    unknown = sorted(
        (row for row in rows if key(row) is None), key=lambda row: str(row["id"]), reverse=sort.startswith("-")
    )
    found = read_all_rows(shared_starter_register, "/v1/claims", sort=sort)
    assert [row["id"] for row in found] == [row["id"] for row in known + unknown]


@pytest.mark.parametrize("limit", [1, 1000])
def test_a_limit_within_bounds_is_kept(shared_starter_register: Register, rows: list[Row], limit: int) -> None:
    body = shared_starter_register.get("/v1/claims", params={"limit": limit}).json()
    assert body["meta"]["count"] == len(body["data"]) == min(limit, len(rows))
    assert "total" not in body["meta"]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "1e3", "1.0", "ten", "9" * 30])
def test_a_limit_out_of_bounds_is_refused(shared_starter_register: Register, limit: str) -> None:
    problem = assert_problem(shared_starter_register.get("/v1/claims", params={"limit": limit}), 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "#/limit"
    assert problem["errors"][0]["location"] == "query"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("datefrom", "date_from"),
        ("known-on", "known_on"),
        ("categories", "category"),
        ("valuemin", "value_min"),
        ("sorted", "sort"),
        ("Source", "source"),
    ],
)
def test_a_misspelt_parameter_is_refused_with_the_one_that_was_meant(
    shared_starter_register: Register, written: str, meant: str
) -> None:
    problem = assert_problem(shared_starter_register.get("/v1/claims", params={written: "x"}), 422, "unknown_parameter")
    assert problem["hint"] == f"did you mean `{meant}`?"
    assert problem["errors"][0]["pointer"] == f"#/{written}"


@pytest.mark.parametrize("name", ["v", "_", "t", "cb", "utm_source", "utm_x", "fbclid", "gclid"])
def test_a_cache_buster_changes_nothing(shared_starter_register: Register, name: str) -> None:
    plain = shared_starter_register.get("/v1/claims", params={"limit": 3}).json()
    for value in ("1732104000000", ""):
        busted = shared_starter_register.get("/v1/claims", params={"limit": 3, name: value})
        assert busted.status_code == 200
        assert busted.json()["data"] == plain["data"]


@pytest.mark.parametrize("name", ["limit", "sort", "known_on", "date_from", "cursor", "total", "narrower", "fields"])
def test_a_parameter_that_takes_one_value_refuses_two(shared_starter_register: Register, name: str) -> None:
    values = {"limit": "5", "sort": "date", "known_on": "2025-01-01", "date_from": "2025-01-01", "fields": "id"}
    value = values.get(name, "true")
    problem = assert_problem(
        shared_starter_register.get(f"/v1/claims?{name}={value}&{name}={value}"), 422, "invalid_request"
    )
    assert problem["errors"][0]["pointer"] == f"#/{name}"


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [
        ("date_from", "date_to", "2025-01-02", "2025-01-01"),
        ("period_from", "period_to", "2025-01-02", "2025-01-01"),
        ("value_min", "value_max", "2", "1"),
    ],
)
def test_a_range_that_ends_before_it_begins_is_refused(
    shared_starter_register: Register, low: str, high: str, first: str, last: str
) -> None:
    for path in ("/v1/claims", "/v1/claims.csv", "/v1/topics/russian-casualties/claims"):
        problem = assert_problem(
            shared_starter_register.get(path, params={low: first, high: last}), 422, "invalid_request"
        )
        assert problem["errors"][0]["pointer"] == f"#/{low}"
        assert problem["hint"]


@pytest.mark.parametrize(
    ("name", "slug", "meant"),
    [
        ("category", "casualtys", "casualties"),
        ("subject", "rusian-forces", "russian-forces"),
        ("place", "kursk-oblats", "kursk-oblast"),
        ("source", "csiss", "csis"),
        ("topic", "russian-casualtie", "russian-casualties"),
    ],
)
def test_a_slug_that_nothing_has_is_refused_with_the_nearest(
    shared_starter_register: Register, name: str, slug: str, meant: str
) -> None:
    for asked in ({name: slug}, {name: [meant, slug]}):
        problem = assert_problem(shared_starter_register.get("/v1/claims", params=asked), 422, "unknown_slug")
        assert problem["hint"] == f"did you mean `{meant}`?"
        assert problem["errors"][0]["pointer"].startswith(f"#/{name}")


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "lowerbound"},
        {"confidence": "medium"},
        {"reliability": "G"},
        {"sort": "-values"},
        {"status": "deleted"},
        {"format": "xml"},
        {"shape": "list"},
    ],
)
def test_a_word_outside_of_its_enumeration_is_refused_with_the_words_there_are(
    shared_starter_register: Register, asked: dict[str, str]
) -> None:
    problem = assert_problem(shared_starter_register.get("/v1/claims", params=asked), 422, "invalid_request")
    assert problem["errors"][0]["detail"].startswith("Expected one of ")


@pytest.mark.parametrize(
    "asked",
    [
        {"date_from": "2025-02-30"},
        {"date_from": "2025-6-1"},
        {"date_from": "20250601"},
        {"known_on": "yesterday"},
        {"known_on": "1749686400"},
        {"known_on": "2025-06-12T00:00:00"},
        {"value_min": "nan"},
        {"value_max": "inf"},
        {"value_max": "1e400"},
        {"updated_since": "soon"},
        {"updated_since": "9999-12-31T23:59:59-14:00"},
        {"updated_since": "0001-01-01T00:00:00+14:00"},
        {"total": "maybe"},
        {"category": "Casualties"},
        {"category": "a\0b"},
        {"source": "x" * 81},
    ],
    ids=str,
)
def test_a_value_that_cannot_be_meant_is_refused(shared_starter_register: Register, asked: dict[str, str]) -> None:
    problem = assert_problem(shared_starter_register.get("/v1/claims", params=asked), 422)
    assert problem["errors"][0]["pointer"].startswith(f"#/{next(iter(asked))}")


choices = st.fixed_dictionaries(
    {},
    optional={
        "category": st.lists(st.sampled_from(["casualties", "killed", "tanks-lost"]), min_size=1, max_size=3),
        "source": st.lists(st.sampled_from(["csis", "ua-general-staff", "uk-mod", "oryx"]), min_size=1, max_size=3),
        "interest": st.lists(st.sampled_from(["party", "aligned", "independent"]), min_size=1, max_size=2),
        "kind": st.lists(st.sampled_from(["plain", "approximate", "lower_bound", "range"]), min_size=1, max_size=3),
        "value_min": st.integers(0, 400_000),
        "date_from": st.dates().map(str).filter(lambda d: "2022" < d < "2025"),
    },
)
TESTS: dict[str, Callable[[Any], Test]] = {
    "category": lambda wanted: lambda r: r["category"] in wanted,
    "source": lambda wanted: lambda r: r["source"]["slug"] in wanted,
    "interest": lambda wanted: lambda r: r["source"]["interest"] in wanted,
    "kind": lambda wanted: lambda r: r["figure"]["kind"] in wanted,
    "value_min": at_least,
    "date_from": lambda day: has_date(lambda d: d >= day),
}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=choices)
def test_filters_are_joined_by_and_their_values_by_or(
    shared_starter_register: Register, rows: list[Row], asked: dict[str, Any]
) -> None:
    tests = [TESTS[name](value) for name, value in asked.items()]
    found = read_all_rows(shared_starter_register, "/v1/claims", **asked)
    assert [row["id"] for row in found] == [row["id"] for row in rows if all(test(row) for test in tests)]
