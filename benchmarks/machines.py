"""What holds with a standby and connection poolers: how old reads are, own writes, and answers behind a pooler.

Run `python -m benchmarks.machines --save`. It starts a primary server of PostgreSQL, a standby, and two services.
PgBouncer and HAProxy are used where they are installed (`apt-get install pgbouncer haproxy`).
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx2 as httpx

from benchmarks.operate.postgresql import Cluster
from benchmarks.operate.service import Service
from benchmarks.pair_versions import name_current
from benchmarks.system import find_free_port

RESULT = Path(__file__).parent / "results" / "machines.json"
PAUSE_SECONDS = 15.0
SETTLED_SECONDS = 2.0
ALLOWED_SECONDS = 1.3
COMMIT_INTERVAL_SECONDS = 0.1
OWN_WRITES = 100
LOST_WRITES = 5
MIXED_REQUESTS = 1_000
SAME_LINKS = {"COUNTERCLAIM_BASE_URL": "http://register.example"}
"""A setting by which answers of services on different ports are the same."""

COST_ROUNDS = 5
READS_PER_ROUND = 200
SOURCE = {"kind": "think_tank", "interest": "independent"}
READS = [
    "/v1/claims?limit=20",
    "/v1/topics?limit=10",
    "/v1/sources",
    "/v1/documents?limit=5",
    "/v1/changes?limit=20",
    "/v1/categories",
]

PGBOUNCER = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
auth_type = any
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
"""

HAPROXY = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m
listen postgresql
    bind 127.0.0.1:{port}
    server primary 127.0.0.1:{server}
