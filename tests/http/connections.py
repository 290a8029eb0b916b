"""Connections to an application without a socket: what the protocol receives, and what it sends."""

import asyncio
from collections.abc import Mapping
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from app.http.protocol import FIND_RESPONSE, CounterclaimProtocol
from tests.registers import Register

PAGE = "/v1/claims?category=killed"


class RecordingTransport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = self.is_aborted = False
        self.unsent = 0

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Connection:
    """A connection to the application of a register, with or without responses from the cache."""

    def __init__(self, register: Register, *, finds_responses: bool) -> None:
        app: Any = register.client.app
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        config.load()
        state = {FIND_RESPONSE: self.find_response} if finds_responses else {}
        self.app, self.found = app, 0
        self.protocol = CounterclaimProtocol(config, ServerState(), state)
        self.transport = RecordingTransport()
        self.protocol.connection_made(self.transport)

    def find_response(self, scope: Any) -> Any:
        response = self.app.find_response(scope)
        self.found += response is not None
        return response

    async def send(self, request: bytes) -> bytes:
        """Send a request, and return what is sent until the response to the last one in it is complete."""
        self.transport.written.clear()
        self.protocol.data_received(request)
        await self.wait_for_response()
        return b"".join(self.transport.written)

    async def wait_for_response(self) -> None:
        while self.protocol.pipeline or not self.protocol.cycle.response_complete:  # noqa: ASYNC110 - Uvicorn has no event
            await asyncio.sleep(0)


def exchange(register: Register, *requests: bytes, finds_responses: bool = True) -> tuple[list[bytes], int]:
    """Send requests over one connection; return what came back, and how many responses were found without a call."""

    async def send_all() -> tuple[list[bytes], int]:
        connection = Connection(register, finds_responses=finds_responses)
        received = [await connection.send(request) for request in requests]
        return received, connection.found

    client: Any = register.client
    return client.portal.call(send_all)  # type: ignore[no-any-return] # as `send_all`


def request(path: str = PAGE, method: str = "GET", version: str = "1.1", **headers: str) -> bytes:
    fields: Mapping[str, str] = {"Host": "testserver", **{name.replace("_", "-"): headers[name] for name in headers}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode()
