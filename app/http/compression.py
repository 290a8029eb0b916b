"""Compression of responses with zstd, brotli or gzip, selected by `Accept-Encoding` (RFC 9110, section 12.5.3)."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import brotli  # type: ignore[import-untyped] # it has no types
import zstandard

from app.http.accept import parse_quality_values

MIN_COMPRESSIBLE_BYTES = 1000
"""A smaller response fits into one packet without compression."""

COMPRESSIBLE_TYPES = ("text/", "application/json", "application/x-ndjson", "application/xml", "image/svg")


class CompressionStream(Protocol):
    """An incremental compressor of a response body."""

    def compress(self, data: bytes, /) -> bytes:
        """Return the compressed bytes that are ready."""

    def flush(self) -> bytes:
        """Return the remaining compressed bytes, and end the stream."""


class _BrotliStream:
    def __init__(self) -> None:
        self._compressor = brotli.Compressor(quality=4)

    def compress(self, data: bytes, /) -> bytes:
        compressed: bytes = self._compressor.process(data)
        return compressed

    def flush(self) -> bytes:
        compressed: bytes = self._compressor.finish()
        return compressed


COMPRESSION_STREAMS: dict[str, Callable[[], CompressionStream]] = {
    "zstd": lambda: zstandard.ZstdCompressor(level=3).compressobj(),
    "br": _BrotliStream,
    "gzip": lambda: zlib.compressobj(5, wbits=31),
}
"""The encodings by preference: the fastest first, since the compressed sizes are similar."""


def compress(encoding: str, body: bytes) -> bytes:
    """Return the compressed `body`."""
    stream = COMPRESSION_STREAMS[encoding]()
    return stream.compress(body) + stream.flush()


def is_compressible(media_type: str, length: int) -> bool:
    """Return whether to compress a response. Event streams are excluded, since a compressor would buffer events."""
    if length < MIN_COMPRESSIBLE_BYTES or media_type.startswith("text/event-stream"):
        return False
    return media_type.startswith(COMPRESSIBLE_TYPES) or media_type.partition(";")[0].endswith(("+json", "+xml"))


@lru_cache(maxsize=256)
def choose_encoding(accept_encoding: str) -> str | None:
    """Return the preferred encoding that `Accept-Encoding` allows, or None to send the body uncompressed."""
    qualities = parse_quality_values(accept_encoding)
    if "x-gzip" in qualities:  # an alias (RFC 9110, section 8.4.1.3)
        qualities.setdefault("gzip", qualities["x-gzip"])
    weights = {encoding: qualities.get(encoding, qualities.get("*", 0.0)) for encoding in COMPRESSION_STREAMS}
    best = max(weights.values())
    return next(encoding for encoding in COMPRESSION_STREAMS if weights[encoding] == best) if best > 0 else None
