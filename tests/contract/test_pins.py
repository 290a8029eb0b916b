"""The pinned requirements are closed: pip installs them without resolving anything."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
INSTALLED = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD = PROJECT["build-system"]["requires"]
# `python -m venv` brings pip; the project itself is installed in place.
NOT_PINNED = {"pip", "counterclaim"}
INSTALL_COMMANDS = {"Makefile": 9, "Dockerfile": 2}


def read_pins(name: str) -> dict[str, Version]:
    """Return the version of each package that a requirements file pins for this machine."""
    lines = re.findall(r"^[a-z0-9][^\\\n]*", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    requirements = [Requirement(line) for line in lines]
    return {
        canonicalize_name(requirement.name): Version(next(iter(requirement.specifier)).version)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def required_by(name: str, extras: set[str]) -> list[Requirement]:
    """Return what an installed package requires on this machine with these extras."""
    requirements = map(Requirement, INSTALLED[canonicalize_name(name)].requires or [])
    return [
        requirement
        for requirement in requirements
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""})
    ]


@pytest.mark.parametrize(
    ("name", "roots"),
    [
        ("requirements.txt", ["counterclaim"]),
        ("requirements-all.txt", ["counterclaim[all]"]),
        ("requirements-dev.txt", ["counterclaim[all]", *PROJECT["dependency-groups"]["dev"]]),
        ("requirements-build.txt", BUILD),
    ],
)
def test_every_requirement_of_a_pinned_package_is_pinned(name: str, roots: list[str]) -> None:
    pins = read_pins(name)
    waiting = [Requirement(package) for package in [*pins, *roots]]
    visited: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        package = waiting.pop()
        if (package.name, frozenset(package.extras)) in visited:
            continue
        visited.add((package.name, frozenset(package.extras)))
        for requirement in required_by(package.name, package.extras):
            pinned = pins.get(canonicalize_name(requirement.name))
            assert pinned is not None, f"{package} requires {requirement}, which {name} does not pin"
            assert requirement.specifier.contains(pinned, prereleases=True), f"{package} requires {requirement}"
            waiting.append(requirement)
    assert len(visited) > len(pins) or name == "requirements-build.txt"
    assert {canonicalize_name(Requirement(root).name) for root in roots} <= {*pins, "counterclaim"}


def test_exactly_the_pinned_versions_are_installed() -> None:
    pins = read_pins("requirements-dev.txt") | read_pins("requirements-build.txt")
    assert {name: Version(found.version) for name, found in INSTALLED.items() if name not in NOT_PINNED} == {
        name: version for name, version in pins.items() if name not in NOT_PINNED
    }


@pytest.mark.parametrize("name", INSTALL_COMMANDS)
def test_pins_are_installed_without_resolving(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("$(PIP)", "install --no-deps")
    commands = [line for line in text.splitlines() if "--require-hashes" in line]
    assert len(commands) == INSTALL_COMMANDS[name]
    assert all("--no-deps" in command for command in commands)


@pytest.mark.parametrize("name", INSTALL_COMMANDS)
def test_the_project_is_built_with_the_pinned_backend_alone(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    installs = [number for number, line in enumerate(lines) if re.search("--require-hashes .*requirements-build", line)]
    builds = [number for number, line in enumerate(lines) if "--no-build-isolation" in line]
    assert all("--no-index" in lines[number] or "--offline" in lines[number] for number in builds)
    assert min(installs) < max(builds)


def test_the_backend_is_no_dependency_of_the_service() -> None:
    assert PROJECT["dependency-groups"]["build"] == BUILD
    assert not {"setuptools", "wheel"} & (
        read_pins("requirements.txt").keys() | read_pins("requirements-dev.txt").keys()
    )


def test_one_command_renews_every_file_of_pins() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\npins:")[2].partition("\n\n")[0]
    written = set(re.findall(r"-o (\S+)", recipe))
    assert written == {path.relative_to(ROOT).as_posix() for path in _files_of_pins()}


@pytest.mark.parametrize(
    ("target", "name", "group"),
    [
        (".bench/peers/made", "benchmarks/requirements.txt", "benchmark"),
        (".bench/fuzz/made", "benchmarks/requirements-fuzz.txt", "fuzz"),
        (".bench/look/made", "benchmarks/requirements-look.txt", "look"),
        (".bench/failover/made", "benchmarks/requirements-failover.txt", "failover"),
        (".bench/clients/made", "benchmarks/requirements-clients.txt", "clients"),
    ],
)
def test_the_pins_of_a_command_are_checked_where_they_are_installed(target: str, name: str, group: str) -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition(f"\n{target}:")[2].partition("\n\n")[0]
    assert recipe.index(f"-r {name}") < recipe.index("-m pip --disable-pip-version-check check")
    pins = read_pins(name)
    for wanted in map(Requirement, PROJECT["dependency-groups"][group]):
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)])


def _files_of_pins() -> list[Path]:
    return [*ROOT.glob("requirements*.txt"), *(ROOT / "benchmarks").glob("requirements*.txt")]
