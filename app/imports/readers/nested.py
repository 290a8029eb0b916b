"""Reads rows of nested documents (JSON, NDJSON, YAML) event by event, without loading the whole document."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from json import JSONDecodeError, loads
from typing import Any, Final, Protocol

import ijson
import orjson

from app.errors import suggest_nearest
from app.imports.readers.options import BlankRowCounter, FileRefused, FileRow, ReadLimits, quote_text
from app.imports.readers.text import DecodedText

Event = tuple[str, Any]
"""A kind (start_map, map_key, end_map, start_array, end_array or the kind of a value) and a value."""

START_EVENTS: Final = frozenset({"start_map", "start_array"})
END_EVENTS: Final = frozenset({"end_map", "end_array"})
PIECE_SIZE: Final = 1 << 16
LONG_NUMBER_PATTERN: Final = re.compile(r"[0-9]{19}")
JSON_ERRORS: Final = (ijson.JSONError, ValueError)


class EventSource(Protocol):
    """The events of a parser, in order."""

    name: str
    line: int | None
    """The line of the last event, if the parser knows it."""

    def __iter__(self) -> Iterator[Event]:
        """Yield each event. Raises `FileRefused`."""
        ...

    def begin_element(self) -> None:
        """Begin a new element: the limit of an element's size counts from here."""


class JsonEvents:
    """The events of one JSON document."""

    line: int | None = None

    def __init__(self, text: DecodedText, reopen: Callable[[ExitStack], DecodedText], limits: ReadLimits) -> None:
        """`reopen` opens the text again, to find the position of an error."""
        self.name = text.name
        self._pieces = _encode_pieces(text)
        self._reopen = reopen
        self._limits = limits
        self._bytes_read = 0
        self._element_start = 0

    def begin_element(self) -> None:
        """See `EventSource.begin_element`."""
        self._element_start = self._bytes_read

    def read(self, size: int) -> bytes:
        """Return the next bytes, for ijson. Raises `FileRefused` for an element that is too long."""
        if size == 0:
            return b""
        if self._bytes_read - self._element_start > self._limits.row_bytes + PIECE_SIZE:
            raise FileRefused(
                f"an element has more than {self._limits.row_bytes:,} bytes",
                file=self.name,
                hint="set `rows` to the path of the array with the rows",
            )
        data = next(self._pieces, b"")
        self._bytes_read += len(data)
        return data

    def __iter__(self) -> Iterator[Event]:
        """Yield each event. Raises `FileRefused`."""
        try:
            # As floats: ijson 3.6 crashes the process for a Decimal or an integer that Python refuses to create.
            yield from ijson.basic_parse(self, buf_size=PIECE_SIZE, use_float=True)
        except JSON_ERRORS as error:
            raise self._refusal(error) from error

    def _refusal(self, error: BaseException) -> FileRefused:
        line, column = self._error_position()
        message = str(error).strip("b'\"").split("\n")[0].split("\\n")[0]
        hint = "if each line is a document, set `format` to ndjson" if "trailing garbage" in message else None
        if "overflow" in message:
            message, hint = "a number is too large", "integers have up to 64 bits; put longer ones in quotes"
        if isinstance(error, UnicodeDecodeError):
            message = "an unpaired surrogate"
        return FileRefused(f"is not JSON: {message} (column {column})", file=self.name, line=line, hint=hint)

    def _error_position(self) -> tuple[int, int]:
        """Return the line and column of the first error: parse again, and byte by byte near the error."""
        before = max(self._bytes_read - 2 * PIECE_SIZE, 0)
        line, column, read = 1, 1, 0
        with ExitStack() as stack:
            events = ijson.sendable_list()
            parser = ijson.basic_parse_coro(events, use_float=True)
            try:
                for data in _encode_pieces(self._reopen(stack)):
                    for piece in [data] if read + len(data) <= before else map(bytes, zip(data, strict=True)):
                        parser.send(piece)
                        events.clear()
                        line_ends = piece.count(b"\n")
                        line += line_ends
                        column = len(piece) - piece.rfind(b"\n") if line_ends else column + len(piece)
                    read += len(data)
                parser.close()
            except JSON_ERRORS:
                pass
        return line, column


