"""The library that records and fails what a process does to its files (`disk.c`), compiled when it is first needed."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("disk.c")


def find_compiler() -> str | None:
    """Return a C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc")


@dataclass
class Preload:
    """The library, set up for the files of one folder."""

    library: Path
    folder: Path
    log: Path
    switch: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of a process that uses the library."""
        return {
            "LD_PRELOAD": str(self.library),
            "TORTURE_FOLDER": str(self.folder),
            "TORTURE_FAIL": str(self.switch),
            "TORTURE_LOG": str(self.log),
        }

    @contextmanager
    def failing(self, percent: int, number: int = errno.EIO) -> Iterator[None]:
        """Let so many of the writes and syncs in a block fail."""
        prepared = self.switch.with_suffix(".new")
        prepared.write_text(f"{percent} {number}\n")
        prepared.rename(self.switch)
        try:
            yield
        finally:
            self.switch.unlink()

    def note(self, text: str) -> None:
        """Append a note to the recording, such as that a write was acknowledged."""
        from benchmarks.torture.disk_states import encode_note  # noqa: PLC0415

        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, encode_note(text))
        finally:
            os.close(file)


def compile_library(folder: Path) -> Path:
    """Compile the library into a folder. Raises `RuntimeError` without a compiler."""
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("there is no C compiler")
    library = folder / "disk.so"
    if not library.exists():
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"the library cannot be compiled: {done.stderr[-2000:]}")
    return library


def create_preload(folder: Path, watched: Path) -> Preload:
    """Set up the library for the files of `watched`; its own files are in `folder`."""
    return Preload(compile_library(folder), watched, folder / "recording", folder / "failing")
