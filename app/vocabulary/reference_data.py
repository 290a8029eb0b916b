"""Vocabularies in memory: slugs, hierarchies, topics and names are asked for on every read and change once in a while.

What is remembered for a database holds for every state between the last change of a vocabulary and the last state that
was looked at; one index of the change log, which has nothing else in it, tells whether it holds for a later one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.comparison.hierarchy import Hierarchy, resolve_position_holders
from app.database.engine import Database
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import (
    VOCABULARY_CHANGE,
    CategoryVersion,
    Change,
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

CACHE_KEY = "vocabulary"


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


def get_reference_data(source: ReadSession | Session, view: Snapshot) -> ReferenceData:
    """The vocabularies of a view. Nothing is asked where nothing was recorded since the last time."""
    database: Database | None = source.database if isinstance(source, ReadSession) else source.info.get("database")
    if database is None:  # a writer, whose own changes nobody else sees yet
        return _load_reference_data(_session_of(source), view)
    kept: _CachedReferenceData | None = database.caches.get(CACHE_KEY)
    if kept is not None and kept.valid_from_seq <= view.seq <= kept.last_seen_seq:
        return kept.reference_data
    if view.as_of is not None:
        return _get_past_reference_data(database, source, view)
    if (
        kept is not None
        and view.seq > kept.last_seen_seq
        and _read_last_change(_session_of(source), view) == kept.valid_from_seq
    ):
        database.caches[CACHE_KEY] = replace(kept, last_seen_seq=view.seq)
        return kept.reference_data
    session = _session_of(source)
    found = _load_reference_data(session, view)
    if (
        kept is None or view.seq > kept.last_seen_seq
    ):  # a replica that lies behind must not undo what a newer read has kept
        database.caches[CACHE_KEY] = _CachedReferenceData(found, _read_last_change(session, view), view.seq)
    return found


def get_derived_cache(session: Session, view: Snapshot, words: ReferenceData, name: str, most: int) -> dict[Any, Any]:
    """What was made of `words` and of nothing else that changes: forgotten with them, or when it is more than `most`.

    A past state has no such memory.
    """
    database: Database | None = session.info.get("database")
    if database is None or view.as_of is not None:
        return {}
    kept: tuple[ReferenceData, dict[Any, Any]] | None = database.caches.get(name)
    if kept is None or kept[0] is not words or len(kept[1]) > most:
        kept = database.caches[name] = (words, {})
    return kept[1]


def _get_past_reference_data(database: Database, source: ReadSession | Session, view: Snapshot) -> ReferenceData:
    """A past state is final, so it is remembered by its number."""
    kept: dict[int, ReferenceData] = database.caches.get(f"past {CACHE_KEY}", {})
    found = kept.get(view.seq)
    if found is None:
        found = _load_reference_data(_session_of(source), view)
        # Replaced, not changed: other threads read it.
        database.caches[f"past {CACHE_KEY}"] = dict([*kept.items(), (view.seq, found)][-MAX_PAST_STATES:])
    return found


def _session_of(source: ReadSession | Session) -> Session:
    return source.session if isinstance(source, ReadSession) else source


def _read_last_change(session: Session, view: Snapshot) -> int:
    """The last change of any vocabulary in the view; 0 if there is none."""
    seq = columns_of(Change).seq
    last = select(seq).where(VOCABULARY_CHANGE, seq <= view.seq).order_by(seq.desc()).limit(1)
    return session.execute(last).scalar() or 0


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
