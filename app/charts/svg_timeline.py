"""Draws the timeline as SVG: a panel for each thing that is counted, with steps, bands and named sources."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from app.charts.axis import TimeAxis
from app.charts.canvas import Canvas, text_width
from app.charts.description import Mark, Point, PointStatus, Series, TimelineDescription, TimelinePanel
from app.charts.style import SERIES_COLORS
from app.charts.text import cut_text
from app.sentences.dates import format_day

NARROW_WIDTH: Final = 480
MARGIN: Final = 12
PANEL_HEIGHT: Final = 260
NARROW_PANEL_HEIGHT: Final = 220
LOW_PANEL_HEIGHT: Final = 120
FEW_POINTS: Final = 2
"""A panel of so few figures is low."""
DOT: Final = 3.5
FADE: Final = 22
"""The height of a band of which one end is unknown."""
LABEL_SIZE: Final = 11
LABEL_HEIGHT: Final = 13
UNNAMED: Final = "older"

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a panel is drawn, and how days and numbers are placed in it."""

    left: float
    right: float
    top: float
    bottom: float
    time_axis: TimeAxis
    panel: TimelinePanel

    def x(self, day: date) -> float:
        """Return where a day is."""
        return self.left + self.time_axis.share_of(day) * (self.right - self.left)

    def y(self, number: float) -> float:
        """Return where a number is."""
        return self.bottom - self.panel.axis.share_of(number) * (self.bottom - self.top)


def draw_timeline(canvas: Canvas, chart: TimelineDescription, prefix: str) -> None:
    """Draw the panels and the key of a timeline, below what has been written."""
    if chart.time_axis is None:
        return
    _write_gradients(canvas, prefix)
    # The same for all panels, so that a day stands at one place in all of them.
    labels = [tick.label for panel in chart.panels for tick in panel.axis.ticks]
    left = MARGIN + max(text_width(label, "small") for label in labels) + 8
    for panel in chart.panels:
        _draw_panel(canvas, panel, chart, chart.time_axis, left, prefix)
    _draw_key(canvas, chart, prefix)


def _write_gradients(canvas: Canvas, prefix: str) -> None:
    with canvas.group("defs"):
        for color in (*(f"s{number}" for number in range(SERIES_COLORS)), UNNAMED):
            for name, start, end in (("up", 1, 0), ("down", 0, 1)):
                with canvas.group("linearGradient", id=f"{prefix}-{color}-{name}", x1=0, x2=0, y1=start, y2=end):
                    canvas.add("stop", offset=0, class_=f"g-{color}", stop_opacity="0.35")
                    canvas.add("stop", offset=1, class_=f"g-{color}", stop_opacity="0")


def _draw_panel(
    canvas: Canvas, panel: TimelinePanel, chart: TimelineDescription, time_axis: TimeAxis, left: float, prefix: str
) -> None:
    canvas.y += 12
    width = canvas.width - 2 * MARGIN
    canvas.paragraph(MARGIN, panel.heading, width, size="heading")
    canvas.paragraph(MARGIN, panel.axis.label, width, size="small", color="muted")
    top = canvas.y + FADE + 4
    height = NARROW_PANEL_HEIGHT if canvas.width < NARROW_WIDTH else PANEL_HEIGHT
    if sum(len(series.points) for series in panel.series) <= FEW_POINTS:
        height = LOW_PANEL_HEIGHT
    frame = Frame(left, canvas.width - MARGIN - 8, top, top + height, time_axis, panel)
    _draw_axes(canvas, frame)
    if chart.known_on is not None:
        _draw_rule(canvas, frame, chart.known_on)
    colors = _choose_colors(panel.series)
    for series in panel.series:
        with canvas.group(data_source=series.source):
            _draw_series(canvas, frame, series, colors[series.source], prefix)
    _draw_names(canvas, frame, [each for each in reversed(panel.series) if each.is_named], colors, chart.known_on)
    canvas.y = frame.bottom + 20


def _choose_colors(series: Sequence[Series]) -> dict[str, str]:
    named = (f"s{number}" for number in range(SERIES_COLORS))
    return {each.source: next(named) if each.is_named else UNNAMED for each in reversed(series)}


