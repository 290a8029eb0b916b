"""Servers of PostgreSQL that Patroni runs with docs/examples/patroni.yml, and etcd, each on a machine of its own."""

import json
import os
import pwd
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import psycopg

from benchmarks.failover.network import Machine
from benchmarks.operate.postgresql import program_folder
from benchmarks.system import process_tree

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "patroni.yml"
PATRONI = ROOT / ".bench" / "failover" / "bin" / "patroni"
PASSWORD = "failover"  # noqa: S105 - of servers that end with this process
USER = "counterclaim"
WAIT_SECONDS = 90.0


def wait_until(condition: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition holds.

    Raises:
        RuntimeError: It does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not in {seconds:.0f} seconds: {what}")
        time.sleep(0.1)


@dataclass
class Node:
    """A server of PostgreSQL with its Patroni."""

    machine: Machine
    folder: Path
    etcd: Machine
    process: "Popen[bytes] | None" = None
    _frozen: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the name of the server."""
        return self.machine.name

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL."""
        user = pwd.getpwnam("nobody").pw_uid
        data = self.folder / self.name
        data.mkdir(exist_ok=True, mode=0o700)
        os.chown(data, user, -1)
        address = self.machine.address
        environment = {
            "PATH": os.environ["PATH"],
            "PATRONI_NAME": self.name,
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"{address}:8008",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"{address}:5432",
            "PATRONI_POSTGRESQL_BIN_DIR": str(program_folder()),
            "PATRONI_POSTGRESQL_DATA_DIR": str(data / "data"),
            "PATRONI_POSTGRESQL_PGPASS": str(data / "pgpass"),
            "PATRONI_ETCD3_HOSTS": f"{self.etcd.address}:2379",
            **{f"PATRONI_{role}_PASSWORD": PASSWORD for role in ("SUPERUSER", "REPLICATION", "REWIND")},
        }
        log = str(self.folder / f"{self.name}.log")
        self.process = self.machine.start(str(PATRONI), str(EXAMPLE), environment=environment, log=log, user=user)

    def _pids(self) -> list[int]:
        return [] if self.process is None else process_tree(self.process.pid)

    def _signal(self, number: signal.Signals, pids: Sequence[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _postmaster(self) -> int:
        return int((self.folder / self.name / "data" / "postmaster.pid").read_text().splitlines()[0])

    def kill(self) -> None:
        """Kill Patroni and PostgreSQL at once."""
        pids = set(self._pids())
        with suppress(OSError, ValueError, IndexError):
            pids |= set(process_tree(self._postmaster()))  # a server outlives the Patroni that has started it
        self._signal(signal.SIGKILL, sorted(pids))
        if self.process is not None:
            self.process.wait()
        self.process = None

    def kill_postmaster(self) -> None:
        """Kill PostgreSQL alone."""
        self._signal(signal.SIGKILL, process_tree(self._postmaster()))

    def freeze(self) -> None:
        """Stop all processes, so that connections stay open and nothing answers."""
        self._frozen = sorted({*self._pids(), *process_tree(self._postmaster())})
        self._signal(signal.SIGSTOP, self._frozen)

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._signal(signal.SIGCONT, self._frozen)

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """Ask the Patroni of this server; None if it does not answer."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"http://{self.machine.address}:8008{path}", content, method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=60 if body else 2) as answer:  # noqa: S310
                text = answer.read().decode()
        except (URLError, OSError):
            return None
        try:
            return json.loads(text)
        except ValueError:
            return text

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute a statement as superuser."""
        url = f"postgresql://postgres:{PASSWORD}@{self.machine.address}/{database}?connect_timeout=3"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


class Servers:
    """Three servers, and etcd."""

    def __init__(self, folder: Path) -> None:
        """Create the machines; files are below `folder`."""
        self.folder = folder
        self.etcd = Machine("etcd", 11)
        self.nodes = [Node(Machine(f"db{number}", number), folder, self.etcd) for number in (1, 2, 3)]

    def start(self) -> None:
        """Start everything, with an empty database of the user of the service."""
        for machine in (self.etcd, *(node.machine for node in self.nodes)):
            machine.create()
        program = shutil.which("etcd")
        if program is None:
            raise SystemExit("etcd is not installed (apt-get install etcd-server).")
        client = f"http://{self.etcd.address}:2379"
        arguments = ["--data-dir", str(self.folder / "etcd"), "--listen-client-urls", client, "--logger", "zap"]
        arguments += ["--advertise-client-urls", client]
        self.etcd.start(
            program, *arguments, environment={"PATH": os.environ["PATH"]}, log=str(self.folder / "etcd.log")
        )
        for node in self.nodes:
            node.start()
        self.wait_until_complete()
        primary = self.primary()
        primary.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        primary.execute(f"CREATE DATABASE {USER} OWNER {USER}")

    def stop(self) -> None:
        """Kill everything."""
        for node in self.nodes:
            node.kill()

    def members(self) -> list[dict[str, Any]]:
        """Return what Patroni knows about the servers; empty if nobody answers."""
        for node in self.nodes:
            found = node.ask("/cluster")
            if isinstance(found, dict):
                members: list[dict[str, Any]] = found.get("members", [])
                return members
        return []

    def primary(self) -> Node:
        """Return the primary server."""
        for member in self.members():
            if member["role"] == "leader":
                return next(node for node in self.nodes if node.name == member["name"])
        raise RuntimeError("there is no primary server")

    def synchronous_standby(self) -> Node:
        """Return the standby that commits wait for."""
        name = next(member["name"] for member in self.members() if member["role"] == "sync_standby")
        return next(node for node in self.nodes if node.name == name)

    def is_complete(self, *, is_synchronous: bool = True) -> bool:
        """Return whether all servers run and follow the primary one."""
        members = self.members()
        roles = [member["role"] for member in members]
        running = [member for member in members if member.get("state") in {"running", "streaming"}]
        return (
            len(running) == len(self.nodes)
            and roles.count("leader") == 1
            and (not is_synchronous or "sync_standby" in roles)
            and all(member.get("lag", 0) == 0 or member["role"] == "leader" for member in members)
        )

    def wait_until_complete(self, *, is_synchronous: bool = True) -> None:
        """Wait until all servers run and follow the primary one."""
        wait_until(lambda: self.is_complete(is_synchronous=is_synchronous), f"three servers: {self.members()}")

    def set_synchronous(self, *, is_synchronous: bool) -> None:
        """Change the replication mode."""
        mode = {"synchronous_mode": is_synchronous, "synchronous_mode_strict": is_synchronous}
        self.primary().ask("/config", mode, "PATCH")

    def url(self, attributes: str, *, first: int = 0) -> str:
        """Return an address of all servers, beginning with the one at `first`."""
        hosts = [node.machine.address for node in (*self.nodes[first:], *self.nodes[:first])]
        return (
            f"postgresql://{USER}:{PASSWORD}@/{USER}?"
            + "&".join(f"host={address}:5432" for address in hosts)
            + f"&target_session_attrs={attributes}"
        )
