"""Serializers: rows as files, nested or as flat rows with columns. CSV and NDJSON are written here."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum, auto
from operator import itemgetter
from typing import Any, Protocol

import orjson

RowDict = dict[str, Any]
LinkRow = Callable[[RowDict], RowDict]

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
    is_list: bool = False
    """Whether a value is a list of values of the type."""
    values: tuple[str, ...] = ()
    """The values of an enumeration; empty for another type."""

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


class RowForm(Enum):
    """The form in which an encoder takes rows, and a database renders them."""

    csv = auto()
    """Lines of CSV."""
    json = auto()
    """Objects: nested, or flat if columns were requested."""
    cells = auto()
    """Lists with the value of each column, as JSON or as Python has it."""


@dataclass(frozen=True, slots=True)
class FileContext:
    """What a file says besides its rows: its columns, its address, and the title and terms of the register."""

    columns: Sequence[FlatColumn]
    address: str
    title: str
    terms: str | None
    bom: bool = False
    """Whether a text begins with a byte order mark."""
    link: LinkRow | None = None
    """Returns a row as an object of linked data."""


class FileEncoder(Protocol):
    """Encoder of one file, which is written from its start to its end."""

    def start(self) -> bytes:
        """Return the start of the file."""

    def encode(self, rows: Any) -> bytes:  # noqa: ANN401 - in the form of the writer
        """Return the bytes of further rows. An encoder may hold some of them back."""

    def finish(self) -> bytes:
        """Return the end of the file."""


@dataclass(frozen=True, slots=True)
class FileWriter:
    """A file format of lists.

    A format that `is_flat` has the columns of its list; in another one, rows stay nested as in JSON.
    """

    media_type: str
    row_form: RowForm
    new_encoder: Callable[[FileContext], FileEncoder]
    max_rows: int | None = None
    row_end: str = "\n"
    """What follows a row that the database rendered as a line."""

    @property
    def is_flat(self) -> bool:
        """Whether the format needs columns."""
        return self.row_form is not RowForm.json


def read_cells(lines: bytes, columns: Sequence[FlatColumn]) -> list[Sequence[Any]]:
    """Return the values of flat rows that a database rendered as lines of JSON."""
    names = [column.name for column in columns]
    rows = map(orjson.loads, lines.split(b"\n")[:-1])
    if len(names) == 1:
        return [[row[names[0]]] for row in rows]
    return list(map(itemgetter(*names), rows))


def flatten_rows(rows: list[RowDict], columns: Sequence[FlatColumn]) -> list[RowDict]:
    """Return `rows` as flat rows with `columns`; unchanged if there are no columns."""
    return [{column.name: column.value(row) for column in columns} for row in rows] if columns else rows


def json_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a nested value of a flat row, as JSON."""
    return orjson.dumps(value, option=JSON_OPTIONS).decode()


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
        case dict():
            return json_text(value)
        case int() | float():
            return repr(value)
        case _:
            text = str(value)
            return "'" + text if text[:1] in FORMULA_PREFIXES else text


def _csv_bytes(lines: Iterable[Iterable[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue().encode()


def csv_header(columns: Sequence[FlatColumn]) -> bytes:
    """Return the first line of a CSV file: the names of the columns."""
    return _csv_bytes([[column.name for column in columns]])


def csv_rows(rows: Iterable[RowDict], columns: Sequence[FlatColumn]) -> bytes:
    """Return rows as lines of a CSV file."""
    return _csv_bytes([csv_cell(column.value(row)) for column in columns] for row in rows)


def ndjson_rows(rows: list[RowDict], columns: Sequence[FlatColumn] = ()) -> bytes:
    """Return rows as lines of JSON, flat if there are columns."""
    option = JSON_OPTIONS | orjson.OPT_APPEND_NEWLINE
    return b"".join(orjson.dumps(row, option=option) for row in flatten_rows(rows, columns))


class _CsvEncoder:
    """CSV as in RFC 4180: lines end with CRLF. A file without rows has a header."""

    def __init__(self, context: FileContext) -> None:
        self._columns = context.columns
        self._mark = "\ufeff".encode() if context.bom else b""

    def start(self) -> bytes:
        return self._mark + csv_header(self._columns)

    def encode(self, rows: Iterable[RowDict] | bytes) -> bytes:
        return rows if isinstance(rows, bytes) else csv_rows(rows, self._columns)

    def finish(self) -> bytes:
        return b""


class _NdjsonEncoder:
    """One JSON object per line, each followed by a line feed. A list without rows is an empty file."""

    def __init__(self, context: FileContext) -> None:
        self._columns = context.columns

    def start(self) -> bytes:
        return b""

    def encode(self, rows: list[RowDict] | bytes) -> bytes:
        return rows if isinstance(rows, bytes) else ndjson_rows(rows, self._columns)

    def finish(self) -> bytes:
        return b""


CSV = FileWriter(
    media_type="text/csv; charset=utf-8",
    row_form=RowForm.csv,
    new_encoder=_CsvEncoder,
    row_end="\r\n",
)

NDJSON = FileWriter(media_type="application/x-ndjson", row_form=RowForm.json, new_encoder=_NdjsonEncoder)
