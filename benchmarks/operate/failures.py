"""The failures: how each begins and ends, and what the service must answer meanwhile."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.operate.postgresql import Cluster
from benchmarks.operate.service import Service

DATABASE = "counterclaim"

DOWN, NOT_READY, DAMAGED = "CounterclaimDown", "CounterclaimNotReady", "CounterclaimDamaged"
WRITES_REFUSED, ERRORS = "CounterclaimWritesRefused", "CounterclaimErrors"
UNAVAILABLE, SLOW, LAGS = "CounterclaimUnavailable", "CounterclaimSlow", "CounterclaimReplicaLags"

BALLAST_BLOCK = b"\0" * 65_536
DISK_MEGABYTES = 400


@contextmanager
def small_disk(folder: Path, megabytes: int = DISK_MEGABYTES) -> Iterator[bool]:
    """Mount a small file system on a folder, if that is permitted; yield whether it is."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        is_mounted = done.returncode == 0
    except OSError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S603, S607


@dataclass
class Stage:
    """A service with its database, on which failures take place one after the other."""

    service: Service
    folder: Path
    cluster: Cluster | None = None
    standby: Cluster | None = None
    is_mounted: bool = False
    """Whether the folder is a small file system of its own, which can be filled."""

    @property
    def path(self) -> Path:
        """Return the file of an SQLite database."""
        return Path(self.service.url.removeprefix("sqlite:///"))

    @property
    def primary(self) -> Cluster:
        """Return the PostgreSQL server."""
        assert self.cluster is not None  # noqa: S101
        return self.cluster

    @property
    def replica(self) -> Cluster:
        """Return the standby."""
        assert self.standby is not None  # noqa: S101
        return self.standby

    def execute(self, statement: str) -> None:
        """Execute a statement in the database of the service."""
        if self.cluster is not None:
            self.cluster.execute(statement, DATABASE)
            return
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as connection:
            connection.execute(statement)


@dataclass(frozen=True)
class Failure:
    """A failure, with what the service must answer while it lasts."""

    name: str
    run: Callable[[Stage], object]
    """A context manager: the failure lasts for its block."""
    ready: str
    """What `/health/ready` answers: `200`, or the reason of the 503; empty: anything."""
    alerts: frozenset[str]
    may_fire: frozenset[str] = frozenset()
    """Alerts that may fire or not, as it depends on what the requests meet."""
    reads_go_on: bool = False
    writes_go_on: bool = False
    lasts: str = "short"
    """`short`, `long` (frozen), or `moment`."""
    may_not_answer: bool = False
    """Whether connections may be refused or reset: a process was killed."""
    settings: dict[str, str] = field(default_factory=dict)

    def is_restart(self, workers: int) -> bool:
        """Return whether the service itself is started again at the end."""
        return self.name == "damaged pages" or (self.may_not_answer and workers == 1)


def _alerts(*names: str) -> frozenset[str]:
    return frozenset(names)


# PostgreSQL


@contextmanager
def _frozen(cluster: Cluster) -> Iterator[None]:
    pids = cluster.processes()
    cluster.signal(signal.SIGSTOP, pids)
    try:
        yield
    finally:
        cluster.signal(signal.SIGCONT, pids[::-1])


@contextmanager
def _killed(cluster: Cluster) -> Iterator[None]:
    cluster.kill()
    try:
        yield
    finally:
        cluster.start()


@contextmanager
def _table_locked(stage: Stage, table: str = "claim") -> Iterator[None]:
    with psycopg.connect(stage.primary.url(DATABASE)) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def _clock_locked(stage: Stage) -> Iterator[None]:
    with psycopg.connect(stage.primary.url(DATABASE)) as connection:
        connection.execute("SELECT seq FROM clock FOR UPDATE")
        yield


@contextmanager
def _read_only(stage: Stage) -> Iterator[None]:
    stage.primary.change_setting("default_transaction_read_only", "on")
    try:
        yield
    finally:
        stage.primary.change_setting("default_transaction_read_only", "off")


