"""A server ends within seconds of a signal: streams end, requests in progress finish, others are refused cleanly."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.examples import make_unique_claim_body
from tests.history.servers import ServerGroup, run_servers
from tests.registers import DatabaseCopies

STREAMS = 20


@pytest.fixture(scope="module")
def fleet(database_copies: DatabaseCopies) -> Iterator[ServerGroup]:
    """One server process, which a test may stop; it is started again for the next one."""
    with run_servers(database_copies, 1) as servers:
        yield servers


def open_stream(port: int, path: str = "/v1/changes/stream") -> socket.socket:
    """Open a stream and return its connection, after the head has arrived."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    received = b""
    started = time.monotonic()
    while b"\nid: " not in received:
        received += connection.recv(4096)
        assert time.monotonic() - started < 5, received
    assert received.startswith(b"HTTP/1.1 200")
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    with connection:
        while part := connection.recv(65536):
            received += part
    return received


def test_a_restart_with_open_streams_takes_less_than_five_seconds(fleet: ServerGroup) -> None:
    server = fleet.servers[0]
    streams = [open_stream(server.port) for _ in range(STREAMS)]
    bodies = [make_unique_claim_body() for _ in range(200)]
    statuses: list[int] = []

    def write(body: dict[str, object]) -> None:
        try:
            reply = fleet.write("POST", "/v1/claims", body)
        except ConnectionRefusedError:
            return  # the port is closed; any other error of a connection fails the test
        finally:
            fleet.close_connection()
        statuses.append(reply.status)

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(write, body) for body in bodies]
        while not statuses:
            time.sleep(0.01)
        started = time.monotonic()
        process = server.process
        assert process is not None
        os.kill(int(process.pid or 0), signal.SIGTERM)
        process.join(10)
        seconds = time.monotonic() - started
        for each in waiting:
            each.result()
    assert process.exitcode is not None
    assert seconds < 5, seconds
    for stream in streams:
        assert read_to_end(stream).endswith(b"0\r\n\r\n"), "a stream ends as a complete response"
    assert set(statuses) <= {201, 503}
    fleet.close_connection()
    server.process = None
    server.start()
    recorded = sum(change["kind"] == "claim" for change in fleet.read_all_changes())
    assert recorded == statuses.count(201)


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
