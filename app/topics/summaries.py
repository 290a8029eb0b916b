"""How the figures of each topic stand, kept in memory: it changes only with a claim of its question, or with a word.

The list of topics sums up every question. What was found for one holds until something was recorded about its claims;
the change log tells about whose. Only what stands now is kept, and never what a writer sees before its commit.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from threading import Lock
from typing import Any

from cachetools import LRUCache
from sqlmodel import Session

from app.comparison.question import Question
from app.database.cache_registry import CacheKey
from app.database.change_feed import changes_since
from app.database.engine import Database
from app.database.snapshot import Snapshot
from app.vocabulary.reference_data import ReferenceData

MAX_CHANGES_INSPECTED = 5_000
"""So many changes are looked through; after more of them everything is summed up anew."""

MAX_CACHED_POSITIONS = 20_000
"""So many positions in all: a summary names each that is left out of the spread, in about 300 bytes."""

Summary = dict[str, Any]
QuestionKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _CachedSummary:
    """A summary, what it was made of, and the last state that it is known to hold for."""

    summary: Summary
    question: Question
    tolerance: float | None
    reference_data: ReferenceData
    today: date
    seq: int


class _SummaryStore:
    """The summaries of all topics, the ones used last, with at most `MAX_CACHED_POSITIONS` in all."""

    def __init__(self) -> None:
        self._entries: LRUCache[str, _CachedSummary] = LRUCache(MAX_CACHED_POSITIONS, getsizeof=_count_positions)
        self._lock = Lock()

    def get(self, slug: str) -> _CachedSummary | None:
        """Return the summary of a topic."""
        with self._lock:
            return self._entries.get(slug)

    def store(self, slug: str, summary: _CachedSummary) -> None:
        """Set the summary of a topic, unless it is larger than the whole store."""
        with self._lock, suppress(ValueError):
            self._entries.pop(slug, None)
            self._entries[slug] = summary


def _count_positions(cached: _CachedSummary) -> int:
    return len(cached.summary["spread"]["left_out"]) + 1


TOPIC_SUMMARIES = CacheKey("topic_summaries", lambda _database: _SummaryStore())


class TopicSummaryCache:
    """The summaries of a view, each from memory where it still holds."""

    def __init__(self, session: Session, view: Snapshot, words: ReferenceData) -> None:
        database: Database | None = session.info.get("database")
        self._entries = None if database is None or view.as_of is not None else database.caches[TOPIC_SUMMARIES]
        self._session = session
        self._view = view
        self._reference_data = words
        self._changes_by_seq: dict[int, set[QuestionKey] | None] = {}

    def get_or_compute(
        self,
        slug: str,
        question: Question,
        categories: Sequence[str],
        tolerance: float | None,
        sum_up: Callable[[], Summary],
    ) -> Summary:
        """The summary of a question."""
        if self._entries is None:
            return sum_up()
        kept = self._entries.get(slug)
        if kept is not None and self._is_valid(kept, question, categories, tolerance):
            if kept.seq < self._view.seq:
                self._entries.store(slug, replace(kept, seq=self._view.seq))
            return kept.summary
        summary = sum_up()
        self._entries.store(
            slug, _CachedSummary(summary, question, tolerance, self._reference_data, self._view.today, self._view.seq)
        )
        return summary

    def _is_valid(
        self, kept: _CachedSummary, question: Question, categories: Sequence[str], tolerance: float | None
    ) -> bool:
        if (
            (kept.question, kept.tolerance) != (question, tolerance)
            or kept.reference_data is not self._reference_data
            or kept.today != self._view.today
        ):
            return False
        if kept.seq not in self._changes_by_seq:
            self._changes_by_seq[kept.seq] = self._read_changed_questions(kept.seq)
        changed = self._changes_by_seq[kept.seq]
        return changed is not None and not any(
            category in categories and subject == question.subject and place == question.place
            for category, subject, place in changed
        )

    def _read_changed_questions(self, seq: int) -> set[QuestionKey] | None:
        """Return the questions of every claim that changed since `seq`, before and after; None if that is too much."""
        changes = changes_since(self._session, seq, self._view.seq, MAX_CHANGES_INSPECTED)
        if changes is None:
            return None
        states = [fields for change in changes for fields in (change.fields, change.previous_fields) if fields]
        return {(fields["category"], fields["subject"], fields["place"]) for fields in states}