@contextmanager
def _too_many_connections(stage: Stage) -> Iterator[None]:
    with ExitStack() as held:
        stop = threading.Event()

        def take_all() -> None:
            while not stop.wait(0.1):
                with suppress(psycopg.OperationalError):
                    while not stop.is_set():
                        held.enter_context(closing(psycopg.connect(stage.primary.url(), connect_timeout=2)))

        thread = threading.Thread(target=take_all, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


# SQLite


@contextmanager
def _file_locked(stage: Stage) -> Iterator[None]:
    """Lock the file in another process. In WAL mode that is the lock for writes."""
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", program, str(stage.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None  # noqa: S101
        assert child.stdout is not None  # noqa: S101
        child.stdout.readline()
        try:
            yield
        finally:
            child.stdin.close()


# Both


@contextmanager
def disk_full(stage: Stage) -> Iterator[None]:
    """Fill the file system; without one of its own, no file may grow."""
    if not stage.is_mounted:
        with _files_limited(stage):
            yield
        return
    path = stage.folder / "ballast"
    stop = threading.Event()

    def fill() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.wait(0.05):
                with suppress(OSError):
                    while not stop.is_set():
                        file.write(BALLAST_BLOCK)
                with suppress(OSError):
                    while not stop.is_set():
                        file.write(BALLAST_BLOCK[:512])

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        path.unlink()


@contextmanager
def _files_limited(stage: Stage) -> Iterator[None]:
    pids = stage.service.pids() if stage.cluster is None else stage.primary.processes()
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def _another_schema(stage: Stage) -> Iterator[None]:
    stage.execute("ALTER TABLE citation RENAME TO citation_before")
    try:
        yield
    finally:
        stage.execute("ALTER TABLE citation_before RENAME TO citation")


@contextmanager
def _unexpected_error(stage: Stage) -> Iterator[None]:
    """Let the database refuse documents for a reason that no release knows."""
    if stage.cluster is None:
        stage.execute("CREATE TRIGGER odd BEFORE INSERT ON document BEGIN SELECT raise(ABORT, 'odd'); END")
    else:
        stage.execute(
            "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'odd'; END $$; "
            "CREATE TRIGGER odd BEFORE INSERT ON document FOR EACH ROW EXECUTE FUNCTION odd()"
        )
    try:
        yield
    finally:
        stage.execute("DROP TRIGGER odd" + (" ON document; DROP FUNCTION odd()" if stage.cluster else ""))


@contextmanager
def _pool_full(stage: Stage) -> Iterator[None]:
    """Lock a table that is read by few, and ask for it so often that the other reads find no connection."""
    stop = threading.Event()

    def ask(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            stage.service.request(
                "GET", f"/v1/keys?cb={number}-{count}", headers={"Authorization": f"Bearer {stage.service.key}"}
            )
            stage.service.request("GET", f"/v1/claims?limit=1000&value_min={number}{count}")

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(10)]
    for thread in threads:
        thread.start()
    try:
        with _table_locked(stage, "document"):
            yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def _damaged(stage: Stage) -> Iterator[None]:
    """Overwrite every second page; afterwards restore the files, and check them."""
    service = stage.service
    copy = stage.folder / "copy"
    if stage.cluster is None:
        with closing(sqlite3.connect(stage.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size, count = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count"))
        shutil.copy(stage.path, copy)
        _overwrite(stage.path, size, range(1, count, 2))
    else:
        paths = [stage.primary.file_of(name, DATABASE) for name in ("claim", "ix_claim_kind")]
        stage.primary.stop()
        shutil.copytree(stage.primary.data, copy)
        for path in paths:
            _overwrite(path, 8192, range(0, path.stat().st_size // 8192, 2))
        stage.primary.start()
    try:
        yield
    finally:
        service.stop()
        if stage.cluster is None:
            for path in (stage.path, Path(f"{stage.path}-wal"), Path(f"{stage.path}-shm")):
                path.unlink(missing_ok=True)
            shutil.copy(copy, stage.path)
            copy.unlink()
        else:
            stage.primary.stop()
            owner = stage.primary.data.stat()
            shutil.rmtree(stage.primary.data)
            copy.rename(stage.primary.data)
            for path in (stage.primary.data, *stage.primary.data.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)
            stage.primary.start()
        service.command("check")
        service.start()


def _overwrite(path: Path, size: int, pages: range) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * size)
            file.write(b"\xa5" * size)


@contextmanager
def _worker_killed(stage: Stage) -> Iterator[None]:
    """Kill a process that serves requests. The supervisor replaces a worker; a single process is started again."""
    service = stage.service
    os.kill(service.pids()[0], signal.SIGKILL)
    if service.workers > 1:
        yield
        return
    assert service.process is not None  # noqa: S101
    service.process.wait()
    service.process = None
    try:
        yield
    finally:
        service.start()


@contextmanager
def _synchronous_standby_frozen(stage: Stage) -> Iterator[None]:
    """Freeze a standby that every commit waits for."""
    stage.primary.change_setting("synchronous_standby_names", "*")
    try:
        with _frozen(stage.replica):
            yield
    finally:
        stage.primary.change_setting("synchronous_standby_names", "")


@contextmanager
def _replica_paused(stage: Stage) -> Iterator[None]:
    stage.replica.execute("SELECT pg_wal_replay_pause()")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            stage.service.request("POST", "/v1/documents", {"title": f"lag {number} {time.monotonic()}"})

    threads = [threading.Thread(target=write, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        stage.replica.execute("SELECT pg_wal_replay_resume()")


NOTHING_ANSWERS = _alerts(NOT_READY, UNAVAILABLE)

BOTH = [
    Failure(
        "disk full", disk_full, "full (reads work)", _alerts(NOT_READY, UNAVAILABLE, WRITES_REFUSED), reads_go_on=True
    ),
    Failure("another schema", _another_schema, "schema", _alerts(NOT_READY), _alerts(UNAVAILABLE)),
    Failure("unexpected error", _unexpected_error, "200", _alerts(ERRORS), reads_go_on=True),
]
LAST = [Failure("damaged pages", _damaged, "damaged", _alerts(NOT_READY, DAMAGED, UNAVAILABLE))]


def _killed_worker(workers: int) -> Failure:
    alerts = _alerts(DOWN) if workers == 1 else _alerts()
    return Failure(
        "worker killed",
        _worker_killed,
        "",
        alerts,
        reads_go_on=workers > 1,
        writes_go_on=workers > 1,
        may_not_answer=True,
    )


SQLITE = [Failure("file locked", _file_locked, "200", _alerts(UNAVAILABLE), reads_go_on=True)]

POSTGRESQL = [
    Failure(
        "database frozen",
        lambda stage: _frozen(stage.primary),
        "frozen",
        _alerts(NOT_READY, UNAVAILABLE, SLOW),
        lasts="long",
    ),
    Failure("database killed", lambda stage: _killed(stage.primary), "away", NOTHING_ANSWERS),
    Failure("clock locked", _clock_locked, "200", _alerts(UNAVAILABLE), reads_go_on=True),
    Failure("table locked", _table_locked, "locked", NOTHING_ANSWERS),
    Failure(
        "read-only",
        _read_only,
        "read_only (reads work)",
        _alerts(NOT_READY, UNAVAILABLE, WRITES_REFUSED),
        reads_go_on=True,
    ),
    Failure("no connection left", _too_many_connections, "away", _alerts(NOT_READY), _alerts(UNAVAILABLE)),
    Failure("pool full", _pool_full, "", _alerts(), _alerts(UNAVAILABLE), settings={"COUNTERCLAIM_POOL_SIZE": "2"}),
]

REPLICA = [
    Failure(
        "replica frozen", lambda stage: _frozen(stage.replica), "200", _alerts(), reads_go_on=True, writes_go_on=True
    ),
    Failure(
        "replica killed", lambda stage: _killed(stage.replica), "200", _alerts(), reads_go_on=True, writes_go_on=True
    ),
    Failure("replica paused", _replica_paused, "200", _alerts(LAGS), reads_go_on=True, writes_go_on=True, lasts="long"),
    Failure(
        "primary frozen",
        lambda stage: _frozen(stage.primary),
        "frozen (reads work)",
        _alerts(NOT_READY, UNAVAILABLE, WRITES_REFUSED),
        reads_go_on=True,
        lasts="long",
    ),
    Failure(
        "primary killed",
        lambda stage: _killed(stage.primary),
        "away (reads work)",
        _alerts(NOT_READY, UNAVAILABLE, WRITES_REFUSED),
        reads_go_on=True,
    ),
    Failure(
        "synchronous standby frozen",
        _synchronous_standby_frozen,
        "200",
        _alerts(UNAVAILABLE),
        reads_go_on=True,
    ),
]


def failures_of(configuration: str, workers: int) -> list[Failure]:
    """Return the failures of `sqlite`, `postgresql` or `replica`, with the one that destroys files at the end."""
    own = {"sqlite": [*SQLITE, *BOTH], "postgresql": [*POSTGRESQL, *BOTH], "replica": REPLICA}[configuration]
    return [*own, _killed_worker(workers), *([] if configuration == "replica" else LAST)]
