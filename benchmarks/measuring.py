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
from benchmarks.asked import LARGE_TOPIC, SHAPES, SMALL_TOPIC, Known, Shape, key_of, naive_page, ours_page, request
from benchmarks.peers import datasette, pocketbase
from benchmarks.register import CACHE, Store, known_ids, postmaster, rows
from benchmarks.servers import Server, ServerFailed, bare, naive, ours
from tests.registers import make_settings

MOST = 8_000
"""So many different addresses are made for one load."""
Case = dict[str, tuple[Server, list[bytes]]]
Numbers = dict[str, Any]
UNCOUNTED = "naive without count"
LONG = 8.0
"""A load that took so many seconds is not repeated in the next turns: one whole round of the mixture is what it was."""
ENCODINGS = ("zstd", "br", "gzip")
COMPRESSED = ("page", "side-by-side, large")
"""These hot answers are asked for in each encoding, too."""


class Bench:
    """One register, the servers over it, and what is known of it. Servers start when they are first needed."""

    def __init__(self, store: Store, claims: int, rounds: int, seconds: float, peers: Sequence[str]) -> None:
        self.store = store
        self.claims = claims
        self.rounds = rounds
        self.seconds = seconds
        self.peers = [peer for peer in peers if self._possible(peer)]
        self.numbers = itertools.count()
        self.until = float("inf")
        """The time until which the measure goes on; past it nothing is repeated."""
        self._servers: dict[str, Server] = {}
        self._hot: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        """Copy the register, and learn what the addresses are made from."""
        # What nobody writes to is not copied: ten million claims take tens of gigabytes.
        self.url = self.store.copy(self.claims) if self.claims <= WHOLE else self.store.filled(self.claims)
        database = Database(make_settings(self.url))
        with database.write() as session:
            self.key = create_key(session, "benchmark", Role.editor)
        database.close()
        self.known = Known(known_ids(self.url), int(rows(self.url, "SELECT seq FROM clock")[0][0]))
        self._ask_totals()
        if "pocketbase" in self.peers:
            self.make("pocketbase")  # the first time it takes minutes, which belong to no measure
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End the servers, and throw the copy away."""
        for server in self._servers.values():
            server.stop()
        self.store.clear()

    def _possible(self, peer: str) -> bool:
        if peer == "datasette":
            return self.store.kind == "sqlite" and datasette.there()
        if peer == "pocketbase":
            return self.store.kind == "sqlite" and pocketbase.there()
        return True

    def make(self, name: str) -> Server:
        """A server that has not been started."""
        database = postmaster() if self.store.kind == "postgresql" else None
        match name:
            case "ours":
                return ours(self.url, database)
            case "ours-2":
                return ours(self.url, database, 2)
            case "forgetful":
                return ours(self.url, database, remembering=False)
            case "forgetful, a tenth":
                return ours(self.tenth, database, remembering=False)
            case "naive":
                return naive(self.url, database)
            case "datasette":
                return datasette.server(self.store.filled(self.claims))
            case "pocketbase":
                return pocketbase.server(self.store.filled(self.claims))
            case _:
                return bare(self._recorded())

    @cached_property
    def tenth(self) -> str:
        """A copy of the register that has a tenth as many claims."""
        return self.store.copy(self.claims // 10)

    def server(self, name: str) -> Server:
        """A server that runs."""
        if name not in self._servers:
            made = self.make(name)
            made.start()
            self._servers[name] = made
        return self._servers[name]

    @property
    def hot(self) -> dict[str, list[str]]:
        """Addresses that are asked again and again, by what they are."""
        if not self._hot:
            claims = [f"/v1/claims/{id_}" for id_ in self.known.ids[:40]]
            self._hot = {
                "page": [ours_page(shape, shape.filters[0], None) for shape in SHAPES],
                "claim": claims,
                "side-by-side, large": asked.sides(LARGE_TOPIC, asked.WINDOWS, 2),
                "side-by-side, small": asked.sides(SMALL_TOPIC, asked.WINDOWS, 2),
                "timeline, large": asked.timelines(LARGE_TOPIC, 99 * MOST, 2),
                "timeline, small": asked.timelines(SMALL_TOPIC, 99 * MOST, 2),
                "search": asked.searches(99, 6),
                "CSV of 50": [
                    page.replace("/v1/claims?", "/v1/claims.csv?")
                    for page in (ours_page(shape, shape.filters[0], None) for shape in SHAPES)
                ],
                "topic": [f"/v1/topics/topic-{n}" for n in (0, 3, 6)],
                "sources": ["/v1/sources?limit=50", "/v1/sources/source-0"],
            }
        return self._hot

    def _recorded(self) -> Path:
        """What ours sends at each hot address, in a side file."""
        server = self.server("ours")
        answers: dict[str, Any] = {"/ready?": (200, [(b"content-length", b"0")], b"")}

        def record(way: str, path: str, headers: Mapping[str, str], wanted: int) -> dict[str, str]:
            status, sent, body = server.ask(path, headers)
            if status != wanted:
                raise ServerFailed(f"ours answers {path} with {status}: {body[:500]!r}")
            answers[way + _address(path)] = (status, _kept(sent), body)
            return {name.lower(): value for name, value in sent}

        for path in {path for paths in self.hot.values() for path in paths}:
            if tag := record("", path, {}, 200).get("etag"):
                record("/304", path, {"If-None-Match": tag}, 304)
        for path in {path for name in COMPRESSED for path in self.hot[name]}:
            for encoding in ENCODINGS:
                said = record(f"/{encoding}", path, {"Accept-Encoding": encoding}, 200)
                if said.get("content-encoding") != encoding:
                    raise ServerFailed(f"ours does not answer {path} in {encoding}")
        file = CACHE / "work" / "answers"
        file.write_bytes(marshal.dumps(answers))
        return file

    def _ask_totals(self) -> None:
        """About how many claims each set of filters has: asked once of the naive peer over a smaller register, kept."""
        claims = min(self.claims, COUNTED)
        url = self.store.filled(claims)
        register = url.rpartition("bench_")[2].partition("?")[0].removesuffix(".db")
        name = hashlib.sha256(repr((SHAPES, register)).encode())
        path = CACHE / "registers" / f"totals_{name.hexdigest()[:12]}.json"
        if not path.exists():
            peer = naive(url, None)
            peer.start()
            wanted = [(shape, filters) for shape in SHAPES for filters in shape.filters]
            try:
                totals = {
                    key_of(shape, filters): peer.json(f"{naive_page(shape, filters, None)}&limit=1")["meta"]["total"]
                    for shape, filters in wanted
                }
            finally:
                peer.stop()
            path.write_text(json.dumps(totals, indent=1))
        known = json.loads(path.read_text())
        self.known.totals.update({key: total * self.claims // claims for key, total in known.items()})

    def pages(self, shapes: Sequence[Shape], depth: str, turn: int) -> Case:
        """The same pages in the words of each peer."""
        asking: dict[str, Callable[..., str]] = {
            "ours": ours_page,
            "naive": naive_page,
            UNCOUNTED: lambda *page: naive_page(*page, count=False),
            "datasette": datasette.page,
            "pocketbase": pocketbase.page,
        }
        found: Case = {}
        wanted = list(asked.places(shapes, depth, self.known, MOST, turn))
        for peer, path in asking.items():
            if peer in self.peers or (peer == UNCOUNTED and "naive" in self.peers):
                number = MOST if peer == "ours" else MOST // 4
                requests = [request(path(*page)) for page in wanted[:number]]
                found[peer] = (self.server(peer.split()[0]), requests)
        return found

    def same(self, paths: Sequence[str], *, counted: bool = True) -> Case:
        """Addresses that ours and the naive peer share."""
        found: Case = {}
        if "ours" in self.peers:
            found["ours"] = (self.server("ours"), [request(path) for path in paths])
        if "naive" in self.peers:
            found["naive"] = (self.server("naive"), [request(path) for path in paths])
            if counted:
                uncounted = [f"{path}{'&' if '?' in path else '?'}count=false" for path in paths]
                found[UNCOUNTED] = (self.server("naive"), [request(path) for path in uncounted])
        return found

    def bare(self, hot: str) -> tuple[Server, list[bytes]]:
        """The bare peer, and what it is asked."""
        return self.server("bare"), [request(_address(path)) for path in self.hot[hot]]

    @property
    def late(self) -> bool:
        """Whether the time of this measure is over."""
        return time.monotonic() > self.until

    def contest(
        self,
        cases: Callable[[int], Case],
        hot: str | None = None,
        rounds: int | None = None,
        **plan: Any,  # noqa: ANN401
    ) -> Numbers:
        """Load every peer in turn, `rounds` times; each with its medians.

        Whoever took `LONG` is not asked again. Past the time of the measure nobody is, and peers not even once.
        """
        runs: dict[str, list[Numbers]] = {}
        for turn in range(rounds or self.rounds):
            if turn and self.late:
                break
            for peer, (server, requests) in cases(turn).items():
                before = runs.get(peer, [])
                slow = bool(before) and before[-1]["seconds"] > LONG
                if slow or (self.late and not server.name.startswith("ours")):
                    continue
                runs[peer] = [*before, server.load(requests, **{"seconds": self.seconds, **plan})]
            if hot is not None and "bare" in self.peers:
                server, requests = self.bare(hot)
                seconds = min(self.seconds, 1.0)
                runs.setdefault("bare", []).append(server.load(requests, seconds=seconds, cycle=True))
        return {peer: medians(each) for peer, each in runs.items()}


WHOLE = 2_000_000
"""Up to so many claims the register is copied before it is served."""
COUNTED = 100_000
"""How many claims a list has is counted in a register of this size, where it takes no time."""
MANY = 200_000
"""Beyond so many claims one set of values of each shape is compared, and every shape by itself is asked once only."""


def medians(runs: Sequence[Numbers]) -> Numbers:
    """The medians of several runs, and the runs."""
    names = ("rate", "p50", "p99", "longest", "cpu_us", "busy", "connections")
    kept = [{name: run[name] for name in (*names, "done", "refused", "seconds")} for run in runs]
    size = sum(run["received"] for run in runs) / sum(run["done"] for run in runs)
    return {
        **{name: median(run[name] for run in runs) for name in names},
        "bytes": round(size),
        **_sums(kept),
        "runs": kept,
    }


def _sums(runs: Sequence[Numbers]) -> Numbers:
    return {"done": sum(run["done"] for run in runs), "refused": sum(run["refused"] for run in runs)}


def _kept(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value.encode()) for name, value in headers if name.lower() not in {"date", "server"}
    ]


def _address(path: str) -> str:
    return path if "?" in path else path + "?"


def agreement(bench: Bench) -> Numbers:
    """Nothing else is worth measuring if the answers differ."""
    return check_agreement(
        bench.server("ours"),
        bench.server("naive"),
        bench.known,
        LARGE_TOPIC,
        SMALL_TOPIC,
        sets=asked.SETS if bench.seconds >= 1 and bench.claims <= MANY else 1,
    )


def page_cold(bench: Bench) -> Numbers:
    """All twenty shapes in turn, each address once."""
    whole = {"at_least": len(SHAPES), "multiple": len(SHAPES)}
    return {
        depth: bench.contest(lambda turn, d=depth: bench.pages(SHAPES, d, turn), "page", **whole)  # type: ignore[misc]
        for depth in ("shallow", "deep")
    }


def shapes(bench: Bench) -> Numbers:
    """Every shape by itself, as far as the time goes."""
    return {
        f"{shape.name}, {depth}": bench.contest(
            lambda turn, s=shape, d=depth: bench.pages([s], d, 100 + turn),  # type: ignore[misc]
            rounds=1 if bench.claims > MANY else None,
            seconds=bench.seconds / 4,
        )
        for shape in SHAPES
        for depth in ("shallow", "deep")
        if not bench.late
    }


def bounded(bench: Bench) -> Numbers:
    """Questions that no index leads straight to, one at a time; a question may be refused as too broad."""

    def cases(turn: int) -> Case:
        return {
            name: (
                bench.server("ours"),
                [request(path) for path in asked.bounded_pages(name, bench.known, MOST // 8, turn)],
            )
            for name in asked.BOUNDED
        }

    return {"pages": bench.contest(cases, connections=1, at_least=40, multiple=asked.FORMS, refusal="query_too_broad")}


def growth(bench: Bench) -> Numbers:
    """First and deep pages of full size, here and in a register a tenth as large; no answer is remembered."""
    shapes = asked.spread(bench.known)
    tenth = bench.server("forgetful, a tenth")
    seq = int(rows(bench.tenth, "SELECT seq FROM clock")[0][0])
    less = Known([], seq, {key: total // 10 for key, total in bench.known.totals.items()})

    def cases(turn: int) -> Case:
        found: Case = {}
        for size, server, known in (("", bench.server("forgetful"), bench.known), (" of a tenth", tenth, less)):
            for name, depth in (("first", "shallow"), ("deep", "deep")):
                pages = asked.places(shapes, depth, known, MOST // 2, 6000 + turn)
                found[f"{name} page{size}"] = (server, [request(ours_page(*page)) for page in pages])
        return found

    return {"pages": bench.contest(cases, connections=4, at_least=len(shapes), multiple=len(shapes))}


def claim_cold(bench: Bench) -> Numbers:
    """One claim, each once."""

    def cases(turn: int) -> Case:
        ids = bench.known.ids[turn :: bench.rounds][:MOST]
        found = bench.same([f"/v1/claims/{id_}" for id_ in ids], counted=False)
        for name, peer in (("datasette", datasette), ("pocketbase", pocketbase)):
            if name in bench.peers:
                found[name] = (bench.server(name), [request(peer.claim(id_)) for id_ in ids])
        return found

    return {"one claim": bench.contest(cases, "claim")}


def sides_cold(bench: Bench) -> Numbers:
    """The side-by-side of the large topic and of a small one, each time with another window."""
    share = asked.WINDOWS // bench.rounds
    return {
        name: bench.contest(
            lambda turn, s=slug: bench.same(asked.sides(s, turn * share, share), counted=False),  # type: ignore[misc]
            f"side-by-side, {name}",
        )
        for name, slug in (("large", LARGE_TOPIC), ("small", SMALL_TOPIC))
    }


def timeline_cold(bench: Bench) -> Numbers:
    """200 rows of a timeline, as known on another day each time."""
    return {
        name: bench.contest(
            lambda turn, s=slug: bench.same(asked.timelines(s, turn * MOST, MOST)),  # type: ignore[misc]
            f"timeline, {name}",
        )
        for name, slug in (("large", LARGE_TOPIC), ("small", SMALL_TOPIC))
    }


def search_cold(bench: Bench) -> Numbers:
    """Rare, seldom and frequent words in turn."""
    whole = {"at_least": len(asked.WORDS), "multiple": len(asked.WORDS)}
    return {"search": bench.contest(lambda turn: bench.same(asked.searches(turn, MOST // 2)), "search", **whole)}


def hot(bench: Bench) -> Numbers:
    """The same addresses again and again."""
    found = {}
    for name, paths in bench.hot.items():
        requests = [request(path) for path in paths]
        found[name] = _hot(bench, requests, bench.bare(name)[1] if "bare" in bench.peers else None)
    server = bench.server("ours")
    tags = {path: {k.lower(): v for k, v in server.ask(path)[1]}.get("etag", "") for path in bench.hot["page"]}
    matching = [request(path, {"If-None-Match": tag}) for path, tag in tags.items()]
    found["page, 304"] = _hot(bench, matching, [request("/304" + path) for path in bench.hot["page"]])
    for name in COMPRESSED:
        for encoding in ENCODINGS:
            headers = {"Accept-Encoding": encoding}
            found[f"{name}, {encoding}"] = _hot(
                bench,
                [request(path, headers) for path in bench.hot[name]],
                [request(f"/{encoding}{_address(path)}", headers) for path in bench.hot[name]],
            )
    return found


def _hot(bench: Bench, requests: list[bytes], replayed: list[bytes] | None) -> Numbers:
    bench.server("ours").load(requests, seconds=0.2, cycle=True, multiple=len(requests))  # so that it has everything
    return bench.contest(
        lambda _turn: (
            {"ours": (bench.server("ours"), requests)}
            | ({"bare": (bench.server("bare"), replayed)} if replayed and "bare" in bench.peers else {})
        ),
        seconds=min(bench.seconds, 1.0),
        cycle=True,
    )


def writers(bench: Bench) -> Numbers:
    """Hot and cold pages while claims are recorded."""
    found: Numbers = {}
    server = bench.server("ours")
    again = [request(path) for path in bench.hot["page"] + bench.hot["claim"]]
    for what in ("hot", "cold"):
        runs: dict[str, list[Numbers]] = {}
        for turn in range(bench.rounds if bench.seconds >= 1 else 1):
            for per_second in (0, 1, 10):
                if what == "cold":
                    pages = asked.places(SHAPES, "shallow", bench.known, MOST * 2, 1000 + turn * 10 + per_second)
                    requests = [request(ours_page(*page)) for page in pages]
                else:
                    requests = again
                with Writer(bench, per_second) as writer:
                    run = server.load(requests, seconds=max(2.0, bench.seconds * 2), cycle=what == "hot")
                runs.setdefault(f"{per_second} a second", []).append(run | {"commits": writer.commits})
        found[what] = {
            name: medians(each) | {"commits": sum(run["commits"] for run in each)} for name, each in runs.items()
        }
    return found


class Writer:
    """Records claims at a steady pace, in a thread."""

    def __init__(self, bench: Bench, per_second: int) -> None:
        self.commits = 0
        self._bench = bench
        self._pause = 1 / per_second if per_second else 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        """Begin."""
        if self._pause:
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End."""
        self._over.set()
        if self._pause:
            self._thread.join()

    def _write(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._bench.server("ours").port, timeout=60)
        headers = {"Authorization": f"Bearer {self._bench.key}", "Content-Type": "application/json"}
        while not self._over.is_set():
            began = time.perf_counter()
            (claim,) = asked.new_claims(1, f"{next(self._bench.numbers)}")
            claim["figure"] = figure(next(self._bench.numbers))
            connection.request("POST", "/v1/claims", json.dumps(claim), headers)
            answer = connection.getresponse()
            answer.read()
            self.commits += answer.status == 201  # noqa: PLR2004
            self._over.wait(max(0.0, self._pause - (time.perf_counter() - began)))


