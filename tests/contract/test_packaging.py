"""The files and commands that Dockerfile, docker-compose.yml and CI name exist."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings, environment_variable

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PINS = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_image_copies_what_there_is_and_what_is_sent_to_it() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"]
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert name in sent


def test_the_image_installs_pinned_versions_alone_and_runs_without_rights() -> None:
    assert "--require-hashes --requirement requirements-all.txt" in DOCKERFILE
    assert "requirements-dev" not in DOCKERFILE
    assert re.search(r"^USER counterclaim$", DOCKERFILE, re.MULTILINE)
    assert "HEALTHCHECK" in DOCKERFILE


def test_what_is_set_is_a_setting() -> None:
    known = {environment_variable(name) for name in Settings.model_fields} | {"PGPASSWORD"}  # of libpq
    named = set(re.findall(r"\b(COUNTERCLAIM_[A-Z_]+|DATABASE_URL)=", DOCKERFILE))
    for service in ("migrate", "api"):
        named |= set(COMPOSE["services"][service]["environment"])
    assert named <= known


def test_the_services_start_in_order_and_on_this_machine_alone() -> None:
    services = COMPOSE["services"]
    assert "healthcheck" in services["db"]
    assert services["migrate"]["depends_on"]["db"]["condition"] == "service_healthy"
    assert services["api"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert "ports" not in services["db"]
    assert all(port.startswith("127.0.0.1:") for port in services["api"]["ports"])
    assert {volume.split(":")[0] for volume in services["db"]["volumes"]} <= COMPOSE["volumes"].keys()


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-all.txt",
        "requirements-dev.txt",
        "requirements-build.txt",
        "benchmarks/requirements.txt",
        "benchmarks/requirements-fuzz.txt",
        "benchmarks/requirements-clients.txt",
        "benchmarks/requirements-failover.txt",
    ],
)
def test_every_pin_has_hashes_and_names_no_registry(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for block in re.split(r"\n(?=\S)", text.strip()):
        if not block.startswith("#"):
            assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def test_every_dependency_is_pinned() -> None:
    for dependency in PROJECT["project"]["dependencies"]:
        name = re.split(r"[\[>=<~ ]", dependency)[0]
        assert re.search(rf"^{re.escape(name)}(\[[a-z]+\])?==", PINS, re.MULTILINE), name


def test_one_extra_has_all_others() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras["all"] == sorted({each for name, listed in extras.items() if name != "all" for each in listed})
    assert not {each for each in extras["all"] if each in PINS}


def test_the_package_takes_its_data_files_along() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["app"]
    taken = {path for pattern in patterns for path in (ROOT / "app").glob(pattern)}
    data = {
        path
        for path in (ROOT / "app").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts
    }
    assert data == taken
