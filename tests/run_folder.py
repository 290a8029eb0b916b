"""A folder for all processes of a test run, so that one of them creates for all what takes long to create."""

import atexit
import fcntl
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_folders: list[Path] = []


def set_run_folder(folder: Path) -> None:
    """Set the folder that this process shares with others."""
    _folders[:] = [folder]


def run_folder() -> Path:
    """Return the folder of the run. Without other processes it is removed when this one ends."""
    if not _folders:
        folder = tempfile.mkdtemp(prefix="counterclaim-run-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _folders.append(Path(folder))
    return _folders[0]


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the path of a file or folder, which `make` creates in the first process that asks for it."""
    path = run_folder() / name
    with path.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_name(f"{name}.unfinished")
            make(unfinished)
            unfinished.rename(path)
    return path
