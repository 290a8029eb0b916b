"""Every list can be read page by page, also with records that were corrected, retracted or taken down."""

import re
from typing import Any

import pytest

from tests.contract.examples import iterate_operations
from tests.examples import (
    make_citation_body,
    make_topic_body,
    make_unique_claim_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

ANY_REVISION = {"If-Match": "*"}

MAX_PAGES = 4
"""How many pages of a list are read, one row each."""


@pytest.fixture
def used_register(register: Register) -> tuple[Register, dict[str, list[str]]]:
    """A register with a claim and a document of several revisions, and a claim that was taken down; and their ids."""
    record_example_vocabulary(register)
    claims = [
        submit_claim(register, make_unique_claim_body(citations=[make_citation_body(f"https://example.org/{number}")]))
        for number in range(3)
    ]
    kept, removed, other = (claim["id"] for claim in claims)
    for id_ in (kept, removed):
        for action, body in (
            ("retraction", {"reason": "Taken back.", "retracted_on": "2025-12-31"}),
            ("reinstatement", {"reason": "Not taken back."}),
        ):
            answer = register.write("POST", f"/v1/claims/{id_}/{action}", body, **ANY_REVISION)
            assert answer.status_code == 200, answer.text
        for type_ in ("corroborates", "based_on"):
            relation = {"type": type_, "claim": other}
            assert register.write("POST", f"/v1/claims/{id_}/relations", relation).status_code == 201
        for level in ("high", "low"):
            assessment = {"level": level, "rationale": level}
            assert register.write("POST", f"/v1/claims/{id_}/assessments", assessment).status_code == 201
    assert register.write("PUT", "/v1/topics/dead", make_topic_body()).status_code == 201
    document = claims[0]["citations"][0]["document"]["id"]
    correction: dict[str, Any] = {"event": "transcription_fix", "reason": "A slip."}
    for title in ("One", "Two"):
        body = correction | {"changes": {"title": title}}
        answer = register.write("PATCH", f"/v1/documents/{document}", body, **ANY_REVISION)
        assert answer.status_code == 200, answer.text
    assert register.write("POST", f"/v1/claims/{removed}/takedown", {"reason": "An order."}).status_code == 200
    return register, {"claims": [kept, removed], "documents": [document]}


def list_paths(register: Register, ids: dict[str, list[str]]) -> set[str]:
    """Return the addresses of all lists, with the ids of these records and the slugs of the first ones."""
    document = register.get("/openapi.json").json()
    found: set[str] = set()
    for method, path, operation in iterate_operations(document):
        parameters = operation.get("parameters", [])
        if method != "get" or "cursor" not in {parameter["name"] for parameter in parameters}:
            continue
        if not path.startswith("/v1/"):
            continue  # a page is read in a browser
        kind = path.split("/")[2]
        if "{" not in path:
            found.add(path)
            continue
        values = ids.get(kind) or [row["slug"] for row in register.get(f"/v1/{kind}").json()["data"][:1]]
        found |= {re.sub(r"\{\w+\}", value, path) for value in values}
    return found


def test_every_list_can_be_read_page_by_page(used_register: tuple[Register, dict[str, list[str]]]) -> None:
    register, ids = used_register
    paths = list_paths(register, ids)
    assert f"/v1/claims/{ids['claims'][1]}/revisions" in paths
    several = set()
    for path in paths:
        answer = register.get(path)
        if answer.status_code == 410:
            assert ids["claims"][1] in path
            continue
        assert answer.status_code == 200, (path, answer.text)
        rows: list[dict[str, Any]] = answer.json()["data"]
        read: list[dict[str, Any]] = []
        at: str | None = f"{path}?limit=1&total=true"
        while at is not None and len(read) < MAX_PAGES:
            page = register.get(at)
            assert page.status_code == 200, (at, page.text)
            read += page.json()["data"]
            assert page.json()["meta"]["total"] >= len(rows), at
            at = page.json()["links"]["next"]
        assert read == rows[:MAX_PAGES], path
        if len(rows) > 1:
            several.add(path)
    assert {f"/v1/claims/{id_}/revisions" for id_ in ids["claims"]} <= several
    assert f"/v1/documents/{ids['documents'][0]}/revisions" in several


def test_a_revision_of_a_claim_that_was_taken_down_has_its_number(
    used_register: tuple[Register, dict[str, list[str]]],
) -> None:
    register, ids = used_register
    path = f"/v1/claims/{ids['claims'][1]}/revisions"
    revisions = register.get(path).json()["data"]
    assert [(row["revision"], row["status"], row["event"]) for row in revisions] == [
        (1, "removed", "created"),
        (2, "removed", "retraction"),
        (3, "removed", "reinstatement"),
        (4, "removed", "takedown"),
    ]
    for row in revisions:
        assert register.get(f"{path}/{row['revision']}").json() == row
