"""One benchmark run: the register, the servers of the peers, and loads in turns."""

import hashlib
import itertools
import json
import marshal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

from app.database.engine import Database
from app.enums import Role
from app.database.api_keys import create_key
from benchmarks import workload
from benchmarks.peers import datasette, pocketbase
from benchmarks.postgresql import CACHE_FOLDER, postmaster_pid
from benchmarks.read_registers import RegisterStore, fetch_rows, sample_claim_ids
from benchmarks.servers import (
    Server,
    ServerFailed,
    bare_server,
    naive_server,
    our_server,
)
from benchmarks.workload import (
    LARGE_TOPIC,
    SHAPES,
    SMALL_TOPIC,
    PageShape,
    RegisterFacts,
    encode_request,
    list_key,
    naive_page_path,
    our_page_path,
)
from tests.registers import make_settings

MAX_ADDRESSES = 8_000
"""So many different addresses are made for one load."""


LoadCase = dict[str, tuple[Server, list[bytes]]]


Numbers = dict[str, Any]


NAIVE_WITHOUT_COUNT = "naive without count"


LONG_LOAD_SECONDS = 8.0
"""A load that took so many seconds is not repeated in the next turns: one whole round of the mixture is what it was."""


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
                "side-by-side, large": workload.side_by_side_paths(LARGE_TOPIC, workload.MAX_WINDOWS, 2),
                "side-by-side, small": workload.side_by_side_paths(SMALL_TOPIC, workload.MAX_WINDOWS, 2),
                "timeline, large": workload.timeline_paths(LARGE_TOPIC, 99 * MAX_ADDRESSES, 2),
                "timeline, small": workload.timeline_paths(SMALL_TOPIC, 99 * MAX_ADDRESSES, 2),
                "search": workload.search_paths(99, 6),
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
                    list_key(shape, filters): peer.json(f"{naive_page_path(shape, filters, None)}&limit=1")["meta"][
                        "total"
                    ]
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
        wanted = list(workload.page_positions(shapes, depth, self.facts, MAX_ADDRESSES, turn))
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
        """The bare peer, and what it is workload."""
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


ENCODINGS = ("zstd", "br", "gzip")


COMPRESSED_CASES = ("page", "side-by-side, large")
"""These hot answers are asked for in each encoding, too."""


COUNTED_REGISTER_CLAIMS = 100_000
"""How many claims a list has is counted in a register of this size, where it takes no time."""
