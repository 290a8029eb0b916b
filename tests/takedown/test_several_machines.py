"""A takedown on PostgreSQL with a standby: no service serves what was taken down, though one is frozen meanwhile."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.operate.postgresql import Cluster
from benchmarks.torture.servers import PATIENT, ForkedService, temporary_folder

LEASE_SECONDS = 5
SETTINGS = {
    **PATIENT,
    "COUNTERCLAIM_LEASE": str(LEASE_SECONDS),
    "COUNTERCLAIM_OFFLOAD_PROCESSES": "1",
    "COUNTERCLAIM_MOST_LAG": "3600",  # only takedowns keep services from reading the standby
}
WORDS = "a figure that a court forbids"
MAX_WAIT_SECONDS = 60

pytestmark = pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")


@dataclass
class Machines:
    """A primary database with a standby, and three services: one without the standby, and two that read it."""

    primary: Cluster
    standby: Cluster
    services: list[ForkedService]

    def add_claim(self, number: int) -> str:
        """Add a claim whose note has the words, and return its path."""
        claim = self.services[0].request("GET", "/v1/claims?limit=1&source=csis").body["data"][0]
        body = {
            **{name: claim[name] for name in ("category", "subject", "place", "modality")},
            "figure": {"as_printed": f"{number}", "language": "en", "value": number},
            "period": {"edtf": "2025-01-01/2025-02-01", "aggregation": "cumulative"},
            "date": "2025-03-01",
            "source": claim["source"]["slug"],
            "note": f"{WORDS}, number {number}",
            "citations": [{"document": claim["citations"][0]["document"]["id"], "fidelity": "paraphrase"}],
        }
        answer = self.services[0].request("POST", "/v1/claims", body)
        assert answer.status == 201, answer
        return f"/v1/claims/{answer.body['id']}"

    def take_down(self, path: str) -> None:
        answer = self.services[0].request("POST", f"{path}/takedown", {"reason": "a court order"})
        assert answer.status == 200, answer


def addresses(path: str, seq: int) -> list[str]:
    """Return addresses whose answers have the words of a claim, also in past states."""
    past = f"recorded_as_of=seq:{seq}"
    return [
        path,
        f"{path}?{past}",
        f"{path}/revisions",
        "/v1/claims?sort=-recorded&limit=5",
        f"/v1/claims?sort=-recorded&limit=5&{past}",
        "/v1/claims.csv?sort=-recorded",
        f"/v1/claims.ndjson?{past}",
        f"/v1/changes?after={seq - 1}",
        "/v1/topics/russian-casualties/timeline",
    ]


def wait_until(service: ForkedService, path: str, status: int, **options: Any) -> Any:
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while (answer := service.request("GET", path, **options)).status != status:
        assert time.monotonic() < deadline, (path, answer)
        time.sleep(0.05)
    return answer


def send(service: ForkedService, path: str) -> socket.socket:
    """Send a request without reading the answer."""
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=MAX_WAIT_SECONDS)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return connection


def receive(connection: socket.socket) -> bytes:
    with connection:
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # PostgreSQL
        (disk := folder / "disk").mkdir()
        primary, standby = Cluster(disk, "primary"), Cluster(disk, "standby")
        stack.callback(primary.remove)
        primary.create()
        primary.start()
        primary.execute("CREATE DATABASE counterclaim")
        services = []
        for name in ("first", "second", "third"):
            (own := folder / name).mkdir()
            services.append(ForkedService(primary.url("counterclaim"), own, settings=SETTINGS))
        services[0].prepare()
        stack.callback(standby.remove)
        standby.create_standby(primary)
        standby.start()
        for service in services:
            service.key = services[0].key
        for service in services[1:]:
            service.read_url = standby.url("counterclaim")
        for service in services:
            stack.callback(service.stop)
            service.start()
        yield Machines(primary, standby, services)


def test_after_a_takedown_no_service_has_the_words_though_the_standby_is_paused(machines: Machines) -> None:
    path = machines.add_claim(1)
    seq = machines.services[0].request("GET", "/v1/register").body["seq"]
    for service in machines.services:
        wait_until(service, path, 200, headers={"X-Register-Seq": str(seq)})
        for address in addresses(path, seq):
            assert service.request("GET", address).status == 200, address
    machines.standby.execute("SELECT pg_wal_replay_pause()")
    try:
        machines.take_down(path)
        for service in machines.services:
            assert service.request("GET", path).status == 410
            for address in addresses(path, seq):
                assert WORDS not in str(service.request("GET", address).body), address
    finally:
        machines.standby.execute("SELECT pg_wal_replay_resume()")


def test_a_service_that_was_frozen_serves_no_old_words_when_it_goes_on(machines: Machines) -> None:
    path = machines.add_claim(2)
    frozen = machines.services[2]
    seq = machines.services[0].request("GET", "/v1/register").body["seq"]
    wait_until(frozen, path, 200, headers={"X-Register-Seq": str(seq)})
    for address in addresses(path, seq):
        assert frozen.request("GET", address).status == 200, address
    assert frozen.child is not None
    group = int(frozen.child.pid or 0)
    machines.standby.execute("SELECT pg_wal_replay_pause()")
    os.killpg(group, signal.SIGSTOP)
    try:
        machines.take_down(path)
        # It cannot learn of the takedown when it goes on: only the end of its lease keeps it from answering.
        machines.primary.signal(signal.SIGSTOP, machines.primary.processes())
        connections = [send(frozen, address) for address in addresses(path, seq)]
    finally:
        os.killpg(group, signal.SIGCONT)
    try:
        for connection, address in zip(connections, addresses(path, seq), strict=True):
            answer = receive(connection)
            assert answer.startswith(b"HTTP/1.1 503"), address
            assert b"lease_lost" in answer, address
        machines.primary.signal(signal.SIGCONT, machines.primary.processes())
        assert WORDS not in str(frozen.request("GET", path).body)
        wait_until(frozen, "/health/ready", 200)
        assert frozen.request("GET", path).status == 410
        for address in addresses(path, seq):
            assert WORDS not in str(frozen.request("GET", address).body), address
    finally:
        machines.primary.signal(signal.SIGCONT, machines.primary.processes())
        machines.standby.execute("SELECT pg_wal_replay_resume()")


def test_the_standby_is_read_until_the_lease_ends(machines: Machines) -> None:
    path = machines.add_claim(3)
    service = machines.services[1]
    seq = machines.services[0].request("GET", "/v1/register").body["seq"]
    wait_until(service, path, 200, headers={"X-Register-Seq": str(seq)})
    machines.primary.stop()
    try:
        assert service.request("GET", path).status == 200
        ready = wait_until(service, "/health/ready", 503).body
        assert (ready["reads"], ready["writes"]) == (True, False)
        lost = wait_until(service, path, 503).body
        assert lost["code"] == "lease_lost"
        ready = service.request("GET", "/health/ready").body
        assert (ready["reads"], ready["writes"]) == (False, False)
        assert "lease" in [reason["reason"] for reason in ready["reasons"]]
    finally:
        machines.primary.start()
    wait_until(service, path, 200)
    wait_until(service, "/health/ready", 200)
