"""Clients that ask the service all the time while something fails, and note every answer."""

import itertools
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from uuid import uuid4

from benchmarks.system import find_free_port
from benchmarks.operate.service import Answer, Service

PAUSE_SECONDS = 0.25
BACKGROUND_READERS = 12
BACKGROUND_PAUSE_SECONDS = 1.5
"""How many more clients read: enough to use up the pool of connections while the database stands still."""

HOT_PATH = "/v1/topics"
BARE = "bare"
"""A server that does nothing, on the same machine: what it takes is the machine's."""

KINDS = ("live", "metrics", "ready", "hot read", "cold read", "write")
_numbers = itertools.count(int(time.time()) % 100_000 * 1_000)


def ask(service: Service, kind: str) -> Answer:
    """Send a request of a kind."""
    match kind:
        case "live":
            return service.request("GET", "/health/live")
        case "metrics":
            return service.request("GET", "/metrics")
        case "ready":
            return service.request("GET", "/health/ready")
        case "hot read":
            return service.request("GET", HOT_PATH)
        case "cold read":
            return service.request("GET", f"/v1/claims?limit=5&value_max={next(_numbers) + 10**9}")
        case _:
            return service.request("POST", "/v1/documents", {"title": f"probe {uuid4().hex}"})


@dataclass
class Observations:
    """The answers of each kind of request."""

    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))

    def labels(self, kind: str) -> Counter[str]:
        """Return the number of answers of each status and reason."""
        return Counter(answer.label for answer in self.answers[kind])

    def slowest(self, kind: str) -> float:
        """Return the longest time in seconds."""
        return max((answer.seconds for answer in self.answers[kind]), default=0.0)

    def percentile(self, kind: str, share: float) -> float:
        """Return the time within which this share of the answers came."""
        times = sorted(answer.seconds for answer in self.answers[kind])
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0


@dataclass
class Ledger:
    """What was written, with the answers: what was acknowledged must be there, once; what was refused must not."""

    service: Service
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)

    def write(self, title: str) -> Answer:
        """Record a document with an idempotency key of the same name."""
        answer = self.service.request("POST", "/v1/documents", {"title": title}, headers={"Idempotency-Key": title})
        for titles in (self.acknowledged, self.refused, self.unknown):
            titles.discard(title)
        if answer.is_success:
            self.acknowledged.add(title)
        elif answer.status in {0, 409, 500} or "outcome_unknown" in answer.reason:
            self.unknown.add(title)
        else:
            self.refused.add(title)
        return answer

    def settle(self) -> None:
        """Repeat the writes whose outcome is not known, with the same keys."""
        for _ in range(5):
            for title in sorted(self.unknown):
                self.write(title)
            if not self.unknown:
                return
            time.sleep(0.5)

    def faults(self) -> dict[str, int]:
        """Return how many writes were lost, recorded twice, or recorded although they were refused."""
        found: Counter[str] = Counter()
        path: str | None = "/v1/documents?limit=1000"
        while path:
            answer = self.service.request("GET", path)
            if not answer.is_success:
                raise RuntimeError(f"the documents cannot be read: {answer.label}")
            found.update(each["title"] for each in answer.body["data"])
            following = answer.body["links"]["next"]
            path = following and following[following.index("/v1/") :]
        return {
            "lost": sum(found[title] == 0 for title in self.acknowledged),
            "twice": sum(found[title] > 1 for title in self.acknowledged),
            "recorded although refused": sum(found[title] > 0 for title in self.refused),
            "still unknown": len(self.unknown),
        }


class BareServer:
    """A server in a process of its own that answers every request with nothing."""

    PROGRAM = """
import asyncio, sys
async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}")
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""

    def __init__(self) -> None:
        self.port = find_free_port()
        self._process = subprocess.Popen([sys.executable, "-c", self.PROGRAM, str(self.port)])  # noqa: S603

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()


class Probers:
    """Threads that send requests of all kinds until they are stopped."""

    def __init__(self, service: Service, ledger: Ledger) -> None:
        self._service = service
        self._ledger = ledger
        self._stop = threading.Event()
        self._observed = Observations()
        self._lock = threading.Lock()
        self._bare_server = BareServer()
        self._bare = replace(service, port=self._bare_server.port)
        self._threads = [threading.Thread(target=self._ask, args=(kind,), daemon=True) for kind in (*KINDS, BARE)]
        more = ["cold read"] * BACKGROUND_READERS + ["write"] * 2
        self._threads += [
            threading.Thread(target=self._ask, args=(kind, BACKGROUND_PAUSE_SECONDS), daemon=True) for kind in more
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def _ask(self, kind: str, pause: float = PAUSE_SECONDS) -> None:
        self._stop.wait(random.uniform(0, pause))  # noqa: S311 - so that they do not ask at the same moments
        while not self._stop.is_set():
            began = time.monotonic()
            if kind == BARE:
                answer = ask(self._bare, "live")
            elif kind == "write":
                answer = self._ledger.write(uuid4().hex)
            else:
                answer = ask(self._service, kind)
            with self._lock:
                self._observed.answers[kind].append(answer)
            self._stop.wait(max(0.02, pause * random.uniform(0.8, 1.2) - (time.monotonic() - began)))  # noqa: S311

    def take(self, since: float = 0.0) -> Observations:
        """Return what was observed since the last call, of the requests that were sent after a moment."""
        with self._lock:
            found, self._observed = self._observed, Observations()
        for kind, answers in found.answers.items():
            found.answers[kind] = [answer for answer in answers if answer.began >= since]
        return found

    def stop(self) -> None:
        """Stop the threads, and wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._bare_server.stop()


def seconds_until_back(service: Service, limit: float = 30.0, *, writes: bool = True) -> dict[str, float | None]:
    """Return after how many seconds each kind of request succeeds, from now on; None: not within the limit."""
    began = time.monotonic()
    found: dict[str, float | None] = {}

    def wait(kind: str) -> None:
        while time.monotonic() - began < limit:
            if ask(service, kind).is_success:
                found[kind] = time.monotonic() - began
                return
            time.sleep(0.05)
        found[kind] = None

    kinds = [kind for kind in KINDS if writes or kind != "write"]
    threads = [threading.Thread(target=wait, args=(kind,), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
