"""The folder that all processes of one service share while it runs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNTIME_FOLDER_VARIABLE = "_COUNTERCLAIM_RUNTIME_FOLDER"
"""The environment variable that names the folder to worker processes. It is not a setting."""


@contextmanager
def create_runtime_folder() -> Iterator[None]:
    """Create the folder for the block, readable only by this user. There is none if no place can be written."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="counterclaim-", ignore_cleanup_errors=True)
    except OSError:
        yield
        return
    with folder as path:
        os.environ[RUNTIME_FOLDER_VARIABLE] = path
        try:
            yield
        finally:
            del os.environ[RUNTIME_FOLDER_VARIABLE]


def find_runtime_folder() -> Path | None:
    """Return the folder of the service that this process belongs to, if there is one."""
    path = os.environ.get(RUNTIME_FOLDER_VARIABLE)
    return Path(path) if path else None
