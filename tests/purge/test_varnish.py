"""Varnish with docs/examples/varnish.vcl, purged by `counterclaim purge`.

Where Varnish or its modules are not installed, the tests are skipped (`apt-get install varnish varnish-modules`).
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

import pytest

from app.enums import Role
from benchmarks.system import process_tree
from benchmarks.varnish import find_varnish, running_varnish
from tests import forkserver
from tests.history.servers import find_free_port
from tests.registers import DatabaseCopies, create_keys
from tests.test_cli import ROOT, environment, run_refused, wait_for

VARNISH = find_varnish()
LEASE_SECONDS = 3
WAIT_SECONDS = 60
SETTINGS = {"COUNTERCLAIM_LEASE": str(LEASE_SECONDS), "COUNTERCLAIM_DEADLINE": "60"}

pytestmark = pytest.mark.skipif(VARNISH is None, reason="Varnish with its modules var and xkey is not installed")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_hit(self) -> bool:
        """Whether Varnish had the response: it names the request that stored it."""
        return len(self.headers["x-varnish"].split()) == 2


@dataclass
class CachedService:
    """A service with Varnish in front of it, and a purger."""

    url: str
    port: int
    cache_port: int
    key: dict[str, str]
    varnish_pid: int
    purgers: list[forkserver.RunningProgram] = field(default_factory=list)

    def get(self, path: str, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return send(self.cache_port, "GET", path, None, sent)

    def write(self, path: str, body: Any) -> Answer:
        answer = send(self.port, "POST", path, body, self.key | {"Content-Type": "application/json"})
        assert answer.status in (200, 201), answer
        return answer

    def add_claim(self, number: int) -> Answer:
        claim = json.loads(send(self.port, "GET", "/v1/claims?limit=1&source=csis").body)["data"][0]
        body = {
            **{name: claim[name] for name in ("category", "subject", "place", "modality")},
            "figure": {"as_printed": f"{number}", "language": "en", "value": number},
            "period": {"edtf": "2025-01-01/2025-02-01", "aggregation": "cumulative"},
            "date": "2025-03-01",
            "source": claim["source"]["slug"],
            "citations": [{"document": claim["citations"][0]["document"]["id"], "fidelity": "paraphrase"}],
        }
        return self.write("/v1/claims", body)

    def start_purger(self) -> forkserver.RunningProgram:
        command = ["purge", "--to", f"http://127.0.0.1:{self.cache_port}"]
        purger = forkserver.RunningProgram(command, environment(self.url, **SETTINGS), ROOT)
        self.purgers.append(purger)
        wait_until(lambda: purger.stdout.readline() == f"Purging {command[-1]}.\n")
        wait_until(lambda: self.read_lifetime() == "s-maxage=60")
        return purger

    def read_lifetime(self) -> str:
        """Return for how long the service says that a shared cache may hold a response."""
        return send(self.port, "GET", "/v1/claims?limit=1").headers["cache-control"].rpartition(", ")[2]

    def close(self) -> None:
        for purger in self.purgers:
            purger.close()


def send(port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def wait_until(is_true: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def cached(database_copies: DatabaseCopies) -> Iterator[CachedService]:
    url = database_copies.create_copy("starter")
    key = create_keys(url)[Role.admin.value]
    port, cache_port = find_free_port(), find_free_port()
    with ExitStack() as stack:
        service = forkserver.RunningProgram(["serve", "--port", str(port)], environment(url, **SETTINGS), ROOT)
        stack.callback(service.close)
        wait_for(port)
        varnish = stack.enter_context(running_varnish(str(VARNISH), port, cache_port))
        made = CachedService(url, port, cache_port, key, varnish.pid)
        stack.callback(made.close)
        yield made


def is_hit_later(cached: CachedService, path: str) -> bool:
    """Return whether Varnish still has a response after more than the second for which every cache may hold it."""
    cached.get(path)
    time.sleep(1.2)
    return cached.get(path).is_hit


def test_responses_stay_until_they_change(cached: CachedService) -> None:
    claim, other = "/v1/claims?limit=1", "/v1/topics/vovchansk-june-2024"
    assert not is_hit_later(cached, other), "no purger lives"
    purger = cached.start_purger()
    wait_until(lambda: is_hit_later(cached, other) and is_hit_later(cached, claim))
    hit = cached.get(other)
    assert hit.headers["cache-control"] == "public, max-age=0, s-maxage=1", "caches behind Varnish are not purged"
    assert not {"xkey", "surrogate-key", "x-own-key", "x-stored-at-seq"} & set(hit.headers)
    added = json.loads(cached.add_claim(77_001).body)["id"]
    assert cached.get(f"/v1/claims/{added}").status == 200
    path = "/v1/claims?sort=-recorded&limit=5"
    wait_until(lambda: added in cached.get(path).body.decode())
    assert cached.get(other).is_hit, "it has no key of the new claim"
    purger.terminate()
    purger.wait(WAIT_SECONDS)
    assert purger.returncode == 0
    assert not is_hit_later(cached, other), "no purger lives"
    wait_until(lambda: cached.read_lifetime() == "s-maxage=1")


def test_nobody_is_sent_something_older_than_what_they_have_seen(cached: CachedService) -> None:
    cached.start_purger()
    path = "/v1/claims?sort=-recorded&limit=20"
    for number in range(10):
        cached.get(path)
        made = cached.add_claim(78_000 + number)
        id_, seq = json.loads(made.body)["id"], made.headers["x-register-seq"]
        for _ in range(5):
            answer = cached.get(path, X_Register_Seq=seq)
            assert id_ in answer.body.decode()
            assert int(answer.headers["x-register-seq"]) >= int(seq)
            assert answer.headers["cache-control"] == "private, no-store"
    cached.get(path)
    wait_until(lambda: cached.get(path, X_Register_Seq=seq).is_hit)
    assert cached.get(path, X_Register_Seq="999999999").status == 503
    assert cached.get(path, X_Register_Seq="x").status == 422


@pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
def test_what_was_taken_down_is_not_in_the_cache_when_the_takedown_is_answered(
    cached: CachedService, state: str
) -> None:
    purger = cached.start_purger()
    id_ = json.loads(cached.add_claim(79_001).body)["id"]
    paths = [f"/v1/claims/{id_}", f"/claims/{id_}", "/v1/claims?sort=-recorded&limit=5", "/v1/claims.csv?limit=5"]
    wait_until(lambda: all(cached.get(path).status == 200 for path in paths) and is_hit_later(cached, paths[0]))
    assert all(cached.get(path).is_hit for path in paths)
    if state != "alive":
        purger.send_signal(signal.SIGSTOP if state == "frozen" else signal.SIGKILL)
    cached.write(f"/v1/claims/{id_}/takedown", {"reason": "A court order."})
    if state != "alive":
        time.sleep(1)  # for this long, a cache without a purger may hold a response
    for path in paths:
        answer = cached.get(path)
        assert "79001" not in answer.body.decode().replace(",", ""), path
    assert cached.get(paths[0]).status == 410
    purger.send_signal(signal.SIGCONT)
    assert cached.get(paths[0]).status == 410


def test_a_purger_purges_what_it_has_missed(cached: CachedService) -> None:
    purger = cached.start_purger()
    path = "/v1/claims?sort=-recorded&limit=5"
    wait_until(lambda: is_hit_later(cached, path))
    purger.send_signal(signal.SIGKILL)
    id_ = json.loads(cached.add_claim(80_001).body)["id"]
    purger.wait(WAIT_SECONDS)
    cached.start_purger()
    assert id_ in cached.get(path).body.decode()


def test_others_may_not_purge(cached: CachedService) -> None:
    """A proxy on this machine has an address that may purge, and names that of its client."""
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Purge-Seq": "1", "X-Purge-Keys": "register"}
    assert send(cached.cache_port, "PURGE", "/", None, headers).status == 405
    assert send(cached.cache_port, "PURGE", "/", None, {}).status == 200, "which asks for the state"
    error = run_refused("purge", "--to", f"http://127.0.0.1:{cached.port}", url=cached.url)
    assert "answers 501 to PURGE" in error


def test_a_restarted_cache_is_purged_again(cached: CachedService) -> None:
    """The state of the purger is lost with the cache. Until it is there again, responses are stored for a second."""
    cached.start_purger()
    path = "/v1/claims?limit=1"
    wait_until(lambda: is_hit_later(cached, path))
    for pid in process_tree(cached.varnish_pid):
        if pid != cached.varnish_pid:
            os.kill(pid, signal.SIGKILL)  # the supervisor starts the cache again

    def is_hit_again() -> bool:
        with suppress(OSError, HTTPException):
            return is_hit_later(cached, path)
        return False

    wait_until(is_hit_again)
    id_ = json.loads(cached.add_claim(81_001).body)["id"]
    wait_until(lambda: id_ in cached.get("/v1/claims?sort=-recorded&limit=5").body.decode())
