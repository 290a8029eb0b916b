"""The purger, with a server that answers as the cache does, and what the service says to caches meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from app.cache.scope import CHANGES_KEY, CLAIMS_KEY, REGISTER_KEY
from app.database.leases import LogPosition, list_leases, read_head
from app.enums import LeaseKind
from app.errors import PurgeFailed
from app.http.responses import SHARED_CACHE_CONTROL, shared_cache_control
from app.purge.cache_client import CacheClient
from app.purge.purger import Purger
from tests.examples import make_source_body, make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.registers import Register
from tests.test_cli import run_refused

CACHE_CLOCK = 1_000_000.0


@dataclass
class Cache:
    """A server that answers PURGE, and the requests that it got: position, keys and until."""

    url: str = ""
    known: str = ":"
    status: int = 200
    purges: list[tuple[str, str, float]] = field(default_factory=list)

    def take(self) -> list[tuple[str, str, float]]:
        """Return the requests since the last call."""
        taken, self.purges = self.purges, []
        return taken


@pytest.fixture
def cache() -> Iterator[Cache]:
    state = Cache()

    class Handler(BaseHTTPRequestHandler):
        def do_PURGE(self) -> None:
            self.send_response(state.status)
            self.send_header("X-Purge-Known", state.known)
            self.send_header("X-Purge-Clock", str(CACHE_CLOCK))
            self.send_header("Content-Length", "0")
            if "X-Purge-Seq" in self.headers and state.status == 200:
                state.known = f"{self.headers['X-Purge-Epoch']}:{self.headers['X-Purge-Seq']}"
                until = float(self.headers["X-Purge-Until"])
                state.purges.append((state.known, self.headers.get("X-Purge-Keys", ""), until))
            self.end_headers()  # which sends them

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def purger(register: Register, cache: Cache) -> Iterator[Purger]:
    record_example_vocabulary(register)
    made = Purger(register.database, CacheClient(cache.url), 30)
    yield made
    made.close()


def read_position(register: Register) -> str:
    with register.database.read_primary() as session:
        latest = read_head(session).latest
    return f"{latest.epoch}:{latest.seq}"


def test_the_cache_is_told_what_has_changed(register: Register, cache: Cache, purger: Purger) -> None:
    purger.start()
    (position, keys, until), (again, nothing, later) = cache.take()
    assert (position, keys, until) == (read_position(register), REGISTER_KEY, 0), "before it has a lease"
    assert (again, nothing) == (position, "")
    assert CACHE_CLOCK < later <= CACHE_CLOCK + 30
    purger.keep()
    assert cache.take() == []
    claim = submit_claim(register, make_unique_claim_body())
    purger.keep()
    ((position, keys, _),) = cache.take()
    assert position == read_position(register)
    assert {CHANGES_KEY, CLAIMS_KEY, f"claim-{claim['id']}"} == set(keys.split())
    register.write("PUT", "/v1/sources/ministry", make_source_body("Another name"))
    purger.keep()
    assert [keys for _, keys, _ in cache.take()] == [REGISTER_KEY]


def test_a_cache_in_another_state_is_purged_of_everything(register: Register, cache: Cache, purger: Purger) -> None:
    purger.start()
    cache.take()
    cache.known = ":"  # it was restarted
    submit_claim(register, make_unique_claim_body())
    purger.keep()
    assert [keys for _, keys, _ in cache.take()][-1] == REGISTER_KEY
    submit_claim(register, make_unique_claim_body())
    purger.keep()
    assert [keys == REGISTER_KEY for _, keys, _ in cache.take()] == [False]


def test_everything_is_purged_when_a_day_begins(cache: Cache, purger: Purger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Responses contain ages in days. Those of the day before can arrive some seconds later."""
    times = iter([86_400 * 3 - 1, 86_400 * 3 + 1, 86_400 * 3 + 2, 86_400 * 3 + 6, 86_400 * 3 + 7])
    now = next(times)
    monkeypatch.setattr("app.purge.purger.time.time", lambda: now)
    purger.start()
    cache.take()
    purged = []
    for now in times:  # noqa: B007 - the clock above reads it
        purger.keep()
        purged.append([keys for _, keys, _ in cache.take()])
    assert purged == [[REGISTER_KEY], [], [REGISTER_KEY], []]


