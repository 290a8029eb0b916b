"""The service as it is shipped, on a register of its own, and what its clients see."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.system import find_free_port

START_SECONDS = 60.0
CLIENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or none: then the status is 0 and the reason says why."""

    status: int
    seconds: float
    reason: str = ""
    body: Any = None
    began: float = 0.0
    """When it was sent, by `time.monotonic`."""

    @property
    def is_success(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300  # noqa: PLR2004

    @property
    def label(self) -> str:
        """Return the status with the reason."""
        return f"{self.status or 'none'}{f' {self.reason}' if self.reason else ''}"


@dataclass
class Service:
    """`counterclaim serve` with some workers."""

    url: str
    folder: Path
    workers: int = 1
    read_url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=find_free_port)
    key: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Return the file of the log."""
        return self.folder / "service.log"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the commands."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERCLAIM_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        kept.pop("DATABASE_READ_URL", None)
        kept |= {"DATABASE_URL": self.url, "COUNTERCLAIM_LOG_LEVEL": "warning", "COUNTERCLAIM_LOG_FORMAT": "json"}
        kept |= {"COUNTERCLAIM_FILES_DIR": str(self.folder)}
        return kept | ({"DATABASE_READ_URL": self.read_url} if self.read_url else {}) | self.settings

    def command(self, *arguments: str) -> str:
        """Run a command; return what it prints."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "app", *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"counterclaim {' '.join(arguments)} failed: {done.stdout[-500:]} {done.stderr[-2000:]}")
        return done.stdout

    def prepare(self) -> None:
        """Create a register with the starter claims and a key."""
        self.command("migrate")
        self.command("starter")
        self.key = self.command("key", "create", "operate", "--role", "admin").split()[-1]

    def start(self) -> None:
        """Start the service, and wait until it is ready."""
        command = [sys.executable, "-m", "app", "serve", "--port", str(self.port), "--workers", str(self.workers)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.request("GET", "/health/ready").is_success:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def pids(self) -> list[int]:
        """Return the processes that serve requests."""
        assert self.process is not None  # noqa: S101
        if self.workers == 1:
            return [self.process.pid]
        # The check of an SQLite file is a child, too; workers are forked, and have the command line of their parent.
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        command = Path(f"/proc/{self.process.pid}/cmdline").read_bytes()
        return [int(pid) for pid in children if Path(f"/proc/{pid}/cmdline").read_bytes() == command]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the service, and wait until it has ended."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a session of its own: only its workers are in it
            process.wait()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,  # noqa: ANN401
    ) -> Answer:
        """Send a request on a connection of its own."""
        content = None if body is None else json.dumps(body).encode()
        headers = {**(headers or {}), "Connection": "close"}
        if content is not None:
            headers |= {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CLIENT_SECONDS)
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, time.monotonic() - began, type(error).__name__, began=began)
        finally:
            connection.close()
        seconds = time.monotonic() - began
        found: Any = None
        with suppress(ValueError):
            found = json.loads(text)
        reason = _reason(found) if answer.status >= 400 else ""  # noqa: PLR2004
        return Answer(answer.status, seconds, reason, found or text.decode(), began)

    def metrics(self) -> dict[str, float]:
        """Return the metrics without labels but the process id: the state of the database."""
        found: dict[str, float] = {}
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=CLIENT_SECONDS) as answer:  # noqa: S310
                text = answer.read().decode()
        except OSError:
            return found
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if line.startswith("counterclaim_") and "_created" not in name:
                found[name.partition("{")[0]] = float(value)
        return found

    def log_summary(self, offset: int) -> Counter[str]:
        """Return the messages of the log since `offset`, without what differs in each, and the tracebacks."""
        found: Counter[str] = Counter()
        with self.log.open(encoding="utf-8", errors="replace") as file:
            file.seek(offset)
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if not isinstance(record, dict) or "message" not in record:
                    continue
                found[f"{record['level']}: {_without_details(record['message'])}"] += 1
                found["tracebacks"] += "traceback" in record
        return found


def _reason(document: Any) -> str:  # noqa: ANN401
    if not isinstance(document, dict):
        return ""
    reasons = ",".join(dict.fromkeys(each["reason"] for each in document.get("reasons", [])))
    if reasons:
        return f"{reasons}{' (reads work)' if document.get('reads') else ''}"
    code = document.get("code", "")
    reason = document.get("reason", "")
    return f"{code}{f' {reason}' if reason else ''}" if code != "unavailable" else reason or "unavailable"


def _without_details(message: str) -> str:
    import re  # noqa: PLC0415

    message = message.splitlines()[0] if message else ""
    message = re.sub(r"\bid=\S+", "id=…", message)
    message = re.sub(r"/\S*/", "…/", message)
    return re.sub(r"\b(port )?[0-9]{2,}\b", "N", message)[:140]
