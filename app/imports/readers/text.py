"""Decodes the text of a file: detects its encoding and reads lines of limited length."""

import codecs
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from charset_normalizer import from_bytes

from app.imports.readers.archives import CHUNK_BYTES, UnpackedStream
from app.imports.readers.options import FileRefused, ReadLimits

BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks; UTF-32 first, as its mark begins with that of UTF-16."""
GUESSED_ENCODINGS: Final = ["cp1251", "cp1252", "koi8_r", "cp866"]
"""Encodings that are guessed. More of them (1250, 1254, …) differ by few letters and would make every guess worse."""
SAMPLE_BYTES: Final = 1 << 16
MAX_BAD_BYTES_RATIO: Final = 4
"""Invalid bytes per valid multi-byte sequence up to which a file counts as UTF-8 with errors."""

NOT_ASCII: Final = re.compile("[^\x00-\x7f]")
ESCAPED_BYTE: Final = re.compile("[\udc80-\udcff]")
"""An invalid byte, as the error handler `surrogateescape` decodes it."""


def detect_encoding(stream: UnpackedStream) -> str:
    """Return Python's name of the encoding: by byte order mark, else UTF-8, else a guess from the non-ASCII lines.

    Reads up to the first bytes that are not ASCII, and a sample from there. Raises `FileRefused` if no encoding fits.
    """
    data = stream.read()
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    while data.isascii():
        data = stream.read()
        if not data:
            return "utf-8"
    data += stream.read()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(data)
    bad = len(ESCAPED_BYTE.findall(text))
    good = len(NOT_ASCII.findall(text)) - bad
    if good * MAX_BAD_BYTES_RATIO >= bad:
        return "utf-8"
    sample = b"\n".join(line for line in data.splitlines() if not line.isascii())[:SAMPLE_BYTES]
    best = from_bytes(sample, cp_isolation=GUESSED_ENCODINGS).best()
    if best is None:
        raise FileRefused("its encoding is not known", file=stream.name, hint="set `encoding`, e.g. windows-1250")
    return str(best.encoding)


def display_encoding(encoding: str) -> str:
    """Return the name of `encoding` for reports."""
    return {"utf-8-sig": "utf-8", "cp1251": "windows-1251", "cp1252": "windows-1252"}.get(encoding, encoding)


class DecodedText:
    """The text of a file, decoded strictly and incrementally."""

    def __init__(self, stream: UnpackedStream, encoding: str, limits: ReadLimits) -> None:
        self.name = stream.name
        self.last_row_line = 0
        """The line on which the last complete row ended; the reader sets it."""
        self._stream = stream
        self._limits = limits
        # The byte order mark is removed also if `encoding` is UTF-8.
        self._encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        self._pieces = self.pieces()

    def head(self) -> str:
        """Return the beginning, up to `CHUNK_BYTES`, without consuming it."""
        first = next(self._pieces, "")
        self._pieces = chain([first] if first else [], self._pieces)
        return first

    def pieces(self) -> Iterator[str]:
        """Yield pieces of the text. Raises `FileRefused` for invalid bytes, with line and byte."""
        decoder = codecs.getincrementaldecoder(self._encoding)()
        read = 0
        line = 1
        while True:
            data = self._stream.read(CHUNK_BYTES)
            pending_bytes = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                byte = read - pending_bytes + error.start
                line += error.object[: error.start].count(b"\n")
                raise FileRefused(
                    f"byte {byte} is not {display_encoding(self._encoding)}",
                    file=self.name,
                    line=line,
                    hint="the file mixes encodings, or `encoding` names another one",
                ) from error
            except UnicodeError as error:
                raise FileRefused(f"is not {display_encoding(self._encoding)}: {error}", file=self.name) from error
            if text:
                yield text
                line += text.count("\n")
            if not data:
                return
            read += len(data)

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends (LF, CRLF or CR). Raises `FileRefused` for NULs and long rows."""
        rest = ""
        count = 0
        row_line, unfinished_characters, piece_characters = -1, 0, 0
        for text in self._pieces:
            if "\0" in text:
                count += max(len(split_lines(rest + text[: text.index("\0")])), 1)
                raise FileRefused("contains a NUL character", file=self.name, line=count, hint="is it text in UTF-16?")
            # All lines of the last piece are consumed: count the characters since the last row that ended in one.
            if row_line == self.last_row_line:
                unfinished_characters += piece_characters
            else:
                row_line, unfinished_characters = self.last_row_line, 0
            piece_characters = len(text)
            if unfinished_characters > self._limits.row_bytes or len(rest) > self._limits.row_bytes:
                raise FileRefused(
                    f"the row that begins here has more than {self._limits.row_bytes:,} characters",
                    file=self.name,
                    line=self.last_row_line + 1,
                    hint="is a quote opened and never closed?",
                )
            complete_lines = split_lines(rest + text)
            # A CR may be the first half of a CRLF.
            rest = "" if complete_lines[-1].endswith("\n") else complete_lines.pop()
            count += len(complete_lines)
            yield from complete_lines
        if rest:
            yield rest


def split_lines(text: str) -> list[str]:
    """Split `text` after LF, CRLF and CR only (`str.splitlines` splits at more characters)."""
    return io.StringIO(text, newline="").readlines()
