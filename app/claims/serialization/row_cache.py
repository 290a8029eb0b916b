"""Claims as they were written last. Most claims of a page were on another page a moment ago, whatever was asked there.

What a claim says rests on its own version, its citations and assessments, and on documents, sources and categories. The
texts kept here are true at one `seq`. A read that shows a later state looks, in its own transaction, at the changes in
between: they make the texts of their claims untrue, or all, or none. A read of an earlier or past state asks the
database.
"""

from collections.abc import Sequence
from datetime import date
from sys import getsizeof
from threading import Lock

from app.claims.change_scope import CLAIM_RECORD_KINDS
from app.claims.serialization.projection import RenderedClaim, render_claims
from app.database.cache_registry import CacheKey, LookupMetric, declare_lookup_metric
from app.database.change_feed import ChangeEntry, changes_since
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.serializers import NESTED_LAYOUT, RowLayout

ENTRY_OVERHEAD_BYTES = 200
"""Bytes that a text takes beside itself, about."""

MAX_ADVANCED_CHANGES = 200
"""After more changes than this they are not looked at one by one: everything is forgotten."""

RESPONSE_CACHE_SHARE = 2
"""Beside the memory for whole answers, half as much for claims."""

UNRELATED_KINDS = ("subject", "place", "topic", "relation", "import")
REFERENCED_KINDS = ("document", "source", "category")
"""A new one is in no text yet."""

RowsByLayout = dict[RowLayout, dict[int, RenderedClaim]]
"""Layout → version of a claim → its text."""


def get_or_render_claims(
    reading: ReadSession, versions: Sequence[int], view: Snapshot, layout: RowLayout = NESTED_LAYOUT
) -> list[str]:
    """What `write_claims` gives, from memory as far as it is there."""
    kept = reading.database.caches[CLAIM_ROWS]
    if view.as_of is not None or not kept.advance_to(reading, view.seq):
        return [each.text for each in render_claims(reading, versions, view, layout)]
    known = kept.get(versions, view, layout)
    missing = [version for version in versions if version not in known]
    if missing:
        found = dict(zip(missing, render_claims(reading, missing, view, layout), strict=True))
        kept.store(found, view, layout)
        known |= found
    return [known[version].text for version in versions]


class ClaimRowCache:
    """The texts that are true at `seq`, in two generations: when the young ones take their room, the old ones go."""

    def __init__(self, most_bytes: int) -> None:
        self.max_bytes = most_bytes
        self.seq = 0
        self.hits = self.misses = 0
        self._lock = Lock()
        self._young: RowsByLayout = {}
        self._old: RowsByLayout = {}
        self._young_bytes = 0

    def advance_to(self, reading: ReadSession, seq: int) -> bool:
        """Move on to what a reader sees at `seq`. False where it sees less than others have seen already."""
        at = self.seq
        if not self.max_bytes:
            return False
        if at < seq:
            self.apply(changes_since(reading, at, seq, MAX_ADVANCED_CHANGES), at, seq)
        return self.seq == seq

    def apply(self, changes: Sequence[ChangeEntry] | None, after: int, until: int) -> None:
        """Evict what the changes after `after` affect (None: everything), unless another thread has done it."""
        versions = None if changes is None else _find_changed_versions(changes)
        with self._lock:
            if self.seq == after:
                self._evict(versions)
                self.seq = until

    def get(self, versions: Sequence[int], view: Snapshot, layout: RowLayout) -> dict[int, RenderedClaim]:
        """The texts that are there, and say the same in `view`."""
        with self._lock:
            if self.seq != view.seq:
                return {}
            young, old = self._young.get(layout, {}), self._old.get(layout, {})
            found: dict[int, RenderedClaim] = {}
            again: dict[int, RenderedClaim] = {}
            for version in versions:
                written = young.get(version)
                if written is None and (written := old.get(version)) is not None:
                    again[version] = written
                if written is not None and _is_unaffected_by(written, view.known_on):
                    found[version] = written
            self.hits += len(found)
            self.misses += len(versions) - len(found)
            self._add(again, layout)
        return found

    def store(self, found: dict[int, RenderedClaim], view: Snapshot, layout: RowLayout) -> None:
        """Keep what was written, unless something changed meanwhile."""
        with self._lock:
            if self.seq == view.seq:
                same = {version: each for version, each in found.items() if _is_unaffected_by(each, view.known_on)}
                self._add(same, layout)

    def _add(self, texts: dict[int, RenderedClaim], layout: RowLayout) -> None:
        if not texts:
            return
        self._young.setdefault(layout, {}).update(texts)
        self._young_bytes += sum(ENTRY_OVERHEAD_BYTES + getsizeof(each.text) for each in texts.values())
        if self._young_bytes > self.max_bytes // 2:
            self._old, self._young, self._young_bytes = self._young, {}, 0

    def _evict(self, changed: Sequence[int] | None) -> None:
        if changed is None:
            self._young, self._old, self._young_bytes = {}, {}, 0
            return
        for texts in (*self._young.values(), *self._old.values()):
            for version in changed:
                texts.pop(version, None)


CLAIM_ROWS = CacheKey("claim_rows", lambda database: ClaimRowCache(database.memory_bytes // RESPONSE_CACHE_SHARE))
declare_lookup_metric(CLAIM_ROWS, LookupMetric("counterclaim_claim_row_cache", "Claims of responses"))


def _is_unaffected_by(written: RenderedClaim, known_on: date | None) -> bool:
    """Whether a claim reads the same whatever was known: one that was not retracted, or before that day."""
    retracted = written.retracted_on
    return known_on is None or retracted is None or str(retracted) <= known_on.isoformat()


def _find_changed_versions(changes: Sequence[ChangeEntry]) -> list[int] | None:
    """Return the versions of the claims whose texts changed, or None if any text may have changed."""
    versions = []
    for change in changes:
        if change.kind in CLAIM_RECORD_KINDS and change.claim_version is not None:
            versions.append(change.claim_version)
        elif change.kind not in UNRELATED_KINDS and not (change.kind in REFERENCED_KINDS and change.revision == 1):
            return None
    return versions
