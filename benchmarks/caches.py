"""Varnish in front of a service, purged by `counterclaim purge`: how many reads reach the service, and what is old.

python -m benchmarks.caches --seconds 60 --databases "sqlite postgresql" --save

200 addresses are read 1,000 times a second, the frequent ones as often as a Zipf distribution with exponent 1 says, while
there are five commits a second: a claim, a citation or an assessment, each of which changes three of the addresses. Then
claims are taken down, and read at once; and readers send the `seq` of a commit at once.
"""

import argparse
import json
import multiprocessing
import random
import re
import statistics
import subprocess
import sys
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection
from itertools import accumulate, count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from typing import Any

from benchmarks.starter_server import serve_starter_register
from benchmarks.system import find_free_port
from benchmarks.varnish import find_varnish, running_varnish
from tests.history.servers import ServerProcess
from tests.registers import Keys

RESULTS = Path(__file__).parent / "results"
SUBJECTS = 66
ADDRESSES = 200
READS_PER_SECOND = 1_000
COMMITS_PER_SECOND = 5
THREADS = 12
TAKEDOWNS = 20
OWN_READS = 200
SEED = 1
WAIT_SECONDS = 60
CREATED = 201
PLACE = "kursk-oblast"
ROUTES = re.compile(r'counterclaim_http_requests_total\{method="(GET|HEAD)",route="(/v1/[^"]*)",[^}]*\} ([0-9.e+]+)')
HITS = re.compile(r"^counterclaim_response_cache_hits_total ([0-9.e+]+)", re.MULTILINE)


@dataclass
class LoadedRegister:
    """A register with a topic and a claim for each of some subjects."""

    server: ServerProcess
    key: dict[str, str]
    cache_port: int
    template: dict[str, Any] = field(default_factory=dict)
    claims: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: count(1_000))

    def write(self, method: str, path: str, body: Any) -> tuple[dict[str, Any], int]:
        """Send a write. Return the record, and the `seq` of the response."""
        reply = self.server.request(method, path, body, self.key)
        if reply.status not in (200, CREATED):
            raise RuntimeError(f"{method} {path}: {reply.status} {reply.body[:500]!r}")
        return reply.json(), int(reply.headers["x-register-seq"])

    def fill(self) -> None:
        """Record the subjects, topics and claims."""
        [claim] = self.server.request("GET", "/v1/claims?limit=1&source=csis&category=killed").json()["data"]
        self.template = {name: claim[name] for name in ("modality", "category")}
        self.template |= {"source": "csis", "place": PLACE, "citations": [_cite(claim)], "date": "2025-03-01"}
        self.template["period"] = {"edtf": "2025-01-01/2025-02-01", "aggregation": "cumulative"}
        for number in range(SUBJECTS):
            self.write("PUT", f"/v1/subjects/unit-{number}", {"name": f"The unit {number}"})
            topic = {"title": f"How many of the unit {number}?", "category": "killed", "subject": f"unit-{number}"}
            self.write("PUT", f"/v1/topics/unit-{number}", topic | {"place": PLACE})
            self.claims.append(self.add_claim(number)[0])

    def add_claim(self, subject: int) -> tuple[str, int]:
        """Record a claim about a subject. Return its id, and the `seq` of the response."""
        number = next(self.numbers)
        figure = {"as_printed": str(number), "language": "en", "value": number}
        claim, seq = self.write("POST", "/v1/claims", {**self.template, "figure": figure, "subject": f"unit-{subject}"})
        return str(claim["id"]), seq

    def list_addresses(self) -> list[str]:
        """Return the addresses, those that are read most first: a list of claims, then the others in random order."""
        others = [f"/v1/topics/unit-{number}/side-by-side" for number in range(SUBJECTS)]
        others += [f"/v1/claims/{id_}" for id_ in self.claims]
        others += [f"/v1/subjects/unit-{number}" for number in range(SUBJECTS)] + ["/v1/categories/killed"]
        random.Random(SEED).shuffle(others)  # noqa: S311 - a drawing that can be repeated
        return ["/v1/claims?sort=-recorded&limit=20", *others]

    def commit(self, dice: random.Random) -> None:
        """Record a claim, a citation or an assessment."""
        subject = dice.randrange(SUBJECTS)
        match dice.choice(["claim", "citation", "assessment"]):
            case "claim":
                self.add_claim(subject)
            case "citation":
                document = {"title": "More", "url": f"https://example.org/{next(self.numbers)}"}
                self.write("POST", f"/v1/claims/{self.claims[subject]}/citations", {"document": document})
            case _:
                body = {"level": "low", "rationale": f"Read {next(self.numbers)} times.", "assessed_on": "2025-07-01"}
                self.write("POST", f"/v1/claims/{self.claims[subject]}/assessments", body)

    def count_reads(self) -> int:
        """Return how many reads of the register have reached the service."""
        text = self.server.request("GET", "/metrics").body.decode()
        hits = HITS.search(text)
        return sum(int(float(found[3])) for found in ROUTES.finditer(text)) + int(float(hits[1] if hits else 0))


