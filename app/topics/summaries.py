"""A cache of topic summaries.

The list of topics needs the summary of every topic. A summary is valid until a claim of its question or the
vocabulary changes; the change log names the changed claims. Only summaries of the current state are cached, never
those that a write transaction reads before its commit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from threading import Lock
from typing import Any

from cachetools import LRUCache
from sqlmodel import Session

from app.claims.search.question_scope import QuestionScope
from app.comparison.question import Question
from app.database.cache_registry import CacheKey
from app.database.change_feed import changes_since
from app.database.engine import Database
from app.database.snapshot import Snapshot
from app.vocabulary.reference_data import ReferenceData

MAX_CHANGES_INSPECTED = 5_000
"""Maximum number of changes that are read to validate an entry; after more changes it is computed again."""

MAX_CACHED_SUMMARIES = 2_000
"""Maximum number of cached summaries. Each takes about two kilobytes."""

COMPUTING_LOCKS = 64
"""The number of locks that let each summary be computed by one request at a time; the others wait for it."""

Summary = dict[str, Any]
QuestionKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _CachedSummary:
    """A cached summary, the inputs that it was computed from, and the latest `seq` for which it is valid."""

    summary: Summary
    question: Question
    scope: QuestionScope
    tolerance: float | None
    reference_data: ReferenceData
    today: date
    seq: int


class _SummaryStore:
    """Stores the summaries of topics. Evicts the least recently used ones above `MAX_CACHED_SUMMARIES`."""

    def __init__(self) -> None:
        self._entries: LRUCache[str, _CachedSummary] = LRUCache(MAX_CACHED_SUMMARIES)
        self._lock = Lock()
        self._computing = [Lock() for _ in range(COMPUTING_LOCKS)]

    def computing(self, slug: str) -> Lock:
        """Return the lock that the computation of the summary of a topic holds."""
        return self._computing[hash(slug) % COMPUTING_LOCKS]

    def get(self, slug: str) -> _CachedSummary | None:
        """Return the entry of a topic, if there is one."""
        with self._lock:
            return self._entries.get(slug)

    def store(self, slug: str, entry: _CachedSummary) -> None:
        """Set the entry of a topic."""
        with self._lock:
            self._entries[slug] = entry


TOPIC_SUMMARIES = CacheKey("topic_summaries", lambda _database: _SummaryStore())


class TopicSummaryCache:
    """Returns the summaries of a snapshot, from the cache while they are valid."""

    def __init__(self, session: Session, snapshot: Snapshot, reference_data: ReferenceData) -> None:
        database: Database | None = session.info.get("database")
        self._entries = (
            None
            if database is None or snapshot.as_of is not None or snapshot.known_on is not None
            else database.caches[TOPIC_SUMMARIES]
        )
        self._session = session
        self._snapshot = snapshot
        self._reference_data = reference_data
        self._changes_by_seq: dict[int, set[QuestionKey] | None] = {}

    def get_or_compute(
        self,
        slug: str,
        question: Question,
        scope: QuestionScope,
        tolerance: float | None,
        compute: Callable[[], Summary],
    ) -> Summary:
        """Return the cached summary of a topic, or compute and store it."""
        if self._entries is None:
            return compute()
        entry = self._entries.get(slug)
        if entry is not None and self._is_valid(entry, question, scope, tolerance):
            if entry.seq < self._snapshot.seq:
                self._entries.store(slug, replace(entry, seq=self._snapshot.seq))
            return entry.summary
        with self._entries.computing(slug):
            # Another request may have computed it meanwhile.
            entry = self._entries.get(slug)
            if entry is not None and self._is_valid(entry, question, scope, tolerance):
                return entry.summary
            summary = compute()
            self._entries.store(
                slug,
                _CachedSummary(
                    summary, question, scope, tolerance, self._reference_data, self._snapshot.today, self._snapshot.seq
                ),
            )
        return summary

    def _is_valid(
        self, entry: _CachedSummary, question: Question, scope: QuestionScope, tolerance: float | None
    ) -> bool:
        if (
            (entry.question, entry.scope, entry.tolerance) != (question, scope, tolerance)
            or entry.reference_data is not self._reference_data
            or entry.today != self._snapshot.today
        ):
            return False
        if entry.seq not in self._changes_by_seq:
            self._changes_by_seq[entry.seq] = self._read_changed_questions(entry.seq)
        changed = self._changes_by_seq[entry.seq]
        return changed is not None and not any(
            category in scope.categories and subject in scope.subjects and place in scope.places
            for category, subject, place in changed
        )

    def _read_changed_questions(self, seq: int) -> set[QuestionKey] | None:
        """Return the old and new questions of all claims changed after `seq`; None if there are too many changes."""
        changes = changes_since(self._session, seq, self._snapshot.seq, MAX_CHANGES_INSPECTED)
        if changes is None:
            return None
        states = [fields for change in changes for fields in (change.fields, change.previous_fields) if fields]
        return {(fields["category"], fields["subject"], fields["place"]) for fields in states}
