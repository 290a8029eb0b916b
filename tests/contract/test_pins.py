"""The pinned requirements are closed: pip installs them without resolving anything."""

import re
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
INSTALLED = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
# `python -m venv` brings pip, and before Python 3.12 setuptools; the project itself is installed in place.
NOT_PINNED = {"pip", "setuptools", "counterclaim"}
INSTALL_COMMANDS = {"Makefile": 3, "Dockerfile": 1}


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


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_of_a_pinned_package_is_pinned(name: str) -> None:
    pins = read_pins(name)
    waiting = [Requirement(package) for package in [*pins, "counterclaim"]]
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
    assert len(visited) > len(pins)


def test_exactly_the_pinned_versions_are_installed() -> None:
    pins = read_pins("requirements-dev.txt")
    assert {name: Version(found.version) for name, found in INSTALLED.items() if name not in NOT_PINNED} == {
        name: version for name, version in pins.items() if name not in NOT_PINNED
    }


@pytest.mark.parametrize("name", INSTALL_COMMANDS)
def test_pins_are_installed_without_resolving(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("$(PIP)", "install --no-deps")
    commands = [line for line in text.splitlines() if "--require-hashes" in line]
    assert len(commands) == INSTALL_COMMANDS[name]
    assert all("--no-deps" in command for command in commands)
