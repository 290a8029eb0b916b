"""Each fast route gives the same response on its fast path as FastAPI's own handling of the same route."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Request

from app.database.engine import Database
from app.http.fast_route import FastRead, FastRoute
from tests.registers import DatabaseCopies, Register, open_register

CLAIM = "01a1f640-bc00-7528-9916-436a9224d91e"
FAST_ROUTES = {
    ("GET", "/v1/claims"),
    ("GET", "/v1/claims.{suffix}"),
    ("GET", "/v1/claims/counts"),
    ("GET", "/v1/claims/counts.{suffix}"),
    ("GET", "/v1/claims/{id}"),
    ("GET", "/v1/claims/{id}.jsonld"),
    ("POST", "/v1/claims"),
    ("GET", "/v1/side-by-side"),
    ("GET", "/v1/side-by-side.{suffix}"),
    *(
        ("GET", f"/v1/topics/{{slug}}/{name}{suffix}")
        for name in ("claims", "timeline", "side-by-side")
        for suffix in ("", ".{suffix}")
    ),
}
PLAIN = [
    "/v1/claims",
    "/v1/claims?category=casualties&category=killed&limit=3&sort=value&total=true",
    "/v1/claims?known_on=2024-01-01&limit=2&fields=date,source,value",
    "/v1/claims?shape=array&limit=1",
    "/v1/claims/counts?by=source,year&confidence_min=low",
    "/v1/claims/counts.csv?by=kind&undated=false",
    "/v1/claims?format=csv&bom=true&limit=2",
    "/v1/claims?q=no-such-word-anywhere",
    "/v1/claims?source=nobody",
    "/v1/claims?date_from=2025-01-02&date_to=2025-01-01",
    "/v1/claims?recorded_as_of=seq:999999",
    "/v1/claims?utm_source=x&v=1&_=2&limit=1",
    "/v1/claims.csv?limit=2",
    "/v1/claims.ndjson?confidence=high&narrower=true&place=russia-ukraine-war&limit=2",
    f"/v1/claims/{CLAIM}",
    f"/v1/claims/{CLAIM}?known_on=2025-06-12&recorded_as_of=seq:1000000",
    "/v1/claims/00000000-0000-7000-8000-000000000000",
    "/v1/claims/not-an-id",
    "/v1/side-by-side?category=killed&subject=russian-forces&since=2022-02-24&tolerance=0.1",
    "/v1/side-by-side.csv?category=killed",
    "/v1/side-by-side?category=nothing",
    "/v1/topics/russian-casualties/claims?limit=2&kind=lower_bound",
    "/v1/topics/russian-casualties/claims?topic=russian-casualties",
    "/v1/topics/russian-casualties/claims.csv?limit=2",
    "/v1/topics/russian-casualties/timeline?limit=5&narrower=false",
    "/v1/topics/russian-casualties/timeline.ndjson?limit=5",
    "/v1/topics/russian-casualties/side-by-side?known_on=2025-06-12&window=10&against=uk-mod",
    "/v1/topics/russian-casualties/side-by-side.csv?known_on=2025-06-12",
    "/v1/topics/no-such-topic/side-by-side",
    "/v1/topics/no-such-topic/claims",
]
NOT_PLAIN = [
    "/v1/claims?limit=0",
    "/v1/claims?limit=5&limit=6",
    "/v1/claims?limit=",
    "/v1/claims?catgory=killed",
    "/v1/claims?format=xml",
    "/v1/claims?bom=perhaps",
    "/v1/claims.pdf",
    "/v1/claims?q=%ff",
    f"/v1/claims/{CLAIM}?format=csv",
    f"/v1/claims/{CLAIM}?known_on=yesterday",
    "/v1/side-by-side",
]


@pytest.fixture(scope="module")
def uncached(database_copies: DatabaseCopies) -> Iterator[Register]:
    """The starter claims, served without a response cache: each request is processed."""
    url = database_copies.create_copy("starter")
    for register in open_register(url):
        settings = register.settings.model_copy(update={"memory_bytes": 0})
        register.client.app.state.invalidator.close()  # type: ignore[attr-defined]
        register.database.close()
        register.client.app.use_database(Database(settings))  # type: ignore[attr-defined]
        yield register


def find_route(register: Register, path: str) -> tuple[FastRoute, dict[str, Any]]:
    """Return the route that a GET request of a path is sent to, and its path parameters."""
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    for route in register.client.app.routes:  # type: ignore[attr-defined]
        match, found = route.matches(scope)
        if match.name == "FULL":
            assert isinstance(route, FastRoute)
            return route, found["path_params"]
    raise AssertionError(path)


def run_fast_path(register: Register, url: str) -> Any:
    """Return what the fast path makes of a request: a response, an error that was raised, or None."""
    path, _, query = url.partition("?")
    route, path_params = find_route(register, path)
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [],
        "path_params": path_params,
        "app": register.client.app,
        "state": {},
    }

    async def run() -> Any:
        try:
            return await FastRead(route)(Request(scope))
        except Exception as error:  # noqa: BLE001 - any error is an answer of the fast path
            return error

    return asyncio.run(run())


def test_the_hot_routes_have_a_fast_path_and_stand_first(uncached: Register) -> None:
    routes = uncached.client.app.routes  # type: ignore[attr-defined]
    fast = [route for route in routes if isinstance(route, FastRoute) and route.has_fast_path]
    assert {(method, route.path) for route in fast for method in route.methods or ()} == FAST_ROUTES
    first = next(index for index, route in enumerate(routes) if isinstance(route, FastRoute))
    assert routes[first : first + len(fast)] == fast


@pytest.mark.parametrize("url", [*PLAIN, *NOT_PLAIN])
def test_both_paths_give_the_same_response(uncached: Register, url: str) -> None:
    fast = uncached.get(url)
    standard = uncached.get(url, headers={"X-Register-Seq": "0"})
    assert uncached.client.app.state.invalidator.response_cache.hits == 0  # type: ignore[attr-defined]
    assert fast.status_code == standard.status_code
    ignored = {"x-request-id", "cache-control"}  # no cache may store a response to `X-Register-Seq`
    assert {name: value for name, value in fast.headers.items() if name not in ignored} == {
        name: value for name, value in standard.headers.items() if name not in ignored
    }
    if "json" in fast.headers["content-type"] and fast.status_code >= 400:
        assert {**fast.json(), "request_id": None} == {**standard.json(), "request_id": None}
    else:
        assert fast.content == standard.content


@pytest.mark.parametrize("url", PLAIN)
def test_plain_requests_take_the_fast_path(uncached: Register, url: str) -> None:
    assert run_fast_path(uncached, url) is not None


@pytest.mark.parametrize("url", NOT_PLAIN)
def test_requests_that_are_not_plain_are_left_to_fastapi(uncached: Register, url: str) -> None:
    assert run_fast_path(uncached, url) is None
