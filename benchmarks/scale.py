"""What a register carries on more machines: a calculation of caches with the measured costs of results/.

Run `python -m benchmarks.scale --save`: it writes results/scale.md, whose tables docs/scale.md shows. Readers ask for
addresses by Zipf's law, and editors write; what passes the caches costs what was measured. A simulation with a seed
draws the requests of a smaller register one by one, by which the calculation is checked.
"""

import argparse
import heapq
import itertools
import json
import math
import random
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COSTS_FILE = "reads-1000000-sqlite-postgresql.json"
RESULT = RESULTS / "scale.md"
SEED = 21
DAY_SECONDS = 86_400
PEAK = 4.0
"""How many times as many requests as on average the busiest second of a day has."""

ADDRESSES = 5_000
ZIPF = 1.0
COMMITS_PER_SECOND = 5.0
TOUCHED = 3
"""Addresses whose answer a commit changes, drawn as readers draw them: the newest are the most read."""

SINGLE_SHARE = 0.5
"""The share of addresses that are one claim; the others are pages of 50."""

SIMULATED_SECONDS = 6_000.0
"""How long requests are drawn, by which the calculation is checked. The first half fills the caches."""

SIMULATED_READS = 10**6
PROCESSES = 4
USED = 0.6
"""The share of the CPU time of a machine that is planned to be used in the busiest second."""

CORES = 2
"""The cores of a machine: of the one that was measured."""

EDGES = 20
READS_PER_DAY = (10**7, 10**8, 10**9)


@dataclass(frozen=True)
class Costs:
    """What one answer costs the service and its database, in microseconds of CPU time, and its size in bytes."""

    hot_claim: float
    hot_page: float
    cold_claim: float
    cold_page: float
    claim_bytes: float
    page_bytes: float
    write: float
    writes_per_second: float

    def of(self, *, is_single: bool, is_hot: bool) -> float:
        """Return the CPU time of an answer."""
        if is_single:
            return self.hot_claim if is_hot else self.cold_claim
        return self.hot_page if is_hot else self.cold_page


