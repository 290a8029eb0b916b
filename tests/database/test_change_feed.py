"""The change log is read once per process, and a change is the same in every later state."""

from typing import Any

import pytest
from sqlmodel import Session

from app.database import change_feed
from app.database.change_feed import CHANGE_FEED, ChangeEntry, changes_since
from app.database.read_session import read_session
from app.topics.summaries import TOPIC_SUMMARIES
from app.vocabulary.reference_data import REFERENCE_DATA
from tests.examples import (
    make_claim_body,
    make_topic_body,
    make_unique_claim_body,
    read_latest_seq,
    submit_claim,
)
from tests.registers import Register

LIMIT = 200


def read_changes(register: Register, after: int, until: int, limit: int = LIMIT) -> list[ChangeEntry] | None:
    with read_session(register.database) as source:
        found = changes_since(source, after, until, limit)
    return None if found is None else list(found)


def revise(register: Register, claim: str, revision: int, **changes: Any) -> None:
    body = {"event": "transcription_fix", "reason": "It was misread.", "changes": changes}
    match = {"If-Match": f'"{revision}"'}
    assert register.write("PATCH", f"/v1/claims/{claim}", body, **match).status_code == 200


def assess(register: Register, claim: str, level: str) -> None:
    body = {"level": level, "rationale": "It was looked into."}
    assert register.write("POST", f"/v1/claims/{claim}/assessments", body).status_code == 201


def test_a_change_is_described_as_of_itself(desk: Register) -> None:
    before = read_latest_seq(desk)
    claim = submit_claim(desk, make_claim_body())["id"]
    first = read_latest_seq(desk)
    assess(desk, claim, "high")
    revise(desk, claim, 1, category="wounded")
    last = read_latest_seq(desk)
    changes = read_changes(desk, before, last)
    assert changes is not None
    assert [change.seq for change in changes] == list(range(before + 1, last + 1))
    document, recorded, assessed, revised = changes
    assert (document.kind, document.claim, document.fields) == ("document", None, None)
    assert (recorded.kind, recorded.seq, recorded.revision, recorded.claim) == ("claim", first, 1, claim)
    assert recorded.fields is not None
    assert (recorded.fields["id"], recorded.fields["category"]) == (claim, "killed")
    assert recorded.fields["level"] == "unassessed", "it was assessed later"
    assert recorded.previous_fields is None
    assert assessed.fields is not None
    assert (assessed.fields["category"], assessed.fields["level"]) == ("killed", "high")
    assert assessed.claim_version == recorded.claim_version
    assert revised.fields is not None
    assert revised.previous_fields is not None
    assert (revised.previous_fields["category"], revised.fields["category"]) == ("killed", "wounded")
    assert revised.claim_version != recorded.claim_version


def test_what_was_read_is_not_read_again(desk: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_latest_seq(desk)
    for n in range(3):
        submit_claim(desk, make_unique_claim_body(note=f"The {n}th."))
    last = read_latest_seq(desk)
    desk.database.caches.remove(CHANGE_FEED)
    everything = read_changes(desk, before, last)
    assert everything is not None

    def refuse(_fetch_rows: Any, after: int, until: int) -> Any:
        pytest.fail(f"{after} to {until} was read again")

    with monkeypatch.context() as patched:
        patched.setattr(change_feed, "_read_changes", refuse)
        assert read_changes(desk, before + 2, last - 1) == everything[2:-1]
        assert read_changes(desk, last, last) == []
    earlier = read_changes(desk, before - 2, last)
    assert earlier is not None
    assert earlier[2:] == everything


def test_a_reader_that_is_too_far_behind_is_told_nothing(desk: Register) -> None:
    last = read_latest_seq(desk)
    assert read_changes(desk, 0, last, limit=last - 1) is None
    assert read_changes(desk, last, last - 1) is None, "the log went back"
    assert len(read_changes(desk, 0, last, limit=last) or []) == last


def test_the_feed_keeps_only_the_latest_changes(desk: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "MAX_BUFFERED_CHANGES", 4)
    desk.database.caches.remove(CHANGE_FEED)
    last = read_latest_seq(desk)
    for until in (3, 5, last, 4, last - 1, last):
        for after in range(until):
            found = read_changes(desk, after, until)
            assert [change.seq for change in found or []] == list(range(after + 1, until + 1))
            assert len(desk.database.caches[CHANGE_FEED]._entries) <= 4


def test_a_session_reads_the_same_as_a_read_session(desk: Register) -> None:
    submit_claim(desk, make_claim_body())
    last = read_latest_seq(desk)
    expected = read_changes(desk, 0, last)
    desk.database.caches.remove(CHANGE_FEED)
    with desk.database.read() as session:
        assert isinstance(session, Session)
        assert list(changes_since(session, 0, last, LIMIT) or []) == expected


def test_after_a_write_all_caches_share_one_look_at_the_change_log(desk: Register) -> None:
    assert desk.write("PUT", "/v1/topics/losses", make_topic_body()).status_code == 201
    submit_claim(desk, make_unique_claim_body(note="The first."))
    for path in ("/v1/topics", "/v1/claims"):
        assert desk.get(path).status_code == 200
    submit_claim(desk, make_unique_claim_body(note="The second."))
    looked: list[str] = []
    feed = desk.database.caches[CHANGE_FEED]
    read = feed.read

    def count(fetch_rows: Any, after: int, until: int) -> Any:
        def fetch(statement: str) -> Any:
            looked.append(statement)
            return fetch_rows(statement)

        return read(fetch, after, until)

    feed.read = count  # type: ignore[method-assign]
    for path in ("/v1/topics", "/v1/claims?limit=7", "/v1/topics?limit=3", "/v1/claims?limit=8"):
        assert desk.get(path).status_code == 200
    assert len(looked) == 1
    assert desk.database.caches[TOPIC_SUMMARIES].get("losses") is not None
    assert desk.database.caches[REFERENCE_DATA]._current is not None
