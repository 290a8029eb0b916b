"""Measures the export of all claims against the export commands of the databases."""

import http.client
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from statistics import median

import psycopg
from sqlalchemy import make_url

from benchmarks.runner import BenchmarkRun, Numbers
from benchmarks.servers import Server, ServerFailed, server_and_generator_core

MAX_REPEATED_CLAIMS = 200_000
"""A larger register is exported once only."""
NAIVE_EXPORT_SECONDS = 12.0
"""Seconds after which the naive peer's export is broken off: its pace is known then."""

EXPORT_COLUMNS = """c.id, c.revision, c.status, c.category, c.subject, c.place, c.proposition, c.modality, c.value, c.lower,
c.upper, c.lower_inclusive, c.upper_inclusive, c.approximate, c.out_of, g.unit, c.kind, c.as_printed, c.period_start,
c.period_end, c.period, c.aggregation, c.date, c.source, s.name, s.kind, s.interest, a.level, a.reliability,
a.credibility, d.title, d.publisher, d.url, d.archive_url, i.quote, c.recorded_at, c.date_edtf, c.coverage,
c.relative_to, c.derivation, c.includes, c.excludes, i.fidelity, i.gap, a.stated, c.note"""
EXPORT_SQL = f"""SELECT {EXPORT_COLUMNS} FROM claim c
LEFT JOIN source s ON s.slug = c.source AND s.until_seq IS NULL
LEFT JOIN category g ON g.slug = c.category AND g.until_seq IS NULL
LEFT JOIN citation i ON i.claim = c.id AND i.until_seq IS NULL
LEFT JOIN document d ON d.id = i.document AND d.until_seq IS NULL
LEFT JOIN assessment a ON a.claim = c.id AND a.until_seq IS NULL AND NOT a.withdrawn
 AND NOT EXISTS (SELECT 1 FROM assessment b WHERE b.claim = c.id AND b.until_seq IS NULL AND NOT b.withdrawn
 AND (b.assessed_on, b.id) > (a.assessed_on, a.id))
WHERE c.until_seq IS NULL AND c.status <> 'removed'"""  # noqa: S608 - our own names
"""The columns of the service's CSV; here each claim has one citation."""


def measure_export(bench: BenchmarkRun) -> Numbers:
    """Rows a second of the whole register as CSV and NDJSON; raw: the database's own tools on the same columns."""
    raw = measure_copy if bench.store.kind == "postgresql" else measure_sqlite_dump
    ways: dict[str, Callable[[], Numbers]] = {
        "ours, CSV": lambda: measure_download(bench.server("ours"), "/v1/claims.csv"),
        "ours, NDJSON": lambda: measure_download(bench.server("ours"), "/v1/claims.ndjson"),
        "naive, CSV": lambda: measure_download(
            bench.server("naive"), "/v1/claims.csv?count=false", NAIVE_EXPORT_SECONDS
        ),
        "raw, joined": lambda: raw(bench.url, EXPORT_SQL),
        "raw, claim alone": lambda: raw(bench.url, None),
    }
    runs: dict[str, list[Numbers]] = {}
    for _ in range(1 if bench.claims > MAX_REPEATED_CLAIMS else bench.rounds):
        for name, run in ways.items():
            runs.setdefault(name, []).append(run())
    return {
        "everything": {
            name: {key: median(run[key] for run in each) for key in each[0]} | {"runs": each}
            for name, each in runs.items()
        }
    }


def measure_download(server: Server, path: str, enough: float = 3600.0) -> Numbers:
    """How fast a file comes, and the most memory that the server had meanwhile."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != 200:  # noqa: PLR2004
        raise ServerFailed(f"{server.name} answers {path} with {answer.status}: {answer.read(500)!r}")
    lines = size = 0
    first, most, looked = 0.0, 0.0, 0.0
    while piece := answer.read1(1 << 20):
        now = time.perf_counter() - began
        first = first or now
        size += len(piece)
        lines += piece.count(b"\n")
        if now - looked > 1:
            looked = now
            most = max(most, server.memory()["anonymous_mb"])
        if now > enough:
            break
    seconds = time.perf_counter() - began
    connection.close()
    return {
        "rows": lines,
        "seconds": seconds,
        "rate": lines / seconds,
        "first_byte": first,
        "mb": size / 1e6,
        "anonymous_mb": most,
    }


def measure_copy(url: str, query: str | None) -> Numbers:
    """`COPY … TO STDOUT` of PostgreSQL."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    what = "claim" if query is None else f"({query})"
    lines = size = 0
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        with cursor.copy(f"COPY {what} TO STDOUT (FORMAT csv)".encode()) as copy:
            for piece in copy:
                lines += 1
                size += len(piece)
        seconds = time.perf_counter() - began
    return {"rows": lines, "seconds": seconds, "rate": lines / seconds, "mb": size / 1e6}


def measure_sqlite_dump(url: str, query: str | None) -> Numbers:
    """The same columns as CSV (or the table as SQL) from SQLite's command line; without it from Python's driver."""
    file = url.removeprefix("sqlite:///")
    program = shutil.which("sqlite3")
    began = time.perf_counter()
    lines = size = 0
    if program is None:
        connection = sqlite3.connect(file)
        for row in connection.execute(query or "SELECT * FROM claim"):
            lines += 1
            size += len(repr(row))
        connection.close()
    else:
        asked = [program, "-readonly", "-csv", file, query] if query else [program, "-readonly", file, ".dump claim"]
        with subprocess.Popen(asked, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own command
            os.sched_setaffinity(process.pid, {server_and_generator_core()[0]})
            assert process.stdout is not None  # noqa: S101 - it was asked for
            while piece := process.stdout.read(1 << 20):
                lines += piece.count(b"\n")
                size += len(piece)
    seconds = time.perf_counter() - began
    return {"rows": lines, "seconds": seconds, "rate": lines / seconds, "mb": size / 1e6}
