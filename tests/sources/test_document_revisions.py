"""Corrections of documents, and their revisions."""

import time
from typing import Any

import pytest

from app.cache.invalidation import POLL_INTERVAL_SECONDS
from app.main import create_app
from tests.client import ApplicationClient
from tests.examples import (
    assert_problem,
    make_claim_body,
    make_unique_claim_body,
    read_all_rows,
    read_latest_seq,
    submit_claim,
)
from tests.imports.import_helpers import numbers, post_file
from tests.registers import Register

DOCUMENT = {"url": "https://example.org/report", "title": "A sIip", "publisher": "paper", "published_on": "2025-06-13"}


def correct(desk: Register, document: dict[str, Any], changes: dict[str, Any], **headers: str) -> Any:
    body = {"event": "transcription_fix", "reason": "Read again.", "changes": changes}
    headers = headers or {"If-Match": f'"{document["revision"]}"'}
    return desk.write("PATCH", f"/v1/documents/{document['id']}", body, **headers)


def read(desk: Register, path: str, **query: Any) -> dict[str, Any]:
    answer = desk.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_correction_is_a_revision_that_every_claim_shows(desk: Register) -> None:
    claims = [submit_claim(desk, make_unique_claim_body(citations=[{"document": DOCUMENT}])) for _ in range(2)]
    document = claims[0]["citations"][0]["document"]
    path, claim_path = f"/v1/documents/{document['id']}", claims[0]["links"]["self"]
    before, seq = read(desk, path), read_latest_seq(desk)
    pages = ("/v1/claims", f"{claim_path}/citation", claim_path, "/v1/claims.csv", "/v1/documents")
    assert all("A sIip" in desk.get(page).text for page in pages)
    answer = correct(desk, before, {"title": "A slip", "archive_url": "https://archive.example/1"})
    assert (answer.status_code, answer.json()["revision"]) == (200, 2)
    assert answer.headers["etag"].startswith('"2-')
    assert answer.json() == read(desk, path)
    for page in pages:
        assert "A slip" in desk.get(page).text
        assert "A sIip" not in desk.get(page).text
    cited = [claim["citations"][0]["document"] for claim in read_all_rows(desk, "/v1/claims")]
    assert {(each["title"], each["archive_url"]) for each in cited} == {("A slip", "https://archive.example/1")}
    assert read(desk, claim_path)["revision"] == 1
    assert read(desk, path, recorded_as_of=f"seq:{seq}") == before
    old = read(desk, claim_path, recorded_as_of=f"seq:{seq}")
    assert old["citations"][0]["document"] == document
    change = read(desk, "/v1/changes", after=seq)["data"][0]
    assert (change["kind"], change["action"], change["revision"], change["reason"]) == (
        "document",
        "transcription_fix",
        2,
        "Read again.",
    )
    assert change["data"]["title"] == "A slip"
    assert "edition" not in change["data"]
    made = submit_claim(desk, make_unique_claim_body(citations=[{"document": {"url": DOCUMENT["url"]}}]))
    assert made["citations"][0]["document"]["title"] == "A slip"


def test_revisions_are_listed_with_what_changed(desk: Register) -> None:
    document = desk.write("POST", "/v1/documents", DOCUMENT).json()
    changed = correct(desk, document, {"title": "A slip", "published_on": "2025-06-12"}).json()
    path = f"/v1/documents/{document['id']}/revisions"
    first, second = read(desk, path)["data"]
    added = {"event": "created", "reason": None, "actor": first["actor"], "changes": []}
    assert first == document | {"recorded_until": changed["recorded_at"]} | added
    assert (second["event"], second["reason"], second["recorded_until"]) == ("transcription_fix", "Read again.", None)
    assert second["changes"] == [
        {"field": "title", "before": "A sIip", "after": "A slip"},
        {"field": "published_on", "before": "2025-06-13", "after": "2025-06-12"},
    ]
    assert second.items() >= changed.items()
    assert [read(desk, f"{path}/{number}") for number in (1, 2)] == [first, second]
    assert_problem(desk.get(f"{path}/3"), 404)
    assert_problem(desk.get("/v1/documents/0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60/revisions"), 404)
    state = f"seq:{document['seq']}"
    assert read(desk, path, recorded_as_of=state)["data"] == [first | {"recorded_until": None}]
    assert desk.get(f"{path}.csv").text.count("\r\n") == 3


