"""Strong ETags, and their comparison with `If-None-Match` (RFC 9110, sections 8.8 and 13.1)."""

import hashlib
import re


def digest(*parts: bytes) -> str:
    """Return the first 24 hexadecimal digits of the SHA-256 of these bytes."""
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part)
    return sha256.hexdigest()[:24]


ENCODING_SUFFIX = re.compile(r'-(?:zstd|br|gzip)"$')
"""The suffix that the ETag of a compressed response has and that of the uncompressed response lacks."""


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Return whether `If-None-Match` includes `etag`, in any encoding (weak comparison, RFC 9110, section 13.1.2)."""
    return if_none_match.strip() == "*" or etag in {
        ENCODING_SUFFIX.sub('"', tag.strip().removeprefix("W/")) for tag in if_none_match.split(",")
    }
