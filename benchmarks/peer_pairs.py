"""`make bench-peer`: what requests cost beside the hand-written peer and beside bare uvicorn, by CPU time in pairs.

    python -m benchmarks.peer_pairs --databases "sqlite postgresql" --only cold,hot,shared,routes
    python -m benchmarks.peer_pairs --table

Each part writes a file to `benchmarks/results` that names its commit, and `--table` puts the files of one commit
together in docs/benchmarks.md. The servers of a part take turns every few milliseconds (A B B A), so that what else the
machine does slows all of them alike. A round gives one ratio; the table has the median of the rounds, and the interval
that has it with a probability of 95%.
"""

import argparse
import itertools
import json
import marshal
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from sqlalchemy import text

from app.database.api_keys import create_key
from app.database.engine import Database
from app.enums import Role
from benchmarks import workload
from benchmarks.import_registers import describe_machine
from benchmarks.pair import interval
from benchmarks.pair_versions import Client, Request
from benchmarks.peer_agreement import PeersDisagree, check_equal, normalize
from benchmarks.postgresql import CACHE_FOLDER, postmaster_pid
from benchmarks.read_registers import RegisterStore, fetch_rows, open_register_stores, sample_claim_ids
from benchmarks.read_routes import read_examples
from benchmarks.servers import (
    Server,
    ServerFailed,
    bare_server,
    cached_naive_server,
    hand_written_server,
    naive_server,
    our_server,
    server_and_generator_core,
)
from benchmarks.workload import LARGE_TOPIC, SHAPES, RegisterFacts, encode_request, our_page_path
from tests.registers import make_settings

RESULTS = Path(__file__).parent / "results"
OURS, PEER, BARE = "ours", "hand-written", "bare"
MAX_CLAIM_RATIO = 4.5
"""The hand-written peer is good enough if a claim costs it at most so many times what it costs bare uvicorn."""
PEER_SHAPES = tuple(shape for shape in SHAPES if shape.name in {
    "newest", "category", "place", "one question", "the large question", "small source", "the large source",
    "large source, category",
})  # fmt: skip
"""The filtered pages that the hand-written peer serves."""
SIDES_TOPIC = "topic-8"
"""A topic with some forty positions, which are the same by the rules of the hand-written peer."""
Numbers = dict[str, Any]
Samples = dict[str, list[float]]
"""By server, the CPU time per request in microseconds of each round."""


@dataclass(frozen=True)
class Shape:
    """A kind of request that ours and the hand-written peer answer, by so many connections at once."""

    title: str
    make: Callable[["Run", str, int], Iterable[bytes]]
    bound: float | None
    """The ratio to reach, if there is one."""
    connections: int = 16
    count: int = 1_500
    """So many requests are made for a turn."""
    seconds: float = 0.25
    """How long a turn lasts."""


class Run:
    """A copy of the register, and the servers over it."""

    def __init__(self, store: RegisterStore, claims: int, stack: ExitStack) -> None:
        self.store = store
        self.claims = claims
        self.url = store.copy(claims)
        database = Database(make_settings(self.url))
        with database.write() as session:
            # Every claim of a real register has one; pages and briefs need it.
            session.execute(text("UPDATE claim SET display = as_printed || ' persons' WHERE display IS NULL"))
            self.key = create_key(session, "benchmark", Role.editor)
        database.close()
        self.facts = RegisterFacts(sample_claim_ids(self.url), int(fetch_rows(self.url, "SELECT seq FROM clock")[0][0]))
        self.numbers = itertools.count()
        self.headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.database = postmaster_pid() if store.kind == "postgresql" else None
        self._stack = stack

    def start(self, server: Server) -> Server:
        """Start a server that runs until the end of the part."""
        server.start()
        self._stack.callback(server.stop)
        return server

    def ours(self, **options: Any) -> Server:  # noqa: ANN401 - those of `our_server`
        """Start the service."""
        return self.start(our_server(self.url, self.database, **options))

    def bare(self, requests: Mapping[str, Mapping[str, str]], server: Server) -> Server:
        """Start bare uvicorn with what `server` answers: the headers of the request by its path, `/304` before it."""
        answers: dict[str, Any] = {"/ready?": (200, [(b"content-length", b"0")], b"")}
        for path, headers in requests.items():
            asked = path.removeprefix("/304")
            status, sent, body = server.ask(asked, headers)
            if status != (304 if asked is not path else 200):
                raise ServerFailed(f"ours answers {path} with {status}: {body[:300]!r}")
            lines = [(k.lower().encode(), v.encode()) for k, v in sent if k.lower() not in {"date", "server"}]
            answers[path if "?" in path else f"{path}?"] = (status, lines, body)
        file = CACHE_FOLDER / "work" / f"answers-{os.getpid()}"
        file.write_bytes(marshal.dumps(answers))
        return self.start(bare_server(file))


