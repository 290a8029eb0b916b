"""The two versions that `benchmarks.pair` compares: their files, their environment, their databases, their servers.

Nothing of a version is imported here: it is started as a process in its own folder.
"""

import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.postgresql import CACHE_FOLDER, drop_database, postmaster_pid
from benchmarks.servers import START_TIMEOUT_SECONDS, Server, ServerFailed, path_of_address

ROOT = Path(__file__).parent.parent
FOLDER = CACHE_FOLDER / "pair"
MOST_IDLE_SECONDS = 2.0
"""A connection that was idle for longer is opened anew: the service closes idle ones after five seconds."""


class VersionFailed(Exception):
    """A version cannot be set up: its commit, its environment or one of its commands."""


@dataclass(frozen=True)
class Version:
    """The files of one version, with the Python that runs them."""

    role: str
    """`base` or `new`."""
    commit: str
    folder: Path
    python: str

    def command(self, *arguments: str, url: str) -> str:
        """Run a `counterclaim` command of this version on the database `url`; return what it prints."""
        command = [self.python, "-m", "app", *arguments]
        environment = {**os.environ, **self._environment(url)}
        done = subprocess.run(  # noqa: S603 - the version's own command
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise VersionFailed(f"{self.role}: `counterclaim {' '.join(arguments)}` fails:\n{done.stderr[-2000:]}")
        return done.stdout

    def server(self, url: str, *, cached: bool) -> "VersionServer":
        """Return the service of this version, not yet started; one that is not `cached` keeps no responses."""
        command = [self.python, "-m", "app", "serve", "--port", "{port}"]
        environment = self._environment(url) | {"COUNTERCLAIM_LOG_LEVEL": "warning"}
        if not cached:
            environment["COUNTERCLAIM_MEMORY_BYTES"] = "0"
        name = None if url.startswith("sqlite") else make_url(url).database
        return VersionServer(self, command, environment, name)

    def check(self) -> None:
        """Compile the modules, so that no start pays for it, and check that they come from this version's folder."""
        code = "import app, compileall; compileall.compile_dir('app', quiet=1); print(app.__file__)"
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        command = [self.python, "-c", code]
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if not done.stdout.startswith(str(self.folder)):
            raise VersionFailed(f"{self.role}: the package comes from {done.stdout or done.stderr[-2000:]}")

    def _environment(self, url: str) -> dict[str, str]:
        return {"DATABASE_URL": url, "PYTHONPATH": str(self.folder)}


def make_versions(base: str) -> tuple[Version, Version]:
    """Return the commit `base` and the current checkout, each with its files in a folder of its own."""
    current = _copy_current()
    commit = _git("rev-parse", "--verify", f"{base}^{{commit}}").decode().strip()
    older = _extract(commit)
    versions = (
        Version("base", commit[:10], older, _python(older, current)),
        Version("new", name_current(), current, sys.executable),
    )
    for version in versions:
        version.check()
    return versions


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise VersionFailed(f"`git {' '.join(arguments)}` fails: {done.stderr.decode()}")
    return done.stdout


def name_current() -> str:
    """Return the current commit, with `-changed` if the tree differs from it."""
    changed = _git("status", "--porcelain").strip()
    return _git("rev-parse", "HEAD").decode()[:10] + ("-changed" if changed else "")


def _extract(commit: str) -> Path:
    """Write the files of a commit to a folder, without a worktree that git would have to know of."""
    folder = FOLDER / commit[:10]
    if not folder.exists():
        unfinished = FOLDER / f"{commit[:10]}-{os.getpid()}"
        with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as archive:
            archive.extractall(unfinished, filter="data")
        unfinished.rename(folder)
    return folder


def _copy_current() -> Path:
    """Copy what is checked out, with changes that are not committed, so that work can go on while it is measured."""
    folder = FOLDER / "current"
    shutil.rmtree(folder, ignore_errors=True)
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _python(older: Path, current: Path) -> str:
    """Return the Python for an older version: the one that runs this, or one with what that version pins."""
    pins = (older / "requirements.txt").read_bytes()
    if pins == (current / "requirements.txt").read_bytes():
        return sys.executable
    environment = FOLDER / f"venv-{sha256(pins).hexdigest()[:10]}"
    python = environment / "bin" / "python"
    if not (environment / "made").exists():
        install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)  # noqa: S603
        subprocess.run([str(python), *install, "-r", str(older / "requirements.txt")], check=True)  # noqa: S603
        (environment / "made").touch()
    return str(python)


