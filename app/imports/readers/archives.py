"""Opens an input path: a file, a folder or a ZIP archive, unpacked within limits."""

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
from app.imports.stop_check import StopCheck, never_stop

CHUNK_BYTES: Final = 1 << 18
"""Size of one read, in bytes."""
MAX_DIRECTORY_BYTES: Final = 64 << 20
"""Maximum size of an archive's list of members in bytes, which Python reads at once."""
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
"""Exceptions of Python for invalid gzip and ZIP files. A RuntimeError is an encrypted member."""
GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGIC: Final = b"PK\x03\x04"
ZIP_MAGICS: Final = (ZIP_MAGIC, b"PK\x05\x06")


def format_of_name(name: str) -> FileFormat | None:
    """Return the format of the ending of `name`."""
    return FORMAT_OF_SUFFIX.get(Path(name.lower().removesuffix(".gz")).suffix)


class UnpackingMeter:
    """Counts unpacked bytes and raises `FileRefused` at the limits."""

    def __init__(self, limits: ReadLimits, packed: int, check: StopCheck = never_stop) -> None:
        self.limits = limits
        self.check = check
        self.packed = max(packed, 1)
        self.unpacked = 0

    def add(self, count: int, name: str) -> None:
        """Add `count` unpacked bytes. Raises `FileRefused` at the limits."""
        self.check()
        self.unpacked += count
        if self.unpacked > self.limits.unpacked_bytes:
            raise FileRefused(f"unpacks to more than {self.limits.unpacked_bytes:,} bytes", file=name)
        if (
            self.unpacked > self.limits.unpacked_ratio_from_bytes
            and self.unpacked > self.packed * self.limits.unpacked_ratio
        ):
            raise FileRefused(f"unpacks to more than {self.limits.unpacked_ratio:,} times its size", file=name)


class StoredFile(io.BufferedReader):
    """A file as it is stored. It reports its position and limits the size of one read."""

    def __init__(self, path: Path, name: str, report_position: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._name = name
        self._report_position = report_position
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like `BufferedReader.read`. Raises `FileRefused` for more bytes than an archive's directory may have."""
        at = self.tell()
        left = max(self._size - at, 0)
        if (left if size is None or size < 0 else min(size, left)) > MAX_DIRECTORY_BYTES:
            raise FileRefused("the archive's list of files is too long", file=self._name)
        data = super().read(size)
        self._report_position(at + len(data))
        return data


class ByteReader(Protocol):
    """A source of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""
        ...


class UnpackedStream:
    """The unpacked bytes of one file. Raises `FileRefused` for truncated data and at the limits."""

    def __init__(self, inner: ByteReader, name: str, meter: UnpackingMeter | None) -> None:
        self._inner = inner
        self._meter = meter
        self.name = name

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Return up to `size` bytes, and none at the end."""
        try:
            data = self._inner.read(size)
        except UNPACKING_ERRORS as error:
            raise FileRefused(f"cannot be unpacked or read: {error}", file=self.name) from error
        if self._meter is not None:
            self._meter.add(len(data), self.name)
        return data


@dataclass(frozen=True, slots=True)
class Member:
    """One file to read, with the name that its rows get."""

    name: str
    size: int
    open_stored: Callable[[], BinaryIO]
    """Opens the file, or the unpacked entry of an archive."""
    is_packed: bool
    """Whether the file is an entry of an archive."""

    def read_magic(self) -> bytes:
        """Return the first four stored bytes."""
        try:
            with self.open_stored() as stored:
                return stored.read(4)
        except UNPACKING_ERRORS as error:
            raise FileRefused(f"cannot be read: {error}", file=self.name) from error

    def open_stream(self, meter: UnpackingMeter, stack: ExitStack) -> UnpackedStream:
        """Open the unpacked bytes until `stack` is closed; `meter` counts them if they are packed."""
        try:
            inner: IO[bytes] = stack.enter_context(self.open_stored())
            gzipped = inner.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            inner.seek(0)
        except UNPACKING_ERRORS as error:
            raise FileRefused(f"cannot be read: {error}", file=self.name) from error
        if gzipped:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=inner))
            return UnpackedStream(unpacked, self.name, meter)
        return UnpackedStream(inner, self.name, meter if self.is_packed else None)

    def open_seekable(self, meter: UnpackingMeter, stack: ExitStack) -> IO[bytes]:
        """Open the bytes as a seekable file: the file itself, or a temporary unpacked copy."""
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
    """An input path: its members, its hash and its size."""

    members: list[Member]
    sha256: str
    bytes: int


