"""A response is sent only while the process holds its lease, and only if it has read nothing from before a takedown."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.cache.invalidation import PollResult
from app.cache.responses import CachedResponse, EncodedBody
from app.cache.scope import CacheScope
from app.database.cache_registry import CacheKey
from app.database.engine import RequestState
from app.http.lease_guard import LeaseGuard
from tests.examples import assert_problem
from tests.registers import Register

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"x-request-id", b"abc"), (b"x-register-seq", b"7")],
}


class _Lease:
    """Stands in for the lease of a process."""

    def __init__(self, *, held: bool) -> None:
        self.held = held

    def is_held(self) -> bool:
        return self.held


def send_all(
    register: Register, messages: list[Message], lease: _Lease, method: str = "GET", oldest_seq: int | None = None
) -> list[Message]:
    """Send messages through a guard, and return what it sends. The lease is lost after each `lost` message."""
    sent: list[Message] = []
    state = {"register_state": RequestState(oldest_seq=oldest_seq)}
    scope = {"type": "http", "method": method, "path": "/v1/claims", "headers": [], "query_string": b"", "state": state}
    scope["app"] = register.app

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def run() -> None:
        guard = LeaseGuard(cast("Any", lease), register.database, scope, receive, send)
        for message in messages:
            if message["type"] == "lost":
                lease.held = False
            else:
                await guard.send(dict(message))

    asyncio.run(run())
    return sent


def body(content: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def test_a_response_is_sent_while_the_lease_is_held(register: Register) -> None:
    messages = [START, body(b"words", more=True), body(b"")]
    assert send_all(register, messages, _Lease(held=True)) == messages


@pytest.mark.parametrize(
    ("method", "code"),
    [("GET", b"lease_lost"), ("HEAD", None), ("POST", b"outcome_unknown"), ("PUT", b"outcome_unknown")],
)
def test_a_problem_is_sent_in_its_place_when_the_lease_is_lost(
    register: Register, method: str, code: bytes | None
) -> None:
    sent = send_all(register, [START, {"type": "lost"}, body(b"words")], _Lease(held=False), method)
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 503
    assert {(b"x-request-id", b"abc"), (b"x-register-seq", b"7")} <= set(sent[0]["headers"])
    assert b"retry-after" in {name for name, _ in sent[0]["headers"]}
    assert (code in sent[1]["body"]) if code else sent[1]["body"] == b""


def test_an_error_of_the_server_is_sent_without_a_lease(register: Register) -> None:
    messages = [{**START, "status": 503}, body(b"a problem")]
    assert send_all(register, messages, _Lease(held=False)) == messages


def test_a_stream_ends_with_the_lease(register: Register) -> None:
    with pytest.raises(ClientDisconnect):
        send_all(register, [START, body(b"words", more=True), {"type": "lost"}, body(b"words")], _Lease(held=True))


def test_a_response_that_has_read_a_state_before_a_takedown_is_not_sent(register: Register) -> None:
    register.database.required_seq = 5
    lease = _Lease(held=True)
    assert send_all(register, [START, body(b"words")], lease, oldest_seq=4)[0]["status"] == 503
    assert send_all(register, [START, body(b"words")], lease, oldest_seq=5)[0]["status"] == 200
    assert send_all(register, [START, body(b"words")], lease, oldest_seq=None)[0]["status"] == 200
    # A write is read in its own transaction on the primary database.
    assert send_all(register, [START, body(b"words")], lease, "POST", oldest_seq=4)[0]["status"] == 200


@pytest.fixture
def lease(register: Register) -> Iterator[_Lease]:
    """The lease of a register, which has none otherwise."""
    held = _Lease(held=True)
    register.app.state.lease = register.app.cache_middleware.lease = held
    yield held
    register.app.state.lease = register.app.cache_middleware.lease = None


def test_reads_are_refused_without_a_lease_and_health_is_told(register: Register, lease: _Lease) -> None:
    assert register.get("/v1/claims").status_code == 200
    lease.held = False
    for path in ("/v1/claims", "/v1/claims.csv", "/topics", "/v1/nothing"):
        assert_problem(register.get(path), 503, "lease_lost")
    assert register.get("/health/live").status_code == 200
    assert register.get("/metrics").status_code == 200
    ready = assert_problem(register.get("/health/ready"), 503, "unavailable")
    assert (ready["reads"], [each["reason"] for each in ready["reasons"]]) == (False, ["lease"])
    lease.held = True
    assert register.get("/v1/claims").status_code == 200
    assert register.get("/health/ready").status_code == 200


def test_forgetting_clears_the_caches_and_lets_no_earlier_state_be_stored(register: Register) -> None:
    database, invalidator = register.database, register.app.state.invalidator
    register.get("/v1/claims")
    assert invalidator.response_cache.count == 1
    key = CacheKey("test", lambda _database: object())
    before = database.caches[key]
    invalidator.forget_before(5)
    assert invalidator.response_cache.count == 0
    assert database.caches[key] is not before
    assert [invalidator.may_store(seq) for seq in (None, 4, 5)] == [True, False, True]
    cached = CachedResponse(CacheScope(seq=4), is_compressible=False, identity=EncodedBody('"x"', [], b"words"))
    invalidator.response_cache.store(("/v1/claims", b"", ""), cached)
    assert invalidator.response_cache.count == 0
    # A poll that began before does not take the cache back.
    invalidator.apply(PollResult(4, (), 0.0, 0, None, 0, 1))
    assert invalidator.response_cache.seq == 5
