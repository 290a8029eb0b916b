"""A short way to recording a claim.

FastAPI takes longer to look at a body, four headers and six small dependencies than the register takes to check the
claim and to write it. Here the same route is called with the same model, made in one step. Whatever is unusual (a
body that does not fit, a key that is not good, a header that is seldom sent) goes the long way, which says what is
wrong.
"""

import json

from fastapi import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from app.claims.routes import post_claim
from app.claims.schemas import ClaimInput
from app.errors import Problem
from app.http.auth import contributor_of
from app.http.idempotency import is_name
from app.http.problems import DATABASE_FAULTS, on_database, problem_response
from app.http.writes import writer_of

ADDRESS = "/v1/claims"
SELDOM = ("x-register-seq", "if-match")
"""Headers that the long way looks at."""


class Posted:
    """A request that may be a new claim, and what was read of it: the long way reads that again."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._request = Request(scope)
        self._receive = receive
        self._read: list[Message] = []

    async def receive(self) -> Message:
        """What was read before, and then the rest."""
        return self._read.pop(0) if self._read else await self._receive()

    async def answer(self) -> Response | None:
        """The answer to a plain new claim; None for everything else, of which nothing has been recorded."""
        request = self._request
        headers = request.headers
        key = headers.get("idempotency-key")
        if (
            request.scope["query_string"]
            or headers.get("content-type") != "application/json"
            or "content-length" not in headers  # one without may turn out to be too long
            or any(name in headers for name in SELDOM)
            or not (key is None or is_name(key))
        ):
            return None
        body = await self._body()
        try:
            given = ClaimInput.model_validate(json.loads(body))
            contributor = await contributor_of(request)
        except (ValueError, RecursionError, Problem, *DATABASE_FAULTS):
            return None
        try:
            return await post_claim(given, writer_of(request, body, key), contributor)
        except Problem as problem:
            return problem_response(request, problem)
        except DATABASE_FAULTS as fault:
            return await on_database(request, fault)

    async def _body(self) -> bytes:
        more = True
        while more:
            message = await self._receive()
            self._read.append(message)
            more = message.get("more_body", False)
        return b"".join(message.get("body", b"") for message in self._read)
