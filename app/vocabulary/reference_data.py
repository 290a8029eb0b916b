"""Vocabularies in memory: slugs, hierarchies, topics and names are asked for on every read and change once in a while.

What is remembered for a database holds for every state between the last change of a vocabulary and the last state that
was looked at; one index of the change log, which has nothing else in it, tells whether it holds for a later one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.comparison.hierarchy import Scheme, holders_of
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
from app.vocabulary.records import scheme

NAMED: dict[str, type[Version]] = {
    "source": SourceVersion,
    "category": CategoryVersion,
    "subject": SubjectVersion,
    "place": PlaceVersion,
}
"""The kinds whose names a search looks at."""

MOST_PAST = 8
"""So many past states are remembered: an export asks for one of them again and again."""

KEPT = "vocabulary"


@dataclass(frozen=True, slots=True)
class Named:
    """A source as far as claims show it."""

    slug: str
    name: str
    kind: str
    interest: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabularies of one state of the register."""

    slugs: Mapping[str, frozenset[str]]
    """Kind → every slug of it."""
    words: Mapping[str, Mapping[str, frozenset[str]]]
    """Kind → slug → the words of its name."""
    sources: Mapping[str, "Named"]
    """Slug → what is shown of a source."""
    holders: Mapping[str, str]
    """Source → the source whose position it holds, for those that speak for another."""
    topics: Mapping[str, Mapping[str, Any]]
    """Slug → the fields of the topic."""
    scheme: Scheme
    _below: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def below(self, kind: str, slug: str) -> frozenset[str]:
        """What lies below the category, subject or place `slug`, itself included."""
        found = self._below.get((kind, slug))
        if found is None:
            narrower = {
                "category": self.scheme.narrower_categories,
                "subject": self.scheme.narrower_subjects,
                "place": self.scheme.narrower_places,
            }
            found = self._below[kind, slug] = narrower[kind](slug)
        return found

    def called(self, kind: str, word: str) -> list[str]:
        """The slugs of a kind whose names have `word`."""
        return [slug for slug, words in self.words[kind].items() if word in words]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A vocabulary, and the states that it holds for: from `since` until `seen`. Never changed, only replaced."""

    vocabulary: Vocabulary
    since: int
    seen: int


def vocabulary(source: ReadSession | Session, view: Snapshot) -> Vocabulary:
    """The vocabularies of a view. Nothing is asked where nothing was recorded since the last time."""
    database: Database | None = source.database if isinstance(source, ReadSession) else source.info.get("database")
    if database is None:  # a writer, whose own changes nobody else sees yet
        return _read(_session(source), view)
    kept: _Kept | None = database.caches.get(KEPT)
    if kept is not None and kept.since <= view.seq <= kept.seen:
        return kept.vocabulary
    if view.as_of is not None:
        return _past(database, source, view)
    if kept is not None and view.seq > kept.seen and _last_change(_session(source), view) == kept.since:
        database.caches[KEPT] = replace(kept, seen=view.seq)
        return kept.vocabulary
    session = _session(source)
    found = _read(session, view)
    if kept is None or view.seq > kept.seen:  # a replica that lies behind must not undo what a newer read has kept
        database.caches[KEPT] = _Kept(found, _last_change(session, view), view.seq)
    return found


def remembered(session: Session, view: Snapshot, words: Vocabulary, name: str, most: int) -> dict[Any, Any]:
    """What was made of `words` and of nothing else that changes: forgotten with them, or when it is more than `most`.

    A past state has no such memory.
    """
    database: Database | None = session.info.get("database")
    if database is None or view.as_of is not None:
        return {}
    kept: tuple[Vocabulary, dict[Any, Any]] | None = database.caches.get(name)
    if kept is None or kept[0] is not words or len(kept[1]) > most:
        kept = database.caches[name] = (words, {})
    return kept[1]


def _past(database: Database, source: ReadSession | Session, view: Snapshot) -> Vocabulary:
    """A past state is final, so it is remembered by its number."""
    kept: dict[int, Vocabulary] = database.caches.get(f"past {KEPT}", {})
    found = kept.get(view.seq)
    if found is None:
        found = _read(_session(source), view)
        # Replaced, not changed: other threads read it.
        database.caches[f"past {KEPT}"] = dict([*kept.items(), (view.seq, found)][-MOST_PAST:])
    return found


def _session(source: ReadSession | Session) -> Session:
    return source.session if isinstance(source, ReadSession) else source


def _last_change(session: Session, view: Snapshot) -> int:
    """The last change of any vocabulary in the view; 0 if there is none."""
    seq = columns_of(Change).seq
    last = select(seq).where(VOCABULARY_CHANGE, seq <= view.seq).order_by(seq.desc()).limit(1)
    return session.execute(last).scalar() or 0


def _read(session: Session, view: Snapshot) -> Vocabulary:
    slugs: dict[str, frozenset[str]] = {}
    words: dict[str, dict[str, frozenset[str]]] = {}
    for kind, table in NAMED.items():
        columns = columns_of(table)
        rows = session.execute(select(columns.slug, columns.words).where(view.contains(table)))
        words[kind] = {slug: frozenset(some) for slug, some in rows}
        slugs[kind] = frozenset(words[kind])
    source, topic = columns_of(SourceVersion), columns_of(TopicVersion)
    shown = select(source.slug, source.name, source.kind, source.interest, source.speaks_for)
    sources = session.execute(shown.where(view.contains(SourceVersion))).all()
    topics = session.execute(select(*topic).where(view.contains(TopicVersion))).mappings()
    by_slug: dict[str, Mapping[str, Any]] = {row["slug"]: dict(row) for row in topics}
    return Vocabulary(
        slugs={**slugs, "topic": frozenset(by_slug)},
        words=words,
        sources={row.slug: Named(row.slug, row.name, row.kind.value, row.interest.value) for row in sources},
        holders=holders_of({row.slug: row.speaks_for for row in sources if row.speaks_for}),
        topics=by_slug,
        scheme=scheme(session, view),
    )
