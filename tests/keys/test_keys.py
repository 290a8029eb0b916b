"""API keys over HTTP: an administrator lists, creates and revokes them."""

from typing import Any

import pytest
from sqlalchemy import text

from app.database.api_keys import create_key
from app.enums import Role
from app.errors import InvalidRequest
from tests.examples import assert_problem
from tests.registers import Register

UNKNOWN = "0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"


def create(register: Register, **body: Any) -> Any:
    return register.write("POST", "/v1/keys", {"name": "desk", **body})


def write_with(register: Register, key: str, title: str, **headers: str) -> Any:
    return register.post("/v1/documents", json={"title": title}, headers={"X-API-Key": key, **headers})


def test_a_key_is_created_listed_and_revoked_by_its_id(register: Register) -> None:
    made = create(register, role="editor")
    assert made.status_code == 201
    body = made.json()
    assert (body["name"], body["role"], body["expires_at"], body["last_used_at"]) == ("desk", "editor", None, None)
    other = create(register).json()
    assert made.headers["location"] == f"/v1/keys/{body['id']}"
    assert made.headers["cache-control"] == "private, no-store"
    assert write_with(register, body["key"], "one").status_code == 201
    listed = register.get("/v1/keys", headers=register.keys["admin"])
    assert listed.headers["cache-control"] == "private, no-store"
    assert body["key"] not in listed.text
    (found,) = [each for each in listed.json()["data"] if each["id"] == body["id"]]
    assert found["last_used_at"]
    assert register.get(made.headers["location"], headers=register.keys["admin"]).json() == found
    revoked = register.write("POST", f"/v1/keys/{body['id']}/revocation", None)
    assert revoked.json()["revoked_at"]
    assert_problem(write_with(register, body["key"], "two"), 401, "unauthorized")
    assert write_with(register, other["key"], "two").status_code == 201, "the other key of that name is valid"
    again = register.write("POST", f"/v1/keys/{body['id']}/revocation", None)
    assert again.json() == revoked.json()


def test_only_administrators_see_keys(register: Register) -> None:
    for method, path in (("GET", "/v1/keys"), ("GET", f"/v1/keys/{UNKNOWN}"), ("POST", "/v1/keys")):
        assert_problem(register.request(method, path, json={"name": "x"}), 401, "unauthorized")
        assert_problem(register.write(method, path, {"name": "x"}, role="editor"), 403, "forbidden")
    assert_problem(register.get(f"/v1/keys/{UNKNOWN}", headers=register.keys["admin"]), 404, "not_found")
    assert_problem(register.write("POST", f"/v1/keys/{UNKNOWN}/revocation", None), 404, "not_found")
    for id_ in ("-" * 36, "x", "0" * 36, UNKNOWN.upper()):
        answer = register.get(f"/v1/keys/{id_}", headers=register.keys["admin"])
        assert answer.status_code in {404, 422}


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\tb", "desk\u202e", "\u0000", "x" * 81, "e\u0301"])
def test_a_name_can_be_printed(register: Register, name: str) -> None:
    assert_problem(create(register, name=name), 422, "invalid_request")
    with pytest.raises(InvalidRequest), register.database.write() as session:
        create_key(session, name, Role.editor)


def test_a_name_may_be_of_any_language(register: Register) -> None:
    assert create(register, name="Редакція «Схід» 3").status_code == 201


def test_a_key_expires(register: Register) -> None:
    assert_problem(create(register, expires_at="2020-01-01T00:00:00Z"), 422, "invalid_request")
    assert_problem(create(register, expires_at="2099-01-01T00:00:00"), 422, "invalid_request")
    body = create(register, expires_at="2099-01-01T00:00:00Z").json()
    assert body["expires_at"] == "2099-01-01T00:00:00Z"
    assert write_with(register, body["key"], "one").status_code == 201
    with register.database.write() as session:
        session.execute(text("UPDATE api_key SET expires_at = '2020-01-01 00:00:00' WHERE name = 'desk'"))
    register.database.caches.reset()
    problem = assert_problem(write_with(register, body["key"], "two"), 401, "unauthorized")
    assert "expired" in problem["detail"]


def test_a_retry_with_a_rotated_key_gets_the_first_answer(register: Register) -> None:
    before, after = create(register).json(), create(register).json()
    other = create(register, name="other desk").json()
    again = {"Idempotency-Key": "one"}
    first = write_with(register, before["key"], "one", **again)
    register.write("POST", f"/v1/keys/{before['id']}/revocation", None)
    second = write_with(register, after["key"], "one", **again)
    assert second.headers["idempotency-replayed"] == "true"
    assert second.json() == first.json()
    assert "idempotency-replayed" not in write_with(register, other["key"], "another", **again).headers


def test_a_repetition_creates_no_other_key_and_shows_none(register: Register) -> None:
    body, once = {"name": "desk", "role": "editor"}, {"Idempotency-Key": "create the key of the desk"}
    first = register.write("POST", "/v1/keys", body, **once)
    secret = first.json()["key"]
    again = register.write("POST", "/v1/keys", body, **once)
    problem = assert_problem(again, 409, "already_created")
    assert problem["created"] == first.headers["location"]
    assert secret not in again.text
    assert_problem(register.write("POST", "/v1/keys", body | {"name": "other"}, **once), 422, "key_reused")
    listed = register.get("/v1/keys", headers=register.keys["admin"]).json()["data"]
    assert [each["name"] for each in listed].count("desk") == 1
    assert write_with(register, secret, "one").status_code == 201
    with register.database.read_primary() as session:
        stored = session.execute(text("SELECT * FROM stored_answer")).mappings().all()
    assert stored
    assert secret not in str([dict(each) for each in stored])
    assert register.write("POST", "/v1/keys", body, **{"Idempotency-Key": "another"}).status_code == 201
    assert_problem(register.write("POST", "/v1/keys", body, **{"If-Match": '"1"'}), 412, "stale_revision")