def open_path(
    path: Path, name: str, limits: ReadLimits, report_position: Callable[[int], None], stack: ExitStack
) -> InputPath:
    """Open `path` until `stack` is closed.

    Args:
        path: A file, a folder or a ZIP archive.
        name: The name that is shown for it.
        limits: The limits of unpacking.
        report_position: Called with the number of stored bytes that were read.
        stack: Closes what is opened.

    Raises:
        FileRefused: It cannot be read, or is not safe to read.
    """
    try:
        if path.is_dir():
            return _open_folder(path, name, limits, report_position)
        _check_regular_file(path, name)
        whole = Member(name, path.stat().st_size, lambda: StoredFile(path, name, report_position), is_packed=False)
        if path.stat().st_size and _is_archive(path, name):
            return InputPath(_archive_members(path, name, limits, report_position, stack), _sha256_of(path), whole.size)
        return InputPath([whole], _sha256_of(path), whole.size)
    except OSError as error:
        raise FileRefused(f"cannot be read: {error.strerror or error}", file=name) from error


def stored_size(path: Path) -> int:
    """Return the stored bytes of `path`, for a progress bar; 0 if it cannot be read."""
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
    """Yield the files of known formats in `folder`, at any depth, sorted by name."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    yield from (paths[name] for name in _data_names(paths) if paths[name].is_file())


def _data_names(names: Iterable[str]) -> list[str]:
    """Return the names of data files, sorted, without hidden files. Beside data a `.txt` is a note or a licence."""
    data_names = [
        name
        for name in sorted(names)
        if format_of_name(name) and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    return [name for name in data_names if not name.lower().endswith((".txt", ".txt.gz"))] or data_names


def _open_folder(path: Path, name: str, limits: ReadLimits, report_position: Callable[[int], None]) -> InputPath:
    members: list[Member] = []
    read = 0
    for inner in _data_files(path):
        if len(members) == limits.members:
            raise FileRefused(f"contains more than {limits.members:,} files", file=name)
        inner_name = f"{name}/{inner.relative_to(path).as_posix()}"
        size = inner.stat().st_size
        members.append(
            Member(inner_name, size, _file_opener(inner, inner_name, report_position, read), is_packed=False)
        )
        read += size
    if not members:
        raise FileRefused("contains no file of a known format", file=name, hint=_known_suffixes())
    digests = sorted(_sha256_of(inner) for inner in _data_files(path))
    return InputPath(members, hashlib.sha256("".join(digests).encode()).hexdigest(), read)


def _file_opener(path: Path, name: str, report_position: Callable[[int], None], before: int) -> Callable[[], BinaryIO]:
    return lambda: StoredFile(path, name, lambda at: report_position(before + at))


def _known_suffixes() -> str:
    return "known endings are " + ", ".join(FORMAT_OF_SUFFIX)


def _is_archive(path: Path, name: str) -> bool:
    """Return whether `path` is a ZIP archive of files. A workbook is a ZIP archive too, but not one of files."""
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
    path: Path, name: str, limits: ReadLimits, report_position: Callable[[int], None], stack: ExitStack
) -> list[Member]:
    try:
        archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(StoredFile(path, name, report_position))))
    except (*UNPACKING_ERRORS, ValueError) as error:
        raise FileRefused(f"is not a ZIP archive that can be read: {error}", file=name) from error
    entries = archive.infolist()
    if len(entries) > limits.members:
        raise FileRefused(f"contains more than {limits.members:,} files", file=name)
    by_name: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        _check_entry(entry, name)
        if by_name.setdefault(entry.filename, entry) is not entry:
            raise FileRefused(f"contains {quote_text(entry.filename)} twice", file=name)
    member_names = _data_names(inner for inner, entry in by_name.items() if not entry.is_dir())
    if not member_names:
        raise FileRefused("contains no file of a known format", file=name, hint=_known_suffixes())
    return [
        Member(f"{name}/{inner}", by_name[inner].compress_size, _entry_opener(archive, by_name[inner]), is_packed=True)
        for inner in member_names
    ]


def _entry_opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: archive.open(entry)  # type: ignore[return-value] # it is a BufferedIOBase


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    """Refuse paths that leave the archive, links, encrypted entries and nested archives."""
    inner = entry.orig_filename
    parts = inner.replace("\\", "/").split("/")
    if "\0" in inner or "\\" in inner or inner.startswith("/") or ".." in parts or ":" in parts[0]:
        raise FileRefused(f"has an entry outside the archive: {quote_text(inner)}", file=name)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise FileRefused(f"contains a link: {quote_text(inner)}", file=name)
    if entry.flag_bits & 0x1:
        raise FileRefused(f"is encrypted: {quote_text(inner)}", file=name)
    if inner.lower().endswith(ARCHIVE_SUFFIXES):
        raise FileRefused(f"contains another archive: {quote_text(inner)}", file=name, hint="unpack it first")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise FileRefused(
            f"has an entry with an unsupported compression method: {quote_text(inner)}", file=name, hint="use Deflate"
        )
