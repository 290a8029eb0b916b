"""Range requests (RFC 9110, section 14): which bytes of a file a request asks for."""

import re
from dataclasses import dataclass

from app.errors import RangeNotSatisfiable

ACCEPT_RANGES = "Accept-Ranges"

_UNIT = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=(.*)", re.DOTALL)
_RANGE = re.compile(r"[ \t]*(?:(?P<first>\d{1,19})-(?P<last>\d{1,19})?|-(?P<suffix>\d{1,19}))[ \t]*")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` to `end` (exclusive) of a file of `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """The header `Content-Range` of the response."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def choose_range(range_: str | None, if_range: str | None, etag: str, size: int) -> ByteRange | None:
    """Return the bytes that a request asks for, or None for the whole file.

    A range is not served if `If-Range` names another representation, or a date: files have no `Last-Modified`. Of
    several ranges none is served, which a server may choose (RFC 9110, section 14.2).

    Args:
        range_: The header `Range`.
        if_range: The header `If-Range`.
        etag: The strong ETag of the file.
        size: The size of the file in bytes.

    Raises:
        RangeNotSatisfiable: The range is malformed, or begins after the end of the file.
    """
    unit = None if range_ is None else _UNIT.fullmatch(range_)
    is_bytes = unit is not None and unit[1].lower() == "bytes"
    if range_ is None or (unit is not None and not is_bytes) or (if_range is not None and if_range.strip() != etag):
        return None
    ranges = [_RANGE.fullmatch(text) for text in unit[2].split(",")] if unit is not None else [None]
    if any(found is None for found in ranges):
        raise _not_satisfiable(f"`Range: {range_[:80]}` is malformed.", size)
    if len(ranges) > 1 or (found := ranges[0]) is None:
        return None
    if found["suffix"] is not None:
        start, end = max(size - int(found["suffix"]), 0), size
    else:
        start = int(found["first"])
        last = found["last"]
        if last is not None and int(last) < start:
            raise _not_satisfiable(f"`Range: {range_[:80]}` ends before it starts.", size)
        end = size if last is None else min(int(last) + 1, size)
    if start >= end:
        raise _not_satisfiable(f"The file has {size} bytes, and none in the range.", size)
    return ByteRange(start, end, size)


def _not_satisfiable(detail: str, size: int) -> RangeNotSatisfiable:
    headers = {"Content-Range": f"bytes */{size}", ACCEPT_RANGES: "bytes"}
    return RangeNotSatisfiable(detail, hint=f"ask for bytes from 0 to {max(size - 1, 0)}", headers=headers)
