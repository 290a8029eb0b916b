"""Rows of CSV: the delimiter found out, every row as wide as its header."""

import contextlib
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from app.imports.readers.options import FileRefused, FileRow, ReadLimits, quote_text
from app.imports.readers.text import DecodedText, split_lines

DELIMITERS: Final = ",;\t|"
SAMPLE_CHARACTERS: Final = 1 << 16
SAMPLE_ROWS: Final = 200
NO_DELIMITER: Final = "\x1f"
"""Parts the cells of a file with one column: a character that no text has."""


def header_names(cells: Sequence[str], limits: ReadLimits, *, file: str, line: int, unit: str = "line") -> list[str]:
    """The column names in `cells`, without empty columns at the end. Raises FileRefused for unnamed and double ones."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise FileRefused("holds no column names", file=file, line=line, hint="set `header_row`", unit=unit)
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


def is_repeated_header(cells: Sequence[Any], names: Sequence[str]) -> bool:
    """Whether a row is column names: all of them in any order, or most of its cells."""
    known = frozenset(names)
    words = [cell.strip() for cell in cells if isinstance(cell, str)]
    named = sum(word in known for word in words)
    return set(words) == known or (named > 1 and named * 2 > len(cells))


def detect_delimiter(head: str, quote: str, *, whole: bool) -> str | None:
    """What parts the cells of `head`: the mark that cuts its lines most evenly; None for one column.

    A `head` that is not the `whole` text may break off in the middle of its last line.
    """
    best: tuple[float, int] = (0.0, 1)
    found = below_title = None
    for mark in DELIMITERS:
        widths = _row_widths(head, mark, quote, whole=whole)
        if not widths:
            continue
        if widths[0] > 1:
            even = sum(width == widths[0] for width in widths) / len(widths)
            if (even, widths[0]) > best:
                best, found = (even, widths[0]), mark
        elif len(widths) > 2 and len(set(widths[1:])) == 1 and widths[1] > 1:  # noqa: PLR2004 - two rows agree
            below_title = below_title or mark
    # a first line of one cell above an even table is a title: read with that mark, the table's rows are refused
    return found or below_title


def _row_widths(head: str, mark: str, quote: str, *, whole: bool) -> list[int]:
    """How many cells each row of `head` has, if `mark` parts them; spreadsheets' empty cells at its end not counted."""
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


class DelimitedTable:
    """The rows of one CSV text."""

    def __init__(
        self, text: DecodedText, delimiter: str | None, quote: str, header_row: int, limits: ReadLimits
    ) -> None:
        self._text = text
        self._limits = limits
        self._lines_above_header = header_row - 1
        # Python knows one limit for the whole process: it is raised, and a lower one is checked here
        self._checks_cell_length = csv.field_size_limit(max(csv.field_size_limit(), limits.cell)) > limits.cell
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
        """Each row under the header. Raises FileRefused."""
        try:
            yield from self._rows()
        except csv.Error as fault:
            raise self._refusal(str(fault)) from fault

    def _rows(self) -> Iterator[FileRow]:
        text, reader, above, file = self._text, self._reader, self._lines_above_header, self._text.name
        names: list[str] = []
        for cells in reader:
            if any(cells):
                names = header_names(cells, self._limits, file=file, line=text.last_row_line + 1)
                text.last_row_line = above + reader.line_num
                break
            text.last_row_line = above + reader.line_num
        if not names:
            raise FileRefused("is empty", file=file)
        width = len(names)
        known = frozenset(names)
        measured = self._checks_cell_length
        for cells in reader:
            line = text.last_row_line + 1
            text.last_row_line = above + reader.line_num
            # two cells tell nearly every row from an empty one and from a header
            if len(cells) != width or not cells[0] or cells[0].strip() in known:
                if not any(cells) or (width > 1 and len(cells) == 1 and not cells[0].strip()):
                    continue
                if cells[0] or len(cells) != width:
                    self._check_width(cells, names, line)
            if measured and max(map(len, cells)) > self._limits.cell:
                raise self._refusal("field limit", line)
            yield FileRow(file, line, dict(zip(names, cells, strict=False)))

    def _check_width(self, cells: list[str], names: list[str], line: int) -> None:
        if is_repeated_header(cells, names):
            raise FileRefused(
                "the header changes here", file=self._text.name, line=line, hint="split the file at this line"
            )
        if len(cells) < len(names) or any(cells[len(names) :]):
            hint = "does a text hold the delimiter without quotes around it?"
            if len(names) == 1:
                hint = "set `header_row` if the column names are further down"
            raise FileRefused(
                f"expected {len(names)} cells, found {len(cells)}", file=self._text.name, line=line, hint=hint
            )

    def _refusal(self, fault: str, line: int | None = None) -> FileRefused:
        line = line or self._text.last_row_line + 1
        if "unexpected end" in fault:
            detail, hint = "a quote opens in the row that begins here and is never closed", "close or double it"
        elif "field limit" in fault:
            detail = f"a cell has more than {self._limits.cell:,} characters"
            hint = "is a quote opened and never closed?"
        elif "expected after" in fault:
            detail = "text follows a closing quote in the row that begins here"
            hint = "double the quotes inside a quoted text; is an earlier one never closed?"
        else:
            detail, hint = f"is not CSV: {fault}", "set `quote` and `delimiter`"
        return FileRefused(detail, file=self._text.name, line=line, hint=hint)
