"""What fails, and what the clients of two services have seen of it."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx2 as httpx

from benchmarks.failover.cluster import ROOT, Node, Servers, wait_until
from benchmarks.failover.load import BARE, Load, wait_for_writes
from benchmarks.machines import client_of, find_program
from benchmarks.operate.service import Service
from benchmarks.system import find_free_port

TTL_SECONDS = 20
"""`ttl` of docs/examples/patroni.yml."""

WRITES_SECONDS = TTL_SECONDS + 3.0
KILLED_READS_SECONDS = 0.5
SILENT_READS_SECONDS = 3.0
OTHER_SECONDS = 0.5
"""How long liveness may take, which needs no database."""

QUIET_SECONDS = 3.0
"""The time before a failure, and after its effects."""

WRITES_AFTER = 40
"""Acknowledged writes after which a scenario goes on."""

LOST_WRITES = 20
ASYNCHRONOUS_SECONDS = 4.0
DATABASE = "counterclaim"
SERVICES = ("A", "B")

HAPROXY = ROOT / "docs" / "examples" / "haproxy.cfg"


@dataclass
class Outcome:
    """What was observed in one scenario; times in seconds."""

    name: str
    failed: str = ""
    """The server that failed."""
    readers_of_failed: list[str] = field(default_factory=list)
    """The services that read it."""
    writes_paused: float = 0.0
    writes_back: float = 0.0
    """The time from the failure to the end of the longest pause."""
    read_gaps: dict[str, dict[str, float]] = field(default_factory=dict)
    """The longest time without a successful answer, of each service and kind of read."""
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    failed_reads: dict[str, int] = field(default_factory=dict)
    refused_writes: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What is not as it must be."""

    @property
    def machine(self) -> float:
        """Return the longest time without an answer of a server that does nothing."""
        return max((gaps[BARE] for gaps in self.read_gaps.values()), default=0.0)

    def expect(self, what: str, value: float, limit: float) -> None:
        """Note a fault if a value is above its limit."""
        if value > limit:
            self.faults.append(f"{what}: {value:.1f}, at most {limit:.1f}")

    def expect_reads(self, limit: float) -> None:
        """Note a fault for each kind of read that waited longer than its limit and what the machine takes."""
        for service, gaps in self.read_gaps.items():
            for kind, gap in gaps.items():
                own_limit = OTHER_SECONDS if kind == "liveness" else limit
                if kind != BARE:
                    self.expect(f"{kind} of {service}", gap, own_limit + self.machine)


@dataclass(frozen=True)
class Scenario:
    """A failure of one server, with what may be seen of it."""

    name: str
    choose: Callable[[Servers], Node]
    fail: Callable[[Node], None]
    recover: Callable[[Node], None]
    reads_seconds: float
    writes_seconds: float = WRITES_SECONDS


def _do_nothing(_node: Node) -> None:
    """Leave the recovery to Patroni."""


PRIMARY, STANDBY = Servers.primary, Servers.synchronous_standby

SCENARIOS = [
    Scenario("primary server killed", PRIMARY, Node.kill, Node.start, KILLED_READS_SECONDS),
    Scenario("process of PostgreSQL killed", PRIMARY, Node.kill_postmaster, _do_nothing, KILLED_READS_SECONDS),
    Scenario("primary server frozen", PRIMARY, Node.freeze, Node.thaw, SILENT_READS_SECONDS),
    Scenario(
        "primary server partitioned",
        PRIMARY,
        lambda node: node.machine.cut(),
        lambda node: node.machine.heal(),
        SILENT_READS_SECONDS,
    ),
    Scenario("synchronous standby killed", STANDBY, Node.kill, Node.start, KILLED_READS_SECONDS),
    Scenario("synchronous standby frozen", STANDBY, Node.freeze, Node.thaw, SILENT_READS_SECONDS),
    Scenario(
        "synchronous standby partitioned",
        STANDBY,
        lambda node: node.machine.cut(),
        lambda node: node.machine.heal(),
        SILENT_READS_SECONDS,
    ),
]


def readers_of(node: Node) -> list[str]:
    """Return the services that have connections for reads to a server."""
    found = node.execute("SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name LIKE 'reads-%'")
    return sorted(name.removeprefix("reads-") for (name,) in found)


