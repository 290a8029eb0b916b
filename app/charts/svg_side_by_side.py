"""Draws the side-by-side chart as SVG: one row a position, in groups, on one axis a unit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.charts.axis import Axis, is_power_of_ten
from app.charts.canvas import Canvas, text_width
from app.charts.description import Bracket, Group, MarkKind, Panel, Row, SideBySideDescription
from app.charts.svg_marks import FADE, Span, draw_key, draw_mark, write_gradients
from app.charts.text import cut_text, wrap_text

NARROW_WIDTH: Final = 480
STACKED_WIDTH: Final = 600
"""Below this width labels stand above their rows."""
WIDE_WIDTH: Final = 960
"""From this width on the day has a column of its own."""
MARGIN: Final = 12
GAP: Final = 12
LINE: Final = 15
ROW: Final = 20
LANE: Final = 17
"""The width of a bracket."""
MAX_LANES: Final = 8
MAX_NARROW_LANES: Final = 3
LEFT_PADDING: Final = 8
"""Between the left end of a plot and the start of its axis, for half a dot."""
NUMBER_ROOM: Final = 9
LONG_PANEL_ROWS: Final = 15
"""A panel of more rows repeats its ticks at the lower end."""
TEXT_SIZE: Final = 12
SMALL_SIZE: Final = 11


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a chart, in pixels."""

    source: Span
    day: Span | None
    """None if the day stands below the source."""
    plot: Span
    figure: Span
    right: float
    """The right end of the columns; brackets stand beyond it."""
    is_stacked: bool
    """Whether labels stand above the rows."""

    @property
    def axis(self) -> Span:
        """Where the axis starts and ends; beyond its end is room for an arrow."""
        return self.plot[0] + LEFT_PADDING, self.plot[1] - FADE - 4


def _plan_layout(width: int, rows: Sequence[Row], bracket_lanes: int) -> Layout:
    right = width - MARGIN - bracket_lanes * LANE
    left = float(MARGIN)
    if width < STACKED_WIDTH:
        whole = (left, right)
        return Layout(whole, None, whole, whole, right, is_stacked=True)
    room = right - left
    sources = max((text_width(row.label) for row in rows), default=0)
    days = max((text_width(row.time, "small") for row in rows), default=0)
    figures = max((text_width(row.figure) for row in rows if row.mark.kind is not MarkKind.words), default=0)
    has_day_column = width >= WIDE_WIDTH
    source_width = min(sources if has_day_column else max(sources, days), room * (0.27 if has_day_column else 0.36))
    day_width = min(days, room * 0.22) if has_day_column else 0.0
    figure_width = min(figures, room * (0.17 if has_day_column else 0.22))
    source = (left, left + source_width)
    day = (source[1] + GAP, source[1] + GAP + day_width) if has_day_column else None
    figure = (right - figure_width, right)
    plot = ((day or source)[1] + GAP, figure[0] - GAP)
    return Layout(source, day, plot, figure, right, is_stacked=False)


def draw_side_by_side(canvas: Canvas, chart: SideBySideDescription, prefix: str) -> None:
    """Draw the panels, the brackets and the key of a chart, below what has been written."""
    write_gradients(canvas, prefix)
    rows = list(chart.rows)
    lanes = _assign_lanes(chart.brackets, rows, MAX_NARROW_LANES if canvas.width < NARROW_WIDTH else MAX_LANES)
    layout = _plan_layout(canvas.width, rows, len(set(lanes.values())))
    painter = _Painter(canvas, layout, prefix)
    for panel in chart.panels:
        painter.draw_panel(panel)
    painter.note_bracket_ends(each for each in chart.brackets if each.number in lanes)
    for bracket in chart.brackets:
        if bracket.number in lanes:
            painter.draw_bracket(bracket, lanes[bracket.number])
    draw_key(canvas, (row.mark for row in rows), MARGIN, canvas.width - 2 * MARGIN, prefix)
    _draw_explanations(canvas, chart)


def _assign_lanes(brackets: Sequence[Bracket], rows: Sequence[Row], limit: int) -> dict[int, int]:
    """Return the lane of each bracket by its number, so that no two overlap; none for those beyond the last lane."""
    order = {row.claim: number for number, row in enumerate(rows)}
    spans = {each.number: sorted((order[each.a], order[each.b])) for each in brackets}
    ends: list[int] = []
    lanes: dict[int, int] = {}
    for number, (first, last) in sorted(spans.items(), key=lambda each: each[1]):
        free = next((lane for lane, end in enumerate(ends) if end < first), len(ends))
        if free >= limit:
            continue
        if free == len(ends):
            ends.append(last)
        ends[free] = last
        lanes[number] = free
    return lanes