def test_a_correction_that_is_not_valid_is_refused(desk: Register) -> None:
    document = desk.write("POST", "/v1/documents", DOCUMENT).json()
    desk.write("POST", "/v1/documents", DOCUMENT | {"published_on": "2025-06-14", "title": "Other"})
    before = read_latest_seq(desk)
    for changes, pointer in (
        ({"title": None}, "#/changes/title"),
        ({"publisher": "papre"}, "#/changes/publisher"),
        ({"url": "x"}, "#/changes/url"),
        ({"titel": "x"}, "#/changes/titel"),
        ({"title": "A sIip"}, "#/changes"),
        ({}, "#/changes"),
    ):
        problem = assert_problem(correct(desk, document, changes), 422)
        assert problem["errors"][0]["pointer"] == pointer
    problem = assert_problem(correct(desk, document, {"published_on": "2025-06-14"}), 409, "document_differs")
    assert problem["document"]["title"] == "Other"
    assert_problem(correct(desk, document, {"title": "x"}, **{"If-Match": '"2"'}), 412, "stale_revision")
    body = {"event": "transcription_fix", "reason": "Read again.", "changes": {"title": "x"}}
    path = f"/v1/documents/{document['id']}"
    assert_problem(desk.write("PATCH", path, body), 428, "if_match_required")
    assert_problem(desk.write("PATCH", path, body, role="contributor"), 403)
    assert_problem(desk.write("PATCH", path, {**body, "event": "retraction"}, **{"If-Match": "*"}), 422)
    unknown = "/v1/documents/0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"
    assert_problem(desk.write("PATCH", unknown, body, **{"If-Match": "*"}), 404)
    assert read_latest_seq(desk) == before


@pytest.mark.parametrize("day", [None, "2025-06-13"])
def test_a_file_from_before_a_correction_does_not_undo_it(desk: Register, day: str | None) -> None:
    claim = submit_claim(desk, make_claim_body(citations=[{"document": DOCUMENT | {"published_on": day}}]))
    files = {suffix: desk.get(f"/v1/claims.{suffix}").content for suffix in ("csv", "ndjson")}
    document = read(desk, f"/v1/documents/{claim['citations'][0]['document']['id']}")
    assert correct(desk, document, {"title": "A slip"}).status_code == 200
    before = read_latest_seq(desk)
    for suffix, kind in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
        assert numbers(post_file(desk, files[suffix], kind)) == {"rows": 1, "unchanged": 1}
    body = make_unique_claim_body(citations=[{"document": DOCUMENT | {"published_on": day}}])
    problem = assert_problem(desk.write("POST", "/v1/claims", body), 409, "document_differs")
    assert problem["document"]["title"] == "A slip"
    assert read_latest_seq(desk) == before


def test_every_process_shows_a_correction(desk: Register) -> None:
    claim = submit_claim(desk, make_claim_body(citations=[{"document": DOCUMENT}]))
    document = read(desk, f"/v1/documents/{claim['citations'][0]['document']['id']}")
    with ApplicationClient(create_app(desk.settings)) as other:
        pages = ("/v1/claims", claim["links"]["self"], f"{claim['links']['self']}/citation", document["links"]["self"])
        assert all("A sIip" in other.get(page).text for page in pages)
        assert correct(desk, document, {"title": "A slip"}).status_code == 200
        if desk.database.dialect == "postgresql":
            time.sleep(POLL_INTERVAL_SECONDS)
        for page in pages:
            assert "A slip" in other.get(page).text
            assert "A sIip" not in other.get(page).text
