"""Starts the service on a free port of this machine, with a register of its own, and sends requests to it."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.system import find_free_port

START_TIMEOUT_SECONDS = 120.0
STOP_TIMEOUT_SECONDS = 10.0
REQUEST_TIMEOUT_SECONDS = 60.0


class Service:
    """A service in a process of its own. As a context manager it ends with the block."""

    def __init__(self, python: str, folder: Path, name: str, *, starter: bool) -> None:
        """Take the Python of the service, the folder of its database and log, and whether it has the starter claims."""
        self.port = find_free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._python = python
        self._starter = starter
        database = folder / f"{name}.db"
        for suffix in ("", "-shm", "-wal"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{database}",
            "COUNTERCLAIM_LOG_LEVEL": "warning",
        }
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._key = ""

    def __enter__(self) -> "Service":
        """Start it, and create an API key."""
        if not self._starter:
            self._run("migrate")
        command = [self._python, "-m", "app", "serve", "--port", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *(["--starter"] if self._starter else [])],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()
        self._key = self._run("key", "create", "look", "--role", "admin").strip()
        return self

    def __exit__(self, *_details: object) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def get(self, path: str) -> Any:
        """Return what is at a path, as JSON."""
        return self._send("GET", path)

    def write(self, method: str, path: str, body: Mapping[str, Any] | Sequence[Any], **headers: str) -> Any:
        """Send a write with the key, and return the response."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json", **named}
        return self._send(method, path, json.dumps(body).encode(), sent)

    def send_file(self, path: str, content: bytes, media_type: str) -> Any:
        """Send a file with the key, and return the response."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": media_type}
        return self._send("POST", path, content, headers)

    def _send(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            content = answer.read()
            if answer.status >= http.client.BAD_REQUEST:
                raise RuntimeError(f"{method} {path}: {answer.status} {content.decode()[:2000]}")
            return json.loads(content)
        finally:
            connection.close()

    def _run(self, *arguments: str) -> str:
        command = [self._python, "-m", "app", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def _wait(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < START_TIMEOUT_SECONDS:
            if self._process is not None and self._process.poll() is not None:
                break
            with suppress(OSError, RuntimeError, http.client.HTTPException):
                self._send("GET", "/health/ready")
                return
            time.sleep(0.1)
        raise RuntimeError(f"The service does not start:\n{self._log.read_text()[-3000:]}")
