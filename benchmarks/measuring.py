"""The measurements: what each peer is asked, in turns, and what came of it."""

import hashlib
import http.client
import itertools
import json
import marshal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

from app.http.auth import create_key
from app.database.engine import Database
from app.enums import Role
from benchmarks import asked, exporting
from benchmarks.agreeing import check_agreement
from benchmarks.asked import LARGE_TOPIC, SHAPES, SMALL_TOPIC, RegisterFacts, PageShape, list_key, naive_page_path, our_page_path, encode_request
from benchmarks.peers import datasette, pocketbase
from benchmarks.postgresql import CACHE_FOLDER, postmaster_pid
from benchmarks.register import RegisterStore, fetch_rows, sample_claim_ids
from benchmarks.servers import Server, ServerFailed, bare_server, naive_server, our_server
from tests.registers import make_settings

MAX_ADDRESSES = 8_000
"""So many different addresses are made for one load."""
LoadCase = dict[str, tuple[Server, list[bytes]]]
Numbers = dict[str, Any]
NAIVE_WITHOUT_COUNT = "naive without count"
LONG_LOAD_SECONDS = 8.0
"""A load that took so many seconds is not repeated in the next turns: one whole round of the mixture is what it was."""
ENCODINGS = ("zstd", "br", "gzip")
COMPRESSED_CASES = ("page", "side-by-side, large")
"""These hot answers are asked for in each encoding, too."""


