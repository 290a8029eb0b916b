"""Sends a response only while this process holds its lease, and only if it shows nothing from before a takedown.

A process can be interrupted between any two instructions, and go on minutes later. The lease is therefore checked when
the response is complete, right before its first byte, and again before each part of a file or stream.
"""

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from app.database.engine import Database, RequestState
from app.database.lease_keeper import LeaseState
from app.errors import LeaseLost, OutcomeUnknown, Problem, Unavailable
from app.http.deadline import READ_METHODS
from app.http.middleware import CONTENT_POLICY, STANDARD_HEADERS
from app.http.problems import problem_response
from app.logs import log_once

REPEATED_HEADERS = {name for name, _ in (*STANDARD_HEADERS, CONTENT_POLICY)} | {
    b"x-request-id",
    b"x-register-seq",
    b"x-register-epoch",
}
"""The headers of a response that the problem in its place has, too."""

FIRST_ERROR_STATUS = 500
"""Responses from this status on contain nothing of the register."""


class LeaseGuard:
    """Sends the messages of one response."""

    def __init__(self, lease: LeaseState, database: Database, scope: Scope, receive: Receive, send: Send) -> None:
        self._lease = lease
        self._database = database
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_refused = False
        self._is_exempt = False

    async def send(self, message: Message) -> None:
        """Send a message, or a problem in place of the response. Raises `ClientDisconnect` in the middle of one."""
        if message["type"] == "http.response.start":
            problem = None if message["status"] >= FIRST_ERROR_STATUS else self._find_problem()
            self._is_exempt = message["status"] >= FIRST_ERROR_STATUS
            if problem is not None:
                self._is_refused = True
                await self._send_problem(problem, message["headers"])
                return
        elif self._is_refused:
            return
        elif not self._is_exempt and not self._lease.is_held():
            error = lease_lost()
            log_once("a response was broken off: %s", error, error=error, cause="lease")
            raise ClientDisconnect
        await self._send(message)

    def _find_problem(self) -> Problem | None:
        is_read = self._scope["method"] in READ_METHODS
        if not self._lease.is_held():
            return lease_lost() if is_read else _outcome_unknown()
        state: RequestState | None = self._scope.get("state", {}).get("register_state")
        if not is_read or state is None or state.oldest_seq is None or state.oldest_seq >= self._database.required_seq:
            return None
        detail = "Something was taken down while the response was made."
        return Unavailable(detail, hint="send the request again", headers={"Retry-After": "1"})

    async def _send_problem(self, problem: Problem, headers: list[tuple[bytes, bytes]]) -> None:
        repeated = [header for header in headers if header[0] in REPEATED_HEADERS]
        request_id = next((value for name, value in repeated if name == b"x-request-id"), b"")
        self._scope.setdefault("state", {}).setdefault("request_id", request_id.decode())
        response = problem_response(Request(self._scope), problem)
        names = {name for name, _ in response.raw_headers}
        response.raw_headers += [header for header in repeated if header[0] not in names]
        if self._scope["method"] == "HEAD":
            response.body = b""
        await response(self._scope, self._receive, self._send)


def lease_lost() -> LeaseLost:
    """Return the problem of a read while this process does not hold its lease."""
    detail = "This server has not reached the primary database for a while, so that it may lack a takedown."
    return LeaseLost(detail, hint="try again, or ask another server", headers={"Retry-After": "2"})


def _outcome_unknown() -> Problem:
    detail = "The lease of this server ended while it answered. A write may be recorded, or not."
    hint = "send the same request again with the same Idempotency-Key"
    return OutcomeUnknown(detail, hint=hint, headers={"Retry-After": "2"})
