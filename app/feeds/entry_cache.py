"""A cache of feed entries and of the latest changes of topics: after a write, a feed reads and words only what is new.

To word the entries of a feed takes ten times as long as to find its changes. An entry is valid until one of the claims
that its text depends on, a document or a vocabulary changes; the change log names them. The latest changes of a topic
are valid until a recorded claim or a vocabulary changes, and newer ones are added to them. Only what belongs to the
current state is cached.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Final

from sqlalchemy import select
from sqlmodel import Session

from app.database.cache_registry import CacheKey
from app.database.change_feed import ChangeEntry, changes_since
from app.database.snapshot import Snapshot
from app.database.tables import RelationVersion, columns_of
from app.feeds.formats import FeedEntry
from app.feeds.latest_changes import LatestChange
from app.vocabulary.reference_data import ReferenceData

MAX_CACHED_ENTRIES: Final = 1_000
"""Maximum number of cached entries. Each takes about two kilobytes."""

MAX_CACHED_TOPICS: Final = 100
"""Maximum number of topics whose latest changes are cached. Those of each take about ten kilobytes."""

MAX_CHANGES_INSPECTED: Final = 5_000
"""After more changes than this the cache is cleared."""


@dataclass(frozen=True, slots=True)
class CachedEntry:
    """A feed entry, and the ids of the claims that its words depend on."""

    entry: FeedEntry
    depends_on: frozenset[str]


class FeedEntryCache:
    """The entries of changes, and the latest changes of topics, in the state of a database at `seq`.

    A reader advances the cache to its snapshot first. If another reader has advanced it further by then, the cache
    returns nothing and stores nothing.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._seq = 0
        self._day = date.min
        self._reference_data: ReferenceData | None = None
        self._entries: dict[Hashable, CachedEntry] = {}
        self._latest: dict[str | None, tuple[int, Sequence[LatestChange]]] = {}
        """By topic (None: of all claims): the latest changes, and the `seq` up to which they are known."""
        self.register_id: str | None = None

    def advance(self, session: Session, snapshot: Snapshot, reference_data: ReferenceData) -> None:
        """Advance the cache to a snapshot, unless that is of an earlier state."""
        with self._lock:
            if snapshot.seq < self._seq:  # that of a lagging replica, or of a read that began earlier
                return
            if reference_data is not self._reference_data or snapshot.today != self._day:
                self._clear()
            elif snapshot.seq > self._seq:
                self._drop_changed(session, snapshot.seq)
            self._seq, self._day, self._reference_data = snapshot.seq, snapshot.today, reference_data

    def find_latest(self, topic: str | None, snapshot: Snapshot) -> tuple[int, Sequence[LatestChange]]:
        """Return the `seq` up to which the changes of a topic are known, and the latest of them."""
        with self._lock:
            return self._latest.get(topic, (0, ())) if snapshot.seq == self._seq else (0, ())

    def store_latest(self, topic: str | None, changes: Sequence[LatestChange], snapshot: Snapshot) -> None:
        """Set the latest changes of a topic."""
        with self._lock:
            if snapshot.seq == self._seq:
                if len(self._latest) >= MAX_CACHED_TOPICS:
                    self._latest.clear()
                self._latest[topic] = (snapshot.seq, changes)

    def find_entries(self, keys: Iterable[Hashable], snapshot: Snapshot) -> dict[Hashable, FeedEntry]:
        """Return the cached entries among those with these keys."""
        with self._lock:
            if snapshot.seq != self._seq:
                return {}
            return {key: found.entry for key in keys if (found := self._entries.get(key)) is not None}

    def store_entries(self, entries: Mapping[Hashable, CachedEntry], snapshot: Snapshot) -> None:
        """Add entries."""
        with self._lock:
            if snapshot.seq == self._seq:
                if len(self._entries) + len(entries) > MAX_CACHED_ENTRIES:
                    self._entries.clear()
                self._entries.update(entries)

    def _clear(self) -> None:
        self._entries.clear()
        self._latest.clear()

    def _drop_changed(self, session: Session, until: int) -> None:
        """Remove what the changes up to `until` affect."""
        changes = changes_since(session, self._seq, until, MAX_CHANGES_INSPECTED)
        if changes is None or any(change.kind == "document" and change.revision > 1 for change in changes):
            self._clear()
            return
        if any(change.kind == "claim" and change.revision > 1 for change in changes):
            self._latest.clear()  # a claim may have moved to another topic, or lost the reasons of its changes
        changed = {
            change.claim
            for change in changes
            if change.claim is not None and (change.kind != "claim" or change.revision > 1)
        } | _find_related_claims(session, changes)
        if not changed:
            return
        for key in [key for key, cached in self._entries.items() if not cached.depends_on.isdisjoint(changed)]:
            del self._entries[key]


FEED_ENTRIES = CacheKey("feed_entries", lambda _database: FeedEntryCache())


def _find_related_claims(session: Session, changes: Sequence[ChangeEntry]) -> set[str]:
    """Return the claims to which the relations among the changes lead."""
    seqs = [change.seq for change in changes if change.kind == "relation"]
    relation = columns_of(RelationVersion)
    statement = select(relation.to_claim).where(relation.seq.in_(seqs), relation.to_claim.is_not(None))
    return {str(id_) for id_ in session.execute(statement).scalars()} if seqs else set()
