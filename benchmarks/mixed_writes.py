"""What ten commits a second cost the readers: CPU of the service a request, alone and beside them, in turn.

    python -m benchmarks.mixed_writes --claims 10000 --save

The mixture has 60% hot reads, 30% cold pages and claims, and 10% all other read routes of the OpenAPI document in turn,
each at the address of its example in the register. The CPU time is that of the service with all of its processes, so
it includes that of the commits. Each route is then measured by itself, too: its requests are the same address, so a
commit that evicts its response makes it compute the response anew.
"""

import argparse
import itertools
import json
import os
import re
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from app.database.api_keys import create_key
from app.enums import Role
from benchmarks import workload
from benchmarks.memory import copy_with_displays
from benchmarks.mixed_load import COLD, HOT, LoadRun, MixedLoad, RegisterNames
from benchmarks.raw_writes import open_database
from benchmarks.read_registers import RegisterStore, sample_claim_ids
from benchmarks.servers import Server, our_server

RESULTS = Path(__file__).parent / "results"
ROUTES = "routes"
SHARES = {HOT: 0.60, COLD: 0.30, ROUTES: 0.10}
COMMITS_PER_SECOND = 10
GOAL = 2.5
"""So many times the CPU may a request take beside the commits."""

ROUNDS = 3
MIN_ROUTE_REQUESTS, MAX_ROUTE_REQUESTS = 20, 2_000

LEFT_OUT = {
    "/v1/changes/stream": "it does not end",
    "/health/live": "it reads nothing",
    "/health/ready": "it reads nothing of the claims",
    "/metrics": "it reads nothing of the claims",
}
"""Read routes that are not measured, with the reason."""


class RouteMixture(MixedLoad):
    """The mixed load with all other read routes in turn."""

    def __init__(self, names: RegisterNames, paths: Sequence[str]) -> None:
        super().__init__(names, shares=SHARES)
        self._routes = itertools.cycle(paths)
        self._makers[ROUTES] = lambda: next(self._routes)


