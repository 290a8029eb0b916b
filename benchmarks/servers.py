"""Runs the compared servers, each in a process of its own on one core, and reads their CPU time and memory."""

import http.client
import json
import marshal
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.load_generator import LoadPlan
from benchmarks.postgresql import CACHE_FOLDER
from benchmarks.system import find_free_port, process_tree

START_TIMEOUT_SECONDS = 120.0
"""Seconds in which a server has to answer."""
Headers = Mapping[str, str]


def server_and_generator_core() -> tuple[int, int]:
    """The core of the servers and that of the generator."""
    there = sorted(_ALLOWED_CORES)
    return there[0], there[-1]


_ALLOWED_CORES = os.sched_getaffinity(0)


class ServerFailed(Exception):
    """A server does not start, or answers with an error."""


class ServerGaveUp(ServerFailed):
    """A server says that a question takes it too long."""


class Server:
    """A server that is started, asked, loaded and measured."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Headers,
        ready: str,
        *,
        database: int | None = None,
        spread: bool = False,
        refusal: str = "",
        folder: Path | None = None,
    ) -> None:
        """`command` and `environment` may contain `{port}`; `ready` is the first address that is asked.

        `database` is the process of the database server, whose CPU time counts too. A server that is `spread` may run
        on every core. What it answers with `refusal` in it took it too long. It is started in `folder`.
        """
        self.name = name
        self.port = find_free_port()
        self._command = [part.format(port=self.port) for part in command]
        self._environment = {key: value.format(port=self.port) for key, value in environment.items()}
        self._ready = ready
        self._database = database
        self._uses_all_cores = spread
        self._refusal_text = refusal
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log = CACHE_FOLDER / "work" / f"{name}.log"

    def start(self) -> float:
        """Start it; the seconds until its first answer."""
        # What is installed has its bytecode.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with self._log.open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                cwd=self._folder,
                env={**inherited, **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        os.sched_setaffinity(
            self._process.pid, _ALLOWED_CORES if self._uses_all_cores else {server_and_generator_core()[0]}
        )
        while time.perf_counter() - began < START_TIMEOUT_SECONDS:
            if self._process.poll() is not None:
                break
            with suppress(OSError, http.client.HTTPException):
                if self.ask(self._ready)[0] < 400:  # noqa: PLR2004
                    return time.perf_counter() - began
            time.sleep(0.005)
        raise ServerFailed(f"{self.name} does not start\n{self._log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End it and what it has started."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # a session of its own: nobody else's processes are in it
            self._process.wait()
        self._process = None

    def ask(
        self, path: str, headers: Headers | None = None, method: str = "GET", body: str | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """One request: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:  # noqa: ANN401 - whatever is sent
        """What is at `path`."""
        try:
            status, _, body = self.ask(path)
        except TimeoutError as fault:
            raise ServerGaveUp(f"{self.name} does not answer {path}") from fault
        if status != 200:  # noqa: PLR2004
            failure = ServerGaveUp if self._refusal_text and self._refusal_text.encode() in body else ServerFailed
            raise failure(f"{self.name} answers {path} with {status}: {body[:500]!r}")
        return json.loads(body)

    def load(self, requests: Sequence[bytes], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as in `Plan`
        """Load it; what came of it, with the CPU time of the server in microseconds a request."""
        path = CACHE_FOLDER / "work" / "requests"
        path.write_bytes(marshal.dumps(list(requests)))
        plan = LoadPlan(
            self.port, str(path), core=server_and_generator_core()[1], **{"refusal": self._refusal_text, **more}
        )
        before = self.cpu()
        command = [sys.executable, "-m", "benchmarks.load_generator", json.dumps(asdict(plan))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        spent = self.cpu(before)
        if done.returncode:
            raise ServerFailed(f"{self.name} cannot be loaded: {done.stderr[-2000:]}\n{self._log.read_text()[-2000:]}")
        found: dict[str, Any] = json.loads(done.stdout)
        if found["first_failure"]:
            raise ServerFailed(
                f"{self.name}: {found['statuses']} {found['first_failure']}\n{self._log.read_text()[-2000:]}"
            )
        found["rate"] = found["done"] / found["seconds"]
        found["cpu_us"] = spent / 1000 / found["asked"]
        return found

    def memory(self) -> dict[str, float]:
        """Its memory in MB: the proportional share of everything, and what is its own and of no file."""
        pss = anonymous = 0
        for pid in process_tree(self.pid):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:  # it has ended meanwhile
                continue
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
            pss += sizes["Pss"]
            anonymous += sizes.get("Pss_Anon", sizes["Pss"])
        return {"pss_mb": round(pss / 1024, 1), "anonymous_mb": round(anonymous / 1024, 1)}

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None  # noqa: S101 - only a server that runs is measured
        return self._process.pid

    def cpu(self, before: dict[str, int] | None = None) -> Any:  # noqa: ANN401 - the marks, or what was spent since
        """Nanoseconds of every thread of the server and its database; with `before`, how many more there are now."""
        spent: dict[str, int] = {}
        for pid in (*process_tree(self.pid), *(process_tree(self._database) if self._database else ())):
            for task in Path(f"/proc/{pid}/task").glob("*"):
                with suppress(OSError):
                    spent[f"{pid}/{task.name}"] = int((task / "schedstat").read_text().split()[0])
        if before is None:
            return spent
        return sum(now - before.get(thread, 0) for thread, now in spent.items())


def path_of_address(address: str) -> str:
    """The path of an address of a server on this machine, which earlier versions gave without the server."""
    return re.sub(r"^http://127\.0\.0\.1:[0-9]+(?=/)", "", address)


def our_server(
    url: str,
    database: int | None,
    workers: int = 1,
    *,
    remembering: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Server:
    """The service as it is shipped, telling of warnings only; or one that remembers no answer, or with other settings."""
    command = [sys.executable, "-m", "app", "serve", "--port", "{port}"]
    if workers > 1:
        command += ["--workers", str(workers)]
    environment = {"DATABASE_URL": url, "COUNTERCLAIM_LOG_LEVEL": "warning", **(environment or {})}
    if not remembering:
        environment["COUNTERCLAIM_MEMORY_BYTES"] = "0"
    name = "ours" if workers == 1 else f"ours-{workers}"
    return Server(name, command, environment, "/v1/claims?limit=1", database=database, spread=workers > 1)


def naive_server(url: str, database: int | None) -> Server:
    """FastAPI and SQLModel, plainly."""
    command = [sys.executable, "-m", "benchmarks.peers.naive"]
    environment = {"DATABASE_URL": url, "NAIVE_PORT": "{port}"}
    ready = "/v1/claims?limit=1&count=false"
    return Server("naive", command, environment, ready, database=database, refusal="took too long")


def hand_written_server(url: str, database: int | None) -> Server:
    """Starlette and one prepared statement a read."""
    command = [sys.executable, "-m", "benchmarks.peers.hand_written_server"]
    environment = {"DATABASE_URL": url, "PEER_PORT": "{port}", "PEER_BASE_URL": "http://127.0.0.1:{port}"}
    return Server("hand-written", command, environment, "/v1/claims?limit=1", database=database)


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000;
    proxy_cache_path {folder}/cache keys_zone=shared:10m max_size=200m use_temp_path=off;
    upstream naive {{ server 127.0.0.1:{behind}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://naive; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache shared;
            proxy_cache_valid 200 1s; proxy_cache_lock on; proxy_cache_use_stale updating;
        }}
    }}
}}
"""


def cached_naive_server(naive: Server) -> Server:
    """A shared cache of one second, by nginx, before the naive peer."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise ServerFailed("nginx is not installed")
    folder = CACHE_FOLDER / "work" / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(
        "nginx", [program, "-p", str(folder), "-c", str(folder / "nginx.conf")], {}, "/v1/claims?limit=1&count=false"
    )
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=server.port, behind=naive.port))
    return server


def bare_server(answers: Path) -> Server:
    """Uvicorn with recorded answers."""
    command = [sys.executable, "-m", "benchmarks.peers.recorded"]
    return Server("bare", command, {"BARE_ANSWERS": str(answers), "BARE_PORT": "{port}"}, "/ready")


def find_peer_program(name: str) -> str | None:
    """A program from the benchmark's own environment, if it is there."""
    for folder in (CACHE_FOLDER / "peers" / "bin", *map(Path, filter(None, [os.environ.get("BENCH_PEERS")]))):
        if (folder / name).exists():
            return str(folder / name)
    return None
