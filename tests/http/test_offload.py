"""Expensive reads run in child processes, whose responses are those of the workers."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from app import offload_process
from app.http import offload
from app.http.offload import DeadlineDisabled, ForwardedRequest, OffloadPool, Queue, encode_message, read_message
from app.main import create_app
from app.offload_process import OffloadServer
from tests.examples import assert_problem, make_source_body, make_topic_body, record_example_vocabulary
from tests.registers import Register

EXPENSIVE = [
    "/v1/feed.atom",
    "/v1/feed.json",
    "/v1/topics/russian-casualties/feed.atom",
    "/v1/topics/nothing/feed.json",
    "/v1/side-by-side?category=killed&subject=ru-forces",
    "/v1/side-by-side?category=nothing",
    "/v1/side-by-side?categry=killed",
    "/v1/side-by-side.csv?category=killed&subject=ru-forces",
    "/v1/topics/russian-casualties/brief",
    "/v1/topics/russian-casualties/brief.md",
    "/v1/topics?known_on=2024-01-31",
    "/v1/topics?recorded_as_of=seq:5",
    "/v1/claims?q=killed&total=true",
    "/v1/claims.csv?source=csis",
    "/v1/claims.ndjson?limit=3",
    "/v1/claims.xlsx?source=csis",
    "/v1/sources.csv",
    "/v1/changes.ndjson?after=0",
    "/v1/topics/russian-casualties/chart.svg",
    "/v1/topics/russian-casualties/chart.png?width=400",
    "/v1/topics/russian-casualties/chart.vl.json",
    "/v1/export",
]
"""Addresses that a child process answers."""

CHEAP = [
    "/v1/claims",
    "/v1/claims?q=killed",
    "/v1/claims?total=true",
    "/v1/topics",
    "/v1/topics/russian-casualties",
    "/v1/topics/russian-casualties/side-by-side",
    "/health/ready",
    "/",
]
"""Addresses that a worker answers itself."""

OWN_HEADERS = {"x-request-id", "date", "content-length"}
"""The headers that may differ between two responses to the same request: the second one can be a copy of a file."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def in_thread(serve: Callable[[], Coroutine[Any, Any, None]]) -> Iterator[None]:
    """Run a server in an event loop of its own, until the block ends."""
    started = threading.Event()
    tasks: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def run() -> None:
        tasks.append((asyncio.get_running_loop(), asyncio.ensure_future(serve())))
        started.set()
        await asyncio.wait({tasks[0][1]})

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert started.wait(20)
        yield
    finally:
        loop, task = tasks[0]
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


@contextmanager
def child_process(folder: Path, answer: Serve) -> Iterator[None]:
    """Let a function stand in for the child process with the number 0."""
    ready = threading.Event()

    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()
        await writer.wait_closed()

    async def serve() -> None:
        async with await asyncio.start_unix_server(answer_and_close, offload.socket_path(folder, 0)):
            ready.set()
            await asyncio.Event().wait()

    with in_thread(serve):
        assert ready.wait(20)
        yield


UsePool = Callable[[Register], OffloadPool]


@pytest.fixture
def use_pool(tmp_path: Path) -> Iterator[UsePool]:
    """A function that lets a register have one child process, until the end of the test."""
    pool = OffloadPool(tmp_path, 1)
    apps: list[Any] = []

    def use(register: Register) -> OffloadPool:
        apps.append(register.client.app)
        apps[-1].state.offload_pool = pool
        return pool

    yield use
    for app in apps:
        app.state.offload_pool = None
    pool.close()


@contextmanager
def child_of(register: Register, folder: Path) -> Iterator[list[str]]:
    """Answer the expensive reads of a register in a thread, by an application of its own. Yields their paths."""
    paths: list[str] = []
    ready = threading.Event()

    async def serve() -> None:
        app = create_app(register.settings, has_middleware=False)
        async with app.router.lifespan_context(app):
            server = OffloadServer(app)
            stack = server._stack

            async def note(scope: Any, receive: Any, send: Any) -> None:
                paths.append(scope["path"])
                await stack(scope, receive, send)

            server._stack = note
            task = asyncio.ensure_future(server.serve(offload.socket_path(folder, 0)))
            await asyncio.sleep(0)
            ready.set()
            with suppress(asyncio.CancelledError):  # at the end of the block; the application closes its connections
                await task

    with in_thread(serve):
        assert ready.wait(60)
        yield paths


