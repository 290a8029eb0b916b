"""From rows to the bytes of a file: the columns of a flat row, and how each format writes what it is given."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

RowDict = dict[str, Any]

JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
"""How JSON is written everywhere: times in UTC with `Z`."""

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which a spreadsheet formula can begin; CSV guards such cells with an apostrophe."""


@dataclass(frozen=True, slots=True)
class FlatColumn:
    """One column of a flat row: its name, the path to its value in the nested one, its type and what it means."""

    name: str
    path: tuple[str, ...]
    type: str
    description: str
    example: Any = None

    def value(self, row: RowDict) -> Any:  # noqa: ANN401 - as the type says
        """The value in `row`; None where a part of the path is missing."""
        found: Any = row
        for step in self.path:
            if isinstance(found, list):
                found = found[0] if found else None
            if found is None:
                return None
            found = found.get(step)  # a tombstone has lost most of them
        return found


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How each row is written: nested JSON (no columns), or flat, as JSON or as a line of CSV."""

    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The name of each, and the path to its value."""
    is_csv: bool = False
    is_file: bool = False
    """Whether for a file, of which rows are written many at once."""

    @classmethod
    def from_columns(cls, columns: Iterable[FlatColumn], *, csv: bool = False, file: bool = False) -> "RowLayout":
        """The layout with these columns, if any."""
        return cls(tuple((column.name, column.path) for column in columns), csv, file)


NESTED_LAYOUT = RowLayout()


@dataclass(frozen=True, slots=True)
class FileWriter:
    """A format in which a list is one file, written a batch of rows at a time.

    A format that `is_flat` always needs columns; in any other a row without columns stays as nested as in JSON.
    `write_header` begins the file, even one without rows; `byte_order_mark` precedes it if `bom` asks for one. A row
    that the database has rendered already still lacks its `row_end`.
    """

    media_type: str
    is_flat: bool
    write_header: Callable[[Sequence[FlatColumn]], bytes]
    write_rows: Callable[[list[RowDict], Sequence[FlatColumn]], bytes]
    row_end: str
    byte_order_mark: bytes = b""


def flatten_rows(rows: list[RowDict], columns: Sequence[FlatColumn]) -> list[RowDict]:
    """`rows` on one level of `columns`; as they are where there are none."""
    return [{column.name: column.value(row) for column in columns} for row in rows] if columns else rows


def csv_cell(value: Any) -> str:  # noqa: ANN401 - one case for each type of column
    """One CSV cell. Empty means unknown; text that a spreadsheet would run as a formula is guarded with `'`."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
        case date():
            return value.isoformat()
        case list():
            return ";".join(value)
        case int() | float():
            return repr(value)
        case _:
            text = str(value)
            return "'" + text if text[:1] in FORMULA_PREFIXES else text


def _csv_bytes(lines: Iterable[Iterable[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(lines)
    return written.getvalue().encode()


CSV = FileWriter(
    media_type="text/csv; charset=utf-8",
    is_flat=True,
    write_header=lambda columns: _csv_bytes([[column.name for column in columns]]),
    write_rows=lambda rows, columns: _csv_bytes([csv_cell(column.value(row)) for column in columns] for row in rows),
    row_end="\r\n",
    byte_order_mark="\ufeff".encode(),
)
"""RFC 4180: CRLF, and the header is always there."""

NDJSON = FileWriter(
    media_type="application/x-ndjson",
    is_flat=False,
    write_header=lambda _columns: b"",
    write_rows=lambda rows, columns: b"".join(
        orjson.dumps(row, option=JSON_OPTIONS | orjson.OPT_APPEND_NEWLINE) for row in flatten_rows(rows, columns)
    ),
    row_end="\n",
)
"""One JSON object a line, each ended by a line feed: a list without rows is a file without bytes."""
