"""Answers in fewer bytes: zstd, brotli or gzip, whichever the client takes (RFC 9110, 12.5.3)."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import brotli  # type: ignore[import-untyped] # it has no types
import zstandard

MIN_COMPRESSIBLE_BYTES = 1000
"""Below this a compressed answer fits no fewer packets."""

COMPRESSIBLE_TYPES = ("text/", "application/json", "application/x-ndjson", "application/xml", "image/svg")


class CompressionStream(Protocol):
    """Compresses an answer piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """What can be sent so far."""

    def flush(self) -> bytes:
        """The rest."""


class _BrotliStream:
    def __init__(self) -> None:
        self._compressor = brotli.Compressor(quality=4)

    def compress(self, data: bytes, /) -> bytes:
        made: bytes = self._compressor.process(data)
        return made

    def flush(self) -> bytes:
        made: bytes = self._compressor.finish()
        return made


COMPRESSION_STREAMS: dict[str, Callable[[], CompressionStream]] = {
    "zstd": lambda: zstandard.ZstdCompressor(level=3).compressobj(),
    "br": _BrotliStream,
    "gzip": lambda: zlib.compressobj(5, wbits=31),
}
"""The encodings by preference: the fastest first, for they come out about as small."""


def compress(encoding: str, body: bytes) -> bytes:
    """`body` in one piece."""
    stream = COMPRESSION_STREAMS[encoding]()
    return stream.compress(body) + stream.flush()


def is_compressible(media_type: str, length: int) -> bool:
    """Whether an answer would become smaller. A stream of events must not wait in a compressor."""
    if length < MIN_COMPRESSIBLE_BYTES or media_type.startswith("text/event-stream"):
        return False
    return media_type.startswith(COMPRESSIBLE_TYPES) or media_type.partition(";")[0].endswith(("+json", "+xml"))


@lru_cache(maxsize=256)
def choose_encoding(accepted: str) -> str | None:
    """The best encoding that `Accept-Encoding` allows; none where the bytes are to be sent as they are."""
    qualities: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        try:
            qualities[name.strip()] = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            qualities[name.strip()] = 0.0
    weights = {encoding: qualities.get(encoding, qualities.get("*", 0.0)) for encoding in COMPRESSION_STREAMS}
    best = max(weights.values())
    return next(encoding for encoding in COMPRESSION_STREAMS if weights[encoding] == best) if best > 0 else None
