"""The parts of `make torture` that are tests of pytest, with larger numbers, or on code with a fault in it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.torture.code_copies import faulty_copy
from benchmarks.torture.faults import FAULTS
from benchmarks.torture.writes import ROOT

RACES = "tests/history/test_races.py"
REQUESTS = (
    "tests/http/test_roles.py",
    "tests/http/test_closed_register.py",
    "tests/http/test_standards.py",
    "tests/http/test_security_headers.py",
    "tests/http/test_hostile.py",
    "tests/http/test_hostile_requests.py",
)
OUTCOME = re.compile(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s", re.MULTILINE)


def run_pytest(*arguments: str, folder: Path = ROOT, settings: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run tests; return the exit status, a summary, and the output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(settings or {})}
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    found = OUTCOME.findall(done.stdout)
    return done.returncode, found[-1] if found else done.stdout[-300:], done.stdout


def run_races(races: int, databases: str) -> list[dict[str, Any]]:
    """Let clients race for the same keys and revisions."""
    rows = []
    for dialect in databases.split():
        status, summary, output = run_pytest(
            "-s", RACES, "-k", f"{dialect} and (exactly_one or one_key)", settings={"TEST_RACES": str(races)}
        )
        results = re.findall(r"^\d+ (?:If-Match|Idempotency-Key) races.*$", output, re.MULTILINE)
        faults = [f"{RACES} on {dialect}: {summary}"] if status else []
        rows.append({"test": f"{RACES} on {dialect}", "result": "; ".join([summary, *results]), "faults": faults})
    return rows


def run_requests() -> list[dict[str, Any]]:
    """Try roles, headers and hostile requests on both databases."""
    rows = []
    for path in REQUESTS:
        status, summary, _ = run_pytest(path)
        rows.append({"test": path, "result": summary, "faults": [f"{path}: {summary}"] if status else []})
    return rows


def run_faults() -> list[dict[str, Any]]:
    """Put one fault after the other into a copy of the code; its test must fail."""
    rows = []
    for fault in FAULTS:
        with faulty_copy(*fault.edits) as folder:
            status, summary, output = run_pytest("-x", *fault.tests, folder=folder)
        failed = re.findall(r"^FAILED (\S+)", output, re.MULTILINE)
        rows.append(
            {
                "class": fault.kind,
                "fault": fault.description,
                "test": ", ".join(failed) or " ".join(fault.tests),
                "result": "found" if status == 1 and failed else f"not found: {summary}",
                "faults": [] if status == 1 and failed else [f"{fault.description} was not found: {summary}"],
            }
        )
    return rows
