"""From files to rows: CSV, JSON, YAML and XLSX, alone, packed or in folders, streamed and refused where unsafe."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson

from app.imports.readers.archives import ZIP, Given, Member, Meter, format_of, given, size_of
from app.imports.readers.delimited import Table, find_delimiter
from app.imports.readers.nested import JsonEvents, Tree, ndjson_rows
from app.imports.readers.options import FileFormat, FileOptions, FileRefused, FileReport, Limits, Row
from app.imports.readers.text import Text, find_encoding, plain_name, split_lines
from app.imports.readers.xlsx import Sheet
from app.imports.readers.yaml_events import YamlEvents

__all__ = ["FileFormat", "FileOptions", "FileRefused", "FileReport", "Limits", "Reading", "Row"]

YAML_LINE: Final = re.compile(r"(---|%YAML|- |[^\s,;|\t\"'][^,;|\t\"']{0,100}:(\s|$))")
"""How a YAML document begins, unlike a line of CSV."""


class Reading:
    """Reads files, folders and archives into rows, once and from first to last."""

    def __init__(
        self,
        paths: Sequence[Path],
        options: FileOptions,
        *,
        names: Sequence[str] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
    ) -> None:
        """`names` are shown instead of those of `paths`, and say the formats: those of uploads, one for each."""
        self._paths = list(zip(paths, names or [path.name or path.resolve().name for path in paths], strict=True))
        self._options = options
        self._limits = limits
        self.files: list[FileReport] = []
        """One for each given path that was begun, whole once its rows are read."""
        self.bytes_total = sum(size_of(path) for path in paths)
        """Bytes of all given paths as they are stored."""
        self.bytes_done = 0
        """How many of them were read, about."""
        self._meter: Meter | None = None

    def __iter__(self) -> Iterator[Row]:
        """Each row of each file. Raises FileRefused, and nothing else, for what cannot be read."""
        before = 0
        meter = self._meter = Meter(self._limits, self.bytes_total)
        for path, name in self._paths:
            with ExitStack() as stack:
                found = given(path, name, self._limits, self._teller(before), stack)
                try:
                    yield from self._given(found, name, meter)
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

    def _teller(self, before: int) -> Callable[[int], None]:
        def tell(at: int) -> None:
            self.bytes_done = min(before + at, self.bytes_total)

        return tell

    def _given(self, found: Given, name: str, meter: Meter) -> Iterator[Row]:
        report: FileReport | None = None
        for member in found.members:
            opened = _Opened(member, self._options, self._limits, meter)
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


class _Opened:
    """One file, with what was found out of it."""

    def __init__(self, member: Member, options: FileOptions, limits: Limits, meter: Meter) -> None:
        self._member = member
        self._options = options
        self._limits = limits
        self._meter = meter
        self.encoding: str | None = None
        self.delimiter: str | None = None
        self.format = options.format or format_of(member.name) or self._looked_at()

    def rows(self, stack: ExitStack) -> Iterable[Row]:
        """The file's rows, while `stack` is open."""
        options, limits = self._options, self._limits
        if self.format is FileFormat.xlsx:
            source = self._member.seekable(self._meter, stack)
            return Sheet(self._member.name, source, options.sheet, options.header_row, limits, self._meter)
        encoding = self._find_encoding()
        self.encoding = plain_name(encoding)
        text = Text(self._member.opened(self._meter, stack), encoding, limits)
        match self.format:
            case FileFormat.json:
                events = JsonEvents(text, lambda inner: self._text(encoding, inner), limits)
                return Tree(events, options.rows, options.keyed, limits)
            case FileFormat.yaml:
                return Tree(YamlEvents(text, limits), options.rows, options.keyed, limits)
            case FileFormat.ndjson:
                return ndjson_rows(text, limits)
            case _:
                delimiter = options.delimiter or ("\t" if self.format is FileFormat.tsv else None)
                table = Table(text, delimiter, options.quote, options.header_row, limits)
                self.delimiter = table.delimiter
                return table

    def _text(self, encoding: str, stack: ExitStack) -> Text:
        """The text once more: what is only looked at is not counted with what the reading unpacks."""
        return Text(self._member.opened(self._apart(), stack), encoding, self._limits)

    def _apart(self) -> Meter:
        return Meter(self._limits, self._meter.packed)

    def _find_encoding(self) -> str:
        if self._options.encoding is not None:
            return self._options.encoding
        with ExitStack() as stack:
            return find_encoding(self._member.opened(self._apart(), stack))

    def _looked_at(self) -> FileFormat:
        """The format by the file's beginning."""
        if self._member.begins() == ZIP:
            return FileFormat.xlsx
        with ExitStack() as stack:
            head = self._text(self._find_encoding(), stack).head().lstrip()
        lines = [line for line in split_lines(head[:100_000]) if line.strip() and not line.startswith("#")]
        first = lines[0] if lines else ""
        if first.startswith("{") and len(lines) > 1 and lines[1].startswith("{"):
            with contextlib.suppress(orjson.JSONDecodeError):
                orjson.loads(first)
                return FileFormat.ndjson
        if first.startswith(("{", "[")):
            return FileFormat.json
        if YAML_LINE.match(first) and find_delimiter(head, self._options.quote, whole=False) is None:
            return FileFormat.yaml
        return FileFormat.csv