"""


def client_of(service: Service) -> httpx.Client:
    """Return a client of a service, with a key."""
    headers = {"Authorization": f"Bearer {service.key}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{service.port}", headers=headers, timeout=30)


def measure_staleness(standby: Cluster, services: list[Service]) -> dict[str, Any]:
    """Pause the replay of the standby, commit ten times a second, and return how old the oldest answer was."""
    acknowledged: dict[int, float] = {}
    stop = Event()

    def write() -> None:
        with client_of(services[0]) as client:
            while not stop.wait(COMMIT_INTERVAL_SECONDS):
                number = len(acknowledged) + 1
                body = {**SOURCE, "name": f"version {number}"}
                client.put("/v1/sources/probe", json=body, headers={"If-Match": "*"}).raise_for_status()
                acknowledged[number] = time.monotonic()

    def read(service: Service) -> list[tuple[float, int, int]]:
        found = []
        with client_of(service) as client:
            while not stop.wait(0.02):
                began = time.monotonic()
                answer = client.get("/v1/sources/probe")
                number = int(answer.json()["name"].split()[-1]) if answer.is_success else -1
                found.append((began, number, answer.status_code))
        return found

    with client_of(services[0]) as client:
        client.put("/v1/sources/probe", json={**SOURCE, "name": "version 0"}).raise_for_status()
    time.sleep(SETTLED_SECONDS)
    standby.execute("SELECT pg_wal_replay_pause()")
    paused_at = time.monotonic()
    try:
        with ThreadPoolExecutor() as pool:
            reads = [pool.submit(read, service) for service in services]
            writing = pool.submit(write)
            time.sleep(PAUSE_SECONDS)
            warnings = httpx.get(f"http://127.0.0.1:{services[1].port}/health/ready").json()["warnings"]
            stop.set()
            writing.result()
            answers = [each for future in reads for each in future.result()]
    finally:
        standby.execute("SELECT pg_wal_replay_resume()")
    ages = [age_of(began, number, acknowledged) for began, number, _ in answers if began > paused_at + SETTLED_SECONDS]
    return {
        "commits": len(acknowledged),
        "answers after two seconds": len(ages),
        "answers that are no 200": sum(status != httpx.codes.OK for _, _, status in answers),
        "oldest change that an answer lacked, s": round(max(ages), 2),
        "answers that lacked one older than 1.3 s": sum(age > ALLOWED_SECONDS for age in ages),
        "warnings": warnings,
    }


def age_of(began: float, number: int, acknowledged: dict[int, float]) -> float:
    """Return how long before a read the oldest change that it lacks was acknowledged, in seconds."""
    missing = [at for each, at in acknowledged.items() if each > number and at < began]
    return began - min(missing) if missing else 0.0


def measure_own_writes(standby: Cluster, services: list[Service], *, is_paused: bool) -> dict[str, int]:
    """Write through one service and read through the other with the `seq` of the write; return how many were there."""
    if is_paused:
        standby.execute("SELECT pg_wal_replay_pause()")
    there = 0
    try:
        with client_of(services[0]) as first, client_of(services[1]) as second:
            for number in range(OWN_WRITES):
                writer, reader = (first, second) if number % 2 else (second, first)
                written = writer.post("/v1/documents", json={"title": f"own {number}, {is_paused}"})
                seq = {"X-Register-Seq": written.headers["x-register-seq"]}
                there += reader.get(written.headers["location"], headers=seq).is_success
    finally:
        if is_paused:
            standby.execute("SELECT pg_wal_replay_resume()")
    return {"writes": OWN_WRITES, "read": there}


@contextmanager
def proxy(name: str, folder: Path, server: int, size: int = 5) -> Iterator[int]:
    """Run PgBouncer (with a pool of `size`) or HAProxy in front of a server, and return its port."""
    port, configuration = find_free_port(), folder / f"{name}-{size}.conf"
    text = (PGBOUNCER if name == "pgbouncer" else HAPROXY).format(server=server, port=port, size=size)
    configuration.write_text(text, encoding="utf-8")
    program = find_program(name)
    command = (
        [str(program), "-q", str(configuration)] if name == "pgbouncer" else [str(program), "-f", str(configuration)]
    )
    as_user = ["-u", "nobody"] if name == "pgbouncer" and os.geteuid() == 0 else []
    process = subprocess.Popen([command[0], *as_user, *command[1:]])  # noqa: S603
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def find_program(name: str) -> str | None:
    """Return the path of a program of the system."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def measure_requests(title: str, services: list[Service], direct: Service) -> dict[str, Any]:
    """Send mixed requests to two services at once, and compare their answers with those of a direct connection."""

    def send(number: int) -> int:
        client = clients[number % 2]
        if number % 4:
            return client.get(f"{READS[number % len(READS)]}").status_code
        return client.post("/v1/documents", json={"title": f"{title} {number}"}).status_code

    with ExitStack() as stack:
        clients = [stack.enter_context(client_of(service)) for service in services]
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(send, range(MIXED_REQUESTS)))
        reference = stack.enter_context(client_of(direct))
        seq = {
            "X-Register-Seq": reference.post("/v1/documents", json={"title": f"{title}, last"}).headers[
                "x-register-seq"
            ]
        }
        differing = [
            path
            for path in READS
            for client in clients
            if client.get(path, headers=seq).content != reference.get(path, headers=seq).content
        ]
    return {
        "requests": len(statuses),
        "errors": sum(status >= httpx.codes.BAD_REQUEST for status in statuses),
        "answers that differ from a direct connection": len(differing),
    }


