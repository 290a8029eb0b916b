"""From files to rows: CSV, JSON, YAML and XLSX, alone, packed or in folders, streamed and refused where unsafe."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson

from app.imports.readers.archives import (
    ZIP_MAGIC,
    InputPath,
    Member,
    UnpackingMeter,
    format_of_name,
    open_path,
    stored_size,
)
from app.imports.readers.delimited import DelimitedTable, detect_delimiter
from app.imports.readers.nested import JsonEvents, NestedDocument, ndjson_rows
from app.imports.readers.options import FileFormat, FileOptions, FileRefused, FileReport, FileRow, ReadLimits
from app.imports.readers.text import DecodedText, detect_encoding, display_encoding, split_lines
from app.imports.readers.xlsx import WorkbookSheet
from app.imports.readers.yaml_events import YamlEvents

YAML_LINE_PATTERN: Final = re.compile(r"(---|%YAML|- |[^\s,;|\t\"'][^,;|\t\"']{0,100}:(\s|$))")
"""How a YAML document begins, unlike a line of CSV."""


class FileReader:
    """Reads files, folders and archives into rows, once and from first to last."""

    def __init__(
        self,
        paths: Sequence[Path],
        options: FileOptions,
        *,
        names: Sequence[str] | None = None,
        limits: ReadLimits = ReadLimits(),  # noqa: B008 - it is frozen
    ) -> None:
        """`names` are shown instead of those of `paths`, and say the formats: those of uploads, one for each."""
        self._paths = list(zip(paths, names or [path.name or path.resolve().name for path in paths], strict=True))
        self._options = options
        self._limits = limits
        self.files: list[FileReport] = []
        """One for each given path that was begun, whole once its rows are read."""
        self.bytes_total = sum(stored_size(path) for path in paths)
        """Bytes of all given paths as they are stored."""
        self.bytes_done = 0
        """How many of them were read, about."""
        self._meter: UnpackingMeter | None = None

    def __iter__(self) -> Iterator[FileRow]:
        """Each row of each file. Raises FileRefused, and nothing else, for what cannot be read."""
        before = 0
        meter = self._meter = UnpackingMeter(self._limits, self.bytes_total)
        for path, name in self._paths:
            with ExitStack() as stack:
                found = open_path(path, name, self._limits, self._position_callback(before), stack)
                try:
                    yield from self._read_path(found, name, meter)
                except OSError as fault:
                    raise FileRefused(f"cannot be read: {fault.strerror or fault}", file=name) from fault
                except RecursionError as fault:
                    raise FileRefused("is nested too deeply", file=name) from fault
            before += found.bytes
            self.bytes_done = before

    @property
    def bytes_unpacked(self) -> int:
        """How many bytes were read of what the packed files hold."""
        return self._meter.unpacked if self._meter else 0

    def _position_callback(self, before: int) -> Callable[[int], None]:
        def tell(at: int) -> None:
            self.bytes_done = min(before + at, self.bytes_total)

        return tell

    def _read_path(self, found: InputPath, name: str, meter: UnpackingMeter) -> Iterator[FileRow]:
        report: FileReport | None = None
        for member in found.members:
            opened = _MemberReader(member, self._options, self._limits, meter)
            if report is None:
                report = FileReport(name, opened.format, None, None, found.sha256, found.bytes, 0)
                self.files.append(report)
            with ExitStack() as stack:
                rows = opened.rows(stack)
                if report.encoding is None:
                    report.encoding, report.delimiter = opened.encoding, opened.delimiter
                for row in rows:
                    report.rows += 1
                    yield row


class _MemberReader:
    """One file, with what was found out of it."""

    def __init__(self, member: Member, options: FileOptions, limits: ReadLimits, meter: UnpackingMeter) -> None:
        self._member = member
        self._options = options
        self._limits = limits
        self._meter = meter
        self.encoding: str | None = None
        self.delimiter: str | None = None
        self.format = options.format or format_of_name(member.name) or self._detect_format()

    def rows(self, stack: ExitStack) -> Iterable[FileRow]:
        """The file's rows, while `stack` is open."""
        options, limits = self._options, self._limits
        if self.format is FileFormat.xlsx:
            source = self._member.open_seekable(self._meter, stack)
            return WorkbookSheet(self._member.name, source, options.sheet, options.header_row, limits, self._meter)
        encoding = self._find_encoding()
        self.encoding = display_encoding(encoding)
        text = DecodedText(self._member.open_stream(self._meter, stack), encoding, limits)
        match self.format:
            case FileFormat.json:
                events = JsonEvents(text, lambda inner: self._reopen_text(encoding, inner), limits)
                return NestedDocument(events, options.rows, options.keyed, limits)
            case FileFormat.yaml:
                return NestedDocument(YamlEvents(text, limits), options.rows, options.keyed, limits)
            case FileFormat.ndjson:
                return ndjson_rows(text, limits)
            case _:
                delimiter = options.delimiter or ("\t" if self.format is FileFormat.tsv else None)
                table = DelimitedTable(text, delimiter, options.quote, options.header_row, limits)
                self.delimiter = table.delimiter
                return table

    def _reopen_text(self, encoding: str, stack: ExitStack) -> DecodedText:
        """The text once more: what is only looked at is not counted with what the reading unpacks."""
        return DecodedText(self._member.open_stream(self._separate_meter(), stack), encoding, self._limits)

    def _separate_meter(self) -> UnpackingMeter:
        return UnpackingMeter(self._limits, self._meter.packed)

    def _find_encoding(self) -> str:
        if self._options.encoding is not None:
            return self._options.encoding
        with ExitStack() as stack:
            return detect_encoding(self._member.open_stream(self._separate_meter(), stack))

    def _detect_format(self) -> FileFormat:
        """The format by the file's beginning."""
        if self._member.read_magic() == ZIP_MAGIC:
            return FileFormat.xlsx
        with ExitStack() as stack:
            head = self._reopen_text(self._find_encoding(), stack).head().lstrip()
        lines = [line for line in split_lines(head[:100_000]) if line.strip() and not line.startswith("#")]
        first = lines[0] if lines else ""
        if first.startswith("{") and len(lines) > 1 and lines[1].startswith("{"):
            with contextlib.suppress(orjson.JSONDecodeError):
                orjson.loads(first)
                return FileFormat.ndjson
        if first.startswith(("{", "[")):
            return FileFormat.json
        if YAML_LINE_PATTERN.match(first) and detect_delimiter(head, self._options.quote, whole=False) is None:
            return FileFormat.yaml
        return FileFormat.csv
