"""A client that reads the change log from 0 has an exact copy of the register, even during concurrent writes."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from threading import Event, Lock
from typing import Any

import pytest

from tests.examples import make_citation_body, make_claim_body, make_figure_body, make_source_body
from tests.history.follower import ChangeFollower, ChangeStream, read_records
from tests.history.servers import HttpReply, RaceThreads, ServerGroup, run_servers
from tests.registers import DatabaseCopies

WRITERS = 8
WRITES = 20
"""Attempts of each writer; about a third is refused or rolled back."""


@dataclass
class Desk:
    """The records that the writers share: claims, assessments and relations."""

    fleet: ServerGroup
    lock: Lock = field(default_factory=Lock)
    claims: list[str] = field(default_factory=list)
    withdrawable: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    """Addresses of documents whose transaction was rolled back."""
    outcomes: Counter[int] = field(default_factory=Counter)

    def note(self, reply: HttpReply, found: list[str] | None = None, what: str = "") -> None:
        with self.lock:
            self.outcomes[reply.status] += 1
            if found is not None and reply.status == 201:
                found.append(what + reply.json()["id"])


class Writer:
    """A thread that sends random writes."""

    def __init__(self, desk: Desk, number: int) -> None:
        self.desk = desk
        self.number = number
        self.random = Random(number)  # noqa: S311 - random test data
        self.acts = [
            self.create,
            self.create,
            self.cite,
            self.revise,
            self.recite,
            self.retract,
            self.reinstate,
            self.assess,
            self.relate,
            self.withdraw,
            self.rename,
            self.fail,
            self.roll_back,
        ]

    def run(self) -> None:
        for turn in range(WRITES):
            act = self.create if turn < 2 else self.random.choice(self.acts)
            act()
            if self.number == 0 and turn == WRITES // 2:
                self.write("POST", f"{self.any()}/takedown", {"reason": "An order."})

    def write(self, method: str, path: str, body: Any, match: str | None = None) -> HttpReply:
        headers = {"If-Match": match} if match else None
        reply = self.desk.fleet.write(method, path, body, self.number, headers)
        assert reply.status < 500, reply.body
        return reply

    def any(self) -> str:
        with self.desk.lock:
            return f"/v1/claims/{self.random.choice(self.desk.claims)}"

    def tag(self, address: str) -> str:
        """Return the current revision, which another writer may change."""
        reply = self.desk.fleet.servers[self.number % 2].request("GET", address)
        return reply.headers.get("etag", '"1"')

    def number_between(self, first: int, last: int) -> int:
        return self.random.randint(first, last)

    def create(self) -> None:
        value = self.number_between(1, 400)
        page = f"https://example.org/{self.number_between(1, 40)}"
        body = make_claim_body(
            figure=make_figure_body(str(value), value=value), citations=[make_citation_body(page, quote=f"“{value}”")]
        )
        if self.random.random() < 0.3:
            body["confidence"] = {"level": "low", "rationale": "At first sight."}
        self.desk.note(self.write("POST", "/v1/claims", body), self.desk.claims)

    def cite(self) -> None:
        page = f"https://example.org/{self.number_between(1, 80)}"
        self.desk.note(self.write("POST", f"{self.any()}/citations", make_citation_body(page, via=["agency"])))

    def revise(self) -> None:
        address = self.any()
        value = self.number_between(1, 400)
        self.change(address, {"figure": make_figure_body(str(value), value=value), "note": f"Now {value}."})

    def recite(self) -> None:
        pages = [f"https://example.net/{self.number_between(1, 40)}" for _ in range(self.number_between(1, 3))]
        self.change(self.any(), {"citations": [make_citation_body(page) for page in pages]})

    def change(self, address: str, changes: dict[str, Any]) -> HttpReply:
        body = {"event": "transcription_fix", "reason": "A slip.", "changes": changes}
        reply = self.write("PATCH", address, body, self.tag(address))
        self.desk.note(reply)
        return reply

    def retract(self) -> None:
        address = self.any()
        body = {"retracted_on": "2025-07-01", "reason": "Taken back."}
        self.desk.note(self.write("POST", f"{address}/retraction", body, self.tag(address)))

    def reinstate(self) -> None:
        address = self.any()
        self.desk.note(self.write("POST", f"{address}/reinstatement", {"reason": "After all."}, self.tag(address)))

    def assess(self) -> None:
        body = {"level": self.random.choice(["high", "moderate", "low"]), "rationale": "Looked at."}
        reply = self.write("POST", f"{self.any()}/assessments", body)
        self.desk.note(reply, self.desk.withdrawable, "/v1/assessments/")

    def relate(self) -> None:
        body = {"type": "repeats", "claim": self.any().removeprefix("/v1/claims/")}
        reply = self.write("POST", f"{self.any()}/relations", body)
        self.desk.note(reply, self.desk.withdrawable, "/v1/relations/")

    def withdraw(self) -> None:
        with self.desk.lock:
            made = list(self.desk.withdrawable)
        if made:
            address = self.random.choice(made)
            self.desk.note(self.write("POST", f"{address}/withdrawal", {"reason": "Not so."}))

    def rename(self) -> None:
        slug = self.random.choice(["institute", "agency", "paper", f"new-{self.number_between(1, 9)}"])
        self.desk.note(
            self.write("PUT", f"/v1/sources/{slug}", make_source_body(f"Called {self.number_between(1, 9)}"))
        )

    def fail(self) -> None:
        wrong = make_claim_body(
            source="nobody", citations=[make_citation_body(f"https://example.org/never-{self.number}")]
        )
        self.desk.note(self.write("POST", "/v1/claims", wrong))

    def roll_back(self) -> None:
        """A correction that first records documents, and is then refused as a duplicate."""
        address, other = self.any(), self.any()
        stands = self.desk.fleet.servers[0].request("GET", other).json()
        if stands.get("status") in ("asserted", "retracted"):
            page = f"https://example.org/undone-{self.number}-{self.number_between(1, 10**9)}"
            printed = {"as_printed": "the same", "value": stands["figure"]["value"]}
            reply = self.change(address, {"figure": printed, "citations": [make_citation_body(page)]})
            if reply.status == 409:
                self.desk.undone.append(page)


@pytest.fixture
def fleet(database_copies: DatabaseCopies) -> Iterator[ServerGroup]:
    with run_servers(database_copies, 2) as fleet:
        yield fleet


def by_pages(fleet: ServerGroup, finished: Event) -> ChangeFollower:
    follower = ChangeFollower()
    while True:
        last_look = finished.is_set()
        page = fleet.get(f"/v1/changes?after={follower.seq}&limit=7")["data"]
        fleet.close_connection()
        for change in page:
            follower.apply(change)
        if last_look and not page:
            return follower
        time.sleep(0 if page else 0.05)


def by_stream(fleet: ServerGroup, finished: Event, last: list[int]) -> tuple[ChangeFollower, int]:
    """Follow the stream of alternating servers, reconnecting after a few changes."""
    follower, connections = ChangeFollower(), 0
    while not (finished.is_set() and follower.seq >= last[0]):
        with closing(ChangeStream(fleet.servers[connections % 2].port, follower.seq)) as stream:
            connections += 1
            for _ in range(25):
                follower.apply(stream.read_change())
                if finished.is_set() and follower.seq >= last[0]:
                    break
    return follower, connections


def test_a_follower_holds_exactly_the_register(fleet: ServerGroup) -> None:
    desk = Desk(fleet)
    finished, last = Event(), [0]
    writers = RaceThreads(WRITERS)
    with ThreadPoolExecutor(2) as followers:
        paging = followers.submit(by_pages, fleet, finished)
        streaming = followers.submit(by_stream, fleet, finished, last)
        try:
            writers.race(lambda number: Writer(desk, number).run())
            writers.close(fleet)
            last[0] = fleet.get("/health/ready")["seq"] + 1
        finally:
            finished.set()
        # One more change, so that a stream that is waiting receives one after the end is known.
        assert fleet.write("PUT", "/v1/sources/last", make_source_body("The last")).status == 201
        paged = paging.result(timeout=120)
        streamed, connections = streaming.result(timeout=120)
    if paged.seq < last[0]:
        for change in fleet.get(f"/v1/changes?after={paged.seq}")["data"]:
            paged.apply(change)
    print(f"\n{last[0]} changes, answers {dict(desk.outcomes)}, {connections} connections to the stream")  # noqa: T201 - shown with -s
    for follower in (paged, streamed):
        assert follower.seqs == list(range(1, last[0] + 1))
        assert follower.times == sorted(follower.times)
        assert follower.records == read_records(fleet, follower.records)
    assert {201, 200, 409, 422} <= desk.outcomes.keys()
    assert desk.undone
    assert not {data["url"] for (kind, _), data in paged.records.items() if kind == "document"} & set(desk.undone)
    # A client that starts after the takedown never receives the erased content, and has the same copy.
    late = ChangeFollower()
    log = fleet.read_all_changes()
    for change in log:
        late.apply(change)
    assert late.records == paged.records
    (removal,) = [change for change in log if (change["kind"], change["action"]) == ("claim", "takedown")]
    assert [change["data"] for change in log if change["id"] == removal["id"]].count(None) >= 2
