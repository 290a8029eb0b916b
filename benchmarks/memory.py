"""The memory of a worker under a mixed load, and after it.

    python -m benchmarks.memory --claims 250 5000 1000000 --requests 200000 --save

The service runs with its default settings. *Anonymous* memory (`Pss_Anon`) is what the process has allocated itself;
*mapped* is its share of files, most of it the database, which the system takes back when it needs the memory. Each is
read once a second. `--claims 250` is the starter register; larger ones are synthetic.
"""

import argparse
import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.mixed_load import SHARES, LoadRun, MixedLoad, RegisterNames
from benchmarks.postgresql import CACHE_FOLDER
from benchmarks.read_registers import RegisterStore, fetch_rows, sample_claim_ids
from benchmarks.servers import Server, process_tree

RESULTS = Path(__file__).parent / "results" / "memory"
STARTER_CLAIMS = 250
LIMIT_MB = 150
COUNT_CLAIMS = "SELECT count(*) FROM claim WHERE until_seq IS NULL AND status <> 'removed'"
REST_SECONDS = 45.0
"""How long nothing is requested after the load, before the memory at rest is read."""

SAMPLE_SECONDS = 1.0
PROGRESS_SECONDS = 30.0


def main() -> None:
    """Measure in registers of the sizes that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, nargs="+", default=[STARTER_CLAIMS, 5_000])
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=1_800, help="the limit for each register")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="add to benchmarks/results/memory.json and .md")
    arguments = parser.parse_args()
    results = {}
    for claims in arguments.claims:
        result = measure(claims, arguments.requests, arguments.seconds, arguments.workers)
        results[str(claims)] = result
        print(json.dumps(result), flush=True)  # noqa: T201 - the result of the command
        if arguments.save:
            _save(results)
    if any(each["end_anonymous_mb"] > LIMIT_MB for each in results.values()):
        sys.exit(f"A worker has more than {LIMIT_MB} MB of anonymous memory.")


def measure(claims: int, requests: int, seconds: float, workers: int) -> dict[str, Any]:
    """Return the memory of the worker that has most, in MB, and what was requested."""
    store = RegisterStore("sqlite")
    url = _starter_register() if claims == STARTER_CLAIMS else copy_with_displays(store, claims)
    # It is neither pinned to one core nor without a response cache.
    command = [sys.executable, "-m", "app", "serve", "--port", "{port}", "--workers", str(workers)]
    environment = {"DATABASE_URL": url, "COUNTERCLAIM_LOG_LEVEL": "warning"}
    server = Server("memory", command, environment, "/v1/claims?limit=1", spread=True)
    try:
        server.start()
        total = fetch_rows(url, COUNT_CLAIMS)[0][0] if claims == STARTER_CLAIMS else claims
        names = RegisterNames.read(server, sample_claim_ids(url), total)
        samples = [read_memory(server, workers)]
        run = LoadRun(server.port, MixedLoad(names), requests, seconds)
        started = time.monotonic()
        run.start()
        told_at = started
        while run.is_running():
            time.sleep(SAMPLE_SECONDS)
            samples.append(read_memory(server, workers))
            if time.monotonic() - told_at > PROGRESS_SECONDS:
                told_at = time.monotonic()
                print(f"{run.total:,} requests: {samples[-1]}", file=sys.stderr, flush=True)  # noqa: T201
        took = time.monotonic() - started
        metrics = server.ask("/metrics")[2].decode()
        time.sleep(REST_SECONDS)
        at_rest = read_memory(server, workers)
    finally:
        server.stop()
        store.clear()
    end = samples[-1]
    return {
        "claims": total,
        "workers": workers,
        "requests": run.total,
        "by_kind": dict(sorted(run.done.items())),
        "failures": dict(run.failures.most_common(10)),
        "seconds": round(took),
        "start_anonymous_mb": samples[0]["anonymous_mb"],
        "peak_anonymous_mb": max(each["anonymous_mb"] for each in samples),
        "end_anonymous_mb": end["anonymous_mb"],
        "rest_anonymous_mb": at_rest["anonymous_mb"],
        "peak_child_mb": max(each["children_mb"] for each in samples),
        "mapped_mb": end["mapped_mb"],
        "cache_metric_mb": round(_metric(metrics, "counterclaim_response_cache_size_bytes") / 1e6, 1),
        "threads": end["threads"],
    }


def read_memory(server: Server, workers: int) -> dict[str, float]:
    """Return the memory of the worker that has most anonymous memory, in MB (10⁶ bytes), and of its child processes."""
    pids = process_tree(server.pid)
    others = {pid for pid in pids if _is_offload_process(pid)} | ({server.pid} if workers > 1 else set())
    found = [each for pid in pids if pid not in others and (each := _read_process(pid)) is not None]
    children = [each["anonymous_mb"] for pid in others if (each := _read_process(pid)) is not None]
    return {**max(found, key=lambda each: each["anonymous_mb"]), "children_mb": max(children, default=0.0)}


def _is_offload_process(pid: int) -> bool:
    try:
        return b"app.offload_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _read_process(pid: int) -> dict[str, float] | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:  # it has ended meanwhile
        return None
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines[1:]}
    return {
        "anonymous_mb": round(sizes["Pss_Anon"], 1),
        "mapped_mb": round(sizes["Pss_File"] + sizes["Pss_Shmem"], 1),
        "threads": threads,
    }


def _metric(text: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def copy_with_displays(store: RegisterStore, claims: int) -> str:
    """Return a copy of a synthetic register whose figures have words, as pages show them."""
    url = store.copy(claims)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE claim SET display = as_printed WHERE display IS NULL")
        connection.commit()
    return url


def _starter_register() -> str:
    work = CACHE_FOLDER / "work"
    work.mkdir(parents=True, exist_ok=True)
    path = work / "memory-starter.db"
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    url = f"sqlite:///{path}"
    for command in ("migrate", "starter"):
        subprocess.run(
            [sys.executable, "-m", "app", command],
            env={"PATH": "", "DATABASE_URL": url},
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return url


def _save(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the results, with those of other registers that are in the file already."""
    path = RESULTS.with_suffix(".json")
    saved = json.loads(path.read_text()) if path.exists() else {"results": {}}
    saved["results"] |= results
    saved["results"] = dict(sorted(saved["results"].items(), key=lambda item: int(item[0])))
    saved |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "sqlite": sqlite3.sqlite_version}
    path.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(render(saved["results"]), encoding="utf-8")


def render(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    shares = ", ".join(f"{share:.0%} {kind}" for kind, share in SHARES.items())
    lines = [
        "# Memory of a worker",
        "",
        f"SQLite, default settings, 12 connections. Requests: {shares}. Anonymous memory (`Pss_Anon`) in MB, "
        f"read once a second; at most {LIMIT_MB} MB. Mapped pages of files are told beside it. At rest: "
        f"{REST_SECONDS:.0f} seconds after the last request.",
        "",
        "| claims | requests | start | peak | end | at rest | largest child process | mapped | response cache by its metric |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in results.values():
        lines.append(
            f"| {row['claims']:,} | {row['requests']:,} | {row['start_anonymous_mb']} | {row['peak_anonymous_mb']} | "
            f"{row['end_anonymous_mb']} | {row['rest_anonymous_mb']} | {row['peak_child_mb']} | {row['mapped_mb']} | {row['cache_metric_mb']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