def _draw_axes(canvas: Canvas, frame: Frame) -> None:
    lowest = frame.bottom + LABEL_HEIGHT
    for tick in frame.panel.axis.ticks:
        y = frame.y(tick.value)
        canvas.line(frame.left, y, frame.right, y, "line")
        if lowest - y >= LABEL_HEIGHT:
            canvas.text(frame.left - 6, y + 4, tick.label, size="small", color="muted", anchor="cc-end")
            lowest = y
    taken = 0.0
    for tick in frame.time_axis.ticks:
        x = frame.x(date.fromordinal(int(tick.value)))
        canvas.line(x, frame.bottom, x, frame.bottom + 4, "muted")
        half = text_width(tick.label, "small") / 2
        middle = min(max(x, half), canvas.width - half - 2)
        if middle - half > taken:
            canvas.text(middle, frame.bottom + 16, tick.label, size="small", color="muted", anchor="cc-middle")
            taken = middle + half + 6
    canvas.line(frame.left, frame.bottom, frame.right, frame.bottom, "muted")


def _draw_rule(canvas: Canvas, frame: Frame, day: date) -> None:
    """Draw the selected day across a panel."""
    x = frame.x(day)
    canvas.line(x, frame.top - 8, x, frame.bottom, "ink", "dashed")
    words = f"known on {format_day(day)}"
    canvas.text(x - 4, frame.top - 4, words, size="small", anchor="cc-end")


def _draw_series(canvas: Canvas, frame: Frame, series: Series, color: str, prefix: str) -> None:
    standing = series.standing
    for point, following in zip(standing, [*standing[1:], None], strict=True):
        start, end = _span_of(frame, series, point, following)
        if end > start:
            _draw_step(canvas, frame, point.mark, start, end, color, prefix)
            if series.is_running and following is not None:
                _draw_rise(canvas, frame, point.mark, following.mark, end, color)
    for point in series.points:
        attributes: dict[str, str | float | None] = {
            f"data-{name}": _as_text(getattr(point.mark, name)) for name in ("value", "lower", "upper")
        }
        with canvas.group(
            data_claim=point.claim, data_mark=point.mark.kind.value, data_status=point.status.value, **attributes
        ):
            canvas.add("title", f"{series.source}: {point.text}")
            _draw_point(canvas, frame, point, color, prefix)
    _draw_replacements(canvas, frame, series)


def _as_text(number: float | None) -> str | None:
    return None if number is None else repr(number)


def _span_of(frame: Frame, series: Series, point: Point, following: Point | None) -> tuple[float, float]:
    """Return from where to where a figure holds: for its own period, or until the next one; a snapshot nowhere."""
    if point.start is not None:
        return frame.x(point.start), max(frame.x(point.end), frame.x(point.start) + 2)
    if not series.is_running or following is None:
        return frame.x(point.end), frame.x(point.end)
    return frame.x(point.end), frame.x(following.end)


def _draw_step(canvas: Canvas, frame: Frame, mark: Mark, start: float, end: float, color: str, prefix: str) -> None:
    """Draw what a figure says while it holds: a line at a number, a band between two, a fading band at an open end."""
    if mark.lower is not None and mark.upper is not None:
        top, bottom = frame.y(mark.upper), frame.y(mark.lower)
        canvas.add(
            "rect",
            x=start,
            y=top,
            width=end - start,
            height=max(bottom - top, 1),
            class_=f"f-{color}",
            fill_opacity="0.18",
        )
        canvas.line(start, top, end, top, color)
        canvas.line(start, bottom, end, bottom, color)
    elif mark.lower is not None:
        y = frame.y(mark.lower)
        fade = min(FADE, y - frame.top + 8)
        canvas.add("rect", x=start, y=y - fade, width=end - start, height=fade, fill=f"url(#{prefix}-{color}-up)")
        canvas.line(start, y, end, y, color, "bold")
    elif mark.upper is not None:
        y = frame.y(mark.upper)
        fade = min(FADE, frame.bottom - y)
        canvas.add("rect", x=start, y=y, width=end - start, height=max(fade, 1), fill=f"url(#{prefix}-{color}-down)")
        canvas.line(start, y, end, y, color, "bold")
    if mark.value is not None:
        y = frame.y(mark.value)
        canvas.line(start, y, end, y, color, "dashed" if mark.is_approximate else "bold")


def _draw_rise(canvas: Canvas, frame: Frame, mark: Mark, following: Mark, x: float, color: str) -> None:
    """Draw the upright part of a step, from one figure to the next; a range has no single height to start from."""
    heights = [_height_of(frame, each) for each in (mark, following)]
    if heights[0] is not None and heights[1] is not None:
        canvas.line(x, heights[0], x, heights[1], color)


def _height_of(frame: Frame, mark: Mark) -> float | None:
    if mark.value is not None:
        return frame.y(mark.value)
    known = [number for number in (mark.lower, mark.upper) if number is not None]
    return frame.y(known[0]) if len(known) == 1 else None


