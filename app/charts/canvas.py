"""Writes SVG elements. Every text and attribute is escaped, and characters that XML does not allow are left out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from app.charts.style import FONT_SIZES
from app.charts.text import RIGHT_TO_LEFT_MARK, is_right_to_left, measure_text, wrap_text

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no character of XML 1.0 (section 2.2)."""

LINE_HEIGHT: Final = 1.3
"""The height of a line of text, as a multiple of its font size."""


def format_coordinate(number: float) -> str:
    """Return a coordinate with at most one decimal place."""
    return f"{number:.1f}".removesuffix(".0")


class Canvas:
    """The elements of a chart, and how far down it reaches."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.y = 0.0
        """The lower edge of what has been written."""
        self._parts: list[str] = []

    def __str__(self) -> str:
        """Return the elements."""
        return "".join(self._parts)

    def append(self, other: "Canvas") -> None:
        """Write the elements of another canvas."""
        self._parts.append(str(other))

    def mark_position(self) -> int:
        """Return the position between what has been written and what follows, for `insert`."""
        return len(self._parts)

    def insert(self, position: int, other: "Canvas") -> None:
        """Write the elements of another canvas at a position, so that what follows it is drawn above them."""
        self._parts.insert(position, str(other))

    def add(self, tag: str, text: str | None = None, **attributes: str | float | None) -> None:
        """Write an element. `_` in the name of an attribute stands for `-`, and `class_` is `class`."""
        self._parts.append(_write_start(tag, attributes))
        self._parts.append("/>" if text is None else f">{_escape(text)}</{tag}>")

    @contextmanager
    def group(self, tag: str = "g", /, **attributes: str | float | None) -> Iterator[None]:
        """Write an element around what is written meanwhile."""
        self._parts.append(_write_start(tag, attributes) + ">")
        yield
        self._parts.append(f"</{tag}>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: str = "text",
        color: str = "ink",
        anchor: str = "",
        full_text: str = "",
    ) -> None:
        """Write a line of text with its baseline at `y`. `full_text` is shown on demand, if the line was cut."""
        classes = " ".join(each for each in (f"cc-{size}" if size != "text" else "", f"f-{color}", anchor) if each)
        if not full_text or full_text == text:
            self.add("text", text, x=x, y=y, class_=classes)
            return
        with self.group("text", x=x, y=y, class_=classes):
            self.add("title", full_text)
            self._parts.append(_escape(text))

    def paragraph(
        self,
        x: float,
        text: str,
        width: float,
        *,
        size: str = "text",
        color: str = "ink",
        indent: float = 0,
        is_above_lines: bool = False,
    ) -> None:
        """Write a text below what has been written, in lines. One of a script from right to left ends at the right.

        With `is_above_lines`, lines that cross the text end around its letters.
        """
        halo = "cc-halo s-paper" if is_above_lines else ""
        is_bold = size in {"title", "heading"}
        font_size = FONT_SIZES[size]
        for line in wrap_text(text, width - indent, font_size, is_bold=is_bold):
            self.y += font_size * LINE_HEIGHT
            baseline = self.y - font_size * (LINE_HEIGHT - 1)
            if is_right_to_left(text):
                # The marks put full stops and brackets at the ends of the line where they belong.
                marked = f"{RIGHT_TO_LEFT_MARK}{line}{RIGHT_TO_LEFT_MARK}"
                self.text(x + width, baseline, marked, size=size, color=color, anchor=f"cc-end {halo}".strip())
            else:
                self.text(x + indent, baseline, line, size=size, color=color, anchor=halo)

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str, weight: str = "thin") -> None:
        """Write a straight line."""
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=f"cc-{weight} s-{color}")

    def circle(self, x: float, y: float, radius: float, color: str, *, is_open: bool = False) -> None:
        """Write a dot, filled or open."""
        classes = f"f-{color}"
        if is_open:
            # `cc-bold` has no fill; a dot covers what lies below it.
            self.add("circle", cx=x, cy=y, r=radius, class_="f-paper")
            classes = f"cc-bold s-{color}"
        self.add("circle", cx=x, cy=y, r=radius, class_=classes)


def text_width(text: str, size: str = "text") -> float:
    """Return the width of a text in one of the font sizes."""
    return measure_text(text, FONT_SIZES[size], is_bold=size in {"title", "heading", "number"})


def _write_start(tag: str, attributes: dict[str, str | float | None]) -> str:
    written = [f"<{tag}"]
    for name, value in attributes.items():
        if value is not None:
            shown = value if isinstance(value, str) else format_coordinate(value)
            written.append(f" {name.rstrip('_').replace('_', '-')}={quoteattr(_strip(shown))}")
    return "".join(written)


def _strip(text: str) -> str:
    return _NOT_XML.sub("", text)


def _escape(text: str) -> str:
    return escape(_strip(text))
