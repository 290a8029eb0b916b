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
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

LIMIT = 200


@pytest.fixture
def furnished(register: Register) -> Register:
    record_example_vocabulary(register)
    return register


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


def test_a_change_is_described_as_of_itself(furnished: Register) -> None:
    before = read_latest_seq(furnished)
    claim = submit_claim(furnished, make_claim_body())["id"]
    first = read_latest_seq(furnished)
    assess(furnished, claim, "high")
    revise(furnished, claim, 1, category="wounded")
    last = read_latest_seq(furnished)
    changes = read_changes(furnished, before, last)
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


def test_what_was_read_is_not_read_again(furnished: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_latest_seq(furnished)
    for n in range(3):
        submit_claim(furnished, make_unique_claim_body(note=f"The {n}th."))
    last = read_latest_seq(furnished)
    furnished.database.caches.remove(CHANGE_FEED)
    everything = read_changes(furnished, before, last)
    assert everything is not None

    def refuse(_fetch_rows: Any, after: int, until: int) -> Any:
        pytest.fail(f"{after} to {until} was read again")

    with monkeypatch.context() as patched:
        patched.setattr(change_feed, "_read_changes", refuse)
        assert read_changes(furnished, before + 2, last - 1) == everything[2:-1]
        assert read_changes(furnished, last, last) == []
    earlier = read_changes(furnished, before - 2, last)
    assert earlier is not None
    assert earlier[2:] == everything


def test_a_reader_that_is_too_far_behind_is_told_nothing(furnished: Register) -> None:
    last = read_latest_seq(furnished)
    assert read_changes(furnished, 0, last, limit=last - 1) is None
    assert read_changes(furnished, last, last - 1) is None, "the log went back"
    assert len(read_changes(furnished, 0, last, limit=last) or []) == last


def test_the_feed_keeps_only_the_latest_changes(furnished: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "MAX_BUFFERED_CHANGES", 4)
    furnished.database.caches.remove(CHANGE_FEED)
    last = read_latest_seq(furnished)
    for until in (3, 5, last, 4, last - 1, last):
        for after in range(until):
            found = read_changes(furnished, after, until)
            assert [change.seq for change in found or []] == list(range(after + 1, until + 1))
            assert len(furnished.database.caches[CHANGE_FEED]._entries) <= 4


def test_a_session_reads_the_same_as_a_read_session(furnished: Register) -> None:
    submit_claim(furnished, make_claim_body())
    last = read_latest_seq(furnished)
    expected = read_changes(furnished, 0, last)
    furnished.database.caches.remove(CHANGE_FEED)
    with furnished.database.read() as session:
        assert isinstance(session, Session)
        assert list(changes_since(session, 0, last, LIMIT) or []) == expected


def test_after_a_write_all_caches_share_one_look_at_the_change_log(furnished: Register) -> None:
    assert furnished.write("PUT", "/v1/topics/losses", make_topic_body()).status_code == 201
    submit_claim(furnished, make_unique_claim_body(note="The first."))
    for path in ("/v1/topics", "/v1/claims"):
        assert furnished.get(path).status_code == 200
    submit_claim(furnished, make_unique_claim_body(note="The second."))
    looked: list[str] = []
    feed = furnished.database.caches[CHANGE_FEED]
    read = feed.read

    def count(fetch_rows: Any, after: int, until: int) -> Any:
        def fetch(statement: str) -> Any:
            looked.append(statement)
            return fetch_rows(statement)

        return read(fetch, after, until)

    feed.read = count  # type: ignore[method-assign]
    for path in ("/v1/topics", "/v1/claims?limit=7", "/v1/topics?limit=3", "/v1/claims?limit=8"):
        assert furnished.get(path).status_code == 200
    assert len(looked) == 1
    assert furnished.database.caches[TOPIC_SUMMARIES].get("losses") is not None
    assert furnished.database.caches[REFERENCE_DATA]._current is not None
