"""How the figures of each topic stand, kept in memory: it changes only with a claim of its question, or with a word.

The list of topics sums up every question. What was found for one holds until something was recorded about its claims;
the change log tells about whose. Only what stands now is kept, and never what a writer sees before its commit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.topics.candidates import Asked, fetch_rows
from app.vocabulary.reference_data import ReferenceData

MAX_CHANGES_INSPECTED = 5_000
"""So many changes are looked through; after more of them everything is summed up anew."""

MAX_CACHED_POSITIONS = 20_000
"""So many positions in all: a summary names each that is left out of the spread, in about 300 bytes."""

CACHE_NAME = "summaries"

Summary = dict[str, Any]
QuestionKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _CachedSummary:
    """A summary, what it was made of, and the last state that it is known to hold for."""

    summary: Summary
    asked: Asked
    tolerance: float | None
    reference_data: ReferenceData
    today: date
    seq: int


class TopicSummaryCache:
    """The summaries of a view, each from memory where it still holds."""

    def __init__(self, session: Session, view: Snapshot, words: ReferenceData) -> None:
        database = session.info.get("database")
        self._entries: dict[str, _CachedSummary] | None = None
        if database is not None and view.as_of is None:
            self._entries = database.caches.setdefault(CACHE_NAME, {})
        self._session = session
        self._view = view
        self._reference_data = words
        self._changes_by_seq: dict[int, set[QuestionKey] | None] = {}

    def get_or_compute(
        self, slug: str, asked: Asked, tolerance: float | None, sum_up: Callable[[], Summary]
    ) -> Summary:
        """The summary of a question."""
        if self._entries is None:
            return sum_up()
        kept = self._entries.get(slug)
        if kept is not None and self._is_valid(kept, asked, tolerance):
            if kept.seq < self._view.seq:
                self._store(slug, replace(kept, seq=self._view.seq))
            return kept.summary
        summary = sum_up()
        self._store(
            slug, _CachedSummary(summary, asked, tolerance, self._reference_data, self._view.today, self._view.seq)
        )
        return summary

    def _is_valid(self, kept: _CachedSummary, asked: Asked, tolerance: float | None) -> bool:
        if (
            (kept.asked, kept.tolerance) != (asked, tolerance)
            or kept.reference_data is not self._reference_data
            or kept.today != self._view.today
        ):
            return False
        if kept.seq not in self._changes_by_seq:
            self._changes_by_seq[kept.seq] = self._read_changed_questions(kept.seq)
        changed = self._changes_by_seq[kept.seq]
        return changed is not None and not any(
            category in asked.categories and subject == asked.subject and place == asked.place
            for category, subject, place in changed
        )

    def _read_changed_questions(self, seq: int) -> set[QuestionKey] | None:
        """The questions of every claim that changed since, as it was and as it is; None where that is too much."""
        if not 0 <= self._view.seq - seq <= MAX_CHANGES_INSPECTED:
            return None
        changed = """
            SELECT DISTINCT c.category, c.subject, c.place FROM change h JOIN claim c ON c.id = h.claim
            WHERE h.seq > :since AND h.seq <= :now
        """
        rows = fetch_rows(self._session, changed, {"since": seq, "now": self._view.seq}) if seq < self._view.seq else []
        return {(category, subject, place) for category, subject, place in rows}

    def _store(self, slug: str, kept: _CachedSummary) -> None:
        if self._entries is None:
            return
        self._entries.pop(slug, None)
        self._entries[slug] = kept
        size = sum(len(each.summary["spread"]["left_out"]) + 1 for each in list(self._entries.values()))
        for oldest in list(self._entries):
            if size <= MAX_CACHED_POSITIONS:
                return
            gone = self._entries.pop(oldest, None)
            size -= len(gone.summary["spread"]["left_out"]) + 1 if gone else 0
