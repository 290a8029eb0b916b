"""Builds the wheel as `make wheel` does, from a copy of the tree, and installs it into a folder."""

import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE")
UV = (sys.executable, "-m", "uv", "--quiet", "--offline", "--no-cache")


def copy_tree(folder: Path) -> Path:
    """Copy the files that a build needs into a new folder, and return it."""
    for name in ("app", "alembic"):
        copytree(ROOT / name, folder / name, ignore=ignore_patterns("__pycache__"))
    for name in SOURCES:
        copy(ROOT / name, folder)
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
