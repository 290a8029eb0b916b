"""Sends generated requests to a starter register, with every check of Schemathesis, also in sequences.

    python -m benchmarks.fuzzing --examples 60 --databases "sqlite postgresql"

Each database is tested with the key of an admin, and then without a key. A failure that is no fault of the service has
a reason in `hooks.py`; any other one fails the command.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.postgresql import CACHE_FOLDER
from benchmarks.starter_server import serve_starter_register
from tests.history.servers import ServerProcess

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PROGRAM = CACHE_FOLDER / "fuzz" / "bin" / "schemathesis"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SHARE_WITHOUT_KEY = 6
"""Without a key, one in so many examples is sent: most writes end at the missing key."""


def main() -> None:
    """Test on the databases that the arguments name, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=60, help="the most examples of an operation")
    parser.add_argument("--seconds", type=int, default=1_500, help="the most seconds of a run")
    parser.add_argument("--databases", default="sqlite postgresql")
    parser.add_argument("--program", type=Path, default=PROGRAM)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    runs: list[dict[str, Any]] = []
    for dialect in arguments.databases.split():
        with TemporaryDirectory() as folder, serve_starter_register(dialect, Path(folder)) as (server, keys):
            for with_key in (True, False):
                examples = arguments.examples if with_key else max(1, arguments.examples // SHARE_WITHOUT_KEY)
                key = keys["admin"]["Authorization"].removeprefix("Bearer ") if with_key else None
                run = _run(server, key, examples, arguments)
                runs.append({"database": dialect, "key": "admin" if with_key else None, **run})
                _print_run(runs[-1])
    names = "-".join(arguments.databases.split())
    (RESULTS / f"fuzz-{names}.json").write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(run["failures"] or run["tracebacks"] for run in runs))


def _run(server: ServerProcess, key: str | None, examples: int, arguments: argparse.Namespace) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        events, accepted = Path(folder) / "events.ndjson", Path(folder) / "accepted.json"
        configuration = Path(folder) / "schemathesis.toml"
        authentication = "" if key is None else f'\n[auth.openapi.key]\nbearer = "{key}"\n'
        configuration.write_text(CONFIGURATION.read_text(encoding="utf-8") + authentication, encoding="utf-8")
        command = [
            str(arguments.program), "--config-file", str(configuration), "run",
            f"http://127.0.0.1:{server.port}/openapi.json", "--checks", "all", "--max-examples", str(examples),
            "--report-ndjson-path", str(events), "--no-color", "--generation-database", "none",
            *([] if arguments.seed is None else ["--seed", str(arguments.seed)]),
        ]  # fmt: skip
        environment = os.environ | {"FUZZ_ACCEPTED": str(accepted), "PYTHONPATH": str(ROOT)}
        started = time.monotonic()
        tracebacks = server.read_log().count("Traceback")
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command,
                cwd=ROOT,
                env=environment,
                timeout=arguments.seconds,
                capture_output=True,
                text=True,
                check=False,
            )
            output = done.stdout + done.stderr
        except subprocess.TimeoutExpired as error:
            output = f"{(error.stdout or b'').decode()}\nended after {arguments.seconds} s"
        if not events.exists():
            raise SystemExit(f"Schemathesis did not run:\n{output}")
        return {
            "seconds": round(time.monotonic() - started),
            **_read_events(events),
            "accepted": json.loads(accepted.read_text(encoding="utf-8")) if accepted.exists() else {},
            "tracebacks": server.read_log().count("Traceback") - tracebacks,
            "output": output.splitlines()[-60:],
        }


def _read_events(path: Path) -> dict[str, Any]:
    """Return the number of cases by phase, and of failures by kind, with an example of each."""
    cases: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if "ScenarioFinished" not in event:
            continue
        scenario = event["ScenarioFinished"]
        recorder = scenario["recorder"] or {}
        interactions = recorder.get("interactions") or {}
        cases[scenario["phase"]] += len(interactions)
        for case, checks in (recorder.get("checks") or {}).items():
            for check in checks:
                if check["status"] != "failure":
                    continue
                interaction = interactions[case]
                request, response = interaction["request"], interaction["response"] or {}
                failure = (check.get("failure_info") or {}).get("failure") or {}
                path_ = request["uri"].partition("/v1")[2].partition("?")[0]
                kind = f"{failure.get('title') or check['name']}, {response.get('status_code')}"
                failures[kind] += 1
                examples.setdefault(f"{kind}: {request['method']} {path_}"[:150], request["uri"][:400])
    return {"cases": dict(cases), "failures": dict(failures), "examples": examples}


def _print_run(run: dict[str, Any]) -> None:
    who = f"{run['database']}, {'with a key' if run['key'] else 'without a key'}"
    print(
        f"{who}: {sum(run['cases'].values())} cases in {run['seconds']} s, {run['tracebacks']} tracebacks", flush=True
    )
    for kind, number in run["failures"].items():
        print(f"  {number} × {kind}")
    for kind, example in run["examples"].items():
        print(f"    {kind}: {example}")
    for reason, number in run["accepted"].items():
        print(f"  accepted {number} ×: {reason}", flush=True)


if __name__ == "__main__":
    main()
