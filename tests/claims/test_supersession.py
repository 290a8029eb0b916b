"""A figure that its source replaced is never served as current, and nothing is known before it was said."""

import csv
import io
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.examples import (
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

OLD_DAY, NEW_DAY = "2017-01-06", "2018-01-05"
YEAR = {"edtf": "2016", "aggregation": "within"}


def make_body(printed: str, day: str | None, **changes: Any) -> dict[str, Any]:
    figure = make_figure_body(printed, value=int(printed.replace(",", "")))
    return make_claim_body(**{"figure": figure, "date": day, "period": YEAR, **changes})


@pytest.fixture
def pair(register: Register) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two figures of one source for one year, not related yet."""
    record_example_vocabulary(register)
    return submit_claim(register, make_body("5,080", OLD_DAY)), submit_claim(register, make_body("5,143", NEW_DAY))


def supersede(register: Register, new: dict[str, Any], old: dict[str, Any], **more: Any) -> dict[str, Any]:
    relation = {"type": "supersedes", "claim": old["id"], **more}
    answer = register.write("POST", f"/v1/claims/{new['id']}/relations", relation)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def post_event(register: Register, claim: dict[str, Any], path: str, **fields: Any) -> None:
    address = f"/v1/claims/{claim['id']}"
    etag = register.get(address).headers["etag"]
    answer = register.write("POST", f"{address}/{path}", {"reason": "As stated.", **fields}, **{"If-Match": etag})
    assert answer.status_code == 200, answer.text


def sentence(register: Register, claim: dict[str, Any], **parameters: Any) -> str:
    answer = register.get(f"/v1/claims/{claim['id']}/citation.txt", params=parameters)
    assert answer.status_code == 200, answer.text
    return str(answer.text).strip()


def read_cell(register: Register, claim: dict[str, Any], **parameters: Any) -> str:
    return str(register.get(f"/v1/claims/{claim['id']}/figure.txt", params=parameters).text)


def read_successor(register: Register, claim: dict[str, Any], **parameters: Any) -> tuple[str | None, str | None]:
    answer = register.get(f"/v1/claims/{claim['id']}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["superseded_by"], answer.json()["superseded_on"]


def test_the_old_figure_says_what_replaced_it_everywhere(register: Register, pair: Any) -> None:
    old, new = pair
    assert (old["superseded_by"], old["superseded_on"]) == (None, None)
    plain = sentence(register, old)
    supersede(register, new, old)
    assert read_successor(register, old) == (new["id"], NEW_DAY)
    assert read_successor(register, new) == (None, None)
    assert sentence(register, old) == f"{plain} The ministry later gave 5,143 (5 January 2018)."
    assert read_cell(register, old) == "5,080 (superseded)"
    assert read_cell(register, new) == "5,143"
    citation = register.get(f"/v1/claims/{old['id']}/citation").json()
    assert citation["sentence"] == sentence(register, old)
    assert citation["short"].endswith(" (superseded)")
    assert citation["known_on"] is None
    assert "later gave 5,143" in register.get(f"/v1/claims/{old['id']}/citation.bib").text
    register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed"))
    lists = ["/v1/claims", "/v1/topics/dead/claims", "/v1/topics/dead/timeline"]
    for path in lists:
        rows = {row["id"]: row for row in read_all_rows(register, path)}
        assert (rows[old["id"]]["superseded_by"], rows[old["id"]]["superseded_on"]) == (new["id"], NEW_DAY), path
        assert (rows[new["id"]]["superseded_by"], rows[new["id"]]["superseded_on"]) == (None, None), path
        table = csv.DictReader(io.StringIO(register.get(f"{path}.csv").text))
        cells = {row["id"]: (row["superseded_by"], row["superseded_on"]) for row in table}
        assert cells == {old["id"]: (new["id"], NEW_DAY), new["id"]: ("", "")}, path
        lines = [json.loads(line) for line in register.get(f"{path}.ndjson").text.splitlines()]
        assert {line["id"]: line["superseded_by"] for line in lines} == {old["id"]: new["id"], new["id"]: None}, path
    one_column = register.get("/v1/claims.csv", params={"fields": "superseded_by", "sort": "date"})
    assert one_column.text.split("\r\n") == ["superseded_by", new["id"], '""', ""]
    assert (
        register.get("/v1/claims.csv", params={"fields": "value", "sort": "date"}).text == "value\r\n5080\r\n5143\r\n"
    )
    revision = register.get(f"/v1/claims/{old['id']}/revisions").json()["data"][0]
    assert (revision["superseded_by"], revision["superseded_on"]) == (new["id"], NEW_DAY)


def test_nothing_of_a_replacement_is_known_before_it_was_said(register: Register, pair: Any) -> None:
    old, new = pair
    plain = sentence(register, old)
    supersede(register, new, old)
    register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed"))
    before = {"known_on": "2018-01-04"}
    assert read_successor(register, old, **before) == (None, None)
    assert sentence(register, old, **before) == plain
    assert read_cell(register, old, **before) == "5,080"
    relations = f"/v1/claims/{old['id']}/relations"
    assert register.get(relations, params=before).json()["data"] == []
    for path in ("/v1/claims", "/v1/topics/dead/claims", "/v1/topics/dead/timeline"):
        for suffix in ("", ".csv", ".ndjson"):
            text = register.get(f"{path}{suffix}", params=before).text
            assert old["id"] in text
            assert new["id"] not in text, path
    assert read_successor(register, old, known_on=NEW_DAY) == (new["id"], NEW_DAY)
    assert len(register.get(relations, params={"known_on": NEW_DAY}).json()["data"]) == 1
    assert read_cell(register, old, known_on="2018-01-05T23:59:59Z") == "5,080"
    assert read_cell(register, old, known_on="2018-01-06T00:00:00Z") == "5,080 (superseded)"
    citation = register.get(f"/v1/claims/{old['id']}/citation", params={"known_on": "2018-01-06T03:00:00+03:00"}).json()
    assert citation["known_on"] == "2018-01-06T00:00:00Z"
    assert citation["figure"] == "5,080 (superseded)"
    permanent = register.get(citation["links"]["permanent"]).json()
    assert permanent["sentence"] == citation["sentence"]
    assert permanent["known_on"] == citation["known_on"]


def test_a_past_state_shows_what_was_recorded_then(register: Register, pair: Any) -> None:
    old, new = pair
    before = read_latest_seq(register)
    relation = supersede(register, new, old)
    recorded = read_latest_seq(register)
    permanent = register.get(f"/v1/claims/{old['id']}/citation").json()["links"]["permanent"]
    withdrawn = register.write("POST", f"/v1/relations/{relation['id']}/withdrawal", {"reason": "An error."})
    assert withdrawn.status_code == 200
    assert read_successor(register, old) == (None, None)
    assert read_cell(register, old) == "5,080"
    for seq, expected in ((before, None), (recorded, new["id"])):
        state = {"recorded_as_of": f"seq:{seq}"}
        assert read_successor(register, old, **state)[0] == expected
        for suffix in (".ndjson", ".csv"):
            text = register.get(f"/v1/claims{suffix}", params=state | {"sort": "date"}).text.splitlines()
            first = text[0] if suffix == ".ndjson" else text[1]
            assert (str(expected) in first) == (expected is not None)
    assert "later gave 5,143" in register.get(permanent).json()["sentence"]
    now = register.get(f"/v1/claims/{old['id']}/citation").json()
    assert register.get(now["links"]["permanent"]).json()["sentence"] == now["sentence"]


def test_a_retracted_replacement_is_named_as_withdrawn(register: Register, pair: Any) -> None:
    old, new = pair
    supersede(register, new, old)
    post_event(register, new, "retraction", retracted_on="2019-03-01")
    assert read_successor(register, old) == (new["id"], NEW_DAY)
    assert sentence(register, old).endswith(
        "The ministry later gave 5,143 (5 January 2018); this replacement was withdrawn on 1 March 2019."
    )
    assert read_cell(register, old) == "5,080 (superseded)"
    assert sentence(register, old, known_on="2019-02-28").endswith("The ministry later gave 5,143 (5 January 2018).")
    assert read_cell(register, new) == "5,143 (retracted)"


def test_of_a_removed_replacement_no_figure_is_printed(register: Register, pair: Any) -> None:
    old, new = pair
    supersede(register, new, old, quote="We correct 5,080 to 5,143.", note="5,143 is final.")
    seq = read_latest_seq(register)
    post_event(register, new, "takedown")
    assert sentence(register, old).endswith(". The ministry later replaced this figure.")
    assert read_cell(register, old) == "5,080 (superseded)"
    assert read_successor(register, old) == (new["id"], None)
    for path in (
        f"/v1/claims/{old['id']}",
        f"/v1/claims/{old['id']}/relations",
        f"/v1/claims/{old['id']}/relations?recorded_as_of=seq:{seq}",
        f"/v1/claims/{old['id']}/citation?recorded_as_of=seq:{seq}",
        "/v1/claims",
        "/v1/changes",
        "/v1/feed.json",
    ):
        assert "5,143" not in register.get(path).text, path
    (relation,) = register.get(f"/v1/claims/{old['id']}/relations").json()["data"]
    answer = register.write("POST", f"/v1/relations/{relation['id']}/withdrawal", {"reason": "An error."})
    assert answer.status_code == 200
    assert read_cell(register, old) == "5,080"


def test_of_a_chain_the_newest_standing_claim_is_named(register: Register, pair: Any) -> None:
    old, new = pair
    newest = submit_claim(register, make_body("5,150", "2019-01-04", source="minister"))
    supersede(register, newest, new)
    supersede(register, new, old)
    assert read_successor(register, old) == read_successor(register, new) == (newest["id"], "2019-01-04")
    assert sentence(register, old).endswith(
        "The minister, speaking for The ministry, later gave 5,150 (4 January 2019)."
    )
    assert read_successor(register, old, known_on="2018-12-31") == (new["id"], NEW_DAY)
    post_event(register, newest, "retraction", retracted_on="2019-05-01")
    assert read_successor(register, old) == (new["id"], NEW_DAY)
    assert read_successor(register, new) == (newest["id"], "2019-01-04")


def test_an_undated_replacement_counts_only_without_a_limit(register: Register, pair: Any) -> None:
    old, _ = pair
    undated = submit_claim(register, make_body("5,160", None))
    supersede(register, undated, old)
    assert read_successor(register, old) == (undated["id"], None)
    assert sentence(register, old).endswith("The ministry later gave 5,160 (undated).")
    assert read_successor(register, old, known_on="2026-01-01") == (None, None)
    for filters, expected in (({}, {old["id"]}), ({"known_on": "2026-01-01"}, set())):
        rows = register.get("/v1/claims", params={"superseded": "true", **filters}).json()["data"]
        assert {row["id"] for row in rows} == expected


def test_a_filter_separates_superseded_claims(register: Register, pair: Any) -> None:
    old, new = pair
    supersede(register, new, old)

    def find(**parameters: Any) -> set[str]:
        return {row["id"] for row in read_all_rows(register, "/v1/claims", **parameters)}

    assert find() == {old["id"], new["id"]}
    assert find(superseded="true") == find(superseded="true", sort="recorded", category="killed") == {old["id"]}
    assert find(superseded="false") == find(superseded="false", sort="source") == {new["id"]}
    assert find(superseded="true", known_on="2018-01-04") == set()
    assert find(superseded="false", known_on="2018-01-04") == {old["id"]}
    state = {"recorded_as_of": f"seq:{read_latest_seq(register)}"}
    post_event(register, new, "retraction", retracted_on="2019-03-01")
    assert find(superseded="true") == find(superseded="true", **state) == {old["id"]}
    post_event(register, new, "takedown")
    assert find(superseded="true") == {old["id"]}
    total = register.get("/v1/claims", params={"superseded": "true", "total": "true"}).json()["meta"]["total"]
    assert total == 1
    assert_problem(register.get("/v1/claims", params={"superseded": "maybe"}), 422)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"source": "institute"}, "source"),
        ({"category": "wounded"}, "category"),
        ({"subject": "militia"}, "subject"),
        ({"place": "front"}, "place"),
        ({"proposition": "trend", "figure": {"as_printed": "more than ever"}}, "proposition"),
        ({"period": {"edtf": "2016", "aggregation": "snapshot"}}, "aggregation"),
        ({"period": {"edtf": "2016-02/2016-12", "aggregation": "within"}}, "period"),
        ({"period": {"edtf": "2016/..", "aggregation": "within"}}, "period"),
    ],
)
def test_only_a_like_claim_of_the_same_source_is_superseded(
    register: Register, pair: Any, changes: dict[str, Any], named: str
) -> None:
    old, _ = pair
    other = submit_claim(register, make_body("5,999", NEW_DAY, **changes))
    relation = {"type": "supersedes", "claim": old["id"]}
    problem = assert_problem(register.write("POST", f"/v1/claims/{other['id']}/relations", relation), 422)
    assert problem["errors"][0]["pointer"] == "#/claim"
    assert f"the same {named}:" in problem["detail"]


def test_a_speaker_and_another_total_of_the_same_days_supersede(register: Register, pair: Any) -> None:
    old, _ = pair
    period = {"edtf": "2016-01-01/2016-12-31", "aggregation": "cumulative"}
    other = submit_claim(register, make_body("5,170", NEW_DAY, source="minister", period=period))
    supersede(register, other, old)
    assert read_successor(register, old) == (other["id"], NEW_DAY)


def test_a_speaker_of_a_speaker_supersedes(register: Register, pair: Any) -> None:
    old, _ = pair
    spokesman = make_source_body("The spokesman", kind="individual", speaks_for="minister")
    assert register.write("PUT", "/v1/sources/spokesman", spokesman).status_code == 201
    newer = submit_claim(register, make_body("5,170", NEW_DAY, source="spokesman"))
    supersede(register, newer, old)
    assert read_successor(register, old) == (newer["id"], NEW_DAY)
    assert [row["id"] for row in register.get("/v1/claims", params={"superseded": "true"}).json()["data"]] == [
        old["id"]
    ]


def test_a_relation_that_no_longer_fits_stays_readable_and_does_not_count(register: Register, pair: Any) -> None:
    old, new = pair
    supersede(register, new, old)
    change = {"event": "transcription_fix", "reason": "Misread.", "changes": {"place": "front"}}
    answer = register.write("PATCH", f"/v1/claims/{new['id']}", change, **{"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert read_successor(register, old) == (None, None)
    assert register.get("/v1/claims", params={"superseded": "true"}).json()["data"] == []
    assert len(register.get(f"/v1/claims/{old['id']}/relations").json()["data"]) == 1
    speaker = make_source_body("The institute", kind="research", speaks_for="ministry")
    assert register.write("PUT", "/v1/sources/institute", speaker).status_code == 200


def test_a_circle_and_a_source_are_refused(register: Register, pair: Any) -> None:
    old, new = pair
    newest = submit_claim(register, make_body("5,150", "2019-01-04"))
    supersede(register, new, old)
    supersede(register, newest, new)
    for other in (new, newest):
        relation = {"type": "supersedes", "claim": other["id"]}
        answer = register.write("POST", f"/v1/claims/{old['id']}/relations", relation)
        assert_problem(answer, 409, "supersession_circle")
    relation = {"type": "supersedes", "source": "ministry"}
    problem = assert_problem(register.write("POST", f"/v1/claims/{old['id']}/relations", relation), 422)
    assert problem["errors"][0]["pointer"] == "#/source"


def test_a_supersession_changes_both_claims(register: Register, pair: Any) -> None:
    old, new = pair
    time.sleep(0.01)
    since: dict[str, Any] = {"updated_since": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
    assert read_all_rows(register, "/v1/claims", **since) == []
    supersede(register, new, old)
    for sort in ("recorded", "-date"):
        rows = read_all_rows(register, "/v1/claims", sort=sort, **since)
        assert {row["id"] for row in rows} == {old["id"], new["id"]}


def test_a_feed_names_both_figures(register: Register, pair: Any) -> None:
    old, new = pair
    relation = supersede(register, new, old)
    register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed"))
    for feed in ("/v1/feed", "/v1/topics/dead/feed"):
        item = register.get(f"{feed}.json").json()["items"][0]
        assert item["title"].startswith("Superseded 5,080 → 5,143: The ministry, 5 January 2018: ")
        assert "later gave 5,143 (5 January 2018)." in item["content_text"]
        assert "5,080 → 5,143" in register.get(f"{feed}.atom").text
    register.write("POST", f"/v1/relations/{relation['id']}/withdrawal", {"reason": "An error."})
    item = register.get("/v1/feed.json").json()["items"][0]
    assert item["title"].startswith("Supersession withdrawn 5,080 → 5,143: ")


UNSAID_PATHS = ["", "/citation", "/citation.txt", "/citation.bib", "/citation.csl.json", "/figure.txt", "/relations"]


@pytest.mark.parametrize("path", [*UNSAID_PATHS, "/assessments"])
def test_a_claim_is_not_there_before_it_was_said(register: Register, path: str) -> None:
    record_example_vocabulary(register)
    said = submit_claim(register, make_body("5,080", "2024-03-06"))
    undated = submit_claim(register, make_body("5,081", None))
    address = f"/v1/claims/{said['id']}{path}"
    for known_on in ("2024-03-01", "2024-03-05", "2024-03-06T23:59:59Z", "2024-03-07T01:59:59+02:00"):
        problem = assert_problem(register.get(address, params={"known_on": known_on}), 404, "not_said_yet")
        assert "5,080" not in str(problem)
    for known_on in ("2024-03-06", "2024-03-07T00:00:00Z"):
        assert register.get(address, params={"known_on": known_on}).status_code == 200
    address = f"/v1/claims/{undated['id']}{path}"
    assert_problem(register.get(address, params={"known_on": "2026-01-01"}), 404, "date_unknown")
    assert register.get(address).status_code == 200
    for wrong in ("2024-03", "2024-13-01", "2024-03-06T10:00:00", "2024-03-06T25:00:00Z", "yesterday"):
        problem = assert_problem(register.get(address, params={"known_on": wrong}), 422, "invalid_request")
        assert [each["pointer"] for each in problem["errors"]] == ["#/known_on"]


def test_the_day_of_a_relation_is_that_of_its_document(register: Register, pair: Any) -> None:
    old, new = pair
    document = {"title": "A reply", "url": "https://example.org/reply", "published_on": "2020-05-01"}
    made = register.write("POST", "/v1/documents", document).json()
    for relation in ({"document": made["id"]}, {}):
        make_body = {"type": "disputes", "claim": old["id"], **relation}
        assert register.write("POST", f"/v1/claims/{new['id']}/relations", make_body).status_code == 201
    supersede(register, new, old, document=made["id"])

    def count(known_on: str | None) -> int:
        parameters = {"known_on": known_on} if known_on else {}
        return len(register.get(f"/v1/claims/{old['id']}/relations", params=parameters).json()["data"])

    assert [count(day) for day in ("2018-01-04", NEW_DAY, "2020-04-30", "2020-05-01", None)] == [0, 2, 2, 3, 3]


@pytest.mark.usefixtures("pair")
def test_topics_count_what_had_been_said(register: Register) -> None:
    submit_claim(register, make_body("5,081", None))
    register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed"))
    expected: list[tuple[dict[str, Any], int]] = [
        ({}, 3),
        ({"known_on": "2018-01-04"}, 1),
        ({"known_on": "2018-01-05T12:00:00Z"}, 1),
    ]
    expected += [({"known_on": "2018-01-05"}, 2), ({"known_on": "2016-01-01"}, 0), ({}, 3)]
    for parameters, claims in expected:
        topic = register.get("/v1/topics/dead", params=parameters).json()
        assert topic["claims"] == claims
        (row,) = register.get("/v1/topics", params=parameters).json()["data"]
        assert row == topic
        for path in ("claims", "timeline"):
            assert len(read_all_rows(register, f"/v1/topics/dead/{path}", **parameters)) == claims
        assert (
            register.get("/v1/topics.csv", params={"fields": "claims", **parameters}).text == f"claims\r\n{claims}\r\n"
        )


def test_the_moment_of_a_claim_decides_on_its_day(register: Register) -> None:
    record_example_vocabulary(register)
    register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed"))
    day = {"edtf": "2023-02-07", "aggregation": "within"}
    early = submit_claim(register, make_body("100", "2023-02-07", period=day, said_at="2023-02-07T02:30:00+03:00"))
    late = submit_claim(register, make_body("200", "2023-02-07", period=day, said_at="2023-02-07T10:00:00.500+03:00"))
    west = submit_claim(register, make_body("300", "2023-02-06", said_at="2023-02-06T20:00:00-08:00"))
    timeless = submit_claim(register, make_body("400", "2023-02-06"))
    supersede(register, late, early)
    expected = {
        "2023-02-06T23:29:59Z": set(),
        "2023-02-06T23:30:00Z": {early["id"]},
        "2023-02-07T00:00:00Z": {early["id"], timeless["id"]},
        "2023-02-07T04:00:00Z": {early["id"], timeless["id"], west["id"]},
        "2023-02-07T07:00:00Z": {early["id"], timeless["id"], west["id"]},
        "2023-02-07T10:00:00.5+03:00": {early["id"], late["id"], timeless["id"], west["id"]},
        "2023-02-06": {timeless["id"], west["id"]},
        "2023-02-07": {early["id"], late["id"], timeless["id"], west["id"]},
    }
    for known_on, ids in expected.items():
        for path in ("/v1/claims", "/v1/topics/dead/claims", "/v1/topics/dead/timeline"):
            for parameters in ({}, {"sort": "source"}) if path == "/v1/claims" else ({},):
                rows = read_all_rows(register, path, 2, known_on=known_on, **parameters)
                assert {row["id"] for row in rows} == ids, (known_on, path)
        for claim in (early, late, west, timeless):
            status = register.get(f"/v1/claims/{claim['id']}", params={"known_on": known_on}).status_code
            assert (status == 200) == (claim["id"] in ids), known_on
        if early["id"] in ids:
            is_replaced = late["id"] in ids
            assert (read_successor(register, early, known_on=known_on)[0] is not None) == is_replaced
            rows = read_all_rows(register, "/v1/claims", known_on=known_on, superseded="true")
            assert [row["id"] for row in rows] == [early["id"]] * is_replaced


def test_an_export_is_imported_again_without_a_change(register: Register, pair: Any) -> None:
    old, new = pair
    supersede(register, new, old)
    seq = read_latest_seq(register)
    for name in ("claims.csv", "claims.ndjson"):
        content = register.get(f"/v1/{name}").content
        files = {"file": (name, content, "application/octet-stream")}
        answer = register.client.post("/v1/imports", files=files, headers=register.keys["admin"])
        assert answer.status_code in (200, 201), answer.text
    assert read_latest_seq(register) == seq
