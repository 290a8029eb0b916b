"""Let writes of the disk fail, and disks be full, under clients that write and read; nothing is restarted.

What was acknowledged must be there, what was refused must not, reads must go on, and a full disk must say so.
"""

import errno
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import psycopg

from benchmarks.operate.failures import DATABASE, Stage, disk_full, small_disk
from benchmarks.operate.postgresql import Cluster
from benchmarks.operate.probers import ask
from benchmarks.operate.service import Service
from benchmarks.torture.preload import create_preload
from benchmarks.torture.servers import PATIENT, ForkedService, new_service, temporary_folder
from benchmarks.torture.writes import Journal, Writers, list_faults

WRITES_BEFORE = 20
WRITES_AFTER = 20
READS_DURING = 40
MAX_SECONDS = 240.0
TABLESPACE_MEGABYTES = 80
SQLITE_MEGABYTES = 40
WAL_MEGABYTES = 24
STORAGE_FULL = "503 storage_full full"


class Readers:
    """A thread that reads all the time, from the cache and from the database."""

    def __init__(self, service: Service) -> None:
        self.answers: Counter[str] = Counter()
        self.slowest = 0.0
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            # Not a list of topics: it is computed anew after each write, from all claims that are written here.
            for answer in (self._service.request("GET", "/v1/sources?limit=5"), ask(self._service, "cold read")):
                self.answers[answer.label] += 1
                self.slowest = max(self.slowest, answer.seconds)

    def __enter__(self) -> "Readers":
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the thread."""
        self._stop.set()
        self._thread.join()


def write_during(
    service: Service,
    failure: AbstractContextManager[None],
    writes: int,
    *,
    until: Callable[[Journal], bool] = lambda _journal: True,
    during: Callable[[], None] = lambda: None,
    reads_go_on: bool = True,
    prefix: str = "torture",
) -> dict[str, Any]:
    """Write and read while a failure lasts, then go on, and compare what is recorded with the answers.

    Args:
        service: The service, which runs.
        failure: The failure.
        writes: How many writes are answered while it lasts, at least.
        until: Whether the failure has shown itself.
        during: What is done again and again while it lasts.
        reads_go_on: Whether reads must succeed while it lasts.
        prefix: What tells the keys from those of other writes to the same register.
    """
    pid = service.pids() if not isinstance(service, ForkedService) else service.child and service.child.pid
    journal = Journal(service, prefix.replace(" ", "-"), numbers=count(Random(prefix).randrange(10**8, 10**9)))
    writers = Writers(journal, repeats_refused=False)
    writers.start()
    writers.wait_for(WRITES_BEFORE)
    try:
        with failure, Readers(service) as readers:
            before = journal.answers.copy()
            deadline = time.monotonic() + MAX_SECONDS
            while (
                (journal.answers - before).total() < writes
                or readers.answers.total() < READS_DURING
                or not until(journal)
            ):
                during()
                time.sleep(0.02)
                if time.monotonic() > deadline:
                    journal.faults.append("the failure did not show itself")
                    break
            answers = journal.answers - before
        recovered_after = len(journal.acknowledged)
        if not writers.wait_for(recovered_after + WRITES_AFTER):
            journal.faults.append("writes did not go on after the failure")
    finally:
        writers.stop()
    journal.settle()
    found = journal.verify()
    found["answers"] = dict(answers.most_common())
    found["reads"] = dict(readers.answers.most_common())
    found["slowest read"] = f"{readers.slowest:.1f} s"
    found["is_restarted"] = pid != (
        service.pids() if not isinstance(service, ForkedService) else service.child and service.child.pid
    )
    found["faults"] = list_faults(found)
    allowed = {"200"} if reads_go_on else {"200", "503"}
    found["faults"] += [f"a read was answered {label}" for label in found["reads"] if label.split()[0] not in allowed]
    if found["is_restarted"]:
        found["faults"].append("the service was restarted")
    return found


def failing_writes(writes: int, percent: int = 20, number: int = errno.ENOSPC) -> dict[str, Any]:
    """Let a share of the writes and syncs of SQLite fail.

    A transaction makes some sixty of them: if a fifth fails, hardly one succeeds; if one in a hundred does, half do.
    """
    with new_service("sqlite", Service) as service, temporary_folder() as folder:
        path = Path(service.url.removeprefix("sqlite:///"))
        preload = create_preload(folder, path.parent)
        service.settings |= {name: value for name, value in preload.environment.items() if name != "TORTURE_LOG"}
        service.start()
        found = write_during(
            service,
            preload.failing(percent, number),
            writes,
            until=lambda journal: any(label.startswith("503") for label in journal.answers),
        )
    allowed = {"201", STORAGE_FULL, "503 outcome_unknown", "503 away"}
    wrong = {label for label in found["answers"] if label not in allowed}
    found["faults"] += [f"a write was answered {label}" for label in sorted(wrong)]
    if number == errno.ENOSPC and STORAGE_FULL not in found["answers"]:
        found["faults"].append("no write was answered that the disk is full")
    name = errno.errorcode[number]
    return {"database": "sqlite", "failure": f"{percent}% of writes and syncs fail with {name}", **found}


def few_failing_writes(writes: int) -> dict[str, Any]:
    """Let one in a hundred fail, so that about half of the transactions succeed."""
    return failing_writes(writes, 1)


def writes_with_errors(writes: int) -> dict[str, Any]:
    """Let a fifth fail with an error of the device."""
    return failing_writes(writes, 20, errno.EIO)


def is_full(journal: Journal) -> bool:
    """Return whether a write was refused because the disk is full."""
    return any(label.startswith("503 storage_full") for label in journal.answers)


def require_full(found: dict[str, Any]) -> dict[str, Any]:
    """Require that the answers to writes are 201 or 503 `storage_full`."""
    wrong = {label for label in found["answers"] if label not in {"201", STORAGE_FULL}}
    found["faults"] += [f"a write was answered {label}" for label in sorted(wrong)]
    return found


def full_sqlite_disk(writes: int) -> dict[str, Any]:
    """Fill the file system of an SQLite register."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        (disk := folder / "disk").mkdir()
        is_mounted = stack.enter_context(small_disk(disk, SQLITE_MEGABYTES))
        service = ForkedService(f"sqlite:///{disk}/register.db", folder, settings=dict(PATIENT))
        service.prepare()
        stack.callback(service.stop)
        service.start()
        stage = Stage(service, disk, is_mounted=is_mounted)
        found = require_full(write_during(service, disk_full(stage), writes, until=is_full))
    return {"database": "sqlite", "failure": "the disk is full", **found}


