"""Metrics of several workers: each writes its own to a file, and adds up those of all (decision 0064).

The folder is in the one that the processes of a service share. A worker writes its file every second, and before it
answers a scrape, so that nothing that was shown is ever lost: counters of a worker that was killed stay in its file. It
holds a lock on a second file while it lives, which the system releases when it dies.
"""

import fcntl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from app.logs import log_once
from app.runtime_folder import find_runtime_folder

FOLDER_NAME = "metrics"
"""The folder of the files in the folder that the processes of a service share."""

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
    def of_service(cls) -> "WorkerFiles | None":
        """Return the files of the service that this process belongs to, or None if it shares no folder."""
        shared = find_runtime_folder()
        if shared is None:
            return None
        try:
            (shared / FOLDER_NAME).mkdir(exist_ok=True)
            return cls(shared / FOLDER_NAME)
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
        try:
            with (self._folder / f"{name}.lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:  # removed with other old temporary files
            return False
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