class BenchmarkRun:
    """One register, the servers over it, and what is known of it. Servers start when they are first needed."""

    def __init__(self, store: RegisterStore, claims: int, rounds: int, seconds: float, peers: Sequence[str]) -> None:
        self.store = store
        self.claims = claims
        self.rounds = rounds
        self.seconds = seconds
        self.peers = [peer for peer in peers if self._is_available(peer)]
        self.numbers = itertools.count()
        self.deadline = float("inf")
        """The time until which the measure goes on; past it nothing is repeated."""
        self._servers: dict[str, Server] = {}
        self._hot_paths: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        """Copy the register, and learn what the addresses are made from."""
        # What nobody writes to is not copied: ten million claims take tens of gigabytes.
        self.url = self.store.copy(self.claims) if self.claims <= MAX_COPIED_CLAIMS else self.store.filled(self.claims)
        database = Database(make_settings(self.url))
        with database.write() as session:
            self.key = create_key(session, "benchmark", Role.editor)
        database.close()
        self.facts = RegisterFacts(sample_claim_ids(self.url), int(fetch_rows(self.url, "SELECT seq FROM clock")[0][0]))
        self._load_totals()
        if "pocketbase" in self.peers:
            self.create_server("pocketbase")  # the first time it takes minutes, which belong to no measure
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End the servers, and throw the copy away."""
        for server in self._servers.values():
            server.stop()
        self.store.clear()

    def _is_available(self, peer: str) -> bool:
        if peer == "datasette":
            return self.store.kind == "sqlite" and datasette.is_installed()
        if peer == "pocketbase":
            return self.store.kind == "sqlite" and pocketbase.is_installed()
        return True

    def create_server(self, name: str) -> Server:
        """A server that has not been started."""
        database = postmaster_pid() if self.store.kind == "postgresql" else None
        match name:
            case "ours":
                return our_server(self.url, database)
            case "ours-2":
                return our_server(self.url, database, 2)
            case "forgetful":
                return our_server(self.url, database, remembering=False)
            case "forgetful, a tenth":
                return our_server(self.tenth, database, remembering=False)
            case "naive":
                return naive_server(self.url, database)
            case "datasette":
                return datasette.create_server(self.store.filled(self.claims))
            case "pocketbase":
                return pocketbase.create_server(self.store.filled(self.claims))
            case _:
                return bare_server(self._record_answers())

    @cached_property
    def tenth(self) -> str:
        """A copy of the register that has a tenth as many claims."""
        return self.store.copy(self.claims // 10)

    def server(self, name: str) -> Server:
        """A server that runs."""
        if name not in self._servers:
            made = self.create_server(name)
            made.start()
            self._servers[name] = made
        return self._servers[name]

    @property
    def hot_paths(self) -> dict[str, list[str]]:
        """Addresses that are asked again and again, by what they are."""
        if not self._hot_paths:
            claims = [f"/v1/claims/{id_}" for id_ in self.facts.claim_ids[:40]]
            self._hot_paths = {
                "page": [our_page_path(shape, shape.filters[0], None) for shape in SHAPES],
                "claim": claims,
                "side-by-side, large": asked.side_by_side_paths(LARGE_TOPIC, asked.MAX_WINDOWS, 2),
                "side-by-side, small": asked.side_by_side_paths(SMALL_TOPIC, asked.MAX_WINDOWS, 2),
                "timeline, large": asked.timeline_paths(LARGE_TOPIC, 99 * MAX_ADDRESSES, 2),
                "timeline, small": asked.timeline_paths(SMALL_TOPIC, 99 * MAX_ADDRESSES, 2),
                "search": asked.search_paths(99, 6),
                "CSV of 50": [
                    page.replace("/v1/claims?", "/v1/claims.csv?")
                    for page in (our_page_path(shape, shape.filters[0], None) for shape in SHAPES)
                ],
                "topic": [f"/v1/topics/topic-{n}" for n in (0, 3, 6)],
                "sources": ["/v1/sources?limit=50", "/v1/sources/source-0"],
            }
        return self._hot_paths

    def _record_answers(self) -> Path:
        """What ours sends at each hot address, in a side file."""
        server = self.server("ours")
        answers: dict[str, Any] = {"/ready?": (200, [(b"content-length", b"0")], b"")}

        def record(way: str, path: str, headers: Mapping[str, str], wanted: int) -> dict[str, str]:
            status, sent, body = server.ask(path, headers)
            if status != wanted:
                raise ServerFailed(f"ours answers {path} with {status}: {body[:500]!r}")
            answers[way + _with_question_mark(path)] = (status, _encode_headers(sent), body)
            return {name.lower(): value for name, value in sent}

        for path in {path for paths in self.hot_paths.values() for path in paths}:
            if tag := record("", path, {}, 200).get("etag"):
                record("/304", path, {"If-None-Match": tag}, 304)
        for path in {path for name in COMPRESSED_CASES for path in self.hot_paths[name]}:
            for encoding in ENCODINGS:
                said = record(f"/{encoding}", path, {"Accept-Encoding": encoding}, 200)
                if said.get("content-encoding") != encoding:
                    raise ServerFailed(f"ours does not answer {path} in {encoding}")
        file = CACHE_FOLDER / "work" / "answers"
        file.write_bytes(marshal.dumps(answers))
        return file

    def _load_totals(self) -> None:
        """About how many claims each set of filters has: asked once of the naive peer over a smaller register, kept."""
        claims = min(self.claims, COUNTED_REGISTER_CLAIMS)
        url = self.store.filled(claims)
        register = url.rpartition("bench_")[2].partition("?")[0].removesuffix(".db")
        name = hashlib.sha256(repr((SHAPES, register)).encode())
        path = CACHE_FOLDER / "registers" / f"totals_{name.hexdigest()[:12]}.json"
        if not path.exists():
            peer = naive_server(url, None)
            peer.start()
            wanted = [(shape, filters) for shape in SHAPES for filters in shape.filters]
            try:
                totals = {
                    list_key(shape, filters): peer.json(f"{naive_page_path(shape, filters, None)}&limit=1")["meta"]["total"]
                    for shape, filters in wanted
                }
            finally:
                peer.stop()
            path.write_text(json.dumps(totals, indent=1))
        known = json.loads(path.read_text())
        self.facts.totals.update({key: total * self.claims // claims for key, total in known.items()})

    def page_cases(self, shapes: Sequence[PageShape], depth: str, turn: int) -> LoadCase:
        """The same pages in the words of each peer."""
        asking: dict[str, Callable[..., str]] = {
            "ours": our_page_path,
            "naive": naive_page_path,
            NAIVE_WITHOUT_COUNT: lambda *page: naive_page_path(*page, count=False),
            "datasette": datasette.page_path,
            "pocketbase": pocketbase.page_path,
        }
        found: LoadCase = {}
        wanted = list(asked.page_positions(shapes, depth, self.facts, MAX_ADDRESSES, turn))
        for peer, path in asking.items():
            if peer in self.peers or (peer == NAIVE_WITHOUT_COUNT and "naive" in self.peers):
                number = MAX_ADDRESSES if peer == "ours" else MAX_ADDRESSES // 4
                requests = [encode_request(path(*page)) for page in wanted[:number]]
                found[peer] = (self.server(peer.split()[0]), requests)
        return found

    def shared_cases(self, paths: Sequence[str], *, counted: bool = True) -> LoadCase:
        """Addresses that ours and the naive peer share."""
        found: LoadCase = {}
        if "ours" in self.peers:
            found["ours"] = (self.server("ours"), [encode_request(path) for path in paths])
        if "naive" in self.peers:
            found["naive"] = (self.server("naive"), [encode_request(path) for path in paths])
            if counted:
                uncounted = [f"{path}{'&' if '?' in path else '?'}count=false" for path in paths]
                found[NAIVE_WITHOUT_COUNT] = (self.server("naive"), [encode_request(path) for path in uncounted])
        return found

    def bare(self, hot: str) -> tuple[Server, list[bytes]]:
        """The bare peer, and what it is asked."""
        return self.server("bare"), [encode_request(_with_question_mark(path)) for path in self.hot_paths[hot]]

    @property
    def is_late(self) -> bool:
        """Whether the time of this measure is over."""
        return time.monotonic() > self.deadline

    def measure(
        self,
        cases: Callable[[int], LoadCase],
        hot: str | None = None,
        rounds: int | None = None,
        **plan: Any,  # noqa: ANN401
    ) -> Numbers:
        """Load every peer in turn, `rounds` times; each with its medians.

        Whoever took `LONG` is not asked again. Past the time of the measure nobody is, and peers not even once.
        """
        runs: dict[str, list[Numbers]] = {}
        for turn in range(rounds or self.rounds):
            if turn and self.is_late:
                break
            for peer, (server, requests) in cases(turn).items():
                before = runs.get(peer, [])
                slow = bool(before) and before[-1]["seconds"] > LONG_LOAD_SECONDS
                if slow or (self.is_late and not server.name.startswith("ours")):
                    continue
                runs[peer] = [*before, server.load(requests, **{"seconds": self.seconds, **plan})]
            if hot is not None and "bare" in self.peers:
                server, requests = self.bare(hot)
                seconds = min(self.seconds, 1.0)
                runs.setdefault("bare", []).append(server.load(requests, seconds=seconds, cycle=True))
        return {peer: summarize_runs(each) for peer, each in runs.items()}


MAX_COPIED_CLAIMS = 2_000_000
"""Up to so many claims the register is copied before it is served."""
COUNTED_REGISTER_CLAIMS = 100_000
"""How many claims a list has is counted in a register of this size, where it takes no time."""
MAX_COMPARED_CLAIMS = 200_000
"""Beyond so many claims one set of values of each shape is compared, and every shape by itself is asked once only."""


def summarize_runs(runs: Sequence[Numbers]) -> Numbers:
    """The medians of several runs, and the runs."""
    names = ("rate", "p50", "p99", "longest", "cpu_us", "busy", "connections")
    kept = [{name: run[name] for name in (*names, "done", "refused", "seconds")} for run in runs]
    size = sum(run["received"] for run in runs) / sum(run["done"] for run in runs)
    return {
        **{name: median(run[name] for run in runs) for name in names},
        "bytes": round(size),
        **_sum_counts(kept),
        "runs": kept,
    }


def _sum_counts(runs: Sequence[Numbers]) -> Numbers:
    return {"done": sum(run["done"] for run in runs), "refused": sum(run["refused"] for run in runs)}


def _encode_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value.encode()) for name, value in headers if name.lower() not in {"date", "server"}
    ]


def _with_question_mark(path: str) -> str:
    return path if "?" in path else path + "?"


def check_peer_agreement(bench: BenchmarkRun) -> Numbers:
    """Nothing else is worth measuring if the answers differ."""
    return check_agreement(
        bench.server("ours"),
        bench.server("naive"),
        bench.facts,
        LARGE_TOPIC,
        SMALL_TOPIC,
        sets=asked.SETS_PER_SHAPE if bench.seconds >= 1 and bench.claims <= MAX_COMPARED_CLAIMS else 1,
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
                [encode_request(path) for path in asked.bounded_page_paths(name, bench.facts, MAX_ADDRESSES // 8, turn)],
            )
            for name in asked.BOUNDED_QUERIES
        }

    return {"pages": bench.measure(cases, connections=1, at_least=40, multiple=asked.FORMS_PER_ROUND, refusal="query_too_broad")}


def measure_growth(bench: BenchmarkRun) -> Numbers:
    """First and deep pages of full size, here and in a register a tenth as large; no answer is remembered."""
    shapes = asked.deep_shapes(bench.facts)
    tenth = bench.server("forgetful, a tenth")
    seq = int(fetch_rows(bench.tenth, "SELECT seq FROM clock")[0][0])
    less = RegisterFacts([], seq, {key: total // 10 for key, total in bench.facts.totals.items()})

    def cases(turn: int) -> LoadCase:
        found: LoadCase = {}
        for size, server, known in (("", bench.server("forgetful"), bench.facts), (" of a tenth", tenth, less)):
            for name, depth in (("first", "shallow"), ("deep", "deep")):
                pages = asked.page_positions(shapes, depth, known, MAX_ADDRESSES // 2, 6000 + turn)
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
                found[name] = (bench.server(name), [encode_request(peer.claim(id_)) for id_ in ids])
        return found

    return {"one claim": bench.measure(cases, "claim")}


def measure_cold_side_by_sides(bench: BenchmarkRun) -> Numbers:
    """The side-by-side of the large topic and of a small one, each time with another window."""
    share = asked.MAX_WINDOWS // bench.rounds
    return {
        name: bench.measure(
            lambda turn, s=slug: bench.shared_cases(asked.side_by_side_paths(s, turn * share, share), counted=False),  # type: ignore[misc]
            f"side-by-side, {name}",
        )
        for name, slug in (("large", LARGE_TOPIC), ("small", SMALL_TOPIC))
    }


def measure_cold_timelines(bench: BenchmarkRun) -> Numbers:
    """200 rows of a timeline, as known on another day each time."""
    return {
        name: bench.measure(
            lambda turn, s=slug: bench.shared_cases(asked.timeline_paths(s, turn * MAX_ADDRESSES, MAX_ADDRESSES)),  # type: ignore[misc]
            f"timeline, {name}",
        )
        for name, slug in (("large", LARGE_TOPIC), ("small", SMALL_TOPIC))
    }


def measure_cold_searches(bench: BenchmarkRun) -> Numbers:
    """Rare, seldom and frequent words in turn."""
    whole = {"at_least": len(asked.SEARCH_WORDS), "multiple": len(asked.SEARCH_WORDS)}
    return {"search": bench.measure(lambda turn: bench.shared_cases(asked.search_paths(turn, MAX_ADDRESSES // 2)), "search", **whole)}


def measure_hot_reads(bench: BenchmarkRun) -> Numbers:
    """The same addresses again and again."""
    found = {}
    for name, paths in bench.hot_paths.items():
        requests = [encode_request(path) for path in paths]
        found[name] = _measure_hot(bench, requests, bench.bare(name)[1] if "bare" in bench.peers else None)
    server = bench.server("ours")
    tags = {path: {k.lower(): v for k, v in server.ask(path)[1]}.get("etag", "") for path in bench.hot_paths["page"]}
    matching = [encode_request(path, {"If-None-Match": tag}) for path, tag in tags.items()]
    found["page, 304"] = _measure_hot(bench, matching, [encode_request("/304" + path) for path in bench.hot_paths["page"]])
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
                    pages = asked.page_positions(SHAPES, "shallow", bench.facts, MAX_ADDRESSES * 2, 1000 + turn * 10 + per_second)
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
            (claim,) = asked.new_claims(1, f"{next(self._bench.numbers)}")
            claim["figure"] = unique_figure(next(self._bench.numbers))
            connection.request("POST", "/v1/claims", json.dumps(claim), headers)
            answer = connection.getresponse()
            answer.read()
            self.commits += answer.status == 201  # noqa: PLR2004
            self._stopped.wait(max(0.0, self._pause_seconds - (time.perf_counter() - began)))


def unique_figure(number: int) -> Numbers:
    """A figure that no other claim of the run has."""
    return {"as_printed": f"{10**8 + number}", "value": 10**8 + number}


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
                    for page in asked.page_positions(SHAPES, "shallow", bench.facts, MAX_ADDRESSES, 2000 + 10 * turn)
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
            claims = asked.new_claims(2000, f"{peer} {turn} {next(bench.numbers)}")
            bodies = [json.dumps(claim | {"figure": unique_figure(next(bench.numbers))}).encode() for claim in claims]
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
    return [encode_request(path[peer](*page)) for page in asked.page_positions(SHAPES, "deep", bench.facts, MAX_ADDRESSES, 5000)]


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
    "export": exporting.measure_export,
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
"""Seconds that each measure may take; past them nothing is repeated, and only ours is still asked what was not asked."""
