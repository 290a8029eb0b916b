"""Runs the service under the constraints of docker-compose.yml and the Dockerfile, without a Docker daemon.

A mount namespace provides the read-only root, the temporary file systems, the volume, the user and the environment.
Instead of an image it contains the wheel and the dependencies of the tests.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import yaml
from sqlalchemy import make_url

from tests.history.servers import find_free_port

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
START_SECONDS = 120
"""Maximum duration of a command, in seconds, on a busy machine."""
IMAGE_HOME = "/opt/counterclaim"
SOCKETS = "/run/postgresql"


@cache
def reason_to_skip() -> str | None:
    """Return the reason for which no mount namespace can be created, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "mount namespaces need Linux and root"
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],  # noqa: S607 - found as a shell finds it
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"no mount namespace can be created: {done.stderr.strip()}"


def interpolated(text: str, variables: dict[str, str]) -> str:
    """Return a value of the compose file with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` filled in."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if operator == ":-":
            return variables.get(name) or rest
        return variables[name]

    return re.sub(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", value, text)


def dockerfile(instruction: str) -> str:
    """Return the arguments of an instruction in the last stage of the Dockerfile, on one line."""
    stage = DOCKERFILE.rpartition("\nFROM ")[2].replace("\\\n", " ")
    found: str = re.findall(rf"^{instruction} (.+)$", stage, re.MULTILINE)[-1]
    return found.strip()


def image_environment() -> dict[str, str]:
    """Return the environment that the image sets."""
    found = dict(re.findall(r"(\w+)=(\S+)", dockerfile("ENV")))
    return found | {"PATH": found["PATH"].replace("$PATH", f"{sys.prefix}/bin:/usr/bin:/bin")}


@dataclass
class Container:
    """A service of docker-compose.yml, with a folder as its volume and a database in place of `db`."""

    service: str
    installed: Path
    folder: Path
    database_url: str | None
    variables: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    read_only_volume: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    """The headers of a request with an API key, if the register has one."""
    port: int = field(default_factory=find_free_port, init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / f"log-{self.port}"
        [user] = re.findall(rf"useradd .*--uid (\d+) .*{dockerfile('USER')}", DOCKERFILE)
        self.uid = int(user)
        self.declared = COMPOSE["services"][self.service] | self.changes

    @property
    def outside_url(self) -> str:
        """The address of the register for the tests."""
        file = self.folder / "data" / image_environment()["DATABASE_URL"].rpartition("/")[2]
        return self.database_url or f"sqlite:///{file}"

    def make_volume(self) -> Path:
        """Create the folder of the volume, if it does not exist, and return it."""
        volume = self.folder / "data"
        volume.mkdir(exist_ok=True)
        os.chown(volume, self.uid, self.uid)
        return volume

    def spec(self, command: list[str]) -> dict[str, Any]:
        """Return the argument of `container_root`."""
        root, volume = self.folder / "root", self.make_volume()
        root.mkdir(exist_ok=True)
        image = {str(self.installed): IMAGE_HOME, sys.prefix: sys.prefix}
        if not sys.base_prefix.startswith("/usr"):
            image[sys.base_prefix] = sys.base_prefix
        variables = {"POSTGRES_PASSWORD": "secret"} | self.variables
        declared = {name: interpolated(value, variables) for name, value in self.declared["environment"].items()}
        environment = image_environment() | declared
        # In place of Docker's network: another address for the database, and a free port.
        environment |= {"COUNTERCLAIM_HOST": "127.0.0.1", "COUNTERCLAIM_PORT": str(self.port)}
        environment |= {"PYTHONPATH": IMAGE_HOME}
        if self.database_url is None:
            environment["DATABASE_URL"] = image_environment()["DATABASE_URL"]
        else:
            url = make_url(self.database_url)
            if isinstance(host := url.query.get("host"), str) and host.startswith("/"):
                # Only the socket, because other users cannot read its folder.
                name = f".s.PGSQL.{url.port or 5432}"
                image[f"{host}/{name}"] = f"{SOCKETS}/{name}"
                url = url.update_query_dict({"host": SOCKETS})
            environment["DATABASE_URL"] = url.render_as_string(hide_password=False)
        return {
            "root": str(root),
            "image": image,
            "volumes": {str(volume): dockerfile("VOLUME")},
            "workdir": dockerfile("WORKDIR"),
            "read_only_volumes": self.read_only_volume,
            "tmpfs": self.declared.get("tmpfs", []),
            "read_only": self.declared.get("read_only", False),
            "uid": self.uid,
            "environment": environment,
            "command": command,
        }

    def arguments(self, command: list[str]) -> list[str]:
        """Return the command line that runs `command` under the constraints."""
        script = Path(__file__).with_name("container_root.py")
        return ["unshare", "--mount", sys.executable, str(script), json.dumps(self.spec(command))]

    def check(self) -> None:
        """Run the health check of the image."""
        command = json.loads(dockerfile("HEALTHCHECK").partition("CMD ")[2])
        self.run(*(word.replace(":8000/", f":{self.port}/") for word in command))

    def run(self, *command: str) -> str:
        """Run a command like `docker compose run` and `exec`, and return its output."""
        done = subprocess.run(
            self.arguments(list(command)), capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator["Container"]:
        """Run the command of the service, and wait until it responds."""
        command = self.declared.get("command") or json.loads(dockerfile("CMD"))
        with (
            self.log.open("wb") as log,
            subprocess.Popen(self.arguments(command), stdout=log, stderr=log) as process,
        ):
            try:
                deadline = time.monotonic() + START_SECONDS
                while not self._is_up():
                    assert process.poll() is None, self.log.read_text()
                    assert time.monotonic() < deadline, self.log.read_text()
                    time.sleep(0.05)
                yield self
            finally:
                process.terminate()
                process.wait(START_SECONDS)

    def _is_up(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=10) as answer:
                return bool(answer.status == 200)
        except HTTPError:
            return True
        except OSError:
            return False
