"""`make bench-import`: the rate of an import, as a share of the rate of raw inserts.

Imports and raw writes of the very same final rows take turns, each in a process of its own. Only ratios of one run
mean anything: the machine is shared, and its speed drifts.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.claim_files import write_claims
from benchmarks.concurrent_requests import measure_disturbance, run_in_process
from benchmarks.import_registers import (
    ImportStore,
    describe_machine,
    open_import_stores,
)
from benchmarks.raw_writes import count_rows, last_seq, open_database, save_rows

RESULTS = Path(__file__).parent / "results"
SMALL_IMPORT_ROWS = 10_000
"""Rows of the import whose memory is compared with that of the large one."""
LARGE_CACHE_KIB = 262_144
"""KiB: what SQLite could do with a page cache that holds the indices."""
MAX_DISTURBING_ROWS = 100_000
"""At most so many rows are imported while others read and write."""
MIN_RAW_SHARE = {"sqlite": 0.5, "postgresql": 0.75}
MAX_MEMORY_MB = 300
MAX_SLOWDOWN = 2
"""So much slower may the slowest readers become while an import runs."""

Numbers = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--databases", default="sqlite postgresql")
    parser.add_argument("--repeats", type=int, default=0, help="0: three below 200,000 rows, else one")
    parser.add_argument("--no-disturbing", action="store_true", help="leave readers and writers out")
    given = parser.parse_args(arguments)
    repeats = given.repeats or (3 if given.rows < 200_000 else 1)
    found: Numbers = {
        "rows": given.rows,
        "repeats": repeats,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine() | {"psycopg": psycopg.__version__},
        "databases": {},
    }
    folder = Path(tempfile.mkdtemp(prefix="counterclaim-bench-files-"))
    try:
        files = ClaimFiles(folder, given.rows)
        with open_import_stores(given.databases.split()) as made:
            for store in made:
                _print_progress(f"{store.version()}: {repeats} × {given.rows:,} rows")
                found["databases"][store.kind] = measure_database(
                    store, files, repeats, disturbing=not given.no_disturbing
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found["load_after"] = describe_machine()["load"]
    table = as_markdown(found)
    print(table)  # noqa: T201
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"imports-{given.rows}-{'-'.join(found['databases'])}"
    path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".md").write_text(table)


class ClaimFiles:
    """The claims files of one benchmark."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.large = folder / "large.csv"
        self.small = folder / "small.csv"
        self.other = folder / "other.csv"
        write_claims(self.large, rows)
        write_claims(self.small, min(rows, SMALL_IMPORT_ROWS), 2)
        write_claims(self.other, min(rows, MAX_DISTURBING_ROWS), 3)


def measure_database(store: ImportStore, files: ClaimFiles, repeats: int, *, disturbing: bool) -> Numbers:
    """Everything about one database system."""
    small = _run_on_new_register(store, "import", str(files.small))
    imports: list[Numbers] = []
    raws: list[Numbers] = []
    cached: list[Numbers] = []
    side = files.folder / f"rows-{store.kind}"
    side.mkdir()
    saved: dict[str, int] = {}
    disturbed = None
    for turn in range(repeats):
        url = store.make()
        imports.append(_run_and_print("import", url, str(files.large)))
        if not turn:
            saved = _save_final_rows(url, side)
        if disturbing and turn == repeats - 1:
            _print_progress("readers and writers meanwhile")
            store.flush()
            disturbed = measure_disturbance(store, url, files.other)
        store.drop(url)
        raws.append(_run_on_new_register(store, "raw", str(side), saved=saved))
        if store.kind == "sqlite":
            cached.append(_run_on_new_register(store, "raw", str(side), str(LARGE_CACHE_KIB)))
    shutil.rmtree(side)
    return {
        "version": store.version(),
        "saved": saved,
        "small": small,
        "imports": imports,
        "raw": raws,
        "raw_large_cache": cached,
        "disturbed": disturbed,
    }


def _run_on_new_register(store: ImportStore, what: str, *more: str, saved: dict[str, int] | None = None) -> Numbers:
    """One run on a fresh register, which must have written what was `saved`."""
    url = store.make()
    found = _run_and_print(what, url, *more)
    if saved is not None:
        _check_row_counts(url, saved)
    store.drop(url)
    return found


def _run_and_print(what: str, url: str, *more: str) -> Numbers:
    found = run_in_process(what, url, *more)
    _print_progress(
        f"  {what} {' '.join(Path(each).name for each in more)}: {found['seconds']:.2f} s, load {found['load']}"
    )
    return found


def _save_final_rows(url: str, side: Path) -> dict[str, int]:
    """The final rows of an import, without the words and sources that stood before it."""
    database = open_database(url)
    try:
        with database.read_engine.connect() as connection:
            first = "SELECT min(seq) FROM change WHERE kind = 'import'"
            since = int(connection.exec_driver_sql(first).scalar_one()) - 1
        return save_rows(database, since, side)
    finally:
        database.close()


def _check_row_counts(url: str, saved: dict[str, int]) -> None:
    """The raw run must have written what the import did."""
    database = open_database(url)
    try:
        written = count_rows(database, last_seq(database) - saved["change"])
    finally:
        database.close()
    if written != saved:
        raise RuntimeError(f"the raw run wrote {written}, the import {saved}")


