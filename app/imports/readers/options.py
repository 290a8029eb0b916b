"""What is said of an imported file: how to read it, how much of it, what a row is and why it was refused."""

import codecs
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.http.schema_types import Input

UNSUPPORTED_CODECS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"})
"""Python's names of codecs that take text but are no encodings of files, or slow ones."""


class FileFormat(StrEnum):
    """The formats that rows are read from."""

    csv = "csv"
    tsv = "tsv"
    json = "json"
    ndjson = "ndjson"
    yaml = "yaml"
    xlsx = "xlsx"


class FileOptions(Input):
    """How a file is read: the `[file]` table of a mapping. What is left out is found out."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a tab is a delimiter

    format: FileFormat | None = Field(
        None,
        description="The file's format. Left out, it is taken from the name's ending, else from the first bytes.",
        examples=["csv"],
    )
    encoding: str | None = Field(
        None,
        max_length=40,
        description="The encoding of a text file. Left out, it is detected: a byte order mark, UTF-8, else a guess.",
        examples=["windows-1251"],
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="What parts the cells of a CSV file. Left out, it is found among comma, semicolon, tab and bar.",
        examples=[";"],
    )
    quote: str = Field(
        '"', max_length=1, description="What encloses a CSV cell; empty if nothing does.", examples=['"', "'"]
    )
    header_row: int = Field(
        1,
        ge=1,
        le=10_000,
        description="The line, or row of a sheet, that holds the column names, from 1; what is above is skipped.",
        examples=[3],
    )
    sheet: str | None = Field(
        None, max_length=100, description="The sheet of an XLSX file. Left out: the first.", examples=["Losses"]
    )
    rows: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="JSON and YAML: the path to the array, or object, that holds the rows. Left out: the document.",
        examples=["data.items"],
    )
    keyed: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="JSON and YAML, where rows are the values of an object: the column that takes each one's key. "
        "A value that is no object becomes the column `value`.",
        examples=["date"],
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
    """How much of a file is read before it is refused."""

    cell: int = 1_000_000
    """Characters of one cell or text."""
    row: int = 2_000_000
    """Bytes of one row, element or line."""
    unpacked: int = 20_000_000_000
    """Bytes that all packed files of one reading may hold."""
    ratio: int = 1000
    """Bytes unpacked for one packed byte, once more than `ratio_from` are."""
    ratio_from: int = 100_000_000
    members: int = 100_000
    """Files of a folder or archive."""
    yaml_bytes: int = 20_000_000
    columns: int = 2_000
    depth: int = 100
    """Lists and objects inside each other."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a file: an object, or a line's cells by column name."""

    file: str
    """The given name; in a folder or archive followed by the path in it."""
    line: int
    """In text files the line where the row begins; else the number of the element or the sheet's row; from 1."""
    data: dict[str, Any]


@dataclass(slots=True)
class FileReport:
    """What was found out of one given file, folder or archive while it was read."""

    name: str
    format: FileFormat
    encoding: str | None
    delimiter: str | None
    sha256: str
    bytes: int
    rows: int


class FileRefused(Exception):
    """A file that is not read, or no further: why, and where."""

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
        """One readable line: the file, the place, what is wrong."""
        place = self.file if self.line is None else f"{self.file}, {self.unit} {self.line}"
        return "".join(c if c.isprintable() else " " for c in f"{place}: {self.detail}")


class MappingRefused(Exception):
    """A mapping that cannot be used: what is wrong, and where in it."""


def quote_text(text: object) -> str:
    """`text` as a refusal quotes it: in one short line."""
    line = "".join(c if c.isprintable() else " " for c in str(text)[:200])
    return f"“{line[:60]}…”" if len(line) > 60 else f"“{line}”"  # noqa: PLR2004 - as long as a name is
