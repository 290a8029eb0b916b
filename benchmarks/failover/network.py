"""Machines made of network namespaces on one bridge, whose lines can be cut.

All of them are in namespaces of this process, which leave nothing behind: see `enter_namespaces`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

INSIDE = "FAILOVER_NAMESPACES"
BRIDGE = "machines"
PREFIX = "10.99.0"
GATEWAY = f"{PREFIX}.254"
"""The address of this process in the network of the machines."""

CUT = "add table inet cut; add chain inet cut {hook} {{ type filter hook {hook} priority 0; }}; add rule inet cut {hook} {rule} drop"


def enter_namespaces() -> None:
    """Start this program again in network, mount and process namespaces of its own, unless it is in them.

    The processes end with it. Exits with a message where that is not possible.
    """
    if INSIDE in os.environ:
        return
    # The package with PostgreSQL warns without a folder of its own.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="failover-"))
    missing = [name for name in ("unshare", "nsenter", "setpriv", "ip", "nft") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        sys.exit(
            f"Network namespaces need root and the programs unshare, nsenter, setpriv, ip and nft. Missing: {missing}"
        )
    options = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    # The first process has to wait for orphans: Patroni takes one that nobody waits for for a server that runs.
    first = ["sh", "-c", '"$@"; exit $?', "sh"]
    command = ["unshare", *options, *first, sys.executable, "-m", "benchmarks.failover", *sys.argv[1:]]
    raise SystemExit(subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode)  # noqa: S603


def run(*command: str) -> None:
    """Run a command of the system."""
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603


def create_bridge() -> None:
    """Connect this process to the network of the machines."""
    os.makedirs("/run/netns", exist_ok=True)  # noqa: PTH103
    run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "name", BRIDGE, "type", "bridge")
    run("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


@dataclass(frozen=True)
class Machine:
    """A network namespace with an address."""

    name: str
    number: int

    @property
    def address(self) -> str:
        """Return its address."""
        return f"{PREFIX}.{self.number}"

    def create(self) -> None:
        """Create the namespace, and connect it."""
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", f"v-{self.name}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", f"v-{self.name}", "master", BRIDGE, "up")
        run("ip", "-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", self.name, "link", "set", device, "up")

    def start(self, *command: str, environment: dict[str, str], log: str, user: int = 0) -> "subprocess.Popen[bytes]":
        """Start a program on the machine as `user`, with a folder for temporary files of its own."""
        mount = 'mount -t tmpfs -o mode=1777 tmpfs /tmp && exec "$@"'
        as_user: list[str] = []
        if user:  # it may read the interpreter of Python in a folder of root
            capabilities = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
            as_user = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups", *capabilities]
        around = ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount", "sh", "-c", mount, "sh", *as_user]
        with open(log, "ab") as file:  # noqa: PTH123
            return subprocess.Popen(  # noqa: S603
                [*around, *command], env=environment, stdout=file, stderr=file, cwd="/", start_new_session=True
            )

    def cut(self, others: Sequence["Machine"] | None = None) -> None:
        """Drop what the machine sends and receives, without a word to anybody: all of it, or that of `others`."""
        for hook, device, address in (("input", "iifname", "saddr"), ("output", "oifname", "daddr")):
            rules = [f"ip {address} {other.address}" for other in others] if others else [f'{device} "eth0"']
            for rule in rules:
                run("ip", "netns", "exec", self.name, "nft", CUT.format(hook=hook, rule=rule))

    def heal(self) -> None:
        """Undo `cut`."""
        run("ip", "netns", "exec", self.name, "nft", "delete table inet cut")
