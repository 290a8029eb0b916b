"""The commands of docs/first-hour.md work, in their order, as far as they need no machine of their own.

What systemd does with the units is in test_systemd.py. Commands that change a machine (`useradd`, `pip`, `install`)
are only compared with the files that they name.
"""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.reference import DOCS
from tests.contract.test_container import starter_row
from tests.contract.test_systemd import EXAMPLES, read_unit
from tests.imports.import_helpers import format_csv
from tests.register.test_operation import PROGRAMS
from tests.test_cli import run_successfully

TEXT = (DOCS / "first-hour.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
CHANGES_THE_MACHINE = ("useradd ", "python3 -m venv ", "/opt/counterclaim/bin/pip install ", "install -d ", "ls ")
FOLDER = "/var/backups/counterclaim"


class Operator:
    """Runs the commands of the page on a register."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.keys: list[str] = []

    def run(self, line: str) -> str | None:
        """Run a command, and return its output; None if it needs a machine of its own."""
        if line.startswith(CHANGES_THE_MACHINE):
            return None
        if line.startswith("install "):
            check_installed_files(shlex.split(line))
            return None
        if line.startswith("curl "):
            assert line == "curl --fail http://127.0.0.1:8000/health/ready"
            return None
        if line.startswith("systemctl "):
            return self._run_systemctl(shlex.split(line))
        assignment, _, rest = line.partition(" ")
        if assignment.startswith("DATABASE_URL="):
            if not self.url.startswith("sqlite"):
                return None  # a dump is restored into PostgreSQL
            assert rest.startswith("/opt/counterclaim/bin/counterclaim ")
            return self._run(rest, f"sqlite:///{self.folder / 'try.db'}")
        assert line.startswith("counterclaim "), f"teach this test {line}"
        return self._run(line, self.url)

    def _run(self, line: str, url: str) -> str:
        if "BACKUP" in line:
            newest = max((self.folder / "backups").iterdir(), key=lambda path: path.stat().st_mtime)
            line = line.replace(f"{FOLDER}/BACKUP", str(newest))
        if "KEY_ID" in line:
            line = line.replace("KEY_ID", run_successfully("key", "list", url=url).splitlines()[0].split("\t")[-1])
        _, *arguments = shlex.split(line.replace(FOLDER, str(self.folder / "backups")))
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        return run_successfully(*arguments, url=url, folder=self.folder, PATH=path)

    def _run_systemctl(self, words: list[str]) -> str | None:
        if words[1] == "daemon-reload":
            return None
        assert words[1] in {"enable", "start", "stop"}
        unit = EXAMPLES / words[-1]
        assert unit.is_file()
        if words[1:] == ["start", "counterclaim-backup.service"]:
            return self._run(read_unit(unit)["ExecStart"], self.url)
        return None


def check_installed_files(words: list[str]) -> None:
    """Check that `install` names our files, and puts them where they say that they belong."""
    *files, target = [word for word in words[1:] if "." in word or "/" in word]
    for name in files:
        first = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()[:2]
        place = f"{target}{name}" if target.endswith("/") else target
        assert any(line.startswith(f"# {place}:") for line in first), name


def test_the_commands_work_in_their_order(make_database: Callable[[str], str], tmp_path: Path) -> None:
    operator = Operator(make_database("starter"), tmp_path)
    rows = [starter_row(8_000_000 + number) for number in range(3)]
    (tmp_path / "claims.csv").write_text(format_csv(*rows), encoding="utf-8")
    told: list[Any] = [operator.run(line) for line in COMMANDS]
    assert len(COMMANDS) > 25
    assert sum(each is not None for each in told) >= 13
    assert len(list((tmp_path / "backups").iterdir())) >= 1
    assert (
        sum("revoked" in line.split("\t")[3] for line in run_successfully("key", "list", url=operator.url).splitlines())
        == 1
    )


@pytest.mark.parametrize(
    "name", ["nginx.conf", "Caddyfile", *sorted(path.name for path in EXAMPLES.glob("counterclaim*"))]
)
def test_every_example_for_operators_is_named_on_the_page(name: str) -> None:
    assert f"(examples/{name})" in TEXT