def _draw_point(canvas: Canvas, frame: Frame, point: Point, color: str, prefix: str) -> None:
    mark, x = point.mark, frame.x(point.end)
    if point.status is not PointStatus.stated:
        color = "older"
    if mark.lower is not None and mark.upper is not None:
        top, bottom = frame.y(mark.upper), frame.y(mark.lower)
        weight = "dotted" if point.status is not PointStatus.stated else "bold"
        canvas.line(x, top, x, bottom, color, weight)
        for y in (top, bottom):
            canvas.line(x - 4, y, x + 4, y, color, "bold")
    elif mark.lower is not None or mark.upper is not None:
        _draw_open_end(canvas, frame, mark, x, color, prefix)
    if mark.value is not None:
        is_open = mark.is_approximate or point.status is not PointStatus.stated
        canvas.circle(x, frame.y(mark.value), DOT, color, is_open=is_open)
    if point.status is PointStatus.retracted:
        y = _anchor_of(frame, mark)
        canvas.line(x - 7, y + 5, x + 7, y - 5, "ink", "bold")


def _draw_open_end(canvas: Canvas, frame: Frame, mark: Mark, x: float, color: str, prefix: str) -> None:
    """Draw a bound as a short line, with a bar that fades into an arrow towards the unknown end."""
    is_lower = mark.lower is not None
    y = frame.y(mark.lower if mark.lower is not None else mark.upper or 0)
    far = y - FADE if is_lower else y + FADE
    direction = "up" if is_lower else "down"
    canvas.add("rect", x=x - 1.5, y=min(y, far), width=3, height=FADE, fill=f"url(#{prefix}-{color}-{direction})")
    back = 4 if is_lower else -4
    path = f"M{x - 3:.1f} {far + back:.1f}L{x:.1f} {far:.1f}L{x + 3:.1f} {far + back:.1f}"
    canvas.add("path", d=path, class_=f"cc-thin s-{color}")
    canvas.line(x - 4, y, x + 4, y, color, "bold")
    if mark.is_approximate and mark.value is None:
        canvas.circle(x, y, DOT, color, is_open=True)


def _draw_replacements(canvas: Canvas, frame: Frame, series: Series) -> None:
    """Join each restated figure with the one that replaced it."""
    by_claim = {point.claim: point for point in series.points}
    for point in series.points:
        newer = by_claim.get(point.replaced_by or "")
        if newer is not None:
            ends = [(frame.x(each.end), _anchor_of(frame, each.mark)) for each in (point, newer)]
            canvas.line(*ends[0], *ends[1], "muted", "dotted")


def _anchor_of(frame: Frame, mark: Mark) -> float:
    """Return the height at which a figure is named or struck through: for a range the middle of its bar."""
    heights = [frame.y(number) for number in mark.numbers]
    return (min(heights) + max(heights)) / 2


def _draw_names(
    canvas: Canvas, frame: Frame, series: Sequence[Series], colors: dict[str, str], known_on: date | None
) -> None:
    """Write the name of each named source near its last figure, where it covers no other name and little else."""
    obstacles = list(_list_obstacles(frame, frame.panel.series))
    taken: list[Box] = []
    if known_on is not None:
        x = frame.x(known_on)
        taken += [(x - 2, frame.top - 20, x + 2, frame.bottom), (x - 170, frame.top - 16, x, frame.top)]
    for each in (each for each in series if each.points):
        point = (each.standing or list(each.points))[-1]
        x, y = frame.x(point.end), _anchor_of(frame, point.mark)
        label = cut_text(each.source, (frame.right - frame.left) * 0.62, LABEL_SIZE)
        candidates = [
            box
            for box in _candidate_boxes(x, y, text_width(label, "small"))
            if _is_inside(frame, box) and not any(_overlap(box, other) for other in taken)
        ]
        if not candidates:
            continue
        covered = [
            sum(_overlap(box, other) for other in obstacles) + abs((box[1] + box[3]) / 2 - y) / 40 for box in candidates
        ]
        box = candidates[covered.index(min(covered))]
        taken.append(box)
        middle = (box[1] + box[3]) / 2
        if abs(middle - y) > LABEL_HEIGHT:
            near = x if box[0] <= x <= box[2] else box[0] if box[0] > x else box[2]
            edge = box[3] if middle < y else box[1]
            canvas.line(x, y, near, edge if box[0] <= x <= box[2] else middle, colors[each.source])
        canvas.text(
            box[0],
            middle + 4,
            label,
            size="small",
            color=colors[each.source],
            anchor="cc-halo s-paper",
            full_text=each.source,
        )


