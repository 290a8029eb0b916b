"""Whole answers, kept until something changes that they speak of. Plain data: no request, no database."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.cache.scope import CacheScope, FieldValues

RequestKey = tuple[str, bytes, str]
"""What was asked: path, query, `Accept`."""

Header = tuple[bytes, bytes]

ENTRY_OVERHEAD_BYTES = 2_000
"""Bytes that an entry takes beside its body, about."""


BODY_HEADERS = (b"content-length", b"content-type", b"content-encoding", b"content-disposition")
"""Headers that an answer without a body has no use for."""


@dataclass(slots=True)
class EncodedBody:
    """A body as it is sent, in one encoding, with the headers that go with it, and those of a 304 in its place."""

    etag: str
    headers: list[Header]
    body: bytes
    not_modified_headers: list[Header] = field(init=False)

    def __post_init__(self) -> None:
        """Those of a 304 are the same each time."""
        self.not_modified_headers = [each for each in self.headers if each[0] not in BODY_HEADERS]


@dataclass(slots=True)
class CachedResponse:
    """An answer: the state that it shows, the claims that it speaks of, and its bytes in each encoding asked for."""

    cache_scope: CacheScope
    is_compressible: bool
    identity: EncodedBody
    by_encoding: dict[str, EncodedBody] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes in memory."""
        return ENTRY_OVERHEAD_BYTES + sum(len(sent.body) for sent in (self.identity, *self.by_encoding.values()))


@dataclass(frozen=True, slots=True)
class ChangeImpact:
    """A change, as far as answers depend on it.

    `claim_fields` holds the fields of a claim that is new or has a new citation or assessment, without a field whose
    own value changed. Without `claim_fields`, `affects_no_claim` says that no response about claims changes; otherwise
    any response may change.
    """

    seq: int
    claim_fields: Mapping[str, str] | None = None
    affects_no_claim: bool = False

    def affects(self, about: FieldValues | None) -> bool:
        """Whether an answer about these claims may be another one after it."""
        if about is None:
            return True
        if self.claim_fields is None:
            return not self.affects_no_claim
        return all(name not in self.claim_fields or self.claim_fields[name] in words for name, words in about.items())


class ResponseCache:
    """The answers that are true at `seq`. Those asked for longest ago are forgotten first."""

    def __init__(self, most_bytes: int) -> None:
        self.max_bytes = most_bytes
        self.size_bytes = 0
        self.seq = 0
        self.hits = self.misses = self.not_modified = self.invalidated = 0
        """Answers sent from here, those that had to be made, the 304s among the former, and those made untrue."""
        self._entries: OrderedDict[RequestKey, CachedResponse] = OrderedDict()

    @property
    def count(self) -> int:
        """How many answers are kept."""
        return len(self._entries)

    def get(self, key: RequestKey) -> CachedResponse | None:
        """The answer to `key`, true at `seq`."""
        kept = self._entries.get(key)
        if kept is not None:
            self._entries.move_to_end(key)
        return kept

    def store(self, key: RequestKey, kept: CachedResponse) -> None:
        """Keep an answer, unless it shows an earlier state than is known, or takes half of the room."""
        if kept.cache_scope.seq < self.seq or kept.size_bytes > self.max_bytes // 2:
            return
        self.remove(key)
        self._entries[key] = kept
        self.add_bytes(key, kept, kept.size_bytes)

    def add_bytes(self, key: RequestKey, kept: CachedResponse, by: int) -> None:
        """An answer takes `by` bytes more: make room, unless it was forgotten meanwhile."""
        if self._entries.get(key) is not kept:
            return
        self.size_bytes += by
        while self.size_bytes > self.max_bytes and self._entries:
            self.remove(next(iter(self._entries)))

    def remove(self, key: RequestKey) -> None:
        """Forget one answer, if it is there."""
        kept = self._entries.pop(key, None)
        if kept is not None:
            self.size_bytes -= kept.size_bytes

    def clear(self) -> None:
        """Forget everything."""
        self.invalidated += len(self._entries)
        self._entries.clear()
        self.size_bytes = 0

    def advance(self, seq: int, changes: Iterable[ChangeImpact]) -> None:
        """The register moved to `seq` by `changes`: forget what they touch, the rest is true there as well."""
        changes = list(changes)
        stale = [
            key
            for key, kept in self._entries.items()
            if any(
                change.seq > kept.cache_scope.seq and change.affects(kept.cache_scope.field_values)
                for change in changes
            )
        ]
        for key in stale:
            self.remove(key)
        self.invalidated += len(stale)
        self.seq = seq