def measure_cost(pooled: Service, direct: Service) -> float:
    """Return the time of uncached reads behind a pooler, divided by that of a direct connection; medians of rounds."""

    def seconds(service: Service, first: int) -> float:
        with client_of(service) as client:
            began = time.monotonic()
            for number in range(READS_PER_ROUND):
                client.get(f"/v1/claims?limit=20&value_min={first + number}")
            return time.monotonic() - began

    ratios = []
    for turn in range(COST_ROUNDS):
        first = turn * READS_PER_ROUND
        ratios.append(seconds(pooled, first) / seconds(direct, first))
    return round(sorted(ratios)[COST_ROUNDS // 2], 2)


def measure_poolers(folder: Path, primary: Cluster, direct: Service) -> dict[str, Any]:
    """Return what two services answer behind each pooler that is installed."""
    found: dict[str, Any] = {}
    for name, size in (("haproxy", 5), ("pgbouncer", 1), ("pgbouncer", 5)):
        title = f"{name}, pool of {size}" if name == "pgbouncer" else name
        if find_program(name) is None:
            found[title] = "not installed"
            continue
        with ExitStack() as stack:
            port = stack.enter_context(proxy(name, folder, primary.port, size))
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            services = [Service(url, folder, key=direct.key, settings=SAME_LINKS) for _ in range(2)]
            time.sleep(1)
            for service in services:
                stack.callback(service.stop)
                service.start()
            found[title] = measure_requests(title, services, direct)
            found[title]["time of an uncached read, times a direct connection"] = measure_cost(services[0], direct)
    return found


def measure_fork(folder: Path, primary: Cluster, standby: Cluster, key: str) -> dict[str, Any]:
    """Cut a standby off, write, kill the primary server, promote the standby, and return what clients are told."""
    hosts = f"host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}&target_session_attrs=read-write"
    service = Service(f"postgresql://postgres@/postgres?{hosts}", folder, key=key)
    service.start()
    try:
        with client_of(service) as client:
            before = client.post("/v1/documents", json={"title": "received by the standby"})
            time.sleep(SETTLED_SECONDS)
            standby.change_setting("primary_conninfo", "")
            time.sleep(SETTLED_SECONDS)
            lost = [client.post("/v1/documents", json={"title": f"lost {number}"}) for number in range(LOST_WRITES)]
            primary.kill()
            standby.execute("SELECT pg_promote()")
            promoted_at = time.monotonic()
            while not (answer := client.post("/v1/documents", json={"title": "after"})).is_success:
                time.sleep(0.1)
            seconds = time.monotonic() - promoted_at
            state = {name: lost[-1].headers[name] for name in ("x-register-epoch", "x-register-seq")}
            told = client.get("/v1/documents", headers=state)
            state |= {"x-register-seq": before.headers["x-register-seq"]}
            kept = [client.get("/v1/documents", headers=state) for _ in range(2)]
    finally:
        service.stop()
    return {
        "lost": sum(each.is_success for each in lost),
        "seconds until a write succeeded": round(seconds, 1),
        "epochs": [lost[-1].headers["x-register-epoch"], answer.headers["x-register-epoch"]],
        "a seq that was lost": f"{told.status_code} {told.json().get('code')}, forked_at {told.json().get('forked_at')}",
        "last seq that the standby had": int(before.headers["x-register-seq"]),
        "a seq that was kept, twice": [f"{each.status_code} {each.json().get('reason', '')}".strip() for each in kept],
    }


def measure(folder: Path) -> dict[str, Any]:
    """Return all figures."""
    primary, standby = Cluster(folder, "primary"), Cluster(folder, "standby")
    with ExitStack() as stack:
        stack.callback(primary.remove)
        primary.create()
        primary.start()
        stack.callback(standby.remove)
        standby.create_standby(primary)
        standby.start()
        services = [Service(primary.url(), folder, read_url=standby.url()) for _ in range(2)]
        services[0].prepare()
        services[1].key = services[0].key
        for service in services:
            stack.callback(service.stop)
            service.start()
        result: dict[str, Any] = {
            "command": "python -m benchmarks.machines --save",
            "commit": name_current(),
            "replay paused": measure_staleness(standby, services),
            "own writes": measure_own_writes(standby, services, is_paused=False),
            "own writes, replay paused": measure_own_writes(standby, services, is_paused=True),
        }
        for service in services:
            service.stop()
        direct = Service(primary.url(), folder, key=services[0].key, settings=SAME_LINKS)
        stack.callback(direct.stop)
        direct.start()
        result["poolers"] = measure_poolers(folder, primary, direct)
        direct.stop()
        result["standby promoted that lacks changes"] = measure_fork(folder, primary, standby, direct.key)
    return result


def main() -> None:
    """Measure, print the figures, and save them with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write the figures to benchmarks/results/machines.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="machines-") as folder:
        Path(folder).chmod(0o755)
        result = measure(Path(folder))
    text = json.dumps(result, indent=2)
    print(text)
    if options.save:
        RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
