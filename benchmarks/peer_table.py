"""Puts the results of `peer_pairs` together, from the files of one commit, between two marks in docs/benchmarks.md."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- peer-pairs: begin -->\n", "<!-- peer-pairs: end -->\n"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
Numbers = dict[str, Any]


def write_table() -> None:
    """Replace what is between the marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{render(load_results())}{END}{after}", encoding="utf-8")


def load_results() -> list[Numbers]:
    """Return the results of the commit that was measured last."""
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("peer-*.json"))]
    if not found:
        raise SystemExit("There are no results: run `python -m benchmarks.peer_pairs` first.")
    commit = max(found, key=lambda each: each["at"])["commit"]
    return [each for each in found if each["commit"] == commit]


def render(results: list[Numbers]) -> str:
    """Return the tables."""
    first = results[0]
    lines = [
        f"\nCommit {first['commit']}, {first['claims']:,} claims, {first['machine']['cores']} cores of {first['machine']['cpu']}."
    ]
    for result in results:
        lines += ["", *RENDERERS[result["part"]](result["found"], DATABASES[result["database"]], result)]
    return "\n".join(lines) + "\n\n"


def _ratio(each: Numbers) -> str:
    low, high = each["interval"]
    return f"{each['ratio']:.2f} ({low:.2f}–{high:.2f})"


def _cold(found: Numbers, database: str, _result: Numbers) -> Iterator[str]:
    gate = found["peer_claim"]
    yield f"**{database}, cold.** One claim costs the peer {_ratio(gate)} × what it costs bare uvicorn (at most {gate['bound']:g})."
    yield f"Geometric mean of the five shapes: **{found['headline']:.2f}** × the cost of the peer.\n"
    yield "| | ours, µs | peer, µs | ratio (95%) | goal |\n|---|--:|--:|--:|--:|"
    rows = [(each["title"], each, f"≤ {each['bound']:g}" if each["bound"] else "") for each in found["shapes"].values()]
    rows += [
        ("POST, 16 at once", found["posts_at_once"], ""),
        ("cold page of 50, claims in the row cache", found["page_with_rows"], ""),
    ]
    for title, each, goal in rows:
        ours, peer = each["us"].values()
        yield f"| {title} | {ours:,.0f} | {peer:,.0f} | {_ratio(each)} | {goal} |"


def _hot(found: Numbers, database: str, _result: Numbers) -> Iterator[str]:
    names = list(next(iter(found.values())))
    yield f"**{database}, hot:** the cost of bare uvicorn for the same bytes ÷ ours. Limits are counted and never reached.\n"
    yield f"| | {' | '.join(names)} |\n|---|{'--:|' * len(names)}"
    for kind, cases in found.items():
        yield f"| {kind} | {' | '.join(_ratio(cases[name]) for name in names)} |"


def _steps(found: Numbers, database: str, _result: Numbers) -> Iterator[str]:
    yield f"**{database}, the steps of a response from the cache**, CPU time in one process:\n"
    yield "| step | µs |\n|---|--:|"
    yield from (f"| {name} | {value:.1f} |" for name, value in found.items())


def _shared(found: Numbers, database: str, _result: Numbers) -> Iterator[str]:
    each = found["hot page"]
    ours, cached = each["us"].values()
    yield f"**{database}, hot pages beside the naive peer behind nginx with a cache of one second:** ours {ours:,.1f} µs with log and limits,"
    yield f"nginx and the naive peer {cached:,.1f} µs; ratio {_ratio(each)}. nginx is a second process, written in C."


def _routes(found: Numbers, database: str, _result: Numbers) -> Iterator[str]:
    yield f"**{database}, every read route,** alone on one connection; cold without any cache.\n"
    yield "| route | status | bytes | cold, µs | again, µs |\n|---|--:|--:|--:|--:|"
    for route, each in sorted(found.items()):
        yield f"| `{route}` | {each['status']} | {each['bytes']:,} | {each['cold_us']:,.0f} | {each['hot_us']:,.0f} |"


RENDERERS = {"cold": _cold, "hot": _hot, "steps": _steps, "shared": _shared, "routes": _routes}
