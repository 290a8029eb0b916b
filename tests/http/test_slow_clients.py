"""Connections of clients that send or read too slowly are closed. Each check stands for a second."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from app.http import protocol
from app.http.graceful_server import GracefulServer
from app.http.protocol import MIN_BODY_BYTES_PER_SECOND
from tests.http.connections import Connection, RecordingTransport, request
from tests.registers import Register

PATH = "/v1/documents"
MAX_HEAD_SECONDS = round(protocol.MAX_HEAD_SECONDS)
MAX_SLOW_BODY_SECONDS = round(protocol.MAX_SLOW_BODY_SECONDS)
MAX_STALLED_SECONDS = round(protocol.MAX_STALLED_SECONDS)


class CheckedConnection(Connection):
    """A connection that is checked once for each second."""

    async def wait(self, seconds: int, drip: bytes = b"") -> None:
        """Let seconds pass, each of which brings the next byte of `drip`, until the connection is closed."""
        for second in range(seconds):
            if self.transport.is_closed:
                return
            if part := drip[second : second + 1]:
                self.protocol.data_received(part)
            await asyncio.sleep(0)
            self.protocol.check_progress(1.0)

    @property
    def written(self) -> bytes:
        return b"".join(self.transport.written)


def run(register: Register, scenario: Callable[[CheckedConnection], Awaitable[None]]) -> CheckedConnection:
    async def connect() -> CheckedConnection:
        connection = CheckedConnection(register, finds_responses=True)
        await scenario(connection)
        return connection

    return register.client.portal.call(connect)  # type: ignore[union-attr] # open


def test_a_silent_connection_is_closed(shared_starter_register: Register) -> None:
    async def scenario(connection: CheckedConnection) -> None:
        await connection.wait(MAX_HEAD_SECONDS - 1)
        assert not connection.transport.is_closed
        await connection.wait(1)

    connection = run(shared_starter_register, scenario)
    assert (connection.transport.is_closed, connection.written) == (True, b"")


@pytest.mark.parametrize("is_first", [True, False])
def test_dripping_headers_are_a_408(shared_starter_register: Register, *, is_first: bool) -> None:
    async def scenario(connection: CheckedConnection) -> None:
        if not is_first:
            await connection.send(request("/v1/register"))
            connection.transport.written.clear()
            await connection.wait(3 * MAX_HEAD_SECONDS)  # Uvicorn closes a connection that is not used
            assert not connection.transport.is_closed
        await connection.wait(MAX_HEAD_SECONDS - 1, request("/v1/register"))
        assert not connection.transport.is_closed
        await connection.wait(1)

    connection = run(shared_starter_register, scenario)
    assert connection.transport.is_closed
    assert connection.written.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "request_timeout"' in connection.written
    assert b"content-security-policy: default-src 'none'" in connection.written


def start_of_post(register: Register, length: int) -> bytes:
    key = register.keys["contributor"]["Authorization"]
    return request(PATH, "POST", Authorization=key, Content_Type="application/json", Content_Length=str(length))


def test_a_dripping_body_is_a_408(shared_starter_register: Register) -> None:
    async def scenario(connection: CheckedConnection) -> None:
        connection.protocol.data_received(start_of_post(shared_starter_register, 1_000))
        await connection.wait(MAX_SLOW_BODY_SECONDS - 1, b"{" + b" " * 100)
        assert not connection.transport.is_closed
        await connection.wait(2, b"  ")
        for _ in range(100):
            await asyncio.sleep(0)

    connection = run(shared_starter_register, scenario)
    assert connection.transport.is_closed
    assert connection.written.count(b"HTTP/1.1 ") == 1
    assert connection.written.startswith(b"HTTP/1.1 408 ")


def test_a_large_body_may_take_long(register: Register) -> None:
    chunk = b" " * MIN_BODY_BYTES_PER_SECOND

    async def scenario(connection: CheckedConnection) -> None:
        body = b'{"title": "x"' + chunk * 40 + b"}"
        connection.protocol.data_received(start_of_post(register, len(body)))
        for start in range(0, len(body), len(chunk)):
            connection.protocol.data_received(body[start : start + len(chunk)])
            await connection.wait(1)
            assert not connection.transport.is_closed
        await connection.wait_for_response()

    assert run(register, scenario).written.startswith(b"HTTP/1.1 201 ")


def test_a_body_that_drips_after_its_answer_is_cut(shared_starter_register: Register) -> None:
    async def scenario(connection: CheckedConnection) -> None:
        await connection.send(request("/v1/register", "DELETE", Content_Length="1000"))
        await connection.wait(MAX_HEAD_SECONDS + 2, b" " * 100)

    connection = run(shared_starter_register, scenario)
    assert connection.transport.is_closed
    assert connection.written.count(b"HTTP/1.1 ") == 1
    assert connection.written.startswith(b"HTTP/1.1 405 ")


def test_a_slow_answer_is_not_the_fault_of_the_client(shared_starter_register: Register) -> None:
    async def scenario(connection: CheckedConnection) -> None:
        connection.protocol.data_received(request("/v1/claims?q=slow"))
        for _ in range(10 * MAX_HEAD_SECONDS):
            connection.protocol.check_progress(1.0)
        await connection.wait_for_response()

    connection = run(shared_starter_register, scenario)
    assert not connection.transport.is_closed
    assert connection.written.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_reads_nothing_is_cut(shared_starter_register: Register) -> None:
    async def scenario(connection: CheckedConnection) -> None:
        connection.protocol.data_received(request("/v1/claims.ndjson"))
        await connection.wait_for_response()
        connection.transport.unsent = 50_000
        for second in range(2 * MAX_STALLED_SECONDS):
            connection.transport.unsent -= second % (MAX_STALLED_SECONDS - 1) == 0  # a byte is progress
            connection.protocol.check_progress(1.0)
            assert not connection.transport.is_aborted
        await connection.wait(MAX_STALLED_SECONDS)

    assert run(shared_starter_register, scenario).transport.is_aborted


def test_the_server_checks_its_connections_once_a_second(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = shared_starter_register.client.app
    now = 1_000.0
    monkeypatch.setattr("app.http.graceful_server.time.monotonic", lambda: now)

    async def tick() -> float:
        nonlocal now
        server = GracefulServer(uvicorn.Config(app, log_config=None))
        server.config.load()
        server.checked_at = now
        connection = CheckedConnection(shared_starter_register, finds_responses=True)
        server.server_state.connections.add(connection.protocol)
        now += 60.0  # the process was stopped
        await server.on_tick(1)
        for _ in range(100):
            if connection.transport.is_closed:
                break
            now += 0.25
            await server.on_tick(1)
        return now - 1_060.0

    assert shared_starter_register.client.portal.call(tick) == 3.0  # type: ignore[union-attr] # open


def test_what_is_waited_for_is_less_than_ten_seconds() -> None:
    assert max(MAX_HEAD_SECONDS, MAX_SLOW_BODY_SECONDS, protocol.MAX_LINGERING_SECONDS) + 1 < 10
    assert RecordingTransport().get_write_buffer_size() == 0
