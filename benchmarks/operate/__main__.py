"""Let the database, the disk and the workers of a running service fail, and note what it answers.

    python -m benchmarks.operate                                  all failures: about half an hour
    python -m benchmarks.operate --only "table locked" --databases postgresql --workers 1

The exit status is 1 if an answer, an alert or a write differs from what must be.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.operate.alerts import Prometheus, check_metrics, check_rules, find_programs, rule_names
from benchmarks.operate.failures import DATABASE, Failure, Stage, failures_of, small_disk
from benchmarks.operate.postgresql import Cluster
from benchmarks.operate.probers import BARE, HOT_PATH, KINDS, Ledger, Observations, Probers, seconds_until_back
from benchmarks.operate.report import Outcome, render, save
from benchmarks.operate.service import Service

DEADLINE_SECONDS = 4.0
MARGIN_SECONDS = 0.1
"""What a response takes that is sent at the deadline, and its connection."""
MAX_MACHINE_SECONDS = 0.5
"""A busy machine adds what a server that does nothing takes, or what the same request took before the failure; at
most this."""
BEFORE_SECONDS = 3.0
QUICK_SECONDS = 0.1
READY_SECONDS = 2.0
BACK_SECONDS = 2.0
RESTART_SECONDS = 10.0
"""A process that was just started compiles what it executes first, on cores that it shares with all of this."""
SHOWN_METRICS = (
    "ready",
    "database_reads_up",
    "database_writes_up",
    "database_damaged",
    "replica_lag_changes",
    "database_check_age_seconds",
)


@contextmanager
def stage_of(configuration: str, workers: int, settings: dict[str, str]) -> Iterator[Stage]:
    """Yield a running service on a new register."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="counterclaim-operate-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        disk = folder / "disk"
        disk.mkdir()
        is_mounted = stack.enter_context(small_disk(disk))
        cluster = standby = None
        url, read_url = f"sqlite:///{disk}/register.db", ""
        if configuration != "sqlite":
            cluster = Cluster(disk, "primary")
            cluster.create()
            stack.callback(cluster.remove)
            cluster.start()
            cluster.execute(f"CREATE DATABASE {DATABASE}")
            url = cluster.url(DATABASE)
        service = Service(url, folder, workers, settings=settings)
        service.prepare()
        if configuration == "replica":
            assert cluster is not None  # noqa: S101
            standby = Cluster(disk, "standby")
            standby.create_standby(cluster)
            stack.callback(standby.remove)
            standby.start()
            service.read_url = standby.url(DATABASE)
        stack.callback(service.stop)
        service.start()
        yield Stage(service, disk, cluster, standby, is_mounted)


def observe(
    stage: Stage, failure: Failure, configuration: str, seconds: float, prometheus: Prometheus | None
) -> Outcome:
    """Let one failure take place; return what was observed."""
    service = stage.service
    for _ in range(20):  # each worker has the response in its cache
        service.request("GET", HOT_PATH)
    remaining = prometheus.wait_until_quiet() if prometheus else set()
    offset = service.log.stat().st_size
    ledger = Ledger(service)
    probers = Probers(service, ledger)
    probers.start()
    time.sleep(BEFORE_SECONDS)
    before = probers.take()
    with failure.run(stage):  # type: ignore[attr-defined]
        began = time.monotonic()
        if prometheus:
            prometheus.take()
        time.sleep(seconds)
        metrics = {}
        if not failure.may_not_answer or service.workers > 1:
            metrics = {
                name: value
                for name, value in service.metrics().items()
                if name.removeprefix("counterclaim_") in SHOWN_METRICS
            }
        observed = probers.take(began)
        fired = prometheus.take() if prometheus else set()
        is_restarted = failure.is_restart(service.workers)
        if is_restarted:
            probers.stop()
            observed = _merge(observed, probers.take()) if failure.name == "damaged pages" else observed
        lasted = time.monotonic() - began
    back = seconds_until_back(service)
    if not is_restarted:
        probers.stop()
        late = probers.take()
    else:
        late = Observations()
    ledger.settle()
    outcome = Outcome(configuration, service.workers, failure.name, lasted)
    outcome.back = back
    outcome.writes = {"acknowledged": len(ledger.acknowledged), **ledger.faults()}
    if failure.name == "damaged pages":  # a backup is restored: what was written since is lost
        outcome.writes = {"acknowledged": len(ledger.acknowledged)}
    outcome.answers = {kind: dict(observed.labels(kind).most_common()) for kind in KINDS}
    slowest = {kind: max(observed.slowest(kind), late.slowest(kind)) for kind in KINDS}
    outcome.slowest = {kind: round(value, 3) for kind, value in slowest.items()}
    outcome.percentile_95 = {kind: round(observed.percentile(kind, 0.95), 3) for kind in (*KINDS, BARE)}
    outcome.before = {kind: round(before.slowest(kind), 3) for kind in KINDS}
    outcome.slowest[BARE] = round(observed.slowest(BARE), 3)
    outcome.alerts = sorted(fired)
    outcome.log = dict(service.log_summary(offset).most_common())
    if keep := os.environ.get("OPERATE_LOGS"):
        shutil.copy(service.log, Path(keep) / f"{configuration}-{service.workers}.log")
    outcome.metrics = {name.removeprefix("counterclaim_"): value for name, value in metrics.items()}
    outcome.faults = [*judge(outcome, failure, has_alerts=prometheus is not None)]
    if remaining:
        outcome.faults.append(f"fired before: {', '.join(sorted(remaining))}")
    return outcome


