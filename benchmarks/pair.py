"""`make bench-pair BASE=<commit>`: what a request costs in this checkout, as a ratio to an older commit.

Both versions are processes in folders of their own (`.bench/pair`) and are spoken to by HTTP only, so that modules may
be moved or renamed between them. The register is filled once by the base version: vocabularies, sources and topics by
HTTP, claims by `counterclaim import`. Each version then serves a copy of that database, and the new version first
migrates its own. So both have the same claims under the same ids and are sent the same requests, and what a migration
does to existing rows is part of the comparison, as it is for an operator who upgrades.

In each round both versions are started anew, so that chance in how a process lies in memory is part of the scatter.
Cold requests go to servers that keep no responses (`COUNTERCLAIM_MEMORY_BYTES=0`), each address once; the hot page, the
POST and the start are those of servers as they are shipped.
Within a measure the versions take turns every few milliseconds (A B B A A B …): what else the machine does at the time
slows both of them alike. The ratio of a round is new ÷ base of the CPU time per request. `verdict` says what follows
from the ratios of all rounds.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks.pair_measures import (
    IDLE_MEMORY,
    MEASURES,
    OF_A_START,
    START_CPU,
    START_ELAPSED,
    Measure,
    RegisterState,
    names,
)
from benchmarks.pair_register import vocabulary, write_claims
from benchmarks.pair_versions import (
    Databases,
    Request,
    Version,
    VersionFailed,
    VersionServer,
    make_versions,
)
from benchmarks.postgresql import CACHE_FOLDER, postgresql_server
from benchmarks.servers import ServerFailed, server_and_generator_core

RESULTS = Path(__file__).parent / "results"
LEAST_ROUNDS = 6
"""Of fewer ratios the smallest and the largest do not enclose the median with a probability of 95%."""
TOLERANCE = 0.05
"""A median ratio within so much of 1 is the same."""
WIDE = 1.15
"""An interval whose ends are further apart than this factor is pointed out below the table."""
MOST_WARMING = 4
"""Requests of each measure that are sent to a server before it is measured, so that it has compiled its statements."""
BASE, NEW = "base", "new"
Servers = Mapping[str, VersionServer]
"""By version."""


@dataclass
class Samples:
    """What one measure gave: by version, a value for each round."""

    values: dict[str, list[float]] = field(default_factory=lambda: {BASE: [], NEW: []})
    received: dict[str, int] = field(default_factory=lambda: {BASE: 0, NEW: 0})
    """Bytes of all answers."""

    def ratios(self) -> list[float]:
        """Return new ÷ base of each round."""
        return [new / base for base, new in zip(self.values[BASE], self.values[NEW], strict=True)]


class Pair:
    """Both versions on one database system: the register, the rounds, and what they gave."""

    def __init__(
        self, versions: tuple[Version, Version], databases: Databases, claims: int, wanted: Sequence[str]
    ) -> None:
        self.kind = databases.kind
        self.samples = {name: Samples() for name in wanted}
        self._versions = versions
        self._databases = databases
        self._claims = claims
        self._urls: dict[str, str] = {}
        self._state = RegisterState([], 0)
        self._headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Fill the register and copy it for each version."""
        base, new = self._versions
        filled = self._databases.create("filled")
        self._fill(base, filled)
        self._databases.settle("filled")
        for version in self._versions:
            self._urls[version.role] = self._databases.create(version.role, "filled")
        new.command("migrate", url=self._urls[NEW])
        for version in self._versions:
            self._databases.settle(version.role)
        return self

    def __exit__(self, *_fault: object) -> None:
        """Drop the databases."""
        self._databases.drop_all()

    def _fill(self, base: Version, url: str) -> None:
        base.command("migrate", url=url)
        key = base.command("key", "create", "benchmark", "--role", "editor", url=url).split()[0]
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        path = CACHE_FOLDER / "work" / f"pair-{os.getpid()}.csv"
        write_claims(path, self._claims)
        try:
            with _running([base.server(url, cached=True)]) as (server,):
                puts = [Request(path, "PUT", body) for path, body in vocabulary()]
                client = server.connect(1, self._headers)
                client.exchange(puts)
                client.close()
            base.command("import", str(path), url=url)
        finally:
            path.unlink()
        with _running([base.server(url, cached=True)]) as (server,):
            ids = server.ask("/v1/claims.csv?fields=id")[2].decode().split()[1:]
            self._state = RegisterState(sorted(ids), server.json("/v1/claims?limit=1")["meta"]["seq"])

    def run_round(self, number: int) -> None:
        """Start both versions, measure everything once, and stop them."""
        order = self._versions if number % 2 else self._versions[::-1]
        for cached, of_start in ((False, {START_ELAPSED}), (True, {START_CPU, IDLE_MEMORY})):
            measures = {name: MEASURES[name] for name in self.samples if name in MEASURES}
            wanted = {name: measure for name, measure in measures.items() if measure.cached == cached}
            if not wanted and not of_start & self.samples.keys():
                continue
            with ExitStack() as stack:
                servers = {version.role: version.server(self._urls[version.role], cached=cached) for version in order}
                for server in servers.values():
                    stack.callback(server.stop)
                found = _start_together(servers) if cached else _start_in_turn(servers)
                for name in of_start & self.samples.keys():
                    for role, value in found[name].items():
                        self.samples[name].values[role].append(value)
                for name, measure in wanted.items():
                    self._measure(name, measure, servers, number)

    def _measure(self, name: str, measure: Measure, servers: Servers, number: int) -> None:
        before, chunks = measure.requests(self._state, f"{name} {number}", min(MOST_WARMING, measure.count // 2))
        clients = {role: server.connect(measure.connections, self._headers) for role, server in servers.items()}
        for client in clients.values():
            client.exchange(before)
        warmed = {role: client.sent for role, client in clients.items()}
        # A server that is not asked anything needs no CPU time, so one look before and one after tell what it needed.
        began = {role: server.cpu_seconds() for role, server in servers.items()}
        roles = list(servers)
        for chunk in chunks:
            for role in roles:
                clients[role].exchange(chunk)
            roles.reverse()
        samples = self.samples[name]
        for role, client in clients.items():
            spent = servers[role].cpu_seconds() - began[role]
            samples.values[role].append(spent / (client.sent - warmed[role]))
            samples.received[role] += client.received
            client.close()


def _start_in_turn(servers: Servers) -> dict[str, dict[str, float]]:
    """Start one server after the other; return how long each took."""
    return {START_ELAPSED: {role: server.start() for role, server in servers.items()}}


def _start_together(servers: Servers) -> dict[str, dict[str, float]]:
    """Start both servers at once on their core, which gives them turns; return the CPU time and memory of each."""

    def start(server: VersionServer) -> tuple[float, float]:
        server.start()
        return server.cpu_seconds(), server.resident_mb()

    with ThreadPoolExecutor() as pool:
        found = dict(zip(servers, pool.map(start, servers.values()), strict=True))
    return {
        START_CPU: {role: cpu for role, (cpu, _) in found.items()},
        IDLE_MEMORY: {role: memory for role, (_, memory) in found.items()},
    }


@contextmanager
def _running(servers: Sequence[VersionServer]) -> Iterator[Sequence[VersionServer]]:
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield servers


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the narrowest interval between two of the ratios that has their true median with a probability of 95%.

    It is that of the sign test: the k-th smallest and the k-th largest ratio, whatever their distribution. Of ten
    ratios those are the second smallest and the second largest (97.9%).
    """
    ordered, count = sorted(ratios), len(ratios)
    outside = 0.0
    for below in range(count):
        outside += 2 * comb(count, below) / 2**count
        if outside > 0.05:  # noqa: PLR2004 - what is left of 95%
            return ordered[max(0, below - 1)], ordered[-max(1, below)]
    raise ValueError("there are no ratios")


def verdict(ratios: Sequence[float]) -> str:
    """Return `slower` or `faster` if the median is more than 5% away from 1 and the interval does not contain 1."""
    low, high = interval(ratios)
    middle = median(ratios)
    if middle > 1 + TOLERANCE and low > 1:
        return "slower"
    if middle < 1 / (1 + TOLERANCE) and high < 1:
        return "faster"
    return "same"


def as_markdown(pairs: Sequence[Pair], versions: tuple[Version, Version], claims: int, seconds: float) -> str:
    """Return the result as a page."""
    base, new = versions
    rounds = {pair.kind: len(next(iter(pair.samples.values())).ratios()) for pair in pairs}
    lines = [
        f"# {new.commit} against {base.commit}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {claims:,} claims, {_describe_rounds(rounds)}, {seconds / 60:.1f} minutes.",
        "CPU time of the server per request (on PostgreSQL with its backends): medians of the rounds. The ratio is the",
        "median of new ÷ base of each round.",
    ]
    for pair in pairs:
        lines += ["", f"## {pair.kind}", "", "| measure | base | new | ratio | 95% interval | verdict |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | --- |"]
        lines += [_row(name, samples) for name, samples in pair.samples.items()]
        lines += _notes(pair)
    return "\n".join(lines) + "\n"


def _describe_rounds(rounds: dict[str, int]) -> str:
    return ", ".join(f"{count} rounds on {kind}" for kind, count in rounds.items())


def _row(name: str, samples: Samples) -> str:
    ratios = samples.ratios()
    low, high = interval(ratios)
    values = " | ".join(_value(name, median(samples.values[role])) for role in (BASE, NEW))
    return f"| {_title(name)} | {values} | {median(ratios):.3f} | {low:.3f}–{high:.3f} | {verdict(ratios)} |"


def _title(name: str) -> str:
    return MEASURES[name].title if name in MEASURES else OF_A_START[name]


def _value(name: str, value: float) -> str:
    if name == IDLE_MEMORY:
        return f"{value:.1f} MB"
    if name in OF_A_START:
        return f"{value:.2f} s"
    return f"{value * 1e6:,.0f} µs"


def _notes(pair: Pair) -> list[str]:
    """Return notes on rows whose result is uncertain or not comparable."""
    intervals = {name: interval(samples.ratios()) for name, samples in pair.samples.items()}
    wide = [_title(name) for name, (low, high) in intervals.items() if high / low > WIDE]
    found = []
    if wide:
        found.append(f"Wide intervals, of which more rounds would say more: {'; '.join(wide)}.")
    for name, samples in pair.samples.items():
        old, new = samples.received[BASE], samples.received[NEW]
        if old and abs(new / old - 1) > 0.01:  # noqa: PLR2004 - a per cent
            found.append(f"{_title(name)}: the answers of the new version have {new / old:.2f} times the bytes.")
    return [line for note in found for line in ("", note)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print the table, and return 1 if anything is slower, 2 if the versions cannot be compared."""
    given = _parse(arguments)
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and databases are still put away
    os.sched_setaffinity(0, {server_and_generator_core()[1]})
    (CACHE_FOLDER / "work").mkdir(parents=True, exist_ok=True)
    try:
        versions = make_versions(given.base)
        tell(f"new {versions[1].commit} against base {versions[0].commit}")
        pairs = _compare(versions, given, began)
    except (VersionFailed, ServerFailed) as fault:
        print(fault, file=sys.stderr)  # noqa: T201
        return 2
    page = as_markdown(pairs, versions, given.claims, time.monotonic() - began)
    print(page)  # noqa: T201
    if given.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"pair-{versions[0].commit}-{versions[1].commit}.md").write_text(page, encoding="utf-8")
    slower = [samples for pair in pairs for samples in pair.samples.values() if verdict(samples.ratios()) == "slower"]
    return 1 if slower else 0


def _compare(versions: tuple[Version, Version], given: argparse.Namespace, began: float) -> list[Pair]:
    with ExitStack() as stack:
        pairs = []
        for kind in given.databases:
            server = (
                stack.enter_context(postgresql_server(server_and_generator_core()[0])) if kind == "postgresql" else None
            )
            pair = Pair(versions, Databases(kind, server), given.claims, given.only)
            pairs.append(stack.enter_context(pair))
            tell(f"{kind}: the register is ready")
        first = time.monotonic()
        for number in range(1, given.rounds + 1):
            longest = (time.monotonic() - first) / max(1, number - 1)
            if number > LEAST_ROUNDS and time.monotonic() + longest > began + 60 * given.minutes:
                tell(f"{number - 1} rounds fit into {given.minutes:g} minutes")
                break
            for pair in pairs:
                pair.run_round(number)
            tell(f"round {number} of {given.rounds}")
        return pairs


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10.0, help="begin no round that would end later")
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--databases", type=str.split, default=["sqlite", "postgresql"])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(names()), help=",".join(names()))
    parser.add_argument("--save", action="store_true", help="write the table to benchmarks/results")
    given = parser.parse_args(arguments)
    if given.rounds < LEAST_ROUNDS:
        parser.error(f"fewer than {LEAST_ROUNDS} rounds decide nothing")
    if unknown := sorted({*given.only} - {*names()}):
        parser.error(f"no measure is called {', '.join(unknown)}; there are {', '.join(names())}")
    if unknown := sorted({*given.databases} - {"sqlite", "postgresql"}):
        parser.error(f"no database is called {', '.join(unknown)}; there are sqlite and postgresql")
    given.only = [name for name in names() if name in given.only]
    return given


def tell(text: str) -> None:
    """Print how far it has come."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
