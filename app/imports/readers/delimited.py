"""Reads the rows of CSV text. The delimiter is detected, and every row must be as wide as the header."""

import contextlib
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from app.imports.readers.options import BlankRowCounter, FileRefused, FileRow, ReadLimits, is_blank, quote_text
from app.imports.readers.text import DecodedText, split_lines

DELIMITERS: Final = ",;\t|"
SAMPLE_CHARACTERS: Final = 1 << 16
SAMPLE_ROWS: Final = 200
NO_DELIMITER: Final = "\x1f"
"""The delimiter of a file with one column: a character that no text contains."""


def header_names(cells: Sequence[str], limits: ReadLimits, *, file: str, line: int, unit: str = "line") -> list[str]:
    """Return the column names, without empty ones at the end. Raises `FileRefused` for missing and duplicate names."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise FileRefused("has no column names", file=file, line=line, hint="set `header_row`", unit=unit)
    if len(names) > limits.columns:
        raise FileRefused(f"has more than {limits.columns:,} columns", file=file, line=line, unit=unit)
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise FileRefused(
                f"column {number} has no name", file=file, line=line, hint="name it, or set `header_row`", unit=unit
            )
        if first.setdefault(name, number) != number:
            raise FileRefused(
                f"columns {first[name]} and {number} are both named {quote_text(name)}", file=file, line=line, unit=unit
            )
    return names


def position_names(width: int) -> list[str]:
    """Return the names of the columns of a file without column names: `c1`, `c2` and so on."""
    return [f"c{number}" for number in range(1, width + 1)]


def is_repeated_header(cells: Sequence[Any], names: Sequence[str]) -> bool:
    """Return whether a row repeats the header: all column names in any order, or mostly column names."""
    name_set = frozenset(names)
    words = [cell.strip() for cell in cells if isinstance(cell, str)]
    named = sum(word in name_set for word in words)
    return set(words) == name_set or (named > 1 and named * 2 > len(cells))


def detect_delimiter(head: str, quote: str, *, whole: bool) -> str | None:
    """Return the delimiter that divides the lines of `head` most evenly; None for one column.

    Unless `head` is the `whole` text, its last line may be incomplete.
    """
    best: tuple[float, int] = (0.0, 1)
    best_mark = title_mark = None
    for mark in DELIMITERS:
        widths = _row_widths(head, mark, quote, whole=whole)
        if not widths:
            continue
        if widths[0] > 1:
            even = sum(width == widths[0] for width in widths) / len(widths)
            if (even, widths[0]) > best:
                best, best_mark = (even, widths[0]), mark
        elif len(widths) > 2 and len(set(widths[1:])) == 1 and widths[1] > 1:  # noqa: PLR2004 - two rows agree
            title_mark = title_mark or mark
    # A first line of one cell above an even table is a title. With that delimiter its rows are refused.
    return best_mark or title_mark


def _row_widths(head: str, mark: str, quote: str, *, whole: bool) -> list[int]:
    """Return the number of cells of each row if `mark` divides them; spreadsheets append empty cells to the header."""
    lines = split_lines(head[:SAMPLE_CHARACTERS])
    if len(lines) > 1 and (len(head) > SAMPLE_CHARACTERS or not whole):
        lines.pop()
    reader = csv.reader(lines, delimiter=mark, quotechar=quote or None, quoting=_quoting(quote))
    widths: list[int] = []
    with contextlib.suppress(csv.Error):
        widths.extend(len(cells) for cells in islice(reader, SAMPLE_ROWS) if any(cell.strip() for cell in cells))
    if widths:
        usual = Counter(widths).most_common(1)[0][0]
        widths[0] = usual if widths[0] > usual > 1 else widths[0]
    return widths


def _quoting(quote: str) -> Any:  # noqa: ANN401 - the csv module's constants
    return csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE


def _faulty_row(error: FileRefused, names: Sequence[str], cells: Sequence[str]) -> FileRow:
    """Return a line that does not have the columns of the header, with all its cells."""
    more = {f"column {number}": cell for number, cell in enumerate(cells[len(names) :], len(names) + 1)}
    data = {**dict(zip(names, cells, strict=False)), **more}
    return FileRow(error.file, error.line or 0, data, True, f"{error.detail} ({error.hint})")


class DelimitedTable:
    """The rows of one CSV text. `names` are its column names, known once the first row is read."""

    def __init__(
        self,
        text: DecodedText,
        delimiter: str | None,
        quote: str,
        header_row: int,
        limits: ReadLimits,
        *,
        keeps_going: bool = False,
    ) -> None:
        """With `keeps_going`, a line with too many or too few cells is a row with a fault."""
        self._keeps_going = keeps_going
        self.names: list[str] = []
        self._text = text
        self._limits = limits
        self._has_header = header_row > 0
        self._lines_above_header = max(header_row - 1, 0)
        # The csv module has one limit per process: it is raised, and a lower one is checked here.
        self._checks_cell_length = (
            csv.field_size_limit(max(csv.field_size_limit(), limits.cell_characters)) > limits.cell_characters
        )
        head = text.head()
        if delimiter is None:
            below = "".join(split_lines(head)[self._lines_above_header :])
            delimiter = detect_delimiter(below, quote, whole=len(head) < SAMPLE_CHARACTERS)
        self.delimiter = delimiter
        lines = text.lines()
        for _ in islice(lines, self._lines_above_header):
            pass
        self._reader = csv.reader(
            lines,
            delimiter=delimiter or NO_DELIMITER,
            quotechar=quote or None,
            quoting=_quoting(quote),
            strict=True,
        )
        text.last_row_line = self._lines_above_header

    def __iter__(self) -> Iterator[FileRow]:
        """Yield each row below the header. Raises `FileRefused`."""
        try:
            yield from self._rows() if self._has_header else self._rows_by_position()
        except csv.Error as error:
            raise self._refusal(str(error)) from error

    def _rows(self) -> Iterator[FileRow]:
        text, reader, lines_above, file = self._text, self._reader, self._lines_above_header, self._text.name
        names: list[str] = []
        blank, rows = BlankRowCounter(file, self._limits), 0
        for cells in reader:
            if not all(map(is_blank, cells)):
                names = self.names = header_names(cells, self._limits, file=file, line=text.last_row_line + 1)
                text.last_row_line = lines_above + reader.line_num
                break
            blank.add()
            text.last_row_line = lines_above + reader.line_num
        if not names:
            raise FileRefused("is empty", file=file)
        width = len(names)
        name_set = frozenset(names)
        checks_cell_length = self._checks_cell_length
        for cells in reader:
            line = text.last_row_line + 1
            text.last_row_line = lines_above + reader.line_num
            # The width and the first cell are enough to exclude blank rows and repeated headers nearly always.
            if len(cells) != width or not (first := cells[0].strip()) or first in name_set:
                if not any(cells) or all(map(is_blank, cells)):
                    blank.add()
                    continue
                if (cells[0] or len(cells) != width) and (faulty := self._find_width_fault(cells, names, line)):
                    rows += 1
                    yield faulty
                    continue
            if checks_cell_length and max(map(len, cells)) > self._limits.cell_characters:
                raise self._refusal("field limit", line)
            rows += 1
            yield FileRow(file, line, dict(zip(names, cells, strict=False)), True)
        if blank.count and not rows:
            raise FileRefused("has column names, but only blank rows", file=file)

    def _find_width_fault(self, cells: list[str], names: list[str], line: int) -> FileRow | None:
        """Return a line of another width as a row with a fault. Raises `FileRefused` unless the reader keeps going."""
        try:
            self._check_width(cells, names, line)
        except FileRefused as error:
            if not self._keeps_going or is_repeated_header(cells, names):
                raise
            return _faulty_row(error, names, cells)
        return None

    def _rows_by_position(self) -> Iterator[FileRow]:
        """Yield each row of a file without column names; empty cells at the end of a row are left out."""
        text, reader, file = self._text, self._reader, self._text.name
        blank, names = BlankRowCounter(file, self._limits), position_names(0)
        for cells in reader:
            line = text.last_row_line + 1
            text.last_row_line = reader.line_num
            while cells and is_blank(cells[-1]):
                cells.pop()
            if not cells:
                blank.add()
                continue
            if len(cells) > self._limits.columns:
                raise FileRefused(f"has more than {self._limits.columns:,} columns", file=file, line=line)
            if self._checks_cell_length and max(map(len, cells)) > self._limits.cell_characters:
                raise self._refusal("field limit", line)
            if len(cells) > len(names):
                names = position_names(len(cells))
            yield FileRow(file, line, dict(zip(names, cells, strict=False)))

    def _check_width(self, cells: list[str], names: list[str], line: int) -> None:
        if is_repeated_header(cells, names):
            raise FileRefused(
                "the header changes here", file=self._text.name, line=line, hint="split the file at this line"
            )
        if len(cells) < len(names) or any(cells[len(names) :]):
            hint = "does an unquoted text contain the delimiter?"
            if len(names) == 1:
                hint = "set `header_row` if the column names are further down"
            raise FileRefused(
                f"expected {len(names)} cells, found {len(cells)}", file=self._text.name, line=line, hint=hint
            )

    def _refusal(self, error: str, line: int | None = None) -> FileRefused:
        line = line or self._text.last_row_line + 1
        if "unexpected end" in error:
            detail, hint = "a quote in the row that begins here is never closed", "close or double it"
        elif "field limit" in error:
            detail = f"a cell has more than {self._limits.cell_characters:,} characters"
            hint = "is a quote opened and never closed?"
        elif "expected after" in error:
            detail = "text follows a closing quote in the row that begins here"
            hint = "double the quotes inside a quoted text; is an earlier one never closed?"
        else:
            detail, hint = f"is not CSV: {error}", "set `quote` and `delimiter`"
        return FileRefused(detail, file=self._text.name, line=line, hint=hint)
