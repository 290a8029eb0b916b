"""A server ends within seconds of a signal: streams end, requests in progress finish, others are refused cleanly."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Event

import pytest

from app.http.shutdown import MAX_REQUEST_SECONDS
from tests.examples import make_unique_claim_body
from tests.history.servers import ServerGroup, run_servers
from tests.history.shutdown_load import (
    count_claims,
    import_file,
    make_claims_file,
    notice_publishing,
    open_stream,
    record_long_file,
    stop_under_load,
)
from tests.registers import DatabaseCopies

STREAMS = 20
IMPORTED_ROWS = 5_000
"""Rows whose import publishes for about a second."""
ROWS_READ_FOR_SECONDS = 20_000
"""Rows that take some seconds to read, before the first is published."""


@pytest.fixture(scope="module")
def server_group(database_copies: DatabaseCopies) -> Iterator[ServerGroup]:
    """One server process."""
    with run_servers(database_copies, 1) as servers:
        yield servers


@pytest.fixture
def fleet(server_group: ServerGroup) -> ServerGroup:
    """One server process, which a test may stop. It is started again where a test has failed before it did so."""
    if server_group.servers[0].process is None:
        server_group.servers[0].start()
    return server_group


@pytest.fixture(scope="module")
def fleet_of_workers(database_copies: DatabaseCopies) -> Iterator[ServerGroup]:
    """A server of two processes."""
    with run_servers(database_copies, 1, workers=2) as servers:
        yield servers


def test_a_restart_with_open_streams_takes_less_than_five_seconds(fleet: ServerGroup) -> None:
    restart_with_open_streams(fleet)


def test_a_restart_of_two_workers_takes_less_than_five_seconds(fleet_of_workers: ServerGroup) -> None:
    restart_with_open_streams(fleet_of_workers)


def restart_with_open_streams(fleet: ServerGroup) -> None:
    server = fleet.servers[0]
    before = sum(change["kind"] == "claim" for change in fleet.read_all_changes())
    outcome = stop_under_load(fleet, streams=STREAMS, clients=4, download=False, warm_up_seconds=0.3)
    assert outcome.seconds < 5
    assert outcome.complete_streams == STREAMS, "a stream ends as a complete response"
    assert outcome.unexpected == []
    assert set(outcome.statuses) <= {"GET 200", "GET 503", "POST 201", "POST 503"}
    assert outcome.statuses["POST 201"] > 0
    server.start()
    recorded = sum(change["kind"] == "claim" for change in fleet.read_all_changes()) - before
    assert recorded == outcome.statuses["POST 201"]


def test_a_slow_download_is_cut_and_an_import_before_publishing_is_rolled_back(fleet: ServerGroup) -> None:
    record_long_file(fleet)
    claims = count_claims(fleet)
    content, is_sent = make_claims_file(ROWS_READ_FOR_SECONDS), Event()
    with ThreadPoolExecutor(1) as pool:
        importing = pool.submit(import_file, fleet.servers[0], fleet.keys, content, is_sent)
        outcome = stop_under_load(fleet, streams=2, clients=2, writes=False, warm_up_seconds=0, before_signal=is_sent)
        reply = importing.result()
    assert outcome.is_download_cut
    assert outcome.seconds >= MAX_REQUEST_SECONDS
    assert outcome.complete_streams == 2
    assert outcome.unexpected == []
    assert reply.status == 503, reply.body
    assert reply.json()["code"] == "unavailable"
    fleet.servers[0].start()
    assert count_claims(fleet) == claims


def test_an_import_that_is_publishing_finishes(fleet: ServerGroup) -> None:
    claims = count_claims(fleet)
    with notice_publishing(fleet.url) as is_publishing, ThreadPoolExecutor(1) as pool:
        importing = pool.submit(import_file, fleet.servers[0], fleet.keys, make_claims_file(IMPORTED_ROWS))
        outcome = stop_under_load(
            fleet, streams=2, clients=2, writes=False, download=False, before_signal=is_publishing
        )
        reply = importing.result()
    assert reply.status == 201, reply.body
    assert reply.json()["counts"]["new"] == IMPORTED_ROWS
    assert outcome.unexpected == []
    fleet.servers[0].start()
    assert count_claims(fleet) == claims + IMPORTED_ROWS


def test_a_stream_sends_its_position_at_once_and_continues_from_it(fleet: ServerGroup) -> None:
    server = fleet.servers[0]
    started = time.monotonic()
    with open_stream(server.port) as stream:
        assert time.monotonic() - started < 2
        made = fleet.write("POST", "/v1/claims", make_unique_claim_body())
        assert made.status == 201
        received = b""
        while b"\ndata: " not in received and b"data: {" not in received:
            received += stream.recv(65536)
    assert b"event: change" in received


def test_a_client_that_is_still_sending_gets_its_answer(fleet: ServerGroup) -> None:
    server = fleet.servers[0]
    body = b"x" * 8_000_000
    for headers in ({"Connection": "close"}, {}):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", "/v1/claims", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        assert answer.status == 413
        assert answer.headers["content-type"] == "application/problem+json"
        answer.read()
        connection.close()


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.0\r\n\r\n", 200),
        (b"BREW /health/live HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ],
    ids=str,
)
def test_every_error_of_the_protocol_is_a_problem(fleet: ServerGroup, request_head: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", fleet.servers[0].port), timeout=10) as connection:
        connection.sendall(request_head)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    if status != 200:
        assert b"content-type: application/problem+json" in answer
        assert b"x-request-id: " in answer


def test_a_client_that_disconnects_is_no_error(fleet: ServerGroup) -> None:
    server = fleet.servers[0]
    key = fleet.keys["admin"]["Authorization"]
    for path, kind in (
        ("/v1/imports", "text/csv"),
        ("/v1/claims", "application/json"),
        ("/v1/documents", "application/json"),
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {key}\r\nContent-Type: {kind}\r\n"
            connection.sendall(head.encode() + b"Content-Length: 1000\r\n\r\nx")
            time.sleep(0.1)
    time.sleep(0.3)
    metrics = server.request("GET", "/metrics").body.decode()
    assert 'status="499"' in metrics
    assert 'status="500"' not in metrics
    assert "Traceback" not in server.read_log()
