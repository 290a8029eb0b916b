"""The text of a file: its encoding found out, and read as lines of bounded length."""

import codecs
import io
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
"""Encodings that are guessed; with more of them (1250, 1254, …), told apart by few letters, every guess were worse."""
SAMPLE_BYTES: Final = 1 << 16
MAX_BAD_BYTES_RATIO: Final = 4
"""A file is broken UTF-8, not another encoding, from one good sequence for so many bad bytes."""


def detect_encoding(stream: UnpackedStream) -> str:
    """The encoding of `stream`, as Python names it: by mark, else UTF-8, else a guess from lines with more than ASCII.

    Reads up to the first bytes that are not ASCII, and a sample from there. Raises FileRefused if nothing fits.
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
    bad = sum("\udc80" <= letter <= "\udcff" for letter in text)
    good = sum(letter > "\x7f" for letter in text) - bad
    if good * MAX_BAD_BYTES_RATIO >= bad:
        return "utf-8"
    telling = b"\n".join(line for line in data.splitlines() if not line.isascii())[:SAMPLE_BYTES]
    best = from_bytes(telling, cp_isolation=GUESSED_ENCODINGS).best()
    if best is None:
        raise FileRefused("its encoding is not known", file=stream.name, hint="set `encoding`, e.g. windows-1250")
    return str(best.encoding)


def display_encoding(encoding: str) -> str:
    """`encoding` as a report names it."""
    return {"utf-8-sig": "utf-8", "cp1251": "windows-1251", "cp1252": "windows-1252"}.get(encoding, encoding)


class DecodedText:
    """A file's text, decoded strictly and piece by piece."""

    def __init__(self, stream: UnpackedStream, encoding: str, limits: ReadLimits) -> None:
        self.name = stream.name
        self.last_row_line = 0
        """The line that the reader's last whole row ended on; the reader sets it."""
        self._stream = stream
        self._limits = limits
        # a mark is dropped also where UTF-8 was asked for by name
        self._encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        self._pieces = self.pieces()

    def head(self) -> str:
        """The beginning, up to `CHUNK` bytes; it is still read after that."""
        first = next(self._pieces, "")
        self._pieces = chain([first] if first else [], self._pieces)
        return first

    def pieces(self) -> Iterator[str]:
        """Pieces of the text. Raises FileRefused for bytes that are not in the encoding, with line and byte."""
        decoder = codecs.getincrementaldecoder(self._encoding)()
        read = 0
        line = 1
        while True:
            data = self._stream.read(CHUNK_BYTES)
            waiting = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as fault:
                byte = read - waiting + fault.start
                line += fault.object[: fault.start].count(b"\n")
                raise FileRefused(
                    f"byte {byte} is not {display_encoding(self._encoding)}",
                    file=self.name,
                    line=line,
                    hint="the file mixes encodings, or `encoding` names another one",
                ) from fault
            except UnicodeError as fault:
                raise FileRefused(f"is not {display_encoding(self._encoding)}: {fault}", file=self.name) from fault
            if text:
                yield text
                line += text.count("\n")
            if not data:
                return
            read += len(data)

    def lines(self) -> Iterator[str]:
        """The lines with their ends (LF, CRLF or CR). Raises FileRefused for NULs and what grows too long."""
        rest = ""
        count = 0
        ended, since, last = -1, 0, 0
        for text in self._pieces:
            if "\0" in text:
                count += max(len(split_lines(rest + text[: text.index("\0")])), 1)
                raise FileRefused("holds a NUL character", file=self.name, line=count, hint="is it text in UTF-16?")
            # all lines of the last piece were taken: did a row end in it?
            ended, since = (ended, since + last) if ended == self.last_row_line else (self.last_row_line, 0)
            last = len(text)
            if since > self._limits.row or len(rest) > self._limits.row:
                raise FileRefused(
                    f"the row that begins here has more than {self._limits.row:,} characters",
                    file=self.name,
                    line=self.last_row_line + 1,
                    hint="is a quote opened and never closed?",
                )
            found = split_lines(rest + text)
            # a CR may be the first half of a CRLF
            rest = "" if found[-1].endswith("\n") else found.pop()
            count += len(found)
            yield from found
        if rest:
            yield rest


def split_lines(text: str) -> list[str]:
    """`text` cut after LF, CRLF and CR, and nowhere else (`str.splitlines` knows more)."""
    return io.StringIO(text, newline="").readlines()
