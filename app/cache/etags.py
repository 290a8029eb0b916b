"""Answers that a client may keep: strong ETags, 304 where it still has the same bytes (RFC 9110, 8.8 and 13.1)."""

import hashlib
import re


def digest(*parts: bytes) -> str:
    """A short name for exactly these bytes."""
    summed = hashlib.sha256()
    for part in parts:
        summed.update(part)
    return summed.hexdigest()[:24]


ENCODING_SUFFIX = re.compile(r'-(?:zstd|br|gzip)"$')
"""How the ETag of a compressed answer differs from that of the same answer as it is."""


def etag_matches(asked: str, etag: str) -> bool:
    """Whether `If-None-Match` names `etag`, in whatever encoding (weak comparison, as RFC 9110 asks for GET)."""
    return asked.strip() == "*" or etag in {
        ENCODING_SUFFIX.sub('"', tag.strip().removeprefix("W/")) for tag in asked.split(",")
    }
