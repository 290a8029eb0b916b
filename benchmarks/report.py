"""Reports the results as a table of ratios and as a chart."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from math import log10
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from benchmarks.workload import BOUNDED_QUERIES, PLAIN_CASE

Numbers = dict[str, Any]
DATABASE_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PEERS = ("naive", "naive without count", "datasette", "pocketbase", "bare")
MAX_GENERATOR_BUSY = 0.95
"""From this share of its core on, the generator may have been what was measured."""


ValueGetter = Callable[[Numbers], float | None]
"""What a goal is about, from the measures of a database; none where it was not measured."""


@dataclass(frozen=True)
class Goal:
    """A goal of the project: where its value is found, and what it has to reach, or not to pass (`most`)."""

    title: str
    value: ValueGetter
    bound: float
    databases: Sequence[str] = ("sqlite", "postgresql")
    is_upper_bound: bool = False
    is_drawn: bool = False
    """Whether it is a ratio to a peer, and in the chart."""

    def is_reached(self, value: float) -> bool:
        """Whether it is."""
        return value <= self.bound if self.is_upper_bound else value >= self.bound


def _ratio_getter(measure: str, one: str, other: str, what: str = "rate") -> ValueGetter:
    """A number of one case as a share of that of another; cases are named as `case/peer`."""

    def value(measures: Numbers) -> float | None:
        first, second = (_read_number(measures, f"{measure}/{each}/{what}") for each in (one, other))
        return None if first is None or second is None else first / second

    return value


def _read_number(measures: Numbers, path: str) -> float | None:
    at: Any = measures
    for name in path.split("/"):
        at = at.get(name) if isinstance(at, dict) else None
    return None if at is None else float(at)


def _peer_ratio_getter(measure: str, case: str, peer: str) -> ValueGetter:
    return _ratio_getter(measure, f"{case}/ours", f"{case}/{peer}")


def _number_getter(path: str) -> ValueGetter:
    return lambda measures: _read_number(measures, path)


def _least_hot_ratio(measures: Numbers) -> float | None:
    shares = [_peer_ratio_getter("hot", case, "bare")(measures) for case in measures.get("hot", {})]
    return min((share for share in shares if share is not None), default=None)


def _hot_to_cold_ratio(measures: Numbers) -> float | None:
    hot, cold = (
        _read_number(measures, f"{path}/rate") for path in ("hot/side-by-side, large/ours", "sides-cold/large/naive")
    )
    return None if hot is None or cold is None else hot / cold


SQLITE, POSTGRESQL = ("sqlite",), ("postgresql",)
NAIVE_WITHOUT_COUNT = "naive without count"
GOALS = (
    Goal("cold page of 50 ÷ naive", _peer_ratio_getter("page-cold", "shallow", "naive"), 25, SQLITE, is_drawn=True),
    Goal("cold page of 50, deep ÷ naive", _peer_ratio_getter("page-cold", "deep", "naive"), 25, SQLITE, is_drawn=True),
    Goal("cold page of 50 ÷ naive", _peer_ratio_getter("page-cold", "shallow", "naive"), 18, POSTGRESQL, is_drawn=True),
    Goal(
        "cold page of 50, deep ÷ naive", _peer_ratio_getter("page-cold", "deep", "naive"), 18, POSTGRESQL, is_drawn=True
    ),
    Goal(
        "cold page of 50 ÷ naive without count",
        _peer_ratio_getter("page-cold", "shallow", NAIVE_WITHOUT_COUNT),
        7,
        SQLITE,
        is_drawn=True,
    ),
    Goal("cold page of 50 ÷ Datasette", _peer_ratio_getter("page-cold", "shallow", "datasette"), 10, is_drawn=True),
    Goal("cold page of 50 ÷ PocketBase", _peer_ratio_getter("page-cold", "shallow", "pocketbase"), 10, is_drawn=True),
    Goal("cold claim ÷ naive", _peer_ratio_getter("claim-cold", "one claim", "naive"), 7.5, is_drawn=True),
    Goal("cold claim ÷ PocketBase", _peer_ratio_getter("claim-cold", "one claim", "pocketbase"), 1.4, is_drawn=True),
    Goal("cold side-by-side ÷ naive", _peer_ratio_getter("sides-cold", "large", "naive"), 10, is_drawn=True),
    Goal("hot side-by-side ÷ cold of naive", _hot_to_cold_ratio, 150),
    Goal("cold timeline ÷ naive", _peer_ratio_getter("timeline-cold", "large", "naive"), 10, is_drawn=True),
    Goal("hot page ÷ bare uvicorn", _peer_ratio_getter("hot", "page", "bare"), 0.8, is_drawn=True),
    Goal("hot page, zstd ÷ bare uvicorn", _peer_ratio_getter("hot", "page, zstd", "bare"), 0.8, is_drawn=True),
    Goal("hot claim ÷ bare uvicorn", _peer_ratio_getter("hot", "claim", "bare"), 0.8, is_drawn=True),
    Goal("hot 304 ÷ bare uvicorn", _peer_ratio_getter("hot", "page, 304", "bare"), 0.8, is_drawn=True),
    Goal("hot, the least of all reads ÷ bare uvicorn", _least_hot_ratio, 0.8),
    Goal("hot with a commit a second ÷ without", _ratio_getter("writers", "hot/1 a second", "hot/0 a second"), 0.6),
    Goal("hot with ten commits a second ÷ without", _ratio_getter("writers", "hot/10 a second", "hot/0 a second"), 0.4),
    *(
        Goal(
            f"p99 with `{name}` ÷ p99 of a category",
            _ratio_getter("bounded", f"pages/{name}", f"pages/{PLAIN_CASE}", "p99"),
            20,
            is_upper_bound=True,
        )
        for name in BOUNDED_QUERIES
        if name != PLAIN_CASE
    ),
    Goal(
        "CPU of a page ÷ in a register a tenth as large",
        _ratio_getter("growth", "pages/first page", "pages/first page of a tenth", "cpu_us"),
        1.5,
        is_upper_bound=True,
    ),
    Goal(
        "CPU of a deep page ÷ first page",
        _ratio_getter("growth", "pages/deep page", "pages/first page", "cpu_us"),
        1.1,
        is_upper_bound=True,
    ),
    Goal(
        "CSV ÷ raw `COPY`, joined",
        _ratio_getter("export", "everything/ours, CSV", "everything/raw, joined"),
        0.8,
        POSTGRESQL,
    ),
    Goal(
        "NDJSON ÷ the command line, joined",
        _ratio_getter("export", "everything/ours, NDJSON", "everything/raw, joined"),
        0.7,
        SQLITE,
    ),
    Goal("single POST ÷ naive", _peer_ratio_getter("post", "16 at once", "naive"), 5, is_drawn=True),
    Goal("two workers ÷ one, cold", _ratio_getter("workers", "page, cold/ours-2", "page, cold/ours"), 1.6),
    Goal("start to the first answer, s", _number_getter("start/first answer/ours/seconds"), 1, is_upper_bound=True),
    Goal(
        "memory idle, of no file, MB", _number_getter("memory/memory/ours/idle/anonymous_mb"), 70, is_upper_bound=True
    ),
    Goal(
        "memory loaded, of no file, MB",
        _number_getter("memory/memory/ours/loaded/anonymous_mb"),
        150,
        is_upper_bound=True,
    ),
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
        minutes = sum(each["took"].values()) / 60
        parts += [
            "",
            f"## {DATABASE_NAMES[kind]}",
            "",
            f"Measured in {minutes:.0f} minutes.",
            *_database_lines(kind, each["measures"]),
        ]
    return "\n".join(parts) + "\n"


def _database_lines(kind: str, measures: Numbers) -> Iterator[str]:
    if "agree" in measures:
        compared = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in measures["agree"].items())
        yield f"\nAnswers agree with the naive peer's: {compared}."
    rows = list(_goal_values(kind, measures))
    if rows:
        yield "\n| goal | | reached | |\n|---|--:|--:|---|"
        for goal, value in rows:
            bound = f"{'≤' if goal.is_upper_bound else '≥'} {goal.bound:g}"
            yield f"| {goal.title} | {bound} | {_format_number(value)} | {'yes' if goal.is_reached(value) else 'no'} |"
    for name, (title, shown) in SECTIONS.items():
        if measures.get(name):
            yield f"\n### {title}\n"
            yield from shown(measures[name])


def _goal_values(kind: str, measures: Numbers) -> Iterator[tuple[Goal, float]]:
    for goal in GOALS:
        if kind in goal.databases and (value := goal.value(measures)) is not None:
            yield goal, value


def _ratio_table(cases: Numbers) -> Iterator[str]:
    there = [peer for peer in PEERS if any(peer in case for case in cases.values())]
    yield f"| | ours, a second | µs | p50, p99 ms | {' | '.join(f'÷ {peer}' for peer in there)} |"
    yield f"|---|--:|--:|--:|{'--:|' * len(there)}"
    limited = False
    for name, case in cases.items():
        ours = case.get("ours")
        if ours is None:
            continue
        marks = ["*" if each["busy"] > MAX_GENERATOR_BUSY else "" for each in case.values()]
        limited |= any(marks)
        own = "*" if ours["busy"] > MAX_GENERATOR_BUSY else ""
        cells = [f"{_format_ratio(ours, case[peer])}" if peer in case else "–" for peer in there]
        yield (
            f"| {name} | {ours['rate']:,.0f}{own} | {ours['cpu_us']:,.0f} | {1000 * ours['p50']:.1f},"
            f" {1000 * ours['p99']:.1f} | {' | '.join(cells)} |"
        )
    yield from _shortened_lines(cases)
    if limited:
        yield "\n\\* The generator was busy for more than 95% of the time: the server could have done more."


def _shortened_lines(cases: Numbers) -> Iterator[str]:
    """What was asked less often than the others, and what was given up."""
    most = max(len(each["runs"]) for case in cases.values() for each in case.values())
    once = {
        f"{peer} ({name}): {len(each['runs'])} of {most} turns, {each['done']} requests"
        for name, case in cases.items()
        for peer, each in case.items()
        if len(each["runs"]) < most
    }
    if once:
        yield f"\nToo slow to be asked in every turn: {'; '.join(sorted(once))}."
    given_up = {
        f"{peer} ({name}): {each['refused']} of {each['done']}"
        for name, case in cases.items()
        for peer, each in case.items()
        if each["refused"]
    }
    if given_up:
        yield (
            f"\nGiven up after ten seconds, and counted as answered then: {'; '.join(sorted(given_up))}. The ratios to"
            " them are larger than shown."
        )


def _format_ratio(ours: Numbers, other: Numbers) -> str:
    mark = "*" if other["busy"] > MAX_GENERATOR_BUSY else ""
    return f"{_format_number(ours['rate'] / other['rate'])}{mark} ({_format_number(other['cpu_us'] / ours['cpu_us'])})"


def _format_number(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"  # noqa: PLR2004


def _geometric_mean_lines(cases: Numbers) -> Iterator[str]:
    for peer in PEERS:
        ratios = {name: case["ours"]["rate"] / case[peer]["rate"] for name, case in cases.items() if peer in case}
        if ratios:
            least = min(ratios, key=lambda name: ratios[name])
            yield (
                f"\n÷ {peer}: geometric mean {_format_number(geometric_mean(ratios.values()))},"
                f" least {_format_number(ratios[least])} ({least})"
            )


def _compare_with_first(cases: Numbers) -> Iterator[str]:
    for name, case in cases.items():
        first = next(iter(case.values()))
        shown = ", ".join(
            f"{state} {each['rate']:,.0f} a second ({_format_number(each['rate'] / first['rate'])} ×, p99"
            f" {1000 * each['p99']:.1f} ms{_format_commits(each)})"
            for state, each in case.items()
        )
        yield f"- {name}: {shown}"


def _format_commits(each: Numbers) -> str:
    return f", {each['commits']} commits" if each.get("commits") else ""


def _bounded_table(cases: Numbers) -> Iterator[str]:
    case = cases["pages"]
    plain = case[PLAIN_CASE]
    yield "| | p50, p99, longest ms | p99 ÷ plain | asked | refused as too broad |\n|---|--:|--:|--:|--:|"
    for name, each in case.items():
        times = ", ".join(f"{1000 * each[part]:.1f}" for part in ("p50", "p99", "longest"))
        yield f"| {name} | {times} | {_format_number(each['p99'] / plain['p99'])} | {each['done']} | {each['refused']} |"


def _growth_table(cases: Numbers) -> Iterator[str]:
    case = cases["pages"]
    first = case["first page"]
    yield "| | CPU µs | ÷ first page | bytes |\n|---|--:|--:|--:|"
    for name, each in case.items():
        yield f"| {name} | {each['cpu_us']:,.0f} | {_format_number(each['cpu_us'] / first['cpu_us'])} | {each['bytes']:,} |"


def _export_table(cases: Numbers) -> Iterator[str]:
    case = cases["everything"]
    raw = case["raw, joined"]["rate"]
    yield "| | rows a second | ÷ raw, joined | MB a second | most memory of no file, MB |\n|---|--:|--:|--:|--:|"
    for name, each in case.items():
        most = f"{each['anonymous_mb']:.0f}" if "anonymous_mb" in each else "–"
        yield (
            f"| {name} | {each['rate']:,.0f} | {_format_number(each['rate'] / raw)} | {each['mb'] / each['seconds']:.1f}"
            f" | {most} |"
        )


def _start_lines(cases: Numbers) -> Iterator[str]:
    for peer, each in cases["first answer"].items():
        yield f"- {peer}: {each['seconds']:.2f} s"


def _memory_lines(cases: Numbers) -> Iterator[str]:
    for peer, states in cases["memory"].items():
        shown = ", ".join(f"{state} {mb['pss_mb']:.0f} ({mb['anonymous_mb']:.0f})" for state, mb in states.items())
        yield f"- {peer}: {shown}"


def _shape_table(cases: Numbers) -> Iterator[str]:
    yield from _ratio_table(cases)
    yield from _geometric_mean_lines(cases)


SECTIONS: dict[str, tuple[str, Callable[[Numbers], Iterator[str]]]] = {
    "page-cold": ("Page of 50, twenty filters in turn", _ratio_table),
    "claim-cold": ("One claim", _ratio_table),
    "sides-cold": ("Side-by-side (the naive peer: positions only)", _ratio_table),
    "timeline-cold": ("Timeline, 200 rows", _ratio_table),
    "search-cold": ("Search", _ratio_table),
    "bounded": ("Questions that no index leads straight to, one at a time", _bounded_table),
    "growth": ("Growth: pages of full size, no answer remembered", _growth_table),
    "hot": ("Hot: asked before", _ratio_table),
    "shapes": ("Page of 50, each filter by itself", _shape_table),
    "post": ("Single POST, durable", _ratio_table),
    "writers": ("While claims are recorded", _compare_with_first),
    "workers": ("Two workers", _compare_with_first),
    "export": ("Export of everything", _export_table),
    "start": ("Start to the first answer", _start_lines),
    "memory": ("Memory, MB (in brackets: of no file)", _memory_lines),
}


CHART_WIDTH, CHART_LEFT, CHART_RIGHT, CHART_ROW_HEIGHT, CHART_TOP = 860, 330, 70, 26, 74


def write_chart(found: Numbers, path: Path) -> None:
    """Draw the ratios to peers and their goals as bars on a logarithmic scale."""
    bars = [
        (replace(goal, title=f"{DATABASE_NAMES[kind]}: {goal.title}") if kind != "sqlite" else goal, value)
        for kind, each in found["databases"].items()
        for goal, value in _goal_values(kind, each["measures"])
        if goal.is_drawn
    ]
    if bars:
        path.write_text(_render_svg(found, bars))


def _render_svg(found: Numbers, bars: Sequence[tuple[Goal, float]]) -> str:
    low = min(0.1, *(ratio for _, ratio in bars))
    high = max(100.0, *(max(ratio, goal.bound) for goal, ratio in bars))

    def across(value: float) -> float:
        return CHART_LEFT + (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) * (log10(value) - log10(low)) / (
            log10(high) - log10(low)
        )

    height = CHART_TOP + CHART_ROW_HEIGHT * len(bars) + 54
    bottom = CHART_TOP + CHART_ROW_HEIGHT * len(bars)
    machine = found["machine"]
    about = f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}"
    versions = ", ".join(each["version"].partition(" (")[0] for each in found["databases"].values())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {CHART_WIDTH} {height}" width="{CHART_WIDTH}" height="{height}"'
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
            lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{CHART_TOP - 8}" y2="{bottom}"/>')
            lines.append(f'<text class="soft" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g} ×</text>')
    for n, (goal, ratio) in enumerate(bars):
        y, end, mark, one = CHART_TOP + CHART_ROW_HEIGHT * n, across(ratio), across(goal.bound), across(1)
        colour = "bar" if goal.is_reached(ratio) else "short"
        lines += [
            f'<text x="{CHART_LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(goal.title)}</text>',
            f'<rect class="{colour}" x="{min(one, end):.1f}" y="{y + 2}" width="{max(1.0, abs(end - one)):.1f}"'
            ' height="16" rx="2"/>',
            f'<line class="goal" x1="{mark:.1f}" x2="{mark:.1f}" y1="{y - 1}" y2="{y + 21}"/>',
            f'<text x="{max(end, mark, one) + 8:.1f}" y="{y + 14}">{_format_number(ratio)}</text>',
        ]
    lines += [
        f'<text x="12" y="{height - 12}" class="soft">Blue: the goal is reached; orange: not yet. How it was measured:'
        " docs/benchmarks.md</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