def _claims(run: Run, seed: str, count: int) -> Iterable[bytes]:
    return (
        encode_request(f"/v1/claims/{id_}") for id_ in random.Random(seed).choices(list(run.facts.claim_ids), k=count)
    )


def _pages(run: Run, seed: str, count: int) -> Iterable[bytes]:
    pages = workload.page_positions(PEER_SHAPES, "shallow", run.facts, count, hash_seed(seed))
    return (encode_request(our_page_path(*page)) for page in pages)


def _timelines(run: Run, seed: str, count: int) -> Iterable[bytes]:
    del run
    return map(encode_request, workload.timeline_paths(LARGE_TOPIC, hash_seed(seed) % 10_000 * count, count))


def _sides(run: Run, seed: str, count: int) -> Iterable[bytes]:
    del run
    return map(encode_request, workload.side_by_side_paths(SIDES_TOPIC, hash_seed(seed) % 100 * count, count))


def _posts(run: Run, seed: str, count: int) -> Iterable[bytes]:
    claims = workload.new_claims(itertools.islice(run.numbers, count), seed)
    headers = {"Authorization": f"Bearer {run.key}"}
    return (encode_request("/v1/claims", headers, json.dumps(claim).encode()) for claim in claims)


def hash_seed(seed: str) -> int:
    """Return a number that is the same for a seed in every process."""
    return random.Random(seed).randrange(1_000_000)


SHAPES_IN_PAIRS = {
    "page": Shape("cold page of 50", _pages, 1.2),
    "claim": Shape("one claim", _claims, 1.5, count=4_000),
    "timeline": Shape("timeline, 200 rows", _timelines, None, count=200),
    "sides": Shape("side-by-side, 43 positions (the peer: positions only)", _sides, None, count=300),
    "post": Shape("POST, one at a time", _posts, 1.5, connections=1, count=400, seconds=0.4),
}
POSTS_AT_ONCE = Shape("POST, 16 at once", _posts, None, count=1_500, seconds=0.4)


def measure_shape(run: Run, shape: Shape, servers: Mapping[str, Server], rounds: int) -> Samples:
    """Return the CPU time per request of each server, in so many turns."""
    samples: Samples = {name: [] for name in servers}
    for number in range(rounds + 1):
        for name in list(servers)[:: 1 if number % 2 else -1]:
            requests = list(shape.make(run, f"{shape.title} {number}", shape.count))
            load = servers[name].load(requests, seconds=shape.seconds, connections=shape.connections)
            if number:  # the first turn lets the servers prepare their statements
                samples[name].append(load["cpu_us"])
    return samples


def compare(samples: Samples, one: str, other: str) -> Numbers:
    """Return the median of each, and the ratio of the rounds with its interval."""
    ratios = [a / b for a, b in zip(samples[one], samples[other], strict=True)]
    low, high = interval(ratios)
    return {
        "us": {name: round(median(values), 1) for name, values in samples.items()},
        "ratio": round(median(ratios), 3),
        "interval": [round(low, 3), round(high, 3)],
        "rounds": len(ratios),
    }


def check_peer(run: Run, ours: Server, peer: Server) -> Numbers:
    """Compare the bodies of both field by field: pages and their next ones, claims, a timeline, and positions."""
    compared = dict.fromkeys(("pages", "claims", "timelines", "positions", "positions_more"), 0)

    def compare_at(path: str, what: str) -> Any:  # noqa: ANN401 - the body
        mine, theirs = normalize(ours.json(path)), normalize(peer.json(path))
        check_equal(path, [mine], [theirs])
        compared[what] += 1
        return mine

    for shape in PEER_SHAPES:
        for filters in shape.filters:
            path: str | None = our_page_path(shape, filters, None)
            for _ in range(3):
                path = compare_at(path, "pages")["links"]["next"] if path else None
    for id_ in run.facts.claim_ids[:60]:
        compare_at(f"/v1/claims/{id_}", "claims")
    for path in workload.timeline_paths(LARGE_TOPIC, 0, 1):
        compare_at(path, "timelines")
    for path in workload.side_by_side_paths(SIDES_TOPIC, 0, 1):
        mine, theirs = (
            {each["claim"]["id"]: each["claim"] for each in normalize(server.json(path))["positions"]}
            for server in (ours, peer)
        )
        if missing := mine.keys() - theirs.keys():
            raise PeersDisagree(f"{path}: the hand-written peer lacks {sorted(missing)[:3]}")
        check_equal(path, list(mine.values()), [theirs[id_] for id_ in mine])
        compared["positions"] += len(mine)
        compared["positions_more"] += len(theirs) - len(mine)
    return compared


