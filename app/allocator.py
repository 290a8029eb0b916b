"""The allocator of the C library: less memory that is free and not returned to the system (decision 0062).

glibc gives each thread a heap of its own, and returns free memory only from the end of a heap. Responses of all sizes
that live for seconds or hours then leave a process with twice the memory that it uses. Other C libraries are not
changed.
"""

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of `mallopt` in `malloc.h`."""

LARGE_BLOCK_BYTES = 128 * 1024
"""Larger blocks are mapped one by one, so that each is returned when it is freed. glibc would raise the limit."""


def configure_allocator() -> None:
    """Use one heap for all threads. Call it before there are threads."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, LARGE_BLOCK_BYTES)


def release_free_memory() -> None:
    """Return the free pages of the heap to the system. It takes some milliseconds, without the lock of Python."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
