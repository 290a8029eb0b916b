"""The folder that all processes of one service share while it runs."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

RUNTIME_FOLDER_VARIABLE = "_COUNTERCLAIM_RUNTIME_FOLDER"
"""The environment variable that names the folder to worker processes. It is not a setting."""

PREFIX, LOCK_NAME = "counterclaim-run-", "lock"


@contextmanager
def create_runtime_folder() -> Iterator[None]:
    """Create the folder for the block, readable only by this user. There is none if no place can be written.

    The folders of services that were killed are removed: nobody holds their lock any more.
    """
    _remove_abandoned_folders()
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = (folder / LOCK_NAME).open("wb")
    except OSError:
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        previous = os.environ.get(RUNTIME_FOLDER_VARIABLE)
        os.environ[RUNTIME_FOLDER_VARIABLE] = str(folder)
        try:
            yield
        finally:
            os.environ.pop(RUNTIME_FOLDER_VARIABLE, None)
            if previous is not None:
                os.environ[RUNTIME_FOLDER_VARIABLE] = previous
            shutil.rmtree(folder, ignore_errors=True)


def find_runtime_folder() -> Path | None:
    """Return the folder of the service that this process belongs to, if there is one."""
    path = os.environ.get(RUNTIME_FOLDER_VARIABLE)
    return Path(path) if path else None


def _remove_abandoned_folders() -> None:
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with suppress(OSError), (folder / LOCK_NAME).open("rb") as lock:  # those of other users cannot be opened
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
