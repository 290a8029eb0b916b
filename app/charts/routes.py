"""HTTP routes of charts, as SVG, PNG and Vega-Lite.

What draws them is imported with the first chart, so that a service starts as fast as without charts.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.charts.description import View
from app.charts.parameters import ChartFormat, ChartQuery
from app.database.engine import Database
from app.errors import NotAcceptable, invalid_field, shorten
from app.http.dependencies import Db
from app.http.negotiation import JSON_MEDIA_TYPE, join_words
from app.http.offload import offloaded
from app.http.responses import cacheable_response
from app.http.routing import api_router
from app.topics.routes import TopicSlug

router = api_router("charts")

SVG_MEDIA_TYPE = "image/svg+xml"
PNG_MEDIA_TYPE = "image/png"
MAX_CONCURRENT_CHARTS = 2
"""So many charts are drawn at once in each process; others wait without occupying a thread of the other reads."""

_renderers = ThreadPoolExecutor(MAX_CONCURRENT_CHARTS, thread_name_prefix="chart")


MEDIA_TYPES = {
    ChartFormat.svg: SVG_MEDIA_TYPE,
    ChartFormat.png: PNG_MEDIA_TYPE,
    ChartFormat.vega_lite: JSON_MEDIA_TYPE,
}

UNUSED_BY_TIMELINE = ("tolerance", "window", "ends_by")
"""The parameters of a comparison that have no effect on a timeline."""


def _describe_responses(format_: ChartFormat, description: str, **content: Any) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - OpenAPI
    return {200: {"description": description, "content": {MEDIA_TYPES[format_]: content}}}


@router.get(
    "/topics/{slug}/chart.svg",
    summary="Draw the chart of a topic (SVG)",
    operation_id="read_chart_svg",
    response_class=Response,
    responses=_describe_responses(ChartFormat.svg, "The chart as an SVG document.", schema={"type": "string"}),
)
@offloaded()
async def read_chart_svg(slug: TopicSlug, query: Annotated[ChartQuery, Query()], request: Request, db: Db) -> Response:
    """Return the positions of a topic side by side, or its claims over time, as a picture whose text is text.

    It loads nothing, and nothing in it runs.
    """
    return await _respond(ChartFormat.svg, slug, query, request, db)


@router.get(
    "/topics/{slug}/chart.png",
    summary="Draw the chart of a topic (PNG)",
    operation_id="read_chart_png",
    response_class=Response,
    responses=_describe_responses(
        ChartFormat.png,
        "The chart as a picture, with two pixels for each pixel of `width`.",
        schema={"type": "string", "format": "binary"},
        example="\u2026",
    ),
)
@offloaded()
async def read_chart_png(slug: TopicSlug, query: Annotated[ChartQuery, Query()], request: Request, db: Db) -> Response:
    """Return the same chart as a PNG, with the fonts of the service: it looks the same everywhere."""
    return await _respond(ChartFormat.png, slug, query, request, db)


@router.get(
    "/topics/{slug}/chart.vl.json",
    summary="Draw the chart of a topic (Vega-Lite)",
    operation_id="read_chart_vega_lite",
    response_class=Response,
    responses=_describe_responses(
        ChartFormat.vega_lite, "The chart as a Vega-Lite specification with its data.", schema={"type": "object"}
    ),
)
@offloaded()
async def read_chart_vega_lite(
    slug: TopicSlug, query: Annotated[ChartQuery, Query()], request: Request, db: Db
) -> Response:
    """Return the same chart as a specification for Vega-Lite, version 5, with its data and without brackets."""
    return await _respond(ChartFormat.vega_lite, slug, query, request, db)


@router.get("/topics/{slug}/chart", include_in_schema=False)
@router.get("/topics/{slug}/chart.{suffix}", include_in_schema=False)
async def refuse_suffix(suffix: str | None = None) -> Response:
    """Refuse any other format. Raises `NotAcceptable`."""
    detail = f"There is no format `{shorten(suffix)}`." if suffix else "The address of a chart has a suffix."
    raise NotAcceptable(detail, hint=f"the formats are {join_words(ChartFormat, 'and')}")


async def _respond(format_: ChartFormat, slug: str, query: ChartQuery, request: Request, db: Database) -> Response:
    """Return a chart, drawn in a thread for charts."""
    if query.view is View.timeline:
        for name in UNUSED_BY_TIMELINE:
            if name in query.model_fields_set:
                detail = f"`{name}` has no effect on a timeline."
                raise invalid_field(name, detail, hint="leave it out", location="query")
    if query.view is View.card and format_ is ChartFormat.vega_lite:
        raise invalid_field("view", "A card is a picture.", hint="ask for .png or .svg", location="query")
    loop = asyncio.get_running_loop()
    run = copy_context().run  # the thread builds addresses as the request does
    body, headers, scope = await loop.run_in_executor(_renderers, run, _render, format_, slug, query, db)
    return cacheable_response(request, body, MEDIA_TYPES[format_], headers=headers, cache_scope=scope)


def _render(
    format_: ChartFormat, slug: str, query: ChartQuery, db: Database
) -> tuple[bytes, dict[str, str], CacheScope]:
    from app.charts.render import render_chart  # noqa: PLC0415 - see the module docstring

    return render_chart(format_, slug, query, db)
