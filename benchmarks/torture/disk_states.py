"""What files can hold after a loss of power, from a recording of all writes and syncs (`disk.c`).

What was synced is there. Of everything later, each sector may be there or not, in any order; a file that was created
is there only after its directory, or itself, was synced. Every state is drawn from a seed.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

HEAD = struct.Struct("<IIQI1s3x")
SECTOR = 512
"""What a disk writes as a whole, in bytes."""

IGNORED_SUFFIXES = ("-shm",)
"""Files that SQLite makes anew after a crash, whatever they hold."""

POLICIES = ("nothing", "everything", "some writes", "some sectors", "torn end")
"""What becomes of the writes that were not synced.

Nothing: none is on the disk. Everything: all are, as after a crash of the process alone. Some writes: each or not, so
that later ones may be there without earlier ones. Some sectors: the same for each sector. Torn end: the first ones are
there, then one in part.
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the recording."""

    kind: str
    """O: opened for creation, W: written, T: truncated, F: sync began, S: sync ended, U: unlinked, N: note."""
    path: str
    data: bytes
    offset: int
    task: int


def encode_note(text: str) -> bytes:
    """Return a note as an entry of the recording."""
    path = text.encode()
    return HEAD.pack(len(path), 0, 0, 0, b"N") + path


def read_recording(path: Path) -> Iterator[Operation]:
    """Yield the operations of a recording."""
    with path.open("rb") as file:
        while head := file.read(HEAD.size):
            path_size, data_size, offset, task, kind = HEAD.unpack(head)
            name = file.read(path_size).decode()
            yield Operation(kind.decode(), name, file.read(data_size), offset, task)


@dataclass
class FileState:
    """A file: what is certainly on the disk, and what was written since, in order."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)
    first_pending: int = 0
    """The number of operations before those that are pending."""
    is_durable: bool = False
    """Whether the file itself is on the disk."""
    sync_marks: dict[int, int] = field(default_factory=dict)
    """For each task that syncs the file, the number of operations when it began."""

    def settle(self, task: int) -> None:
        """Make durable what was recorded before the sync of a task began."""
        count = max(0, self.sync_marks.pop(task, 0) - self.first_pending)
        for operation in self.pending[:count]:
            _apply(self.durable, operation)
        del self.pending[:count]
        self.first_pending += count
        self.is_durable = True


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "T":
        missing = operation.offset - len(content)
        content.extend(bytes(max(0, missing)))
        del content[operation.offset :]
    else:
        _put(content, operation.offset, operation.data)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """The files of a folder while a recording is played."""

    def __init__(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Begin with files that are all on the disk."""
        self.folder = folder
        self.files: defaultdict[str, FileState] = defaultdict(FileState)
        for path, content in files.items():
            self.files[path] = FileState(bytearray(content), is_durable=True)

    def play(self, operation: Operation) -> None:
        """Play one operation."""
        path = operation.path
        if path.endswith(IGNORED_SUFFIXES) or operation.kind == "N":
            return
        if path == self.folder:
            if operation.kind == "S":
                for file in self.files.values():
                    file.is_durable = True
            return
        if operation.kind == "U":  # it may also be still there, which is the same for SQLite: it is empty by then
            self.files.pop(path, None)
            return
        file = self.files[path]
        match operation.kind:
            case "W" | "T":
                file.pending.append(operation)
            case "F":
                file.sync_marks[operation.task] = file.first_pending + len(file.pending)
            case "S":
                file.settle(operation.task)

    def draw_state(self, random: Random, policy: str) -> dict[str, bytes]:
        """Return what the files hold if the power is lost now."""
        found = {}
        for path, file in self.files.items():
            if not file.is_durable and policy != "everything" and random.random() < 0.5:
                continue
            content = bytearray(file.durable)
            for operation in _survivors(file.pending, random, policy):
                _apply(content, operation)
            found[path] = bytes(content)
        return found


def _survivors(pending: list[Operation], random: Random, policy: str) -> Iterator[Operation]:
    """Yield what of the pending operations is on the disk."""
    last = random.randrange(len(pending) + 1)
    for number, operation in enumerate(pending):
        match policy:
            case "nothing":
                return
            case "everything":
                yield operation
            case "some writes":
                if random.random() < 0.5:
                    yield operation
            case "some sectors":
                yield from _some_sectors(operation, random)
            case _:
                if number < last:
                    yield operation
                elif number == last and operation.kind == "W":
                    yield Operation(
                        "W", "", operation.data[: random.randrange(len(operation.data) + 1)], operation.offset, 0
                    )


def _some_sectors(operation: Operation, random: Random) -> Iterator[Operation]:
    if operation.kind == "T":
        if random.random() < 0.5:
            yield operation
        return
    first = SECTOR - operation.offset % SECTOR
    begins = [0, *range(first, len(operation.data), SECTOR)]
    for begin, end in zip(begins, [*begins[1:], len(operation.data)], strict=True):
        if random.random() < 0.5:
            yield Operation("W", "", operation.data[begin:end], operation.offset + begin, 0)