def count_documents(servers: Servers, load: Load) -> tuple[int, int]:
    """Return how many acknowledged writes are lost, and how many are recorded more than once or as another document."""
    found: dict[str, list[str]] = {}
    statement = "SELECT title, id FROM document WHERE title LIKE 'failover %' GROUP BY title, id"
    for title, identifier in servers.primary().execute(statement, DATABASE):
        found.setdefault(title, []).append(str(identifier))
    lost = sum(title not in found for title in load.acknowledged)
    doubled = sum(len(ids) > 1 for ids in found.values())
    doubled += sum(found[title] != [each] for title, each in load.acknowledged.items() if title in found)
    return lost, doubled


def summarize(outcome: Outcome, servers: Servers, load: Load, began: float) -> Outcome:
    """Add what the clients have seen since `began`."""
    gap, back = load.write_gap(began)
    outcome.writes_paused, outcome.writes_back = round(gap, 2), round(back, 2)
    for client in load.clients:
        if client.kind != "write":
            gaps = outcome.read_gaps.setdefault(client.service, {})
            gaps[client.kind] = round(load.read_gap(client.service, client.kind, began), 2)
    outcome.acknowledged = len(load.acknowledged)
    outcome.lost, outcome.doubled = count_documents(servers, load)
    outcome.failed_reads = load.failures(of_writes=False)
    outcome.refused_writes = load.failures(of_writes=True)
    outcome.expect("lost", outcome.lost, 0)
    outcome.expect("doubled", outcome.doubled, 0)
    return outcome


def run_scenario(scenario: Scenario, servers: Servers, services: Sequence[Service]) -> Outcome:
    """Let a server fail under load, recover it, and return what was seen."""
    servers.wait_until_complete()
    node = scenario.choose(servers)
    outcome = Outcome(scenario.name, node.name)
    load = Load(services, SERVICES)
    with load.running():
        time.sleep(QUIET_SECONDS)
        outcome.readers_of_failed = readers_of(node)
        began = time.monotonic()
        scenario.fail(node)
        time.sleep(QUIET_SECONDS)
        wait_for_writes(load, began + QUIET_SECONDS, WRITES_AFTER, 2 * WRITES_SECONDS)
        time.sleep(QUIET_SECONDS)
        recovered = time.monotonic()
        scenario.recover(node)
        servers.wait_until_complete()
        time.sleep(QUIET_SECONDS)
    outcome.notes["until all servers follow again, s"] = round(time.monotonic() - recovered - QUIET_SECONDS, 1)
    summarize(outcome, servers, load, began)
    outcome.expect("writes are back after s", outcome.writes_back, scenario.writes_seconds)
    outcome.expect_reads(scenario.reads_seconds)
    return outcome


def run_switchover(servers: Servers, services: Sequence[Service]) -> Outcome:
    """Let a standby take over in an orderly way."""
    servers.wait_until_complete()
    primary, standby = servers.primary(), servers.synchronous_standby()
    outcome = Outcome("switchover", primary.name)
    load = Load(services, SERVICES)
    with load.running():
        time.sleep(QUIET_SECONDS)
        outcome.readers_of_failed = readers_of(primary)
        began = time.monotonic()
        answer = primary.ask("/switchover", {"leader": primary.name, "candidate": standby.name})
        outcome.notes["answer of Patroni"] = str(answer)
        wait_for_writes(load, began, WRITES_AFTER, WRITES_SECONDS)
        servers.wait_until_complete()
        time.sleep(QUIET_SECONDS)
    summarize(outcome, servers, load, began)
    outcome.expect("writes are back after s", outcome.writes_back, WRITES_SECONDS)
    outcome.expect_reads(KILLED_READS_SECONDS)
    return outcome


