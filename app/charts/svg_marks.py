"""Draws the marks of figures on a horizontal axis, and the key that explains them."""

from collections.abc import Iterable
from typing import Final

from app.charts.axis import Axis
from app.charts.canvas import Canvas, text_width
from app.charts.description import Mark, MarkKind

DOT: Final = 4.5
CAP: Final = 5
"""Half the height of the end of a range."""
BAR: Final = 4
FADE: Final = 40
"""The length of a bar of which one end is unknown."""
MIN_FADE: Final = 16

Span = tuple[float, float]
"""The left and the right end of an axis, in pixels."""


def write_gradients(canvas: Canvas, prefix: str) -> None:
    """Write the gradients of bars that fade towards an unknown end."""
    with canvas.group("defs"):
        for color in ("accent", "older"):
            for name, start, end in (("right", 0, 1), ("left", 1, 0)):
                with canvas.group("linearGradient", id=f"{prefix}-{color}-{name}", x1=start, x2=end, y1=0, y2=0):
                    canvas.add("stop", offset=0, class_=f"g-{color}")
                    canvas.add("stop", offset=1, class_=f"g-{color}", stop_opacity="0.15")


def draw_mark(canvas: Canvas, mark: Mark, axis: Axis, span: Span, y: float, color: str, prefix: str) -> None:
    """Draw a figure at the height `y`: a dot, a range with two ends, or a bar that fades into an arrow."""

    def place(number: float) -> float:
        return span[0] + axis.share_of(number) * (span[1] - span[0])

    lower = None if mark.lower is None else place(mark.lower)
    upper = None if mark.upper is None else place(mark.upper)
    value = None if mark.value is None else place(mark.value)
    if lower is not None and upper is not None:
        canvas.line(lower, y, upper, y, color, "dashed" if mark.is_approximate and value is None else "bold")
        for end in (lower, upper):
            canvas.line(end, y - CAP, end, y + CAP, color, "bold")
    elif lower is not None:
        _draw_open_bar(canvas, lower, lower + FADE, y, color, f"{prefix}-{color}-right", mark)
    elif upper is not None:
        _draw_open_bar(
            canvas, upper, min(upper - MIN_FADE, max(upper - FADE, span[0])), y, color, f"{prefix}-{color}-left", mark
        )
    if value is not None:
        canvas.circle(value, y, DOT, color, is_open=mark.is_approximate)


def _draw_open_bar(canvas: Canvas, known: float, faded: float, y: float, color: str, gradient: str, mark: Mark) -> None:
    """Draw a bar from a known bound towards the unknown one."""
    canvas.add(
        "rect", x=min(known, faded), y=y - BAR / 2, width=abs(faded - known), height=BAR, fill=f"url(#{gradient})"
    )
    back = -5 if faded > known else 5
    canvas.add("path", d=_path((faded + back, y - 4), (faded, y), (faded + back, y + 4)), class_=f"cc-bold s-{color}")
    if mark.is_approximate and mark.value is None:
        canvas.circle(known, y, DOT, color, is_open=True)
    else:
        canvas.line(known, y - CAP, known, y + CAP, color, "bold")


def _path(*points: tuple[float, float]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


KEY: Final[tuple[tuple[str, Mark, str], ...]] = (
    ("point", Mark(MarkKind.point, value=0.5), "a number as stated"),
    ("approximate", Mark(MarkKind.approximate, value=0.5, is_approximate=True), "“about”"),
    ("range", Mark(MarkKind.range, lower=0.1, upper=0.9), "from … to …"),
    ("best", Mark(MarkKind.range, value=0.5, lower=0.1, upper=0.9), "with the source’s best value"),
    ("about_range", Mark(MarkKind.range, lower=0.1, upper=0.9, is_approximate=True), "about from … to …"),
    ("lower_bound", Mark(MarkKind.lower_bound, lower=0.1), "at least; no upper end is known"),
    ("upper_bound", Mark(MarkKind.upper_bound, upper=0.9), "at most; no lower end is known"),
    ("nearly", Mark(MarkKind.upper_bound, upper=0.9, is_approximate=True), "nearly"),
    ("just_over", Mark(MarkKind.lower_bound, lower=0.1, is_approximate=True), "just over"),
)
"""The marks of the key: a name, the mark on an axis from 0 to 1, and what it means."""


def key_name_of(mark: Mark) -> str:
    """Return the name of a mark in the key."""
    if mark.kind is MarkKind.range:
        if mark.value is not None:
            return "best"
        return "about_range" if mark.is_approximate else "range"
    if mark.is_approximate and mark.kind is MarkKind.lower_bound:
        return "just_over"
    if mark.is_approximate and mark.kind is MarkKind.upper_bound:
        return "nearly"
    return mark.kind.value


SAMPLE: Final = 44
"""The width of a mark in the key."""


def draw_key(canvas: Canvas, marks: Iterable[Mark], left: float, width: float, prefix: str) -> None:
    """Draw what the marks of a chart mean, below what has been written."""
    names = {key_name_of(mark) for mark in marks}
    shown = [(mark, words) for name, mark, words in KEY if name in names]
    if not shown:
        return
    axis = Axis("", is_logarithmic=False, domain=(0, 1), ticks=())
    x, y = left, canvas.y + 18
    for mark, words in shown:
        needed = SAMPLE + 8 + text_width(words, "small")
        if x > left and x + needed > left + width:
            x, y = left, y + 18
        draw_mark(canvas, mark, axis, (x, x + SAMPLE - 4), y, "accent", prefix)
        canvas.text(x + SAMPLE + 4, y + 4, words, size="small", color="muted")
        x += needed + 18
    canvas.y = y + 8
