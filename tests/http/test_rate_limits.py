"""Rate limits by address and by key, wrong keys, and addresses behind proxies."""

import asyncio
import errno
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import app.http.access
from app.database.api_keys import create_key, load_actor, revoke_key
from app.enums import Role
from app.http.client_address import ClientAddresses
from app.http.counter_table import (
    ENTRIES_PER_SET,
    SETS,
    TABLE_BYTES,
    CounterTable,
    counter_key,
    create_shared_file,
    shared_file,
)
from app.runtime_folder import create_runtime_folder, find_runtime_folder
from app.settings import Settings
from tests.examples import assert_problem
from tests.http.connections import exchange, request
from tests.registers import Register

QUOTA = 5
PATH = "/v1/categories"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def limit(register: Register, **settings: Any) -> Clock:
    """Apply settings to the application of a register, with a clock of its own."""
    app: Any = register.client.app
    app.use_access_settings(register.settings.model_copy(update=settings))
    clock = Clock()
    app.state.access.limiter.table = CounterTable(clock=clock)
    return clock


def statuses(register: Register, count: int, path: str = PATH, **headers: str) -> list[int]:
    return [register.get(path, headers=headers).status_code for _ in range(count)]


def test_an_address_has_a_limit(register: Register) -> None:
    clock = limit(register, rate_limit=QUOTA)
    answers = [register.get(PATH) for _ in range(QUOTA)]
    assert [answer.headers["ratelimit"] for answer in answers] == [
        f'"address";r={left};t=60' for left in range(4, -1, -1)
    ]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"address";q=5;w=60'}
    clock.now += 20.5
    refused = register.get(PATH)
    problem = assert_problem(refused, 429, "too_many_requests")
    assert problem["detail"] == "The limit for this address is 5 requests in 60 seconds."
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == ("40", '"address";r=0;t=40')
    assert refused.headers["cache-control"] == "no-store"
    exposed = refused.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)
    assert_problem(register.get("/v1/nothing"), 429)
    assert_problem(register.get("/"), 429)
    for path in ("/health/live", "/health/ready", "/metrics"):
        answer = register.get(path)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers
    clock.now += 40
    assert register.get(PATH).headers["ratelimit"] == '"address";r=4;t=60'


def test_without_a_limit_there_are_no_rate_headers(shared_starter_register: Register) -> None:
    for answer in (shared_starter_register.get(PATH), shared_starter_register.get(PATH)):
        assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


def test_a_304_does_not_count(register: Register) -> None:
    limit(register, rate_limit=QUOTA)
    etag = register.get(PATH).headers["etag"]
    for _ in range(3 * QUOTA):
        answer = register.get(PATH, headers={"If-None-Match": etag})
        assert (answer.status_code, answer.headers["ratelimit"]) == (304, '"address";r=4;t=60')
    assert statuses(register, QUOTA) == [200] * 4 + [429]


@pytest.mark.parametrize("conditional", [False, True])
def test_a_response_that_the_protocol_writes_counts_as_any_other(register: Register, *, conditional: bool) -> None:
    etag = register.get(PATH, headers={"Accept-Encoding": "identity"}).headers["etag"]
    sent = [request(PATH, If_None_Match=etag if conditional else '"x"')] * (QUOTA + 1)
    exchange(register, sent[0])
    received = []
    for finds_responses in (False, True):
        limit(register, rate_limit=QUOTA)
        answers, found = exchange(register, *sent, finds_responses=finds_responses)
        assert found == (QUOTA + conditional if finds_responses else 0)
        received.append([(answer.split(b"\r\n")[0], _rate_lines(answer)) for answer in answers])
    assert received[0] == received[1]
    assert received[0][-1][0] == (b"HTTP/1.1 304 Not Modified" if conditional else b"HTTP/1.1 429 Too Many Requests")


def _rate_lines(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if line.startswith((b"ratelimit", b"retry-after"))]


def test_a_key_has_a_limit_of_its_own(register: Register) -> None:
    limit(register, rate_limit=2, key_rate_limit=QUOTA)
    key = register.keys["editor"]
    assert statuses(register, QUOTA + 1, **key) == [200] * QUOTA + [429]
    assert register.get(PATH, headers=key).headers["ratelimit-policy"] == '"key";q=5;w=60'
    assert statuses(register, 2, **register.keys["contributor"]) == [200] * 2
    assert statuses(register, 3) == [200, 200, 429]
    wrong = {"Authorization": "Bearer cc_unknown"}
    assert_problem(register.get(PATH, headers=wrong), 429)  # counts for the address
    (_, answer), found = exchange(register, *[request(PATH, **register.keys["contributor"])] * 2)
    assert (found, b'ratelimit: "key";r=1' in answer) == (1, True)


