"""Cache of claims rendered as JSON, keyed by layout and version. Most claims of a new page are already in it.

A rendered claim depends on its version, citations and assessments, and on documents, sources,
categories and subjects. A claim
that a later one superseded is not cached, because it depends on that claim too. All entries are valid at one `seq`. A
read at a later `seq` first reads, in its own transaction, the changes in between, and evicts the claims that they
affect, or all. A read at an earlier `seq` or of a past state bypasses the cache.
"""

from collections.abc import Sequence
from datetime import date
from sys import getsizeof
from threading import Lock

from app.claims.change_scope import CLAIM_RECORD_KINDS, superseded_version
from app.claims.serialization.projection import RenderedClaim, render_claims
from app.database.cache_registry import CacheKey, LookupMetric, declare_lookup_metric
from app.database.change_feed import ChangeEntry, changes_since
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.serializers import NESTED_LAYOUT, RowLayout

ENTRY_OVERHEAD_BYTES = 200
"""Approximate memory of an entry in addition to its text."""

MAX_ADVANCED_CHANGES = 200
"""Maximum number of changes that are read one by one. After more of them the cache is cleared."""

MEMORY_SHARE = 4
"""The memory of the caches divided by the size of this cache. The rest is for responses."""

UNRELATED_KINDS = ("place", "topic", "relation", "import")
"""The kinds of records with no fields in a rendered claim."""

REFERENCED_KINDS = ("document", "source")
"""The kinds of records that claims refer to by an existing id or slug. A new one is not yet in any rendered claim.

A new subject or category may have the slug that a figure is relative to.
"""

RowsByLayout = dict[RowLayout, dict[int, RenderedClaim]]
"""Layout → version → rendered claim."""


def get_or_render_claims(
    reading: ReadSession, versions: Sequence[int], snapshot: Snapshot, layout: RowLayout = NESTED_LAYOUT
) -> list[str]:
    """Return the claims of these versions as JSON, from the cache where possible, otherwise from the database."""
    row_cache = reading.database.caches[CLAIM_ROWS]
    if snapshot.as_of is not None or not row_cache.advance_to(reading, snapshot.seq):
        return [claim.text for claim in render_claims(reading, versions, snapshot, layout)]
    claims = row_cache.get(versions, snapshot, layout)
    missing = [version for version in versions if version not in claims]
    if missing:
        rendered = dict(zip(missing, render_claims(reading, missing, snapshot, layout), strict=True))
        row_cache.store(rendered, snapshot, layout)
        claims |= rendered
    return [claims[version].text for version in versions]


class ClaimRowCache:
    """The rendered claims that are valid at `seq`, in two generations: a full young one replaces the old one."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.seq = 0
        self.hits = self.misses = 0
        self._lock = Lock()
        self._young: RowsByLayout = {}
        self._old: RowsByLayout = {}
        self._young_bytes = 0

    def advance_to(self, reading: ReadSession, seq: int) -> bool:
        """Apply the changes up to `seq`. Return False if the cache is disabled or already past `seq`."""
        current_seq = self.seq
        if not self.max_bytes:
            return False
        if current_seq < seq:
            self.apply(changes_since(reading, current_seq, seq, MAX_ADVANCED_CHANGES), current_seq, seq)
        return self.seq == seq

    def apply(self, changes: Sequence[ChangeEntry] | None, after: int, until: int) -> None:
        """Evict what the changes after `after` affect (None: everything), unless another thread has done it."""
        versions = None if changes is None else _find_changed_versions(changes)
        with self._lock:
            if self.seq == after:
                self._evict(versions)
                self.seq = until

    def get(self, versions: Sequence[int], snapshot: Snapshot, layout: RowLayout) -> dict[int, RenderedClaim]:
        """Return the cached claims that are valid in `snapshot`."""
        with self._lock:
            if self.seq != snapshot.seq:
                return {}
            young, old = self._young.get(layout, {}), self._old.get(layout, {})
            hits: dict[int, RenderedClaim] = {}
            promoted: dict[int, RenderedClaim] = {}
            for version in versions:
                claim = young.get(version)
                if claim is None and (claim := old.get(version)) is not None:
                    promoted[version] = claim
                if claim is not None and _is_unaffected_by(claim, snapshot.known_on):
                    hits[version] = claim
            self.hits += len(hits)
            self.misses += len(versions) - len(hits)
            self._add(promoted, layout)
        return hits

    def store(self, claims: dict[int, RenderedClaim], snapshot: Snapshot, layout: RowLayout) -> None:
        """Store rendered claims, unless the cache has advanced past `snapshot`."""
        with self._lock:
            if self.seq == snapshot.seq:
                unaffected = {
                    version: claim for version, claim in claims.items() if _is_unaffected_by(claim, snapshot.known_on)
                }
                self._add(unaffected, layout)

    def _add(self, claims: dict[int, RenderedClaim], layout: RowLayout) -> None:
        if not claims:
            return
        self._young.setdefault(layout, {}).update(claims)
        self._young_bytes += sum(ENTRY_OVERHEAD_BYTES + getsizeof(claim.text) for claim in claims.values())
        if self._young_bytes > self.max_bytes // 2:
            self._old, self._young, self._young_bytes = self._young, {}, 0

    def _evict(self, changed: Sequence[int] | None) -> None:
        if changed is None:
            self._young, self._old, self._young_bytes = {}, {}, 0
            return
        for claims in (*self._young.values(), *self._old.values()):
            for version in changed:
                claims.pop(version, None)


CLAIM_ROWS = CacheKey("claim_rows", lambda database: ClaimRowCache(database.memory_bytes // MEMORY_SHARE))
declare_lookup_metric(CLAIM_ROWS, LookupMetric("counterclaim_claim_row_cache", "Claims of responses"))


def _is_unaffected_by(claim: RenderedClaim, known_on: date | None) -> bool:
    """Return whether the text depends only on the claim, and `known_on` changes nothing.

    The text of a superseded claim depends on later claims too, and which of several citations leads on the day. Without
    either, `known_on` changes nothing if the claim was not retracted, or not after that day.
    """
    if claim.superseded is not None or (known_on is not None and claim.lead is not None):
        return False
    retracted_on = claim.retracted_on
    return known_on is None or retracted_on is None or str(retracted_on) <= known_on.isoformat()


def _find_changed_versions(changes: Sequence[ChangeEntry]) -> list[int] | None:
    """Return the versions of the claims that changed, or None if any claim may have changed."""
    versions = []
    for change in changes:
        if change.kind in CLAIM_RECORD_KINDS and change.claim_version is not None:
            versions.append(change.claim_version)
        elif (version := superseded_version(change)) is not None:
            versions.append(version)
        elif change.kind not in UNRELATED_KINDS and not (change.kind in REFERENCED_KINDS and change.revision == 1):
            return None
    return versions
