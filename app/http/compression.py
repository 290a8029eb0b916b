"""Answers in fewer bytes: zstd, brotli or gzip, whichever the client takes (RFC 9110, 12.5.3)."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import brotli  # type: ignore[import-untyped] # it has no types
import zstandard

LEAST_BYTES = 1000
"""Below this a compressed answer fits no fewer packets."""

COMPRESSIBLE = ("text/", "application/json", "application/x-ndjson", "application/xml", "image/svg")


class Stream(Protocol):
    """Compresses an answer piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """What can be sent so far."""

    def flush(self) -> bytes:
        """The rest."""


class _Brotli:
    def __init__(self) -> None:
        self._compressor = brotli.Compressor(quality=4)

    def compress(self, data: bytes, /) -> bytes:
        made: bytes = self._compressor.process(data)
        return made

    def flush(self) -> bytes:
        made: bytes = self._compressor.finish()
        return made


STREAMS: dict[str, Callable[[], Stream]] = {
    "zstd": lambda: zstandard.ZstdCompressor(level=3).compressobj(),
    "br": _Brotli,
    "gzip": lambda: zlib.compressobj(5, wbits=31),
}
"""The encodings by preference: the fastest first, for they come out about as small."""


def compressed(encoding: str, body: bytes) -> bytes:
    """`body` in one piece."""
    stream = STREAMS[encoding]()
    return stream.compress(body) + stream.flush()


def worth_compressing(media_type: str, length: int) -> bool:
    """Whether an answer would become smaller. A stream of events must not wait in a compressor."""
    if length < LEAST_BYTES or media_type.startswith("text/event-stream"):
        return False
    return media_type.startswith(COMPRESSIBLE) or media_type.partition(";")[0].endswith(("+json", "+xml"))


@lru_cache(maxsize=256)
def chosen(accepted: str) -> str | None:
    """The best encoding that `Accept-Encoding` allows; none where the bytes are to be sent as they are."""
    qualities: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        try:
            qualities[name.strip()] = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            qualities[name.strip()] = 0.0
    weights = {encoding: qualities.get(encoding, qualities.get("*", 0.0)) for encoding in STREAMS}
    best = max(weights.values())
    return next(encoding for encoding in STREAMS if weights[encoding] == best) if best > 0 else None