def _encode_pieces(text: DecodedText) -> Iterator[bytes]:
    """Yield the text in UTF-8, in pieces of at most `PIECE_SIZE` characters."""
    for piece in text.pieces():
        for at in range(0, len(piece), PIECE_SIZE):
            yield piece[at : at + PIECE_SIZE].encode()


class NestedDocument:
    """The rows of one document."""

    def __init__(self, events: EventSource, path: str | None, keyed: str | None, limits: ReadLimits) -> None:
        self._source = events
        self._events = iter(events)
        self._path = path.split(".") if path else []
        self._keyed = keyed
        self._limits = limits
        self._row_number = 0

    def __iter__(self) -> Iterator[FileRow]:
        """Yield each row. Raises `FileRefused`."""
        for kind, value in self._events:
            if kind == "nothing":  # an empty document
                continue
            yield from self._rows_at(self._path, kind, value)

    def _rows_at(self, path: list[str], kind: str, value: Any) -> Iterator[FileRow]:  # noqa: ANN401 - any event's
        """Yield the rows at `path` of the value that begins with this event."""
        if not path:
            yield from self._rows(kind, value)
            return
        step, *further = path
        if kind != "start_map":
            raise self._refusal(f"the path {quote_text('.'.join(self._path))} leads into a value that is not an object")
        other_keys: list[str] = []
        is_present = False
        for key in self._keys():
            inner = next(self._events)
            if key == step:
                if is_present:
                    raise self._refusal(f"{quote_text(step)} of the path to the rows occurs twice")
                is_present = True
                yield from self._rows_at(further, *inner)
            else:
                other_keys = [*other_keys, key][:50]
                self._skip(inner[0])
        if not is_present:
            hint = suggest_nearest(step, other_keys) or "set `rows` to a path that the document has"
            raise self._refusal(f"there is nothing at {quote_text('.'.join(self._path))}", hint=hint)

    def _rows(self, kind: str, value: Any) -> Iterator[FileRow]:  # noqa: ANN401 - any event's
        name = self._source.name
        if kind == "start_array":
            if self._keyed is not None:
                raise self._refusal("the rows are a list: there are no keys for the column of `keyed`")
            for inner in self._events:
                if inner[0] == "end_array":
                    return
                line = self._next_row_number()
                data = self._build_value(*inner)
                if not isinstance(data, dict):
                    raise self._refusal("is not an object", line=line)
                yield FileRow(name, line, data)
        elif kind == "start_map" and self._keyed is not None:
            for key in self._keys():
                line = self._next_row_number()
                data = self._build_value(*next(self._events))
                yield FileRow(name, line, self._with_key(key, data, line))
        elif kind == "start_map":
            line = self._next_row_number()
            yield FileRow(name, line, self._build_value(kind, value))
        else:
            raise self._refusal("contains a single value, not rows")

    def _next_row_number(self) -> int:
        """Return the line of the next row, or its number."""
        self._source.begin_element()
        self._row_number += 1
        return self._source.line or self._row_number

    def _with_key(self, key: str, data: Any, line: int) -> dict[str, Any]:  # noqa: ANN401 - any value
        name = self._keyed or ""
        row = {name: key, **(data if isinstance(data, dict) else {"value": data})}
        if row[name] != key:
            raise self._refusal(
                f"the object at {quote_text(key)} has a field {quote_text(name)} of its own",
                line=line,
                hint="change `keyed`",
            )
        return row

    def _keys(self) -> Iterator[str]:
        """Yield the keys of an open object; the caller consumes the value after each key."""
        for kind, value in self._events:
            if kind == "end_map":
                return
            self._source.begin_element()
            yield value

    def _skip(self, kind: str) -> None:
        depth = int(kind in START_EVENTS)
        while depth:
            kind, _value = next(self._events)
            self._source.begin_element()
            depth += (kind in START_EVENTS) - (kind in END_EVENTS)
            if depth > self._limits.nesting_depth:
                raise self._depth_refusal()

    def _build_value(self, kind: str, value: Any) -> Any:  # noqa: ANN401 - any value
        """Build the value that begins with this event."""
        if kind not in START_EVENTS:
            return self._check_scalar(kind, value)
        max_depth = self._limits.nesting_depth
        outer: list[tuple[Any, str]] = []
        container: Any = {} if kind == "start_map" else []
        key = ""
        for inner, inner_value in self._events:
            if inner == "map_key":
                key = self._check_scalar("string", inner_value)
                continue
            if inner in END_EVENTS:
                if not outer:
                    return container
                container, key = outer.pop()
                continue
            item: Any = (
                {} if inner == "start_map" else [] if inner == "start_array" else self._check_scalar(inner, inner_value)
            )
            if isinstance(container, dict):
                container[key] = item
            else:
                container.append(item)
            if inner in START_EVENTS:
                outer.append((container, key))
                container = item
                if len(outer) >= max_depth:
                    raise self._depth_refusal()
        raise self._refusal("breaks off")

    def _check_scalar(self, kind: str, value: Any) -> Any:  # noqa: ANN401 - any value
        if kind == "string":
            if "\0" in value:
                raise self._refusal("a text contains a NUL character")
            if len(value) > self._limits.cell_characters:
                raise self._refusal(f"a text has more than {self._limits.cell_characters:,} characters")
        elif isinstance(value, float) and not math.isfinite(value):
            raise self._refusal("a number is too large")
        return value

    def _depth_refusal(self) -> FileRefused:
        return self._refusal(f"lists and objects are nested more than {self._limits.nesting_depth} levels deep")

    def _refusal(self, detail: str, *, line: int | None = None, hint: str | None = None) -> FileRefused:
        """Return the exception with its position: `line`, or the current row."""
        where = line or self._source.line or self._row_number or None
        unit = "element" if self._source.line is None else "line"
        return FileRefused(detail, file=self._source.name, line=where, hint=hint, unit=unit)


