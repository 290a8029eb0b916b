"""Positions in the change log with an epoch: after a fork of the history, nobody goes on from a change that is lost."""

import asyncio
from typing import Any

import pytest

from app.changes import routes
from app.changes.routes import StreamQuery
from app.database.epochs import begin_epoch
from app.http.shutdown import Shutdown
from tests.examples import assert_problem, read_latest_seq
from tests.registers import Register


def post(register: Register, title: str) -> None:
    assert register.write("POST", "/v1/documents", {"title": title}).status_code == 201


@pytest.fixture
def forked(register: Register) -> Register:
    """A register whose history forked after the second of four changes."""
    for title in ("a", "b"):
        post(register, title)
    fork(register)
    for title in ("c", "d"):
        post(register, title)
    return register


def fork(register: Register) -> None:
    """Begin an epoch, as if later changes had been lost."""
    with register.database.write() as session:
        begin_epoch(session)
    register.client.app.state.invalidator.epochs.reload()  # type: ignore[attr-defined] # a Starlette


@pytest.mark.parametrize(
    "position", ["after=0", "after=2", "after=4", "after=1:2", "after=2:4", "cursor=2", "cursor=2:4"]
)
def test_a_position_in_the_common_history_or_the_latest_epoch_is_read(forked: Register, position: str) -> None:
    answer = forked.get(f"/v1/changes?{position}")
    assert answer.status_code == 200
    first = int(position.replace(":", "=").split("=")[-1])
    assert [row["seq"] for row in answer.json()["data"]] == list(range(first + 1, 5))
    assert answer.headers["x-register-epoch"] == "2"


@pytest.mark.parametrize("query", ["after=1:3", "after=1:4", "cursor=3", "cursor=1:3", "after=5", "cursor=1:99"])
@pytest.mark.parametrize("path", ["/v1/changes", "/v1/changes.ndjson", "/v1/changes/stream"])
def test_a_position_after_the_fork_is_refused(forked: Register, path: str, query: str) -> None:
    name, _, position = query.partition("=")
    if path.endswith("stream") and name == "cursor":
        answer = forked.get(path, headers={"Last-Event-ID": position})
    else:
        answer = forked.get(path, params={name: position})
    problem = assert_problem(answer, 409, "history_forked")
    assert (problem["forked_at"], problem["epoch"]) == (2, 2)
    assert "after seq 2" in problem["hint"]


@pytest.mark.parametrize(
    "query", ["after=3:1", "after=2:5", "cursor=2:5", "after=1:", "after=:1", "after=1:2:3", "after=x"]
)
def test_a_position_that_is_not_reached_or_none_is_invalid(forked: Register, query: str) -> None:
    assert_problem(forked.get(f"/v1/changes?{query}"), 422)


def test_cursors_name_the_epoch_from_the_second_one_on(register: Register) -> None:
    for title in ("a", "b"):
        post(register, title)
    page = register.get("/v1/changes?limit=1").json()
    assert page["meta"]["next_cursor"] == "1"
    fork(register)
    assert register.get(f"/v1/changes?limit=1&cursor={page['meta']['next_cursor']}").json()["data"][0]["seq"] == 2
    post(register, "c")
    following = register.get("/v1/changes?limit=1&after=1").json()
    assert following["meta"]["next_cursor"] == "2:2"
    assert register.get(following["links"]["next"]).json()["data"][0]["seq"] == 3


def test_a_stream_ends_where_the_history_forks_before_what_it_has_sent(register: Register) -> None:
    for title in ("a", "b"):
        post(register, title)

    async def follow(start: tuple[int, int]) -> bytes:
        """Return what a stream sends until it ends, or until it has sent the third change."""
        shutdown, sent = Shutdown(), b""

        async def may_read() -> bool:
            return True

        query = StreamQuery()
        async for event in routes._stream_events(register.database, query, start, shutdown, may_read, once=False):
            sent += event
            if b"id: 2:3" in event:
                shutdown.begin()
        return sent

    fork(register)
    post(register, "c")
    assert asyncio.run(follow((1, 2))).endswith(b"id: 2:3\n\n")
    lost = asyncio.run(follow((1, 3)))
    assert b"data:" not in lost
    assert_problem(register.get("/v1/changes/stream", headers={"Last-Event-ID": "3"}), 409, "history_forked")


class Follower:
    """A client with a copy of all records as they are served. It keeps which changes it has read."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.records: dict[str, Any] = {}
        self.read: list[tuple[int, str]] = []
        self.epoch, self.seq = 1, 0

    def catch_up(self) -> None:
        answer = self.register.get("/v1/changes", params={"after": f"{self.epoch}:{self.seq}", "shape": "served"})
        if answer.status_code == 409:
            problem = assert_problem(answer, 409, "history_forked")
            self._forget(problem["forked_at"])
            self.epoch, self.seq = problem["epoch"], problem["forked_at"]
            self.catch_up()
            return
        for row in answer.json()["data"]:
            self.records[row["id"]] = row["data"]
            self.seq = row["seq"]
            self.read.append((self.seq, row["id"]))
        self.epoch = int(answer.headers["x-register-epoch"])

    def _forget(self, forked_at: int) -> None:
        """Read what later changes have changed again."""
        for id_ in {id_ for seq, id_ in self.read if seq > forked_at}:
            answer = self.register.get(f"/v1/documents/{id_}")
            if answer.status_code == 404:
                del self.records[id_]
            else:
                self.records[id_] = answer.json()
        self.read = [each for each in self.read if each[0] <= forked_at]


def test_a_follower_ends_equal_to_the_register(register: Register) -> None:
    for title in ("a", "b"):
        post(register, title)
    follower = Follower(register)
    follower.catch_up()
    kept = dict(follower.records)
    # The follower has read two changes that are lost: a document, and another title of the first one.
    first = next(iter(kept))
    follower.records |= {"lost": {"id": "lost"}, first: {"id": first, "title": "lost"}}
    follower.read += [(3, "lost"), (4, first)]
    follower.seq = 4
    fork(register)
    for title in ("c", "d", "e"):
        post(register, title)
    follower.catch_up()
    assert (follower.epoch, follower.seq) == (2, read_latest_seq(register))
    served = {row["id"]: row for row in register.get("/v1/documents").json()["data"]}
    assert follower.records.keys() == served.keys()
    for id_, record in follower.records.items():
        assert record == register.get(f"/v1/documents/{id_}").json()


def test_a_cursor_overrides_a_position_that_is_not_reached(forked: Register) -> None:
    assert forked.get("/v1/changes?after=99&cursor=2:3").json()["data"][0]["seq"] == 4
    assert_problem(forked.get("/v1/changes?after=99&cursor=2:3&total=true"), 409, "history_forked")


def test_an_event_id_that_is_not_reached_is_a_fault_of_the_header(register: Register) -> None:
    problem = assert_problem(register.get("/v1/changes/stream", headers={"Last-Event-ID": "7"}), 422)
    assert (problem["errors"][0]["location"], problem["errors"][0]["pointer"]) == ("header", "#/Last-Event-ID")
