"""Draws the chart of a topic in one of its formats."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from app.cache.scope import CacheScope
from app.charts.build import build_side_by_side_chart, build_timeline_chart
from app.charts.card import CARD_ROWS, draw_card
from app.charts.description import ChartOptions, Theme, View
from app.charts.parameters import ChartFormat, ChartQuery
from app.charts.png import render_png
from app.charts.style import content_policy_of
from app.charts.svg import draw_svg
from app.charts.vega import build_vega_lite
from app.database.engine import Database
from app.database.read_session import read_session
from app.http.addresses import whole_address
from app.http.responses import json_bytes
from app.topics.brief import BriefLimits, build_brief
from app.topics.parameters import build_options
from app.topics.queries import read_topic_fields
from app.topics.records import topic_scope
from app.topics.side_by_side import build_question


def render_chart(
    format_: ChartFormat, slug: str, query: ChartQuery, db: Database
) -> tuple[bytes, dict[str, str], CacheScope]:
    """Return a chart as bytes, its own headers, and what it depends on."""
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        topic = read_topic_fields(read.session, slug, snapshot)
        comparison = build_options(query, topic["tolerance"], topic["narrower"])
        scope = topic_scope(snapshot.latest_seq, topic, comparison.narrower)
        options = ChartOptions(
            width=query.width,
            theme=query.theme,
            scale=query.scale,
            address=whole_address(f"/topics/{slug}"),
            day=snapshot.today,
        )
        if query.view is View.card:
            limits = BriefLimits(positions=CARD_ROWS)
            brief = build_brief(read, build_question(topic), comparison, snapshot, topic["interests"], limits)
            return *_encode_picture(format_, partial(draw_card, brief), options), scope
        build = build_timeline_chart if query.view is View.timeline else build_side_by_side_chart
        chart = build(read, topic, comparison, snapshot, options)
    if format_ is ChartFormat.vega_lite:
        return json_bytes(build_vega_lite(chart, options)), {}, scope
    return *_encode_picture(format_, partial(draw_svg, chart), options), scope


def _encode_picture(
    format_: ChartFormat, draw: Callable[[ChartOptions], str], options: ChartOptions
) -> tuple[bytes, dict[str, str]]:
    """Return a chart as SVG with the policy of its style, or as PNG, which has one theme."""
    if format_ is ChartFormat.svg:
        return draw(options).encode(), {"Content-Security-Policy": content_policy_of(options.theme)}
    theme = Theme.dark if options.theme is Theme.dark else Theme.light
    return render_png(draw(replace(options, theme=theme))), {}