def ndjson_rows(text: DecodedText, limits: ReadLimits, *, keeps_going: bool = False) -> Iterator[FileRow]:
    """Yield the object on each line. Raises `FileRefused`; with `keeps_going`, a line that is none is a faulty row."""
    name = text.name
    blank = BlankRowCounter(name, limits)
    for line, text_line in enumerate(text.lines(), 1):
        text.last_row_line = line
        if not text_line.strip():
            blank.add()
            continue
        try:
            yield FileRow(name, line, _parse_row(text_line, name, line, limits))
        except FileRefused as error:
            if not keeps_going:
                raise
            yield FileRow(name, line, {}, fault=error.detail)


def _parse_row(text_line: str, name: str, line: int, limits: ReadLimits) -> dict[str, Any]:
    """Return the object on a line. Raises `FileRefused`."""
    if len(text_line) > limits.row_bytes:
        raise FileRefused(f"has more than {limits.row_bytes:,} characters", file=name, line=line)
    data = _parse_line(text_line, name, line)
    if not isinstance(data, dict):
        raise FileRefused("is not an object", file=name, line=line)
    error = find_value_fault(data, limits)
    if error:
        raise FileRefused(error, file=name, line=line)
    return data


def _parse_line(text_line: str, name: str, line: int) -> Any:  # noqa: ANN401 - any value
    try:
        data = orjson.loads(text_line)
        # orjson reads long integers as floats; the standard library reads them exactly. orjson has checked the line.
        return loads(text_line) if LONG_NUMBER_PATTERN.search(text_line) else data
    except JSONDecodeError as error:  # orjson's error is a subclass
        raise FileRefused(f"is not JSON: {error.msg} (column {error.colno})", file=name, line=line) from error
    except ValueError as error:
        raise FileRefused("a number is too long", file=name, line=line) from error


def find_value_fault(value: Any, limits: ReadLimits, depth: int = 1) -> str | None:  # noqa: ANN401 - any value
    """Return what is not allowed in a parsed value (NULs, long texts, deep nesting), or None."""
    if depth > limits.nesting_depth:
        return f"lists and objects are nested more than {limits.nesting_depth} levels deep"
    for inner in (*value, *value.values()) if isinstance(value, dict) else value:
        if isinstance(inner, str):
            if "\0" in inner:
                return "a text contains a NUL character"
            if len(inner) > limits.cell_characters:
                return f"a text has more than {limits.cell_characters:,} characters"
        elif isinstance(inner, (dict, list)):
            error = find_value_fault(inner, limits, depth + 1)
            if error:
                return error
    return None