def as_markdown(found: Numbers) -> str:
    """One table, the databases side by side."""
    kinds = list(found["databases"])
    rows: list[tuple[str, Callable[[Numbers], str]]] = [
        ("import, s", lambda it: _format_seconds(it["imports"])),
        ("– reading and staging, s", lambda it: _format_seconds(it["imports"], "staging")),
        ("– publishing, s", lambda it: _format_seconds(it["imports"], "publishing")),
        ("– the longest transaction: other writers wait, s", lambda it: _format_seconds(it["imports"], "locked")),
        ("import, claims/s", lambda it: f"{found['rows'] / _median_of(it['imports']):,.0f}"),
        ("import, CPU µs a claim", lambda it: f"{1e6 * _median_of(it['imports'], 'cpu') / found['rows']:.0f}"),
        ("raw, s", lambda it: _format_seconds(it["raw"])),
        ("raw, claims/s", lambda it: f"{found['rows'] / _median_of(it['raw']):,.0f}"),
        ("**import as a share of raw**", lambda it: f"**{_raw_share(it):.2f}**"),
        ("– by CPU time", _format_cpu_share),
        ("– publishing alone", lambda it: f"{_median_of(it['raw']) / _median_of(it['imports'], 'publishing'):.2f}"),
        ("– of raw with a cache of 256 MB", _format_cached_share),
        (
            f"peak memory at {min(found['rows'], SMALL_IMPORT_ROWS):,} rows, MB",
            lambda it: f"{it['small']['peak_mb']:.0f}",
        ),
        (f"peak memory at {found['rows']:,} rows, MB", lambda it: f"{_median_of(it['imports'], 'peak_mb'):.0f}"),
        ("– of that before the first row, MB", lambda it: f"{_median_of(it['imports'], 'base_mb'):.0f}"),
    ]
    for when in ("quiet", "staging", "publishing"):
        said = "nothing else" if when == "quiet" else f"an import {when}"
        rows += [
            (f"a page of 50, {said}: p50 / p99, ms", _pair_formatter(when, "read_p50", "read_p99")),
            (f"recording a claim, {said}: p50 / longest, ms", _pair_formatter(when, "write_p50", "write_longest")),
        ]
    rows.append(("that import, into a register that holds others: CPU µs a claim", _format_filled_cpu))
    rows.append(("readers' p99 while staging / publishing, × without", _format_slowdown))
    about = found["machine"]
    lines = [
        f"# Import of {found['rows']:,} claims",
        "",
        f"{found['at']}, {about['cores']} cores ({about['cpu']}), Python {about['python']}, "
        f"{'; '.join(it['version'] for it in found['databases'].values())}.",
        f"Medians of {found['repeats']}; load before {about['load'][0]}, after {found['load_after'][0]}.",
        "",
        f"| | {' | '.join(kinds)} | goal |",
        f"|---|{'---|' * len(kinds)}---|",
    ]
    for name, shown in rows:
        cells = [shown(found["databases"][kind]) for kind in kinds]
        lines.append(f"| {name} | {' | '.join(cells)} | {_format_goal(name, kinds)} |")
    return "\n".join(lines) + "\n"


def _format_goal(name: str, kinds: Sequence[str]) -> str:
    if name.startswith("**"):
        return ", ".join(f"{kind} ≥ {MIN_RAW_SHARE[kind]}" for kind in kinds)
    if name.startswith("peak"):
        return f"< {MAX_MEMORY_MB}, about equal"
    return f"≤ {MAX_SLOWDOWN}" if name.startswith("readers") else ""


def _median_of(runs: Sequence[Numbers], what: str = "seconds") -> float:
    return median(float(run[what]) for run in runs)


def _format_seconds(runs: Sequence[Numbers], what: str = "seconds") -> str:
    return f"{_median_of(runs, what):.2f}"


def _raw_share(it: Numbers) -> float:
    return _median_of(it["raw"]) / _median_of(it["imports"])


def _format_cpu_share(it: Numbers) -> str:
    """The same by CPU time, which neighbours on the machine disturb less. PostgreSQL spends its own elsewhere."""
    if not it["raw_large_cache"]:
        return "–"
    return f"{_median_of(it['raw'], 'cpu') / _median_of(it['imports'], 'cpu'):.2f}"


def _format_cached_share(it: Numbers) -> str:
    return f"{_median_of(it['raw_large_cache']) / _median_of(it['imports']):.2f}" if it["raw_large_cache"] else "–"


def _pair_formatter(when: str, *names: str) -> Callable[[Numbers], str]:
    def shown(it: Numbers) -> str:
        figures = it["disturbed"][when] if it["disturbed"] else dict.fromkeys(names)
        return " / ".join("–" if figures[name] is None else f"{figures[name]:,.1f}" for name in names)

    return shown


def _format_filled_cpu(it: Numbers) -> str:
    if it["disturbed"] is None:
        return "–"
    further = it["disturbed"]["import"]
    return f"{1e6 * further['cpu'] / further['counts']['rows']:.0f}"


def _format_slowdown(it: Numbers) -> str:
    if it["disturbed"] is None:
        return "–"
    quiet = it["disturbed"]["quiet"]["read_p99"]
    ratios = (it["disturbed"][when]["read_p99"] / quiet for when in ("staging", "publishing"))
    return " / ".join(f"{ratio:.1f}" for ratio in ratios)


def _print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