def read(register: Register, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    response = register.get(path, headers=headers)
    kept = {name: value for name, value in response.headers.items() if name not in OWN_HEADERS}
    return response.status_code, response.content, kept


def clear_cache(register: Register) -> None:
    app: Any = register.client.app
    app.state.invalidator.response_cache.clear()


def test_a_child_process_answers_expensive_reads_alike(
    shared_starter_register: Register, use_pool: UsePool, tmp_path: Path
) -> None:
    register = shared_starter_register
    own = {}
    for path in EXPENSIVE:
        clear_cache(register)
        own[path] = read(register, path)
    use_pool(register)
    with child_of(register, tmp_path) as paths:
        for path in EXPENSIVE:
            clear_cache(register)
            before = len(paths)
            status, body, headers = read(register, path)
            assert (status, headers) == (own[path][0], own[path][2]), path
            assert body == own[path][1] or status >= 400, path  # a problem names its request
            assert len(paths) == before + 1, path
            assert register.request("HEAD", path).status_code == status
        before = len(paths)
        for path in CHEAP:
            assert register.get(path).status_code == 200
        assert len(paths) == before


def test_responses_of_a_child_process_are_cached_until_they_are_outdated(
    register: Register, use_pool: UsePool, tmp_path: Path
) -> None:
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed")).status_code == 201
    use_pool(register)
    with child_of(register, tmp_path) as paths:
        first = register.get("/v1/topics/dead/brief")
        assert (
            register.get("/v1/topics/dead/brief", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        )
        assert register.get("/v1/topics/dead/brief").content == first.content
        assert len(paths) == 1
        answer = register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed", title="The dead"))
        assert answer.status_code == 200
        second = register.get("/v1/topics/dead/brief", headers={"X-Register-Seq": answer.headers["x-register-seq"]})
        assert second.json()["topic"]["title"] == "The dead"
        assert int(second.headers["x-register-seq"]) >= int(answer.headers["x-register-seq"])
        assert len(paths) == 2


def test_too_many_requests_are_refused(shared_starter_register: Register, use_pool: UsePool, tmp_path: Path) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_message(Queue(offload.MAX_RUNNING + offload.MAX_WAITING)))

    use_pool(shared_starter_register)
    with child_process(tmp_path, answer):
        response = shared_starter_register.get("/v1/feed.json?nocache")
        assert_problem(response, 503, "unavailable")
        assert response.headers["retry-after"] == "5"
        assert shared_starter_register.get("/v1/claims?limit=2").status_code == 200


def test_a_child_process_that_ends_early_is_a_503(
    shared_starter_register: Register, use_pool: UsePool, tmp_path: Path
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_message(Queue(0)))
        assert isinstance(await read_message(reader), ForwardedRequest)

    use_pool(shared_starter_register)
    with child_process(tmp_path, answer):
        response = shared_starter_register.get("/v1/feed.json?nocache")
        problem = assert_problem(response, 503, "unavailable")
        assert "has ended" in problem["detail"]
        assert response.headers["retry-after"]


def test_an_error_of_a_child_process_is_one_of_the_worker(
    shared_starter_register: Register, use_pool: UsePool, tmp_path: Path
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_message(Queue(0)))
        await read_message(reader)
        writer.write(encode_message(DeadlineDisabled()))
        writer.write(encode_message(RuntimeError("KeyError: 'x'")))

    use_pool(shared_starter_register)
    with child_process(tmp_path, answer):
        assert_problem(shared_starter_register.get("/v1/feed.json?nocache"), 500, "internal_error")


def test_the_first_read_runs_here_and_the_second_one_starts_a_process(
    starter_register: Register, use_pool: UsePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", starter_register.settings.database_url)
    pool = use_pool(starter_register)
    assert starter_register.get("/v1/feed.json").status_code == 200
    assert pool._started == []
    assert starter_register.get("/v1/feed.atom").status_code == 200
    (process,) = pool._started
    monkeypatch.setattr(offload, "MAX_RUNNING", 0)  # from now on the child process has to answer
    monkeypatch.setattr(offload, "START_SECONDS", 60.0)
    monkeypatch.setattr(offload, "BUSY_SECONDS", 600.0)
    path = "/v1/topics/russian-casualties/chart.svg"
    with ThreadPoolExecutor(3) as threads:
        widths = range(400, 406)
        answers = list(threads.map(lambda width: starter_register.get(f"{path}?width={width}"), widths))
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert pool._started == [process]
    body = make_source_body("A new source")
    assert starter_register.write("PUT", "/v1/sources/new", body).status_code == 201
    assert "A new source" in starter_register.get("/v1/sources.csv").text
    process.kill()
    process.wait()
    answer = starter_register.get("/v1/topics/russian-casualties/chart.svg?width=500")
    assert answer.status_code == 200, answer.text  # by a new one
    assert len(pool._started) == 1
    assert pool._started != [process]
    pool.close()
    assert pool._started[0].poll() is not None


def test_a_slow_client_gives_its_place_to_the_next_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload_process, "MAX_RUNNING", 1)
    app = FastAPI()
    app.state.database = SimpleNamespace(visible_seq=1)
    app.state.invalidator = SimpleNamespace(poll_in_thread=partial(asyncio.sleep, 0))

    @app.get("/")
    def send_much() -> StreamingResponse:
        return StreamingResponse(bytes(2**18) for _ in range(40))

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    request = encode_message(ForwardedRequest(scope, {}))
    path = tmp_path / "reads.sock"

    async def read_all(reader: asyncio.StreamReader) -> int:
        size, more = 0, True
        while more:
            message = await read_message(reader)
            if isinstance(message, dict) and message["type"] == "http.response.body":
                size, more = size + len(message["body"]), message.get("more_body", False)
        return size

    async def run() -> None:
        server = asyncio.ensure_future(OffloadServer(app).serve(path))  # type: ignore[arg-type] # it uses the stack only
        connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        while len(connections) < 2:
            with suppress(OSError):  # it does not listen yet
                connections.append(await asyncio.open_unix_connection(path))
            await asyncio.sleep(0.01)
        for number, (reader, writer) in enumerate(connections):
            assert await read_message(reader) == Queue(0)
            writer.write(request)
            if number == 0:
                await read_message(reader)  # it runs
        assert await read_all(connections[1][0]) == 40 * 2**18
        reader, writer = await asyncio.open_unix_connection(path)
        assert await read_message(reader) == Queue(0)  # the slow one does not count
        writer.close()
        assert await read_all(connections[0][0]) == 40 * 2**18
        for _, writer in connections:
            writer.close()
        monkeypatch.setattr(offload_process, "IDLE_SECONDS", 0.0)
        await server  # ends, since it is idle

    asyncio.run(run())
