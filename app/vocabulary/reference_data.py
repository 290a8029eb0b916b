"""Vocabularies in memory: slugs, hierarchies, topics and names are asked for on every read and change once in a while.

What is remembered for a database holds for every state between the last change of a vocabulary and the last state that
was looked at; one index of the change log, which has nothing else in it, tells whether it holds for a later one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from app.vocabulary.records import load_hierarchy

SEARCHED_TABLES: dict[str, type[Version]] = {
    "source": SourceVersion,
    "category": CategoryVersion,
    "subject": SubjectVersion,
    "place": PlaceVersion,
}
"""The kinds whose names a search looks at."""

MAX_PAST_STATES = 8
"""So many past states are remembered: an export asks for one of them again and again."""

MAX_CHANGES_INSPECTED = 200
"""After more changes than this, only the index of vocabulary changes is looked at."""


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """A source as far as claims show it."""

    slug: str
    name: str
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
    """Slug → what is shown of a source."""
    position_holders: Mapping[str, str]
    """Source → the source whose position it holds, for those that speak for another."""
    topics: Mapping[str, Mapping[str, Any]]
    """Slug → the fields of the topic."""
    hierarchy: Hierarchy
    _descendants: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def descendants(self, kind: str, slug: str) -> frozenset[str]:
        """What lies below the category, subject or place `slug`, itself included."""
        found = self._descendants.get((kind, slug))
        if found is None:
            narrower = {
                "category": self.hierarchy.narrower_categories,
                "subject": self.hierarchy.narrower_subjects,
                "place": self.hierarchy.narrower_places,
            }
            found = self._descendants[kind, slug] = narrower[kind](slug)
        return found

    def find_slugs_by_word(self, kind: str, word: str) -> list[str]:
        """The slugs of a kind whose names have `word`."""
        return [slug for slug, words in self.name_words[kind].items() if word in words]


@dataclass(frozen=True, slots=True)
class _CachedReferenceData:
    """A vocabulary, and the states that it holds for: from `since` until `seen`. Never changed, only replaced."""

    reference_data: ReferenceData
    valid_from_seq: int
    last_seen_seq: int


class ReferenceDataCache:
    """The present reference data of a database, and those of a few past states."""

    def __init__(self) -> None:
        self._current: _CachedReferenceData | None = None
        self._past: BoundedCache[int, ReferenceData] = BoundedCache(MAX_PAST_STATES)

    def get(self, source: ReadSession | Session, view: Snapshot) -> ReferenceData:
        """Return the reference data of a snapshot; they are loaded if a vocabulary changed since the last time."""
        if self._current is not None and view.as_of is None and view.seq > self._current.last_seen_seq:
            self._advance(source, view.seq)
        cached = self._current
        if cached is not None and cached.valid_from_seq <= view.seq <= cached.last_seen_seq:
            return cached.reference_data
        session = _session_of(source)
        if view.as_of is not None:
            return self._get_past(session, view)
        found = _load_reference_data(session, view)
        if cached is None or view.seq > cached.last_seen_seq:  # else it is a replica that lies behind
            self._current = _CachedReferenceData(found, read_last_vocabulary_change(session, view.seq), view.seq)
        return found

    def apply(self, changes: Sequence[ChangeEntry], cached: "_CachedReferenceData", until: int) -> None:
        """Extend the validity of `cached` to `until`, unless a vocabulary is among the changes since."""
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
        """Return the reference data of a past state, which does not change any more."""
        found = self._past.get(view.seq)
        if found is None:
            found = _load_reference_data(session, view)
            self._past.store(view.seq, found)
        return found


REFERENCE_DATA = CacheKey("reference_data", lambda _database: ReferenceDataCache())


def get_reference_data(source: ReadSession | Session, view: Snapshot) -> ReferenceData:
    """Return the reference data of a snapshot, from memory if they are still valid."""
    database: Database | None = source.database if isinstance(source, ReadSession) else source.info.get("database")
    if database is None:  # a writer, whose own changes nobody else sees yet
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
    shown = select(source.slug, source.name, source.kind, source.interest, source.speaks_for)
    sources = session.execute(shown.where(view.contains(SourceVersion))).all()
    topics = session.execute(select(*topic).where(view.contains(TopicVersion))).mappings()
    by_slug: dict[str, Mapping[str, Any]] = {row["slug"]: dict(row) for row in topics}
    return ReferenceData(
        slugs={**slugs, "topic": frozenset(by_slug)},
        name_words=words,
        sources={row.slug: SourceSummary(row.slug, row.name, row.kind.value, row.interest.value) for row in sources},
        position_holders=resolve_position_holders({row.slug: row.speaks_for for row in sources if row.speaks_for}),
        topics=by_slug,
        hierarchy=load_hierarchy(session, view),
    )
