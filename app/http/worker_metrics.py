"""Metrics of several workers: each writes its own to a file, and adds up those of all (decision 0064).

The folder belongs to the parent process, which gives its name to the workers in the environment. A worker writes its
file every second, and before it answers a scrape, so that nothing that was shown is ever lost: counters of a worker
that was killed stay in its file. It holds a lock on the file while it lives, which the system releases when it dies.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import orjson

from app.logs import log_once

FOLDER_VARIABLE = "_COUNTERCLAIM_WORKER_METRICS"
"""The variable of the environment in which workers find the folder."""

Labels = tuple[str, ...]


class FamilyKind(StrEnum):
    """The types of metrics."""

    counter = "counter"
    histogram = "histogram"
    gauge = "gauge"


@dataclass(slots=True)
class Family:
    """A metric: its values by the values of its labels. Those of a histogram are its buckets and the sum."""

    kind: FamilyKind
    name: str
    documentation: str
    labels: Labels = ()
    samples: dict[Labels, list[float]] = field(default_factory=dict)


def merge_families(processes: Iterable[Sequence[Family]]) -> list[Family]:
    """Add up the metrics of several processes. Gauges have the label `pid`, so that each stays by itself."""
    merged: dict[str, Family] = {}
    for family in (each for families in processes for each in families):
        total = merged.setdefault(family.name, Family(family.kind, family.name, family.documentation, family.labels))
        for labels, values in family.samples.items():
            before = total.samples.get(labels)
            total.samples[labels] = values if before is None else [a + b for a, b in zip(before, values, strict=True)]
    return list(merged.values())


@contextmanager
def worker_folder() -> Iterator[None]:
    """Give the processes that are started in the block a folder for their metrics, if there is a place for one."""
    try:
        folder = tempfile.mkdtemp(prefix="counterclaim-metrics-")
    except OSError as error:
        log_once("each worker shows its own metrics: %s", error, error=error, cause="metrics folder")
        yield
        return
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[FOLDER_VARIABLE]
        rmtree(folder, ignore_errors=True)


class WorkerFiles:
    """The files of all workers of a service, one of them that of this process."""

    def __init__(self, folder: Path) -> None:
        """Create the file of this process, and lock it until the process ends. Raises `OSError`."""
        self._folder = folder
        # The lock is on a file of its own, because the other one is replaced at each write.
        self._name = uuid4().hex
        self._lock = (folder / f"{self._name}.lock").open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @classmethod
    def from_environment(cls) -> "WorkerFiles | None":
        """Return the files if this process is one of several workers."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if not folder:
            return None
        try:
            return cls(Path(folder))
        except OSError as error:
            log_once("this worker shows only its own metrics: %s", error, error=error, cause="metrics folder")
            return None

    def write(self, families: Sequence[Family]) -> None:
        """Replace the file of this process."""
        path, temporary = self._folder / f"{self._name}.json", self._folder / f"{self._name}.new"
        with suppress(OSError):  # without a file, the others lack this worker until the next write
            temporary.write_bytes(orjson.dumps([_encode(family) for family in families]))
            temporary.replace(path)

    def exchange(self, own: Sequence[Family]) -> list[list[Family]]:
        """Write the metrics of this process, and return those of the others: only counters of those that have ended."""
        self.write(own)
        found = []
        for path in sorted(self._folder.glob("*.json")):
            if path.stem != self._name:
                with suppress(OSError, ValueError, KeyError):
                    families = [_decode(each) for each in orjson.loads(path.read_bytes())]
                    if not self._is_alive(path.stem):
                        families = [family for family in families if family.kind is not FamilyKind.gauge]
                    found.append(families)
        return found

    def close(self) -> None:
        """Release the lock: from now on, this process counts as ended."""
        self._lock.close()

    def _is_alive(self, name: str) -> bool:
        with (self._folder / f"{name}.lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def _encode(family: Family) -> dict[str, Any]:
    return {
        "kind": family.kind,
        "name": family.name,
        "documentation": family.documentation,
        "labels": family.labels,
        "samples": [[labels, values] for labels, values in family.samples.items()],
    }


def _decode(document: dict[str, Any]) -> Family:
    return Family(
        FamilyKind(document["kind"]),
        document["name"],
        document["documentation"],
        tuple(document["labels"]),
        {tuple(labels): values for labels, values in document["samples"]},
    )
