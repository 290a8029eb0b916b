"""The HTTP protocol of the server: errors of the protocol are problems, and a client that still sends is answered.

A response from the cache is written at once: a call of the application, which Uvicorn makes in a task of its own, costs
several times as much as the lookup.

Uvicorn answers a request that it cannot parse in plain text. It also closes a connection as soon as the response is
complete, and a client that is still sending a body then sees a reset connection instead of the response.

Uvicorn waits for a request as long as its client likes. `GracefulServer` calls `check_progress` of each connection once
a second, which closes those that are too slow. That costs nothing per request.
"""

import json
import re
from asyncio import Transport
from typing import Any, cast

from uuid_utils import uuid7
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.cache.responses import header_lines
from app.errors import AddressTooLong, BadRequest, MethodNotImplemented, Problem, RequestTimeout
from app.http.addresses import whole_address
from app.http.middleware import CONTENT_POLICY, IMPLEMENTED_METHODS, STANDARD_HEADERS

MAX_LINGERING_BYTES = 32_000_000
MAX_LINGERING_SECONDS = 6.0
"""How much of a body is read and discarded after the response is complete, before the connection is closed."""

MAX_HEAD_SECONDS = 6.0
"""How long a client may take from its connection, or the first byte of a later request, to the end of the headers."""

MAX_SLOW_BODY_SECONDS = 6.0
MIN_BODY_BYTES_PER_SECOND = 500
"""A client that sends a body slower than that for so long is not waited for."""

MAX_STALLED_SECONDS = 60.0
"""How long a client may read nothing of a response that is ready for it."""

MAX_REQUEST_LINE_BYTES = 60_000
"""Length of a request line from which a request that cannot be parsed is reported as too long."""

MAX_JOINED_BYTES = 65_536
"""Size of a body up to which it is written together with the headers."""

BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding", b"upgrade"})
"""Headers of a request that may have a body, or continue in another protocol."""

FIND_RESPONSE = "find_response"
"""Name in the state of the server, which the application yields when it starts, of its function that finds a response
without being called."""

REQUEST_LINE_PATTERN = re.compile(rb"(?P<method>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,80}) (?P<target>[^ \r\n]*)")


def _is_plain(cycle: RequestResponseCycle) -> bool:
    """Return whether a request has no body, and its connection stays open."""
    return (
        cycle.keep_alive
        and not cycle.waiting_for_100_continue
        and not any(name in BODY_HEADERS for name, _ in cycle.scope["headers"])
    )


class LingeringTransport:
    """A transport whose connection stays open for reading while the client is still sending a body."""

    def __init__(self, transport: Transport, protocol: "CounterclaimProtocol") -> None:
        self._transport = transport
        self._protocol = protocol
        self.is_lingering = False
        # Each response uses it, and `__getattr__` is slow.
        self.write = transport.write

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a transport
        """Return the attribute of the transport."""
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self.is_lingering or self._transport.is_closing()

    def close(self) -> None:
        """Close the connection; if a request body is incomplete, only for writing at first."""
        if self.is_lingering or self._transport.is_closing():
            return
        if not self._protocol.has_unread_body:
            self._transport.close()
            return
        self.is_lingering = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._protocol.flow.resume_reading()
        self._protocol.loop.call_later(MAX_LINGERING_SECONDS, self._transport.close)

    def close_now(self) -> None:
        """Close the connection."""
        self._transport.close()


