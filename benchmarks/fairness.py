"""How long polite readers wait while many clients ask for one kind of expensive answer.

    python -m benchmarks.fairness --claims 10000 --save

Four polite clients read cold pages of 50 claims: alone, and while 16 clients ask for expensive answers, in turn, three
times. A page is an address that nobody asked for before. The 99th percentiles are compared, as medians of the rounds.
"""

import argparse
import http.client
import itertools
import json
import multiprocessing
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from benchmarks.read_registers import RegisterStore
from benchmarks.servers import Server, our_server

RESULTS = Path(__file__).parent / "results"
POLITE_CLIENTS, EXPENSIVE_CLIENTS, ROUNDS = 4, 16, 3
WARM_UP_SECONDS = 4.0
TIMEOUT_SECONDS = 60

EXPENSIVE: dict[str, str] = {
    "feed": "/v1/topics/{topic}/feed.atom",
    "side-by-side": "/v1/side-by-side?category={category}&tolerance=0.{n:06}",
    "brief": "/v1/topics/{topic}/brief?tolerance=0.{n:06}",
    "topics as of then": "/v1/topics?recorded_as_of=seq:{seq}&limit=20",
    "search with total": "/v1/claims?q={word}&total=true&limit={limit}",
    "chart": "/v1/topics/{topic}/chart.svg?width={width}",
    "xlsx": "/v1/claims.xlsx?topic={topic}&confidence_min=low&limit={limit}",
    "changes": "/v1/changes.ndjson?after={seq}",
    "export": "/v1/export",
}
"""The addresses by kind. Each request but those for feeds and exports has another number, so that it is not cached."""


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=2_000, help="polite reads in each measure")
    parser.add_argument("--only", nargs="*", default=list(EXPENSIVE))
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    url = RegisterStore("sqlite").filled(options.claims)
    results = {kind: measure(url, EXPENSIVE[kind], options.requests) for kind in options.only}
    table = as_markdown(results, options.claims, options.requests)
    sys.stdout.write(table)
    if options.save:
        name = f"fairness-{options.claims}-sqlite"
        (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (RESULTS / f"{name}.md").write_text(table, encoding="utf-8")


def measure(url: str, pattern: str, requests: int) -> dict[str, Any]:
    """Measure the polite readers alone and beside expensive requests of one kind, in turn."""
    server = our_server(url, None)
    server._uses_all_cores = True  # noqa: SLF001 - its child processes have the other core
    server.start()
    try:
        values = _values(server)
        numbers = itertools.count(1)
        alone, beside, answers = [], [], Counter[str]()
        for _ in range(ROUNDS):
            alone.append(read_politely(server.port, requests, numbers))
            with expensive_clients(server.port, pattern, values) as counts:
                time.sleep(WARM_UP_SECONDS)
                beside.append(read_politely(server.port, requests, numbers))
            answers.update(counts)
    finally:
        server.stop()
    return {
        "alone_p99_ms": [round(value * 1000, 1) for value in alone],
        "beside_p99_ms": [round(value * 1000, 1) for value in beside],
        "ratio": round(statistics.median(beside) / statistics.median(alone), 1),
        "expensive_answers": dict(answers),
    }


def _values(server: Server) -> dict[str, Any]:
    topic = max(server.json("/v1/topics?limit=10")["data"], key=lambda topic: topic["claims"])
    return {
        "topic": topic["slug"],
        "category": topic["category"],
        "word": server.json("/v1/claims?limit=1")["data"][0]["category"].split("-")[0],
        "head": server.json("/health/ready")["seq"],
    }


def read_politely(port: int, requests: int, numbers: Iterator[int]) -> float:
    """Return the 99th percentile of the seconds that a cold page takes."""
    seconds: list[float] = []

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        for _ in range(requests // POLITE_CLIENTS):
            started = time.perf_counter()
            connection.request("GET", f"/v1/claims?limit=50&value_min={next(numbers)}")
            response = connection.getresponse()
            response.read()
            seconds.append(time.perf_counter() - started)
            if response.status != 200:  # noqa: PLR2004
                raise RuntimeError(f"a polite reader got a {response.status}")
        connection.close()

    _run_threads(read, POLITE_CLIENTS)
    if len(seconds) < requests // POLITE_CLIENTS * POLITE_CLIENTS:
        raise RuntimeError("a polite reader failed")
    return statistics.quantiles(seconds, n=100)[98]


@contextmanager
def expensive_clients(port: int, pattern: str, values: dict[str, Any]) -> Iterator[Counter[str]]:
    """Let clients in a process of their own ask for expensive answers until the block ends. Yields their statuses."""
    context = multiprocessing.get_context("spawn")
    is_over, results, counts = context.Event(), context.Queue(), Counter[str]()
    process = context.Process(target=ask_for_much, args=(port, pattern, values, is_over, results))
    process.start()
    try:
        yield counts
    finally:
        is_over.set()
        counts.update(results.get(timeout=2 * TIMEOUT_SECONDS))
        process.join()


def ask_for_much(port: int, pattern: str, values: dict[str, Any], is_over: Event, results: Any) -> None:
    """Send expensive requests until the event, and put the number of answers by status into the queue."""
    counts: Counter[str] = Counter()
    numbers = itertools.count(int(time.time() * 10) % 300_000)

    def ask() -> None:
        while not is_over.is_set():
            n = next(numbers)
            path = pattern.format(
                n=n, seq=max(1, values["head"] - n % 5_000), limit=1 + n % 100, width=320 + n % 1_200, **values
            )
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                while response.read(2**20):
                    if is_over.is_set():
                        break
                counts[str(response.status)] += 1
                if response.status == 503:  # noqa: PLR2004
                    time.sleep(0.5)  # less than it asks for
            except OSError as error:
                counts[type(error).__name__] += 1
            finally:
                connection.close()

    _run_threads(ask, EXPENSIVE_CLIENTS)
    results.put(counts)


def _run_threads(target: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=target) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def as_markdown(results: dict[str, dict[str, Any]], claims: int, requests: int) -> str:
    """Return the results as a table."""
    lines = [
        "# Polite readers beside expensive requests",
        "",
        f"{claims:,} claims, SQLite, one worker; 99th percentile of {requests:,} cold pages of 50 claims, in milliseconds,",
        f"alone and beside {EXPENSIVE_CLIENTS} clients that ask for one kind of expensive answer. Three rounds.",
        "",
        "| expensive | alone | beside | ratio (≤ 10) | expensive answers by status |",
        "| --- | --- | --- | ---: | --- |",
    ]
    for kind, result in results.items():
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(result["expensive_answers"].items()))
        alone, beside = (" · ".join(map(str, result[name])) for name in ("alone_p99_ms", "beside_p99_ms"))
        lines.append(f"| {kind} | {alone} | {beside} | {result['ratio']} | {answers} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
