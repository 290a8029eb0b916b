"""A table of counters that the workers of one machine share: a memory-mapped file of fixed size.

A counter belongs to a window of time, which begins with its first count. The table has sets of eight entries; a key
belongs to one set. If a set is full, the entry whose window ends first is replaced, so the table never grows. A lock of
the bytes of the set keeps workers from counting at the same moment; the system releases it if a worker is killed.

The supervisor creates the file in the folder that the processes of a service share. A single process counts in its
own memory. A table is used by one thread, that of the event loop.
"""

import hashlib
import mmap
import os
import struct
import time
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_UN, lockf
from functools import cache
from typing import NamedTuple

from app.logs import log_once
from app.runtime_folder import find_runtime_folder

ENTRIES_PER_SET = 8
SETS = 8_192
"""65,536 counters, in 1.6 MB."""

KEYS = struct.Struct(f"<{ENTRIES_PER_SET}Q")
COUNTER = struct.Struct("<dq")
"""The end of the window in the time of the clock, and the count."""

KEY_BYTES = 8
SET_BYTES = ENTRIES_PER_SET * (KEY_BYTES + COUNTER.size)
TABLE_BYTES = SETS * SET_BYTES

FILE_NAME = "counters"
"""The name of the file in the runtime folder."""


class Count(NamedTuple):
    """The state of a counter."""

    value: int
    seconds_left: float
    """The time until the window ends."""
    is_counted: bool = True
    """Whether the counter had not reached its quota."""


class SharedFile:
    """The file of the table, opened once per process: closing a second descriptor would release all its locks."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.memory = mmap.mmap(self.descriptor, TABLE_BYTES)


@cache
def open_shared_file(path: str) -> SharedFile:
    """Return the file at `path`, which is opened at the first call."""
    return SharedFile(path)


def shared_file() -> SharedFile | None:
    """Return the file that the supervisor of this process created; None without one."""
    folder = find_runtime_folder()
    if folder is None:
        return None
    try:
        return open_shared_file(str(folder / FILE_NAME))
    except FileNotFoundError:
        return None
    except OSError as error:
        log_once("this worker counts requests by itself: %s", error, error=error, cause="shared counters")
        return None


class CounterTable:
    """The counters of this machine, or of this process if there is no file."""

    def __init__(self, file: SharedFile | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Use the table in `file`. `clock` has to be the same for all processes, as the monotonic clock is."""
        self._memory: mmap.mmap | bytearray = bytearray(TABLE_BYTES) if file is None else file.memory
        self._descriptor = None if file is None else file.descriptor
        self._clock = clock

    def add(self, key: int, window_seconds: float, quota: int, amount: int = 1) -> Count:
        """Add `amount` to a counter, unless it has reached `quota`.

        Args:
            key: The key, see `counter_key`.
            window_seconds: The length of a window that begins now.
            quota: The highest count.
            amount: 1; 0 to look only; -1 takes back what was added.
        """
        start = key % SETS * SET_BYTES
        descriptor = self._descriptor
        if descriptor is not None:
            lockf(descriptor, LOCK_EX, SET_BYTES, start)
        try:
            now = self._clock()
            memory = self._memory
            keys = KEYS.unpack_from(memory, start)
            if key in keys:
                position = start + KEYS.size + keys.index(key) * COUNTER.size
                end, value = COUNTER.unpack_from(memory, position)
            else:
                position = self._replace_entry(start, key)
                end, value = 0.0, 0
            if end <= now:
                end, value = now + window_seconds, 0
            if value >= quota and amount >= 0:
                return Count(value, end - now, is_counted=False)
            value = max(0, value + amount)
            COUNTER.pack_into(memory, position, end, value)
            return Count(value, end - now)
        finally:
            if descriptor is not None:
                lockf(descriptor, LOCK_UN, SET_BYTES, start)

    def read(self, key: int) -> int:
        """Return the count of a key in its window; 0 if there is none."""
        start = key % SETS * SET_BYTES
        keys = KEYS.unpack_from(self._memory, start)
        if key not in keys:
            return 0
        end, value = COUNTER.unpack_from(self._memory, start + KEYS.size + keys.index(key) * COUNTER.size)
        return int(value) if end > self._clock() else 0

    def clear(self) -> None:
        """Clear all counts."""
        self._memory[:] = bytes(TABLE_BYTES)

    def _replace_entry(self, start: int, key: int) -> int:
        """Give `key` the entry of a set whose window ends first, and return the position of its counter."""
        ends = [
            COUNTER.unpack_from(self._memory, start + KEYS.size + number * COUNTER.size)[0]
            for number in range(ENTRIES_PER_SET)
        ]
        number = ends.index(min(ends))
        position = start + KEYS.size + number * COUNTER.size
        COUNTER.pack_into(self._memory, position, 0.0, 0)
        struct.pack_into("<Q", self._memory, start + number * KEY_BYTES, key)
        return position


def counter_key(kind: bytes, name: bytes) -> int:
    """Return the key of the counter of `name`. Counters of different kinds do not meet."""
    return int.from_bytes(hashlib.blake2b(name, digest_size=KEY_BYTES, person=kind).digest(), "little") or 1


def create_shared_file() -> None:
    """Create the file for the workers that are started in this runtime folder.

    Where there is no folder, or no space, each worker counts by itself.
    """
    folder = find_runtime_folder()
    if folder is None:
        return
    path = folder / FILE_NAME
    try:
        with path.open("xb") as file:
            os.posix_fallocate(file.fileno(), 0, TABLE_BYTES)  # a mapped page without space would end the process
    except OSError as error:
        path.unlink(missing_ok=True)
        log_once("each worker counts requests by itself: %s", error, error=error, cause="shared counters")