class Databases:
    """The databases of a run on one system: made by name, copied, and dropped at the end."""

    def __init__(self, kind: str, server: str | None = None) -> None:
        """`server` is the address of a PostgreSQL server; without it they are SQLite files."""
        self.kind = kind
        self._server = server
        self._names: list[str] = []

    def create(self, name: str, template: str | None = None) -> str:
        """Return the address of a new database, empty or with the contents of the database named `template`."""
        self._drop(name)
        self._names.append(name)
        if self._server is None:
            if template is not None:
                with (
                    closing(sqlite3.connect(self._file(template))) as old,
                    closing(sqlite3.connect(self._file(name))) as to,
                ):
                    old.backup(to)
            return f"sqlite:///{self._file(name)}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            names = sql.Identifier(self._full(name)), sql.Identifier(self._full(template) if template else "template1")
            connection.execute(statement.format(*names))
        return make_url(self._server).set(database=self._full(name)).render_as_string(hide_password=False)

    def settle(self, name: str) -> None:
        """Bring what was written to disk, and the statistics of PostgreSQL up to date."""
        if self._server is not None:
            url = make_url(self._server).set(database=self._full(name), drivername="postgresql")
            with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
                connection.execute("CHECKPOINT")
        os.sync()

    def drop_all(self) -> None:
        """Drop every database that was created here."""
        while self._names:
            with suppress(psycopg.Error):
                self._drop(self._names.pop())

    def _full(self, name: str) -> str:
        return f"pair_{os.getpid()}_{name}"

    def _file(self, name: str) -> Path:
        return CACHE_FOLDER / "work" / f"{self._full(name)}.db"

    def _drop(self, name: str) -> None:
        drop_database(self._server, self._full(name), self._file(name))


@dataclass(frozen=True)
class Request:
    """A request, and how many pages of the list are read by following `links.next` from there."""

    path: str
    method: str = "GET"
    body: str | None = None
    pages: int = 1


class VersionServer(Server):
    """The service of one version."""

    def __init__(
        self, version: Version, command: Sequence[str], environment: dict[str, str], database: str | None
    ) -> None:
        """`database` is the name of the PostgreSQL database, whose backends count as the server's CPU time."""
        name = f"pair-{version.role}"
        super().__init__(name, command, environment, "/v1/claims?limit=1", folder=version.folder)
        self._database_name = database

    def cpu_seconds(self) -> float:
        """Return the CPU time (user and system) of the process so far, with that of its PostgreSQL backends."""
        return sum(_cpu_seconds(pid) for pid in (self.pid, *self._backends()))

    def resident_mb(self) -> float:
        """Return the resident memory of the process. Unlike a proportional share it does not depend on others."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def connect(self, connections: int, headers: dict[str, str]) -> "Client":
        """Return a client that sends `headers` over so many connections."""
        return Client(self.name, self.port, connections, headers)

    def _backends(self) -> Iterator[int]:
        """Yield the PostgreSQL processes that work on this version's database, which their titles name."""
        server = postmaster_pid() if self._database_name else None
        if server is None:
            return
        for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            with suppress(OSError):
                if f" {self._database_name} ".encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                    yield int(child)


class Client:
    """Keep-alive connections to a server, with one request at a time on each."""

    def __init__(self, name: str, port: int, connections: int, headers: dict[str, str]) -> None:
        """`name` is what the server is called in messages."""
        self.sent = 0
        self.received = 0
        """Bytes of all answers."""
        self.accepts: Callable[[int], bool] = lambda status: 200 <= status < 300  # noqa: PLR2004
        """Whether an answer with this status is one that is measured."""
        self._name = name
        self._headers = headers
        self._used = time.monotonic()
        self._connections = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_SECONDS) for _ in range(connections)
        ]

    def exchange(self, requests: Sequence[Request]) -> None:
        """Send requests, and wait for all answers."""
        if time.monotonic() - self._used > MOST_IDLE_SECONDS:
            self.close()  # they are opened anew by themselves
        width = len(self._connections)
        for first in range(0, len(requests), width):
            batch = list(zip(self._connections, requests[first : first + width], strict=False))
            try:
                for connection, request in batch:
                    connection.request(request.method, request.path, request.body, self._headers)
                for connection, request in batch:
                    self._receive_pages(connection, request)
            except (OSError, http.client.HTTPException) as fault:
                raise ServerFailed(f"{self._name} does not answer {batch[0][1].path}: {fault!r}") from fault
        self._used = time.monotonic()

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def _receive_pages(self, connection: http.client.HTTPConnection, request: Request) -> None:
        path = request.path
        for page in range(request.pages):
            if page:
                connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
            if not self.accepts(answer.status):
                raise ServerFailed(f"{self._name} answers {path} with {answer.status}: {body[:500]!r}")
            self.sent += 1
            self.received += len(body)
            if page + 1 < request.pages:
                path = path_of_address(json.loads(body)["links"]["next"])


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process with all its threads, from the clock that Linux keeps of every process."""
    clock = (~pid << 3) | 2  # CPUCLOCK_SCHED of the process, see clock_getcpuclockid(3)
    try:
        return time.clock_gettime_ns(clock) / 1e9
    except OSError:  # a backend has ended meanwhile
        return 0.0