def _cite(claim: dict[str, Any]) -> dict[str, Any]:
    return {"document": claim["citations"][0]["document"]["id"], "fidelity": "paraphrase"}


@dataclass
class ReadResult:
    """What came of the reads. Times are in milliseconds."""

    reads: int = 0
    failed: int = 0
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0


def read_addresses(port: int, addresses: list[str], seconds: float, result: Any) -> None:
    """Read the addresses `READS_PER_SECOND` times a second, in a process of its own."""
    dice = random.Random(SEED)  # noqa: S311 - as above
    weights = list(accumulate(1 / rank for rank in range(1, len(addresses) + 1)))
    drawn = [bisect(weights, dice.random() * weights[-1]) for _ in range(int(seconds * READS_PER_SECOND))]
    numbers, lock, took, failed = iter(enumerate(drawn)), Lock(), [], []
    result.put("started")
    began = time.monotonic()

    def read() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
        while True:
            with lock:
                number, address = next(numbers, (None, 0))
            if number is None:
                return
            time.sleep(max(0.0, began + number / READS_PER_SECOND - time.monotonic()))
            started = time.monotonic()
            connection.request("GET", addresses[min(address, len(addresses) - 1)])
            response = connection.getresponse()
            response.read()
            took.append(time.monotonic() - started)
            if response.status != 200:  # noqa: PLR2004 - OK
                failed.append(response.status)

    threads = [Thread(target=read) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cuts = statistics.quantiles(took, n=100)
    figures = (round(cuts[49] * 1000, 2), round(cuts[98] * 1000, 2))
    result.put(asdict(ReadResult(len(took), len(failed), round(time.monotonic() - began, 1), *figures)))


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """Return the status, the headers and the body of an answer of the cache."""
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read().decode()
    finally:
        connection.close()


def measure_load(register: LoadedRegister, seconds: float) -> dict[str, Any]:
    """Read and write for some seconds."""
    addresses = register.list_addresses()
    assert len(addresses) == ADDRESSES
    for address in addresses:
        assert get(register.cache_port, address)[0] == 200, address  # noqa: PLR2004 - OK
    result: Any = multiprocessing.get_context("spawn").Queue()
    over, commits = Event(), 0
    arguments = (register.cache_port, addresses, seconds, result)
    reader = multiprocessing.get_context("spawn").Process(target=read_addresses, args=arguments)
    dice = random.Random(SEED)  # noqa: S311 - as above

    def write() -> None:
        nonlocal commits
        began = time.monotonic()
        while not over.wait(max(0.0, began + commits / COMMITS_PER_SECOND - time.monotonic())):
            register.commit(dice)
            commits += 1

    writer = Thread(target=write)
    reader.start()
    result.get(timeout=WAIT_SECONDS)
    before = register.count_reads()
    writer.start()
    found = result.get(timeout=seconds * 10 + WAIT_SECONDS)
    reached = register.count_reads() - before
    over.set()
    writer.join()
    reader.join()
    return found | {"commits": commits, "reached_service": reached, "reached_share": round(reached / found["reads"], 4)}


def measure_takedowns(register: LoadedRegister) -> dict[str, Any]:
    """Take claims down, and read them through the cache when the takedown is answered."""
    answers, old, took = 0, 0, []
    for _ in range(TAKEDOWNS):
        id_, _ = register.add_claim(0)
        figure = str(next(register.numbers) - 1)
        paths = [f"/v1/claims/{id_}", f"/claims/{id_}", "/v1/claims?sort=-recorded&limit=20"]
        paths.append("/v1/topics/unit-0/side-by-side")
        answers += sum(_shows(get(register.cache_port, path)[2], figure) for path in paths)
        began = time.monotonic()
        register.write("POST", f"/v1/claims/{id_}/takedown", {"reason": "A court order."})
        took.append(time.monotonic() - began)
        for path in paths:
            old += _shows(get(register.cache_port, path)[2], figure)
    return {
        "takedowns": TAKEDOWNS,
        "answers_with_the_claim_before": answers,
        "old_answers": old,
        "longest_seconds": round(max(took), 2),
    }


def _shows(body: str, figure: str) -> bool:
    """Return whether a response shows a figure, as JSON or in words."""
    return re.search(rf"\b{int(figure):,}\b", body) is not None or f'"{figure}"' in body


def measure_own_writes(register: LoadedRegister) -> dict[str, int]:
    """Read what was written through the cache, with the `seq` of the write."""
    path, old, hits = "/v1/claims?sort=-recorded&limit=20", 0, 0
    for _ in range(OWN_READS):
        get(register.cache_port, path)
        id_, seq = register.add_claim(1)
        for _ in range(2):
            _, headers, body = get(register.cache_port, path, {"X-Register-Seq": str(seq)})
            old += id_ not in body or int(headers["x-register-seq"]) < seq
            hits += len(headers["x-varnish"].split()) == 2  # noqa: PLR2004 - the request, and the one that stored it
            time.sleep(0.2)
    return {"reads": 2 * OWN_READS, "older_than_seen": old, "from_the_cache": hits}


@contextmanager
def running_purger(server: ServerProcess, cache_port: int) -> Iterator[None]:
    """Run `counterclaim purge` until the service knows of it."""
    command = [sys.executable, "-m", "app", "purge", "--to", f"http://127.0.0.1:{cache_port}"]
    with subprocess.Popen(command, env={"DATABASE_URL": server.url}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Purging"), "the purger does not start"
            deadline = time.monotonic() + WAIT_SECONDS
            while "s-maxage=60" not in server.request("GET", "/v1/claims?limit=1").headers["cache-control"]:
                assert time.monotonic() < deadline, "the service does not know of the purger"
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(WAIT_SECONDS)


def measure(program: str, dialect: str, seconds: float) -> dict[str, Any]:
    """Measure on one database."""
    cache_port = find_free_port()
    with TemporaryDirectory() as folder, serve_starter_register(dialect, Path(folder)) as (server, keys):
        register = LoadedRegister(server, _admin(keys), cache_port)
        register.fill()
        with running_varnish(program, server.port, cache_port), running_purger(server, cache_port):
            load = measure_load(register, seconds)
            return {
                "load": load,
                "own_writes": measure_own_writes(register),
                "takedowns": measure_takedowns(register),
            }


def _admin(keys: Keys) -> dict[str, str]:
    return keys["admin"]


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--databases", default="sqlite postgresql")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/caches.json")
    given = parser.parse_args()
    program = find_varnish()
    if program is None:
        sys.exit("Varnish or its modules var and xkey are not installed.")
    found = {}
    for dialect in given.databases.split():
        found[dialect] = measure(program, dialect, given.seconds)
        print(dialect, json.dumps(found[dialect]), flush=True)
    if given.save:
        (RESULTS / "caches.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