def run_rolling_restart(folder: Path, servers: Servers, services: Sequence[Service]) -> Outcome:
    """Restart one service after the other behind HAProxy."""
    outcome = Outcome("rolling restart of two services behind HAProxy")
    program = find_program("haproxy")
    if program is None:
        outcome.notes["not run"] = "HAProxy is not installed"
        return outcome
    port = find_free_port()
    configuration = folder / "haproxy.cfg"
    text = HAPROXY.read_text(encoding="utf-8").replace("bind :8000", f"bind 127.0.0.1:{port}")
    for name, service in zip(("api1", "api2"), services, strict=True):
        text = text.replace(f"{name}:8000", f"127.0.0.1:{service.port}")
    configuration.write_text(text, encoding="utf-8")
    proxied = Service("", folder, port=port, key=services[0].key)
    with ExitStack() as stack:
        process = Popen([program, "-f", str(configuration)])  # noqa: S603
        stack.callback(process.wait)
        stack.callback(process.terminate)
        wait_until(lambda: proxied.request("GET", "/health/ready").is_success, "HAProxy answers")
        load = Load([proxied], ["A and B"])
        with load.running():
            time.sleep(QUIET_SECONDS)
            began = time.monotonic()
            for service in services:
                service.stop()
                time.sleep(1)
                service.start()
                time.sleep(1)
            time.sleep(QUIET_SECONDS)
    summarize(outcome, servers, load, began)
    outcome.expect("failed reads", sum(outcome.failed_reads.values()), 0)
    return outcome


def run_asynchronous(servers: Servers, services: Sequence[Service]) -> Outcome:
    """Cut the standbys off without synchronous mode, write, kill the primary server, and note what clients are told."""
    servers.set_synchronous(is_synchronous=False)
    try:
        return _run_asynchronous(servers, services)
    finally:
        servers.set_synchronous(is_synchronous=True)


def _run_asynchronous(servers: Servers, services: Sequence[Service]) -> Outcome:
    wait_until(lambda: all(each["role"] != "sync_standby" for each in servers.members()), "asynchronous replication")
    servers.wait_until_complete(is_synchronous=False)
    primary = servers.primary()
    outcome = Outcome("asynchronous: primary server killed that the standbys had not followed", primary.name)
    with client_of(services[0]) as first, client_of(services[1]) as second:
        before = first.post("/v1/documents", json={"title": "received by the standbys"})
        time.sleep(QUIET_SECONDS)
        primary.machine.cut([node.machine for node in servers.nodes if node is not primary])
        lost = [first.post("/v1/documents", json={"title": f"cut off {number}"}) for number in range(LOST_WRITES)]
        outcome.acknowledged = sum(each.is_success for each in lost)
        began = time.monotonic()
        primary.kill()
        wait_until(lambda: first.post("/v1/documents", json={"title": "after"}).is_success, "a write")
        outcome.writes_back = round(time.monotonic() - began, 2)
        time.sleep(QUIET_SECONDS)
        for title, client in zip(SERVICES, (first, second), strict=True):
            outcome.notes[title] = _what_is_told(client, before, lost[-1])
        primary.machine.heal()
        primary.start()
        servers.wait_until_complete(is_synchronous=False)
        statement = "SELECT count(DISTINCT title) FROM document WHERE title LIKE 'cut off %'"
        ((kept,),) = servers.primary().execute(statement, DATABASE)
    outcome.lost = outcome.acknowledged - kept
    outcome.notes["the old primary server follows again"] = True
    outcome.expect("writes are back after s", outcome.writes_back, WRITES_SECONDS)
    for title in SERVICES:
        told = outcome.notes[title]
        if outcome.lost and told["a seq that is lost"] != "409 history_forked":
            outcome.faults.append(f"service {title} does not tell the loss: {told}")
    if not outcome.lost:
        outcome.faults.append("nothing was lost, so that nothing was shown")
    return outcome


def _what_is_told(client: httpx.Client, before: httpx.Response, lost: httpx.Response) -> dict[str, Any]:
    """Return what a service answers to a `seq` that is lost, and to the last one that is not."""
    state = {name: lost.headers[name] for name in ("x-register-epoch", "x-register-seq")}
    told = client.get("/v1/documents", headers=state)
    kept = client.get("/v1/documents", headers=state | {"x-register-seq": before.headers["x-register-seq"]})
    body = told.json()
    return {
        "a seq that is lost": f"{told.status_code} {body.get('code', '')}".strip(),
        "forked_at": body.get("forked_at"),
        "epoch": body.get("epoch"),
        "the last seq that is kept": f"{before.headers['x-register-seq']}: {kept.status_code}",
    }
