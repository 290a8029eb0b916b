"""The service in a process group of its own that starts fast and can be killed, on either database."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.operate.failures import DATABASE
from benchmarks.operate.postgresql import Cluster
from benchmarks.operate.service import START_SECONDS, Service
from benchmarks.torture.writes import ROOT
from tests import forkserver


PATIENT = {"COUNTERCLAIM_DEADLINE": "20"}
"""A busy machine is no reason for a 503: what is counted are answers, not seconds."""


@dataclass
class ForkedService(Service):
    """A service that is forked from a process that has imported the program: it starts in a fifth of the time."""

    child: BaseProcess | None = None

    def start(self) -> None:
        """Start the service, and wait until it is ready."""
        command = ["serve", "--port", str(self.port), "--workers", str(self.workers)]
        self.child = forkserver.start(command, self.environment, ROOT, self.log, self.log, own_group=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.request("GET", "/health/ready").is_success:
            if self.child.exitcode is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the whole process group at once."""
        self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the process group, and wait until its first process has ended."""
        if self.child is None:
            return
        child, self.child = self.child, None
        group = int(child.pid or 0)
        with suppress(ProcessLookupError):
            os.killpg(group, how)
        child.join(30)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        child.join()
        child.close()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that the user of PostgreSQL may enter."""
    folder = Path(tempfile.mkdtemp(prefix="counterclaim-torture-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_service(dialect: str, kind: type[Service] = ForkedService) -> Iterator[Service]:
    """Yield a service, which is not started yet, on a new register with the starter claims."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        (disk := folder / "disk").mkdir()
        url = f"sqlite:///{disk}/register.db"
        if dialect == "postgresql":
            cluster = Cluster(disk, "primary")
            cluster.create()
            stack.callback(cluster.remove)
            cluster.start()
            cluster.execute(f"CREATE DATABASE {DATABASE}")
            url = cluster.url(DATABASE)
        service = kind(url, folder, settings=dict(PATIENT))
        service.prepare()
        stack.callback(service.stop)
        yield service
