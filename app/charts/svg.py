"""Charts as SVG documents: title, lead and credit around what the views draw."""

from app.charts.canvas import Canvas, format_coordinate
from app.charts.description import ChartDescription, ChartOptions, SideBySideDescription, TimelineDescription
from app.charts.style import style_of
from app.charts.svg_side_by_side import MARGIN, draw_side_by_side
from app.charts.svg_timeline import draw_timeline

NAMESPACE = "http://www.w3.org/2000/svg"


def draw_svg(chart: ChartDescription, options: ChartOptions) -> str:
    """Return a chart as an SVG document, or as an element of a page."""
    canvas = Canvas(options.width)
    width = options.width - 2 * MARGIN
    prefix = "cc-sbs" if isinstance(chart, SideBySideDescription) else "cc-tl"
    if not options.is_inline:
        canvas.y = 10
        canvas.paragraph(MARGIN, chart.title, width, size="title")
    if chart.state:
        canvas.y += 4
        canvas.paragraph(MARGIN, chart.state, width, color="muted")
    if not getattr(chart, "panels", ()):
        canvas.y += 10
        canvas.paragraph(MARGIN, chart.lead, width)
    match chart:
        case SideBySideDescription():
            draw_side_by_side(canvas, chart, prefix)
        case TimelineDescription():
            draw_timeline(canvas, chart, prefix)
    if chart.notes:
        canvas.y += 8
    for note in chart.notes:
        canvas.y += 2
        canvas.paragraph(MARGIN, note, width, size="small", color="muted")
    if not options.is_inline:
        canvas.y += 10
        canvas.paragraph(MARGIN, chart.credit, width, size="small", color="muted")
    return _wrap(canvas, chart, options, prefix)


def _wrap(canvas: Canvas, chart: ChartDescription, options: ChartOptions, prefix: str) -> str:
    document = Canvas(options.width)
    height = format_coordinate(float(int(canvas.y + 12)))
    size = {"width": str(options.width), "height": height, "viewBox": f"0 0 {options.width} {height}"}
    ids = {"aria-labelledby": f"{prefix}-title {prefix}-desc"}
    with document.group("svg", xmlns=NAMESPACE, class_="cc-chart", role="img", **size, **ids):
        document.add("title", chart.title, id=f"{prefix}-title")
        document.add("desc", chart.lead, id=f"{prefix}-desc")
        if not options.is_inline:
            document.add("style", style_of(options.theme))
            document.add("rect", width="100%", height="100%", class_="f-paper")
        document.append(canvas)
    return f"{document}\n"
