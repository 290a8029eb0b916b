"""Builds the wheel as `make wheel` does, from a copy of the tree, and installs it into a folder."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

from tests.run_folder import make_once

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "docs/openapi.json")
UV = (sys.executable, "-m", "uv", "--quiet", "--offline", "--no-cache")


@dataclass(frozen=True)
class BuiltWheel:
    """A wheel of this tree, with the copy of the tree that it was built from and a folder that it is unpacked in."""

    folder: Path
    tree: Path
    wheel: Path
    installed: Path


def built_wheel() -> BuiltWheel:
    """Return the wheel of this tree. It is built once for all tests of a run."""
    folder = make_once("wheel", _build_into)
    [wheel] = (folder / "from-tree").glob("*.whl")
    return BuiltWheel(folder, folder / "tree", wheel, folder / "installed")


def _build_into(folder: Path) -> None:
    folder.mkdir()
    install(build(copy_tree(folder / "tree"), folder / "from-tree", "--wheel"), folder / "installed")


def copy_tree(folder: Path) -> Path:
    """Copy the files that a build needs into a new folder, and return it."""
    for name in ("app", "alembic", "docs/guides"):
        copytree(ROOT / name, folder / name, ignore=ignore_patterns("__pycache__"))
    for name in SOURCES:
        copy(ROOT / name, folder / name)
    return folder


def build(tree: Path, target: Path, *options: str) -> Path:
    """Build the wheel of `tree`: from its source distribution, or directly with the option `--wheel`."""
    _run(
        *UV, "build", "--no-build-isolation", "--python", sys.executable, *options, "--out-dir", str(target), str(tree)
    )
    [wheel] = target.glob("*.whl")
    return wheel


def install(wheel: Path, target: Path) -> Path:
    """Install a wheel without its dependencies into the folder `target`, and return it."""
    _run(
        *UV,
        "pip",
        "install",
        "--no-deps",
        "--compile-bytecode",
        "--python",
        sys.executable,
        "--target",
        str(target),
        str(wheel),
    )
    return target


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