@contextmanager
def postgresql_service(cluster: Cluster, folder: Path, options: str = "") -> Iterator[ForkedService]:
    """Yield a service on a new database of a server, which is created and started here."""
    cluster.create()
    try:
        cluster.start()
        if options:
            cluster.execute(options)
        cluster.execute(f"CREATE DATABASE {DATABASE} {'TABLESPACE small' if options else ''}")
        service = ForkedService(cluster.url(DATABASE), folder, settings=dict(PATIENT))
        service.prepare()
        try:
            service.start()
            yield service
        finally:
            service.stop()
    finally:
        cluster.remove()


def give_to_server(folder: Path, disk: Path) -> None:
    """Let the user of PostgreSQL own a folder."""
    owner = folder.stat()
    os.chown(disk, owner.st_uid, owner.st_gid)


def full_tablespace(writes: int) -> dict[str, Any]:
    """Fill the file system of the tablespace of a PostgreSQL register."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        (disk := folder / "small").mkdir()
        is_mounted = stack.enter_context(small_disk(disk, TABLESPACE_MEGABYTES))
        (files := disk / "files").mkdir()
        (home := folder / "server").mkdir()
        cluster = Cluster(home, "primary")
        give_to_server(home, files)
        statement = f"CREATE TABLESPACE small LOCATION '{files}'"
        service = stack.enter_context(postgresql_service(cluster, folder, statement))
        stage = Stage(service, disk, cluster, is_mounted=is_mounted)
        found = require_full(write_during(service, disk_full(stage), writes, until=is_full))
    return {"database": "postgresql", "failure": "the tablespace is full", **found}


@contextmanager
def full_log_disk(stage: Stage) -> Iterator[None]:
    """Fill the file system of the write-ahead log. PostgreSQL then stops; at the end there is space, and it starts."""
    try:
        with disk_full(stage):
            yield
    finally:
        deadline = time.monotonic() + 10
        while stage.primary.is_running() and not _answers(stage.primary) and time.monotonic() < deadline:
            time.sleep(0.1)
        if not stage.primary.is_running():
            (stage.primary.data / "postmaster.pid").unlink(missing_ok=True)
            stage.primary.start()


def _answers(cluster: Cluster) -> bool:
    try:
        psycopg.connect(cluster.url(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def full_wal(writes: int) -> dict[str, Any]:
    """Fill the file system of the write-ahead log of PostgreSQL, until the server stops."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        (disk := folder / "small").mkdir()
        is_mounted = stack.enter_context(small_disk(disk, WAL_MEGABYTES))
        (log := disk / "wal").mkdir()
        (home := folder / "server").mkdir()
        # Segments of one megabyte, and few of them: else those that are there last for minutes.
        options = ["--waldir", str(log), "--wal-segsize=1"]
        settings = {"min_wal_size": "'2MB'", "max_wal_size": "'4MB'", "wal_keep_size": "0"}
        cluster = Cluster(home, "primary", options=options, settings=settings)
        give_to_server(home, log)
        service = stack.enter_context(postgresql_service(cluster, folder))
        stage = Stage(service, disk, cluster, is_mounted=is_mounted)
        has_stopped = threading.Event()

        def use_log() -> None:
            try:
                cluster.execute("SELECT pg_switch_wal()")
            except psycopg.Error:
                if not _answers(cluster):
                    has_stopped.set()

        found = write_during(
            service,
            full_log_disk(stage),
            writes,
            until=lambda _journal: has_stopped.is_set(),
            during=use_log,
            reads_go_on=False,
        )
    return {"database": "postgresql", "failure": "the disk of the write-ahead log is full", **found}


FAILURES = {
    "sqlite": (failing_writes, few_failing_writes, writes_with_errors, full_sqlite_disk),
    "postgresql": (full_tablespace, full_wal),
}


def run(dialect: str, writes: int) -> list[dict[str, Any]]:
    """Let each failure of a database take place."""
    return [failure(writes) for failure in FAILURES[dialect]]
