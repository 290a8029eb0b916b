"""ZIP archives that are written from start to end, with the same bytes for the same content."""

import struct
import zlib
from dataclasses import dataclass, field

MAX_BYTES = 2**32 - 1
"""The maximum size of a member without the ZIP64 extension."""

_DOS_TIME, _DOS_DATE = 0, 0x21
"""1 January 1980, the earliest date: the time of writing would make the bytes differ."""

_FLAGS = 0x0808
"""The sizes follow the data of a member, and names are UTF-8."""

_DEFLATED = 8
_VERSION, _VERSION_ZIP64 = 20, 45


class MemberTooLarge(Exception):
    """A member has more bytes than an archive without the ZIP64 extension can hold."""


@dataclass(slots=True)
class _Member:
    name: bytes
    offset: int
    crc: int = 0
    size: int = 0
    compressed_size: int = 0


@dataclass(slots=True)
class ZipStream:
    """Writer of a ZIP archive. Each method returns the next bytes of the archive; nothing is read or sought.

    With `zip64`, members may have any size. Old versions of Excel report such workbooks as damaged.
    """

    zip64: bool = False
    level: int = 6
    _members: list[_Member] = field(default_factory=list)
    _offset: int = 0
    _compressor: "zlib._Compress" = field(default_factory=zlib.compressobj)

    def begin(self, name: str) -> bytes:
        """Begin a member."""
        member = _Member(name.encode(), self._offset)
        self._members.append(member)
        self._compressor = zlib.compressobj(self.level, zlib.DEFLATED, -15)
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if self.zip64 else b""
        size = MAX_BYTES if self.zip64 else 0
        fields = (_FLAGS, _DEFLATED, _DOS_TIME, _DOS_DATE, 0, size, size, len(member.name), len(extra))
        return self._count(struct.pack("<4s5H3I2H", b"PK\x03\x04", self._version, *fields) + member.name + extra)

    def write(self, data: bytes) -> bytes:
        """Add data to the member. May return nothing yet."""
        member = self._members[-1]
        member.crc = zlib.crc32(data, member.crc)
        member.size += len(data)
        if member.size > MAX_BYTES and not self.zip64:
            raise MemberTooLarge(member.name.decode())
        return self._compressed(self._compressor.compress(data))

    def end(self) -> bytes:
        """End the member."""
        rest = self._compressed(self._compressor.flush())
        member = self._members[-1]
        form = "<4sIQQ" if self.zip64 else "<4s3I"
        sizes = (member.crc, member.compressed_size, member.size)
        return rest + self._count(struct.pack(form, b"PK\x07\x08", *sizes))

    def add(self, name: str, data: bytes) -> bytes:
        """Add a whole member."""
        return self.begin(name) + self.write(data) + self.end()

    def finish(self) -> bytes:
        """Return the directory, which ends the archive."""
        directory = b"".join(map(self._directory_entry, self._members))
        start, count = self._offset, len(self._members)
        end = b""
        if self.zip64:
            fields = (44, _VERSION_ZIP64, _VERSION_ZIP64, 0, 0, count, count, len(directory), start)
            end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", *fields)
            end += struct.pack("<4sIQI", b"PK\x06\x07", 0, start + len(directory), 1)
            start = MAX_BYTES
        return directory + end + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)

    @property
    def _version(self) -> int:
        return _VERSION_ZIP64 if self.zip64 else _VERSION

    def _directory_entry(self, member: _Member) -> bytes:
        sizes, offset, extra = (member.compressed_size, member.size), member.offset, b""
        if self.zip64:
            extra = struct.pack("<HHQQQ", 1, 24, member.size, member.compressed_size, member.offset)
            sizes, offset = (MAX_BYTES, MAX_BYTES), MAX_BYTES
        head = (self._version, self._version, _FLAGS, _DEFLATED, _DOS_TIME, _DOS_DATE, member.crc, *sizes)
        rest = (len(member.name), len(extra), 0, 0, 0, 0, offset)
        return struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *head, *rest) + member.name + extra

    def _compressed(self, data: bytes) -> bytes:
        self._members[-1].compressed_size += len(data)
        return self._count(data)

    def _count(self, data: bytes) -> bytes:
        self._offset += len(data)
        return data