def _merge(one: Observations, other: Observations) -> Observations:
    for kind, answers in other.answers.items():
        one.answers[kind] += answers
    return one


def judge(outcome: Outcome, failure: Failure, *, has_alerts: bool) -> Iterator[str]:
    """Yield what differs from what must be."""
    limits = {"live": QUICK_SECONDS, "metrics": QUICK_SECONDS, "ready": READY_SECONDS}
    for kind in KINDS:
        machine = max(outcome.slowest[BARE], outcome.before.get(kind, 0.0) if kind in limits else 0.0)
        limit = limits.get(kind, DEADLINE_SECONDS + MARGIN_SECONDS) + min(machine, MAX_MACHINE_SECONDS)
        seconds = outcome.percentile_95[kind] if kind in {"live", "metrics"} else outcome.slowest[kind]
        if seconds > limit:
            yield f"{kind} took {seconds:.2f} s"
        counts = outcome.answers[kind]
        if not counts:
            yield f"{kind} was not asked"
        wrong = [label for label in counts if not _is_allowed(kind, label, failure)]
        if wrong:
            yield f"{kind} answered {', '.join(f'{label} ×{counts[label]}' for label in wrong)}"
    if failure.ready and not any(label.endswith(failure.ready) for label in outcome.answers["ready"]):
        yield f"ready never answered {failure.ready}"
    limit = RESTART_SECONDS if failure.is_restart(outcome.workers) else BACK_SECONDS
    for kind, seconds in outcome.back.items():
        if seconds is None or seconds > limit:
            yield f"{kind} was back after {'more than 30' if seconds is None else f'{seconds:.1f}'} s"
    for name, number in outcome.writes.items():
        if name != "acknowledged" and number:
            yield f"{number} writes {name}"
    if not has_alerts:
        return
    fired = set(outcome.alerts)
    if missing := failure.alerts - fired:
        yield f"did not fire: {', '.join(sorted(missing))}"
    if extra := fired - failure.alerts - failure.may_fire:
        yield f"fired: {', '.join(sorted(extra))}"


def _is_allowed(kind: str, label: str, failure: Failure) -> bool:
    status = label.split()[0]
    if failure.may_not_answer and status == "none":
        return True
    if kind in {"live", "metrics"}:
        return status == "200"
    if kind == "ready":
        return status in {"200", "503"} if failure.ready != "200" else status == "200"
    if failure.name == "unexpected error" and kind == "write":
        return status == "500"
    if kind == "write":
        return status in ({"201"} if failure.writes_go_on else {"201", "503"})
    return status in ({"200"} if failure.reads_go_on else {"200", "503"})