def test_a_takedown_is_acknowledged_when_the_cache_has_confirmed_it(
    register: Register, cache: Cache, purger: Purger
) -> None:
    claim = submit_claim(register, make_unique_claim_body())
    purger.start()
    (lease,) = [each for each in read_leases(register) if each.kind is LeaseKind.purger]
    assert lease.acknowledged == 0
    cache.status = 503
    thread = Thread(target=register.write, args=("POST", f"/v1/claims/{claim['id']}/takedown", {"reason": "A court."}))
    thread.start()
    while (takedown := read_takedown(register)).seq == 0:
        pass
    with pytest.raises(PurgeFailed, match="answers 503"):
        purger.keep()
    assert read_leases(register)[0].acknowledged == 0
    assert thread.is_alive(), "the takedown waits"
    cache.status = 200
    cache.take()
    purger.keep()
    assert cache.take()[0][1] == REGISTER_KEY
    assert read_leases(register)[0].acknowledged == takedown.seq
    thread.join()


def read_takedown(register: Register) -> LogPosition:
    with register.database.read_primary() as session:
        return read_head(session).takedown


def read_leases(register: Register) -> Any:
    with register.database.read_primary() as session:
        return [each.model_copy() for each in list_leases(session)]


def test_responses_are_stored_for_a_minute_while_a_purger_lives(
    register: Register, purger: Purger, monkeypatch: pytest.MonkeyPatch
) -> None:
    invalidator = register.client.app.state.invalidator  # type: ignore[attr-defined] # a Starlette
    paths = ("/v1/claims", "/v1/sources/none")

    def read_controls() -> set[str]:
        invalidator._last_poll = invalidator._last_poll.__class__(0, None, -1.0, 0, None, 0, 0)  # poll at once
        register.get(paths[0])  # polls
        return {register.get(path).headers["cache-control"] for path in paths for _ in range(2)}

    assert read_controls() == {SHARED_CACHE_CONTROL}
    purger.start()
    monkeypatch.setattr("app.http.responses.time.time", lambda: 86_400 * 20_000.5)
    assert read_controls() == {"public, max-age=0, s-maxage=60"}
    answer = register.get(paths[0], headers={"X-Register-Seq": "1"})
    assert answer.headers["cache-control"] == "private, no-store"
    assert register.get("/v1/claims?limit=0").headers["cache-control"] == "no-store"
    purger.close()
    assert read_controls() == {SHARED_CACHE_CONTROL}


def test_no_response_is_stored_beyond_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, lifetime in ((0, 60), (86_339, 60), (86_350, 50), (86_399.5, 1)):
        monkeypatch.setattr("app.http.responses.time.time", lambda seconds=seconds: 86_400 * 20_000 + seconds)
        assert shared_cache_control(is_purged=True) == f"public, max-age=0, s-maxage={lifetime}"
    assert shared_cache_control(is_purged=False) == SHARED_CACHE_CONTROL


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("127.0.0.1:6081", "expected an address such as http://127.0.0.1:6081"),
        ("http://127.0.0.1:99999", "Port out of range"),
        ("http://127.0.0.1:1/path", "expected an address"),
        ("http://127.0.0.1:1", "does not answer"),
    ],
)
def test_an_address_without_a_cache_is_refused(shared_starter_register: Register, url: str, message: str) -> None:
    database = shared_starter_register.settings.database_url
    error = run_refused("purge", "--to", url, url=database)
    assert message in error
    assert len(error.splitlines()) == 1
