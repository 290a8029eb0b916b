"""Reads the rows of CSV, JSON, YAML and XLSX files, also packed or in folders, as a stream. Refuses unsafe files."""

import contextlib
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
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
from app.imports.readers.query import QueryLimits, query_rows
from app.imports.readers.text import DecodedText, detect_encoding, display_encoding, split_lines
from app.imports.readers.xlsx import WorkbookSheet
from app.imports.readers.yaml_events import YamlEvents
from app.imports.stop_check import StopCheck, never_stop

YAML_LINE_PATTERN: Final = re.compile(r"(---|%YAML|- |[^\s,;|\t\"'][^,;|\t\"']{0,100}:(\s|$))")
"""The first line of a YAML document, as opposed to CSV."""


class FileReader:
    """Reads the rows of files, folders and archives, once and in order."""

    def __init__(
        self,
        paths: Sequence[Path],
        options: FileOptions,
        *,
        names: Sequence[str] | None = None,
        limits: ReadLimits = ReadLimits(),  # noqa: B008 - it is frozen
        keeps_going: bool = False,
        query_limits: QueryLimits = QueryLimits(),  # noqa: B008 - as above
        check: StopCheck = never_stop,
    ) -> None:
        """With `names`, one for each path, these are shown and determine the formats: uploads have temporary paths.

        With `keeps_going`, a line or a file that cannot be read is a row with a fault, unless there is no other row.
        `check` is called for each part that is read.
        """
        # A query reads whole files: what cannot be read has no place in its result.
        self._keeps_going = keeps_going and options.sql is None
        self._has_rows = False
        self._first_refusal: FileRefused | None = None
        self._query_limits = query_limits
        self._paths = list(zip(paths, names or [path.name or path.resolve().name for path in paths], strict=True))
        self._options = options
        self._limits = limits
        self._check = check
        self.files: list[FileReport] = []
        """One report for each path that was opened; complete once its rows are read."""
        self.bytes_total = sum(stored_size(path) for path in paths)
        """Stored bytes of all paths."""
        self.bytes_done = 0
        """Stored bytes that were read, approximately."""
        self._meter: UnpackingMeter | None = None

    def __iter__(self) -> Iterator[FileRow]:
        """Yield each row of each file, or of the query over them.

        Raises `FileRefused` for what cannot be read, and `MappingRefused` if there is a query and it may not be run.
        """
        if self._options.sql is None:
            return self._read_files()
        return query_rows(self._read_files(), self._options.sql, self._query_limits, self._limits, self._check)

    def _read_files(self) -> Iterator[FileRow]:
        before = 0
        meter = self._meter = UnpackingMeter(self._limits, self.bytes_total, self._check)
        for path, name in self._paths:
            with ExitStack() as stack:
                source = open_path(path, name, self._limits, self._position_callback(before), stack)
                try:
                    yield from self._read_path(source, name, meter)
                except OSError as error:
                    raise FileRefused(f"cannot be read: {error.strerror or error}", file=name) from error
                except RecursionError as error:
                    raise FileRefused("is nested too deeply", file=name) from error
            before += source.bytes
            self.bytes_done = before
        if self._first_refusal is not None and not self._has_rows:
            raise self._first_refusal

    @property
    def bytes_unpacked(self) -> int:
        """Return the number of unpacked bytes."""
        return self._meter.unpacked if self._meter else 0

    def _position_callback(self, before: int) -> Callable[[int], None]:
        def report_position(at: int) -> None:
            self._check()
            self.bytes_done = min(before + at, self.bytes_total)

        return report_position

    def _read_path(self, source: InputPath, name: str, meter: UnpackingMeter) -> Iterator[FileRow]:
        report: FileReport | None = None
        for member in source.members:
            try:
                report = yield from self._read_member(member, source, name, meter, report)
            except FileRefused as error:
                if not self._keeps_going:
                    raise
                self._first_refusal = self._first_refusal or error
                report = self.files[-1] if self.files and self.files[-1].name == name else None
                fault = f"{error.detail}{f' ({error.hint})' if error.hint else ''}; the rest of the file was not read"
                yield FileRow(error.file, error.line or 1, {}, fault=fault)

    def _read_member(
        self, member: Member, source: InputPath, name: str, meter: UnpackingMeter, report: FileReport | None
    ) -> Generator[FileRow, None, FileReport]:
        """Yield the rows of one file, and return the report of its path."""
        member_reader = _MemberReader(member, self._options, self._limits, meter, keeps_going=self._keeps_going)
        if report is None:
            report = FileReport(name, member_reader.format, None, None, source.sha256, source.bytes, 0)
            self.files.append(report)
        with ExitStack() as stack:
            rows = member_reader.rows(stack)
            if report.encoding is None:
                report.encoding, report.delimiter = member_reader.encoding, member_reader.delimiter
            for row in rows:
                report.rows += 1
                self._has_rows |= row.fault is None
                yield row
            if isinstance(rows, DelimitedTable) and self._options.sql is None:
                report.header = tuple(rows.names)
        return report


class _MemberReader:
    """Reads one file: its format, encoding and delimiter, and its rows."""

    def __init__(
        self, member: Member, options: FileOptions, limits: ReadLimits, meter: UnpackingMeter, *, keeps_going: bool
    ) -> None:
        self._member = member
        self._keeps_going = keeps_going
        self._options = options
        self._limits = limits
        self._meter = meter
        self.encoding: str | None = None
        self.delimiter: str | None = None
        self.format = options.format or format_of_name(member.name) or self._detect_format()

    def rows(self, stack: ExitStack) -> Iterable[FileRow]:
        """Return the rows of the file; they can be read while `stack` is open."""
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
                return ndjson_rows(text, limits, keeps_going=self._keeps_going)
            case _:
                delimiter = options.delimiter or ("\t" if self.format is FileFormat.tsv else None)
                table = DelimitedTable(
                    text, delimiter, options.quote, options.header_row, limits, keeps_going=self._keeps_going
                )
                self.delimiter = table.delimiter
                return table

    def _reopen_text(self, encoding: str, stack: ExitStack) -> DecodedText:
        """Open the text again, with a meter of its own: detection does not count towards the unpacked bytes."""
        return DecodedText(self._member.open_stream(self._separate_meter(), stack), encoding, self._limits)

    def _separate_meter(self) -> UnpackingMeter:
        return UnpackingMeter(self._limits, self._meter.packed, self._meter.check)

    def _find_encoding(self) -> str:
        if self._options.encoding is not None:
            return self._options.encoding
        with ExitStack() as stack:
            return detect_encoding(self._member.open_stream(self._separate_meter(), stack))

    def _detect_format(self) -> FileFormat:
        """Detect the format from the beginning of the file."""
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
