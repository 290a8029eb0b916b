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

from app.imports.readers.options import FileFormat, FileRefused, ReadLimits, quote_text

CHUNK_BYTES: Final = 1 << 18
"""Bytes that are read at a time."""
MAX_DIRECTORY_BYTES: Final = 64 << 20
"""Bytes of an archive's list of members, which Python reads at once."""
FORMAT_OF_SUFFIX: Final = {
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
ARCHIVE_SUFFIXES: Final = (".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".tar.gz")
UNPACKING_ERRORS: Final = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)
"""What Python raises for broken gzip and ZIP files. A RuntimeError is an encrypted member."""
GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGIC: Final = b"PK\x03\x04"
ZIP_MAGICS: Final = (ZIP_MAGIC, b"PK\x05\x06")


def format_of_name(name: str) -> FileFormat | None:
    """The format that the ending of `name` says."""
    return FORMAT_OF_SUFFIX.get(Path(name.lower().removesuffix(".gz")).suffix)


class UnpackingMeter:
    """Counts what a reading unpacks, and ends it at the limits."""

    def __init__(self, limits: ReadLimits, packed: int) -> None:
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


class StoredFile(io.BufferedReader):
    """A file as it is stored: says how far it was read, and reads no unlimited piece at once."""

    def __init__(self, path: Path, name: str, told: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._name = name
        self._report_position = told
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """As `BufferedReader.read`; raises FileRefused for more than an archive's directory may have."""
        at = self.tell()
        left = max(self._size - at, 0)
        if (left if size is None or size < 0 else min(size, left)) > MAX_DIRECTORY_BYTES:
            raise FileRefused("the archive's list of files is too long", file=self._name)
        data = super().read(size)
        self._report_position(at + len(data))
        return data


class ByteReader(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        ...


class UnpackedStream:
    """The bytes of one file, unpacked; raises FileRefused where they break off or grow too many."""

    def __init__(self, inner: ByteReader, name: str, meter: UnpackingMeter | None) -> None:
        self._inner = inner
        self._meter = meter
        self.name = name

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Up to `size` bytes; none at the end."""
        try:
            data = self._inner.read(size)
        except UNPACKING_ERRORS as fault:
            raise FileRefused(f"cannot be unpacked or read: {fault}", file=self.name) from fault
        if self._meter is not None:
            self._meter.add(len(data), self.name)
        return data


@dataclass(frozen=True, slots=True)
class Member:
    """One file to read, under the name that its rows carry."""

    name: str
    size: int
    open_stored: Callable[[], BinaryIO]
    """Opens the bytes as they are given, or as the archive holds them."""
    is_packed: bool
    """Whether they come out of an archive."""

    def read_magic(self) -> bytes:
        """The first bytes as stored."""
        try:
            with self.open_stored() as stored:
                return stored.read(4)
        except UNPACKING_ERRORS as fault:
            raise FileRefused(f"cannot be read: {fault}", file=self.name) from fault

    def open_stream(self, meter: UnpackingMeter, stack: ExitStack) -> UnpackedStream:
        """The unpacked bytes, until `stack` is closed; `meter` counts them if they were packed."""
        try:
            inner: IO[bytes] = stack.enter_context(self.open_stored())
            gzipped = inner.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            inner.seek(0)
        except UNPACKING_ERRORS as fault:
            raise FileRefused(f"cannot be read: {fault}", file=self.name) from fault
        if gzipped:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=inner))
            return UnpackedStream(unpacked, self.name, meter)
        return UnpackedStream(inner, self.name, meter if self.is_packed else None)

    def open_seekable(self, meter: UnpackingMeter, stack: ExitStack) -> IO[bytes]:
        """The bytes as a file to seek in: itself, or a temporary copy of what is packed."""
        if not self.is_packed and self.read_magic()[:2] != GZIP_MAGIC:
            return stack.enter_context(self.open_stored())
        copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        stream = self.open_stream(meter, stack)
        while data := stream.read():
            copy.write(data)
        copy.seek(0)
        return copy


@dataclass(frozen=True, slots=True)
class InputPath:
    """A given path: its members, and what identifies its bytes."""

    members: list[Member]
    sha256: str
    bytes: int


def open_path(path: Path, name: str, limits: ReadLimits, told: Callable[[int], None], stack: ExitStack) -> InputPath:
    """What there is to read behind `path`, until `stack` is closed.

    `told` hears how many stored bytes were read. Raises FileRefused.
    """
    try:
        if path.is_dir():
            return _open_folder(path, name, limits, told)
        _check_regular_file(path, name)
        whole = Member(name, path.stat().st_size, lambda: StoredFile(path, name, told), is_packed=False)
        if path.stat().st_size and _is_archive(path, name):
            return InputPath(_archive_members(path, name, limits, told, stack), _sha256_of(path), whole.size)
        return InputPath([whole], _sha256_of(path), whole.size)
    except OSError as fault:
        raise FileRefused(f"cannot be read: {fault.strerror or fault}", file=name) from fault


def stored_size(path: Path) -> int:
    """Bytes behind `path`, for a progress bar; 0 if it cannot be read."""
    try:
        if path.is_dir():
            return sum(inner.stat().st_size for inner in _data_files(path))
        return path.stat().st_size
    except OSError:
        return 0


def _check_regular_file(path: Path, name: str) -> None:
    """Refuse pipes and devices, whose reading may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise FileRefused("is neither a file nor a folder", file=name)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()


def _data_files(folder: Path) -> Iterator[Path]:
    """The files of known formats in `folder`, at any depth, in order of their names."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    yield from (paths[name] for name in _data_names(paths) if paths[name].is_file())


def _data_names(names: Iterable[str]) -> list[str]:
    """Those of `names` to read, sorted: none hidden, and no `.txt` beside data, as it is a note or a licence there."""
    known = [
        name
        for name in sorted(names)
        if format_of_name(name) and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    return [name for name in known if not name.lower().endswith((".txt", ".txt.gz"))] or known


def _open_folder(path: Path, name: str, limits: ReadLimits, told: Callable[[int], None]) -> InputPath:
    members: list[Member] = []
    read = 0
    for inner in _data_files(path):
        if len(members) == limits.members:
            raise FileRefused(f"holds more than {limits.members:,} files", file=name)
        inner_name = f"{name}/{inner.relative_to(path).as_posix()}"
        size = inner.stat().st_size
        members.append(Member(inner_name, size, _file_opener(inner, inner_name, told, read), is_packed=False))
        read += size
    if not members:
        raise FileRefused("holds no file of a known format", file=name, hint=_known_suffixes())
    digests = sorted(_sha256_of(inner) for inner in _data_files(path))
    return InputPath(members, hashlib.sha256("".join(digests).encode()).hexdigest(), read)


def _file_opener(path: Path, name: str, told: Callable[[int], None], before: int) -> Callable[[], BinaryIO]:
    return lambda: StoredFile(path, name, lambda at: told(before + at))


def _known_suffixes() -> str:
    return "known endings are " + ", ".join(FORMAT_OF_SUFFIX)


def _is_archive(path: Path, name: str) -> bool:
    """Whether `path` is a ZIP archive of files, and not a workbook, which is a ZIP archive too."""
    if name.lower().endswith(".zip"):
        return True
    if format_of_name(name) is not None:
        return False
    with path.open("rb") as stored:
        if stored.read(4) not in ZIP_MAGICS:
            return False
    return not _is_workbook(path, name)


def _is_workbook(path: Path, name: str) -> bool:
    try:
        with StoredFile(path, name, lambda _at: None) as stored, zipfile.ZipFile(stored) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except UNPACKING_ERRORS:
        return False


def _archive_members(
    path: Path, name: str, limits: ReadLimits, told: Callable[[int], None], stack: ExitStack
) -> list[Member]:
    try:
        archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(StoredFile(path, name, told))))
    except (*UNPACKING_ERRORS, ValueError) as fault:
        raise FileRefused(f"is not a ZIP archive that can be read: {fault}", file=name) from fault
    entries = archive.infolist()
    if len(entries) > limits.members:
        raise FileRefused(f"holds more than {limits.members:,} files", file=name)
    by_name: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        _check_entry(entry, name)
        if by_name.setdefault(entry.filename, entry) is not entry:
            raise FileRefused(f"holds {quote_text(entry.filename)} twice", file=name)
    wanted = _data_names(inner for inner, entry in by_name.items() if not entry.is_dir())
    if not wanted:
        raise FileRefused("holds no file of a known format", file=name, hint=_known_suffixes())
    return [
        Member(f"{name}/{inner}", by_name[inner].compress_size, _entry_opener(archive, by_name[inner]), is_packed=True)
        for inner in wanted
    ]


def _entry_opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: archive.open(entry)  # type: ignore[return-value] # it is a BufferedIOBase


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    """Refuse what has no place in an archive of data: ways out of it, links, secrets and archives in archives."""
    inner = entry.orig_filename
    parts = inner.replace("\\", "/").split("/")
    if "\0" in inner or "\\" in inner or inner.startswith("/") or ".." in parts or ":" in parts[0]:
        raise FileRefused(f"holds a name that leads out of it: {quote_text(inner)}", file=name)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise FileRefused(f"holds a link: {quote_text(inner)}", file=name)
    if entry.flag_bits & 0x1:
        raise FileRefused(f"is encrypted: {quote_text(inner)}", file=name)
    if inner.lower().endswith(ARCHIVE_SUFFIXES):
        raise FileRefused(f"holds another archive: {quote_text(inner)}", file=name, hint="unpack it first")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise FileRefused(f"is packed in an unusual way: {quote_text(inner)}", file=name, hint="pack it with Deflate")
