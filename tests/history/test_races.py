"""Exactly one of several conflicting writes succeeds, in any process, and a crash duplicates no write.

`TEST_RACES=1000` runs a thousand of each race.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from threading import Event
from typing import Any

import pytest

from tests.examples import make_claim_body, make_figure_body
from tests.history.servers import HttpReply, RaceThreads, ServerGroup, run_servers
from tests.registers import DatabaseCopies

RACES = int(os.environ.get("TEST_RACES", "30"))
CRASHES = max(2, RACES // 100)
CLIENTS = 6
MATCH_CLIENTS = 8
"""Clients that change one revision at the same time."""
KEY_CLIENTS = 10
"""Clients that send the same key at the same time."""
IN_FLIGHT = {(409, "key_in_flight"), (503, "unavailable")}
"""What a client is told whose key, or another write, is still being processed."""
CROWD = 8
"""Clients that write while a server is killed."""


@pytest.fixture(scope="module")
def fleet(database_copies: DatabaseCopies) -> Iterator[ServerGroup]:
    with run_servers(database_copies, 3) as fleet:
        yield fleet


@pytest.fixture
def runners(fleet: ServerGroup, request: pytest.FixtureRequest) -> Iterator[RaceThreads]:
    runners = RaceThreads(getattr(request, "param", CLIENTS))
    yield runners
    runners.close(fleet)


def make_body(value: int, **changes: Any) -> dict[str, Any]:
    return make_claim_body(figure=make_figure_body(str(value), value=value), **changes)


@pytest.mark.parametrize("runners", [MATCH_CLIENTS], indirect=True)
def test_of_simultaneous_changes_exactly_one_wins(fleet: ServerGroup, runners: RaceThreads) -> None:
    made = fleet.write("POST", "/v1/claims", make_body(1_000_000)).json()
    address = f"/v1/claims/{made['id']}"
    winners: list[str] = []
    began = time.monotonic()
    for race in range(RACES):
        match = f'"{race + 1}"'

        def change(runner: int, race: int = race, match: str = match) -> HttpReply:
            body = {
                "event": "transcription_fix",
                "reason": f"race {race}, runner {runner}",
                "changes": {"note": f"Race {race}, runner {runner}."},
            }
            return fleet.write("PATCH", address, body, runner, {"If-Match": match})

        replies = runners.race(change)
        assert sorted(reply.status for reply in replies) == [200, *[412] * (MATCH_CLIENTS - 1)], [
            r.body for r in replies
        ]
        winner = next(runner for runner, reply in enumerate(replies) if reply.status == 200)
        winners.append(f"race {race}, runner {winner}")
        won = replies[winner].json()
        assert (won["revision"], won["note"]) == (race + 2, f"Race {race}, runner {winner}.")
        for reply in replies:
            if reply.status == 412:
                assert reply.json()["code"] == "stale_revision"
                assert reply.json()["current"] == won
    took = time.monotonic() - began
    print(f"\n{RACES} If-Match races of {MATCH_CLIENTS} clients, 3 servers: one winner each, {took:.1f} s")  # noqa: T201 - shown with -s
    assert fleet.get(address)["revision"] == RACES + 1
    logged = [change for change in fleet.read_all_changes() if change["id"] == made["id"]]
    assert [change["revision"] for change in logged] == list(range(1, RACES + 2))
    assert [change["reason"] for change in logged] == [None, *winners]


@pytest.mark.parametrize("runners", [KEY_CLIENTS], indirect=True)
def test_one_key_makes_one_claim(fleet: ServerGroup, runners: RaceThreads) -> None:
    outcomes: Counter[str] = Counter()
    made: set[str] = set()
    began = time.monotonic()
    for race in range(RACES):
        key = {"Idempotency-Key": f"race-{race}"}

        def post(runner: int, race: int = race, key: dict[str, str] = key) -> HttpReply:
            return fleet.write("POST", "/v1/claims", make_body(race), runner, key)

        replies = runners.race(post)
        answered = [reply for reply in replies if reply.status == 201]
        for reply in replies:
            if reply.status != 201:
                # Another process that waited for the lock in vain does not know that the key is in flight.
                assert (reply.status, reply.json()["code"]) in IN_FLIGHT, reply.body
        assert len({(reply.body, reply.headers["etag"], reply.headers["location"]) for reply in answered}) == 1
        first = [reply for reply in answered if "idempotency-replayed" not in reply.headers]
        assert len(first) == 1
        made.add(first[0].json()["id"])
        outcomes.update(f"{reply.status}" for reply in replies)
        other = fleet.write("POST", "/v1/claims", make_body(race, note="Another."), race, key)
        assert (other.status, other.json()["code"]) == (422, "key_reused")
    took = time.monotonic() - began
    print(f"\n{RACES} Idempotency-Key races of {KEY_CLIENTS} clients, 3 servers: {dict(outcomes)}, {took:.1f} s")  # noqa: T201 - shown with -s
    assert len(made) == RACES
    recorded = {
        change["id"]
        for change in fleet.read_all_changes()
        if change["kind"] == "claim" and change["data"]["figure"]["value"] in range(RACES)
    }
    assert recorded == made


def test_two_bodies_under_one_key_make_one_claim(fleet: ServerGroup, runners: RaceThreads) -> None:
    for race in range(max(5, RACES // 20)):
        values = [2_000_000 + 10 * race + runner % 2 for runner in range(CLIENTS)]

        def post(runner: int, race: int = race, values: list[int] = values) -> HttpReply:
            key = {"Idempotency-Key": f"two-{race}"}
            return fleet.write("POST", "/v1/claims", make_body(values[runner]), runner, key)

        replies = runners.race(post)
        won = {value for value, reply in zip(values, replies, strict=True) if reply.status == 201}
        assert len(won) == 1
        for value, reply in zip(values, replies, strict=True):
            if value not in won:
                assert (reply.status, reply.json()["code"]) in {(422, "key_reused"), *IN_FLIGHT}


def test_a_crash_neither_loses_nor_doubles_what_a_key_made(database_copies: DatabaseCopies) -> None:
    with run_servers(database_copies, 1) as fleet:
        answered, unanswered = 0, 0
        for crash in range(CRASHES):
            runners = RaceThreads(CROWD + 1)
            killed = Event()
            seen: dict[str, HttpReply] = {}

            def run(
                runner: int, crash: int = crash, killed: Event = killed, seen: dict[str, HttpReply] = seen
            ) -> list[tuple[str, int]]:
                sent: list[tuple[str, int]] = []
                if runner == CROWD:
                    while len(seen) < 3 + crash % 7:
                        time.sleep(0.002)
                    fleet.servers[0].stop(signal.SIGKILL)
                    killed.set()
                    return sent
                while not killed.is_set():
                    value = (crash * CROWD + runner) * 10_000 + len(sent)
                    key = f"crash-{value}"
                    sent.append((key, value))
                    try:
                        seen[key] = fleet.write(
                            "POST", "/v1/claims", make_body(value), headers={"Idempotency-Key": key}
                        )
                    except (OSError, HTTPException):
                        break
                return sent

            sent = [each for runner in runners.race(run) for each in runner]
            runners.close(fleet)
            fleet.servers[0].start()
            for key, value in sent:
                again = fleet.write("POST", "/v1/claims", make_body(value), headers={"Idempotency-Key": key})
                assert again.status == 201, again.body
                if key in seen:
                    assert seen[key].status == 201
                    assert "idempotency-replayed" in again.headers
                    assert again.body == seen[key].body
                found = fleet.get(f"/v1/claims?value_min={value}&value_max={value}&total=true")
                assert [each["id"] for each in found["data"]] == [again.json()["id"]]
                replayed = "idempotency-replayed" in again.headers
                answered, unanswered = answered + (key in seen), unanswered + (key not in seen and replayed)
        print(f"\n{CRASHES} crashes: {answered} answers given again, {unanswered} found that nobody had heard")  # noqa: T201 - shown with -s
        log = fleet.read_all_changes()
        assert [change["seq"] for change in log] == list(range(1, len(log) + 1))
