"""Measures requests that would read a large part of a register: their status, CPU time and size, on both databases.

`python -m benchmarks.broad_questions --claims 1000000 --databases "sqlite postgresql"` sends each request to a new
application, whose caches hold the reference data only, and saves a table. The CPU time is that of the application and,
on PostgreSQL, of the server. `--urls` names filled registers, instead of those that `.bench` keeps.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from app.main import create_app
from benchmarks.read_registers import open_register_stores
from tests.client import ApplicationClient
from tests.registers import make_settings

RESULTS = Path(__file__).parent / "results"
THEN = "recorded_as_of=2024-06-01T00:00:00Z"
ADDRESSES = (
    "/v1/claims?q=officials&total=true",
    "/v1/claims?q=shelling&total=true",
    "/v1/claims?q=estuary&total=true",
    "/v1/claims?total=true",
    "/v1/claims?modality=estimate&total=true",
    "/v1/claims?source=source-0&total=true",
    "/v1/claims?value_min=10&total=true",
    "/v1/claims?period_from=2022-03-01&total=true",
    "/v1/claims?superseded=false&total=true",
    f"/v1/claims?total=true&{THEN}",
    "/v1/claims?confidence=unassessed&reliability=C&category=category-0",
    "/v1/claims/counts?by=category",
    "/v1/claims/counts?by=category&q=officials",
    f"/v1/claims/counts?by=category&{THEN}",
    "/v1/side-by-side?category=category-0",
    "/v1/side-by-side?category=category-7",
    f"/v1/side-by-side?category=category-0&{THEN}",
    "/v1/side-by-side?category=category-0&known_on=2024-06-01",
    "/v1/topics/topic-0/side-by-side",
    f"/v1/topics/topic-0/side-by-side?{THEN}",
    "/v1/topics/topic-5/side-by-side",
    "/v1/topics/topic-0/brief",
    "/v1/topics/topic-0/chart.svg",
    "/v1/topics/topic-0/chart.svg?view=timeline",
    "/v1/topics/topic-0",
    f"/v1/topics/topic-0?{THEN}",
    f"/v1/topics?limit=100&{THEN}",
    "/v1/topics?limit=100&known_on=2024-06-01",
    "/v1/topics/topic-0/timeline?total=true",
    f"/v1/topics/topic-0/timeline?total=true&{THEN}",
    "/v1/topics/topic-0/timeline?total=true&value_min=10",
    "/v1/topics/topic-0/claims?total=true&q=officials",
    "/v1/changes?total=true",
    "/v1/changes?kind=relation&total=true",
    "/v1/changes?topic=topic-0&total=true",
    "/v1/changes?topic=topic-0",
    "/v1/feed.atom",
    "/v1/topics/topic-0/feed.atom",
    "/v1/documents?total=true",
    "/v1/register",
    "/sources/source-0",
)


@dataclass(frozen=True)
class Measured:
    """The response to one request."""

    status: int
    cpu_seconds: float
    size: int


def measure(url: str, address: str) -> Measured:
    """Send a request to a new application and return its cost. A request before it has read the reference data."""
    with ApplicationClient(create_app(make_settings(url))) as client:
        client.get("/v1/sources?limit=1")
        client.get("/v1/claims?limit=1")
        server = server_pid(url)
        before = cpu_seconds(server)
        response = client.get(address)
        time.sleep(0.05)  # until PostgreSQL has ended the transaction
        return Measured(response.status_code, cpu_seconds(server) - before, len(response.content))


def server_pid(url: str) -> int | None:
    """Return the process id of the PostgreSQL server; None for SQLite."""
    if url.startswith("sqlite"):
        return None
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None  # noqa: S101 - a function returns a row
        return int(Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()[1])


def cpu_seconds(server: int | None) -> float:
    """Return the CPU time of this process, and of a server with its processes that run now or have ended."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    if server is not None:
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        ticks = _ticks(str(server), own=False) + sum(_ticks(pid, own=True) for pid in children)
        used += ticks / os.sysconf("SC_CLK_TCK")
    return used


def _ticks(pid: str, *, own: bool) -> int:
    """Return the ticks of a process; without `own`, with those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return sum(map(int, fields[11:13] if own else fields[11:15]))


@contextmanager
def registers(kinds: Sequence[str], claims: int, urls: Sequence[str]) -> Iterator[list[str]]:
    """Yield the addresses of filled registers."""
    if urls:
        yield list(urls)
        return
    with ExitStack() as stack:
        yield [store.filled(claims) for store in stack.enter_context(open_register_stores(kinds, core=1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--databases", default="sqlite postgresql")
    parser.add_argument("--urls", nargs="*", default=[])
    parser.add_argument("--save", action="store_true", help="save the table in benchmarks/results")
    options = parser.parse_args()
    kinds = options.databases.split()
    with registers(kinds, options.claims, options.urls) as urls:
        rows = [(address, [measure(url, address) for url in urls]) for address in ADDRESSES]
    lines = [
        "| address | " + " | ".join(f"{kind}: status, CPU ms, kB" for kind in kinds) + " |",
        "|---|" + "--:|" * len(kinds),
        *(
            f"| `{address}` | "
            + " | ".join(f"{each.status}, {each.cpu_seconds * 1000:.0f}, {each.size / 1000:.0f}" for each in found)
            + " |"
            for address, found in rows
        ),
    ]
    table = "\n".join(lines)
    print(table)
    if options.save:
        head = (
            f"# Requests that would read much, {options.claims:,} claims\n\n`python -m benchmarks.broad_questions "
            f'--claims {options.claims} --databases "{options.databases}" --save`: each request once, with cold caches.\n\n'
        )
        name = f"broad-questions-{options.claims}-{'-'.join(kinds)}.md"
        (RESULTS / name).write_text(f"{head}{table}\n")


if __name__ == "__main__":
    main()
