"""Reads need no key; writes need a valid key with a sufficient role."""

from typing import Any

import pytest

from app.database.api_keys import create_key, revoke_key
from app.enums import Role
from tests.examples import (
    assert_problem,
    make_category_body,
    make_claim_body,
    make_source_body,
    make_topic_body,
    make_unique_claim_body,
    read_latest_seq,
    record_example_vocabulary,
)
from tests.registers import Register

WRITES: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", "/v1/claims", make_claim_body(), "contributor"),
    ("POST", "/v1/documents", {"title": "x"}, "contributor"),
    ("POST", "/v1/claims/0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60/citations", {"document": "x"}, "contributor"),
    ("PUT", "/v1/sources/new", make_source_body(), "editor"),
    ("PUT", "/v1/categories/new", make_category_body(), "editor"),
    ("PUT", "/v1/subjects/new", {"name": "x"}, "editor"),
    ("PUT", "/v1/places/new", {"name": "x"}, "editor"),
    ("PUT", "/v1/topics/new", make_topic_body(), "editor"),
]
KEYS: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer cc_unknown"},
    {"Authorization": "Bearer "},
    {"Authorization": "Basic Y2M6Y2M="},
    {"Authorization": "cc_without_scheme"},
    {"X-API-Key": "cc_unknown"},
    {"X-API-Key": ""},
]


@pytest.mark.parametrize(("method", "path", "body", "role"), WRITES, ids=[path for _, path, _, _ in WRITES])
def test_writing_without_a_key_that_stands_is_401(
    shared_starter_register: Register, method: str, path: str, body: dict[str, Any], role: str
) -> None:
    for headers in KEYS:
        answer = shared_starter_register.request(method, path, json=body, headers=headers)
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith('Bearer realm="counterclaim"')
    if role == "editor":
        refused = shared_starter_register.write(method, path, body, role="contributor")
        problem = assert_problem(refused, 403, "forbidden")
        assert "editor" in problem["detail"]


def test_a_key_may_hold_any_byte_and_is_still_only_unknown(shared_starter_register: Register) -> None:
    for raw in ("ключ".encode(), b"\xff\xfe\xfd", "cc_ü".encode("latin-1"), b"x" * 8_000):
        for name, value in ((b"Authorization", b"Bearer " + raw), (b"X-API-Key", raw)):
            answer = shared_starter_register.post("/v1/documents", json={"title": "x"}, headers={name: value})
            assert_problem(answer, 401, "unauthorized")


def test_a_key_may_come_in_either_header(register: Register) -> None:
    key = register.keys["contributor"]["Authorization"].removeprefix("Bearer ")
    ways = ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}, {"authorization": f"bearer {key}"})
    for number, headers in enumerate(ways):
        assert register.post("/v1/documents", json={"title": f"Title {number}"}, headers=headers).status_code == 201


def test_a_revoked_key_is_no_longer_known(register: Register) -> None:
    with register.database.write() as session:
        key = create_key(session, "guest", Role.admin)
    headers = {"X-API-Key": key}
    assert register.post("/v1/documents", json={"title": "x"}, headers=headers).status_code == 201
    assert revoke_key(register.database, "guest") == 1
    before = read_latest_seq(register)
    assert_problem(register.post("/v1/documents", json={"title": "x"}, headers=headers), 401)
    assert read_latest_seq(register) == before


def test_whoever_may_not_write_learns_nothing_about_the_body(shared_starter_register: Register) -> None:
    assert_problem(shared_starter_register.post("/v1/claims", json={"nonsense": 1}), 401)
    assert_problem(shared_starter_register.write("PUT", "/v1/sources/new", {"nonsense": 1}, role="contributor"), 403)


def test_the_log_names_the_key_that_wrote(register: Register) -> None:
    record_example_vocabulary(register)
    made = register.write("POST", "/v1/claims", make_unique_claim_body(), role="contributor")
    assert made.status_code == 201
    assert "contributor-key" not in made.text


def test_reading_needs_no_key_and_takes_no_notice_of_a_wrong_one(shared_starter_register: Register) -> None:
    for headers in KEYS:
        assert shared_starter_register.get("/v1/claims", params={"limit": 1}, headers=headers).status_code == 200
