"""A response that the protocol writes from the cache is the one that the application sends."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.examples import make_claim_body, make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.http.connections import PAGE, Connection, exchange, request
from tests.registers import Register

VARYING_LINES = re.compile(rb'(x-request-id: |date: |"request_id": ?")[^\r"]*')


@pytest.fixture(autouse=True)
def _no_poll_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is not polled again between two requests, however slow the machine is."""
    monkeypatch.setattr("app.cache.invalidation.POLL_INTERVAL_SECONDS", 60.0)


def etag_of(register: Register, encoding: str) -> str:
    return register.get(PAGE, headers={"Accept-Encoding": encoding}).headers["etag"]  # type: ignore[no-any-return]


CASES: dict[str, Mapping[str, str]] = {
    "plain": {},
    "head": {"method": "HEAD"},
    "gzip": {"Accept_Encoding": "gzip"},
    "br, by preference": {"Accept_Encoding": "gzip;q=0.5, br"},
    "csv": {"Accept": "text/csv"},
    "page": {"path": "/", "Accept": "text/html", "Accept_Encoding": "br"},
    "with a request id": {"X_Request_Id": "abc"},
    "with a reached seq": {"path": f"{PAGE}&seq=1"},
    "not modified": {"If_None_Match": "*"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_cached_response_is_the_same_without_a_call_of_the_application(register: Register, case: str) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    sent = request(**CASES[case])
    exchange(register, sent)
    (expected,), _ = exchange(register, sent, finds_responses=False)
    (received,), found = exchange(register, sent)
    assert found == 1
    assert VARYING_LINES.sub(rb"\1", received) == VARYING_LINES.sub(rb"\1", expected)
    assert received.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 304 Not Modified\r\n"))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_client_that_has_a_cached_response_gets_a_304(register: Register, encoding: str) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    sent = request(Accept_Encoding=encoding, If_None_Match=etag_of(register, encoding))
    (expected,), _ = exchange(register, sent, finds_responses=False)
    (received,), found = exchange(register, sent)
    assert found == 1
    assert received.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert received.endswith(b"\r\n\r\n")
    assert VARYING_LINES.sub(rb"\1", received) == VARYING_LINES.sub(rb"\1", expected)


@pytest.mark.parametrize(
    "sent",
    [
        request(Range="bytes=0-9"),
        request(X_Register_Seq="1"),
        request(f"{PAGE}&seq=999999999"),
        request(If_Match='"1"'),
        request(version="1.0"),
        request(Connection="close"),
        request(Content_Length="2") + b"{}",
        request(Content_Length="2", Expect="100-continue") + b"{}",
        request(host="another"),
        request("/v1/claims?category=nothing-of-it"),
        request("/v1/claims/counts", Accept_Encoding="br"),
        request(method="POST", Content_Length="0"),
    ],
)
def test_other_requests_are_passed_to_the_application(register: Register, sent: bytes) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    exchange(register, request())
    (expected,), _ = exchange(register, sent, finds_responses=False)
    register.client.app.state.invalidator.response_cache.clear()  # type: ignore[attr-defined] # a Starlette
    exchange(register, request())
    (received,), found = exchange(register, sent)
    assert found == 0
    assert VARYING_LINES.sub(rb"\1", received) == VARYING_LINES.sub(rb"\1", expected)


def test_a_response_is_not_found_after_a_change(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    (_, before), found = exchange(register, request(), request())
    assert found == 1
    submit_claim(register, make_unique_claim_body())
    (after,), found = exchange(register, request())
    assert found == 0
    assert (before.count(b'"as_printed"'), after.count(b'"as_printed"')) == (1, 2)


def test_pipelined_requests_are_answered_in_order(register: Register) -> None:
    record_example_vocabulary(register)
    claim = submit_claim(register, make_claim_body())
    cached, cold = request(), request(f"/v1/claims/{claim['id']}")
    exchange(register, cached)
    (received,), _ = exchange(register, cached + cold + cached * 600 + cold)
    responses = received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(responses) == 603
    assert [b'"meta"' in response for response in responses] == [True, False, *[True] * 600, False]


def test_a_client_that_does_not_read_is_waited_for(register: Register) -> None:
    record_example_vocabulary(register)
    exchange(register, request())

    async def send_to_paused() -> tuple[bytes, bytes]:
        connection = Connection(register, finds_responses=True)
        connection.protocol.pause_writing()
        connection.protocol.data_received(request())
        await asyncio.sleep(0.01)
        paused = b"".join(connection.transport.written)
        connection.protocol.resume_writing()
        await connection.wait_for_response()
        return paused, b"".join(connection.transport.written)

    client: Any = register.client
    paused, received = client.portal.call(send_to_paused)
    assert paused == b""
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
