"""A typed registry of the objects that a process keeps for one database: caches, and the thread that writes.

A module declares a `CacheKey` once and reads `database.caches[KEY]`, which has the type of the key. So a feature can
have a cache of its own, and neither the database nor the metrics know the feature.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from app.database.engine import Database

T = TypeVar("T")


class CountsLookups(Protocol):
    """A cache that counts its hits and misses."""

    hits: int
    misses: int


C = TypeVar("C", bound=CountsLookups)


@dataclass(frozen=True, slots=True)
class LookupMetric:
    """The Prometheus counter under which the hits and misses of a cache are published."""

    name: str
    documentation: str


class CacheKey(Generic[T]):
    """The key of one object of a database: its name, its type, and how it is made at the first access."""

    def __init__(self, name: str, factory: Callable[["Database"], T], *, keep_on_reset: bool = False) -> None:
        """Declare the key.

        Args:
            name: The name of the object, for people.
            factory: Makes the object for a database.
            keep_on_reset: Whether the object holds nothing that was read, and therefore survives `Caches.reset`.
        """
        self.name = name
        self.factory = factory
        self.keep_on_reset = keep_on_reset

    def __repr__(self) -> str:
        """Return the name, for error messages."""
        return f"CacheKey({self.name!r})"


class Caches:
    """The objects of one database by their keys. Any thread may read it."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._objects: dict[CacheKey[Any], Any] = {}
        self._lock = RLock()

    def __getitem__(self, key: CacheKey[T]) -> T:
        """Return the object of `key`; it is made at the first access."""
        found: T | None = self._objects.get(key)
        if found is None:
            with self._lock:
                found = self._objects.get(key)
                if found is None:
                    found = self._objects[key] = key.factory(self._database)
        return found

    def remove(self, key: CacheKey[Any]) -> None:
        """Remove the object of `key`, so that the next access makes a new one."""
        with self._lock:
            self._objects.pop(key, None)

    def reset(self) -> None:
        """Remove everything that was read from the database."""
        with self._lock:
            self._objects = {key: found for key, found in self._objects.items() if key.keep_on_reset}

    def lookup_counts(self) -> Iterator[tuple[LookupMetric, CountsLookups]]:
        """Return every declared lookup metric with the cache whose hits and misses it counts."""
        for key, metric in _lookup_metrics.items():
            yield metric, self[key]


_lookup_metrics: dict[CacheKey[Any], LookupMetric] = {}


def declare_lookup_metric(key: CacheKey[C], metric: LookupMetric) -> None:
    """Publish the hits and misses of a cache on `/metrics`. Called once, where the key is declared."""
    _lookup_metrics[key] = metric
