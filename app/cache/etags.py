"""Strong ETags, and their comparison with `If-Match` and `If-None-Match` (RFC 9110, sections 8.8 and 13.1)."""

import hashlib
import re
from typing import Final

ANY_TAG: Final = "*"
"""The value of a condition that every existing representation meets."""

_TAG: Final = r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"'
_TAG_PATTERN: Final = re.compile(_TAG)
_TAG_LIST_PATTERN: Final = re.compile(
    rf"[ \t,]*{_TAG}[ \t]*(?:,[ \t]*(?:{_TAG.replace('?P<weak>', '').replace('?P<opaque>', '')})?[ \t]*)*"
)
ENCODINGS: Final = frozenset({"zstd", "br", "gzip"})
"""The ETag of a compressed response ends with one of them, after a hyphen."""


def digest(*parts: bytes) -> str:
    """Return the first 24 hexadecimal digits of the SHA-256 of these bytes."""
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part)
    return sha256.hexdigest()[:24]


def build_etag(media_type: str, body: bytes, prefix: str = "") -> str:
    """Return the ETag of an uncompressed representation; `prefix` begins it."""
    return f'"{prefix}{digest(media_type.encode(), body)}"'


def encoded_etag(etag: str, encoding: str) -> str:
    """Return the ETag of a compressed representation; a strong ETag must differ by encoding."""
    return f'{etag[:-1]}-{encoding}"'


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Return whether `If-None-Match` includes `etag` (weak comparison, RFC 9110, section 13.1.2)."""
    if if_none_match.strip() == ANY_TAG:
        return True
    return etag in if_none_match and etag[1:-1] in {opaque for _, opaque in _read_tags(if_none_match)}


def strong_tags(if_match: str) -> list[str]:
    """Return the tags of `If-Match` that can match, without quotes and without the suffix of an encoding.

    It compares strongly (RFC 9110, section 13.1.1), so weak tags never match. Neither do values without quotes.
    """
    return [_without_encoding(opaque) for weak, opaque in _read_tags(if_match) if not weak]


def _without_encoding(opaque: str) -> str:
    base, _, encoding = opaque.rpartition("-")
    return base if encoding in ENCODINGS else opaque


def _read_tags(condition: str) -> list[tuple[str, str]]:
    """Return the tags of a list, each as its mark of weakness and its text; none if the list is malformed."""
    return _TAG_PATTERN.findall(condition) if _TAG_LIST_PATTERN.fullmatch(condition) else []
