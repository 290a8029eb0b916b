"""The result of `make torture`: tables for people, and the same as JSON, each part with its commit and command."""

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
ROOT = Path(__file__).parents[2]

TITLES = {
    "kills": "The process group is killed under four writers",
    "power": "The power is lost (SQLite)",
    "storage": "Writes fail, disks are full",
    "races": "The same key ten times at once, and changes of one revision by eight",
    "requests": "Roles, headers, hostile requests",
    "faults": "One fault put in on purpose for each class, and the test that found it",
}
SHOWN = {
    "kills": ("database", "kills", "acknowledged", "lost", "doubled", "gaps", "check", "answers"),
    "power": ("synchronous", "acknowledged", "cuts", "cuts that lost", "lost", "recorded"),
    "storage": (
        *("database", "failure", "acknowledged", "lost", "doubled", "recorded although refused"),
        *("answers", "reads", "slowest read", "is_restarted"),
    ),
    "races": ("test", "result"),
    "requests": ("test", "result"),
    "faults": ("class", "fault", "test", "result"),
}


def current_commit() -> str:
    """Return the commit of the code, with a mark if it was changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def save(part: str, command: str, commit: str, rows: Sequence[dict[str, Any]]) -> None:
    """Save the rows of a part with the commit that they are of, and write the page anew."""
    path = RESULTS / "torture.json"
    saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    day = f"{datetime.now(UTC):%d %B %Y}"
    saved[part] = {"command": command, "commit": commit, "day": day, "rows": list(rows)}
    saved = {name: saved[name] for name in TITLES if name in saved}
    path.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (RESULTS / "torture.md").write_text(render(saved), encoding="utf-8")


def render(saved: dict[str, Any]) -> str:
    """Return the page."""
    lines = ["# Nothing acknowledged is lost", ""]
    lines += [
        "What `make torture` does and counts is in [operating](../../docs/operating.md#what-is-acknowledged-is-stored). *Lost*: acknowledged,",
        "and not in the register. *Doubled*: recorded twice. *Gaps*: numbers that are missing in the log. *Cuts*: simulated losses of power.",
    ]
    for part, found in saved.items():
        lines += ["", f"## {TITLES[part]}", "", f"`{found['command']}`, {found['commit']}, {found['day']}", ""]
        columns = SHOWN[part]
        lines += [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
        lines += [f"| {' | '.join(_cell(row.get(name)) for name in columns)} |" for row in found["rows"]]
        faults = [f"- {fault}" for row in found["rows"] for fault in row.get("faults", [])]
        lines += ["", *(faults or ["Nothing differs from what must be."])]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, dict):
        value = ", ".join(f"{name} ×{number:,}" for name, number in value.items())
    elif isinstance(value, bool):
        value = "yes" if value else "no"
    elif isinstance(value, int):
        value = f"{value:,}"
    return str(value if value is not None else "").replace("|", "/").replace("is_", "is ")
