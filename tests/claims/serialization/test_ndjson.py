"""NDJSON files contain all rows of the JSON list, one per line and unchanged."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select
from uuid_utils import uuid7

from app.database.tables import ClaimVersion, columns_of
from app.http.file_copies import FILE_COPIES
from tests.contract.examples import EXAMPLE_CLAIM_ID
from tests.contract.test_representation import LISTS
from tests.examples import (
    assert_problem,
    make_citation_body,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    read_all_rows,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

NDJSON = "application/x-ndjson"
CHANGING = {"x-request-id", "date"}


def today() -> str:
    """Return the day that the name of a file ends with."""
    return datetime.now(UTC).date().isoformat()


def parse_ndjson(content: bytes) -> list[Any]:
    """Return the rows of a file, in which every line must end with a line feed."""
    *lines, rest = content.split(b"\n")
    assert rest == b""
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("path", [*LISTS, "/v1/changes", "/v1/topics/russian-casualties/claims"])
def test_a_file_is_the_json_list_row_for_row(shared_starter_register: Register, path: str) -> None:
    answer = shared_starter_register.get(f"{path}.ndjson")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == NDJSON
    name = path.removeprefix("/v1/").replace("/", "-")
    assert answer.headers["content-disposition"] == f'inline; filename="counterclaim-{name}-{today()}.ndjson"'
    rows = parse_ndjson(answer.content)
    assert rows == read_all_rows(shared_starter_register, path)
    # The bytes are equal too, so that a hash of a row is the same in both formats.
    page = shared_starter_register.get(path, params={"limit": 1}).text
    assert answer.text.split("\n")[0] in page


def test_a_side_by_side_is_its_positions_as_whole_claims(shared_starter_register: Register) -> None:
    path, asked = "/v1/topics/russian-casualties/side-by-side", {"known_on": "2025-06-12"}
    card = shared_starter_register.get(path, params=asked).json()
    answer = shared_starter_register.get(f"{path}.ndjson", params=asked)
    assert parse_ndjson(answer.content) == [position["claim"] for position in card["positions"]]
    assert answer.headers["content-type"] == NDJSON
    flat = shared_starter_register.get(f"{path}.ndjson", params={**asked, "fields": "source"}).content
    assert parse_ndjson(flat) == [{"source": position["claim"]["source"]["slug"]} for position in card["positions"]]


def test_every_citation_of_a_claim_is_there(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(
        register, make_unique_claim_body(citations=[make_citation_body(f"https://example.org/{n}") for n in range(3)])
    )
    assert parse_ndjson(register.get("/v1/claims.ndjson").content) == [made]
    assert len(made["citations"]) == 3


def test_what_was_taken_down_is_its_tombstone_as_in_json(starter_register: Register) -> None:
    path = f"/v1/claims/{EXAMPLE_CLAIM_ID}/takedown"
    assert starter_register.write("POST", path, {"reason": "Court order."}, **{"If-Match": "*"}).status_code == 200
    rows = parse_ndjson(starter_register.get("/v1/claims.ndjson", params={"status": "removed"}).content)
    assert [row["id"] for row in rows] == [EXAMPLE_CLAIM_ID]
    assert rows == read_all_rows(starter_register, "/v1/claims", status="removed")
    asked = {"status": "removed", "fields": "id,status,value,quote"}
    flat = {"id": EXAMPLE_CLAIM_ID, "status": "removed", "value": None, "quote": None}
    assert parse_ndjson(starter_register.get("/v1/claims.ndjson", params=asked).content) == [flat]
    assert starter_register.get("/v1/claims", params=asked).json()["data"] == [flat]
    assert (
        starter_register.get("/v1/claims.csv", params=asked).text
        == f"id,status,value,quote\r\n{EXAMPLE_CLAIM_ID},removed,,\r\n"
    )
    assert starter_register.get("/v1/claims.csv", params={"status": "removed"}).text.count("\r\n") == 2


def test_a_line_break_in_a_text_does_not_break_the_line(register: Register) -> None:
    record_example_vocabulary(register)
    note = '=Втрати — "більше",\r\nніж\u20281 000;\nякось так 🇺🇦'
    submit_claim(register, make_unique_claim_body(note=note))
    answer = register.get("/v1/claims.ndjson")
    assert answer.content.count(b"\n") == 1
    # Formulas are not escaped, because no program that reads JSON evaluates them.
    assert parse_ndjson(answer.content)[0]["note"] == note


@pytest.mark.parametrize("path", ["claims", "sources", "documents", "categories", "subjects", "places", "topics"])
def test_a_list_without_rows_is_an_empty_file(register: Register, path: str) -> None:
    for asked in ({}, {"fields": "seq" if path != "claims" else "id"}, {"bom": "true"}):
        answer = register.get(f"/v1/{path}.ndjson", params=asked)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == NDJSON


def test_there_is_never_a_byte_order_mark(shared_starter_register: Register) -> None:
    marked = shared_starter_register.get("/v1/sources.ndjson", params={"bom": "true"})
    assert marked.content == shared_starter_register.get("/v1/sources.ndjson").content


def test_fields_make_a_row_flat_with_numbers_that_stay_numbers(shared_starter_register: Register) -> None:
    asked = {"fields": "value, source,period_end,approximate,includes", "sort": "value", "limit": 5}
    answer = shared_starter_register.get("/v1/claims.ndjson", params=asked)
    assert parse_ndjson(answer.content) == shared_starter_register.get("/v1/claims", params=asked).json()["data"]
    assert answer.text.startswith('{"value":')
    problem = assert_problem(shared_starter_register.get("/v1/claims.ndjson", params={"fields": "valeu"}), 422)
    assert problem["hint"] == "did you mean `value`?"


def test_limit_and_cursor_go_through_the_file(shared_starter_register: Register) -> None:
    whole = parse_ndjson(shared_starter_register.get("/v1/sources.ndjson").content)
    first = shared_starter_register.get("/v1/sources.ndjson", params={"limit": 3})
    assert parse_ndjson(first.content) == whole[:3]
    assert first.headers["link"].startswith("</v1/sources.ndjson?limit=3&cursor=")
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    assert parse_ndjson(shared_starter_register.get(following).content) == whole[3:6]


FORMATS = [
    ("/v1/claims.ndjson", "csv", "application/json", NDJSON),
    ("/v1/claims.csv", "ndjson", NDJSON, "text/csv; charset=utf-8"),
    ("/v1/claims", "ndjson", "text/csv", NDJSON),
    ("/v1/claims", None, NDJSON, NDJSON),
    ("/v1/claims", None, "Application/X-NDJSON; q=0.9, text/csv;q=0.8", NDJSON),
    ("/v1/claims", None, f"{NDJSON}, application/json", "application/json"),
    ("/v1/claims", None, "application/*", "application/json"),
    ("/v1/claims", None, "application/json;q=0, application/*", NDJSON),
    ("/v1/topics/russian-casualties/side-by-side", None, NDJSON, NDJSON),
    ("/v1/vocabulary", "ndjson", None, NDJSON),
]


@pytest.mark.parametrize(("path", "asked", "accept", "wanted"), FORMATS)
def test_the_suffix_goes_before_the_parameter_and_that_before_the_header(
    shared_starter_register: Register, path: str, asked: str | None, accept: str | None, wanted: str
) -> None:
    answer = shared_starter_register.get(
        path, params={"format": asked} if asked else {}, headers={"Accept": accept} if accept is not None else {}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == wanted
    assert "Accept" in answer.headers["vary"].split(", ")


def test_a_refusal_names_every_format(shared_starter_register: Register) -> None:
    problem = assert_problem(shared_starter_register.get("/v1/claims.jsonl"), 406, "not_acceptable")
    assert problem["hint"] == "the formats are json, csv, ndjson, xlsx, parquet and jsonld"
    problem = assert_problem(
        shared_starter_register.get("/v1/claims", headers={"Accept": "text/html"}), 406, "not_acceptable"
    )
    assert problem["detail"] == (
        "This address serves application/json, text/csv, application/x-ndjson, "
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, application/vnd.apache.parquet and "
        "application/ld+json."
    )
    assert_problem(shared_starter_register.get("/v1/claims", params={"format": "jsonl"}), 422)


@pytest.mark.parametrize("path", ["/v1/claims.ndjson", "/v1/topics/russian-casualties/side-by-side.ndjson"])
def test_a_client_that_has_the_bytes_gets_304_and_head_has_the_headers_of_get(
    shared_starter_register: Register, path: str
) -> None:
    answer, head = shared_starter_register.get(path), shared_starter_register.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert {k: v for k, v in head.headers.items() if k not in CHANGING} == {
        k: v for k, v in answer.headers.items() if k not in CHANGING
    }
    for method in ("GET", "HEAD"):
        again = shared_starter_register.request(method, path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]


def test_a_large_file_has_every_row_of_one_state(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_claim_body(figure=make_figure_body("0", value=0), date=None))
    columns = columns_of(ClaimVersion)
    with register.database.write() as session:
        row = session.execute(select(*columns).where(columns.id == made["id"])).mappings().one()
        same = {name: value for name, value in row.items() if name != "version"}
        session.execute(
            insert(ClaimVersion),
            [
                {**same, "id": str(uuid7()), "fingerprint": str(number), "value": number, "magnitude": number}
                for number in range(1, 1_205)
            ],
        )
    asked: dict[str, Any] = {"sort": "value"}
    answer = register.get("/v1/claims.ndjson", params=asked)
    rows = parse_ndjson(answer.content)
    assert [row["figure"]["value"] for row in rows] == list(range(1_205))
    assert rows == read_all_rows(register, "/v1/claims", **asked)
    assert answer.headers["content-type"] == NDJSON
    assert (
        answer.headers["content-disposition"] == f'inline; filename="counterclaim-claims-sort-value-{today()}.ndjson"'
    )
    etag = answer.headers["etag"]
    held = {"If-None-Match": etag}
    assert register.get("/v1/claims.ndjson", params=asked, headers=held).status_code == 304
    head = register.head("/v1/claims.ndjson", params=asked)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)
    # Two formats at one address have different ETags.
    tags = {
        each: register.head("/v1/claims", headers={"Accept": each}).headers["etag"] for each in (NDJSON, "text/csv")
    }
    assert len(set(tags.values())) == 2
    answer = register.get("/v1/claims", headers={"Accept": NDJSON, "If-None-Match": tags["text/csv"]})
    assert answer.status_code == 200
    submit_claim(register, make_unique_claim_body())
    assert register.get("/v1/claims.ndjson", params=asked, headers=held).status_code == 200


def test_a_file_is_one_state_while_others_write(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    record_example_vocabulary(register)
    known = [submit_claim(register, make_unique_claim_body())["id"] for _ in range(5)]
    register.database.caches[FILE_COPIES].max_bytes = 0  # a copy would be read faster than its pages are sent
    chunks: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    # The test client reads a response completely, so this client writes after each page that it receives.
    async def send(message: Any) -> None:
        if message.get("body"):
            chunks.append(message["body"])
            await asyncio.to_thread(submit_claim, register, make_unique_claim_body())

    monkeypatch.setattr("app.http.lists.MAX_LIMIT", 2)
    monkeypatch.setattr("app.http.lists.FILE_PAGE_ROWS", 2)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "scheme": "http",
        "path": "/v1/claims.ndjson",
        "query_string": b"sort=recorded",
        "headers": [],
    }

    async def ask() -> None:
        await register.client.app(scope, receive, send)

    asyncio.run(ask())
    assert len(chunks) == 3
    assert [row["id"] for row in parse_ndjson(b"".join(chunks))] == known
    assert len(read_all_rows(register, "/v1/claims")) == 8
