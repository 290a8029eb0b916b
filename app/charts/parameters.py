"""Query parameters of charts."""

from enum import StrEnum

from pydantic import Field

from app.charts.axis import Scale
from app.charts.description import DEFAULT_WIDTH, MAX_WIDTH, MIN_WIDTH, Theme, View
from app.topics.parameters import ComparisonQuery


class ChartFormat(StrEnum):
    """The formats of a chart."""

    svg = "svg"
    png = "png"
    vega_lite = "vl.json"


class ChartQuery(ComparisonQuery):
    """Parameters of a chart."""

    view: View = Field(
        default=View.side_by_side,
        description="What is drawn: the positions `side-by-side`, all claims as a `timeline`, or a `card`: the "
        "question with its newest figures, 1200 by 630 pixels as PNG, for previews of links.",
        examples=["side-by-side"],
    )
    width: int = Field(
        default=DEFAULT_WIDTH,
        ge=MIN_WIDTH,
        le=MAX_WIDTH,
        description="The width in pixels. The height follows from the number of rows. A PNG has twice as many pixels.",
        examples=[720],
    )
    theme: Theme = Field(
        default=Theme.auto,
        description="The colours: `light`, `dark`, or `auto` for those that the reader has set. `auto` is `light` in a "
        "PNG and in Vega-Lite.",
        examples=["light"],
    )
    scale: Scale | None = Field(
        default=None,
        description="The scale of the axis: `linear` or `log`. Default: `log` where the largest number is 50 times the "
        "smallest one and all are positive, else `linear`.",
        examples=["linear"],
    )