def read_costs(database: str) -> Costs:
    """Return the measured costs on a database."""
    measures = json.loads((RESULTS / COSTS_FILE).read_text(encoding="utf-8"))["databases"][database]["measures"]

    def ours(part: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = measures[part][name]["ours"]
        return found

    write = ours("post", "16 at once")
    return Costs(
        hot_claim=ours("hot", "claim")["cpu_us"],
        hot_page=ours("hot", "page, zstd")["cpu_us"],
        cold_claim=ours("claim-cold", "one claim")["cpu_us"],
        cold_page=ours("page-cold", "shallow")["cpu_us"],
        claim_bytes=ours("hot", "claim")["bytes"],
        page_bytes=ours("hot", "page, zstd")["bytes"],
        write=write["cpu_us"],
        writes_per_second=write["rate"],
    )


@dataclass(frozen=True)
class Layout:
    """How the register is served."""

    name: str
    edges: int
    """Places of a content delivery network, each with a cache of its own; 0: there is none."""
    fresh_seconds: float
    """How long an edge serves an answer without asking. A change does not end it."""
    is_purged: bool = False
    """Whether a change ends it at once."""


LAYOUTS = (
    Layout("no shared cache", 0, 0.0),
    Layout("CDN, fresh for 1 s (as shipped)", EDGES, 1.0),
    Layout("CDN, fresh for 60 s and purged", EDGES, 60.0, is_purged=True),
)


@dataclass
class Load:
    """What reaches the service in the busiest second."""

    reads: float
    """Requests a second of all readers."""
    reaching: float
    cold: float
    cores: float
    megabits: float
    """Of the network between the service and the CDN, or its readers."""


def popularity() -> list[float]:
    """Return the share of all requests that each address gets."""
    weights = [1 / number**ZIPF for number in range(1, ADDRESSES + 1)]
    return [weight / sum(weights) for weight in weights]


def calculate(reads_per_day: float, layout: Layout, costs: Costs) -> Load:
    """Return the expected load of the busiest second: requests and changes are Poisson processes."""
    rate = reads_per_day / DAY_SECONDS * PEAK
    rates: dict[tuple[bool, bool], float] = {(single, hot): 0.0 for single in (True, False) for hot in (True, False)}
    for address, share in enumerate(popularity()):
        changes = COMMITS_PER_SECOND * TOUCHED * share
        reaching = rate * share
        if layout.edges:
            valid = layout.fresh_seconds
            if layout.is_purged:  # or shorter, if a change comes before
                valid = (1 - math.exp(-changes * valid)) / changes
            reaching = layout.edges / (valid + layout.edges / (rate * share))
        # The first request of a process after a change is answered from the database.
        cold = PROCESSES / (1 / changes + PROCESSES / reaching)
        rates[_is_single(address), False] += cold
        rates[_is_single(address), True] += reaching - cold
    return _sum_up(rate, rates, costs)


def _is_single(address: int) -> bool:
    return address % 100 < 100 * SINGLE_SHARE


def simulate(reads_per_day: float, layout: Layout, costs: Costs) -> Load:
    """Draw the requests and changes of `SIMULATED_SECONDS`, and return the load of the second half of them."""
    rate = reads_per_day / DAY_SECONDS * PEAK
    generator = random.Random(SEED)  # noqa: S311 - a simulation
    limits = list(itertools.accumulate(popularity()))

    def draw() -> int:
        return min(bisect(limits, generator.random()), ADDRESSES - 1)

    fresh_until: dict[tuple[int, int], float] = {}
    changed: dict[int, float] = {}
    read_at: dict[tuple[int, int], float] = {}
    counts: Counter[tuple[bool, bool]] = Counter()
    for at, is_write in _events(generator, rate, SIMULATED_SECONDS):
        if is_write:
            for _ in range(TOUCHED):
                changed[draw()] = at
            continue
        address = draw()
        changed_at = changed.get(address, -math.inf)
        if layout.edges:
            edge = (generator.randrange(layout.edges), address)
            valid = fresh_until.get(edge, -math.inf)
            if at < valid and not (layout.is_purged and changed_at > valid - layout.fresh_seconds):
                continue
            fresh_until[edge] = at + layout.fresh_seconds
        process = (generator.randrange(PROCESSES), address)
        is_hot = read_at.get(process, -math.inf) > changed_at
        read_at[process] = at
        if at > SIMULATED_SECONDS / 2:
            counts[_is_single(address), is_hot] += 1
    return _sum_up(rate, {key: count / (SIMULATED_SECONDS / 2) for key, count in counts.items()}, costs)


def _events(generator: random.Random, rate: float, seconds: float) -> Iterator[tuple[float, bool]]:
    """Yield the times of reads and commits (True) in order; both are Poisson processes."""

    def times(each: float, *, is_write: bool) -> Iterator[tuple[float, bool]]:
        at = generator.expovariate(each)
        while at < seconds:
            yield at, is_write
            at += generator.expovariate(each)

    return heapq.merge(times(rate, is_write=False), times(COMMITS_PER_SECOND, is_write=True))


def _sum_up(rate: float, rates: Mapping[tuple[bool, bool], float], costs: Costs) -> Load:
    """Return the load of answers a second, by whether they are one claim, and whether they are in the response cache."""
    microseconds = sum(
        costs.of(is_single=is_single, is_hot=is_hot) * each for (is_single, is_hot), each in rates.items()
    )
    size = sum((costs.claim_bytes if is_single else costs.page_bytes) * each for (is_single, _), each in rates.items())
    return Load(
        reads=rate,
        reaching=sum(rates.values()),
        cold=sum(each for (_, is_hot), each in rates.items() if not is_hot),
        cores=microseconds / 1e6,
        megabits=size * 8 / 1e6,
    )


def machines_for(cores: float) -> int:
    """Return how many machines are planned for this CPU time a second."""
    return max(1, math.ceil(cores / CORES / USED))


def tables() -> str:
    """Return the tables as Markdown."""
    costs = read_costs("postgresql")
    mirror = read_costs("sqlite")
    lines = [
        "| one machine of two cores | one claim, µs | page of 50, µs | reads a second at 60% |",
        "| --- | --: | --: | --: |",
    ]
    for name, each in (("service with a standby of PostgreSQL", costs), ("mirror: service with a file of SQLite", mirror)):
        for kind, claim, page in (
            ("cached", each.hot_claim, each.hot_page),
            ("from the database", each.cold_claim, each.cold_page),
        ):
            mean = SINGLE_SHARE * claim + (1 - SINGLE_SHARE) * page
            lines.append(f"| {name}, {kind} | {claim:,.0f} | {page:,.0f} | {CORES * USED * 1e6 / mean:,.0f} |")
    lines += [
        f"| primary server, writes, 16 clients at once | {costs.write:,.0f} | – | {costs.writes_per_second:,.0f} (measured) |",
        "",
        "| reads a day | busiest second | served by | reach the service a second | of these from the database | cores | machines | Mbit/s |",
        "| --: | --: | --- | --: | --: | --: | --: | --: |",
    ]
    for reads in READS_PER_DAY:
        for layout in LAYOUTS:
            load = calculate(reads, layout, costs)
            cells: Sequence[str] = (
                f"{reads:,}",
                f"{load.reads:,.0f}",
                layout.name,
                f"{load.reaching:,.0f}",
                f"{load.cold:,.0f}",
                f"{load.cores:.2f}",
                str(machines_for(load.cores)),
                f"{load.megabits:,.0f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def comparison() -> str:
    """Return what the simulation has found beside the calculation, as Markdown."""
    lines = [
        f"The same for {SIMULATED_READS:,} reads a day, calculated / simulated:",
        "",
        "| served by | reach the service a second | of these from the database |",
        "| --- | --: | --: |",
    ]
    costs = read_costs("postgresql")
    for layout in LAYOUTS:
        calculated, drawn = calculate(SIMULATED_READS, layout, costs), simulate(SIMULATED_READS, layout, costs)
        pairs = ((calculated.reaching, drawn.reaching), (calculated.cold, drawn.cold))
        lines.append(f"| {layout.name} | {' | '.join(f'{one:.2f} / {two:.2f}' for one, two in pairs)} |")
    return "\n".join(lines) + "\n"


def render() -> str:
    """Return the result file."""
    return (
        "# What a register carries on more machines\n\n"
        f"`python -m benchmarks.scale --save`, seed {SEED}. The costs are those of PostgreSQL and SQLite in [{COSTS_FILE}]({COSTS_FILE}).\n\n"
        f"Assumed: {ADDRESSES:,} addresses by Zipf's law (exponent {ZIPF:g}), half of them one claim and half pages of 50; {COMMITS_PER_SECOND:g} "
        f"commits a second that change {TOUCHED} answers each; a busiest second with {PEAK:g} times the average; {EDGES} edges of the CDN; "
        f"{PROCESSES} processes; machines of {CORES} cores of which {USED:.0%} are used.\n\n"
    ) + f"{tables()}\n{comparison()}"


def main() -> None:
    """Print the result, and save it with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/scale.md")
    options = parser.parse_args()
    text = render()
    print(text)
    if options.save:
        RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