def figure(number: int) -> Numbers:
    """A figure that no other claim of the run has."""
    return {"as_printed": f"{10**8 + number}", "value": 10**8 + number}


def workers(bench: Bench) -> Numbers:
    """Two worker processes against one; they may use every core, also that of the generator."""
    command = [sys.executable, "-m", "app", "serve", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own command
    if "--workers" not in shown:
        return {}
    found: Numbers = {}
    names = ("ours", "ours-2")
    again = [request(path) for path in bench.hot["page"]]
    found["page, cold"] = bench.contest(
        lambda turn: {
            name: (
                bench.server(name),
                [
                    request(ours_page(*page))
                    for page in asked.places(SHAPES, "shallow", bench.known, MOST, 2000 + 10 * turn)
                ],
            )
            for name in names
        }
    )
    found["page, hot"] = bench.contest(lambda _turn: {name: (bench.server(name), again) for name in names}, cycle=True)
    return found


def post(bench: Bench) -> Numbers:
    """Single claims, each durable when it is answered."""

    def cases(turn: int) -> Case:
        found: Case = {}
        for peer in ("ours", "naive"):
            claims = asked.new_claims(2000, f"{peer} {turn} {next(bench.numbers)}")
            bodies = [json.dumps(claim | {"figure": figure(next(bench.numbers))}).encode() for claim in claims]
            headers = {"Authorization": f"Bearer {bench.key}"}
            found[peer] = (bench.server(peer), [request("/v1/claims", headers, body) for body in bodies])
        return found

    return {
        "16 at once": bench.contest(cases),
        "one at a time": bench.contest(cases, connections=1),
    }


def start(bench: Bench) -> Numbers:
    """From nothing to the first answer."""
    took: dict[str, list[float]] = {}
    for _ in range(bench.rounds):
        for peer in bench.peers:
            server = bench.make(peer)
            took.setdefault(peer, []).append(server.start())
            server.stop()
    return {"first answer": {peer: {"seconds": median(each), "runs": each} for peer, each in took.items()}}


def memory(bench: Bench) -> Numbers:
    """Idle after the first answer, and after pages and claims under load; ours also after everything else."""
    found: Numbers = {}
    for name in ("ours", "naive", "datasette", "pocketbase"):
        if name not in bench.peers:
            continue
        server = bench.make(name)
        server.start()
        idle = server.memory()
        case = {"ours": "ours", "naive": "naive"}.get(name, name)
        requests = _pages_of(bench, case)
        server.load(requests, seconds=max(2.0, bench.seconds))
        found[name] = {"idle": idle, "loaded": server.memory()}
        server.stop()
        if name in bench._servers:  # noqa: SLF001 - our own
            found[name]["after everything"] = bench.server(name).memory()
    return {"memory": found}


def _pages_of(bench: Bench, peer: str) -> list[bytes]:
    path: Mapping[str, Callable[..., str]] = {
        "ours": ours_page,
        "naive": naive_page,
        "datasette": datasette.page,
        "pocketbase": pocketbase.page,
    }
    return [request(path[peer](*page)) for page in asked.places(SHAPES, "deep", bench.known, MOST, 5000)]


MEASURES: dict[str, Callable[[Bench], Numbers]] = {
    "agree": agreement,
    "start": start,
    "page-cold": page_cold,
    "claim-cold": claim_cold,
    "sides-cold": sides_cold,
    "timeline-cold": timeline_cold,
    "search-cold": search_cold,
    "bounded": bounded,
    "growth": growth,
    "hot": hot,
    "shapes": shapes,
    "export": exporting.export,
    "workers": workers,
    "writers": writers,
    "post": post,
    "memory": memory,
}
"""In the order in which they are measured: what writes comes last."""

WRITING = {"writers", "post"}

PLANNED = {
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
