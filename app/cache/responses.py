"""Whole answers, kept until something changes that they speak of. Plain data: no request, no database."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.cache.scope import About, Basis

Key = tuple[str, bytes, str]
"""What was asked: path, query, `Accept`."""

Header = tuple[bytes, bytes]

OVERHEAD = 2_000
"""Bytes that an entry takes beside its body, about."""


OF_THE_BODY = (b"content-length", b"content-type", b"content-encoding", b"content-disposition")
"""Headers that an answer without a body has no use for."""


@dataclass(slots=True)
class Sent:
    """A body as it is sent, in one encoding, with the headers that go with it, and those of a 304 in its place."""

    etag: str
    headers: list[Header]
    body: bytes
    unchanged: list[Header] = field(init=False)

    def __post_init__(self) -> None:
        """Those of a 304 are the same each time."""
        self.unchanged = [each for each in self.headers if each[0] not in OF_THE_BODY]


@dataclass(slots=True)
class Kept:
    """An answer: the state that it shows, the claims that it speaks of, and its bytes in each encoding asked for."""

    basis: Basis
    compressible: bool
    plain: Sent
    encoded: dict[str, Sent] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return OVERHEAD + sum(len(sent.body) for sent in (self.plain, *self.encoded.values()))


@dataclass(frozen=True, slots=True)
class Changed:
    """A change, as far as answers depend on it.

    `claim` has the fields of the claim that is new, or has a new citation or assessment; a field that changed itself is
    not among them. Without `claim` and with `alone` nothing changed that an answer about claims could show; otherwise
    anything may have.
    """

    seq: int
    claim: dict[str, str] | None = None
    alone: bool = False

    def touches(self, about: About | None) -> bool:
        """Whether an answer about these claims may be another one after it."""
        if about is None:
            return True
        if self.claim is None:
            return not self.alone
        return all(name not in self.claim or self.claim[name] in words for name, words in about.items())


class Memory:
    """The answers that are true at `seq`. Those asked for longest ago are forgotten first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.seq = 0
        self.hits = self.misses = self.unchanged = self.forgotten = 0
        """Answers sent from here, those that had to be made, the 304s among the former, and those made untrue."""
        self._answers: OrderedDict[Key, Kept] = OrderedDict()

    @property
    def count(self) -> int:
        """How many answers are kept."""
        return len(self._answers)

    def get(self, key: Key) -> Kept | None:
        """The answer to `key`, true at `seq`."""
        kept = self._answers.get(key)
        if kept is not None:
            self._answers.move_to_end(key)
        return kept

    def keep(self, key: Key, kept: Kept) -> None:
        """Keep an answer, unless it shows an earlier state than is known, or takes half of the room."""
        if kept.basis.seq < self.seq or kept.size > self.most_bytes // 2:
            return
        self.forget(key)
        self._answers[key] = kept
        self.grown(key, kept, kept.size)

    def grown(self, key: Key, kept: Kept, by: int) -> None:
        """An answer takes `by` bytes more: make room, unless it was forgotten meanwhile."""
        if self._answers.get(key) is not kept:
            return
        self.bytes += by
        while self.bytes > self.most_bytes and self._answers:
            self.forget(next(iter(self._answers)))

    def forget(self, key: Key) -> None:
        """Forget one answer, if it is there."""
        kept = self._answers.pop(key, None)
        if kept is not None:
            self.bytes -= kept.size

    def clear(self) -> None:
        """Forget everything."""
        self.forgotten += len(self._answers)
        self._answers.clear()
        self.bytes = 0

    def advance(self, seq: int, changes: Iterable[Changed]) -> None:
        """The register moved to `seq` by `changes`: forget what they touch, the rest is true there as well."""
        changes = list(changes)
        stale = [
            key
            for key, kept in self._answers.items()
            if any(change.seq > kept.basis.seq and change.touches(kept.basis.about) for change in changes)
        ]
        for key in stale:
            self.forget(key)
        self.forgotten += len(stale)
        self.seq = seq
