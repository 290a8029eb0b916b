"""The measures: the requests to each peer, in turns, and their results."""

import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from statistics import median
from types import TracebackType
from typing import Self

from benchmarks import export_measure, workload
from benchmarks.peer_agreement import check_agreement
from benchmarks.peers import datasette, pocketbase
from benchmarks.read_registers import fetch_rows
from benchmarks.runner import (
    COMPRESSED_CASES,
    ENCODINGS,
    MAX_ADDRESSES,
    BenchmarkRun,
    LoadCase,
    Numbers,
    _with_question_mark,
    summarize_runs,
)
from benchmarks.workload import (
    LARGE_TOPIC,
    SHAPES,
    SMALL_TOPIC,
    RegisterFacts,
    encode_request,
    naive_page_path,
    our_page_path,
)

MAX_COMPARED_CLAIMS = 200_000
"""Beyond so many claims one set of values of each shape is compared, and every shape by itself is asked once only."""


def check_peer_agreement(bench: BenchmarkRun) -> Numbers:
    """Nothing else is worth measuring if the answers differ."""
    return check_agreement(
        bench.server("ours"),
        bench.server("naive"),
        bench.facts,
        LARGE_TOPIC,
        SMALL_TOPIC,
        sets=workload.SETS_PER_SHAPE if bench.seconds >= 1 and bench.claims <= MAX_COMPARED_CLAIMS else 1,
    )


def measure_cold_pages(bench: BenchmarkRun) -> Numbers:
    """All twenty shapes in turn, each address once."""
    whole = {"at_least": len(SHAPES), "multiple": len(SHAPES)}
    return {
        depth: bench.measure(lambda turn, d=depth: bench.page_cases(SHAPES, d, turn), "page", **whole)  # type: ignore[misc]
        for depth in ("shallow", "deep")
    }


def measure_shapes(bench: BenchmarkRun) -> Numbers:
    """Every shape by itself, as far as the time goes."""
    return {
        f"{shape.name}, {depth}": bench.measure(
            lambda turn, s=shape, d=depth: bench.page_cases([s], d, 100 + turn),  # type: ignore[misc]
            rounds=1 if bench.claims > MAX_COMPARED_CLAIMS else None,
            seconds=bench.seconds / 4,
        )
        for shape in SHAPES
        for depth in ("shallow", "deep")
        if not bench.is_late
    }


