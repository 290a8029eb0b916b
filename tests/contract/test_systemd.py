"""The systemd units in docs/examples/ are valid, and the service works under their constraints.

A mount namespace provides the read-only root, the directories that can be written, the user and the environment.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.container import IMAGE_HOME, START_SECONDS, Container, reason_to_skip
from tests.contract.reference import DOCS
from tests.contract.test_container import rows
from tests.contract.wheels import built_wheel
from tests.registers import DatabaseCopies

EXAMPLES = DOCS / "examples"
UNITS = sorted([*EXAMPLES.glob("*.service"), *EXAMPLES.glob("*.timer")])
DIRECTORIES = {"StateDirectory": "/var/lib", "CacheDirectory": "/var/cache"}
ENVIRONMENT_FILE = "/etc/counterclaim/environment"


def read_unit(path: Path) -> dict[str, str]:
    """Return the settings of a unit. None of ours is given twice."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#["]
    pairs = [line.partition("=")[::2] for line in lines]
    assert len({name for name, _ in pairs}) == len(pairs), path
    return dict(pairs)


def read_environment() -> dict[str, str]:
    """Return the settings of the example of an environment file."""
    lines = (EXAMPLES / "counterclaim.environment").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=")[::2] for line in lines if line and not line.startswith("#")]
    return {name: shlex.split(value)[0] for name, value in pairs}


def test_the_units_are_valid(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    copies = [tmp_path / unit.name for unit in UNITS]
    for unit, copy in zip(UNITS, copies, strict=True):
        copy.write_text(unit.read_text(encoding="utf-8").replace(f"{IMAGE_HOME}/bin/counterclaim", "/bin/true"))
    done = subprocess.run([program, "verify", *map(str, copies)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_units_and_the_command_share_what_they_write() -> None:
    service, backup = (read_unit(EXAMPLES / f"{name}.service") for name in ("counterclaim", "counterclaim-backup"))
    for name in ("User", "EnvironmentFile", "WorkingDirectory", *DIRECTORIES):
        assert service[name] == backup[name]
    assert service["EnvironmentFile"] == ENVIRONMENT_FILE
    command = (EXAMPLES / "counterclaim.sh").read_text(encoding="utf-8")
    assert f". {ENVIRONMENT_FILE}\n" in command
    assert f"--user {service['User']} -- {service['ExecStart'].partition(' ')[0]} " in command
    # The record of damage of a PostgreSQL database is in TMPDIR: with PrivateTmp, others would not see it.
    assert read_environment()["TMPDIR"] == f"/var/cache/{service['CacheDirectory']}"


@dataclass
class Unit(Container):
    """A service of systemd, with folders in place of its directories."""

    name: str = ""

    @property
    def unit(self) -> dict[str, str]:
        return read_unit(EXAMPLES / f"{self.name}.service")

    @property
    def outside_url(self) -> str:
        """The address of the register for the tests."""
        return self.database_url or f"sqlite:///{self.folder / 'lib' / 'counterclaim' / 'counterclaim.db'}"

    def spec(self, command: list[str]) -> dict[str, Any]:
        """Return the argument of `container_root`."""
        spec, unit = super().spec(command), self.unit
        assert unit["ProtectSystem"] == "strict"
        volumes = [f"{parent}/{unit[name]}" for name, parent in DIRECTORIES.items()]
        volumes += [unit["ReadWritePaths"]] if "ReadWritePaths" in unit else []
        spec["volumes"] = {str(self._make_folder(path)): path for path in volumes}
        settings = read_environment()
        if self.database_url is not None:
            settings["DATABASE_URL"] = spec["environment"]["DATABASE_URL"]
        # In place of the example: a free port, the modules of the tests, and a first start that migrates.
        own = {name: spec["environment"][name] for name in ("PATH", "PYTHONPATH", "COUNTERCLAIM_PORT")}
        own["COUNTERCLAIM_STARTER"] = "true"
        assert unit["PrivateTmp"] == "yes"
        return spec | {
            "workdir": unit["WorkingDirectory"],
            "read_only": True,
            "tmpfs": ["/tmp:mode=1777"],  # noqa: S108 - a mount
            "environment": settings | own,
        }

    def _make_folder(self, path: str) -> Path:
        folder = self.folder / Path(path).relative_to("/var")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, self.uid, self.uid)
        return folder


@contextmanager
def running(unit: Unit) -> Iterator[httpx2.Client]:
    unit.declared["command"] = shlex.split(unit.unit["ExecStart"])
    with unit.serving(), httpx2.Client(base_url=f"http://127.0.0.1:{unit.port}", timeout=START_SECONDS) as client:
        yield client


@pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_service_works_under_the_constraints_of_its_unit(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("unit")
    url = None
    if kind == "postgresql":
        url = DatabaseCopies(folder, request.getfixturevalue("postgresql_address"))._create_database(None)
    installed = built_wheel().installed
    service = Unit("api", installed, folder, url, name="counterclaim")
    with running(service) as client:
        made = service.run("counterclaim", "key", "create", "desk", "--role", "admin").strip()
        key = {"Authorization": f"Bearer {made}"}
        ready = client.get("/health/ready").json()
        assert ready["status"] == "ok"
        assert "temporary" not in str(ready)
        answer = client.post("/v1/imports", content=rows(1_000_000, 3), headers=key | {"Content-Type": "text/csv"})
        assert answer.json()["counts"]["new"] == 3, answer.text
        assert client.get("/v1/claims.xlsx").status_code == 200
        assert client.get("/v1/claims.csv", headers={"Range": "bytes=0-9"}).status_code == 206
        claim = client.get("/v1/claims?limit=1").json()["data"][0]["id"]
        taken = client.post(
            f"/v1/claims/{claim}/takedown", json={"reason": "By order."}, headers=key | {"If-Match": "*"}
        )
        assert taken.status_code == 200, taken.text
        assert service.run("counterclaim", "check").endswith("0 found.\n")
        if kind == "sqlite":  # the programs of PostgreSQL are not in the namespace
            backup = Unit("api", installed, folder, url, name="counterclaim-backup")
            path = backup.run(*shlex.split(backup.unit["ExecStart"])).strip()
            assert re.fullmatch(r"/var/backups/counterclaim/counterclaim-[0-9a-f]{12}-\w+-seq\d+\.db", path)
            assert (folder / Path(path).relative_to("/var")).stat().st_mode & 0o077 == 0
    assert "ERROR" not in service.log.read_text()
    assert "Traceback" not in service.log.read_text()
