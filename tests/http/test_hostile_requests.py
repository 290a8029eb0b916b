"""Hostile requests: none is a 500, holds the event loop, gets much back, or is answered differently on a database."""

import asyncio
import gc
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.http.hostile_requests import HostileRequest, hostile_requests
from tests.http.test_hostile import assert_no_mistake
from tests.registers import Register

MAX_BYTES = 65_536
MAX_LOOP_SECONDS = 0.05
"""How much CPU time a request may take on the event loop without letting others in."""

VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z"
)
"""Ids and times, which differ between two registers."""


class LoopTimer:
    """The CPU time of the longest step of any event loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    def wrap(self, run: Callable[[asyncio.Handle], None]) -> Callable[[asyncio.Handle], None]:
        def timed(handle: asyncio.Handle) -> None:
            began = time.thread_time()
            run(handle)
            self.longest = max(self.longest, time.thread_time() - began)

        return timed


@pytest.fixture(scope="module")
def loop_timer() -> Iterator[LoopTimer]:
    timer = LoopTimer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", timer.wrap(asyncio.Handle._run))
        gc.disable()  # a collection visits everything that the other tests have left
        yield timer
        gc.enable()


def send(register: Register, request: HostileRequest) -> Any:
    content: Any = iter(request.body) if isinstance(request.body, tuple) else request.body
    headers = [(name, value) for name, value in request.headers if name not in {b"Authorization", b"X-API-Key"}]
    given = [(name, value) for name, value in request.headers if name in {b"Authorization", b"X-API-Key"}]
    if not given and request.method == "POST":
        given = [(b"Authorization", register.keys["editor"]["Authorization"].encode())]
    return register.request(
        request.method, request.path, headers=[*headers, *given], content=content, follow_redirects=False
    )


@pytest.fixture(scope="module")
def _warm(both_starter_registers: list[Register]) -> None:
    """Import and compile what is used for the first time, which takes longer than the limit."""
    for register in both_starter_registers:
        for path in ("/v1/claims?limit=1", "/v1/claims.csv?limit=1", "/v1/sources?limit=1", "/v1/changes?limit=1"):
            register.get(path)
            register.get(f"{path}&nothing=1")
        for path in ("/v1/claims", "/v1/documents", "/v1/imports", "/v1/keys"):
            for kind in ("application/json", "text/csv", "multipart/form-data; boundary=b", "application/zip"):
                register.post(path, content=b"{}", headers=register.keys["editor"] | {"Content-Type": kind})


REQUESTS = hostile_requests()


@pytest.mark.usefixtures("_warm")
# Starlette leaves the temporary file of a form without an end to the garbage collector.
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")
@pytest.mark.parametrize("share", range(8))
def test_no_hostile_request_does_harm(
    both_starter_registers: list[Register], loop_timer: LoopTimer, share: int
) -> None:
    assert len(REQUESTS) > 400
    for request in REQUESTS[share::8]:
        answers, texts = [], []
        for register in both_starter_registers:
            register.client.app.state.access.limiter.table.clear()  # type: ignore[attr-defined] # it counts wrong keys
            for _ in range(3):  # the machine may be busy
                loop_timer.longest = 0.0
                answer = send(register, request)
                if loop_timer.longest < MAX_LOOP_SECONDS:
                    break
            assert loop_timer.longest < MAX_LOOP_SECONDS, (request.name, loop_timer.longest)
            assert_no_mistake(answer, request.name)
            assert len(answer.content) <= MAX_BYTES, (request.name, len(answer.content))
            assert b"x-evil" not in {name.lower() for name, _ in answer.headers.raw}, request.name
            answers.append(answer)
            texts.append(VARYING.sub("…", answer.text))
        assert answers[0].status_code == answers[1].status_code, (request.name, texts)
        assert texts[0] == texts[1], request.name