def measure_bounded_queries(bench: BenchmarkRun) -> Numbers:
    """Questions that no index leads straight to, one at a time; a question may be refused as too broad."""

    def cases(turn: int) -> LoadCase:
        return {
            name: (
                bench.server("ours"),
                [
                    encode_request(path)
                    for path in workload.bounded_page_paths(name, bench.facts, MAX_ADDRESSES // 8, turn)
                ],
            )
            for name in workload.BOUNDED_QUERIES
        }

    return {
        "pages": bench.measure(
            cases, connections=1, at_least=40, multiple=workload.FORMS_PER_ROUND, refusal="query_too_broad"
        )
    }


def measure_growth(bench: BenchmarkRun) -> Numbers:
    """First and deep pages of full size, here and in a register a tenth as large; no answer is remembered."""
    shapes = workload.deep_shapes(bench.facts)
    tenth = bench.server("forgetful, a tenth")
    seq = int(fetch_rows(bench.tenth, "SELECT seq FROM clock")[0][0])
    less = RegisterFacts([], seq, {key: total // 10 for key, total in bench.facts.totals.items()})

    def cases(turn: int) -> LoadCase:
        found: LoadCase = {}
        for size, server, known in (("", bench.server("forgetful"), bench.facts), (" of a tenth", tenth, less)):
            for name, depth in (("first", "shallow"), ("deep", "deep")):
                pages = workload.page_positions(shapes, depth, known, MAX_ADDRESSES // 2, 6000 + turn)
                found[f"{name} page{size}"] = (server, [encode_request(our_page_path(*page)) for page in pages])
        return found

    return {"pages": bench.measure(cases, connections=4, at_least=len(shapes), multiple=len(shapes))}


def measure_cold_claims(bench: BenchmarkRun) -> Numbers:
    """One claim, each once."""

    def cases(turn: int) -> LoadCase:
        ids = bench.facts.claim_ids[turn :: bench.rounds][:MAX_ADDRESSES]
        found = bench.shared_cases([f"/v1/claims/{id_}" for id_ in ids], counted=False)
        for name, peer in (("datasette", datasette), ("pocketbase", pocketbase)):
            if name in bench.peers:
                found[name] = (bench.server(name), [encode_request(peer.claim_path(id_)) for id_ in ids])
        return found

    return {"one claim": bench.measure(cases, "claim")}


def measure_cold_side_by_sides(bench: BenchmarkRun) -> Numbers:
    """The side-by-side of the large topic and of a small one, each time with another window."""
    share = workload.MAX_WINDOWS // bench.rounds
    return {
        name: bench.measure(
            lambda turn, s=slug: bench.shared_cases(workload.side_by_side_paths(s, turn * share, share), counted=False),  # type: ignore[misc]
            f"side-by-side, {name}",
        )
        for name, slug in (("large", LARGE_TOPIC), ("small", SMALL_TOPIC))
    }


def measure_cold_timelines(bench: BenchmarkRun) -> Numbers:
    """200 rows of a timeline, as known on another day each time."""
    return {
        name: bench.measure(
            lambda turn, s=slug: bench.shared_cases(workload.timeline_paths(s, turn * MAX_ADDRESSES, MAX_ADDRESSES)),  # type: ignore[misc]
            f"timeline, {name}",
        )
        for name, slug in (("large", LARGE_TOPIC), ("small", SMALL_TOPIC))
    }


def measure_cold_searches(bench: BenchmarkRun) -> Numbers:
    """Rare, seldom and frequent words in turn."""
    whole = {"at_least": len(workload.SEARCH_WORDS), "multiple": len(workload.SEARCH_WORDS)}
    return {
        "search": bench.measure(
            lambda turn: bench.shared_cases(workload.search_paths(turn, MAX_ADDRESSES // 2)), "search", **whole
        )
    }


def measure_hot_reads(bench: BenchmarkRun) -> Numbers:
    """The same addresses again and again."""
    found = {}
    for name, paths in bench.hot_paths.items():
        requests = [encode_request(path) for path in paths]
        found[name] = _measure_hot(bench, requests, bench.bare(name)[1] if "bare" in bench.peers else None)
    server = bench.server("ours")
    tags = {path: {k.lower(): v for k, v in server.ask(path)[1]}.get("etag", "") for path in bench.hot_paths["page"]}
    matching = [encode_request(path, {"If-None-Match": tag}) for path, tag in tags.items()]
    found["page, 304"] = _measure_hot(
        bench, matching, [encode_request("/304" + path) for path in bench.hot_paths["page"]]
    )
    for name in COMPRESSED_CASES:
        for encoding in ENCODINGS:
            headers = {"Accept-Encoding": encoding}
            found[f"{name}, {encoding}"] = _measure_hot(
                bench,
                [encode_request(path, headers) for path in bench.hot_paths[name]],
                [encode_request(f"/{encoding}{_with_question_mark(path)}", headers) for path in bench.hot_paths[name]],
            )
    return found


def _measure_hot(bench: BenchmarkRun, requests: list[bytes], replayed: list[bytes] | None) -> Numbers:
    bench.server("ours").load(requests, seconds=0.2, cycle=True, multiple=len(requests))  # so that it has everything
    return bench.measure(
        lambda _turn: (
            {"ours": (bench.server("ours"), requests)}
            | ({"bare": (bench.server("bare"), replayed)} if replayed and "bare" in bench.peers else {})
        ),
        seconds=min(bench.seconds, 1.0),
        cycle=True,
    )


def measure_reads_beside_writes(bench: BenchmarkRun) -> Numbers:
    """Hot and cold pages while claims are recorded."""
    found: Numbers = {}
    server = bench.server("ours")
    again = [encode_request(path) for path in bench.hot_paths["page"] + bench.hot_paths["claim"]]
    for what in ("hot", "cold"):
        runs: dict[str, list[Numbers]] = {}
        for turn in range(bench.rounds if bench.seconds >= 1 else 1):
            for per_second in (0, 1, 10):
                if what == "cold":
                    pages = workload.page_positions(
                        SHAPES, "shallow", bench.facts, MAX_ADDRESSES * 2, 1000 + turn * 10 + per_second
                    )
                    requests = [encode_request(our_page_path(*page)) for page in pages]
                else:
                    requests = again
                with ClaimWriter(bench, per_second) as writer:
                    run = server.load(requests, seconds=max(2.0, bench.seconds * 2), cycle=what == "hot")
                runs.setdefault(f"{per_second} a second", []).append(run | {"commits": writer.commits})
        found[what] = {
            name: summarize_runs(each) | {"commits": sum(run["commits"] for run in each)} for name, each in runs.items()
        }
    return found


class ClaimWriter:
    """Records claims at a steady pace, in a thread."""

    def __init__(self, bench: BenchmarkRun, per_second: int) -> None:
        self.commits = 0
        self._bench = bench
        self._pause_seconds = 1 / per_second if per_second else 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        """Begin."""
        if self._pause_seconds:
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End."""
        self._stopped.set()
        if self._pause_seconds:
            self._thread.join()

    def _write(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._bench.server("ours").port, timeout=60)
        headers = {"Authorization": f"Bearer {self._bench.key}", "Content-Type": "application/json"}
        while not self._stopped.is_set():
            began = time.perf_counter()
            (claim,) = workload.new_claims(itertools.islice(self._bench.numbers, 1), "beside reads")
            connection.request("POST", "/v1/claims", json.dumps(claim), headers)
            answer = connection.getresponse()
            answer.read()
            self.commits += answer.status == 201  # noqa: PLR2004
            self._stopped.wait(max(0.0, self._pause_seconds - (time.perf_counter() - began)))


def measure_workers(bench: BenchmarkRun) -> Numbers:
    """Two worker processes against one; they may use every core, also that of the generator."""
    command = [sys.executable, "-m", "app", "serve", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own command
    if "--workers" not in shown:
        return {}
    found: Numbers = {}
    names = ("ours", "ours-2")
    again = [encode_request(path) for path in bench.hot_paths["page"]]
    found["page, cold"] = bench.measure(
        lambda turn: {
            name: (
                bench.server(name),
                [
                    encode_request(our_page_path(*page))
                    for page in workload.page_positions(SHAPES, "shallow", bench.facts, MAX_ADDRESSES, 2000 + 10 * turn)
                ],
            )
            for name in names
        }
    )
    found["page, hot"] = bench.measure(lambda _turn: {name: (bench.server(name), again) for name in names}, cycle=True)
    return found


def measure_posts(bench: BenchmarkRun) -> Numbers:
    """Single claims, each durable when it is answered."""

    def cases(turn: int) -> LoadCase:
        found: LoadCase = {}
        for peer in ("ours", "naive"):
            claims = workload.new_claims(itertools.islice(bench.numbers, 2000), f"{peer} {turn}")
            bodies = [json.dumps(claim).encode() for claim in claims]
            headers = {"Authorization": f"Bearer {bench.key}"}
            found[peer] = (bench.server(peer), [encode_request("/v1/claims", headers, body) for body in bodies])
        return found

    return {
        "16 at once": bench.measure(cases),
        "one at a time": bench.measure(cases, connections=1),
    }


def measure_start(bench: BenchmarkRun) -> Numbers:
    """From nothing to the first answer."""
    took: dict[str, list[float]] = {}
    for _ in range(bench.rounds):
        for peer in bench.peers:
            server = bench.create_server(peer)
            took.setdefault(peer, []).append(server.start())
            server.stop()
    return {"first answer": {peer: {"seconds": median(each), "runs": each} for peer, each in took.items()}}


def measure_memory(bench: BenchmarkRun) -> Numbers:
    """Idle after the first answer, and after pages and claims under load; ours also after everything else."""
    found: Numbers = {}
    for name in ("ours", "naive", "datasette", "pocketbase"):
        if name not in bench.peers:
            continue
        server = bench.create_server(name)
        server.start()
        idle = server.memory()
        case = {"ours": "ours", "naive": "naive"}.get(name, name)
        requests = _page_requests(bench, case)
        server.load(requests, seconds=max(2.0, bench.seconds))
        found[name] = {"idle": idle, "loaded": server.memory()}
        server.stop()
        if name in bench._servers:  # noqa: SLF001 - our own
            found[name]["after everything"] = bench.server(name).memory()
    return {"memory": found}


def _page_requests(bench: BenchmarkRun, peer: str) -> list[bytes]:
    path: Mapping[str, Callable[..., str]] = {
        "ours": our_page_path,
        "naive": naive_page_path,
        "datasette": datasette.page_path,
        "pocketbase": pocketbase.page_path,
    }
    return [
        encode_request(path[peer](*page))
        for page in workload.page_positions(SHAPES, "deep", bench.facts, MAX_ADDRESSES, 5000)
    ]


MEASURES: dict[str, Callable[[BenchmarkRun], Numbers]] = {
    "agree": check_peer_agreement,
    "start": measure_start,
    "page-cold": measure_cold_pages,
    "claim-cold": measure_cold_claims,
    "sides-cold": measure_cold_side_by_sides,
    "timeline-cold": measure_cold_timelines,
    "search-cold": measure_cold_searches,
    "bounded": measure_bounded_queries,
    "growth": measure_growth,
    "hot": measure_hot_reads,
    "shapes": measure_shapes,
    "export": export_measure.measure_export,
    "workers": measure_workers,
    "writers": measure_reads_beside_writes,
    "post": measure_posts,
    "memory": measure_memory,
}
"""In the order in which they are measured: what writes comes last."""

WRITING_MEASURES = {"writers", "post"}

PLANNED_SECONDS = {
    "agree": 90,
    "start": 20,
    "page-cold": 270,
    "claim-cold": 30,
    "sides-cold": 50,
    "timeline-cold": 60,
    "search-cold": 90,
    "bounded": 90,
    "growth": 60,
    "hot": 110,
    "shapes": 120,
    "export": 120,
    "workers": 40,
    "writers": 80,
    "post": 40,
    "memory": 30,
}
"""Seconds that each measure may take; past them nothing is repeated, and only ours is still asked what was not workload."""
