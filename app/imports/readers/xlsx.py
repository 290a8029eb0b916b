"""Reads the rows of one sheet of an XLSX workbook. Its parts are checked before they are parsed."""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from typing import IO, Any, Final

from app.imports.readers.archives import CHUNK_BYTES, UNPACKING_ERRORS, UnpackedStream, UnpackingMeter
from app.imports.readers.delimited import header_names, is_repeated_header, position_names
from app.imports.readers.options import BlankRowCounter, FileRefused, FileRow, ReadLimits, is_blank, quote_text

MAX_STRINGS_BYTES: Final = 100_000_000
"""Maximum size of the table of shared strings in bytes, which openpyxl loads into memory."""
MAX_PART_BYTES: Final = 10_000_000
"""Maximum size in bytes of any other part that is parsed at once, such as the styles."""
MAX_SHEET_ROWS: Final = 1_048_576
"""Maximum number of rows of a sheet."""
MAX_TAGS_PER_COLUMN: Final = 50
SHEET_PATH_PATTERN: Final = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
ESCAPED_CHARACTER_PATTERN: Final = re.compile("_x([0-9A-Fa-f]{4})_")
"""A character that XML cannot contain, or an underscore before such a text (ISO/IEC 29500-1, 22.9.2.19)."""
ROW_END_PATTERN: Final = re.compile(rb"[:/]row>")


