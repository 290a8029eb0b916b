"""The files behind a given path: itself, those of a folder or those of a ZIP archive, unpacked within limits."""

import gzip
import hashlib
import io
import lzma
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final, Protocol

from app.imports.readers.options import FileFormat, FileRefused, Limits, shown

CHUNK: Final = 1 << 18
"""Bytes that are read at a time."""
DIRECTORY: Final = 64 << 20
"""Bytes of an archive's list of members, which Python reads at once."""
SUFFIXES: Final = {
    ".csv": FileFormat.csv,
    ".tsv": FileFormat.tsv,
    ".txt": FileFormat.csv,
    ".json": FileFormat.json,
    ".ndjson": FileFormat.ndjson,
    ".jsonl": FileFormat.ndjson,
    ".yaml": FileFormat.yaml,
    ".yml": FileFormat.yaml,
    ".xlsx": FileFormat.xlsx,
}
PACKED: Final = (".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".tar.gz")
FAULTS: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What Python raises for broken gzip and ZIP files. A RuntimeError is an encrypted member."""
GZIP: Final = b"\x1f\x8b"
ZIP: Final = b"PK\x03\x04"
ZIPS: Final = (ZIP, b"PK\x05\x06")


def format_of(name: str) -> FileFormat | None:
    """The format that the ending of `name` says."""
    return SUFFIXES.get(Path(name.lower().removesuffix(".gz")).suffix)


class Meter:
    """Counts what a reading unpacks, and ends it at the limits."""

    def __init__(self, limits: Limits, packed: int) -> None:
        self.limits = limits
        self.packed = max(packed, 1)
        self.unpacked = 0

    def add(self, count: int, name: str) -> None:
        """Count `count` unpacked bytes."""
        self.unpacked += count
        if self.unpacked > self.limits.unpacked:
            raise FileRefused(f"unpacks to more than {self.limits.unpacked:,} bytes", file=name)
        if self.unpacked > self.limits.ratio_from and self.unpacked > self.packed * self.limits.ratio:
            raise FileRefused(f"unpacks to more than {self.limits.ratio:,} times its size", file=name)


class Packed(io.BufferedReader):
    """A file as it is stored: says how far it was read, and reads no unlimited piece at once."""

    def __init__(self, path: Path, name: str, told: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._name = name
        self._told = told
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """As `BufferedReader.read`; raises FileRefused for more than an archive's directory may have."""
        at = self.tell()
        left = max(self._size - at, 0)
        if (left if size is None or size < 0 else min(size, left)) > DIRECTORY:
            raise FileRefused("the archive's list of files is too long", file=self._name)
        data = super().read(size)
        self._told(at + len(data))
        return data


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        ...


class Stream:
    """The bytes of one file, unpacked; raises FileRefused where they break off or grow too many."""

    def __init__(self, inner: Readable, name: str, meter: Meter | None) -> None:
        self._inner = inner
        self._meter = meter
        self.name = name

    def read(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes; none at the end."""
        try:
            data = self._inner.read(size)
        except FAULTS as fault:
            raise FileRefused(f"cannot be unpacked or read: {fault}", file=self.name) from fault
        if self._meter is not None:
            self._meter.add(len(data), self.name)
        return data


@dataclass(frozen=True, slots=True)
class Member:
    """One file to read, under the name that its rows carry."""

    name: str
    size: int
    stored: Callable[[], BinaryIO]
    """Opens the bytes as they are given, or as the archive holds them."""
    packed: bool
    """Whether they come out of an archive."""

    def begins(self) -> bytes:
        """The first bytes as stored."""
        try:
            with self.stored() as stored:
                return stored.read(4)
        except FAULTS as fault:
            raise FileRefused(f"cannot be read: {fault}", file=self.name) from fault

    def opened(self, meter: Meter, stack: ExitStack) -> Stream:
        """The unpacked bytes, until `stack` is closed; `meter` counts them if they were packed."""
        try:
            inner: IO[bytes] = stack.enter_context(self.stored())
            gzipped = inner.read(len(GZIP)) == GZIP
            inner.seek(0)
        except FAULTS as fault:
            raise FileRefused(f"cannot be read: {fault}", file=self.name) from fault
        if gzipped:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=inner))
            return Stream(unpacked, self.name, meter)
        return Stream(inner, self.name, meter if self.packed else None)

    def seekable(self, meter: Meter, stack: ExitStack) -> IO[bytes]:
        """The bytes as a file to seek in: itself, or a temporary copy of what is packed."""
        if not self.packed and self.begins()[:2] != GZIP:
            return stack.enter_context(self.stored())
        copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        stream = self.opened(meter, stack)
        while data := stream.read():
            copy.write(data)
        copy.seek(0)
        return copy


@dataclass(frozen=True, slots=True)
class Given:
    """A given path: its members, and what identifies its bytes."""

    members: list[Member]
    sha256: str
    bytes: int


def given(path: Path, name: str, limits: Limits, told: Callable[[int], None], stack: ExitStack) -> Given:
    """What there is to read behind `path`, until `stack` is closed.

    `told` hears how many stored bytes were read. Raises FileRefused.
    """
    try:
        if path.is_dir():
            return _folder(path, name, limits, told)
        _regular(path, name)
        whole = Member(name, path.stat().st_size, lambda: Packed(path, name, told), packed=False)
        if path.stat().st_size and _is_archive(path, name):
            return Given(_archived(path, name, limits, told, stack), _digest(path), whole.size)
        return Given([whole], _digest(path), whole.size)
    except OSError as fault:
        raise FileRefused(f"cannot be read: {fault.strerror or fault}", file=name) from fault


def size_of(path: Path) -> int:
    """Bytes behind `path`, for a progress bar; 0 if it cannot be read."""
    try:
        if path.is_dir():
            return sum(inner.stat().st_size for inner in _inside(path))
        return path.stat().st_size
    except OSError:
        return 0


def _regular(path: Path, name: str) -> None:
    """Refuse pipes and devices, whose reading may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise FileRefused("is neither a file nor a folder", file=name)


def _digest(path: Path) -> str:
    with path.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()


def _inside(folder: Path) -> Iterator[Path]:
    """The files of known formats in `folder`, at any depth, in order of their names."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    yield from (paths[name] for name in _of_data(paths) if paths[name].is_file())


def _of_data(names: Iterable[str]) -> list[str]:
    """Those of `names` to read, sorted: none hidden, and no `.txt` beside data, as it is a note or a licence there."""
    known = [
        name
        for name in sorted(names)
        if format_of(name) and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    return [name for name in known if not name.lower().endswith((".txt", ".txt.gz"))] or known


def _folder(path: Path, name: str, limits: Limits, told: Callable[[int], None]) -> Given:
    members: list[Member] = []
    read = 0
    for inner in _inside(path):
        if len(members) == limits.members:
            raise FileRefused(f"holds more than {limits.members:,} files", file=name)
        inner_name = f"{name}/{inner.relative_to(path).as_posix()}"
        size = inner.stat().st_size
        members.append(Member(inner_name, size, _opener(inner, inner_name, told, read), packed=False))
        read += size
    if not members:
        raise FileRefused("holds no file of a known format", file=name, hint=_known())
    digests = sorted(_digest(inner) for inner in _inside(path))
    return Given(members, hashlib.sha256("".join(digests).encode()).hexdigest(), read)


def _opener(path: Path, name: str, told: Callable[[int], None], before: int) -> Callable[[], BinaryIO]:
    return lambda: Packed(path, name, lambda at: told(before + at))


def _known() -> str:
    return "known endings are " + ", ".join(SUFFIXES)


def _is_archive(path: Path, name: str) -> bool:
    """Whether `path` is a ZIP archive of files, and not a workbook, which is a ZIP archive too."""
    if name.lower().endswith(".zip"):
        return True
    if format_of(name) is not None:
        return False
    with path.open("rb") as stored:
        if stored.read(4) not in ZIPS:
            return False
    return not _is_workbook(path, name)


def _is_workbook(path: Path, name: str) -> bool:
    try:
        with Packed(path, name, lambda _at: None) as stored, zipfile.ZipFile(stored) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except FAULTS:
        return False


def _archived(path: Path, name: str, limits: Limits, told: Callable[[int], None], stack: ExitStack) -> list[Member]:
    try:
        archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(Packed(path, name, told))))
    except (*FAULTS, ValueError) as fault:
        raise FileRefused(f"is not a ZIP archive that can be read: {fault}", file=name) from fault
    entries = archive.infolist()
    if len(entries) > limits.members:
        raise FileRefused(f"holds more than {limits.members:,} files", file=name)
    by_name: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        _check_entry(entry, name)
        if by_name.setdefault(entry.filename, entry) is not entry:
            raise FileRefused(f"holds {shown(entry.filename)} twice", file=name)
    wanted = _of_data(inner for inner, entry in by_name.items() if not entry.is_dir())
    if not wanted:
        raise FileRefused("holds no file of a known format", file=name, hint=_known())
    return [
        Member(f"{name}/{inner}", by_name[inner].compress_size, _unzipper(archive, by_name[inner]), packed=True)
        for inner in wanted
    ]


def _unzipper(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: archive.open(entry)  # type: ignore[return-value] # it is a BufferedIOBase


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    """Refuse what has no place in an archive of data: ways out of it, links, secrets and archives in archives."""
    inner = entry.orig_filename
    parts = inner.replace("\\", "/").split("/")
    if "\0" in inner or "\\" in inner or inner.startswith("/") or ".." in parts or ":" in parts[0]:
        raise FileRefused(f"holds a name that leads out of it: {shown(inner)}", file=name)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise FileRefused(f"holds a link: {shown(inner)}", file=name)
    if entry.flag_bits & 0x1:
        raise FileRefused(f"is encrypted: {shown(inner)}", file=name)
    if inner.lower().endswith(PACKED):
        raise FileRefused(f"holds another archive: {shown(inner)}", file=name, hint="unpack it first")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise FileRefused(f"is packed in an unusual way: {shown(inner)}", file=name, hint="pack it with Deflate")
