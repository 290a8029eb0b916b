"""The change log by topic and kind, and what lies beyond its end."""

import asyncio
from collections.abc import Callable
from typing import Any, get_args

import orjson
import pytest

from app.changes.routes import StreamQuery, StreamShape, _format_id, _read_start, format_events
from app.changes.schemas import ChangeKind
from app.changes.tail import read_batch
from app.database.tables import VERSION_TABLES
from app.errors import InvalidRequest, UnknownSlug
from app.http.shutdown import Shutdown
from tests.examples import (
    assert_problem,
    make_claim_body,
    make_topic_body,
    make_unique_claim_body,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register


@pytest.fixture
def desk(register: Register) -> Register:
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/losses", make_topic_body()).status_code == 201
    dead = make_topic_body(category="killed", since="2022-02-24", aggregation="cumulative")
    assert register.write("PUT", "/v1/topics/dead", dead).status_code == 201
    return register


def test_the_kinds_are_those_of_the_versioned_tables() -> None:
    assert {kind.value for kind in ChangeKind} == set(VERSION_TABLES)
    assert get_args(StreamQuery.model_fields["kind"].annotation) == (ChangeKind,)


def rows(register: Register, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = register.get(f"/v1/changes?limit=1000{query}").json()["data"]
    return found


def test_each_change_names_its_topics_and_can_be_found_by_them(desk: Register) -> None:
    both = submit_claim(desk, make_claim_body())
    neither = submit_claim(desk, make_unique_claim_body(subject="militia"))
    partial = submit_claim(desk, make_claim_body(period={"edtf": "2022-02/2025-06-12", "aggregation": "cumulative"}))
    later = submit_claim(desk, make_claim_body(period={"edtf": "2023-02-24/2025-06-12", "aggregation": "cumulative"}))
    wounded = submit_claim(desk, make_unique_claim_body(category="wounded"))
    assessment = {"level": "low", "rationale": "x"}
    assert desk.write("POST", f"{both['links']['self']}/assessments", assessment).status_code == 201
    assert desk.write("POST", f"{wounded['links']['self']}/takedown", {"reason": "x"}).status_code == 200
    expected = {both["id"]: ["dead", "losses"], neither["id"]: [], partial["id"]: ["dead", "losses"]}
    expected |= {later["id"]: ["losses"], wounded["id"]: ["losses"]}
    everything = rows(desk)
    for row in everything:
        if row["claim"] is not None:
            assert row["topics"] == expected[row["claim"]], row
        elif row["kind"] == "topic":
            assert row["topics"] == [row["id"]]
        else:
            assert row["topics"] == []
    cases: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
        ("&topic=dead", lambda row: "dead" in row["topics"]),
        ("&topic=dead&topic=losses", lambda row: row["topics"]),
        ("&kind=assessment&kind=topic", lambda row: row["kind"] in ("assessment", "topic")),
        ("&kind=claim&topic=losses&total=true", lambda row: row["kind"] == "claim" and "losses" in row["topics"]),
    ]
    for query, is_wanted in cases:
        assert rows(desk, query) == [row for row in everything if is_wanted(row)], query
    assert_problem(desk.get("/v1/changes?topic=nothing"), 422, "unknown_slug")
    assert_problem(desk.get("/v1/changes?kind=nothing"), 422)


def test_what_lies_beyond_the_end_is_told(desk: Register) -> None:
    last = read_latest_seq(desk)
    assert rows(desk, f"&after={last}") == []
    for query in (f"after={last + 1}", f"cursor={last + 1}"):
        problem = assert_problem(desk.get(f"/v1/changes?{query}"), 422)
        assert str(last) in problem["detail"]
    assert_problem(desk.get(f"/v1/changes/stream?after={last + 1}"), 422)
    assert_problem(desk.get("/v1/changes/stream", headers={"Last-Event-ID": str(last + 1)}), 422)
    assert_problem(desk.get("/v1/changes/stream?topic=nothing"), 422, "unknown_slug")


def test_a_stream_continues_after_what_its_filter_left_out(desk: Register) -> None:
    query = StreamQuery(topic=["dead"], kind=[ChangeKind.claim])
    epoch, start = _read_start(desk.database, query, None)
    assert (epoch, start) == (1, read_latest_seq(desk))
    submit_claim(desk, make_unique_claim_body(subject="militia"))
    batch = read_batch(desk.database, start, served=False)
    assert (format_events(batch, query), batch.seq, batch.is_last) == (b"", read_latest_seq(desk), True)
    wanted = submit_claim(desk, make_claim_body())
    events = read_events(desk, query, batch.seq)
    assert events.count(b"event: change") == 1
    assert f"id: {wanted['seq']}".encode() in events
    assert (_format_id(1, 7), _format_id(2, 7)) == (b"id: 7\n\n", b"id: 2:7\n\n")
    with pytest.raises(InvalidRequest):
        _read_start(desk.database, query, str(10**6))
    with pytest.raises(UnknownSlug):
        _read_start(desk.database, StreamQuery(topic=["nothing"]), None)


def test_the_end_of_the_process_wakes_who_waits_for_it() -> None:
    async def run() -> None:
        shutdown = Shutdown()
        assert not await shutdown.wait(0.01)
        waiting = asyncio.create_task(shutdown.wait())
        await asyncio.sleep(0)
        with shutdown.protect():
            shutdown.begin()
            assert await waiting
            protected = asyncio.create_task(shutdown.wait_for_protected())
            await asyncio.sleep(0.01)
            assert not protected.done()
        await protected

    asyncio.run(run())


SERVED_AT = {"category": "categories", "assessment": "assessments", "relation": "relations"}


def test_a_served_change_is_what_get_serves(desk: Register) -> None:
    claim = submit_claim(desk, make_claim_body())
    path = claim["links"]["self"]
    assert desk.write("POST", f"{path}/assessments", {"level": "low", "rationale": "x"}).status_code == 201
    changes = {"event": "transcription_fix", "reason": "x", "changes": {"note": "Read again."}}
    assert desk.write("PATCH", path, changes, **{"If-Match": '"1-"'}).status_code == 200
    removed = submit_claim(desk, make_unique_claim_body())
    assert desk.write("POST", f"{removed['links']['self']}/takedown", {"reason": "x"}).status_code == 200
    plain, served = rows(desk), rows(desk, "&shape=served")
    assert [row | {"data": None} for row in served] == [row | {"data": None} for row in plain]
    kinds = set()
    for row in served:
        kind, key, state = row["kind"], row["id"], f"?recorded_as_of=seq:{row['seq']}"
        if row["claim"] == removed["id"]:
            assert row["data"] is None
        elif kind == "assessment":
            listed = desk.get(f"/v1/claims/{row['claim']}/assessments{state}").json()["data"]
            assert row["data"] in listed
        else:
            folder = SERVED_AT.get(kind, f"{kind}s")
            assert row["data"] == desk.get(f"/v1/{folder}/{key}{state}").json(), kind
        kinds.add(kind)
    assert {"category", "subject", "place", "source", "topic", "document", "claim", "assessment"} <= kinds
    lines = desk.get("/v1/changes.ndjson?shape=served&kind=claim").text.splitlines()
    assert orjson.loads(lines[0])["data"] == next(row["data"] for row in served if row["kind"] == "claim")
    assert_problem(desk.get("/v1/changes?shape=mixed"), 422)
    assert_problem(desk.get("/v1/claims?shape=served"), 422)


def test_a_stream_sends_one_message_for_each_transaction(desk: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_latest_seq(desk)
    claim = submit_claim(desk, make_claim_body())
    submit_claim(desk, make_unique_claim_body())
    query = StreamQuery(after=before, shape="served")
    messages = read_messages(read_events(desk, query, before))
    assert [message["event"] for message in messages] == ["transaction"] * 2
    first = orjson.loads(messages[0]["data"])
    assert [row["kind"] for row in first["changes"]] == ["document", "claim"]
    assert first["changes"][-1]["data"] == desk.get(claim["links"]["self"]).json()
    assert (first["seq"], first["more"]) == (first["changes"][-1]["seq"], False)
    assert messages[0]["id"] == str(first["seq"])
    monkeypatch.setattr("app.changes.tail.BATCH_ROWS", 1)
    cut = orjson.loads(read_messages(read_events(desk, query, before))[0]["data"])
    assert (len(cut["changes"]), cut["more"]) == (1, True)
    plain = StreamQuery(after=before)
    monkeypatch.setattr("app.changes.tail.BATCH_ROWS", 200)
    assert {each["event"] for each in read_messages(read_events(desk, plain, before))} == {"change"}


def read_events(desk: Register, query: StreamQuery, after: int) -> bytes:
    """Return what a stream sends next."""
    return format_events(read_batch(desk.database, after, served=query.shape is StreamShape.served), query)


def read_messages(events: bytes) -> list[dict[str, str]]:
    return [
        dict(line.split(": ", 1) for line in event.splitlines()) for event in events.decode().split("\n\n") if event
    ]


def test_a_page_looks_at_a_limited_number_of_changes(desk: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        submit_claim(desk, make_unique_claim_body(subject="militia"))
        submit_claim(desk, make_claim_body(date=f"2025-06-1{3 + number}"))
    submit_claim(desk, make_unique_claim_body(subject="militia"))
    queries = ("&topic=dead", "&kind=claim", "&kind=topic&topic=dead", "")
    expected = {query: rows(desk, query) for query in queries}
    monkeypatch.setattr("app.changes.queries.SEARCHED_AT_ONCE", 2)
    monkeypatch.setattr("app.changes.queries.MAX_SEARCHED_CHANGES", 3)
    last = read_latest_seq(desk)
    for query in queries:
        found: list[dict[str, Any]] = []
        path: str | None = f"/v1/changes?limit=2{query}"
        pages = 0
        while path is not None:
            page = desk.get(path).json()
            assert len(page["data"]) <= 2
            found += page["data"]
            path = page["links"]["next"]
            pages += 1
        assert found == expected[query]
        assert pages >= last // 3 or not query
        lines = desk.get(f"/v1/changes.ndjson?{query}").text.splitlines()
        assert [orjson.loads(line)["seq"] for line in lines] == [row["seq"] for row in expected[query]]
    first = desk.get("/v1/changes?topic=dead&limit=2").json()
    assert (first["data"], first["meta"]["next_cursor"]) == ([], "3")
    total = desk.get("/v1/changes?topic=dead&limit=1&total=true").json()["meta"]["total"]
    assert total == len(expected["&topic=dead"])
