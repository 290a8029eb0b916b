"""`make failover`: three servers of PostgreSQL with Patroni, of which one fails after the other, under load."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.failover.cluster import ROOT, Servers
from benchmarks.failover.network import create_bridge, enter_namespaces
from benchmarks.failover.report import RESULT, render, save
from benchmarks.failover.scenarios import (
    SCENARIOS,
    SERVICES,
    Outcome,
    run_asynchronous,
    run_rolling_restart,
    run_scenario,
    run_switchover,
)
from benchmarks.operate.service import Service
from benchmarks.pair_versions import name_current

SETTINGS = {"COUNTERCLAIM_BASE_URL": "http://register.example"}


def start_services(stack: ExitStack, servers: Servers, folder: Path) -> list[Service]:
    """Start two services whose addresses name all servers, in different orders."""
    services = []
    for number, name in enumerate(SERVICES):
        read_url = f"{servers.url('prefer-standby', first=2 * number)}&application_name=reads-{name}"
        own = folder / name
        own.mkdir()
        # What a service records about a database at an address must not be read by the next run.
        settings = {**SETTINGS, "TMPDIR": str(own)}
        services.append(Service(servers.url("read-write"), own, read_url=read_url, settings=settings))
    services[0].prepare()
    services[1].key = services[0].key
    for service in services:
        stack.callback(service.stop)
        service.start()
    return services


def measure(folder: Path, only: list[str]) -> list[Outcome]:
    """Run the scenarios whose name contains one of `only`, or all."""
    with ExitStack() as stack:
        servers = Servers(folder)
        stack.callback(servers.stop)
        servers.start()
        services = start_services(stack, servers, folder)
        runs: dict[str, Callable[[], Outcome]] = {
            each.name: lambda each=each: run_scenario(each, servers, services)  # type: ignore[misc]
            for each in SCENARIOS
        }
        runs["switchover"] = lambda: run_switchover(servers, services)
        runs["rolling restart"] = lambda: run_rolling_restart(folder, servers, services)
        runs["asynchronous"] = lambda: run_asynchronous(servers, services)
        outcomes = []
        for name, run in runs.items():
            if not only or any(each in name for each in only):
                print(f"{name} …", file=sys.stderr, flush=True)
                outcomes.append(run())
                print(f"  {outcomes[-1]}", file=sys.stderr, flush=True)
        return outcomes


def main() -> None:
    """Run the scenarios, print a table, and save it with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of scenarios")
    parser.add_argument("--save", action="store_true", help=f"write {RESULT.name} and the same as JSON")
    options = parser.parse_args()
    commit = name_current()
    enter_namespaces()
    create_bridge()
    with tempfile.TemporaryDirectory(prefix="run-", dir=ROOT / ".bench" / "failover") as path:
        folder = Path(path)
        folder.chmod(0o755)
        try:
            outcomes = measure(folder, options.only)
        finally:
            shutil.copytree(folder, ROOT / ".bench" / "failover" / "logs", dirs_exist_ok=True, ignore=_all_but_logs)
    print(render(outcomes, commit))
    if options.save:
        save(outcomes, commit)
    if any(outcome.faults for outcome in outcomes):
        sys.exit(1)


def _all_but_logs(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".log") and name not in SERVICES]


if __name__ == "__main__":
    main()
