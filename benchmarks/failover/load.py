"""Clients that read and write all the time through two services, and what they have seen."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from benchmarks.operate.probers import BareServer
from benchmarks.operate.service import Answer, Service

BARE = "bare"
"""A server that does nothing, beside each service: what it takes is the machine's."""

READ_PATHS = {
    "uncached read": "/v1/claims?limit=5&value_max={number}",
    "cached read": "/v1/topics?limit=5",
    "liveness": "/health/live",
    BARE: "/",
}
"""What is read; a number makes the answer one that is in no cache."""

READERS = {"uncached read": 3, "cached read": 1, "liveness": 1, BARE: 1}
"""Clients of each kind, for each service."""

WRITERS = 3
"""Clients that write, for each service."""

READ_PAUSE_SECONDS = 0.03
WRITE_PAUSE_SECONDS = 0.05
RETRY_SECONDS = 0.1
_numbers = itertools.count(10**9)


@dataclass
class Client:
    """What one client has sent, and the answers."""

    service: str
    kind: str
    answers: list[Answer] = field(default_factory=list)

    def longest_gap(self, since: float) -> float:
        """Return the longest time from one successful answer to the next, in seconds."""
        return longest_gap((each.began + each.seconds for each in self.answers if each.is_success), since)[0]


def longest_gap(times: Iterator[float], since: float) -> tuple[float, float]:
    """Return the longest time between two of `times` that ends after `since`, and its end; both in seconds."""
    found = (0.0, since)
    for before, after in itertools.pairwise(sorted(times)):
        if after >= since:
            found = max(found, (after - before, after))
    return found


class Load:
    """Readers and writers of some services."""

    def __init__(self, services: Sequence[Service], names: Sequence[str], *, writes: bool = True) -> None:
        """Send requests to `services`."""
        self.clients: list[Client] = []
        self.acknowledged: dict[str, str] = {}
        """The id of the document of each acknowledged title."""
        self.changed: set[str] = set()
        """Titles whose repeated write was answered with another document."""
        self._stop = threading.Event()
        self._bare = BareServer()
        self._threads: list[threading.Thread] = []
        for service, name in zip(services, names, strict=True):
            for kind, count in READERS.items():
                for _ in range(count):
                    self._add(name, kind, self._read, service)
            for _ in range(WRITERS if writes else 0):
                self._add(name, "write", self._write, service)

    def _add(self, name: str, kind: str, run: "object", service: Service) -> None:
        client = Client(name, kind)
        self.clients.append(client)
        self._threads.append(threading.Thread(target=run, args=(client, service), daemon=True))  # type: ignore[arg-type]

    def _read(self, client: Client, service: Service) -> None:
        if client.kind == BARE:
            service = Service("", service.folder, port=self._bare.port)
        while not self._stop.wait(READ_PAUSE_SECONDS):
            path = READ_PATHS[client.kind].format(number=next(_numbers))
            client.answers.append(service.request("GET", path))

    def _write(self, client: Client, service: Service) -> None:
        """Write documents, each until it is acknowledged, with one Idempotency-Key."""
        while not self._stop.wait(WRITE_PAUSE_SECONDS):
            title = f"failover {uuid4().hex}"
            while True:
                answer = service.request("POST", "/v1/documents", {"title": title}, headers={"Idempotency-Key": title})
                client.answers.append(answer)
                if answer.is_success:
                    self.acknowledged[title] = answer.body["id"]
                    break
                if self._stop.wait(RETRY_SECONDS):
                    return

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests for the time of the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
            self._bare.stop()

    def acknowledged_since(self, began: float) -> int:
        """Return how many writes that were sent after `began` are acknowledged."""
        return sum(
            each.is_success and each.began > began
            for client in self.clients
            if client.kind == "write"
            for each in list(client.answers)
        )

    def write_gap(self, since: float) -> tuple[float, float]:
        """Return the longest time without an acknowledged write, and after how long since `since` it has ended."""
        times = (
            each.began + each.seconds
            for client in self.clients
            if client.kind == "write"
            for each in client.answers
            if each.is_success
        )
        gap, end = longest_gap(times, since)
        return gap, end - since

    def read_gap(self, service: str, kind: str, since: float) -> float:
        """Return the longest time that one client of a kind waited for a successful answer, in seconds."""
        return max(each.longest_gap(since) for each in self.clients if (each.service, each.kind) == (service, kind))

    def failures(self, *, of_writes: bool) -> dict[str, int]:
        """Return the answers that were no success, with their numbers."""
        answers = (
            each
            for client in self.clients
            if client.kind != BARE and (client.kind == "write") == of_writes
            for each in client.answers
            if not each.is_success
        )
        return dict(Counter(each.label for each in answers).most_common())


def wait_for_writes(load: Load, since: float, count: int, seconds: float) -> None:
    """Wait until `count` writes that were sent after `since` are acknowledged, but no longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while load.acknowledged_since(since) < count and time.monotonic() < deadline:
        time.sleep(0.1)
