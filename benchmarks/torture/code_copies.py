"""Copies of the code with one fault in it, to show that the tests find it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.torture.servers import temporary_folder
from benchmarks.torture.writes import ROOT

COPIED = ("app", "alembic", "benchmarks", "docs", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Edit:
    """A text of a file that is replaced. It must be there exactly once."""

    path: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Replace the text below `root`."""
        path = root / self.path
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise RuntimeError(f"{self.path} has {self.old!r} {text.count(self.old)} times")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@contextmanager
def faulty_copy(*edits: Edit) -> Iterator[Path]:
    """Yield a folder with a copy of the code, in which texts are replaced."""
    with temporary_folder() as folder:
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".mypy_cache", ".pytest_cache")
                shutil.copytree(source, folder / name, ignore=ignored, symlinks=True)
            else:
                shutil.copy(source, folder / name)
        for edit in edits:
            edit.apply(folder)
        yield folder


def environment_of(copy: Path) -> dict[str, str]:
    """Return the variables of a process that runs the code of a copy, whatever its working directory is."""
    return {"PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"}
