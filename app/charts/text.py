"""Measures and wraps the texts of a chart, by the advance widths of the fonts of the package.

DejaVu Sans is wider than the usual fonts of browsers, so that a text which fits here fits there too.
"""

import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FONT_FILES: Final = {weight: Path(__file__).parent / "fonts" / f"DejaVuSans{weight}.ttf" for weight in ("", "-Bold")}
"""The font files by the suffix of their weight."""

ELLIPSIS: Final = "…"
_WIDE: Final = 1.05
"""The width of a character that the fonts do not have, in ems: one of Chinese is as wide as it is high."""
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_STRONG: Final = frozenset({"L", *_RIGHT_TO_LEFT})
RIGHT_TO_LEFT_MARK: Final = "\u200f"


@dataclass(frozen=True, slots=True)
class FontMetrics:
    """The advance widths of a font, in ems by character code."""

    widths: dict[int, float]

    def measure(self, text: str, size: float) -> float:
        """Return the width of a text in pixels."""
        widths = self.widths
        return size * sum(_WIDE if (width := widths.get(ord(char))) is None else width for char in text)

    def has_all(self, text: str) -> bool:
        """Return whether the font has every character of a text."""
        return all(ord(char) in self.widths for char in text if not char.isspace())


@cache
def load_metrics(*, is_bold: bool = False) -> FontMetrics:
    """Return the metrics of a font file (OpenType tables `cmap`, `hhea`, `hmtx` and `head`)."""
    data = FONT_FILES["-Bold" if is_bold else ""].read_bytes()
    (count,) = struct.unpack_from(">H", data, 4)
    tables = {}
    for number in range(count):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, 12 + 16 * number)
        tables[tag] = offset
    (units_per_em,) = struct.unpack_from(">H", data, tables[b"head"] + 18)
    (metrics,) = struct.unpack_from(">H", data, tables[b"hhea"] + 34)
    advances = [each[0] for each in struct.iter_unpack(">HH", data[tables[b"hmtx"] : tables[b"hmtx"] + 4 * metrics])]
    glyphs = _read_character_map(data, tables[b"cmap"])
    return FontMetrics({code: advances[min(glyph, metrics - 1)] / units_per_em for code, glyph in glyphs})


def _read_character_map(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the characters of a font and their glyphs, from the table of format 4."""
    (count,) = struct.unpack_from(">H", data, start + 2)
    for number in range(count):
        (offset,) = struct.unpack_from(">I", data, start + 4 + 8 * number + 4)
        table = start + offset
        if struct.unpack_from(">H", data, table)[0] == 4:  # noqa: PLR2004 - the format
            break
    (double,) = struct.unpack_from(">H", data, table + 6)
    ends, starts = table + 14, table + 16 + double
    deltas, ranges = starts + double, starts + 2 * double
    for position in range(0, double, 2):
        (end,), (first,) = (
            struct.unpack_from(">H", data, ends + position),
            struct.unpack_from(">H", data, starts + position),
        )
        (delta,), (shift,) = (
            struct.unpack_from(">H", data, deltas + position),
            struct.unpack_from(">H", data, ranges + position),
        )
        for code in range(first, min(end, 0xFFFE) + 1):
            glyph = code
            if shift:
                (glyph,) = struct.unpack_from(">H", data, ranges + position + shift + 2 * (code - first))
            if glyph or not shift:
                yield code, (glyph + delta) % 0x10000


def measure_text(text: str, size: float, *, is_bold: bool = False) -> float:
    """Return the width of a text in pixels at a font size."""
    return load_metrics(is_bold=is_bold).measure(text, size)


def is_right_to_left(text: str) -> bool:
    """Return whether the first letter of a text belongs to a script that is written from right to left."""
    first = next((kind for char in text if (kind := unicodedata.bidirectional(char)) in _STRONG), "L")
    return first in _RIGHT_TO_LEFT


def wrap_text(
    text: str, width: float, size: float, *, is_bold: bool = False, max_lines: int | None = None
) -> list[str]:
    """Return the lines of a text, none wider than `width` pixels; the last of `max_lines` ends with an ellipsis if cut.

    A word that is wider than a line is broken.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        candidate = f"{line} {word}" if line else word
        if measure_text(candidate, size, is_bold=is_bold) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        *broken, line = _break_word(word, width, size, is_bold=is_bold)
        lines += broken
    if line:
        lines.append(line)
    if max_lines is None or len(lines) <= max_lines:
        return lines
    return [*lines[: max_lines - 1], cut_text(" ".join(lines[max_lines - 1 :]), width, size, is_bold=is_bold)]


def _break_word(word: str, width: float, size: float, *, is_bold: bool) -> Sequence[str]:
    parts = [""]
    for char in word:
        if parts[-1] and measure_text(parts[-1] + char, size, is_bold=is_bold) > width:
            parts.append("")
        parts[-1] += char
    return parts


def cut_text(text: str, width: float, size: float, *, is_bold: bool = False) -> str:
    """Return a text, cut with an ellipsis if it is wider than `width` pixels."""
    if measure_text(text, size, is_bold=is_bold) <= width:
        return text
    room = width - measure_text(ELLIPSIS, size, is_bold=is_bold)
    end, used = 0, 0.0
    for char in text:
        used += measure_text(char, size, is_bold=is_bold)
        if used > room:
            break
        end += 1
    return text[:end].rstrip() + ELLIPSIS
