"""A cache of the reference data (slugs, hierarchies, topics and names), which every read uses and few writes change.

The cached data are valid from the latest change of a vocabulary to the latest state that was checked. The change feed,
or a partial index of vocabulary changes, shows whether they are also valid for a later state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.cache.bounded import BoundedCache
from app.comparison.hierarchy import Hierarchy, resolve_position_holders
from app.database.cache_registry import CacheKey
from app.database.change_feed import ChangeEntry, changes_since, read_last_vocabulary_change
from app.database.engine import Database
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import (
    VOCABULARY_KINDS,
    CategoryVersion,
    PlaceVersion,
    SourceVersion,
    SubjectVersion,
    TopicVersion,
    Version,
    columns_of,
)
from app.sentences.phrases import RecordNames
from app.vocabulary.name_index import NamedRecord, NameIndex
from app.vocabulary.record_names import load_record_names
from app.vocabulary.records import load_hierarchy

SEARCHED_TABLES: dict[str, type[Version]] = {
    "source": SourceVersion,
    "category": CategoryVersion,
    "subject": SubjectVersion,
    "place": PlaceVersion,
}
"""The kinds whose names are searched."""

MAX_PAST_STATES = 8
"""Maximum number of cached past states. An export reads the same past state for each of its pages."""

MAX_CHANGES_INSPECTED = 200
"""If there are more changes than this since the last check, the index of vocabulary changes is read instead."""


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """The fields of a source that are part of a claim."""

    slug: str
    name: str
    short_name: str | None
    kind: str
    interest: str


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """The vocabularies of one state of the register."""

    slugs: Mapping[str, frozenset[str]]
    """Kind → every slug of it."""
    name_words: Mapping[str, Mapping[str, frozenset[str]]]
    """Kind → slug → the words of its name."""
    sources: Mapping[str, "SourceSummary"]
    """Slug → the fields of the source that are part of a claim."""
    position_holders: Mapping[str, str]
    """Source → the source whose position it holds, for those that speak for another."""
    topics: Mapping[str, Mapping[str, Any]]
    """Slug → the fields of the topic."""
    hierarchy: Hierarchy
    _descendants: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    _names: list[RecordNames] = field(default_factory=list)
    """The words of records in sentences, once something needed them."""
    _name_index: list[NameIndex] = field(default_factory=list)
    """The index of names, once something was searched."""

    def descendants(self, kind: str, slug: str) -> frozenset[str]:
        """Return the category, subject or place `slug` with its descendants."""
        found = self._descendants.get((kind, slug))
        if found is None:
            narrower = {
                "category": self.hierarchy.narrower_categories,
                "subject": self.hierarchy.narrower_subjects,
                "place": self.hierarchy.narrower_places,
            }
            found = self._descendants[kind, slug] = narrower[kind](slug)
        return found

    def read_names(self, session: Session, view: Snapshot) -> RecordNames:
        """Return the words of records in sentences; load them at the first call. `view` is one of these states."""
        if not self._names:
            self._names.append(load_record_names(session, view))
        return self._names[0]

    def read_name_index(self, session: Session, view: Snapshot) -> NameIndex:
        """Return the index of all names; build it at the first call. `view` is one of these states."""
        if not self._name_index:
            names = self.read_names(session, view)
            records = [NamedRecord("topic", slug, topic["title"]) for slug, topic in self.topics.items()]
            records += [NamedRecord("source", slug, row.name, row.short_name) for slug, row in self.sources.items()]
            for kind, details in (
                ("category", names.categories),
                ("subject", names.subjects),
                ("place", names.places),
            ):
                records += [NamedRecord(kind, slug, each.name) for slug, each in details.items()]
            self._name_index.append(NameIndex(records))
        return self._name_index[0]

    def find_slugs_by_word(self, kind: str, word: str) -> list[str]:
        """Return the slugs of a kind whose names contain `word`."""
        return [slug for slug, words in self.name_words[kind].items() if word in words]


@dataclass(frozen=True, slots=True)
class _CachedReferenceData:
    """Reference data with the range of states for which they are valid. Immutable; replaced to extend the range."""

    reference_data: ReferenceData
    valid_from_seq: int
    last_seen_seq: int


class ReferenceDataCache:
    """The reference data of the current state of a database, and of a few past states."""

    def __init__(self) -> None:
        self._current: _CachedReferenceData | None = None
        self._past: BoundedCache[int, ReferenceData] = BoundedCache(MAX_PAST_STATES)
        self._lock = Lock()

    def get(self, source: ReadSession | Session, view: Snapshot) -> ReferenceData:
        """Return the reference data of a snapshot; load them if a vocabulary changed since the last read."""
        if self._current is not None and view.as_of is None and view.seq > self._current.last_seen_seq:
            self._advance(source, view.seq)
        cached = self._current
        if cached is not None and cached.valid_from_seq <= view.seq <= cached.last_seen_seq:
            return cached.reference_data
        session = _session_of(source)
        if view.as_of is not None:
            return self._get_past(session, view)
        found = _load_reference_data(session, view)
        loaded = _CachedReferenceData(found, read_last_vocabulary_change(session, view.seq), view.seq)
        with self._lock:
            # Requests at the same time load them, and all use those of the first: caches compare them by identity.
            cached = self._current
            if cached is not None and cached.valid_from_seq <= view.seq <= cached.last_seen_seq:
                return cached.reference_data
            if cached is None or view.seq > cached.last_seen_seq:  # otherwise the snapshot is that of a lagging replica
                self._current = loaded
        return found

    def apply(self, changes: Sequence[ChangeEntry], cached: "_CachedReferenceData", until: int) -> None:
        """Extend the validity of `cached` to `until`, unless `changes` include a change of a vocabulary."""
        if not any(change.kind in VOCABULARY_KINDS for change in changes):
            self._current = replace(cached, last_seen_seq=until)

    def _advance(self, source: ReadSession | Session, until: int) -> None:
        cached = self._current
        if cached is None:
            return
        changes = changes_since(source, cached.last_seen_seq, until, MAX_CHANGES_INSPECTED)
        if changes is not None:
            self.apply(changes, cached, until)
        elif read_last_vocabulary_change(_session_of(source), until) == cached.valid_from_seq:
            self._current = replace(cached, last_seen_seq=until)

    def _get_past(self, session: Session, view: Snapshot) -> ReferenceData:
        """Return the reference data of a past state, which is immutable."""
        found = self._past.get(view.seq)
        if found is None:
            found = _load_reference_data(session, view)
            self._past.store(view.seq, found)
        return found


REFERENCE_DATA = CacheKey("reference_data", lambda _database: ReferenceDataCache())


def get_reference_data(source: ReadSession | Session, view: Snapshot) -> ReferenceData:
    """Return the reference data of a snapshot, from the cache if they are valid."""
    database: Database | None = source.database if isinstance(source, ReadSession) else source.info.get("database")
    if database is None:  # a write transaction, whose uncommitted changes must not be cached
        return _load_reference_data(_session_of(source), view)
    return database.caches[REFERENCE_DATA].get(source, view)


def _session_of(source: ReadSession | Session) -> Session:
    return source.session if isinstance(source, ReadSession) else source


def _load_reference_data(session: Session, view: Snapshot) -> ReferenceData:
    slugs: dict[str, frozenset[str]] = {}
    words: dict[str, dict[str, frozenset[str]]] = {}
    for kind, table in SEARCHED_TABLES.items():
        columns = columns_of(table)
        rows = session.execute(select(columns.slug, columns.words).where(view.contains(table)))
        words[kind] = {slug: frozenset(some) for slug, some in rows}
        slugs[kind] = frozenset(words[kind])
    source, topic = columns_of(SourceVersion), columns_of(TopicVersion)
    shown = select(source.slug, source.name, source.short_name, source.kind, source.interest, source.speaks_for)
    sources = session.execute(shown.where(view.contains(SourceVersion))).all()
    topics = session.execute(select(*topic).where(view.contains(TopicVersion))).mappings()
    by_slug: dict[str, Mapping[str, Any]] = {row["slug"]: dict(row) for row in topics}
    return ReferenceData(
        slugs={**slugs, "topic": frozenset(by_slug)},
        name_words=words,
        sources={
            row.slug: SourceSummary(row.slug, row.name, row.short_name, row.kind.value, row.interest.value)
            for row in sources
        },
        position_holders=resolve_position_holders({row.slug: row.speaks_for for row in sources if row.speaks_for}),
        topics=by_slug,
        hierarchy=load_hierarchy(session, view),
    )