def measure_cold(run: Run, rounds: int) -> Numbers:
    """Measure the five shapes against the hand-written peer; ours keeps no response and no row."""
    ours, peer = run.ours(remembering=False), run.start(hand_written_server(run.url, run.database))
    found: Numbers = {"agree": check_peer(run, ours, peer), "shapes": {}}
    ids = [f"/v1/claims/{id_}" for id_ in run.facts.claim_ids[:200]]
    bare = run.bare({path: {} for path in ids}, ours)
    claims = Shape(
        "",
        lambda _run, seed, count: (encode_request(f"{path}?") for path in random.Random(seed).choices(ids, k=count)),
        0,
        count=4_000,
    )
    gate = compare(measure_shape(run, claims, {PEER: peer, BARE: bare}, rounds), PEER, BARE)
    found["peer_claim"] = gate | {"bound": MAX_CLAIM_RATIO, "is_good": gate["ratio"] <= MAX_CLAIM_RATIO}
    tell(f"one claim costs the hand-written peer {gate['ratio']:.2f} × bare uvicorn (at most {MAX_CLAIM_RATIO})")
    for name, shape in SHAPES_IN_PAIRS.items():
        samples = measure_shape(run, shape, {OURS: ours, PEER: peer}, rounds)
        found["shapes"][name] = compare(samples, OURS, PEER) | {"title": shape.title, "bound": shape.bound}
        tell(f"{shape.title}: {found['shapes'][name]}")
    found["headline"] = round(geometric_mean(each["ratio"] for each in found["shapes"].values()), 3)
    found["posts_at_once"] = compare(measure_shape(run, POSTS_AT_ONCE, {OURS: ours, PEER: peer}, rounds), OURS, PEER)
    shipped = run.ours()
    samples = measure_shape(run, SHAPES_IN_PAIRS["page"], {OURS: shipped, PEER: peer}, rounds)
    found["page_with_rows"] = compare(samples, OURS, PEER)
    tell(f"headline {found['headline']}; pages with cached rows: {found['page_with_rows']['ratio']}")
    return found


HOT_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "as shipped": {"COUNTERCLAIM_LOG_LEVEL": "info"},
    "without log": {"COUNTERCLAIM_LOG_LEVEL": "warning"},
    "without limits": {
        "COUNTERCLAIM_LOG_LEVEL": "info",
        "COUNTERCLAIM_RATE_LIMIT": "0",
        "COUNTERCLAIM_KEY_RATE_LIMIT": "0",
    },
    "without both": {"COUNTERCLAIM_RATE_LIMIT": "0", "COUNTERCLAIM_KEY_RATE_LIMIT": "0"},
}
MANY = {"COUNTERCLAIM_RATE_LIMIT": "100000000", "COUNTERCLAIM_KEY_RATE_LIMIT": "100000000"}
"""Limits that are counted and never reached."""
HOT_SECONDS = 0.5


def measure_hot(run: Run, rounds: int) -> Numbers:
    """Measure hot pages, claims and 304s as shipped and without log and limits, against bare uvicorn."""
    servers = {name: run.ours(environment={**MANY, **settings}) for name, settings in HOT_SETTINGS.items()}
    first = servers["as shipped"]
    pages = [our_page_path(shape, shape.filters[0], None) for shape in SHAPES]
    tags = {path: {k.lower(): v for k, v in first.ask(path)[1]}["etag"] for path in pages}
    claims = [f"/v1/claims/{id_}" for id_ in run.facts.claim_ids[:40]]
    kinds: dict[str, Mapping[str, Mapping[str, str]]] = {
        "hot page": {path: {} for path in pages},
        "hot claim": {path: {} for path in claims},
        "304": {f"/304{path}": {"If-None-Match": tag} for path, tag in tags.items()},
    }
    servers[BARE] = run.bare({path: headers for kind in kinds.values() for path, headers in kind.items()}, first)
    found: Numbers = {}
    for kind, asked in kinds.items():
        samples: Samples = {name: [] for name in servers}
        for number in range(rounds + 1):
            for name in list(servers)[:: 1 if number % 2 else -1]:
                paths = {p if name == BARE else p.removeprefix("/304"): h for p, h in asked.items()}
                requests = [encode_request(p if name != BARE or "?" in p else f"{p}?", h) for p, h in paths.items()]
                load = servers[name].load(requests, seconds=HOT_SECONDS, cycle=True)
                if number:  # the first turn fills the caches
                    samples[name].append(load["cpu_us"])
        found[kind] = {name: compare({BARE: samples[BARE], name: samples[name]}, BARE, name) for name in HOT_SETTINGS}
        tell(f"{kind}: { {name: each['ratio'] for name, each in found[kind].items()} }")
    return found


