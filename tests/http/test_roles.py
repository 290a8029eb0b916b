"""Reads need no key; writes need a valid key with a sufficient role."""

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.database.api_keys import create_key, revoke_key
from app.enums import Role
from tests.contract.examples import send_example
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
from tests.http.operations import OPERATIONS
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
ROLE_OF_ROUTE = {
    "POST /v1/claims": "contributor",
    "POST /v1/documents": "contributor",
    "POST /v1/claims/{id}/citations": "contributor",
    "POST /v1/imports": "contributor",
    "PUT /v1/topics/{slug}": "editor",
    "PUT /v1/sources/{slug}": "editor",
    "PUT /v1/categories/{slug}": "editor",
    "PUT /v1/subjects/{slug}": "editor",
    "PUT /v1/places/{slug}": "editor",
    "PATCH /v1/claims/{id}": "editor",
    "PATCH /v1/citations/{id}": "editor",
    "PATCH /v1/documents/{id}": "editor",
    "POST /v1/claims/{id}/retraction": "editor",
    "POST /v1/claims/{id}/reinstatement": "editor",
    "POST /v1/claims/{id}/relations": "editor",
    "POST /v1/claims/{id}/assessments": "editor",
    "POST /v1/relations/{id}/withdrawal": "editor",
    "POST /v1/assessments/{id}/withdrawal": "editor",
    "POST /v1/claims/{id}/takedown": "admin",
    "POST /v1/documents/{id}/takedown": "admin",
    "POST /v1/sources/{slug}/takedown": "admin",
    "POST /v1/leases": "mirror",
    "GET /v1/keys": "admin",
    "GET /v1/keys/{id}": "admin",
    "POST /v1/keys": "admin",
    "POST /v1/keys/{id}/revocation": "admin",
}
"""The role that a route needs, by docs/writing.md. Every other route is a read that needs no key."""
ROLES = ["contributor", "editor", "admin", "mirror"]
"""Each role after those that may do less; the last one may do nothing that the others may."""
KEYS: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer cc_unknown"},
    {"Authorization": "Bearer "},
    {"Authorization": "Basic Y2M6Y2M="},
    {"Authorization": "cc_without_scheme"},
    {"X-API-Key": "cc_unknown"},
    {"X-API-Key": ""},
]


def test_every_route_that_needs_a_role_is_known(shared_starter_register: Register) -> None:
    app: Any = shared_starter_register.client.app
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) > 100
    found = {f"{method} {route.path}" for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert {name for name in found if not name.startswith("GET ")} <= set(ROLE_OF_ROUTE) <= found


def test_a_role_is_enough_for_its_routes_and_for_no_others(starter_register: Register) -> None:
    """Each request is one that is accepted from whoever may send it."""
    register = starter_register
    with register.database.write() as session:
        revoked = create_key(session, "revoked", Role.admin)
    assert revoke_key(register.database, "revoked") == 1
    strangers: list[dict[str, str]] = [{}, {"X-API-Key": revoked}, {"X-API-Key": f"{revoked}x"}]
    strangers.append({"X-Role": "admin", "Cookie": f"key={revoked}", "Forwarded": "for=127.0.0.1"})
    operations = {f"{method.upper()} {path}": (method, path, operation) for method, path, operation in OPERATIONS}
    limiter = register.client.app.state.access.limiter  # type: ignore[attr-defined] # it counts wrong keys
    accepted = 0
    for name, role in ROLE_OF_ROUTE.items():
        method, path, operation = operations[name]
        before = read_latest_seq(register)
        limiter.table.clear()
        for key in strangers:
            assert_problem(send_example(register, method, path, operation, key), 401, "unauthorized")
        for lower in ROLES[: ROLES.index(role)]:
            refused = send_example(register, method, path, operation, register.keys[lower])
            assert_problem(refused, 403, "forbidden")
        assert read_latest_seq(register) == before, name
        answer = send_example(register, method, path, operation, register.keys[role])
        assert answer.status_code not in {401, 403}, (name, answer.text)
        accepted += answer.is_success
    assert accepted > 20


def test_every_other_route_is_read_without_a_key(shared_starter_register: Register) -> None:
    app: Any = shared_starter_register.client.app
    routes = [route for route in app.routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())]
    for route in routes:
        path = re.sub("{[^}]*}", "1", route.path)
        if f"GET {route.path}" in ROLE_OF_ROUTE:
            assert_problem(shared_starter_register.get(path), 401, "unauthorized")
        elif "stream" not in path:
            answer = shared_starter_register.get(path, follow_redirects=False)
            assert answer.status_code not in {401, 403}, path


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
