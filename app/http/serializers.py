"""Serializers: rows as CSV and NDJSON, nested or as flat rows with columns."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

RowDict = dict[str, Any]

JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
"""The JSON options of all responses: times in UTC with `Z`."""

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which a spreadsheet formula can begin; CSV guards such cells with an apostrophe."""


@dataclass(frozen=True, slots=True)
class FlatColumn:
    """A column of a flat row: its name, the path of its value in the nested row, its type and description."""

    name: str
    path: tuple[str, ...]
    type: str
    description: str
    example: Any = None

    def value(self, row: RowDict) -> Any:  # noqa: ANN401 - the type varies by column
        """Return the value of the column in `row`; None if a part of the path is missing.

        Of a list of objects it is that of the leading one, or else of the first.
        """
        value: Any = row
        for step in self.path:
            if isinstance(value, list):
                value = next((item for item in value if item.get("leading")), value[0]) if value else None
            if value is None:
                return None
            value = value.get(step)  # a tombstone lacks most fields
        return value


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The layout of serialized rows: nested JSON if there are no columns, else flat JSON or CSV."""

    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The name of each column, and the path of its value."""
    is_csv: bool = False
    is_file: bool = False
    """Whether the rows are lines of a file, rendered many at once."""
    interests: tuple[tuple[str, str], ...] = ()
    """Source and interest: the interests in the dispute of a topic that differ from the usual ones."""

    @classmethod
    def from_columns(cls, columns: Iterable[FlatColumn], *, csv: bool = False, file: bool = False) -> "RowLayout":
        """Return the layout for these columns; nested JSON if there are none."""
        return cls(tuple((column.name, column.path) for column in columns), csv, file)


NESTED_LAYOUT = RowLayout()


@dataclass(frozen=True, slots=True)
class FileWriter:
    """A file format of lists, written in batches of rows.

    A format that `is_flat` needs columns. In any other, rows without columns stay nested as in JSON. `write_header`
    returns the start of the file, even if it has no rows; `byte_order_mark` precedes it on request. `row_end` follows
    each row that the database rendered.
    """

    media_type: str
    is_flat: bool
    write_header: Callable[[Sequence[FlatColumn]], bytes]
    write_rows: Callable[[list[RowDict], Sequence[FlatColumn]], bytes]
    row_end: str
    byte_order_mark: bytes = b""


def flatten_rows(rows: list[RowDict], columns: Sequence[FlatColumn]) -> list[RowDict]:
    """Return `rows` as flat rows with `columns`; unchanged if there are no columns."""
    return [{column.name: column.value(row) for column in columns} for row in rows] if columns else rows


def csv_cell(value: Any) -> str:  # noqa: ANN401 - one case for each type of column
    """Return a value as a CSV cell. Empty means unknown. Text that a spreadsheet would run as a formula gets a `'`."""
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
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue().encode()


CSV = FileWriter(
    media_type="text/csv; charset=utf-8",
    is_flat=True,
    write_header=lambda columns: _csv_bytes([[column.name for column in columns]]),
    write_rows=lambda rows, columns: _csv_bytes([csv_cell(column.value(row)) for column in columns] for row in rows),
    row_end="\r\n",
    byte_order_mark="\ufeff".encode(),
)
"""CSV as in RFC 4180: lines end with CRLF. A file without rows has a header."""

NDJSON = FileWriter(
    media_type="application/x-ndjson",
    is_flat=False,
    write_header=lambda _columns: b"",
    write_rows=lambda rows, columns: b"".join(
        orjson.dumps(row, option=JSON_OPTIONS | orjson.OPT_APPEND_NEWLINE) for row in flatten_rows(rows, columns)
    ),
    row_end="\n",
)
"""One JSON object per line, each followed by a line feed. A list without rows is an empty file."""
