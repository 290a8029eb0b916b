"""The wheel contains only what the service needs; it migrates, loads and serves in an empty folder."""

import subprocess
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.contract.wheels import ROOT, BuiltWheel, build, built_wheel
from tests.test_cli import START_SECONDS, environment, free_port, send_request, wait_for


@pytest.fixture(scope="module")
def built() -> BuiltWheel:
    return built_wheel()


@pytest.fixture(scope="module")
def wheel(built: BuiltWheel) -> Path:
    """The wheel, built from the tree."""
    return built.wheel


@pytest.fixture(scope="module")
def installed(built: BuiltWheel) -> Path:
    """A folder with the unpacked wheel."""
    return built.installed


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums."""
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: each.CRC for each in archive.infolist()}


def sources(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_it_holds_every_file_of_the_service_and_the_migrations(wheel: Path) -> None:
    held = {name for name in contents(wheel) if ".dist-info/" not in name}
    service = {f"app/{name}" for name in sources(ROOT / "app")}
    migrations = {f"app/migrations/{name}" for name in sources(ROOT / "alembic")}
    assert {"app/py.typed", "app/starter/topics.toml", "app/migrations/env.py"} <= held
    guides = {f"app/guides/{name}" for name in sources(ROOT / "docs" / "guides")}
    assert guides
    assert held == service | migrations | guides | {"app/description/openapi.json"}
    assert not (ROOT / "app" / "migrations").exists()


def test_the_source_distribution_makes_the_same_wheel(built: BuiltWheel) -> None:
    assert contents(build(built.tree, built.folder / "from-sdist")) == contents(built.wheel)


def test_it_requires_no_build_tool_and_brings_one_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = {Path(name).name: archive.read(name) for name in archive.namelist() if ".dist-info/" in name}
    required = message_from_bytes(info["METADATA"]).get_all("Requires-Dist") or []
    assert required
    assert not [each for each in required if each.startswith(("setuptools", "wheel", "pip"))]
    assert info["top_level.txt"].split() == [b"app"]


def run(installed: Path, empty: Path, *arguments: str) -> Any:
    """Run the installed command in an empty folder."""
    return subprocess.run(
        [installed / "bin" / "counterclaim", *arguments],
        env=environment(PYTHONPATH=str(installed)),
        cwd=empty,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def test_serving_alone_neither_migrates_nor_loads(installed: Path, tmp_path: Path) -> None:
    refused = run(installed, tmp_path, "serve")
    assert refused.returncode == 1
    assert "has no tables yet" in refused.stderr
    assert "Run `counterclaim migrate`" in refused.stderr


def test_serve_starter_migrates_loads_and_serves(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [str(installed / "bin" / "counterclaim"), "serve", "--starter", "--port", str(port)]
    with subprocess.Popen(
        command,
        env=environment(PYTHONPATH=str(installed)),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            wait_for(port)
            assert send_request(port, "/v1/topics/russian-casualties/side-by-side")["positions"]
            with urlopen(f"http://127.0.0.1:{port}/v1/claims.csv", timeout=10) as answer:
                assert len(answer.read().splitlines()) == 175
            with urlopen(f"http://127.0.0.1:{port}/docs", timeout=10) as answer:
                assert answer.status == 200
            assert send_request(port, "/openapi.json")["paths"]
        finally:
            process.terminate()
            said = process.communicate(timeout=20)[0]
    assert said.startswith("The schema is up to date.\n174 starter claims loaded.\n")
    assert "counterclaim key create" in said
    assert {path.name for path in tmp_path.iterdir()} <= {f"counterclaim.db{end}" for end in ("", "-wal", "-shm")}
