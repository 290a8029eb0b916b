"""Options and limits of reading files, rows and reports of files, and the exceptions of refused files and mappings."""

import codecs
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.http.schema_types import Input

UNSUPPORTED_CODECS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"})
"""Python's names of codecs that are not encodings of files, or that are slow."""


class FileFormat(StrEnum):
    """The formats of input files."""

    csv = "csv"
    tsv = "tsv"
    json = "json"
    ndjson = "ndjson"
    yaml = "yaml"
    xlsx = "xlsx"


class FileOptions(Input):
    """How a file is read: the `[file]` table of a mapping. Omitted options are detected."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a tab is a delimiter

    format: FileFormat | None = Field(
        None,
        description="The file's format. If omitted, it is taken from the name's ending, else from the first bytes.",
        examples=["csv"],
    )
    encoding: str | None = Field(
        None,
        max_length=40,
        description="The encoding of a text file. If omitted, it is detected: a byte order mark, UTF-8, else a guess.",
        examples=["windows-1251"],
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="The delimiter of a CSV file. If omitted, it is detected among comma, semicolon, tab and bar.",
        examples=[";"],
    )
    quote: str = Field(
        '"', max_length=1, description="The quote character of CSV cells; empty if there is none.", examples=['"', "'"]
    )
    header_row: int = Field(
        1,
        ge=0,
        le=10_000,
        description="The line, or row of a sheet, with the column names, from 1; lines above it are skipped. 0: there "
        "is none; the columns are `c1`, `c2` and so on, and rows can differ in width.",
        examples=[3],
    )
    sheet: str | None = Field(
        None, max_length=100, description="The sheet of an XLSX file. If omitted, the first.", examples=["Losses"]
    )
    rows: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="JSON and YAML: the path to the array or object with the rows. If omitted, the document itself.",
        examples=["data.items"],
    )
    keyed: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="JSON and YAML, if rows are the values of an object: the column that gets the key of each. "
        "A value that is not an object becomes the column `value`.",
        examples=["date"],
    )
    sql: str | None = Field(
        None,
        min_length=1,
        max_length=20_000,
        description="A query, in the SQL of DuckDB, whose result has the rows. It reads the table `rows`: all rows of "
        "all files, with `_file` and `_line`. Needs the extra `counterclaim[sql]`.",
        examples=["UNPIVOT rows ON COLUMNS('^20') INTO NAME day VALUE dead"],
    )

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, name: str | None) -> str | None:
        if name is None:
            return None
        try:
            known = codecs.lookup(name).name not in UNSUPPORTED_CODECS and isinstance("a".encode(name), bytes)
        except (LookupError, UnicodeError, ValueError):
            known = False
        if not known:
            raise PydanticCustomError("encoding", "Expected an encoding like utf-8 or windows-1251")
        return name

    @field_validator("delimiter", "quote")
    @classmethod
    def _check_mark(cls, mark: str | None) -> str | None:
        if mark is not None and mark in {"\0", "\r", "\n"}:
            raise PydanticCustomError("mark", "Expected a character that does not end a line")
        return mark

    @model_validator(mode="after")
    def _check_marks_differ(self) -> Self:
        if self.delimiter is not None and self.delimiter == self.quote:
            raise PydanticCustomError("mark", "The delimiter and the quote are the same character")
        return self


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits above which a file is refused."""

    cell_characters: int = 1_000_000
    """The length of one cell or text."""
    row_bytes: int = 2_000_000
    """The size of one row, element or line."""
    unpacked_bytes: int = 20_000_000_000
    """The unpacked size of all packed files of one import."""
    unpacked_ratio: int = 1000
    """Unpacked bytes per packed byte, checked above `unpacked_ratio_from_bytes`."""
    unpacked_ratio_from_bytes: int = 100_000_000
    blank_rows: int = 100_000
    """The number of blank rows of a file: a small archive can contain millions of them."""
    members: int = 100_000
    """The number of files in a folder or archive."""
    yaml_bytes: int = 20_000_000
    columns: int = 2_000
    nesting_depth: int = 100
    """The depth of nested lists and objects."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a file: an object, or the cells of a line by column name."""

    file: str
    """The name of the input, for a folder or archive followed by the path inside it."""
    line: int
    """The line where the row begins, or the number of the element or of the sheet's row, from 1."""
    data: dict[str, Any]
    is_table: bool = False
    """Whether the row is a line of a table, whose rows all have the same columns."""
    fault: str | None = None
    """Why the line, or the rest of the file, cannot be read. Only a reader that keeps going yields such rows."""


@dataclass(slots=True)
class FileReport:
    """What was detected while reading one file, folder or archive."""

    name: str
    format: FileFormat
    encoding: str | None
    delimiter: str | None
    sha256: str
    bytes: int
    rows: int
    header: tuple[str, ...] = ()
    """The column names of a delimited file."""
    columns: tuple[str, ...] = ()
    """The names of the columns of all rows, of the files of a series."""


class FileRefused(Exception):
    """A file cannot be read or is not safe to read."""

    def __init__(
        self, detail: str, *, file: str, line: int | None = None, hint: str | None = None, unit: str = "line"
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.file = file
        self.line = line
        self.hint = hint
        self.unit = unit

    def __str__(self) -> str:
        """Return one line with the file, the position and the reason."""
        place = self.file if self.line is None else f"{self.file}, {self.unit} {self.line}"
        return "".join(c if c.isprintable() else " " for c in f"{place}: {self.detail}")


class BlankRowCounter:
    """Counts the blank rows of a file, which are skipped."""

    def __init__(self, file: str, limits: ReadLimits) -> None:
        self.count = 0
        self._file = file
        self._max_count = limits.blank_rows

    def add(self) -> None:
        """Count a blank row. Raises `FileRefused` at the limit."""
        self.count += 1
        if self.count > self._max_count:
            detail, hint = f"has more than {self._max_count:,} blank rows", "delete them"
            raise FileRefused(detail, file=self._file, hint=hint)


def is_blank(value: object) -> bool:
    """Return whether a cell is empty or contains only white space."""
    return value is None or (isinstance(value, str) and not value.strip())


class MappingRefused(Exception):
    """A mapping is invalid."""


def quote_text(text: object) -> str:
    """Quote `text` for a message, in one short line."""
    line = "".join(c if c.isprintable() else " " for c in str(text)[:200])
    return f"“{line[:60]}…”" if len(line) > 60 else f"“{line}”"  # noqa: PLR2004 - the length of a name
