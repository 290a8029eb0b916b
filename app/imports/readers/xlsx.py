"""Rows of one sheet of an XLSX workbook, whose parts are checked before they are parsed."""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from typing import IO, Any, Final

from app.imports.readers.archives import CHUNK_BYTES, UNPACKING_ERRORS, UnpackedStream, UnpackingMeter
from app.imports.readers.delimited import header_names, is_repeated_header
from app.imports.readers.options import FileRefused, FileRow, ReadLimits, quote_text

MAX_STRINGS_BYTES: Final = 100_000_000
"""Bytes of the table of texts, which openpyxl holds in memory."""
MAX_PART_BYTES: Final = 10_000_000
"""Bytes of any other part that is parsed whole: styles, the list of sheets."""
MAX_SHEET_ROWS: Final = 1_048_576
"""Rows that a sheet can have."""
MAX_TAGS_PER_COLUMN: Final = 50
SHEET_PATH_PATTERN: Final = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
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
        """Each row under the header, dates as ISO 8601 text. Raises FileRefused."""
        self._check_parts()
        rows = self._values()
        names: list[str] = []
        number = 0
        for number, values in rows:
            if number >= self._header_row and any(value is not None for value in values):
                heads = ["" if value is None else str(_cell_value(value)) for value in values]
                names = header_names(heads, self._limits, file=self.name, line=number, unit="row")
                break
        if not names:
            raise FileRefused("the sheet is empty", file=self.name, hint="set `sheet`, or `header_row`")
        width = len(names)
        for number, values in rows:
            cells = [_cell_value(value) for value in values[:width]]
            beyond = values[width:]  # in a hostile sheet thousands of empty cells: counted, not looped over
            if beyond.count(None) + beyond.count("") < len(beyond):
                raise self._refusal(f"a cell is to the right of the {width} named columns", number)
            if all(cell is None for cell in cells):
                continue
            if is_repeated_header(cells, names):
                raise self._refusal("the header changes here", number)
            for cell in cells:
                if isinstance(cell, str) and ("\0" in cell or len(cell) > self._limits.cell):
                    raise self._refusal("a cell holds a NUL character or too long a text", number)
            cells += [None] * (width - len(cells))
            yield FileRow(self.name, number, dict(zip(names, cells, strict=True)))

    def _values(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """Each row of the sheet with its number."""
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

    def _refuse_errors(self, read: Any) -> Any:  # noqa: ANN401 - what openpyxl returns, which has no types
        """What `read` returns; whatever a broken workbook makes openpyxl raise is a refusal."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that no row needs
                return read()
        except (FileRefused, MemoryError):
            raise
        except Exception as fault:
            raise FileRefused(f"is not an XLSX file that can be read: {fault}", file=self.name) from fault

    def _open_sheet(self, stack: ExitStack) -> Iterator[Sequence[Any]]:
        from openpyxl import load_workbook  # noqa: PLC0415 - it is large, and most files are no workbooks
        from openpyxl.chartsheet import Chartsheet  # noqa: PLC0415

        self._source.seek(0)
        book = load_workbook(self._source, read_only=True, data_only=True, keep_links=False)
        stack.callback(book.close)
        sheets = {sheet.title: sheet for sheet in book.worksheets if not isinstance(sheet, Chartsheet)}
        if not sheets:
            raise FileRefused("holds no sheet", file=self.name)
        wanted = self._sheet if self._sheet is not None else next(iter(sheets))
        if wanted not in sheets:
            there = ", ".join(quote_text(title) for title in list(sheets)[:10])
            raise FileRefused(f"holds no sheet {quote_text(wanted)}", file=self.name, hint=f"the sheets are {there}")
        sheet = sheets[wanted]
        sheet.reset_dimensions()  # what the file says of its size is not to be trusted
        rows: Iterator[Sequence[Any]] = iter(sheet.iter_rows(values_only=True))
        return rows

    def _check_parts(self) -> None:
        """Unpack every part that openpyxl parses once, without keeping it, and refuse what is dangerous to parse."""
        try:
            with zipfile.ZipFile(self._source) as book:
                entries = book.infolist()
                if len(entries) > self._limits.members:
                    raise FileRefused(f"holds more than {self._limits.members:,} parts", file=self.name)
                for entry in entries:
                    self._check_part(book, entry)
        except (*UNPACKING_ERRORS, ValueError) as fault:
            raise FileRefused(f"is not an XLSX file that can be read: {fault}", file=self.name) from fault

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
        most = (
            self._limits.unpacked
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
                if scan.size > most:
                    raise FileRefused(f"its part {quote_text(entry.filename)} is too long", file=self.name)

    def _refusal(self, detail: str, number: int) -> FileRefused:
        return FileRefused(detail, file=self.name, line=number, unit="row")


class PartScanner:
    """Looks through the XML of a part for what makes parsing it costly: DTDs, huge tags and endless rows."""

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
        """Look at the next bytes. Raises FileRefused."""
        self.size += len(data)
        # spreadsheets write UTF-8, and no comments, CDATA or DTD: none can hide a row's end or swell when parsed
        if b"\0" in data or b"<!" in self._tail[-1:] + data:
            raise FileRefused("a part is not the XML that spreadsheets write", file=self._name)
        end = data.rfind(b">")
        self._since_tag = self._since_tag + len(data) if end < 0 else len(data) - end
        if self._since_tag > self._limits.cell * 4:
            raise FileRefused(f"a text has more than {self._limits.cell:,} characters", file=self._name)
        if self._rows:
            self._measure_rows(self._tail + data)
        self._tail = data[-5:]

    def _measure_rows(self, data: bytes) -> None:
        """Measure the rows that end in `data`, which begins with the last bytes of the data before."""
        most = self._limits.columns * MAX_TAGS_PER_COLUMN
        begun = 0
        for end in ROW_END_PATTERN.finditer(data):
            if end.end() <= len(self._tail):
                continue
            self._row_bytes += end.end() - begun
            self._row_tags += data.count(b"<", begun, end.end())
            self._check_row_size(most)
            self._row_bytes = self._row_tags = 0
            begun = end.end()
        self._row_bytes += len(data) - begun
        self._row_tags += data.count(b"<", begun)
        self._check_row_size(most)

    def _check_row_size(self, most: int) -> None:
        if self._row_bytes > self._limits.row or self._row_tags > most:
            raise FileRefused("a row of a sheet is too long", file=self._name)


def _cell_value(value: Any) -> Any:  # noqa: ANN401 - a cell's value
    """A cell's value as text, number, boolean or None: whole floats as integers, dates in ISO 8601."""
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
        case _:
            return value
