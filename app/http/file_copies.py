"""Copies of long files on disk, for range requests and for clients that ask for the same file again.

A copy is written by a thread of its own while the first client reads it, and is complete under its final name. Its name
contains the state of the register, of the last takedown and of the request, so that a copy is never outdated. All
processes of a machine share the folder. A takedown empties and removes all files in it; whoever reads or writes one of
them meanwhile notices, and breaks off.
"""

import contextvars
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from app.cache.etags import digest
from app.database.cache_registry import CacheKey
from app.database.engine import Database

MAX_PRODUCTIONS = 2
"""The number of copies that a process writes at the same time."""

MAX_UNFIT_NAMES = 1_000
"""The number of files of which a process remembers that they are larger than all copies together may be."""

ABANDONED_SECONDS = 3_600.0
"""The age after which an incomplete copy is removed: the process that wrote it has ended."""

_USER = os.geteuid() if hasattr(os, "geteuid") else 0

COMPLETE, INCOMPLETE = ".copy", ".part"

logger = logging.getLogger("counterclaim")

RenderFile = Callable[[], Iterator[bytes]]
"""Returns the chunks of a file, the same at each call."""


class CopyRemoved(Exception):
    """A copy was removed by a takedown while it was read or written."""


class Production:
    """A copy that is being written. The bytes that `size` counts can be read from its file."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.file = file
        self.size = 0
        self.is_finished = False
        self.error: BaseException | None = None
        """Why it failed."""
        self.is_cancelled = False

    def is_removed(self, file: IO[bytes]) -> bool:
        """Return whether a takedown has removed the copy, which is open as `file`.

        The oldest copies are removed too, but not erased, and only when they are complete.
        """
        state = os.fstat(file.fileno())
        is_complete = self.is_finished and self.error is None
        return self.is_cancelled or (state.st_nlink == 0 and (not is_complete or state.st_size < self.size))


class FileCopies:
    """The copies of the files of one register in a folder, at most `max_bytes` of them."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._productions: dict[str, Production] = {}
        self._unfit: set[str] = set()
        self._lock = threading.Lock()

    @classmethod
    def of_database(cls, database: Database) -> "FileCopies":
        """Return the copies of the register in a database."""
        try:
            default = Path(tempfile.gettempdir()) / f"counterclaim-files-{_USER}"
        except FileNotFoundError:  # no directory for temporary files can be written
            default = Path("/nonexistent")
        parent = Path(database.files_dir) if database.files_dir else default
        return cls(parent / digest(database.address.encode()), database.files_bytes)

    def find_fault(self) -> str | None:
        """Return one sentence that says why no copies can be written; None if they can, or if none are wanted."""
        if not self.max_bytes:
            return None
        try:
            self._prepare_folder()
        except OSError as error:
            return (
                f"Files are sent without ranges, because {self.folder} cannot be written: {error.strerror or error}. "
                "Set COUNTERCLAIM_FILES_DIR to a folder that can be written."
            )
        return None

    def can_copy(self, name: str) -> bool:
        """Return whether there may be a copy of a file: the folder can be written, and the file is not too large."""
        return bool(self.max_bytes) and name not in self._unfit and self.find_fault() is None

    def open(self, name: str) -> IO[bytes] | None:
        """Open a complete copy; None if there is none."""
        path = self.folder / (name + COMPLETE)
        try:
            file = path.open("rb")
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)  # the copies that were not used for longest are removed first
        return file

    def produce(self, name: str, render: RenderFile) -> Production | None:
        """Return the copy that is being written, or begin to write one. None if that is not possible now."""
        with self._lock:
            production = self._productions.get(name)
            if production is not None:
                return production
            if len(self._productions) >= MAX_PRODUCTIONS or not self.can_copy(name):
                return None
            path = self.folder / f"{name}-{os.getpid()}-{time.monotonic_ns()}{INCOMPLETE}"
            try:
                file = path.open("xb", buffering=0)
            except OSError:
                return None
            production = self._productions[name] = Production(path, file)
        context = contextvars.copy_context()  # with the base URL of the addresses in the file
        arguments = (self._write, name, production, render)
        threading.Thread(target=context.run, args=arguments, name="file-copy", daemon=True).start()
        return production

    def delete_all(self) -> None:
        """Erase and remove all copies, also those that other processes on this machine write or read."""
        with self._lock:
            for production in self._productions.values():
                production.is_cancelled = True
        while paths := self._files():
            for path in paths:
                with suppress(FileNotFoundError), path.open("r+b") as file:
                    path.unlink()
                    file.truncate(0)  # a process that has the file open reads nothing more

    def close(self) -> None:
        """Stop the threads that write copies."""
        with self._lock:
            for production in self._productions.values():
                production.is_cancelled = True

    def _write(self, name: str, production: Production, render: RenderFile) -> None:
        try:
            with production.file as file:
                for chunk in render():
                    self._append(name, production, file, chunk)
            production.path.replace(self.folder / (name + COMPLETE))
            self._remove_oldest()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the copy raises it
            production.error = error
            with suppress(OSError):
                production.path.unlink()
            if not isinstance(error, (CopyRemoved, OSError)):
                logger.warning("A copy of a file was not completed: %r", error)
        finally:
            production.is_finished = True
            with self._lock:
                self._productions.pop(name, None)

    def _append(self, name: str, production: Production, file: IO[bytes], chunk: bytes) -> None:
        if production.is_removed(file):
            raise CopyRemoved(name)
        if production.size + len(chunk) > self.max_bytes:
            if len(self._unfit) >= MAX_UNFIT_NAMES:
                self._unfit.clear()
            self._unfit.add(name)
            raise OSError(f"the file has more than {self.max_bytes} bytes")
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]
        production.size += len(chunk)

    def _prepare_folder(self) -> None:
        """Create the folder if it is missing. Raises `OSError` if it cannot be written, or others could write it."""
        for folder in (self.folder.parent, self.folder):
            folder.mkdir(mode=0o700, exist_ok=True)  # not its parents: a folder that an operator names is there
        state = self.folder.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != _USER or state.st_mode & 0o022:
            raise PermissionError(0, "others could write it")
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise PermissionError(0, "it is read-only")

    def _files(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.suffix in (COMPLETE, INCOMPLETE)]
        except OSError:
            return []

    def _remove_oldest(self) -> None:
        """Remove the copies that were not used for longest, until all together have at most `max_bytes`."""
        found = []
        for path in self._files():
            with suppress(FileNotFoundError):
                state = path.stat()
                if path.suffix == COMPLETE:
                    found.append((state.st_mtime, state.st_size, path))
                elif time.time() - state.st_mtime > ABANDONED_SECONDS:
                    path.unlink()
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found, key=lambda each: each[0]):
            if total <= self.max_bytes:
                return
            with suppress(FileNotFoundError):
                path.unlink()  # a client that reads it keeps it until it has finished
            total -= size


FILE_COPIES = CacheKey("file_copies", FileCopies.of_database, keep_on_reset=True, on_reset=FileCopies.delete_all)
