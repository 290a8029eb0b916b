"""With `COUNTERCLAIM_PUBLIC_READS=false` every request needs a key, and no shared cache stores a response."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount

from app.database.api_keys import ROLE_RANK, create_key, revoke_key
from app.enums import Role
from app.http.access import OPEN_PATHS
from tests.examples import assert_problem, make_claim_body, record_example_vocabulary, submit_claim
from tests.http.connections import exchange, request
from tests.http.test_standards import PATHS, STREAM
from tests.registers import Register

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def closed_register(register: Register) -> Iterator[Register]:
    """A register whose reads need a key."""
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    app: Any = register.client.app
    app.use_access_settings(register.settings.model_copy(update={"public_reads": False}))
    yield register
    app.use_access_settings(register.settings)


def all_paths(register: Register) -> set[str]:
    """Return an address of each route of the application, and of each folder of files."""
    app: Any = register.client.app
    paths = {re.sub("{[^}]*}", "1", route.path) for route in app.routes if isinstance(route, APIRoute)}
    mounted = {f"{route.path}/swagger-ui.css" for route in app.routes if isinstance(route, Mount)}
    assert len(paths) > 100
    assert mounted
    return PATHS | paths | mounted | {"/v1/nothing", "/claims/1/", "//"}


def test_no_route_answers_without_a_valid_key(closed_register: Register) -> None:
    wrong = {"Authorization": "Bearer cc_unknown"}
    for path in sorted(all_paths(closed_register) - OPEN_PATHS):
        for method in METHODS:
            answer = closed_register.request(method, path, follow_redirects=False)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["cache-control"] == "private, no-store"
            assert answer.headers["www-authenticate"].startswith('Bearer realm="counterclaim"')
        closed_register.client.app.state.access.limiter.table.clear()  # type: ignore[attr-defined] # a Starlette
        assert closed_register.get(path, headers=wrong).status_code == 401, path


def test_the_health_stays_open(closed_register: Register) -> None:
    for path in OPEN_PATHS:
        assert closed_register.get(path).status_code == 200
    preflight = {"Origin": "https://news.example", "Access-Control-Request-Method": "GET"}
    assert closed_register.options("/v1/claims", headers=preflight).status_code == 200


def test_a_key_of_any_role_reads_and_no_shared_cache_stores_it(closed_register: Register) -> None:
    for path in sorted(all_paths(closed_register) - {STREAM}):
        for role in Role if path == "/v1/claims" else [Role.contributor]:
            for _ in range(2):  # from the application, and from the response cache
                answer = closed_register.get(path, headers=closed_register.keys[role], follow_redirects=False)
                assert answer.status_code not in (401, 429, 500), path
                control = answer.headers["cache-control"].split(", ")
                assert control[0] == "private", path
                assert not [each for each in control if each == "public" or each.startswith("s-maxage")], path
                assert {"Authorization", "X-API-Key"} <= set(answer.headers["vary"].split(", ")), path
                assert not {"surrogate-key", "surrogate-control"} & set(answer.headers), path
                if etag := answer.headers.get("etag"):
                    headers = closed_register.keys[role] | {"If-None-Match": etag}
                    again = closed_register.get(path, headers=headers)
                    assert again.status_code in (304, 200), path  # 200: the readiness, whose time is new
                    assert again.headers["cache-control"] == answer.headers["cache-control"]


def test_writes_need_the_same_roles_as_before(closed_register: Register) -> None:
    body = {"name": "x"}
    assert_problem(closed_register.write("PUT", "/v1/subjects/new", body, role="contributor"), 403)
    assert closed_register.write("PUT", "/v1/subjects/new", body, role="editor").status_code == 201
    password = basic(closed_register.keys["admin"]["Authorization"].removeprefix("Bearer "))
    refused = closed_register.put("/v1/subjects/new", json=body, headers=password)
    assert_problem(refused, 401)  # a browser would send it for any page
    assert "Basic" not in refused.headers["www-authenticate"]


def basic(key: str, name: str = "desk") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{key}'.encode()).decode()}"}


def test_a_browser_sends_the_key_as_a_password(closed_register: Register) -> None:
    key = closed_register.keys["contributor"]["Authorization"].removeprefix("Bearer ")
    refused = closed_register.get("/", headers={"Accept": "text/html"})
    assert refused.status_code == 401
    assert "Basic realm=" in refused.headers["www-authenticate"]
    for headers in (basic(key), basic(key, name=""), {"X-API-Key": key}, {"Authorization": f"bearer  {key}"}):
        assert closed_register.get("/", headers=headers).status_code == 200
    for headers in (basic("cc_wrong"), {"Authorization": "Basic x"}, {"Authorization": "Basic"}, basic("")):
        assert closed_register.get("/", headers=headers).status_code == 401


def test_the_response_cache_answers_no_request_without_a_valid_key(
    closed_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database.api_keys.KEY_CACHE_SECONDS", 60.0)
    monkeypatch.setattr("app.cache.invalidation.POLL_INTERVAL_SECONDS", 60.0)
    path = "/v1/claims"
    with closed_register.database.write() as session:
        key = create_key(session, "guest", Role.contributor)
    valid = request(path, X_API_Key=key)
    others = [request(path), request(path, X_API_Key="cc_x"), request(path, Authorization="Bearer cc_x")]
    received, found = exchange(closed_register, valid, valid, *others, valid)
    assert [line.split(b" ")[1] for line in received] == [b"200", b"200", b"401", b"401", b"401", b"200"]
    assert found == 2
    revoke_key(closed_register.database, "guest")
    (after,), found = exchange(closed_register, valid)
    assert (after.split(b" ")[1], found) == (b"401", 0)


def test_a_stream_may_go_on_until_its_key_is_revoked(closed_register: Register) -> None:
    with closed_register.database.write() as session:
        key = create_key(session, "guest", Role.contributor)
    app: Any = closed_register.client.app
    portal: Any = closed_register.client.portal

    def may_read(*headers: tuple[bytes, bytes]) -> bool:
        scope = {"type": "http", "headers": list(headers), "client": ("127.0.0.1", 1)}
        allowed: bool = portal.call(app.state.access.may_read, scope)
        return allowed

    assert may_read((b"x-api-key", key.encode()))
    assert not may_read()
    assert not may_read((b"x-api-key", b"cc_wrong"))
    revoke_key(closed_register.database, "guest")
    assert not may_read((b"x-api-key", key.encode()))
    app.use_access_settings(closed_register.settings)
    assert may_read()


def test_responses_cached_while_reads_were_public_are_not_served_to_all(register: Register) -> None:
    app: Any = register.client.app
    assert register.get("/v1/claims").headers["cache-control"] == "public, max-age=0, s-maxage=1"
    app.use_access_settings(register.settings.model_copy(update={"public_reads": False}))
    assert_problem(register.get("/v1/claims"), 401)
    app.use_access_settings(register.settings)


def required_role(dependant: Dependant) -> Role | None:
    """Return the role that a route needs."""
    if (role := getattr(dependant.call, "role", None)) is not None:
        return role  # type: ignore[no-any-return] # of `authorize`
    return next(filter(None, map(required_role, dependant.dependencies)), None)


def test_every_write_needs_the_role_that_its_route_names(shared_starter_register: Register) -> None:
    app: Any = shared_starter_register.client.app
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    writes = [(method, route) for route in routes for method in sorted((route.methods or set()) - {"GET", "HEAD"})]
    assert len(writes) > 20
    rank = list(ROLE_RANK)
    for method, route in writes:
        path, role = re.sub("{[^}]*}", "1", route.path), required_role(route.dependant)
        assert role is not None, (method, path)
        headers: list[dict[str, str]] = [{}, {"X-API-Key": "cc_unknown"}]
        headers += [shared_starter_register.keys[each] for each in rank[: rank.index(role)]]
        for number, each in enumerate(headers):
            answer = shared_starter_register.request(method, path, json={}, headers=each)
            assert answer.status_code in ((401, 429, 415) if number < 2 else (403, 415)), (method, path, answer.text)