def test_writes_count_too(register: Register) -> None:
    limit(register, key_rate_limit=2)
    for expected in (201, 200):
        assert register.write("PUT", "/v1/subjects/new", {"name": "x"}).status_code == expected
    assert_problem(register.write("PUT", "/v1/subjects/new", {"name": "y"}), 429, "too_many_requests")
    assert register.get("/v1/subjects/new").json()["name"] == "x"


def test_wrong_keys_are_not_looked_up_for_ever(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    lookups: Counter[str] = Counter()

    def count_lookup(database: Any, key: str) -> Any:
        lookups[key] += 1
        return load_actor(database, key)

    clock = limit(register)
    monkeypatch.setattr(app.http.access, "load_actor", count_lookup)
    bodies = {"POST": "/v1/documents", "PUT": "/v1/subjects/new"}
    for number in range(60):
        method = "POST" if number % 2 else "PUT"
        headers = {"X-API-Key": f"cc_{number}"}
        answer = register.request(method, bodies[method], json={"title": "x", "name": "x"}, headers=headers)
        if number < 20:
            assert_problem(answer, 401, "unauthorized")
        else:
            assert_problem(answer, 429, "too_many_requests")
            assert answer.headers["ratelimit-policy"] == '"wrong-keys";q=20;w=60'
            assert answer.headers["retry-after"] == "60"
    assert lookups == {f"cc_{number}": 1 for number in range(20)}
    assert register.get(PATH, headers={"X-API-Key": "cc_wrong"}).status_code == 200
    assert_problem(register.write("PUT", "/v1/subjects/new", {"name": "x"}), 429)  # an unknown key, for all we know
    clock.now += 61
    assert register.write("PUT", "/v1/subjects/new", {"name": "x"}).status_code == 201


def test_wrong_keys_at_the_same_time_are_counted_before_they_are_looked_up(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups: Counter[str] = Counter()

    def count_lookup(database: Any, key: str) -> Any:
        lookups[key] += 1
        return load_actor(database, key)

    limit(register)
    monkeypatch.setattr(app.http.access, "load_actor", count_lookup)
    for keys in ([f"cc_{number}" for number in range(60)], ["cc_same"] * 60):
        access: Any = register.client.app.state.access  # type: ignore[attr-defined] # a Starlette
        access.limiter.table.clear()
        lookups.clear()

        async def look_up(keys: list[str] = keys, access: Any = access) -> list[Any]:
            scope = {"client": ("192.0.2.1", 1), "headers": []}
            return await asyncio.gather(*(access.find_actor(scope, key) for key in keys), return_exceptions=True)

        outcomes = Counter(type(outcome).__name__ for outcome in register.client.portal.call(look_up))  # type: ignore[union-attr] # open
        assert outcomes == {"NoneType": 20, "TooManyRequests": 40}
        assert lookups.total() <= 20


def test_a_key_that_was_valid_is_not_refused_for_the_wrong_keys_of_others(register: Register) -> None:
    limit(register)
    with register.database.write() as session:
        key = create_key(session, "guest", Role.admin)
    headers = {"X-API-Key": key}
    assert register.post("/v1/documents", json={"title": "x"}, headers=headers).status_code == 201
    for number in range(25):
        register.post("/v1/documents", json={"title": "x"}, headers={"X-API-Key": f"cc_{number}"})
    assert register.post("/v1/documents", json={"title": "x"}, headers=headers).status_code == 200
    assert_problem(register.write("POST", "/v1/documents", {"title": "x"}), 429)
    revoke_key(register.database, "guest")
    assert_problem(register.post("/v1/documents", json={"title": "x"}, headers=headers), 429)  # counted as wrong
    assert_problem(register.post("/v1/documents", json={"title": "x"}, headers=headers), 429)  # not looked up


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        ("", "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.0/8", "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        ("192.0.2.1", "192.0.2.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("192.0.2.0/24,10.0.0.0/8", "192.0.2.1", "203.0.113.9, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
        ("192.0.2.1", "192.0.2.1", "198.51.100.7:4711", "198.51.100.7"),
        ("192.0.2.1", "192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "203.0.113.9, unknown", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", ",,,", "192.0.2.1"),
        ("::1", "::1", "2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("::1", "::1", "[2001:db8:1:2:3::4]:443", "2001:db8:1:2::"),
        ("127.0.0.1", "::ffff:127.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("", "2001:db8:1:2:ffff::1", "198.51.100.7", "2001:db8:1:2::"),
        ("", "testclient", "198.51.100.7", "testclient"),
    ],
)
def test_only_a_trusted_proxy_says_from_where_a_request_comes(
    trusted: str, peer: str, forwarded: str, expected: str
) -> None:
    addresses = ClientAddresses(trusted)
    lines = [(b"x-forwarded-for", part.encode()) for part in forwarded.split(", ")]  # several lines are one list
    for headers in (lines, [(b"x-forwarded-for", forwarded.encode())]):
        found = addresses.identify({"client": (peer, 1), "headers": headers})
        assert found == addresses.identify({"client": (expected, 1), "headers": []})


def test_a_forged_address_has_no_effect(register: Register) -> None:
    limit(register, rate_limit=QUOTA)
    answers = [register.get(PATH, headers={"X-Forwarded-For": f"192.0.2.{number}"}) for number in range(QUOTA + 1)]
    assert [answer.status_code for answer in answers] == [200] * QUOTA + [429]
    assert_problem(register.get(PATH, headers={"Forwarded": "for=192.0.2.99", "X-Real-IP": "192.0.2.99"}), 429)


def test_a_trusted_proxy_tells_clients_apart(register: Register) -> None:
    limit(register, rate_limit=1, trusted_proxies="127.0.0.1")
    app: Any = register.client.app

    def send(forwarded: str) -> int:
        async def call() -> int:
            sent: list[Any] = []

            async def send_message(message: Any) -> None:
                sent.append(message)

            async def receive() -> Any:
                return {"type": "http.request"}

            headers = [(b"host", b"x"), (b"x-forwarded-for", forwarded.encode())]
            scope = {"type": "http", "method": "GET", "path": PATH, "query_string": b"", "headers": headers}
            await app({**scope, "client": ("127.0.0.1", 1), "http_version": "1.1"}, receive, send_message)
            return int(sent[0]["status"])

        return int(register.client.portal.call(call))  # type: ignore[union-attr] # open

    assert [send("192.0.2.1"), send("192.0.2.2"), send("203.0.113.1, 192.0.2.1")] == [200, 200, 429]
    assert [send("2001:db8::1"), send("2001:db8::ffff:1"), send("2001:db8:0:1::1")] == [200, 429, 200]


@pytest.mark.parametrize("text", ["10.0.0.1/8", "nonsense", "127.0.0.1 10.0.0.1", "*"])
def test_a_proxy_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected addresses and networks"):
        Settings(trusted_proxies=text)


def test_the_table_does_not_grow() -> None:
    clock = Clock()
    table = CounterTable(clock=clock)
    keys = [SETS * number + 7 for number in range(1, ENTRIES_PER_SET + 2)]  # all of one set
    for key in keys:
        table.add(key, 60, QUOTA)
        clock.now += 1
    assert [table.read(key) for key in keys] == [0] + [1] * ENTRIES_PER_SET
    clock.now += 60
    assert [table.read(key) for key in keys] == [0] * (ENTRIES_PER_SET + 1)


def test_windows_begin_with_their_first_count() -> None:
    clock = Clock()
    table = CounterTable(clock=clock)
    assert [table.add(1, 60, 2).is_counted for _ in range(3)] == [True, True, False]
    clock.now += 59
    assert table.add(1, 60, 2) == (2, 1.0, False)
    assert (table.add(1, 60, 2, -1).value, table.add(1, 60, 2, 0).value) == (1, 1)
    clock.now += 1
    assert table.add(1, 60, 2) == (1, 60.0, True)
    assert [table.add(2, 60, 2, -1).value for _ in range(2)] == [0, 0]


@pytest.fixture
def shared_path() -> Iterator[str]:
    with create_runtime_folder():
        create_shared_file()
        yield f"{find_runtime_folder()}/counters"


def count_in_process(number: int) -> int:
    """Count in a worker process; return how often it was allowed."""
    table = CounterTable(shared_file())
    return sum(table.add(counter_key(b"a", b"x"), 3_600, 1_000).is_counted for _ in range(number))


def test_workers_share_one_table(shared_path: str) -> None:
    assert Path(shared_path).stat().st_size == TABLE_BYTES
    with get_context("fork").Pool(4) as pool:
        assert sum(pool.map(count_in_process, [2_000] * 4)) == 1_000
    assert CounterTable(shared_file()).read(counter_key(b"a", b"x")) == 1_000


def test_the_folder_of_a_service_that_was_killed_is_removed(
    shared_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    abandoned, other = tmp_path / "counterclaim-run-x", tmp_path / "counterclaim-y"
    for folder in (abandoned, other):
        folder.mkdir()
        (folder / "lock").touch()
    with create_runtime_folder():
        running = find_runtime_folder()
        with create_runtime_folder():
            pass
        assert running is not None
        assert running.exists()
    assert (abandoned.exists(), other.exists(), running.exists()) == (False, True, False)
    assert Path(shared_path).exists()


def test_where_no_file_can_be_written_each_worker_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with create_runtime_folder():
        create_shared_file()
        assert shared_file() is None


def test_where_there_is_no_space_each_worker_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", fail)
    with create_runtime_folder():
        create_shared_file()
        assert shared_file() is None


def test_threads_of_a_client_get_no_more_than_the_limit(register: Register) -> None:
    limit(register, rate_limit=100)
    with ThreadPoolExecutor(8) as pool:
        found = Counter(pool.map(lambda _: register.get(PATH).status_code, range(300)))
    assert found == {200: 100, 429: 200}