class WorkbookSheet:
    """The rows of one sheet."""

    def __init__(
        self,
        name: str,
        source: IO[bytes],
        sheet: str | None,
        header_row: int,
        limits: ReadLimits,
        meter: UnpackingMeter,
    ) -> None:
        self.name = name
        self._source = source
        self._sheet = sheet
        self._header_row = header_row
        self._limits = limits
        self._meter = meter

    def __iter__(self) -> Iterator[FileRow]:
        """Yield each row below the header, with dates as ISO 8601 text. Raises `FileRefused`."""
        self._check_parts()
        rows = self._values()
        blank = BlankRowCounter(self.name, self._limits)
        if not self._header_row:
            yield from self._rows_by_position(rows, blank)
            return
        names = self._read_names(rows, blank)
        width = len(names)
        for number, values in rows:
            cells = [_cell_value(value) for value in values[:width]]
            extra_cells = values[width:]  # an unsafe sheet can have thousands of empty cells: count them without a loop
            if extra_cells.count(None) + extra_cells.count("") < len(extra_cells) and not all(
                map(is_blank, extra_cells)
            ):
                raise self._refusal(f"a cell is to the right of the {width} named columns", number)
            if all(map(is_blank, cells)):
                blank.add()
                continue
            if is_repeated_header(cells, names):
                raise self._refusal("the header changes here", number)
            self._check_cells(cells, number)
            cells += [None] * (width - len(cells))
            yield FileRow(self.name, number, dict(zip(names, cells, strict=True)), True)

    def _rows_by_position(self, rows: Iterator[tuple[int, Sequence[Any]]], blank: BlankRowCounter) -> Iterator[FileRow]:
        """Yield each row of a sheet without column names; empty cells at the end of a row are left out."""
        for number, values in rows:
            cells = [_cell_value(value) for value in values[: self._limits.columns]]
            extra_cells = values[self._limits.columns :]
            if extra_cells.count(None) < len(extra_cells):
                raise self._refusal(f"has more than {self._limits.columns:,} columns", number)
            while cells and is_blank(cells[-1]):
                cells.pop()
            if not cells:
                blank.add()
                continue
            self._check_cells(cells, number)
            yield FileRow(self.name, number, dict(zip(position_names(len(cells)), cells, strict=True)))

    def _check_cells(self, cells: Sequence[Any], number: int) -> None:
        for cell in cells:
            if isinstance(cell, str) and ("\0" in cell or len(cell) > self._limits.cell_characters):
                raise self._refusal("a cell contains a NUL character or too long a text", number)

    def _read_names(self, rows: Iterator[tuple[int, Sequence[Any]]], blank: BlankRowCounter) -> list[str]:
        """Return the column names: the first row from `header_row` on that is not blank. Raises `FileRefused`."""
        for number, values in rows:
            if all(map(is_blank, values)):
                blank.add()
            elif number >= self._header_row:
                cells = ["" if value is None else str(_cell_value(value)) for value in values]
                return header_names(cells, self._limits, file=self.name, line=number, unit="row")
        raise FileRefused("the sheet is empty", file=self.name, hint="set `sheet`, or `header_row`")

    def _values(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """Yield each row of the sheet with its number."""
        with ExitStack() as stack:
            rows = self._refuse_errors(lambda: self._open_sheet(stack))
            number = 0
            while True:
                values = self._refuse_errors(lambda: next(rows, None))
                if values is None:
                    return
                number += 1
                if number > MAX_SHEET_ROWS:
                    raise self._refusal("a sheet cannot have so many rows", number)
                yield number, values

    def _refuse_errors(self, read: Any) -> Any:  # noqa: ANN401 - untyped in openpyxl
        """Call `read` and raise every exception of openpyxl as `FileRefused`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of styles and extensions, which are not needed
                return read()
        except (FileRefused, MemoryError):
            raise
        except Exception as error:
            raise FileRefused(f"is not an XLSX file that can be read: {error}", file=self.name) from error

    def _open_sheet(self, stack: ExitStack) -> Iterator[Sequence[Any]]:
        from openpyxl import load_workbook  # noqa: PLC0415 - slow to import, and most files are not workbooks
        from openpyxl.chartsheet import Chartsheet  # noqa: PLC0415

        self._source.seek(0)
        book = load_workbook(self._source, read_only=True, data_only=True, keep_links=False)
        stack.callback(book.close)
        sheets = {sheet.title: sheet for sheet in book.worksheets if not isinstance(sheet, Chartsheet)}
        if not sheets:
            raise FileRefused("contains no sheet", file=self.name)
        sheet_name = self._sheet if self._sheet is not None else next(iter(sheets))
        if sheet_name not in sheets:
            sheet_names = ", ".join(quote_text(title) for title in list(sheets)[:10])
            raise FileRefused(
                f"contains no sheet {quote_text(sheet_name)}", file=self.name, hint=f"the sheets are {sheet_names}"
            )
        sheet = sheets[sheet_name]
        sheet.reset_dimensions()  # the dimensions that the file states may be wrong
        rows: Iterator[Sequence[Any]] = iter(sheet.iter_rows(values_only=True))
        return rows

    def _check_parts(self) -> None:
        """Scan every part that openpyxl parses. Raises `FileRefused` for what is not safe to parse."""
        try:
            with zipfile.ZipFile(self._source) as book:
                entries = book.infolist()
                if len(entries) > self._limits.members:
                    raise FileRefused(f"contains more than {self._limits.members:,} parts", file=self.name)
                for entry in entries:
                    self._check_part(book, entry)
        except (*UNPACKING_ERRORS, ValueError) as error:
            raise FileRefused(f"is not an XLSX file that can be read: {error}", file=self.name) from error

    def _check_part(self, book: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        part = entry.filename.lower()
        if part.startswith("xl/externallinks/"):
            raise FileRefused(
                "links to other workbooks", file=self.name, hint="save the values alone, in a workbook without links"
            )
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or entry.flag_bits & 0x1:
            raise FileRefused(f"its part {quote_text(entry.filename)} is encrypted or packed unusually", file=self.name)
        if not part.endswith((".xml", ".rels")):
            return  # pictures and macros are not opened
        max_bytes = (
            self._limits.unpacked_bytes
            if SHEET_PATH_PATTERN.fullmatch(part)
            else MAX_STRINGS_BYTES
            if "sharedstrings" in part
            else MAX_PART_BYTES
        )
        scan = PartScanner(self.name, self._limits, rows=bool(SHEET_PATH_PATTERN.fullmatch(part)))
        with book.open(entry) as opened:
            stream = UnpackedStream(opened, self.name, self._meter)
            while data := stream.read(CHUNK_BYTES):
                scan.feed(data)
                if scan.size > max_bytes:
                    raise FileRefused(f"its part {quote_text(entry.filename)} is too long", file=self.name)

    def _refusal(self, detail: str, number: int) -> FileRefused:
        return FileRefused(detail, file=self.name, line=number, unit="row")


class PartScanner:
    """Scans the XML of a part for DTDs, very long tags and very long rows, which are costly to parse."""

    def __init__(self, name: str, limits: ReadLimits, *, rows: bool) -> None:
        self._name = name
        self._limits = limits
        self._rows = rows
        self.size = 0
        self._tail = b""
        self._row_bytes = 0
        self._row_tags = 0
        self._since_tag = 0

    def feed(self, data: bytes) -> None:
        """Scan the next bytes. Raises `FileRefused`."""
        self.size += len(data)
        # Spreadsheets write UTF-8 without comments, CDATA or DTD: these can hide the end of a row or grow when parsed.
        if b"\0" in data or b"<!" in self._tail[-1:] + data:
            raise FileRefused("a part is not the XML that spreadsheets write", file=self._name)
        end = data.rfind(b">")
        self._since_tag = self._since_tag + len(data) if end < 0 else len(data) - end
        if self._since_tag > self._limits.cell_characters * 4:
            raise FileRefused(f"a text has more than {self._limits.cell_characters:,} characters", file=self._name)
        if self._rows:
            self._measure_rows(self._tail + data)
        self._tail = data[-5:]

    def _measure_rows(self, data: bytes) -> None:
        """Measure the rows that end in `data`, which begins with the last bytes of the previous data."""
        max_bytes = self._limits.columns * MAX_TAGS_PER_COLUMN
        row_start = 0
        for end in ROW_END_PATTERN.finditer(data):
            if end.end() <= len(self._tail):
                continue
            self._row_bytes += end.end() - row_start
            self._row_tags += data.count(b"<", row_start, end.end())
            self._check_row_size(max_bytes)
            self._row_bytes = self._row_tags = 0
            row_start = end.end()
        self._row_bytes += len(data) - row_start
        self._row_tags += data.count(b"<", row_start)
        self._check_row_size(max_bytes)

    def _check_row_size(self, max_bytes: int) -> None:
        if self._row_bytes > self._limits.row_bytes or self._row_tags > max_bytes:
            raise FileRefused("a row of a sheet is too long", file=self._name)


def _unescape_character(match: re.Match[str]) -> str:
    """Return the character of an escape; the escape itself for half of a surrogate pair."""
    character = chr(int(match[1], 16))
    return match[0] if "\ud800" <= character <= "\udfff" else character


def _cell_value(value: Any) -> Any:  # noqa: ANN401 - a cell's value
    """Convert a cell to text, number, boolean or None: whole floats to integers, dates to ISO 8601."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case str() if not value:
            return None
        case str() if "_x" in value:
            return ESCAPED_CHARACTER_PATTERN.sub(_unescape_character, value)
        case _:
            return value
