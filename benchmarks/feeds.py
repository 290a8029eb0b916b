"""The cost of feeds in a register of CLAIMS claims, as CPU time of one request, the database included.

python -m benchmarks.feeds --claims 10000 100000 --databases "sqlite postgresql" --save

A feed is requested in four states: when nothing of it is cached; again under another address, as by a server that keeps
no responses; after a commit in its topic; and after a commit in another topic, which must not drop it. The requests are calls of the application, so no time of a client is counted.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from app.claims.create import record_assessment
from app.claims.schemas import AssessmentInput
from app.database.engine import Database
from app.database.tables import ClaimVersion, TopicVersion, columns_of
from app.database.transaction import write_transaction
from app.main import create_app
from app.settings import Settings
from benchmarks.postgresql import database_server, postmaster_pid
from tests.plans.synthetic_register import fill_register
from tests.registers import DatabaseCopies

RESULTS = Path(__file__).parent / "results"
FEEDS = {"register": None, "largest topic": "topic-0", "small topic": "topic-13"}
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SAME = "no response cached"
OTHER_TOPIC = "topic-4"
ROUNDS = 15

_numbers = itertools.count()


def main() -> None:
    """Measure in registers of the sizes that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, nargs="+", default=[10_000])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--databases", default="sqlite postgresql")
    parser.add_argument("--save", action="store_true", help="keep the results in benchmarks/results")
    arguments = parser.parse_args()
    for dialect in arguments.databases.split():
        results: dict[str, Any] = {}
        for claims in arguments.claims:
            with TemporaryDirectory() as folder, database_server(dialect) as address:
                copies = DatabaseCopies(Path(folder), address)
                copies.create_template("empty")
                url = copies.create_copy("empty")
                fill_register(url, claims)
                server = None if address is None else postmaster_pid()
                results[f"{claims:,} claims"] = asyncio.run(_measure(url, arguments.rounds, server))
                copies.close()
        table = _as_markdown(dialect, results)
        print(table)  # noqa: T201 - the result of the command
        if arguments.save:
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"feeds-{dialect}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            (RESULTS / f"feeds-{dialect}.md").write_text(table, encoding="utf-8")


def _read_cpu_seconds(server: int | None) -> float:
    """Return the CPU time of this process and of the PostgreSQL server with this process id."""
    nanoseconds = 0
    if server is not None:
        for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            with suppress(OSError):  # it has ended
                nanoseconds += int(Path(f"/proc/{child}/schedstat").read_text().split()[0])
    return time.process_time() + nanoseconds / 1e9


async def _measure(url: str, rounds: int, server: int | None) -> dict[str, dict[str, float]]:
    """Return the medians of the CPU time of a request, in milliseconds, by feed and state."""
    app = create_app(Settings(DATABASE_URL=url))  # type: ignore[call-arg] # named by its alias
    database: Database = app.state.database
    found: dict[str, dict[str, float]] = {}
    for name, topic in FEEDS.items():
        path = "/v1/feed.atom" if topic is None else f"/v1/topics/{topic}/feed.atom"
        await _request(app, path)
        found[name] = {}
        for state, prepare in _states(database, topic).items():
            spent = []
            for _round in range(rounds):
                prepare()
                began = _read_cpu_seconds(server)
                await _request(app, path, f"_={next(_numbers)}" if state == SAME else "")
                spent.append(1000 * (_read_cpu_seconds(server) - began))
            found[name][state] = statistics.median(spent)
    database.close()
    return found


def _states(database: Database, topic: str | None) -> dict[str, Callable[[], None]]:
    def forget() -> None:
        _commit(database, topic)
        _drop_entries(database)

    states: dict[str, Callable[[], None]] = {"nothing cached": forget, SAME: lambda: None}
    states |= {"after a commit in its topic": lambda: _commit(database, topic)}
    if topic is not None:
        states["after a commit in another topic"] = lambda: _commit(database, OTHER_TOPIC)
    return states


def _drop_entries(database: Database) -> None:
    """Drop the cached entries of feeds; older versions have none."""
    try:
        from app.feeds.entry_cache import FEED_ENTRIES  # noqa: PLC0415 - see above
    except ImportError:
        return
    database.caches.remove(FEED_ENTRIES)


def _commit(database: Database, topic: str | None) -> None:
    """Record an assessment of one of the newest claims of a topic, of another one each time."""
    claim, of_topic = columns_of(ClaimVersion), columns_of(TopicVersion)
    with write_transaction(database, "benchmark") as transaction:
        statement = select(claim.id).where(claim.until_seq.is_(None), claim.status == "asserted")
        if topic is not None:
            row = transaction.session.execute(select(*of_topic).where(of_topic.slug == topic)).mappings().one()
            statement = statement.where(*(claim[name] == row[name] for name in ("category", "subject", "place")))
        id_ = transaction.session.execute(
            statement.order_by(claim.seq.desc()).offset(next(_numbers) % 40).limit(1)
        ).scalar_one()
        record_assessment(transaction, id_, AssessmentInput(level="low", rationale="Measured."))  # type: ignore[arg-type]


async def _request(app: Any, path: str, query: str = "") -> None:  # noqa: ANN401 - an ASGI application
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    if statuses != [200]:
        raise RuntimeError(f"{path} answered {statuses}")


def _as_markdown(dialect: str, results: dict[str, Any]) -> str:
    lines = [
        "# Feeds",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {NAMES[dialect]}. CPU time of one request in milliseconds, the database included: medians.",
    ]
    for register, feeds in results.items():
        states = list(dict.fromkeys(state for values in feeds.values() for state in values))
        lines += ["", f"## {register}", "", f"| feed | {' | '.join(states)} |", "| --- |" + " ---: |" * len(states)]
        for feed, values in feeds.items():
            cells = " | ".join(f"{values[state]:.1f}" if state in values else "–" for state in states)
            lines.append(f"| {feed} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