def measure_shared(run: Run, rounds: int) -> Numbers:
    """Measure hot pages of ours against the naive peer behind a shared cache of one second."""
    pages = [our_page_path(shape, shape.filters[0], None) for shape in PEER_SHAPES]
    ours, naive = (
        run.ours(environment={**MANY, **HOT_SETTINGS["as shipped"]}),
        run.start(naive_server(run.url, run.database)),
    )
    cached = run.start(cached_naive_server(naive))
    samples: Samples = {OURS: [], "naive behind nginx": []}
    for number in range(rounds):
        for name, server in [(OURS, ours), ("naive behind nginx", cached)][:: 1 if number % 2 else -1]:
            before = naive.cpu()
            requests = [encode_request(path) for path in pages]
            load = server.load(requests, seconds=2.0, cycle=True)
            behind = naive.cpu(before) / 1000 / load["asked"] if server is cached else 0
            samples[name].append(load["cpu_us"] + behind)
    return {"hot page": compare(samples, OURS, "naive behind nginx")}


def measure_routes(run: Run, rounds: int) -> Numbers:
    """Measure every read route that the application registers: cold without any cache, and hot."""
    cold, hot = run.ours(remembering=False), run.ours(environment=MANY)
    examples, found = read_examples(hot, run.facts), {}
    for route, path in examples.items():
        began = time.monotonic()
        status, _, body = cold.ask(path.replace("PORT", str(cold.port)), run.headers)
        count = max(1, min(20, int(0.5 / (time.monotonic() - began + 0.002))))
        values: Samples = {"cold": [], "hot": []}
        clients = {"cold": Client("cold", cold.port, 1, run.headers), "hot": Client("hot", hot.port, 1, run.headers)}
        for client in clients.values():
            client.accepts = lambda _status: True  # it is in the table
        for _ in range(rounds):
            for name, server in (("cold", cold), ("hot", hot)):
                before = server.cpu()
                clients[name].exchange([Request(path.replace("PORT", str(server.port)))] * count)
                values[name].append(server.cpu(before) / 1000 / count)
        found[route] = {"path": path, "status": status, "bytes": len(body)} | {
            f"{name}_us": round(median(each), 1) for name, each in values.items()
        }
        for client in clients.values():
            client.close()
    return found


def measure_steps(run: Run, rounds: int) -> Numbers:
    """Measure the steps of a hot page, in a process of its own."""
    environment = {**os.environ, **MANY, "DATABASE_URL": run.url, "COUNTERCLAIM_LOG_LEVEL": "info"}
    command = [sys.executable, "-m", "benchmarks.hot_steps", str(rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)  # noqa: S603
    return json.loads(done.stdout)


PARTS: Mapping[str, tuple[Callable[[Run, int], Numbers], int]] = {
    "cold": (measure_cold, 10),
    "hot": (measure_hot, 10),
    "steps": (measure_steps, 20),
    "shared": (measure_shared, 7),
    "routes": (measure_routes, 3),
}
"""The parts, each with its number of rounds."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts, and write a file for each; or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--databases", type=str.split, default=["sqlite", "postgresql"])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=0, help="instead of those of each part; at least 6")
    parser.add_argument("--table", action="store_true", help="measure nothing, and write the table from the results")
    parser.add_argument("--no-write", dest="write", action="store_false")
    given = parser.parse_args(arguments)
    if given.table:
        from benchmarks.peer_table import write_table  # noqa: PLC0415 - it reads what is written here

        write_table()
        return
    os.sched_setaffinity(0, {server_and_generator_core()[1]})
    with open_register_stores(given.databases, server_and_generator_core()[0]) as stores:
        commit = describe_commit()
        for store, part in itertools.product(stores, given.only):
            measure, rounds = PARTS[part]
            began = time.monotonic()
            with ExitStack() as stack:
                found = measure(Run(store, given.claims, stack), given.rounds or rounds)
            result = {
                "part": part, "database": store.kind, "version": store.version(), "claims": given.claims,
                "commit": commit, "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "minutes": round((time.monotonic() - began) / 60, 1), "machine": describe_machine(), "found": found,
            }  # fmt: skip
            print(json.dumps(found, indent=1))  # noqa: T201
            if given.write:
                path = RESULTS / f"peer-{part}-{given.claims}-{store.kind}.json"
                path.write_text(json.dumps(result, indent=1) + "\n")


def describe_commit() -> str:
    """Return the commit of the checkout, marked if something is changed beside the results."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=RESULTS, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", ":/app", ":/benchmarks/*.py", ":/benchmarks/peers")
    return git("rev-parse", "--short=10", "HEAD") + ("-changed" if changed else "")


def tell(text: str) -> None:
    """Print how far it has come."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