class CounterclaimProtocol(HttpToolsProtocol):
    """The protocol of one connection."""

    _lingering_transport: LingeringTransport
    _discarded_bytes = 0
    _first_bytes = b""
    _received_bytes = 0
    _checked_bytes = 0
    """What had been received at the last check."""
    _checked_cycle: RequestResponseCycle | None = None
    """The request at the last check: the latest one whose headers are complete."""
    _slow_seconds = 0.0
    """For how long the checks in a row have found the same request incomplete, and too slow."""
    _stalled_seconds = 0.0
    _unsent_bytes = 0
    """What was not sent yet at the last check."""

    @property
    def has_unread_body(self) -> bool:
        """Whether the response is complete, and the client has not sent its whole body."""
        return self.cycle is not None and self.cycle.response_complete and self.cycle.more_body

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        self._lingering_transport = LingeringTransport(transport, self)
        super().connection_made(cast("Transport", self._lingering_transport))

    def data_received(self, data: bytes) -> None:
        """Parse what the client sent. What it sends after the response is complete is discarded, up to a limit."""
        self._received_bytes += len(data)
        if self.has_unread_body:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > MAX_LINGERING_BYTES:
                self._lingering_transport.close_now()
                return
        if self._lingering_transport.is_lingering:
            return
        if not self._first_bytes or self.cycle is None or self.cycle.response_complete:
            self._first_bytes = data[:MAX_REQUEST_LINE_BYTES]
        super().data_received(data)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Write the response at once if it is cached, or call the application."""
        find_response = self.app_state.get(FIND_RESPONSE)
        # Requests that wait in the pipeline are answered one after the other, each by a task.
        if find_response is None or self.pipeline or self.flow.write_paused or not _is_plain(cycle):
            super()._start_asgi_task(cycle, app)
            return
        response = find_response(cycle.scope)
        if response is None:
            super()._start_asgi_task(cycle, app)
            return
        cycle.response_started = cycle.response_complete = True
        cycle.more_body = False
        head = b"HTTP/1.1 %b\r\n%b%b\r\n" % (response.status, header_lines(cycle.default_headers), response.lines)
        if len(response.body) <= MAX_JOINED_BYTES:
            self.transport.write(head + response.body)
        else:
            self.transport.write(head)
            self.transport.write(response.body)
        cycle.on_response()

    def check_progress(self, seconds: float) -> None:
        """Close the connection if its client is too slow. `GracefulServer` calls it about once a second.

        Args:
            seconds: The time since the last check.
        """
        if not self._is_sending(seconds) or self._lingering_transport.is_lingering:
            return
        cycle = self.cycle
        if cycle is not self._checked_cycle:
            self._checked_cycle, self._slow_seconds = cycle, 0.0
        received, self._checked_bytes = self._received_bytes - self._checked_bytes, self._received_bytes
        if cycle is None or cycle.response_complete:
            if self.timeout_keep_alive_task is None:  # else nothing of the next request has arrived
                self._slow_seconds += seconds
            if self._slow_seconds >= MAX_HEAD_SECONDS:
                self._end_slow_request("The headers of the request did not arrive")
            return
        is_slow = cycle.more_body and not self.flow.read_paused and not cycle.waiting_for_100_continue
        is_slow = is_slow and received < MIN_BODY_BYTES_PER_SECOND * seconds
        self._slow_seconds = self._slow_seconds + seconds if is_slow else 0.0
        if self._slow_seconds >= MAX_SLOW_BODY_SECONDS:
            self._end_slow_request("The body of the request did not arrive")

    def _is_sending(self, seconds: float) -> bool:
        """Return whether what was written is being read, if anything. Closes a connection whose client has stopped."""
        transport = self._lingering_transport
        unsent = transport.get_write_buffer_size()
        self._stalled_seconds = self._stalled_seconds + seconds if unsent and unsent >= self._unsent_bytes else 0.0
        self._unsent_bytes = unsent
        if self._stalled_seconds >= MAX_STALLED_SECONDS:
            transport.abort()
            return False
        return not transport.is_closing()

    def _end_slow_request(self, detail: str) -> None:
        """Close the connection, with a problem if the client has sent a part of a request that is not answered."""
        cycle = self.cycle
        is_answered = cycle is not None and cycle.response_started and cycle.more_body
        if is_answered or not self._received_bytes:
            self._lingering_transport.close_now()
            return
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # the application stops reading the body
            cycle.message_event.set()
        self._send_problem(RequestTimeout(f"{detail} in time."))

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed with a problem, and close the connection."""
        self._send_problem(self._describe_fault(msg))

    def _send_problem(self, problem: Problem) -> None:
        """Write a problem, and close the connection."""
        request_id = uuid7().hex
        body = json.dumps(
            {
                "type": whole_address(f"/problems/{problem.code}"),
                "title": problem.title,
                "status": problem.status,
                "code": problem.code,
                "detail": problem.detail,
                "hint": problem.hint,
                "errors": [],
                "error_count": 0,
                "request_id": request_id,
            }
        ).encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"private, no-store"),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
            *STANDARD_HEADERS,
            CONTENT_POLICY,
        ]
        lines = [b"HTTP/1.1 %d %s" % (problem.status, problem.title.encode())]
        lines += [name + b": " + value for name, value in headers]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()

    def _describe_fault(self, message: str) -> Problem:
        """Return the problem of a request that cannot be parsed, by its first line."""
        match = REQUEST_LINE_PATTERN.match(self._first_bytes)
        if match is not None:
            if match["method"].decode() not in IMPLEMENTED_METHODS:
                return MethodNotImplemented("The server does not know the method.")
            if len(match["target"]) >= MAX_REQUEST_LINE_BYTES // 2:
                return AddressTooLong("The address is too long.")
        return BadRequest(message)
