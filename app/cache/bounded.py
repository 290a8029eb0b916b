"""A thread-safe cache with a maximum number of entries."""

from threading import Lock
from typing import Generic, TypeVar

from cachetools import FIFOCache

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """A cache that evicts its oldest entry when it is full.

    A read takes no lock and does not reorder entries, so it costs little more than a dictionary lookup.
    """

    def __init__(self, max_entries: int) -> None:
        self._entries: FIFOCache[K, V] = FIFOCache(max_entries)
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """Return the value of `key`, or None if there is none."""
        try:
            return self._entries[key]
        except KeyError:  # another thread could evict the entry between `in` and `[]`
            return None

    def store(self, key: K, value: V) -> None:
        """Set the value of `key`."""
        with self._lock:
            self._entries[key] = value

    def values(self) -> list[V]:
        """Return all values."""
        with self._lock:
            return list(self._entries.values())