class Writer:
    """Records claims at a steady pace, in a thread."""

    def __init__(self, port: int, key: str) -> None:
        self.commits = 0
        self.failures = Counter[str]()
        self._port, self._key = port, key
        self._numbers = itertools.count(1)

    @contextmanager
    def run(self) -> Iterator[None]:
        """Write while the block runs."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._write, args=(is_over,))
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _write(self, is_over: threading.Event) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        while not is_over.is_set():
            began, number = time.monotonic(), next(self._numbers)
            (claim,) = workload.new_claims([number], "mixture")
            connection.request("POST", "/v1/claims", json.dumps(claim), headers)
            response = connection.getresponse()
            body = response.read()
            if response.status != 201:  # noqa: PLR2004 - created
                self.failures[f"{response.status} {body[:300]!r}"] += 1
            self.commits += response.status == 201  # noqa: PLR2004 - created
            is_over.wait(max(0.0, 1 / COMMITS_PER_SECOND - (time.monotonic() - began)))
        connection.close()


def find_routes(server: Server, names: RegisterNames) -> dict[str, str]:
    """Return the address of each read route by its path in the OpenAPI document; those that answer 200 alone."""
    document = server.json("/openapi.json")
    record = server.json(f"/v1/claims/{names.claims[0]}")
    topic = max(server.json("/v1/topics?limit=10")["data"], key=lambda each: each["claims"])
    imports = server.json("/v1/imports?limit=1")["data"]
    documents = server.json("/v1/documents?limit=1")["data"]
    ids = {
        "claims": record["id"],
        "topics": topic["slug"],
        "sources": record["source"]["slug"],
        "documents": documents[0]["id"] if documents else "",
        "categories": record["category"],
        "subjects": record["subject"],
        "places": record["place"],
        "imports": imports[0]["id"] if imports else "",
    }
    queries = {
        "/v1/compare": f"?a={names.claims[0]}&b={names.claims[1]}",
        "/v1/reading": "?as_printed=over%20300",
        "/v1/suggest": "?q=so",
        "/v1/side-by-side": f"?category={topic['category']}&subject={topic['subject']}&place={topic['place']}",
        "/v1/claims/counts": "?by=year",
        "/oembed": f"?url=/topics/{topic['slug']}",
    }
    routes: dict[str, str] = {}
    for route, operations in document["paths"].items():
        if "get" not in operations or route in LEFT_OUT:
            continue
        kind = route.removeprefix("/v1/").strip("/").split("/")[0]
        path = re.sub(r"\{(id|slug|topic|claim)\}", ids.get(kind, ""), route)
        path = re.sub(r"\{(n|revision)\}", "1", path).replace("{kind}", "claims").replace("{format}", "json")
        address = path + queries.get(route, "")
        if route.endswith((".csv", ".ndjson", ".xlsx", ".parquet", ".jsonld")):
            address += "?limit=50"
        if "{" not in address and server.ask(address)[0] == 200:  # noqa: PLR2004
            routes[route] = address
    return routes


def measure_mixture(server: Server, names: RegisterNames, paths: Sequence[str], writer: Writer, seconds: float) -> Any:  # noqa: ANN401 - numbers
    """Return the CPU time a request, alone and beside commits, for each round."""
    load = RouteMixture(names, paths)
    found: dict[str, list[float]] = {"alone": [], "beside": [], "alone_requests": [], "beside_requests": []}
    for _ in range(ROUNDS):
        for what in ("alone", "beside"):
            run = LoadRun(server.port, load, sys.maxsize, seconds)
            with _maybe(writer, writes=what == "beside"):
                before = server._cpu()  # noqa: SLF001 - as `load` reads it
                run.start()
                while run.is_running():
                    time.sleep(0.1)
                spent = server._cpu(before)  # noqa: SLF001 - as above
            found[what].append(spent / 1000 / max(run.total, 1))
            found[f"{what}_requests"].append(run.total)
            if run.failures:
                print(f"failures: {dict(run.failures)}", file=sys.stderr)  # noqa: T201
    return found


def measure_route(server: Server, path: str, writer: Writer, seconds: float) -> tuple[float, float]:
    """Return the CPU time a request of one route in microseconds, alone and beside commits."""
    results = []
    for writes in (False, True):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        with _maybe(writer, writes=writes):
            before, done, until = server._cpu(), 0, time.monotonic() + seconds  # noqa: SLF001 - as above
            while done < MIN_ROUTE_REQUESTS or (time.monotonic() < until and done < MAX_ROUTE_REQUESTS):
                connection.request("GET", path)
                connection.getresponse().read()
                done += 1
            results.append(server._cpu(before) / 1000 / done)  # noqa: SLF001 - as above
        connection.close()
    return results[0], results[1]


@contextmanager
def _maybe(writer: Writer, *, writes: bool) -> Iterator[None]:
    if not writes:
        yield
        return
    with writer.run():
        yield


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each round of the mixture")
    parser.add_argument("--route-seconds", type=float, default=2.0)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    store = RegisterStore("sqlite")
    url = copy_with_displays(store, options.claims)
    database = open_database(url)
    with database.write() as session:
        key = create_key(session, "benchmark", Role.editor)
    database.close()
    server = our_server(url, None)
    server._uses_all_cores = True  # noqa: SLF001 - as it is shipped
    server.start()
    try:
        names = RegisterNames.read(server, sample_claim_ids(url), options.claims)
        routes = find_routes(server, names)
        writer = Writer(server.port, key)
        mixture = measure_mixture(server, names, [*routes.values()], writer, options.seconds)
        by_route = {route: measure_route(server, path, writer, options.route_seconds) for route, path in routes.items()}
        commits = writer.commits
        print(f"refused writes: {writer.failures.most_common(3)}", file=sys.stderr)  # noqa: T201
    finally:
        server.stop()
        store.clear()
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "claims": options.claims,
        "load": os.getloadavg()[1],
        "commits": commits,
        "mixture_cpu_us": mixture,
        "ratio": round(statistics.median(mixture["beside"]) / statistics.median(mixture["alone"]), 2),
        "routes_cpu_us": {route: [round(value) for value in values] for route, values in by_route.items()},
    }
    table = as_markdown(result)
    sys.stdout.write(table)
    if options.save:
        name = f"mixed-writes-{options.claims}-sqlite"
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (RESULTS / f"{name}.md").write_text(table, encoding="utf-8")


def as_markdown(result: dict[str, Any]) -> str:
    """Return the result as a table."""
    mixture = result["mixture_cpu_us"]
    alone, beside = (round(statistics.median(mixture[what])) for what in ("alone", "beside"))
    lines = [
        f"# Reads beside {COMMITS_PER_SECOND} commits a second, {result['claims']:,} claims, SQLite",
        "",
        f"{result['at']}, load {result['load']:.1f}, {result['commits']:,} commits. CPU of the service a request, in",
        "microseconds, with the CPU of the commits.",
        "",
        "| requests | alone | beside commits | ratio | goal |",
        "| --- | --- | --- | --- | --- |",
        f"| the mixture, median of {ROUNDS} | {alone:,} | {beside:,} | **{result['ratio']}** | ≤ {GOAL} |",
    ]
    for route, (first, second) in sorted(result["routes_cpu_us"].items()):
        lines.append(f"| `{route}` | {first:,} | {second:,} | {second / max(first, 1):.1f} | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
