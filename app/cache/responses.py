"""The response cache: complete responses, evicted when a change affects them. Uses no request and no database."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import getsizeof

from app.cache.scope import CacheScope, FieldValues

RequestKey = tuple[str, bytes, str]
"""The cache key of a request: path, query, `Accept`."""

Header = tuple[bytes, bytes]

ENTRY_OVERHEAD_BYTES = 1_200
"""Size of an entry without what `size_bytes` adds up: its place in the dictionary, its key, its objects and scope."""

VALUE_BYTES = 120
"""Size of a value in a cache scope: the text, and its place in a set."""

HEADER_BYTES = getsizeof((b"", b"")) + 2 * getsizeof(b"") - len(b": \r\n")
"""Size of a header in a list without the length of its line."""

BODY_HEADERS = (
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"content-disposition",
    b"accept-ranges",
)
"""Headers that describe the body, which a 304 omits."""


def header_lines(headers: Iterable[Header]) -> bytes:
    """Return headers as the lines of a response of HTTP/1.1."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


@dataclass(slots=True)
class EncodedBody:
    """A body in one encoding, with its headers and the headers of a 304, each also as the lines of a response."""

    etag: str
    headers: list[Header]
    body: bytes
    not_modified_headers: list[Header] = field(init=False)
    lines: bytes = field(init=False)
    not_modified_lines: bytes = field(init=False)
    size_bytes: int = field(init=False)
    """Size in memory."""

    def __post_init__(self) -> None:
        """Derive what is the same for every request once."""
        self.not_modified_headers = [header for header in self.headers if header[0] not in BODY_HEADERS]
        self.lines = header_lines(self.headers)
        self.not_modified_lines = header_lines(self.not_modified_headers)
        parts = (self.body, self.lines, self.not_modified_lines, self.headers, self.not_modified_headers)
        self.size_bytes = sum(map(getsizeof, parts)) + len(self.headers) * HEADER_BYTES + len(self.lines)


@dataclass(slots=True)
class CachedResponse:
    """A cached response: its cache scope, and its body in each encoding that was requested."""

    cache_scope: CacheScope
    is_compressible: bool
    identity: EncodedBody
    serves_ranges: bool = False
    """Whether ranges of the body may be sent."""
    by_encoding: dict[str, EncodedBody] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Size in memory."""
        fields = self.cache_scope.field_values or {}
        values = sum(VALUE_BYTES * len(each) for each in fields.values())
        bodies = sum(each.size_bytes for each in (self.identity, *self.by_encoding.values()))
        return ENTRY_OVERHEAD_BYTES + values + bodies


@dataclass(frozen=True, slots=True)
class ChangeImpact:
    """The effect of a change on responses.

    `claim_fields` holds the fields of a claim that is new or has a new citation or assessment, without a field whose
    own value changed. Without `claim_fields`, `affects_no_claim` says that no response about claims changes; otherwise
    any response may change.
    """

    seq: int
    claim_fields: Mapping[str, str] | None = None
    affects_no_claim: bool = False

    def affects(self, field_values: FieldValues | None) -> bool:
        """Return whether the change may affect a response with these `field_values` in its cache scope."""
        if field_values is None:
            return True
        if self.claim_fields is None:
            return not self.affects_no_claim
        return all(
            name not in self.claim_fields or self.claim_fields[name] in values for name, values in field_values.items()
        )


class ResponseCache:
    """A cache of the responses that are valid at `seq`, with least-recently-used eviction by size."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self.seq = 0
        self.hits = self.misses = self.not_modified = self.invalidated = 0
        """Requests served from the cache, requests that were not, hits answered with a 304, and invalidated entries."""
        self._entries: OrderedDict[RequestKey, CachedResponse] = OrderedDict()

    @property
    def count(self) -> int:
        """The number of entries."""
        return len(self._entries)

    def get(self, key: RequestKey) -> CachedResponse | None:
        """Return the response for `key`, valid at `seq`, or None."""
        cached = self._entries.get(key)
        if cached is not None:
            self._entries.move_to_end(key)
        return cached

    def store(self, key: RequestKey, cached: CachedResponse) -> None:
        """Store a response, unless its state is before `seq` or it is larger than half of the cache."""
        if cached.cache_scope.seq < self.seq or cached.size_bytes > self.max_bytes // 2:
            return
        self.remove(key)
        self._entries[key] = cached
        self.add_bytes(key, cached, cached.size_bytes)

    def add_bytes(self, key: RequestKey, cached: CachedResponse, added_bytes: int) -> None:
        """Count a response as larger by `added_bytes` and evict others if necessary. Does nothing if it was evicted."""
        if self._entries.get(key) is not cached:
            return
        self.size_bytes += added_bytes
        while self.size_bytes > self.max_bytes and self._entries:
            self.remove(next(iter(self._entries)))

    def remove(self, key: RequestKey) -> None:
        """Evict the response for `key`, if there is one."""
        cached = self._entries.pop(key, None)
        if cached is not None:
            self.size_bytes -= cached.size_bytes

    def clear(self) -> None:
        """Evict all responses, and count them as invalidated."""
        self.invalidated += len(self._entries)
        self._entries.clear()
        self.size_bytes = 0

    def advance(self, seq: int, changes: Iterable[ChangeImpact]) -> None:
        """Advance the cache to `seq`: evict the responses that `changes` affect; the others remain valid."""
        changes = list(changes)
        stale = [
            key
            for key, cached in self._entries.items()
            if any(
                change.seq > cached.cache_scope.seq and change.affects(cached.cache_scope.field_values)
                for change in changes
            )
        ]
        for key in stale:
            self.remove(key)
        self.invalidated += len(stale)
        self.seq = seq
