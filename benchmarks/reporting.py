"""What was measured, as a table of ratios and as a chart."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from pathlib import Path
from statistics import geometric_mean
from typing import Any

Numbers = dict[str, Any]
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PEERS = ("naive", "naive without count", "datasette", "pocketbase", "bare")
LIMITED = 0.95
"""From this share of its core on, the generator may have been what was measured."""


@dataclass(frozen=True)
class Goal:
    """A goal of the project: where its ratio is found, and what it has to reach."""

    title: str
    measure: str
    case: str
    peer: str
    least: float
    database: str = "sqlite"


GOALS = (
    Goal("cold page of 50 ÷ naive", "page-cold", "shallow", "naive", 25),
    Goal("cold page of 50, deep ÷ naive", "page-cold", "deep", "naive", 25),
    Goal("cold page of 50 ÷ naive without count", "page-cold", "shallow", "naive without count", 7),
    Goal("cold page of 50 ÷ Datasette", "page-cold", "shallow", "datasette", 10),
    Goal("cold page of 50 ÷ PocketBase", "page-cold", "shallow", "pocketbase", 10),
    Goal("cold claim ÷ naive", "claim-cold", "one claim", "naive", 7.5),
    Goal("cold claim ÷ PocketBase", "claim-cold", "one claim", "pocketbase", 1.4),
    Goal("cold side-by-side ÷ naive", "sides-cold", "large", "naive", 10),
    Goal("cold timeline ÷ naive", "timeline-cold", "large", "naive", 10),
    Goal("hot page ÷ bare uvicorn", "hot", "page", "bare", 0.8),
    Goal("hot claim ÷ bare uvicorn", "hot", "claim", "bare", 0.8),
    Goal("hot 304 ÷ bare uvicorn", "hot", "page, 304", "bare", 0.8),
    Goal("single POST ÷ naive", "post", "16 at once", "naive", 5),
    Goal("PostgreSQL: cold page of 50 ÷ naive", "page-cold", "shallow", "naive", 18, "postgresql"),
    Goal("PostgreSQL: single POST ÷ naive", "post", "16 at once", "naive", 5, "postgresql"),
)


def as_markdown(found: Numbers) -> str:
    """The whole result, ratios first."""
    machine = found["machine"]
    versions = " · ".join(each["version"] for each in found["databases"].values())
    parts = [
        f"# {found['claims']:,} claims",
        "",
        f"{machine['cores']} cores of {machine['cpu']} · Python {machine['python']} · {versions} · {found['at']}",
        "",
        f"Medians of {found['rounds']} rounds of {found['seconds']:g} s; load {machine['load'][0]} before,"
        f" {machine['load_after'][0]} after.",
        "",
        "A ratio says how many times as many requests a second ours answers as the peer; in brackets the same by the"
        " CPU time that a request costs the server (and its database), which other work on the machine disturbs less.",
    ]
    for kind, each in found["databases"].items():
        parts += ["", f"## {NAMES[kind]}", *_of_database(kind, each["measures"])]
    return "\n".join(parts) + "\n"


def _of_database(kind: str, measures: Numbers) -> Iterator[str]:
    if "agree" in measures:
        compared = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in measures["agree"].items())
        yield f"\nAnswers agree with the naive peer's: {compared}."
    goals = [(goal, ratio_of(measures, goal)) for goal in GOALS if goal.database == kind]
    rows = [(each, ratio) for each, ratio in goals if ratio is not None]
    if rows:
        yield "\n| goal | at least | reached | |\n|---|--:|--:|---|"
        for goal, ratio in rows:
            yield f"| {goal.title} | {goal.least:g} | {_short(ratio)} | {'yes' if ratio >= goal.least else 'no'} |"
    for name, (title, shown) in SECTIONS.items():
        if measures.get(name):
            yield f"\n### {title}\n"
            yield from shown(measures[name])


def _ratios(cases: Numbers) -> Iterator[str]:
    there = [peer for peer in PEERS if any(peer in case for case in cases.values())]
    yield f"| | ours, a second | µs | p50, p99 ms | {' | '.join(f'÷ {peer}' for peer in there)} |"
    yield f"|---|--:|--:|--:|{'--:|' * len(there)}"
    limited = False
    for name, case in cases.items():
        ours = case.get("ours")
        if ours is None:
            continue
        marks = ["*" if each["busy"] > LIMITED else "" for each in case.values()]
        limited |= any(marks)
        own = "*" if ours["busy"] > LIMITED else ""
        cells = [f"{_ratio(ours, case[peer])}" if peer in case else "–" for peer in there]
        yield (
            f"| {name} | {ours['rate']:,.0f}{own} | {ours['cpu_us']:,.0f} | {1000 * ours['p50']:.1f},"
            f" {1000 * ours['p99']:.1f} | {' | '.join(cells)} |"
        )
    if limited:
        yield "\n\\* The generator was busy for more than 95% of the time: the server could have done more."


def _ratio(ours: Numbers, other: Numbers) -> str:
    mark = "*" if other["busy"] > LIMITED else ""
    return f"{_short(ours['rate'] / other['rate'])}{mark} ({_short(other['cpu_us'] / ours['cpu_us'])})"


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"  # noqa: PLR2004


def _spread(cases: Numbers) -> Iterator[str]:
    for peer in PEERS:
        ratios = {name: case["ours"]["rate"] / case[peer]["rate"] for name, case in cases.items() if peer in case}
        if ratios:
            least = min(ratios, key=lambda name: ratios[name])
            yield (
                f"\n÷ {peer}: geometric mean {_short(geometric_mean(ratios.values()))},"
                f" least {_short(ratios[least])} ({least})"
            )


def _against_first(cases: Numbers) -> Iterator[str]:
    for name, case in cases.items():
        first = next(iter(case.values()))
        shown = ", ".join(
            f"{state} {each['rate']:,.0f} a second ({_short(each['rate'] / first['rate'])} ×, p99"
            f" {1000 * each['p99']:.1f} ms{_commits(each)})"
            for state, each in case.items()
        )
        yield f"- {name}: {shown}"


def _commits(each: Numbers) -> str:
    return f", {each['commits']} commits" if each.get("commits") else ""


def _export(cases: Numbers) -> Iterator[str]:
    case = cases["everything"]
    raw = case["raw, joined"]["rate"]
    yield "| | rows a second | ÷ raw, joined | MB a second | most memory of no file, MB |\n|---|--:|--:|--:|--:|"
    for name, each in case.items():
        most = f"{each['anonymous_mb']:.0f}" if "anonymous_mb" in each else "–"
        yield (
            f"| {name} | {each['rate']:,.0f} | {_short(each['rate'] / raw)} | {each['mb'] / each['seconds']:.1f}"
            f" | {most} |"
        )


def _start(cases: Numbers) -> Iterator[str]:
    for peer, each in cases["first answer"].items():
        yield f"- {peer}: {each['seconds']:.2f} s"


def _memory(cases: Numbers) -> Iterator[str]:
    for peer, states in cases["memory"].items():
        shown = ", ".join(f"{state} {mb['pss_mb']:.0f} ({mb['anonymous_mb']:.0f})" for state, mb in states.items())
        yield f"- {peer}: {shown}"


def _each_shape(cases: Numbers) -> Iterator[str]:
    yield from _ratios(cases)
    yield from _spread(cases)


SECTIONS: dict[str, tuple[str, Callable[[Numbers], Iterator[str]]]] = {
    "page-cold": ("Page of 50, twenty filters in turn", _ratios),
    "claim-cold": ("One claim", _ratios),
    "sides-cold": ("Side-by-side (the naive peer: positions only)", _ratios),
    "timeline-cold": ("Timeline, 200 rows", _ratios),
    "search-cold": ("Search", _ratios),
    "hot": ("Hot: asked before", _ratios),
    "shapes": ("Page of 50, each filter by itself", _each_shape),
    "post": ("Single POST, durable", _ratios),
    "writers": ("While claims are recorded", _against_first),
    "workers": ("Two workers", _against_first),
    "export": ("Export of everything", _export),
    "start": ("Start to the first answer", _start),
    "memory": ("Memory, MB (in brackets: of no file)", _memory),
}


def ratio_of(measures: Numbers, goal: Goal) -> float | None:
    """The ratio that a goal is about, where it was measured."""
    case = measures.get(goal.measure, {}).get(goal.case, {})
    if "ours" not in case or goal.peer not in case:
        return None
    return float(case["ours"]["rate"] / case[goal.peer]["rate"])


WIDTH, LEFT, RIGHT, ROW, TOP = 860, 330, 70, 26, 74


def write_chart(found: Numbers, path: Path) -> None:
    """Draw what was reached and the goals as bars on a logarithmic scale."""
    bars = [
        (goal, ratio)
        for goal in GOALS
        if (ratio := ratio_of(found["databases"].get(goal.database, {}).get("measures", {}), goal)) is not None
    ]
    if bars:
        path.write_text(_svg(found, bars))


def _svg(found: Numbers, bars: Sequence[tuple[Goal, float]]) -> str:
    low = min(0.1, *(ratio for _, ratio in bars))
    high = max(100.0, *(max(ratio, goal.least) for goal, ratio in bars))

    def across(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (log10(value) - log10(low)) / (log10(high) - log10(low))

    height = TOP + ROW * len(bars) + 54
    bottom = TOP + ROW * len(bars)
    machine = found["machine"]
    about = f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}"
    versions = ", ".join(each["version"].partition(" (")[0] for each in found["databases"].values())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="13">',
        f'<title id="title">Requests a second as a ratio to peers, {found["claims"]:,} claims</title>',
        "<style>text{fill:#1f2328}.soft{fill:#59636e}.grid{stroke:#d1d9e0}.bar{fill:#0969da}.short{fill:#bc4c00}"
        ".goal{stroke:#1f2328;stroke-width:3}@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.soft{fill:#9198a1}"
        ".grid{stroke:#3d444d}.bar{fill:#4493f8}.short{fill:#db6d28}.goal{stroke:#f0f6fc}}</style>",
        f'<text x="12" y="26" font-size="17" font-weight="600">Requests a second, as a ratio to peers over the same'
        f" {found['claims']:,} claims</text>",
        f'<text x="12" y="48" class="soft">{escape(about)}, {escape(versions)}; bars begin at 1 ×; upright:'
        " the goal</text>",
    ]
    for tick in (0.1, 1, 10, 100, 1000):
        if low <= tick <= high:
            x = across(tick)
            lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}"/>')
            lines.append(f'<text class="soft" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g} ×</text>')
    for n, (goal, ratio) in enumerate(bars):
        y, end, mark, one = TOP + ROW * n, across(ratio), across(goal.least), across(1)
        colour = "bar" if ratio >= goal.least else "short"
        lines += [
            f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(goal.title)}</text>',
            f'<rect class="{colour}" x="{min(one, end):.1f}" y="{y + 2}" width="{max(1.0, abs(end - one)):.1f}"'
            ' height="16" rx="2"/>',
            f'<line class="goal" x1="{mark:.1f}" x2="{mark:.1f}" y1="{y - 1}" y2="{y + 21}"/>',
            f'<text x="{max(end, mark, one) + 8:.1f}" y="{y + 14}">{_short(ratio)}</text>',
        ]
    lines += [
        f'<text x="12" y="{height - 12}" class="soft">Blue: the goal is reached; orange: not yet. How it was measured:'
        " docs/benchmarks.md</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
