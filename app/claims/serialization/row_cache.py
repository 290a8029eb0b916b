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

from app.claims.serialization.projection import RenderedClaim, render_claims
from app.database.engine import Database
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.serializers import NESTED_LAYOUT, RowLayout

ENTRY_OVERHEAD_BYTES = 200
"""Bytes that a text takes beside itself, about."""

MAX_ADVANCED_CHANGES = 200
"""After more changes than this they are not looked at one by one: everything is forgotten."""

RESPONSE_CACHE_SHARE = 2
"""Beside the memory for whole answers, half as much for claims."""

CLAIM_RECORD_KINDS = ("claim", "citation", "assessment")
UNRELATED_KINDS = ("subject", "place", "topic", "relation", "import")
REFERENCED_KINDS = ("document", "source", "category")
"""A new one is in no text yet."""

RowsByLayout = dict[RowLayout, dict[int, RenderedClaim]]
"""Layout → version of a claim → its text."""


def get_or_render_claims(
    reading: ReadSession, versions: Sequence[int], view: Snapshot, layout: RowLayout = NESTED_LAYOUT
) -> list[str]:
    """What `write_claims` gives, from memory as far as it is there."""
    kept = get_claim_row_cache(reading.database)
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
            changed = _find_changed_versions(reading, at, seq)
            with self._lock:
                if self.seq == at:  # else somebody else was faster
                    self._evict(changed)
                    self.seq = seq
        return self.seq == seq

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


def get_claim_row_cache(database: Database) -> ClaimRowCache:
    """The texts that are kept beside a database."""
    found: ClaimRowCache | None = database.caches.get("written")
    if found is None:
        found = database.caches.setdefault("written", ClaimRowCache(database.memory_bytes // RESPONSE_CACHE_SHARE))
    return found


def _is_unaffected_by(written: RenderedClaim, known_on: date | None) -> bool:
    """Whether a claim reads the same whatever was known: one that was not retracted, or before that day."""
    retracted = written.retracted_on
    return known_on is None or retracted is None or str(retracted) <= known_on.isoformat()


def _find_changed_versions(reading: ReadSession, after: int, last: int) -> list[int] | None:
    """The versions of the claims whose texts changed; none where nobody can tell."""
    if last - after > MAX_ADVANCED_CHANGES:
        return None
    rows = reading.fetch_rows(
        "SELECT change.kind, change.revision, claim.version FROM change "  # noqa: S608 - whole numbers
        "LEFT JOIN claim ON claim.id = change.claim AND claim.until_seq IS NULL "
        f"WHERE change.seq > {int(after)} AND change.seq <= {int(last)}"
    )
    changed = []
    for kind, revision, version in rows:
        if kind in CLAIM_RECORD_KINDS and version is not None:
            changed.append(version)
        elif kind not in UNRELATED_KINDS and not (kind in REFERENCED_KINDS and revision == 1):
            return None
    return changed
