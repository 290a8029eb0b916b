"""Past states on every read: by `known_on`, by time and by `seq`."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.database.tables import Change, Clock, columns_of, table_of
from tests.contract.examples import iterate_operations, suffixes_of
from tests.examples import (
    assert_problem,
    make_citation_body,
    make_claim_body,
    make_figure_body,
    make_source_body,
    make_topic_body,
    make_unique_claim_body,
    read_all_rows,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.history.servers import run_servers
from tests.registers import DatabaseCopies, Register

TOPIC = "/v1/topics/how-many"


def routes(register: Register) -> list[str]:
    """Return the address of every read with `recorded_as_of`, built from the OpenAPI examples."""
    found = []
    for method, path, operation in iterate_operations(register.get("/openapi.json").json()):
        parameters = operation.get("parameters", [])
        if method != "get" or not any(each["name"] == "recorded_as_of" for each in parameters):
            continue
        query = ""
        for each in parameters:
            example = str(each.get("example") or (each.get("examples") or each["schema"].get("examples") or [""])[0])
            if each["in"] == "path":
                path = path.replace("{" + each["name"] + "}", example)  # noqa: PLW2901 - built in steps
            elif each.get("required"):
                query += f"{each['name']}={example}&"
        found += [f"{path}{suffix}?{query}" for suffix in ("", *suffixes_of(operation)[1:2])]
    assert len(found) > 40
    return found


def retract_claim(register: Register, made: dict[str, Any], day: str) -> dict[str, Any]:
    body = {"retracted_on": day, "reason": "Taken back."}
    match = {"If-Match": f'"{made["revision"]}"'}
    answer = register.write("POST", f"/v1/claims/{made['id']}/retraction", body, **match)
    assert answer.status_code == 200, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    rows = [each["claim"] for each in body["positions"]] if "positions" in body else body["data"]
    return [row["id"] for row in rows]


def test_a_state_that_is_not_reached_is_refused_wherever_it_can_be_asked_for(shared_starter_register: Register) -> None:
    seq = read_latest_seq(shared_starter_register)
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    for address in routes(shared_starter_register):
        for state in (f"seq:{seq + 1}", "seq:999999999999999999", soon, "9999-12-31T23:59:59Z", "2999-01-01"):
            problem = assert_problem(
                shared_starter_register.get(f"{address}recorded_as_of={state}"), 422, "invalid_request"
            )
            (wrong,) = problem["errors"]
            assert (wrong["pointer"], wrong["location"]) == ("#/recorded_as_of", "query"), address
        assert shared_starter_register.get(f"{address}recorded_as_of=seq:{seq}").status_code == 200, address


@pytest.mark.parametrize(
    "state",
    [
        "seq",
        "seq:",
        "seq:-1",
        "seq:1.5",
        "seq:1e3",
        "seq: 1",
        "seq:١",
        "SEQ:1",
        "1",
        "yesterday",
        "2026-02-30",
        "2026-11-20T25:00:00Z",
        "2026-11-20T12:00:00+99:00",
        "0001-01-01T00:00:00+14:00",
        "seq:1234567890123456789",
        "2026-11-20\0",
        "x" * 500,
    ],
)
def test_garbage_is_no_state(shared_starter_register: Register, state: str) -> None:
    for address in ("/v1/claims", "/v1/claims.csv", "/v1/topics/russian-casualties/side-by-side", "/v1/changes"):
        problem = assert_problem(
            shared_starter_register.get(address, params={"recorded_as_of": state}), 422, "invalid_request"
        )
        assert problem["errors"][0]["pointer"] == "#/recorded_as_of"


@pytest.mark.parametrize("state", ["seq:0", "1970-01-01T00:00:00Z", "0001-01-01", "2020-02-02T02:02:02+02:00"])
def test_before_its_first_change_the_register_is_empty(shared_starter_register: Register, state: str) -> None:
    asked = {"recorded_as_of": state}
    for path in ("claims", "sources", "documents", "categories", "subjects", "places", "topics", "changes"):
        page = shared_starter_register.get(f"/v1/{path}", params=asked | {"total": "true"}).json()
        assert (page["data"], page["meta"]) == ([], {"count": 0, "next_cursor": None, "seq": 0, "total": 0})
        lines = shared_starter_register.get(f"/v1/{path}.csv", params=asked).text.split("\r\n")
        assert (len(lines), lines[1]) == (2, "")
    held = shared_starter_register.get("/v1/claims?limit=1").json()["data"][0]["id"]
    for address in (f"/v1/claims/{held}", "/v1/topics/russian-casualties", "/v1/sources/csis"):
        assert_problem(shared_starter_register.get(address, params=asked), 404)
    assert_problem(shared_starter_register.get("/v1/claims", params=asked | {"source": "csis"}), 422, "unknown_slug")


def test_what_was_known_and_what_was_recorded_are_two_questions(register: Register) -> None:
    record_example_vocabulary(register)
    register.write("PUT", TOPIC, make_topic_body())
    early = submit_claim(register, make_unique_claim_body(date="2025-06-12"))
    late = submit_claim(register, make_unique_claim_body(date="2025-07-01", source="institute"))
    before = f"seq:{read_latest_seq(register)}"
    assert retract_claim(register, early, "2025-08-01")["status"] == "retracted"
    after = f"seq:{read_latest_seq(register)}"
    for known_on, state, standing, taken_back in (
        ("2025-06-11", before, [], []),
        ("2025-06-30", before, [early], []),
        ("2025-09-01", before, [early, late], []),
        ("2025-06-30", after, [early], []),
        ("2025-07-31", after, [early, late], []),
        ("2025-08-01", after, [late], [early]),
        ("2025-07-31", None, [early, late], []),
        ("2025-08-01", None, [late], [early]),
    ):
        asked = {"known_on": known_on} | ({"recorded_as_of": state} if state else {})
        sides = register.get(f"{TOPIC}/side-by-side", params=asked)
        assert set(ids(sides)) == {each["id"] for each in standing}, asked
        assert [each["id"] for each in sides.json()["retracted"]] == [each["id"] for each in taken_back], asked
        listed = register.get("/v1/claims", params=asked).json()["data"]
        status = {each["id"]: each["status"] for each in listed}
        assert status == dict.fromkeys((each["id"] for each in standing), "asserted") | dict.fromkeys(
            (each["id"] for each in taken_back), "retracted"
        )
        rows = csv.DictReader(io.StringIO(register.get("/v1/claims.csv", params=asked).text))
        assert {row["id"]: row["status"] for row in rows} == status
        for each in (*standing, *taken_back):
            one = register.get(f"/v1/claims/{each['id']}", params=asked).json()
            assert one["status"] == status[each["id"]]
        for wanted in ("asserted", "retracted"):
            found = ids(register.get("/v1/claims", params=asked | {"status": wanted}))
            assert set(found) == {id_ for id_, stands in status.items() if stands == wanted}


def test_an_undated_claim_is_never_known(register: Register) -> None:
    record_example_vocabulary(register)
    register.write("PUT", TOPIC, make_topic_body())
    undated, dated = (
        submit_claim(register, make_unique_claim_body(date=None)),
        submit_claim(register, make_unique_claim_body(source="institute")),
    )
    seq = read_latest_seq(register)
    for state in ({}, {"recorded_as_of": f"seq:{seq}"}):
        for day in ("2025-06-12", "9999-12-31"):
            asked = {"known_on": day, **state}
            for path in ("/v1/claims", f"{TOPIC}/claims", f"{TOPIC}/timeline", f"{TOPIC}/side-by-side"):
                assert ids(register.get(path, params=asked)) == [dated["id"]], asked
            rows = csv.DictReader(io.StringIO(register.get("/v1/claims.csv", params=asked).text))
            assert [row["id"] for row in rows] == [dated["id"]]
        assert set(ids(register.get("/v1/claims", params=state))) == {dated["id"], undated["id"]}
        assert set(ids(register.get(f"{TOPIC}/side-by-side", params=state))) == {dated["id"], undated["id"]}


def test_the_age_in_a_past_answer_is_counted_to_its_own_day(register: Register) -> None:
    record_example_vocabulary(register)
    register.write("PUT", TOPIC, make_topic_body())
    made = submit_claim(register, make_claim_body())
    # All claims were recorded in 2025: ages are counted to the day of the state, not to today.
    then = datetime(2025, 7, 2, 12, tzinfo=UTC)
    with register.database.write() as session:
        session.execute(update(table_of(Change)).values(at=then))
        session.execute(update(table_of(Clock)).values(at=then))
    seq = read_latest_seq(register)
    today = datetime.now(UTC).date()
    present = register.get(f"{TOPIC}/side-by-side").json()
    assert present["known_on"] is None
    assert present["positions"][0]["age_days"] == (today - date(2025, 6, 12)).days
    past = register.get(f"{TOPIC}/side-by-side?recorded_as_of=seq:{seq}")
    assert (past.json()["known_on"], past.json()["positions"][0]["age_days"]) == (None, 20)
    assert register.get(f"{TOPIC}/side-by-side?recorded_as_of=2025-07-03").content == past.content
    asked = register.get(f"{TOPIC}/side-by-side?recorded_as_of=seq:{seq}&known_on=2025-06-22").json()
    assert (asked["known_on"], asked["positions"][0]["age_days"]) == ("2025-06-22", 10)
    # A retraction that is recorded later has no effect on the past state, although its day is before it.
    retract_claim(register, made, "2025-06-20")
    assert register.get(f"{TOPIC}/side-by-side?recorded_as_of=seq:{seq}").content == past.content
    with register.database.read() as session:
        assert session.execute(select(func.max(columns_of(Change).at))).scalar_one() > then


def test_a_client_reads_its_own_writes_whichever_process_answers(database_copies: DatabaseCopies) -> None:
    with run_servers(database_copies, 2) as fleet:
        writer, reader = fleet.servers
        for number in range(20):
            body = make_claim_body(figure=make_figure_body(str(number), value=number))
            made = writer.request("POST", "/v1/claims", body, fleet.keys["contributor"])
            seen = {"X-Register-Seq": made.headers["x-register-seq"]}
            assert int(seen["X-Register-Seq"]) >= made.json()["seq"]
            found = reader.request("GET", "/v1/claims?sort=-recorded&limit=1", headers=seen)
            assert found.json()["data"][0]["id"] == made.json()["id"]
            assert int(found.headers["x-register-seq"]) >= int(seen["X-Register-Seq"])
            writer, reader = reader, writer
        ahead = {"X-Register-Seq": str(made.json()["seq"] + 1000)}
        for server in fleet.servers:
            late = server.request("GET", "/v1/claims", headers=ahead)
            assert (late.status, late.json()["code"]) == (503, "unavailable")
            assert int(late.headers["retry-after"]) >= 1
            assert server.request("GET", "/v1/claims", headers={"X-Register-Seq": "soon"}).status == 422


@pytest.mark.parametrize(
    ("via", "wrong", "word"),
    [
        (["ministry"], 0, "claimant"),
        (["agency", "ministry"], 1, "claimant"),
        (["paper"], 0, "published"),
        (["agency", "paper"], 1, "published"),
        (["agency", "institute", "agency"], 2, "twice"),
        (["agency", "agency"], 1, "twice"),
    ],
)
def test_a_chain_does_not_name_its_own_ends(register: Register, via: list[str], wrong: int, word: str) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_claim_body())
    stands = made["citations"][0]["document"]
    seq = read_latest_seq(register)
    documents: list[Any] = [
        {"title": "Another", "publisher": "paper"},
        {"title": stands["title"], "url": stands["url"]},
        {"id": stands["id"]},
        stands["id"],
    ]
    for document in documents:
        cited = {"document": document, "via": via, "quote": "Another passage"}
        body = {"event": "transcription_fix", "reason": "A link.", "changes": {"citations": [cited]}}
        for method, path, given, pointer in (
            ("POST", "/v1/claims", make_unique_claim_body(citations=[make_citation_body(), cited]), "#/citations/1/"),
            ("POST", f"/v1/claims/{made['id']}/citations", cited, "#/"),
            ("PATCH", f"/v1/claims/{made['id']}", body, "#/changes/citations/0/"),
        ):
            headers = {"If-Match": '"1"'} if method == "PATCH" else {}
            answer = register.write(method, path, given, **headers)
            problem = assert_problem(answer, 422, "invalid_request")
            assert [each["pointer"] for each in problem["errors"]] == [f"{pointer}via/{wrong}"]
            assert word in problem["errors"][0]["detail"]
    assert read_latest_seq(register) == seq


def test_a_chain_of_others_is_kept_in_its_order(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(
        register, make_claim_body(citations=[make_citation_body(via=["minister", "agency", "institute"])])
    )
    assert made["citations"][0]["via"] == ["minister", "agency", "institute"]
    # A correction of the claimant can make the claimant a link of the chain.
    body = {"event": "transcription_fix", "reason": "It was the agency.", "changes": {"source": "agency"}}
    answer = register.write("PATCH", f"/v1/claims/{made['id']}", body, **{"If-Match": '"1"'})
    assert assert_problem(answer, 422)["errors"][0]["pointer"] == "#/changes/citations/0/via/1"


def test_no_claim_is_related_to_itself(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_claim_body())
    seq = read_latest_seq(register)
    for type_ in ("corroborates", "disputes", "repeats", "based_on", "part_of", "supersedes"):
        answer = register.write("POST", f"/v1/claims/{made['id']}/relations", {"type": type_, "claim": made["id"]})
        problem = assert_problem(answer, 422, "invalid_request")
        assert [each["pointer"] for each in problem["errors"]] == ["#/claim"]
    assert read_latest_seq(register) == seq
    assert register.get(f"/v1/claims/{made['id']}/relations").json()["data"] == []


def test_two_transcriptions_of_one_statement_are_shown_as_such(starter_register: Register, shared_data: Path) -> None:
    day = "2023-01-12"
    rows = json.loads((shared_data / "general-staff-a" / "personnel.json").read_text("utf-8"))
    figures = [next(row["personnel"] for row in rows if row["date"] == day)]
    rows = json.loads((shared_data / "general-staff-b" / "losses.json").read_text("utf-8"))
    figures += [next(row["personnel"] for row in rows if row["date"] == day)]
    assert figures == [113_390, 113_990]
    said = read_all_rows(starter_register, "/v1/claims", source="ua-general-staff", date_from=day, date_to=day)
    made = [row["id"] for row in said if row["figure"]["value"] in figures]
    assert len(made) == 2
    for tolerance in ("", "&tolerance=0.1"):
        address = f"/v1/topics/russian-casualties/side-by-side?known_on={day}{tolerance}"
        answer = starter_register.get(address).json()
        shown = [each for each in answer["positions"] if each["claim"]["id"] in made]
        assert {each["claim"]["id"] for each in shown} == set(made)
        (pair,) = [each for each in answer["pairs"] if {each["a"], each["b"]} == set(made)]
        expected = ("agree", ["one_source"]) if tolerance else ("undetermined", ["same_day"])
        assert (pair["verdict"], pair["reasons"]) == expected
        assert pair["gap"] == 600
    # A day later the source has a newer claim, which ends the conflict.
    later = starter_register.get("/v1/topics/russian-casualties/side-by-side?known_on=2025-06-12").json()
    assert not set(made) & {each["claim"]["id"] for each in later["positions"]}


def test_the_tenth_outlet_adds_a_citation_and_no_origin(register: Register) -> None:
    record_example_vocabulary(register)
    register.write("PUT", TOPIC, make_topic_body())
    body = make_claim_body(derivation="own")
    made = submit_claim(register, body)
    alone = register.get(f"{TOPIC}/side-by-side").json()
    for number in range(2, 11):
        slug = f"outlet-{number}"
        assert register.write("PUT", f"/v1/sources/{slug}", make_source_body(f"Outlet {number}")).status_code == 201
        cited = {"document": {"url": f"https://example.org/{slug}", "title": slug, "publisher": slug}}
        again = assert_problem(register.write("POST", "/v1/claims", body | {"citations": [cited]}), 409)
        assert again["claim"] == made["id"]
        answer = register.write("POST", f"/v1/claims/{made['id']}/citations", cited)
        assert (answer.status_code, answer.json()["revision"]) == (201, 1)
        assert len(answer.json()["citations"]) == number
    assert ids(register.get("/v1/claims")) == [made["id"]]
    sides = register.get(f"{TOPIC}/side-by-side").json()
    for name in ("spread", "independent_origins", "pairs"):
        assert sides[name] == alone[name]
    assert sides["independent_origins"] == {"at_least": 1, "at_most": 1}
    assert len(sides["positions"][0]["claim"]["citations"]) == 10
