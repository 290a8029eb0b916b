"""The deadline of a request: if the database does not answer in time, the request is answered with a 503."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Scope, Send

from app.errors import OutcomeUnknown, Problem, Unavailable

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

POLL_SHARE = 0.25
"""The part of the deadline that the response cache may wait for a poll of the database."""


@dataclass(slots=True)
class RequestDeadline:
    """When a request is answered at the latest, in the time of the event loop."""

    expires_at: float
    is_disabled: bool = False
    """Whether the request takes as long as it takes: a takedown, or a file that is written first."""
    is_over: bool = False
    """Whether the request was answered because its time is over. What the application sends then is dropped."""

    def disable(self) -> None:
        """Let the request take as long as it takes. May be called in any thread."""
        self.is_disabled = True


def start_deadline(scope: Scope, seconds: float) -> RequestDeadline:
    """Set the deadline of a request, from now on."""
    deadline = RequestDeadline(asyncio.get_running_loop().time() + seconds)
    scope.setdefault("state", {})["deadline"] = deadline
    return deadline


def disable_deadline(scope: Scope) -> None:
    """Let a request take as long as it takes, if it has a deadline."""
    deadline: RequestDeadline | None = scope.get("state", {}).get("deadline")
    if deadline is not None:
        deadline.disable()


def write_expiry(scope: Scope) -> float | None:
    """Return until when a write must be confirmed, in the time of the event loop; None: there is no limit."""
    deadline: RequestDeadline | None = scope.get("state", {}).get("deadline")
    return None if deadline is None or deadline.is_disabled else deadline.expires_at


class DeadlineTimer:
    """Answers a request at its deadline, unless a response has started. What is sent afterwards is dropped."""

    __slots__ = ("_answer", "_deadline", "_handle", "_has_started", "_send", "_task")

    def __init__(self, deadline: RequestDeadline, send: Send, answer: Callable[[Send], Awaitable[None]]) -> None:
        """Start the timer. `answer` sends the response for a request that is late."""
        self._deadline = deadline
        self._send = send
        self._answer = answer
        self._has_started = False
        self._task: asyncio.Task[Any] | None = None
        self._handle = asyncio.get_running_loop().call_at(deadline.expires_at, self._expire)

    async def send(self, message: Message) -> None:
        """Send a message of the application, unless the request was answered at its deadline."""
        if self._deadline.is_over:
            return
        if not self._has_started:
            self._has_started = True
            self._handle.cancel()
        await self._send(message)

    def _expire(self) -> None:
        if self._has_started or self._deadline.is_disabled:
            return
        self._deadline.is_over = True
        self._task = asyncio.ensure_future(self._answer(self._send))

    async def finish(self) -> None:
        """Cancel the timer, or wait until its answer is sent."""
        self._handle.cancel()
        if self._task is not None:
            await self._task


def late_problem(method: str, seconds: float) -> Problem:
    """Return the problem of a request that the database did not answer within `seconds`."""
    detail = f"The request was not answered within {seconds:g} seconds: the database, or the server, is too busy."
    if method in READ_METHODS:
        return Unavailable(detail, hint="try again", headers={"Retry-After": "2"}, more={"reason": "late"})
    detail += " The write may be recorded, or not."
    hint = "send the same request again with the same Idempotency-Key"
    return OutcomeUnknown(detail, hint=hint, headers={"Retry-After": "5"}, more={"reason": "late"})
