"""A typed registry of the objects of a process that belong to one database: caches and the group committer.

A module declares a `CacheKey` and reads `database.caches[KEY]`, which has the type of the key. A feature can thus add
a cache without a dependency of `app.database` or the metrics on that feature.
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
    """The key of one object of a database: its name, its type and its factory."""

    def __init__(
        self,
        name: str,
        factory: Callable[["Database"], T],
        *,
        keep_on_reset: bool = False,
        on_reset: Callable[[T], None] | None = None,
    ) -> None:
        """Declare the key.

        Args:
            name: The name of the object in error messages.
            factory: Creates the object at the first access.
            keep_on_reset: Whether `Caches.reset` keeps the object, because it contains no data read from the database.
            on_reset: Removes the data read from the database that the object has stored elsewhere.
        """
        self.name = name
        self.factory = factory
        self.keep_on_reset = keep_on_reset
        self.on_reset = on_reset

    def __repr__(self) -> str:
        """Return the name, for error messages."""
        return f"CacheKey({self.name!r})"


class Caches:
    """The objects of one database by key. It is thread-safe."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._objects: dict[CacheKey[Any], Any] = {}
        self._lock = RLock()

    def __getitem__(self, key: CacheKey[T]) -> T:
        """Return the object of `key`, which is created at the first access."""
        cached: T | None = self._objects.get(key)
        if cached is None:
            with self._lock:
                cached = self._objects.get(key)
                if cached is None:
                    cached = self._objects[key] = key.factory(self._database)
        return cached

    def remove(self, key: CacheKey[Any]) -> None:
        """Remove the object of `key`, so that the next access creates a new one."""
        with self._lock:
            self._objects.pop(key, None)

    def reset(self) -> None:
        """Remove all objects that contain data read from the database."""
        with self._lock:
            before = self._objects
            self._objects = {key: value for key, value in before.items() if key.keep_on_reset}
        for key, value in before.items():
            if key.on_reset is not None:
                key.on_reset(value)

    def lookup_counts(self) -> Iterator[tuple[LookupMetric, CountsLookups]]:
        """Yield the declared lookup metrics, with the cache whose hits and misses each metric counts."""
        for key, metric in _lookup_metrics.items():
            yield metric, self[key]


_lookup_metrics: dict[CacheKey[Any], LookupMetric] = {}


def declare_lookup_metric(key: CacheKey[C], metric: LookupMetric) -> None:
    """Publish the hits and misses of a cache on `/metrics`. Call it once, next to the declaration of the key."""
    _lookup_metrics[key] = metric
