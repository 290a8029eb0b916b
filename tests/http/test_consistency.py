"""Requests that wait for a state hold nothing, and are bounded in number and time."""

import asyncio
import time
from typing import Any, cast

import pytest

from app.database.engine import Database
from app.errors import Unavailable
from app.http.consistency import MAX_WAITING_REQUESTS, StateWaiter
from tests.examples import assert_problem
from tests.registers import Register


class _Clock:
    """Stands in for a database whose state a test sets."""

    latest_read_seq = 0


def test_waiting_requests_share_one_poll_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    polls = []
    clock = _Clock()

    def read(_database: Any, seq: int) -> None:
        assert seq == 1
        polls.append(time.monotonic())
        clock.latest_read_seq += len(polls) == 3

    monkeypatch.setattr("app.http.consistency._read_clock", read)
    waiter = StateWaiter(cast("Database", clock))

    async def run() -> list[Any]:
        waiting = [asyncio.create_task(waiter.wait(1)) for _ in range(MAX_WAITING_REQUESTS)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await waiter.wait(1)
        assert refused.value.headers["Retry-After"] == "1"
        return await asyncio.gather(*waiting)

    assert asyncio.run(run()) == [None] * MAX_WAITING_REQUESTS
    assert len(polls) == 3


def test_the_parameter_seq_is_the_header_and_no_part_of_the_address(starter_register: Register) -> None:
    plain = starter_register.get("/v1/claims?limit=2&sort=value")
    seq = plain.json()["meta"]["seq"]
    hits = starter_register.app.state.invalidator.response_cache.hits
    for query in (f"seq={seq}&limit=2&sort=value", f"limit=2&seq={seq}&sort=value", "limit=2&sort=value&seq=1"):
        answer = starter_register.get(f"/v1/claims?{query}")
        assert answer.content == plain.content
        assert answer.headers["ETag"] == plain.headers["ETag"]
        assert "seq=" not in answer.headers["Link"]
        assert answer.headers["Cache-Control"] == plain.headers["Cache-Control"]
    assert starter_register.app.state.invalidator.response_cache.hits == hits + 3
    uncached = starter_register.get(f"/v1/claims?limit=3&seq={seq}").json()
    assert "seq=" not in uncached["links"]["self"] + uncached["links"]["next"]
    assert_problem(starter_register.get(f"/v1/claims?limit=2&seq={seq + 1}"), 503, "unavailable")
    assert starter_register.get("/v1/claims?seq=").status_code == 200
    for query in ("seq=-1", "seq=x", "seq=1&seq=1", "seq=" + "9" * 19):
        problem = assert_problem(starter_register.get(f"/v1/claims?{query}"), 422, "invalid_request")
        assert problem["errors"][0]["pointer"] == "#/seq"
    file = starter_register.get(f"/v1/claims.csv?limit=1&seq={seq}")
    assert file.content == starter_register.get("/v1/claims.csv?limit=1").content


def test_a_state_that_does_not_come_is_told_in_time(shared_starter_register: Register) -> None:
    started = time.monotonic()
    answer = shared_starter_register.get("/v1/sources/csis", headers={"X-Register-Seq": "9" * 18})
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert time.monotonic() - started < 2
