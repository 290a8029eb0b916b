"""All streams of a process share one look at the change log and what is read."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app.changes import routes, tail
from app.changes.routes import StreamQuery, StreamShape
from app.changes.tail import CHANGE_TAIL
from app.http.shutdown import Shutdown
from tests.examples import make_claim_body, make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.registers import Register

LISTENERS = 50


class Streams:
    """Streams that run in the event loop of the application, and what each has sent."""

    def __init__(self, register: Register, queries: list[StreamQuery]) -> None:
        self.register, self.queries = register, queries
        self.sent: list[bytes] = [b"" for _ in queries]
        self.shutdown: Shutdown
        self.tasks: list[asyncio.Task[None]] = []
        self.are_allowed = True

    async def start(self) -> None:
        self.shutdown = Shutdown()
        self.tasks = [asyncio.create_task(self._follow(number)) for number in range(len(self.queries))]
        await self.until(lambda: all(self.sent))

    async def _follow(self, number: int) -> None:
        query = self.queries[number]
        assert query.after is not None
        database = self.register.database
        events = routes._stream_events(
            database, query, (1, int(query.after)), self.shutdown, self._may_read, once=False
        )
        async for event in events:
            self.sent[number] += event

    async def _may_read(self) -> bool:
        return self.are_allowed

    async def until(self, is_reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_reached():  # noqa: ASYNC110 - the streams have no event for it
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.shutdown.begin()
        async with asyncio.timeout(60):
            await asyncio.gather(*self.tasks)


def run(register: Register, function: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    client: Any = register.client
    client.portal.call(function, *arguments)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The changes after which the change log was read."""
    found: list[int] = []
    original = tail.read_batch

    def read_batch(database: Any, after: int, **options: Any) -> Any:
        found.append(after)
        return original(database, after, **options)

    monkeypatch.setattr(tail, "read_batch", read_batch)
    monkeypatch.setattr(tail, "POLL_INTERVAL_SECONDS", 0.05)
    return found


def test_a_change_is_read_once_for_all_streams(register: Register, reads: list[int]) -> None:
    record_example_vocabulary(register)
    before = submit_claim(register, make_claim_body())["seq"]
    shapes = [StreamShape.served if number % 2 else StreamShape.change for number in range(LISTENERS)]
    streams = Streams(register, [StreamQuery(after=before, shape=shape) for shape in shapes])
    run(register, streams.start)
    claim = submit_claim(register, make_unique_claim_body())
    event = f"id: {claim['seq']}\n".encode()
    run(register, streams.until, lambda: all(event in sent for sent in streams.sent))
    run(register, streams.stop)
    assert len(set(streams.sent)) == len(set(shapes))
    # Each shape is read before the change, after it, and once more to find that nothing follows.
    assert len(reads) <= 3 * len(set(shapes)) + 2
    assert all(task.done() for task in streams.tasks)


def test_streams_with_filters_share_what_is_read(register: Register, reads: list[int]) -> None:
    record_example_vocabulary(register)
    before = submit_claim(register, make_claim_body())["seq"]
    streams = Streams(register, [StreamQuery(after=before, kind=[kind]) for kind in ("claim", "source", "claim")])
    run(register, streams.start)
    claim = submit_claim(register, make_unique_claim_body())
    run(register, streams.until, lambda: streams.sent[0].endswith(b"\n\n") and b"event: change" in streams.sent[2])
    run(register, streams.stop)
    assert streams.sent[0] == streams.sent[2]
    assert f"id: {claim['seq']}\n".encode() in streams.sent[0]
    assert b"event" not in streams.sent[1]
    assert reads


def test_a_stream_ends_when_its_client_may_not_read_any_more(register: Register, reads: list[int]) -> None:
    record_example_vocabulary(register)
    before = submit_claim(register, make_claim_body())["seq"]
    streams = Streams(register, [StreamQuery(after=before)])
    run(register, streams.start)
    streams.are_allowed = False
    submit_claim(register, make_unique_claim_body())
    run(register, streams.until, lambda: all(task.done() for task in streams.tasks))
    run(register, streams.stop)
    assert b"event" not in streams.sent[0]
    assert reads


def test_streams_wait_while_the_database_fails(
    register: Register, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    record_example_vocabulary(register)
    before = submit_claim(register, make_claim_body())["seq"]
    has_failed = threading.Event()
    original = tail._read_latest_seq

    def read_latest_seq(database: Any) -> int:
        if not has_failed.is_set():
            has_failed.set()
            raise OperationalError("SELECT", {}, Exception("the server closed the connection"))
        return original(database)

    monkeypatch.setattr(tail, "_read_latest_seq", read_latest_seq)
    streams = Streams(register, [StreamQuery(after=before)])
    run(register, streams.start)
    claim = submit_claim(register, make_unique_claim_body())
    run(register, streams.until, lambda: f"id: {claim['seq']}\n".encode() in streams.sent[0])
    run(register, streams.stop)
    assert has_failed.is_set()
    assert reads


def test_a_failed_read_is_not_kept(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    record_example_vocabulary(register)
    change_tail = register.database.caches[CHANGE_TAIL]

    def fail(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("the server closed the connection"))

    async def read() -> None:
        await change_tail.read(0, served=False)

    with monkeypatch.context() as patched:
        patched.setattr(tail, "read_batch", fail)
        with pytest.raises(OperationalError):
            run(register, read)
    run(register, read)


def test_nothing_is_kept_after_a_takedown(register: Register) -> None:
    record_example_vocabulary(register)
    claim = submit_claim(register, make_claim_body())
    first = register.database.caches[CHANGE_TAIL]
    assert register.write("POST", f"/v1/claims/{claim['id']}/takedown", {"reason": "a test"}).status_code == 200
    assert register.get("/v1/claims").status_code == 200
    assert register.database.caches[CHANGE_TAIL] is not first
