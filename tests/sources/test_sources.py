"""Sources and documents over HTTP."""

from typing import Any

import pytest

from tests.examples import assert_problem, make_source_body, read_all_rows, read_latest_seq, record_example_vocabulary
from tests.registers import Register

REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    (make_source_body(kind="newspaper"), "#/kind", None),
    (make_source_body(kind="think-tank"), "#/kind", "`think_tank`"),
    (make_source_body(interest="partisan"), "#/interest", None),
    (make_source_body(speaks_for="ministri"), "#/speaks_for", "`ministry`"),
    (make_source_body(speaks_for="new"), "#/speaks_for", None),
    (make_source_body(url="www.example.org"), "#/url", None),
    (make_source_body(name=" "), "#/name", None),
    (make_source_body(name="a\0b"), "#/name", None),
    (make_source_body(anonymous="perhaps"), "#/anonymous", None),
    (make_source_body(descripton="x"), "#/descripton", "`description`"),
    ({"name": "x", "kind": "media"}, "#/interest", None),
]


def test_a_source_that_breaks_the_contract_is_refused_where_it_stands(register: Register) -> None:
    record_example_vocabulary(register)
    before = read_latest_seq(register)
    for body, pointer, hint in REFUSED:
        problem = assert_problem(register.write("PUT", "/v1/sources/new", body), 422)
        error = problem["errors"][0]
        assert error["pointer"] == pointer
        assert hint is None or hint in error["hint"]
    assert_problem(register.get("/v1/sources/new"), 404)
    assert read_latest_seq(register) == before


def test_a_source_keeps_everything_that_is_said_of_it(register: Register) -> None:
    record_example_vocabulary(register)
    body = {
        "name": "A soldier of the 47th brigade",
        "kind": "witness",
        "interest": "aligned",
        "speaks_for": "ministry",
        "anonymous": True,
        "description": "Хто він — невідомо.",
        "url": "https://example.org/a?b=c#d",
    }
    made = register.write("PUT", "/v1/sources/soldier-of-the-47th", body)
    assert made.status_code == 201
    assert made.json().items() >= body.items()
    listed = {row["slug"]: row for row in read_all_rows(register, "/v1/sources")}
    assert listed["soldier-of-the-47th"] == made.json()


def test_a_new_name_shows_on_every_claim_of_the_source(starter_register: Register) -> None:
    before = starter_register.get("/v1/sources/csis").json()
    given = {name: before[name] for name in ("kind", "interest", "speaks_for", "anonymous", "description", "url")}
    assert starter_register.write("PUT", "/v1/sources/csis", {**given, "name": "CSIS"}).status_code == 200
    claims = read_all_rows(starter_register, "/v1/claims", source="csis")
    assert {row["source"]["name"] for row in claims} == {"CSIS"}
    state = f"seq:{before['seq']}"
    newest = starter_register.get("/v1/claims", params={"limit": 1}).json()["meta"]["seq"] - 1
    was = read_all_rows(starter_register, "/v1/claims", source="csis", recorded_as_of=f"seq:{newest}")
    assert {row["source"]["name"] for row in was} == {before["name"]}
    assert starter_register.get("/v1/sources/csis", params={"recorded_as_of": state}).json() == before


def test_what_only_looks_like_a_document_is_404(shared_starter_register: Register) -> None:
    known = read_all_rows(shared_starter_register, "/v1/documents")[0]
    assert shared_starter_register.get(f"/v1/documents/{known['id']}").json() == known
    for unknown in ("0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60", "x", "%00", known["id"].upper(), known["id"] + "0"):
        assert_problem(shared_starter_register.get(f"/v1/documents/{unknown}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/v1/sources", "/v1/documents"])
def test_the_list_has_everything_that_is_cited(shared_starter_register: Register, path: str) -> None:
    claims = read_all_rows(shared_starter_register, "/v1/claims")
    known = {row.get("slug") or row["id"] for row in read_all_rows(shared_starter_register, path)}
    if path == "/v1/sources":
        used = {row["source"]["slug"] for row in claims}
        used |= {slug for row in claims for cited in row["citations"] for slug in cited["via"]}
        used |= {cited["document"]["publisher"] for row in claims for cited in row["citations"]} - {None}
    else:
        used = {cited["document"]["id"] for row in claims for cited in row["citations"]}
    assert used <= known


def test_a_time_without_a_zone_is_taken_as_utc(register: Register) -> None:
    for given, kept in (
        ("2026-11-20T09:00:00", "2026-11-20T09:00:00Z"),
        ("2026-11-20T09:00:00.5+02:00", "2026-11-20T07:00:00.500000Z"),
    ):
        made = register.write("POST", "/v1/documents", {"title": kept, "retrieved_at": given}).json()
        assert made["retrieved_at"] == kept
    text = register.get("/v1/documents.csv", params={"fields": "retrieved_at"}).text
    assert text == "retrieved_at\r\n2026-11-20T09:00:00Z\r\n2026-11-20T07:00:00Z\r\n"
