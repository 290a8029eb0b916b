"""Cached responses equal uncached ones, and are compressed if the client accepts it."""

import gzip
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import brotli  # type: ignore[import-untyped] # it has no types
import pytest
import zstandard
from sqlalchemy.exc import OperationalError

from app.cache.invalidation import POLL_INTERVAL_SECONDS
from app.database.engine import Database
from app.http.compression import MIN_COMPRESSIBLE_BYTES, choose_encoding
from app.main import create_app
from app.settings import Settings
from tests.client import ApplicationClient
from tests.examples import (
    make_claim_body,
    make_figure_body,
    make_source_body,
    make_topic_body,
    make_unique_claim_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

UNPACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
PLAIN = {"Accept-Encoding": "identity"}
STEPS = int(os.environ.get("TEST_STEPS", "20"))
"""Number of random writes after which responses are compared."""


@pytest.fixture
def plain(register: Register) -> Iterator[ApplicationClient]:
    """A process of the same service without a response cache."""
    settings = Settings.model_validate(register.settings.model_dump(by_alias=True) | {"memory_bytes": 0})
    app = create_app(settings)
    with ApplicationClient(app) as client:
        yield client


@pytest.fixture
def other(register: Register) -> Iterator[ApplicationClient]:
    """Another process of the same service with its own response cache."""
    app = create_app(register.settings)
    with ApplicationClient(app) as client:
        yield client


@pytest.fixture
def other_worker(register: Register) -> Iterator[ApplicationClient]:
    """Another process of the same service that serves clients: on PostgreSQL it holds a lease."""
    with ApplicationClient(create_app(register.settings, is_worker=True)) as client:
        yield client


def raw(client: Any, path: str, **headers: str) -> tuple[Any, bytes]:
    """Return the response and its bytes as sent."""
    with client.stream("GET", path, headers=headers) as answer:
        return answer, b"".join(answer.iter_raw())


def stats(register: Register) -> tuple[int, int]:
    memory = register.client.app.state.invalidator.response_cache  # type: ignore[attr-defined] # a Starlette
    return memory.hits, memory.misses


def test_the_same_again_comes_from_memory(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    first = register.get("/v1/claims?category=killed")
    hits, misses = stats(register)
    again = register.get("/v1/claims?category=killed")
    assert stats(register) == (hits + 1, misses)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    head = register.client.head("/v1/claims?category=killed")
    assert (head.content, head.headers["content-length"]) == (b"", first.headers["content-length"])
    held = register.get("/v1/claims?category=killed", headers={"If-None-Match": first.headers["etag"]})
    assert (held.status_code, held.content) == (304, b"")
    assert stats(register) == (hits + 3, misses)
    metrics = {
        line.partition("{")[0].partition(" ")[0]: float(line.rpartition(" ")[2])
        for line in register.get("/metrics").text.splitlines()
        if line.startswith("counterclaim_response_cache_")
    }
    assert metrics["counterclaim_response_cache_hits_total"] == hits + 3
    assert metrics["counterclaim_response_cache_not_modified_total"] >= 1


def test_a_new_claim_takes_only_its_like_out_of_memory(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    for path in ("/v1/claims?category=killed", "/v1/claims?category=wounded", "/v1/claims"):
        register.get(path)
    submit_claim(register, make_unique_claim_body())
    hits, misses = stats(register)
    assert register.get("/v1/claims?category=wounded").json()["data"] == []
    assert stats(register) == (hits + 1, misses)
    assert len(register.get("/v1/claims?category=killed").json()["data"]) == 2
    assert len(register.get("/v1/claims").json()["data"]) == 2
    assert stats(register) == (hits + 1, misses + 2)


def test_who_has_seen_a_state_is_not_answered_from_before_it(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    old = register.get("/v1/claims?category=wounded").json()["meta"]["seq"]
    made = register.write("POST", "/v1/claims", make_unique_claim_body())
    seen = made.headers["x-register-seq"]
    now = register.get("/v1/claims?category=wounded", headers={"X-Register-Seq": seen})
    assert old < now.json()["meta"]["seq"] == int(seen)


def without_seq(value: Any) -> Any:
    """Return the body without `seq`, because an unchanged list may state an earlier one."""
    match value:
        case dict():
            return {name: without_seq(each) for name, each in value.items() if name not in {"meta", "seq"}}
        case list():
            return [without_seq(each) for each in value]
    return value


READS = [
    "/v1/claims",
    "/v1/claims?category=killed",
    "/v1/claims?category=killed&narrower=true",
    "/v1/claims?category=wounded&source=institute",
    "/v1/claims?source_kind=government",
    "/v1/claims?subject=army&place=war&confidence=unassessed",
    "/v1/claims?confidence=low",
    "/v1/claims?confidence=high&kind=plain",
    "/v1/claims?kind=range&kind=approximate",
    "/v1/claims?modality=count&aggregation=cumulative",
    "/v1/claims?q=corrected",
    "/v1/claims?status=removed",
    "/v1/claims?topic=dead",
    "/v1/claims?superseded=true",
    "/v1/claims?superseded=false&category=killed",
    "/v1/claims?known_on=2025-06-20",
    "/v1/claims.csv?known_on=2025-06-20T12:00:00Z",
    "/v1/topics/dead?known_on=2025-06-20",
    "/v1/claims.csv?source=ministry",
    "/v1/claims.ndjson?category=killed",
    "/v1/topics",
    "/v1/topics/dead",
    "/v1/topics/dead/claims",
    "/v1/topics/dead/timeline",
    "/v1/topics/dead/side-by-side",
    "/v1/side-by-side?category=killed&subject=army&place=war",
    "/v1/sources",
    "/v1/sources/institute",
    "/v1/documents",
    "/v1/changes",
    "/v1/feed.json",
]
OF_A_CLAIM = ["", "/revisions", "/relations", "/assessments", "/citation", "/figure.txt"]


class Writes:
    """Random writes of all kinds."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.claims: list[str] = []
        self.relations: list[str] = []

    def next(self, client: Any, keys: dict[str, str]) -> Any:
        """Send a random write."""
        acts = [self.claim, self.claim, self.source, self.topic]
        if self.claims:
            acts += [self.citation, self.assessment, self.repair, self.retraction, self.relation, self.takedown]
            acts += [self.supersession] * 4 + [self.redating] + [self.withdrawal] * bool(self.relations)
        method, path, body, headers = self.dice.choice(acts)()
        answer = client.request(method, path, json=body, headers=keys | headers)
        is_refused_relation = path.endswith("/relations") and answer.status_code == 422
        assert answer.status_code in (200, 201, 404, 409, 410, 412) or is_refused_relation, answer.text
        if path.endswith("/relations") and answer.status_code == 201:
            self.relations.append(answer.json()["id"])
        if path == "/v1/claims" and answer.status_code == 201:
            self.claims.append(answer.json()["id"])
        return answer

    def claim(self) -> tuple[str, str, Any, dict[str, str]]:
        pick = self.dice.choice
        body = make_unique_claim_body(
            category=pick(["killed", "wounded", "killed-named"]),
            source=pick(["ministry", "minister", "institute"]),
            modality=pick(["estimate", "count"]),
            period={"edtf": f"2022-02-24/2025-06-{pick([10, 11, 29])}", "aggregation": "cumulative"},
        )
        return "POST", "/v1/claims", body, {}

    def source(self) -> tuple[str, str, Any, dict[str, str]]:
        return "PUT", "/v1/sources/institute", make_source_body(f"The institute {self.dice.randint(1, 9)}"), {}

    def topic(self) -> tuple[str, str, Any, dict[str, str]]:
        return (
            "PUT",
            "/v1/topics/dead",
            make_topic_body(category="killed", title=f"How many? {self.dice.randint(1, 9)}"),
            {},
        )

    def _one(self, path: str, body: Any, method: str = "POST") -> tuple[str, str, Any, dict[str, str]]:
        return method, f"/v1/claims/{self.dice.choice(self.claims)}{path}", body, {"If-Match": "*"}

    def citation(self) -> tuple[str, str, Any, dict[str, str]]:
        document = {"title": "More", "url": f"https://example.org/{self.dice.randint(1, 999)}"}
        return self._one("/citations", {"document": document})

    def assessment(self) -> tuple[str, str, Any, dict[str, str]]:
        level = self.dice.choice(["low", "high"])
        return self._one("/assessments", {"level": level, "rationale": "Seen.", "assessed_on": "2025-07-01"})

    def repair(self) -> tuple[str, str, Any, dict[str, str]]:
        number = self.dice.randint(30_000, 10**9)
        changes = {"figure": make_figure_body(str(number), value=number), "note": "It was corrected."}
        return self._one("", {"event": "transcription_fix", "reason": "A slip.", "changes": changes}, "PATCH")

    def retraction(self) -> tuple[str, str, Any, dict[str, str]]:
        return self._one("/retraction", {"reason": "Taken back.", "retracted_on": "2025-07-01"})

    def relation(self) -> tuple[str, str, Any, dict[str, str]]:
        return self._one("/relations", {"type": "based_on", "source": "agency"})

    def supersession(self) -> tuple[str, str, Any, dict[str, str]]:
        """Most of these are refused, because the claims differ or the claim is the same."""
        return self._one("/relations", {"type": "supersedes", "claim": self.dice.choice(self.claims)})

    def withdrawal(self) -> tuple[str, str, Any, dict[str, str]]:
        return "POST", f"/v1/relations/{self.dice.choice(self.relations)}/withdrawal", {"reason": "An error."}, {}

    def redating(self) -> tuple[str, str, Any, dict[str, str]]:
        changes = {"date": f"2025-06-{self.dice.randint(10, 29)}"}
        return self._one("", {"event": "transcription_fix", "reason": "A slip.", "changes": changes}, "PATCH")

    def takedown(self) -> tuple[str, str, Any, dict[str, str]]:
        return self._one("/takedown", {"reason": "A court order."})


@pytest.mark.parametrize("seed", [1])
def test_memory_answers_as_if_there_were_none(
    register: Register, other: ApplicationClient, plain: ApplicationClient, seed: int
) -> None:
    """After each write, two processes with a cache and one without return the same responses."""
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed")).status_code == 201
    dice = random.Random(seed)  # noqa: S311 - random test data
    writes = Writes(dice)
    for _ in range(STEPS):
        answer = writes.next(dice.choice([register.client, other, plain]), register.keys["admin"])
        seen = {"X-Register-Seq": answer.headers["x-register-seq"]}
        paths = dice.sample(READS, 5) + [f"/v1/claims/{id_}{dice.choice(OF_A_CLAIM)}" for id_ in writes.claims[-2:]]
        for path in paths:
            wanted = plain.get(path, headers=seen)
            for client in (register.client, other):
                got = client.get(path, headers=seen)
                again = client.get(path)
                assert got.status_code == again.status_code == wanted.status_code, path
                if wanted.headers["content-type"].endswith(("/json", "+json")) and wanted.status_code == 200:
                    assert without_seq(got.json()) == without_seq(wanted.json()), path
                    assert without_seq(again.json()) == without_seq(wanted.json()), path
                elif wanted.status_code == 200:
                    assert got.text == again.text == wanted.text, path
    assert stats(register)[0] > 20


def test_a_superseded_claim_is_never_served_without_its_successor(register: Register, other: ApplicationClient) -> None:
    """The response cache and the cache of rows follow the relation and the superseding claim."""
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/dead", make_topic_body(category="killed")).status_code == 201
    old = submit_claim(register, make_claim_body())
    new = submit_claim(register, make_unique_claim_body(date="2025-06-13"))

    def successors() -> set[tuple[str | None, str | None]]:
        found = set()
        for client in (register.client, other):
            for _ in range(2):
                # A page that was not read before takes its rows from the cache of rows.
                pages = [f"/v1/claims?limit=9&v={next(numbers)}", "/v1/topics/dead/claims", "/v1/topics/dead/timeline"]
                rows = [row for page in pages for row in client.get(page).json()["data"]]
                rows += [client.get(f"/v1/claims/{old['id']}").json()]
                found |= {(row["superseded_by"], row["superseded_on"]) for row in rows if row["id"] == old["id"]}
                text = client.get(f"/v1/claims/{old['id']}/figure.txt").text
                assert text.endswith("(superseded)") == (found != {(None, None)})
        return found

    def write(path: str, body: Any, method: str = "POST") -> Any:
        answer = register.write(method, path, body, **{"If-Match": "*"})
        assert answer.status_code in (200, 201), answer.text
        time.sleep(POLL_INTERVAL_SECONDS)
        return answer.json()

    numbers = iter(range(1_000))
    assert successors() == {(None, None)}
    relation = write(f"/v1/claims/{new['id']}/relations", {"type": "supersedes", "claim": old["id"]})
    assert successors() == {(new["id"], "2025-06-13")}
    change = {"event": "transcription_fix", "reason": "A slip.", "changes": {"date": "2025-06-14"}}
    write(f"/v1/claims/{new['id']}", change, "PATCH")
    assert successors() == {(new["id"], "2025-06-14")}
    write(f"/v1/relations/{relation['id']}/withdrawal", {"reason": "An error."})
    assert successors() == {(None, None)}
    write(f"/v1/claims/{new['id']}/relations", {"type": "supersedes", "claim": old["id"]})
    assert successors() == {(new["id"], "2025-06-14")}
    write(f"/v1/claims/{new['id']}/takedown", {"reason": "A court order."})
    assert successors() == {(new["id"], None)}


def test_what_was_taken_down_is_nowhere_when_the_takedown_is_answered(
    register: Register, other_worker: ApplicationClient
) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_claim_body(note="Oryctolagus cuniculus."))
    paths = ["/v1/claims", "/v1/claims.csv", f"/v1/claims/{made['id']}/revisions", "/v1/claims?q=oryctolagus"]
    for _ in range(2):
        for path in paths:
            assert "Oryctolagus" in other_worker.get(path).text
    answer = register.write("POST", f"/v1/claims/{made['id']}/takedown", {"reason": "A court order."})
    assert answer.status_code == 200
    for path in paths:
        assert "Oryctolagus" not in other_worker.get(path).text, path
        assert "Oryctolagus" not in register.get(path).text, path


def test_a_past_state_stays_in_memory_while_others_are_recorded(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    path = f"/v1/claims?recorded_as_of=seq:{register.get('/health/ready').json()['seq']}&category=killed"
    first = register.get(path)
    submit_claim(register, make_unique_claim_body(category="wounded"))
    hits, misses = stats(register)
    assert register.get(path).content == first.content
    assert stats(register) == (hits + 1, misses)


def test_a_database_that_fails_is_not_papered_over(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    assert register.get("/v1/claims").status_code == 200

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    watch = register.client.app.state.invalidator  # type: ignore[attr-defined] # a Starlette
    monkeypatch.setattr(watch, "poll", away)
    monkeypatch.setattr(watch, "is_fresh", lambda: False)
    hits, _ = stats(register)
    assert register.get("/v1/claims").status_code == 200, "the database answers, only memory is not asked"
    monkeypatch.setattr(register.database.read_engine, "connect", away)
    assert register.get("/v1/claims").status_code == 503
    assert stats(register)[0] == hits


def test_another_day_is_another_answer(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    register.get("/v1/claims")
    tomorrow = time.time() + 86_400
    monkeypatch.setattr("app.cache.invalidation.time.time", lambda: tomorrow)
    monkeypatch.setattr("app.cache.invalidation.POLL_INTERVAL_SECONDS", 0.05)
    time.sleep(0.06)
    hits, misses = stats(register)
    register.get("/v1/claims")
    assert stats(register) == (hits, misses + 1), "ages are counted to the day"


def test_a_register_that_went_back_is_another_one(register: Register, make_database: Callable[[str], str]) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body())
    register.get("/v1/claims")
    url = make_database("empty")
    register.client.app.use_database(Database(Settings(DATABASE_URL=url)))  # type: ignore[attr-defined, call-arg] # an alias
    assert register.get("/v1/claims").json()["data"] == []
    register.database.close()


@pytest.mark.parametrize("path", ["/v1/claims?limit=20", "/openapi.json", "/v1/claims.csv", "/v1/vocabulary"])
@pytest.mark.parametrize("encoding", UNPACKED)
def test_every_encoding_says_the_same(shared_starter_register: Register, path: str, encoding: str) -> None:
    answer, body = raw(shared_starter_register.client, path, **PLAIN)
    assert "content-encoding" not in answer.headers
    for _ in range(2):  # uncached and cached
        packed, less = raw(shared_starter_register.client, path, **{"Accept-Encoding": f"{encoding}, identity;q=0.5"})
        assert packed.headers["content-encoding"] == encoding
        assert UNPACKED[encoding](less) == body
        assert len(less) < len(body)
        assert "Accept-Encoding" in packed.headers["vary"]
        assert packed.headers["etag"] not in ("", answer.headers["etag"]), "other bytes have another strong ETag"
        if "content-length" in packed.headers:
            assert int(packed.headers["content-length"]) == len(less)
        held = {"Accept-Encoding": encoding, "If-None-Match": packed.headers["etag"]}
        assert raw(shared_starter_register.client, path, **held)[0].status_code == 304
    assert (
        raw(shared_starter_register.client, path, **PLAIN, **{"If-None-Match": answer.headers["etag"]})[0].status_code
        == 304
    )


def test_a_tiny_answer_is_sent_as_it_is(shared_starter_register: Register) -> None:
    answer, body = raw(shared_starter_register.client, "/health/live", **{"Accept-Encoding": "gzip"})
    assert len(body) < MIN_COMPRESSIBLE_BYTES
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *;q=0.1", "br"),
        ("identity", None),
        ("deflate", None),
        ("gzip;q=none", None),
        ("", None),
    ],
)
def test_the_client_chooses_the_encoding(accepted: str, encoding: str | None) -> None:
    assert choose_encoding(accepted) == encoding


def test_a_cache_in_front_can_forget_by_name(shared_starter_register: Register) -> None:
    first = shared_starter_register.get("/v1/claims?limit=1").json()["data"][0]["id"]
    for path, key in (
        (f"/v1/claims/{first}", f"claim-{first}"),
        ("/v1/topics/russian-casualties/side-by-side", "topic-russian-casualties"),
        ("/v1/topics/russian-casualties", "topic-russian-casualties"),
        ("/v1/claims", "claims"),
        ("/v1/sources/csis", "source-csis"),
    ):
        answer = shared_starter_register.get(path)
        assert key in answer.headers["surrogate-key"].split()
        assert answer.headers["cache-control"] == "public, max-age=0, s-maxage=1"


def test_a_slow_poll_leaves_the_event_loop(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite is polled in the event loop, but not after a poll that took long: other requests would wait for it."""
    if register.database.dialect == "postgresql":
        pytest.skip("it is always polled in a thread")
    invalidator = register.client.app.state.invalidator  # type: ignore[attr-defined] # a Starlette
    poll, seconds = invalidator._timed_poll, [0.0, 9.0, 9.0, 0.0, 0.0]
    threads: list[int] = []

    def poll_slowly() -> Any:
        threads.append(threading.get_ident())
        return poll()[0], seconds[len(threads) - 1]

    assert register.get("/v1/topics").status_code == 200
    monkeypatch.setattr(invalidator, "_timed_poll", poll_slowly)
    while len(threads) < len(seconds):
        assert register.get("/v1/topics").status_code == 200
    loop = threads[0]
    assert [thread == loop for thread in threads] == [True, True, False, False, True]