def judge_again(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return saved outcomes, judged by what is expected now, without those of failures that are no longer tried."""
    found = []
    for outcome in outcomes:
        failures = {failure.name: failure for failure in failures_of(outcome.configuration, outcome.workers)}
        if outcome.failure in failures:
            has_alerts = any(each.alerts for each in outcomes)
            outcome.faults = list(judge(outcome, failures[outcome.failure], has_alerts=has_alerts))
            found.append(outcome)
    return found


def main() -> int:
    """Run the failures."""
    parser = argparse.ArgumentParser(
        description="Let databases, disks and workers fail, and note what the service answers."
    )
    parser.add_argument("--databases", default="sqlite postgresql replica")
    parser.add_argument("--workers", default="1 2")
    parser.add_argument("--only", default="", help="names of failures, separated by commas")
    parser.add_argument("--seconds", type=float, default=14.0, help="how long a failure lasts")
    parser.add_argument("--frozen", type=float, default=30.0, help="how long a database is frozen")
    parser.add_argument("--speed", type=float, default=60.0, help="by what the durations of the alerts are divided")
    parser.add_argument("--no-alerts", action="store_true")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--judge", action="store_true", help="judge the saved outcomes again")
    arguments = parser.parse_args()
    if arguments.judge:
        save([], rule_names(), [], judge=judge_again)
        return 0
    only = {name.strip() for name in arguments.only.split(",") if name.strip()}
    notes = [f"{os.cpu_count()} processor cores, {datetime.now(UTC):%d %B %Y}"]
    missing = "not asked for" if arguments.no_alerts else find_programs()
    if missing:
        notes.append(f"Alerts were not tried: {missing}")
    else:
        with tempfile.TemporaryDirectory() as folder:
            notes.append(f"`promtool check rules`: {check_rules(Path(folder))}")
        notes.append(
            f"the durations of the rules are divided by {arguments.speed:g}, and Prometheus scrapes every second"
        )
    outcomes: list[Outcome] = []
    for configuration in arguments.databases.split():
        for workers in map(int, arguments.workers.split()):
            outcomes += run(configuration, workers, only, arguments, notes, with_alerts=not missing)
            if arguments.save:
                save(outcomes, [] if missing else rule_names(), notes)
    print(render(outcomes, [] if missing else rule_names(), notes))
    return int(any(outcome.faults for outcome in outcomes))


def run(
    configuration: str,
    workers: int,
    only: set[str],
    arguments: argparse.Namespace,
    notes: list[str],
    *,
    with_alerts: bool,
) -> list[Outcome]:
    """Run the failures of one configuration; those with the same settings on one service."""
    failures = [each for each in failures_of(configuration, workers) if not only or each.name in only]
    outcomes: list[Outcome] = []
    groups: list[tuple[dict[str, str], Sequence[Failure]]] = []
    for failure in failures:
        same = [group for settings, group in groups if settings == failure.settings]
        if same:
            same[0].append(failure)  # type: ignore[attr-defined]
        else:
            groups.append((failure.settings, [failure]))
    for settings, group in groups:
        with ExitStack() as stack:
            stage = stack.enter_context(stage_of(configuration, workers, settings))
            if (
                not stage.is_mounted
                and (note := "no file system could be mounted: disks are full by RLIMIT_FSIZE") not in notes
            ):
                notes.append(note)
            prometheus = None
            if with_alerts:
                prometheus = stack.enter_context(Prometheus(stage.service.folder, stage.service.port, arguments.speed))
            for failure in group:
                seconds = arguments.frozen if failure.lasts == "long" else arguments.seconds
                outcome = observe(stage, failure, configuration, seconds, prometheus)
                outcomes.append(outcome)
                print(f"{configuration} {workers} {failure.name}:", file=sys.stderr)
                for kind in KINDS:
                    print(f"    {kind:10} {outcome.slowest[kind]:6.3f} {outcome.answers[kind]}", file=sys.stderr)
                print(f"    back {outcome.back} writes {outcome.writes} alerts {outcome.alerts}", file=sys.stderr)
                for fault in outcome.faults:
                    print(f"    FAULT {fault}", file=sys.stderr, flush=True)
            if with_alerts and (said := f"`promtool check metrics`: {check_metrics(stage.service)}") not in notes:
                notes.append(said)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
