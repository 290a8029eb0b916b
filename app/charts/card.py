"""The card of a topic: the question and its newest figures as a picture, for previews of links on other sites."""

from collections.abc import Mapping
from typing import Any, Final

from app.charts.canvas import Canvas, text_width
from app.charts.description import ChartOptions
from app.charts.side_by_side import write_credit
from app.charts.style import FONT_SIZES, style_of
from app.charts.text import cut_text, wrap_text
from app.enums import Verdict
from app.sentences.phrases import capitalize_first
from app.topics.brief_text import describe_end

CARD_WIDTH: Final = 600
CARD_HEIGHT: Final = 315
"""The size of the picture; a PNG has twice as many pixels: 1200 by 630, as Open Graph recommends."""
CARD_ROWS: Final = 6
MARGIN: Final = 24
ROW_HEIGHT: Final = 24
MAX_TITLE_LINES: Final = 3

BriefObject = Mapping[str, Any]


def draw_card(brief: BriefObject, options: ChartOptions) -> str:
    """Return the card of a brief as an SVG document of a fixed size."""
    canvas = Canvas(CARD_WIDTH)
    width = CARD_WIDTH - 2 * MARGIN
    canvas.y = 14
    lines = wrap_text(brief["topic"]["title"], width, FONT_SIZES["title"], is_bold=True)
    if len(lines) > MAX_TITLE_LINES:
        lines = [*lines[: MAX_TITLE_LINES - 1], f"{lines[MAX_TITLE_LINES - 1]} …"]
    for line in lines:
        canvas.paragraph(MARGIN, line, width, size="title")
    canvas.y += 6
    group = brief["groups"][0] if brief["groups"] else None
    canvas.paragraph(MARGIN, capitalize_first(group["title"]) if group else brief["lead"][0], width, color="muted")
    canvas.y += 4
    positions = [*group["current"], *group["earlier"]] if group else []
    current = {position["claim"] for position in group["current"]} if group else set[str]()
    room = int((CARD_HEIGHT - 50 - canvas.y) // ROW_HEIGHT)
    for position in positions[: min(room, CARD_ROWS)]:
        _draw_row(canvas, position, width, is_current=position["claim"] in current)
    contradictions = brief["verdicts"][Verdict.contradict.value]
    canvas.y = CARD_HEIGHT - 44
    if contradictions:
        pairs = "1 pair of figures" if contradictions == 1 else f"{contradictions:,} pairs of figures"
        canvas.paragraph(MARGIN, f"{pairs} cannot both be true.", width, size="heading")
    canvas.y = CARD_HEIGHT - 24
    credit = write_credit(options, brief["seq"], brief["known_on"])
    canvas.text(MARGIN, CARD_HEIGHT - 12, cut_text(credit, width, FONT_SIZES["small"]), size="small", color="muted")
    return _wrap(canvas, brief, options)


def _draw_row(canvas: Canvas, position: BriefObject, width: float, *, is_current: bool) -> None:
    """Write a source with the day to which its figure counts, and the figure at the right end."""
    color = "ink" if is_current else "muted"
    figure = position["figure"]["display"]
    source = position["source"]
    end = describe_end(position)
    label = ", ".join(part for part in (source.short_name or source.name, end) if part)
    canvas.y += ROW_HEIGHT
    room = max(width - text_width(figure) - 16, width / 3)
    canvas.text(MARGIN, canvas.y - 7, cut_text(label, room, FONT_SIZES["text"]), color=color)
    shown = cut_text(figure, width - min(room, text_width(label)) - 16, FONT_SIZES["text"])
    canvas.text(MARGIN + width, canvas.y - 7, shown, color=color, anchor="cc-end")
    canvas.line(MARGIN, canvas.y, MARGIN + width, canvas.y, "line")


def _wrap(canvas: Canvas, brief: BriefObject, options: ChartOptions) -> str:
    document = Canvas(CARD_WIDTH)
    size = {"width": str(CARD_WIDTH), "height": str(CARD_HEIGHT), "viewBox": f"0 0 {CARD_WIDTH} {CARD_HEIGHT}"}
    ids = {"aria-labelledby": "cc-card-title cc-card-desc"}
    with document.group("svg", xmlns="http://www.w3.org/2000/svg", class_="cc-chart", role="img", **size, **ids):
        document.add("title", brief["topic"]["title"], id="cc-card-title")
        document.add("desc", " ".join(brief["lead"]), id="cc-card-desc")
        document.add("style", style_of(options.theme))
        document.add("rect", width="100%", height="100%", class_="f-paper")
        document.append(canvas)
    return f"{document}\n"
