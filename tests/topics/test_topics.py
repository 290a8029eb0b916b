"""Topics: their claims, counts and side-by-sides."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.topics import queries
from app.topics.parameters import TopicSort
from tests.examples import (
    PERIOD_BODY,
    assert_problem,
    make_claim_body,
    make_figure_body,
    make_source_body,
    make_topic_body,
    read_all_rows,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register


def test_a_topic_counts_what_it_holds(shared_starter_register: Register) -> None:
    for row in read_all_rows(shared_starter_register, "/v1/topics"):
        claims = read_all_rows(shared_starter_register, f"/v1/topics/{row['slug']}/claims")
        assert row["claims"] == len(claims) > 0
        assert row["sources"] == len({each["source"]["slug"] for each in claims})
        dates = [each["date"] for each in claims if each["date"]] or [None]
        assert (row["first_date"], row["last_date"]) == (min(dates), max(dates))
        sides = shared_starter_register.get(row["links"]["side_by_side"]).json()
        if sides["pairs"] is not None:
            counted = Counter(pair["verdict"] for pair in sides["pairs"])
            assert row["verdicts"] == {verdict: counted.get(verdict, 0) for verdict in row["verdicts"]}
        assert row["verdicts"] == sides["verdicts"]
        left_out = Counter(reason for each in sides["spread"]["left_out"] for reason in each["reasons"])
        assert row["spread"] == {**sides["spread"], "left_out": left_out}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (make_topic_body(category="casualtys"), "#/category"),
    (make_topic_body(subject="amry"), "#/subject"),
    (make_topic_body(place="warr"), "#/place"),
    (make_topic_body(tolerance=0), "#/tolerance"),
    (make_topic_body(tolerance=1.5), "#/tolerance"),
    (make_topic_body(tolerance=-0.1), "#/tolerance"),
    (make_topic_body(tolerance="1%"), "#/tolerance"),
    (make_topic_body(since="2022-02-30"), "#/since"),
    (make_topic_body(aggregation="total"), "#/aggregation"),
    (make_topic_body(title=""), "#/title"),
    (make_topic_body(title="a\0"), "#/title"),
    (make_topic_body(claims=[]), "#/claims"),
    ({"title": "x"}, "#/category"),
]


def test_a_topic_that_breaks_the_contract_is_refused_where_it_stands(register: Register) -> None:
    record_example_vocabulary(register)
    before = read_latest_seq(register)
    for body, pointer in REFUSED:
        problem = assert_problem(register.write("PUT", "/v1/topics/new", body), 422)
        assert pointer in [error["pointer"] for error in problem["errors"]]
    assert_problem(register.get("/v1/topics/new"), 404)
    assert read_latest_seq(register) == before


@pytest.mark.parametrize("tolerance", ["0", "1.5", "-0.01", "nan", "inf", "1e400", "x"])
def test_a_tolerance_that_is_no_share_is_refused(shared_starter_register: Register, tolerance: str) -> None:
    for path in ("/v1/topics/russian-casualties/side-by-side", "/v1/side-by-side?category=casualties"):
        mark = "&" if "?" in path else "?"
        problem = assert_problem(shared_starter_register.get(f"{path}{mark}tolerance={tolerance}"), 422)
        assert problem["errors"][0]["pointer"] == "#/tolerance"


@pytest.mark.parametrize("asked", [{"window": "-1"}, {"window": "36501"}, {"window": "1.5"}, {"narrower": "perhaps"}])
def test_a_way_to_compare_that_is_none_is_refused(shared_starter_register: Register, asked: dict[str, str]) -> None:
    problem = assert_problem(
        shared_starter_register.get("/v1/topics/russian-casualties/side-by-side", params=asked), 422
    )
    assert problem["errors"][0]["pointer"] == f"#/{next(iter(asked))}"


def test_the_tolerance_is_the_readers_else_the_topics_and_is_echoed(register: Register) -> None:
    record_example_vocabulary(register)
    for slug, tolerance in (("strict", None), ("lenient", 0.2)):
        assert register.write(
            "PUT", f"/v1/topics/{slug}", make_topic_body(category="killed", tolerance=tolerance)
        ).is_success
    submit_claim(register, make_claim_body(figure=make_figure_body("about 100", value=100, approximate=True)))
    submit_claim(register, make_claim_body(figure=make_figure_body("110", value=110), source="institute"))

    def compared(slug: str, **asked: float | str) -> tuple[float | None, str]:
        body = register.get(f"/v1/topics/{slug}/side-by-side", params=asked).json()
        return body["tolerance"], body["pairs"][0]["verdict"]

    assert compared("strict") == (None, "undetermined")
    assert compared("strict", tolerance=1) == (1, "agree")
    assert compared("lenient") == (0.2, "agree")
    assert compared("lenient", tolerance=0.05) == (0.05, "contradict")
    assert compared("lenient", tolerance="none") == (None, "undetermined")


def test_the_window_says_how_old_a_figure_in_the_spread_may_be(register: Register) -> None:
    record_example_vocabulary(register)
    for end, number, who in (
        ("2025-06-12", 100, "ministry"),
        ("2025-05-12", 90, "paper"),
        ("2025-05-11", 80, "agency"),
    ):
        period = {"edtf": f"2022-02-24/{end}", "aggregation": "cumulative"}
        submit_claim(
            register,
            make_claim_body(figure=make_figure_body(str(number), value=number), period=period, date=end, source=who),
        )

    def spread(**asked: int) -> tuple[int, int, int]:
        body = register.get(
            "/v1/side-by-side", params={"category": "killed", "subject": "army", "place": "war", **asked}
        ).json()
        assert body["window"] == asked.get("window", 31)
        found = body["spread"]
        assert len(found["left_out"]) == 3 - found["sources"]
        return found["lower"], found["upper"], found["sources"]

    assert spread() == (90, 100, 2)
    assert spread(window=32) == (80, 100, 3)
    assert spread(window=0) == (100, 100, 1)


def test_a_minister_and_his_ministry_hold_one_position(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body(figure=make_figure_body("100", value=100), date="2025-06-12"))
    said = submit_claim(
        register, make_claim_body(figure=make_figure_body("120", value=120), date="2025-06-13", source="minister")
    )
    other = submit_claim(register, make_claim_body(figure=make_figure_body("90", value=90), source="institute"))
    asked = {"category": "killed", "subject": "army", "place": "war"}
    body = register.get("/v1/side-by-side", params=asked).json()
    held = {position["source"]["slug"]: position["claim"]["id"] for position in body["positions"]}
    assert held == {"ministry": said["id"], "institute": other["id"]}
    for against in ("ministry", "minister"):
        compared = register.get("/v1/side-by-side", params={**asked, "against": against}).json()["pairs"]
        assert [({pair["a"], pair["b"]}, pair["verdict"]) for pair in compared] == [
            ({said["id"], other["id"]}, "no_conflict")
        ]


def test_beyond_forty_positions_pairs_are_left_out_until_one_is_asked_against(register: Register) -> None:
    record_example_vocabulary(register)
    for number in range(41):
        assert register.write("PUT", f"/v1/sources/s{number}", make_source_body(f"S{number}")).status_code == 201
        printed = make_figure_body(str(1000 + number), value=1000 + number)
        submit_claim(register, make_claim_body(figure=printed, source=f"s{number}"))
        if number == 39:
            body = register.get("/v1/side-by-side", params={"category": "killed"}).json()
            assert len(body["pairs"]) == 40 * 39 // 2
    asked = {"category": "killed"}
    body = register.get("/v1/side-by-side", params=asked).json()
    assert len(body["positions"]) == 41
    assert body["pairs"] is None
    pairs = register.get("/v1/side-by-side", params={**asked, "against": "s7"}).json()["pairs"]
    mine = next(each["claim"]["id"] for each in body["positions"] if each["source"]["slug"] == "s7")
    assert len(pairs) == 40
    assert all(mine in {pair["a"], pair["b"]} for pair in pairs)
    assert {pair["verdict"] for pair in pairs} == {"contradict", "agree"}
    problem = assert_problem(register.get("/v1/side-by-side", params={**asked, "against": "s777"}), 422, "unknown_slug")
    assert problem["errors"][0]["pointer"] == "#/against"
    assert register.write("PUT", "/v1/topics/all", make_topic_body(category="killed")).status_code == 201
    assert sum(register.get("/v1/topics/all").json()["verdicts"].values()) == 41 * 40 // 2


def test_narrower_categories_are_parts_of_the_whole_unless_they_are_left_out(register: Register) -> None:
    record_example_vocabulary(register)
    whole = submit_claim(register, make_claim_body(category="casualties", figure=make_figure_body("500", value=500)))
    part = submit_claim(
        register, make_claim_body(category="killed", figure=make_figure_body("100", value=100), source="institute")
    )
    named = submit_claim(
        register, make_claim_body(category="killed-named", figure=make_figure_body("60", value=60), source="paper")
    )
    submit_claim(
        register, make_claim_body(category="survived", figure=make_figure_body("12 of 100", value=12, out_of=100))
    )
    assert register.write("PUT", "/v1/topics/t", make_topic_body()).status_code == 201
    asked = "/v1/topics/t/side-by-side"
    body = register.get(asked).json()
    assert [each["claim"]["id"] for each in body["positions"]] == [named["id"], part["id"], whole["id"]]
    assert {(pair["verdict"], *pair["reasons"]) for pair in body["pairs"]} == {("no_conflict", "part_of_whole")}
    assert (body["spread"]["lower"], body["spread"]["sources"]) == (500, 1)
    alone = register.get(asked, params={"narrower": "false"}).json()
    assert [each["claim"]["id"] for each in alone["positions"]] == [whole["id"]]
    for path in ("/v1/topics/t/claims", "/v1/topics/t/timeline"):
        assert len(read_all_rows(register, path)) == 3
        assert [row["id"] for row in read_all_rows(register, path, narrower="false")] == [whole["id"]]


def test_two_transcriptions_of_one_statement_stay_and_contradict(register: Register) -> None:
    record_example_vocabulary(register)
    later = {"date": "2025-06-13"}
    ids = {
        submit_claim(register, make_claim_body(figure=make_figure_body(str(number), value=number), **later))["id"]
        for number in (1_000_340, 1_000_430)
    }
    body = register.get("/v1/side-by-side", params={"category": "killed", "tolerance": 0.5}).json()
    assert {each["claim"]["id"] for each in body["positions"]} == ids
    (pair,) = body["pairs"]
    assert (pair["verdict"], pair["reasons"], pair["gap"]) == ("contradict", ["transcription_conflict"], 90)


def test_a_statement_without_a_figure_is_related_and_no_position(register: Register) -> None:
    record_example_vocabulary(register)
    told = {"as_printed": "the heaviest losses fell in autumn"}
    without = submit_claim(register, make_claim_body(proposition="peak_period", figure=told))
    vague = submit_claim(register, make_claim_body(figure={"as_printed": "thousands more"}, source="paper"))
    counted = submit_claim(register, make_claim_body(figure=make_figure_body("5", value=5), source="institute"))
    body = register.get("/v1/side-by-side", params={"category": "killed"}).json()
    assert [each["id"] for each in body["related"]["claims"]] == [without["id"], vague["id"]]
    assert [each["claim"]["id"] for each in body["positions"]] == [counted["id"]]
    pair = register.get("/v1/compare", params={"a": vague["id"], "b": counted["id"]}).json()
    assert (pair["verdict"], pair["reasons"]) == ("undetermined", ["vague"])
    pair = register.get("/v1/compare", params={"a": without["id"], "b": counted["id"]}).json()
    assert (pair["verdict"], pair["reasons"]) == ("not_comparable", ["proposition_differs", "no_figure"])


def test_what_is_asked_comes_back_with_what_was_meant_by_it(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body(subject="militia", place="front"))
    submit_claim(register, make_claim_body(period={"edtf": "2022/2025-06-12", "aggregation": "cumulative"}))
    submit_claim(register, make_claim_body(period={"edtf": "2024", "aggregation": "within"}))
    asked = {"category": "killed", "since": "2022-02-24", "aggregation": "cumulative", "subject": "army"}
    body = register.get("/v1/side-by-side", params=asked).json()
    assert body["topic"] == {**asked, "slug": None, "title": None, "place": None}
    assert [each["claim"]["period"]["edtf"] for each in body["positions"]] == ["2022/2025-06-12"]
    assert len(register.get("/v1/side-by-side", params={"category": "killed"}).json()["positions"]) == 3
    for name, slug in (("category", "kiled"), ("subject", "amry"), ("place", "wra")):
        problem = assert_problem(
            register.get("/v1/side-by-side", params={"category": "killed", name: slug}), 422, "unknown_slug"
        )
        assert problem["errors"][0]["pointer"] == f"#/{name}"
    assert assert_problem(register.get("/v1/side-by-side"), 422)["errors"][0]["pointer"] == "#/category"


def test_an_empty_question_has_an_empty_answer(register: Register) -> None:
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/t", make_topic_body()).status_code == 201
    body = register.get("/v1/topics/t").json()
    assert (body["claims"], body["sources"], body["first_date"], body["last_date"]) == (0, 0, None, None)
    assert set(body["verdicts"].values()) == {0}
    sides = register.get("/v1/topics/t/side-by-side").json()
    assert (sides["positions"], sides["pairs"]) == ([], [])
    assert sides["independent_origins"] == {"at_least": 0, "at_most": 0}
    assert sides["spread"].items() >= {"lower": None, "upper": None, "ratio": None, "sources": 0}.items()


def test_the_past_knows_nothing_of_what_was_said_later(register: Register) -> None:
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/t", make_topic_body(category="killed")).status_code == 201
    submit_claim(register, make_claim_body(date=None, figure=make_figure_body("1", value=1), source="paper"))
    for number, day in ((100, "2025-06-10"), (200, "2025-06-12")):
        period = {**PERIOD_BODY, "edtf": f"2022-02-24/{day}"}
        submit_claim(
            register, make_claim_body(figure=make_figure_body(str(number), value=number), date=day, period=period)
        )

    def numbers(**asked: str) -> list[int]:
        body = register.get("/v1/topics/t/side-by-side", params=asked).json()
        return [each["claim"]["figure"]["value"] for each in body["positions"]]

    assert numbers() == [1, 200]
    assert numbers(known_on="2025-06-12") == [200]
    assert numbers(known_on="2025-06-11") == [100]
    assert numbers(known_on="2025-06-09") == []
    ages = register.get("/v1/topics/t/side-by-side", params={"known_on": "2025-06-20"}).json()["positions"]
    assert [each["age_days"] for each in ages] == [8]


def test_a_timeline_is_flat_by_source_and_date(shared_starter_register: Register) -> None:
    rows = read_all_rows(shared_starter_register, "/v1/topics/russian-casualties/timeline")
    assert [(row["source"], row["date"] or "9999") for row in rows] == sorted(
        (row["source"], row["date"] or "9999") for row in rows
    )
    assert all(not isinstance(value, dict | list) for row in rows for value in row.values())
    text = shared_starter_register.get("/v1/topics/russian-casualties/timeline.csv").text
    assert text.split("\r\n")[0].split(",") == list(rows[0])
    assert text.count("\r\n") >= len(rows) + 1
    known = read_all_rows(shared_starter_register, "/v1/topics/russian-casualties/timeline", known_on="2023-01-01")
    assert known == [row for row in rows if row["date"] and row["date"] <= "2023-01-01"]
    short = shared_starter_register.get(
        "/v1/topics/russian-casualties/timeline", params={"fields": "date,value", "limit": 2}
    )
    assert [list(row) for row in short.json()["data"]] == [["date", "value"]] * 2


TIMELINE = "/v1/topics/russian-casualties/timeline"


def test_a_timeline_says_what_its_rows_are_about(shared_starter_register: Register) -> None:
    rows = read_all_rows(shared_starter_register, TIMELINE)
    claims = {row["id"]: row for row in read_all_rows(shared_starter_register, "/v1/topics/russian-casualties/claims")}
    for row in rows:
        claim = claims[row["id"]]
        assert row["modality"] == claim["modality"]
        assert row["aggregation"] == claim["period"]["aggregation"]
        assert (row["subject"], row["place"]) == (claim["subject"], claim["place"])
        assert row["source_interest"] == claim["source"]["interest"]
        assert row["date_edtf"] == claim["date_edtf"]
    header = shared_starter_register.get(f"{TIMELINE}.csv").text.partition("\r\n")[0].split(",")
    appended = ["subject", "place", "modality", "aggregation", "source_interest", "date_edtf"]
    assert header[-len(appended) :] == appended
    assert header[-len(appended) - 1] == "superseded_on"


@pytest.mark.parametrize(
    "asked",
    [
        {"source": ["ua-general-staff", "uk-mod"]},
        {"modality": "estimate", "narrower": "false"},
        {"confidence_min": "moderate"},
        {"date_from": "2024-01-01", "date_to": "2024-12-31"},
        {"undated": "true"},
        {"superseded": "false", "known_on": "2025-01-01"},
        {"q": "casualties"},
    ],
)
def test_a_timeline_takes_filters_of_claims(shared_starter_register: Register, asked: dict[str, Any]) -> None:
    asked_claims = {name: value for name, value in asked.items() if name != "narrower"}
    whole = read_all_rows(
        shared_starter_register,
        TIMELINE,
        1000,
        **{name: value for name, value in asked.items() if name in ("known_on", "narrower")},
    )
    topic = "russian-casualties"
    more: dict[str, Any] = {"narrower": "false"} if "narrower" in asked else {}
    wanted = {
        row["id"] for row in read_all_rows(shared_starter_register, "/v1/claims", topic=topic, **asked_claims, **more)
    }
    found = read_all_rows(shared_starter_register, TIMELINE, 3, **asked)
    assert [row["id"] for row in found] == [row["id"] for row in whole if row["id"] in wanted]


def test_a_side_by_side_is_as_small_as_asked(shared_starter_register: Register) -> None:
    path = "/v1/topics/russian-casualties/side-by-side"
    whole = shared_starter_register.get(path).json()
    small = shared_starter_register.get(f"{path}?pairs=none&citations=none").json()
    assert small["pairs"] is None
    assert small["verdicts"] == whole["verdicts"]
    for position, full in zip(small["positions"], whole["positions"], strict=True):
        assert position == full | {"claim": full["claim"] | {"citations": []}}
    flat = shared_starter_register.get(f"{path}?fields=id,date,value,source_interest&pairs=none").json()
    for position, full in zip(flat["positions"], whole["positions"], strict=True):
        claim = full["claim"]
        assert position["claim"] == {
            "id": claim["id"],
            "date": claim["date"],
            "value": claim["figure"]["value"],
            "source_interest": claim["source"]["interest"],
        }
        assert position["source"] == full["source"]
    other = shared_starter_register.get("/v1/side-by-side?category=casualties&pairs=none&citations=none&fields=id")
    assert set(other.json()["positions"][0]["claim"]) == {"id"}
    for query in ("fields=nope", "pairs=some", "citations=1"):
        assert_problem(shared_starter_register.get(f"{path}?{query}"), 422)


_topics_read: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
"""The topics of a register that tests do not write to, by its address and the day."""


def read_topics_once(register: Register, known_on: str | None) -> list[dict[str, Any]]:
    key = (register.settings.database_url, known_on)
    if key not in _topics_read:
        asked: dict[str, Any] = {} if known_on is None else {"known_on": known_on}
        _topics_read[key] = read_all_rows(register, "/v1/topics", **asked)
    return _topics_read[key]


@pytest.mark.parametrize("known_on", [None, "2024-06-01"])
@pytest.mark.parametrize("sort", [sort.value for sort in TopicSort])
def test_topics_are_sorted_by_what_they_say(shared_starter_register: Register, sort: str, known_on: str | None) -> None:
    values: dict[str, Any] = {
        "slug": lambda row: row["slug"],
        "title": lambda row: row["title"],
        "disagreement": lambda row: row["verdicts"]["contradict"],
        "claims": lambda row: row["claims"],
        "changed": lambda row: row["changed_seq"],
    }
    value, sign = values[sort.removeprefix("-")], -1 if sort.startswith("-") else 1
    asked: dict[str, Any] = {} if known_on is None else {"known_on": known_on}
    rows = read_topics_once(shared_starter_register, known_on)
    limit = 2 if known_on is None else 20  # every page of a past day compares all topics anew
    found = read_all_rows(shared_starter_register, "/v1/topics", limit, sort=sort, **asked)
    expected = sorted(rows, key=lambda row: (sign * value(row) if sign < 0 else value(row), row["slug"]))
    assert [row["slug"] for row in found] == [row["slug"] for row in expected]
    assert found == expected
    first = shared_starter_register.get("/v1/topics", params={"sort": sort, "limit": 1}).json()
    cursor = first["meta"]["next_cursor"]
    other = "claims" if sort != "claims" else "title"
    assert_problem(shared_starter_register.get(f"/v1/topics?sort={other}&cursor={cursor}"), 422, "invalid_cursor")


def test_a_topic_names_its_latest_change(starter_register: Register) -> None:
    path = "/v1/topics/russian-casualties"
    before = starter_register.get(path).json()
    claim = starter_register.get(f"{path}/claims?limit=1").json()["data"][0]
    assessment = {"level": "low", "rationale": "One source."}
    assert starter_register.write("POST", f"/v1/claims/{claim['id']}/assessments", assessment).status_code == 201
    seq = read_latest_seq(starter_register)
    after = starter_register.get(path).json()
    assert after["changed_seq"] == seq > before["changed_seq"]
    assert starter_register.get(f"{path}?recorded_as_of=seq:{seq - 1}").json()["changed_seq"] == before["changed_seq"]
    assert starter_register.get("/v1/topics?sort=-changed&limit=1").json()["data"][0]["changed_seq"] == seq


def test_a_summary_is_computed_once_for_requests_at_the_same_time(
    starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str | None] = []
    summarize = queries._summarize

    def count(session: Any, question: Any, *arguments: Any) -> Any:
        computed.append(question.slug)
        time.sleep(0.05)
        return summarize(session, question, *arguments)

    monkeypatch.setattr(queries, "_summarize", count)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda limit: starter_register.get(f"/v1/topics?limit={limit}"), (3, 4, 5)))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len(computed) == len(set(computed)) == 5
