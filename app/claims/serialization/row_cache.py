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

from app.claims.serialization.projection import Written, write_claims
from app.database.engine import Database
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.serializers import NESTED_LAYOUT, RowLayout

OVERHEAD = 200
"""Bytes that a text takes beside itself, about."""

MOST_CHANGES = 200
"""After more changes than this they are not looked at one by one: everything is forgotten."""

SHARE = 2
"""Beside the memory for whole answers, half as much for claims."""

OF_A_CLAIM = ("claim", "citation", "assessment")
OF_NONE = ("subject", "place", "topic", "relation", "import")
ONCE_CHANGED = ("document", "source", "category")
"""A new one is in no text yet."""

Texts = dict[RowLayout, dict[int, Written]]
"""Layout → version of a claim → its text."""


def claims_as_text(
    reading: ReadSession, versions: Sequence[int], view: Snapshot, layout: RowLayout = NESTED_LAYOUT
) -> list[str]:
    """What `write_claims` gives, from memory as far as it is there."""
    kept = kept_for(reading.database)
    if view.as_of is not None or not kept.follow(reading, view.seq):
        return [each.text for each in write_claims(reading, versions, view, layout)]
    known = kept.get(versions, view, layout)
    missing = [version for version in versions if version not in known]
    if missing:
        found = dict(zip(missing, write_claims(reading, missing, view, layout), strict=True))
        kept.keep(found, view, layout)
        known |= found
    return [known[version].text for version in versions]


class Kept:
    """The texts that are true at `seq`, in two generations: when the young ones take their room, the old ones go."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.seq = 0
        self.hits = self.misses = 0
        self._lock = Lock()
        self._young: Texts = {}
        self._old: Texts = {}
        self._young_bytes = 0

    def follow(self, reading: ReadSession, seq: int) -> bool:
        """Move on to what a reader sees at `seq`. False where it sees less than others have seen already."""
        at = self.seq
        if not self.most_bytes:
            return False
        if at < seq:
            changed = _changed(reading, at, seq)
            with self._lock:
                if self.seq == at:  # else somebody else was faster
                    self._forget(changed)
                    self.seq = seq
        return self.seq == seq

    def get(self, versions: Sequence[int], view: Snapshot, layout: RowLayout) -> dict[int, Written]:
        """The texts that are there, and say the same in `view`."""
        with self._lock:
            if self.seq != view.seq:
                return {}
            young, old = self._young.get(layout, {}), self._old.get(layout, {})
            found: dict[int, Written] = {}
            again: dict[int, Written] = {}
            for version in versions:
                written = young.get(version)
                if written is None and (written := old.get(version)) is not None:
                    again[version] = written
                if written is not None and _says_the_same(written, view.known_on):
                    found[version] = written
            self.hits += len(found)
            self.misses += len(versions) - len(found)
            self._add(again, layout)
        return found

    def keep(self, found: dict[int, Written], view: Snapshot, layout: RowLayout) -> None:
        """Keep what was written, unless something changed meanwhile."""
        with self._lock:
            if self.seq == view.seq:
                same = {version: each for version, each in found.items() if _says_the_same(each, view.known_on)}
                self._add(same, layout)

    def _add(self, texts: dict[int, Written], layout: RowLayout) -> None:
        if not texts:
            return
        self._young.setdefault(layout, {}).update(texts)
        self._young_bytes += sum(OVERHEAD + getsizeof(each.text) for each in texts.values())
        if self._young_bytes > self.most_bytes // 2:
            self._old, self._young, self._young_bytes = self._young, {}, 0

    def _forget(self, changed: Sequence[int] | None) -> None:
        if changed is None:
            self._young, self._old, self._young_bytes = {}, {}, 0
            return
        for texts in (*self._young.values(), *self._old.values()):
            for version in changed:
                texts.pop(version, None)


def kept_for(database: Database) -> Kept:
    """The texts that are kept beside a database."""
    found: Kept | None = database.caches.get("written")
    if found is None:
        found = database.caches.setdefault("written", Kept(database.memory_bytes // SHARE))
    return found


def _says_the_same(written: Written, known_on: date | None) -> bool:
    """Whether a claim reads the same whatever was known: one that was not retracted, or before that day."""
    retracted = written.retracted_on
    return known_on is None or retracted is None or str(retracted) <= known_on.isoformat()


def _changed(reading: ReadSession, after: int, last: int) -> list[int] | None:
    """The versions of the claims whose texts changed; none where nobody can tell."""
    if last - after > MOST_CHANGES:
        return None
    rows = reading.fetch_rows(
        "SELECT change.kind, change.revision, claim.version FROM change "  # noqa: S608 - whole numbers
        "LEFT JOIN claim ON claim.id = change.claim AND claim.until_seq IS NULL "
        f"WHERE change.seq > {int(after)} AND change.seq <= {int(last)}"
    )
    changed = []
    for kind, revision, version in rows:
        if kind in OF_A_CLAIM and version is not None:
            changed.append(version)
        elif kind not in OF_NONE and not (kind in ONCE_CHANGED and revision == 1):
            return None
    return changed
