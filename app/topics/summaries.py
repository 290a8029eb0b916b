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
from app.topics.candidates import Asked, read
from app.vocabulary.reference_data import ReferenceData

MOST_CHANGES = 5_000
"""So many changes are looked through; after more of them everything is summed up anew."""

MOST_KEPT = 20_000
"""So many positions in all: a summary names each that is left out of the spread, in about 300 bytes."""

KEPT = "summaries"

Summary = dict[str, Any]
Question = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A summary, what it was made of, and the last state that it is known to hold for."""

    summary: Summary
    asked: Asked
    tolerance: float | None
    words: ReferenceData
    today: date
    seq: int


class Summaries:
    """The summaries of a view, each from memory where it still holds."""

    def __init__(self, session: Session, view: Snapshot, words: ReferenceData) -> None:
        database = session.info.get("database")
        self._kept: dict[str, _Kept] | None = None
        if database is not None and view.as_of is None:
            self._kept = database.caches.setdefault(KEPT, {})
        self._session = session
        self._view = view
        self._words = words
        self._changed: dict[int, set[Question] | None] = {}

    def of(self, slug: str, asked: Asked, tolerance: float | None, sum_up: Callable[[], Summary]) -> Summary:
        """The summary of a question."""
        if self._kept is None:
            return sum_up()
        kept = self._kept.get(slug)
        if kept is not None and self._holds(kept, asked, tolerance):
            if kept.seq < self._view.seq:
                self._keep(slug, replace(kept, seq=self._view.seq))
            return kept.summary
        summary = sum_up()
        self._keep(slug, _Kept(summary, asked, tolerance, self._words, self._view.today, self._view.seq))
        return summary

    def _holds(self, kept: _Kept, asked: Asked, tolerance: float | None) -> bool:
        if (
            (kept.asked, kept.tolerance) != (asked, tolerance)
            or kept.words is not self._words
            or kept.today != self._view.today
        ):
            return False
        if kept.seq not in self._changed:
            self._changed[kept.seq] = self._changed_since(kept.seq)
        changed = self._changed[kept.seq]
        return changed is not None and not any(
            category in asked.categories and subject == asked.subject and place == asked.place
            for category, subject, place in changed
        )

    def _changed_since(self, seq: int) -> set[Question] | None:
        """The questions of every claim that changed since, as it was and as it is; None where that is too much."""
        if not 0 <= self._view.seq - seq <= MOST_CHANGES:
            return None
        changed = """
            SELECT DISTINCT c.category, c.subject, c.place FROM change h JOIN claim c ON c.id = h.claim
            WHERE h.seq > :since AND h.seq <= :now
        """
        rows = read(self._session, changed, {"since": seq, "now": self._view.seq}) if seq < self._view.seq else []
        return {(category, subject, place) for category, subject, place in rows}

    def _keep(self, slug: str, kept: _Kept) -> None:
        if self._kept is None:
            return
        self._kept.pop(slug, None)
        self._kept[slug] = kept
        size = sum(len(each.summary["spread"]["left_out"]) + 1 for each in list(self._kept.values()))
        for oldest in list(self._kept):
            if size <= MOST_KEPT:
                return
            gone = self._kept.pop(oldest, None)
            size -= len(gone.summary["spread"]["left_out"]) + 1 if gone else 0