def _draw_explanations(canvas: Canvas, chart: SideBySideDescription) -> None:
    width = canvas.width - 2 * MARGIN
    if chart.brackets:
        canvas.y += 6
        canvas.paragraph(MARGIN, "Cannot both be true:", width, size="heading")
    for bracket in chart.brackets:
        canvas.y += 3
        top = canvas.y
        canvas.paragraph(MARGIN, bracket.sentence, width, size="small", indent=22)
        draw_number(canvas, MARGIN + 8, top + 8, bracket.number)


def draw_number(canvas: Canvas, x: float, y: float, number: int) -> None:
    """Draw the number of a bracket in a circle."""
    canvas.circle(x, y, 7.5, "ink", is_open=True)
    canvas.text(x, y + 3.5, str(number), size="number", anchor="cc-middle")


class _Painter:
    """Draws panels, one below the other, and remembers where each row is."""

    def __init__(self, canvas: Canvas, layout: Layout, prefix: str) -> None:
        self._canvas = canvas
        self._layout = layout
        self._prefix = prefix
        self._centers: dict[str, float] = {}
        self._bracket_ends: list[float] = []

    def draw_panel(self, panel: Panel) -> None:
        """Draw the axis of a panel, and its groups."""
        canvas, axis = self._canvas, panel.axis
        canvas.y += 10
        if axis is None:
            for group in panel.groups:
                self._draw_group(group, None)
            return
        left = self._layout.plot[0]
        needed = text_width(axis.label, "small")
        start = left if left + needed <= canvas.width - MARGIN else max(MARGIN, canvas.width - MARGIN - needed)
        canvas.paragraph(start, axis.label, canvas.width - MARGIN - start, size="small", color="muted")
        canvas.y += 16
        self._draw_tick_labels(axis, canvas.y - 4)
        top = canvas.y
        position = canvas.mark_position()
        for group in panel.groups:
            self._draw_group(group, axis)
        if not self._layout.is_stacked:
            lines = Canvas(canvas.width)
            for (x, _), tick in zip(self._ticks(axis), axis.ticks, strict=True):
                lines.line(x, top, x, canvas.y, "muted" if tick.value == 0 > axis.domain[0] else "line")
            canvas.insert(position, lines)
        if sum(len(group.rows) for group in panel.groups) > LONG_PANEL_ROWS:
            canvas.y += 14
            self._draw_tick_labels(axis, canvas.y - 3)

    def _ticks(self, axis: Axis) -> Iterator[tuple[float, str]]:
        left, right = self._layout.axis
        return ((left + axis.share_of(tick.value) * (right - left), tick.label) for tick in axis.ticks)

    def _draw_tick_labels(self, axis: Axis, y: float) -> None:
        """Draw as many labels of ticks as have room, at equal steps; of a logarithmic axis powers of ten first."""
        ticks = list(self._ticks(axis))
        if axis.is_logarithmic:
            powers = [each for each, tick in zip(ticks, axis.ticks, strict=True) if is_power_of_ten(tick.value)]
            choices = [ticks, *([powers[::step] for step in range(1, len(powers) + 1)] if len(powers) > 1 else [])]
            choices.append([ticks[0], ticks[-1]])
        else:
            choices = [ticks[::step] for step in range(1, len(ticks) + 1)]
        boxes = next(boxes for each in (*choices, ticks[:1]) if (boxes := self._place_labels(each)) is not None)
        for middle, label in boxes:
            self._canvas.text(middle, y, label, size="small", color="muted", anchor="cc-middle")

    def _place_labels(self, ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]] | None:
        """Return labels and where their middles are; None if two of them would touch."""
        placed: list[tuple[float, str]] = []
        end = 0.0
        for x, label in ticks:
            half = text_width(label, "small") / 2
            middle = min(max(x, MARGIN + half), self._layout.right - half)
            if placed and middle - half < end + 8:
                return None
            placed.append((middle, label))
            end = middle + half
        return placed

    def _draw_group(self, group: Group, axis: Axis | None) -> None:
        canvas = self._canvas
        canvas.y += 8
        width = self._layout.right - MARGIN
        canvas.paragraph(MARGIN, group.heading, width, size="heading", is_above_lines=True)
        canvas.y += 3
        for row in group.rows:
            attributes: dict[str, str | float | None] = {
                f"data-{name}": _as_text(getattr(row.mark, name)) for name in ("value", "lower", "upper")
            }
            with canvas.group(data_claim=row.claim, data_mark=row.mark.kind.value, **attributes):
                canvas.add("title", _describe_row(row))
                if axis is None:
                    self._draw_words(row)
                elif self._layout.is_stacked:
                    self._draw_stacked(row, axis)
                else:
                    self._draw_beside(row, axis)

    def _draw_beside(self, row: Row, axis: Axis) -> None:
        canvas, layout = self._canvas, self._layout
        source, figure = layout.source, layout.figure
        names = wrap_text(row.label, source[1] - source[0], TEXT_SIZE, max_lines=3)
        figures = wrap_text(row.figure, figure[1] - figure[0], TEXT_SIZE, max_lines=5)
        below = [] if layout.day else wrap_text(row.time, source[1] - source[0], SMALL_SIZE, max_lines=2)
        height = max((len(names) + len(below)) * LINE, len(figures) * LINE) + ROW - LINE
        top, center = canvas.y, canvas.y + height / 2
        color = "ink" if row.is_current else "muted"
        y = center - (len(names) + len(below)) * LINE / 2 + 11
        for line in names:
            canvas.text(source[0], y, line, color=color, full_text=row.label if line != row.label else "")
            y += LINE
        for line in below:
            canvas.text(source[0], y, line, size="small", color="muted")
            y += LINE
        if layout.day:
            shown = cut_text(row.time, layout.day[1] - layout.day[0] + 1, SMALL_SIZE)
            canvas.text(layout.day[0], center + 4, shown, size="small", color="muted", full_text=row.time)
        y = center - len(figures) * LINE / 2 + 11
        for line in figures:
            canvas.text(figure[1], y, line, color=color, anchor="cc-end")
            y += LINE
        self._draw_line_and_mark(row, axis, center)
        canvas.y = top + height

    def _draw_stacked(self, row: Row, axis: Axis) -> None:
        """Draw a row on a narrow chart: source and figure, the day, and below them the mark."""
        canvas, layout = self._canvas, self._layout
        left, right = layout.source
        color = "ink" if row.is_current else "muted"
        figure_width = text_width(row.figure)
        canvas.y += 4
        is_beside = text_width(row.label) + 12 + figure_width <= right - left
        canvas.paragraph(left, row.label, right - left, color=color)
        baseline = canvas.y - 3.6
        if is_beside:
            canvas.text(right, baseline, row.figure, color=color, anchor="cc-end")
        else:
            for line in wrap_text(row.figure, right - left, TEXT_SIZE):
                canvas.y += LINE
                canvas.text(right, canvas.y - 3.6, line, color=color, anchor="cc-end")
        if is_beside or text_width(row.time, "small") + 12 + figure_width > right - left:
            canvas.paragraph(left, row.time, right - left, size="small", color="muted")
        else:
            canvas.text(left, canvas.y - 3.6, row.time, size="small", color="muted")
        for x, _ in self._ticks(axis):  # not behind the texts
            canvas.line(x, canvas.y + 1, x, canvas.y + 16, "line")
        self._draw_line_and_mark(row, axis, canvas.y + 8)
        canvas.y += 18

    def _draw_line_and_mark(self, row: Row, axis: Axis, y: float) -> None:
        layout = self._layout
        self._centers[row.claim] = y
        self._canvas.line(layout.plot[0], y, layout.plot[1], y, "line", "dotted")
        color = "accent" if row.is_current else "older"
        draw_mark(self._canvas, row.mark, axis, layout.axis, y, color, self._prefix)

    def _draw_words(self, row: Row) -> None:
        canvas = self._canvas
        canvas.paragraph(MARGIN, f"{row.label}: “{row.figure}” ({row.time})", self._layout.right - MARGIN)
        canvas.y += 4

    def note_bracket_ends(self, brackets: Iterable[Bracket]) -> None:
        """Note where brackets begin and end, so that no number is written there."""
        self._bracket_ends = [self._centers[claim] for each in brackets for claim in (each.a, each.b)]

    def draw_bracket(self, bracket: Bracket, lane: int) -> None:
        """Join two rows that cannot both be true."""
        x = self._layout.right + 7
        end = self._layout.right + (lane + 0.5) * LANE + 5
        top, bottom = sorted((self._centers[bracket.a], self._centers[bracket.b]))
        with self._canvas.group(data_bracket=str(bracket.number), data_a=bracket.a, data_b=bracket.b):
            self._canvas.add("title", bracket.sentence)
            path = f"M{x:.1f} {top:.1f}H{end:.1f}V{bottom:.1f}H{x:.1f}"
            self._canvas.add("path", d=path, class_="cc-bold s-ink")
            draw_number(self._canvas, end, self._place_number(top, bottom), bracket.number)

    def _place_number(self, top: float, bottom: float) -> float:
        """Return where on a bracket its number covers the end of no other one, as far as there is such a place."""
        places = [top + (bottom - top) * share for share in (0.5, 0.35, 0.65, 0.2, 0.8)]
        return next((y for y in places if all(abs(y - end) > NUMBER_ROOM for end in self._bracket_ends)), places[0])


def _as_text(number: float | None) -> str | None:
    return None if number is None else repr(number)


def _describe_row(row: Row) -> str:
    return f"{row.label}, {row.time}: {row.figure} (“{row.as_printed}”)"