def _list_obstacles(frame: Frame, series: Sequence[Series]) -> Iterator[Box]:
    """Yield what names should not cover: figures, and the lines between them in short pieces."""
    for each in series:
        standing = each.standing
        for point in each.points:
            x = frame.x(point.end)
            heights = [frame.y(number) for number in point.mark.numbers]
            yield x - 4, min(heights) - 4, x + 4, max(heights) + 4
        for point, following in zip(standing, [*standing[1:], None], strict=True):
            start, end = _span_of(frame, each, point, following)
            for number in {point.mark.value, point.mark.lower, point.mark.upper} - {None}:
                y = frame.y(number or 0)
                while start < end:
                    yield start, y - 1, min(start + 60, end), y + 1
                    start += 60


def _candidate_boxes(x: float, y: float, width: float) -> Iterator[Box]:
    """Yield where a name may stand: beside its figure, above and below it, then farther away."""
    for shift in (0, -10, 10, -16, 16, -30, 30, -44, 44, -58, 58, -72, 72, -90, 90, -110, 110, -130, 130):
        lefts = (x + 8, x - 8 - width) if abs(shift) < LABEL_HEIGHT else (x + 8, x - 8 - width, x - width / 2)
        for left in lefts:
            top = y + shift - LABEL_HEIGHT / 2
            yield left, top, left + width, top + LABEL_HEIGHT


def _overlap(one: Box, two: Box) -> bool:
    return one[0] < two[2] + 2 and two[0] < one[2] + 2 and one[1] < two[3] and two[1] < one[3]


def _is_inside(frame: Frame, box: Box) -> bool:
    return box[0] >= frame.left and box[2] <= frame.right + 8 and box[1] >= frame.top - 20 and box[3] <= frame.bottom


def _draw_key(canvas: Canvas, chart: TimelineDescription, prefix: str) -> None:
    """Draw what the marks mean, of those that occur."""
    points = [point for panel in chart.panels for series in panel.series for point in series.points]
    marks = [point.mark for point in points]
    words = [
        ("line", any(mark.value is not None and not mark.is_approximate for mark in marks), "a number as stated"),
        ("about", any(mark.is_approximate for mark in marks), "“about”"),
        ("band", any(mark.lower is not None and mark.upper is not None for mark in marks), "from … to …"),
        ("least", any(mark.lower is not None and mark.upper is None for mark in marks), "at least"),
        ("most", any(mark.upper is not None and mark.lower is None for mark in marks), "at most"),
        ("restated", any(point.status is PointStatus.restated for point in points), "restated later"),
        ("retracted", any(point.status is PointStatus.retracted for point in points), "retracted"),
    ]
    x, y = float(MARGIN), canvas.y + 14
    color = "s0"
    for name, occurs, text in words:
        if not occurs:
            continue
        needed = 30 + text_width(text, "small") + 16
        if x > MARGIN and x + needed > canvas.width - MARGIN:
            x, y = float(MARGIN), y + 20
        _draw_sample(canvas, name, x, y, color, prefix)
        canvas.text(x + 30, y + 4, text, size="small", color="muted")
        x += needed
    canvas.y = y + 10
    if any(series.is_running and len(series.standing) > 1 for panel in chart.panels for series in panel.series):
        note = "A total is drawn until the source states the next one. The day is the last one that a figure covers."
        canvas.paragraph(MARGIN, note, canvas.width - 2 * MARGIN, size="small", color="muted")


def _draw_sample(canvas: Canvas, name: str, x: float, y: float, color: str, prefix: str) -> None:
    end = x + 22
    match name:
        case "line":
            canvas.line(x, y, end, y, color, "bold")
            canvas.circle(x, y, DOT, color)
        case "about":
            canvas.line(x, y, end, y, color, "dashed")
            canvas.circle(x, y, DOT, color, is_open=True)
        case "band":
            canvas.add("rect", x=x, y=y - 5, width=22, height=10, class_=f"f-{color}", fill_opacity="0.18")
            for edge in (y - 5, y + 5):
                canvas.line(x, edge, end, edge, color)
        case "least":
            canvas.add("rect", x=x, y=y - 8, width=22, height=13, fill=f"url(#{prefix}-{color}-up)")
            canvas.line(x, y + 5, end, y + 5, color, "bold")
        case "most":
            canvas.add("rect", x=x, y=y - 5, width=22, height=13, fill=f"url(#{prefix}-{color}-down)")
            canvas.line(x, y - 5, end, y - 5, color, "bold")
        case "restated":
            canvas.line(x + 4, y, end, y - 4, "muted", "dotted")
            canvas.circle(x + 4, y, DOT, "older", is_open=True)
        case _:
            canvas.circle(x + 10, y, DOT, "older", is_open=True)
            canvas.line(x + 3, y + 5, x + 17, y - 5, "ink", "bold")
