"""Charts as Vega-Lite: the rows, texts and axes of the description, for further use in other programs."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

import orjson

from app.charts.axis import Axis, Tick
from app.charts.description import (
    ChartDescription,
    ChartOptions,
    Group,
    Mark,
    Panel,
    Row,
    Series,
    SideBySideDescription,
    Theme,
    TimelineDescription,
    TimelinePanel,
)
from app.charts.style import PALETTES, Palette

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v5.json"
ROW_HEIGHT: Final = 28
PANEL_HEIGHT: Final = 240
TEXT_SHARE: Final = 0.45
"""The share of the width that texts beside the marks take."""

Spec = dict[str, Any]


def build_vega_lite(chart: ChartDescription, options: ChartOptions) -> Spec:
    """Return a chart as a Vega-Lite specification (version 5) with its data."""
    palette = PALETTES[Theme.dark if options.theme is Theme.dark else Theme.light]
    match chart:
        case SideBySideDescription():
            rows, views = _draw_side_by_side(chart, options, palette)
            lacks = "The brackets that join figures which cannot both be true are not drawn; `usermeta` lists them."
        case TimelineDescription():
            rows, views = _draw_timeline(chart, options, palette)
            lacks = "Bands do not fade towards an open end, which an arrow shows instead."
        case _:
            raise TypeError(type(chart))
    return {
        "$schema": SCHEMA,
        "title": {
            "text": chart.title,
            "subtitle": [line for line in (chart.state, *chart.notes, chart.credit) if line],
            "anchor": "start",
        },
        "description": f"{chart.lead} {lacks}",
        "usermeta": _list_metadata(chart),
        "background": palette.paper,
        "config": _configure(palette),
        "data": {"name": "rows", "values": rows},
        "resolve": {"scale": {"color": "independent"}},
        "vconcat": views or [{"mark": "text", "height": 1, "transform": [{"filter": "false"}]}],
    }


def _list_metadata(chart: ChartDescription) -> Spec:
    brackets = chart.brackets if isinstance(chart, SideBySideDescription) else ()
    return {
        "state": chart.state,
        "notes": list(chart.notes),
        "credit": chart.credit,
        "brackets": [{"number": each.number, "a": each.a, "b": each.b, "why": each.sentence} for each in brackets],
    }


def _configure(palette: Palette) -> Spec:
    return {
        "font": "DejaVu Sans, sans-serif",
        "view": {"stroke": None},
        "axis": {
            "labelColor": palette.muted,
            "titleColor": palette.muted,
            "gridColor": palette.line,
            "domain": False,
            "tickColor": palette.line,
            "titleFontWeight": "normal",
        },
        "title": {"color": palette.ink, "subtitleColor": palette.muted, "subtitlePadding": 6},
        "text": {"color": palette.ink},
    }


def _write_mark(mark: Mark) -> Spec:
    return {
        "mark": mark.kind.value,
        "value": mark.value,
        "lower": mark.lower,
        "upper": mark.upper,
        "is_approximate": mark.is_approximate,
    }


def _encode_axis(axis: Axis, channel: str) -> Spec:
    """Return the channel of an axis, with its domain, ticks and label."""
    scale: Spec = {"type": "log" if axis.is_logarithmic else "linear", "domain": list(axis.domain), "nice": False}
    if not axis.is_logarithmic:
        scale["zero"] = True
    return {
        "type": "quantitative",
        "scale": scale,
        "axis": {
            "title": axis.label if channel == "x" else None,
            "values": [tick.value for tick in axis.ticks],
            "labelExpr": _label_expression(axis.ticks),
            "orient": "top" if channel == "x" else "left",
        },
    }


def _label_expression(ticks: Iterable[Tick]) -> str:
    """Return the expression of the texts of ticks. It is made of numbers alone."""
    labels = orjson.dumps({str(tick.value): tick.label for tick in ticks}).decode()
    return f"{labels}[datum.value]"


def _filter(*conditions: str) -> list[Spec]:
    return [{"filter": " && ".join(conditions)}]


def _draw_side_by_side(
    chart: SideBySideDescription, options: ChartOptions, palette: Palette
) -> tuple[list[Spec], list[Spec]]:
    groups = [(panel, group) for panel in chart.panels for group in panel.groups]
    rows = [
        _write_row(row, number, position, group)
        for number, (_, group) in enumerate(groups)
        for position, row in enumerate(group.rows)
    ]
    width = round(options.width * (1 - TEXT_SHARE))
    views = [_draw_group(panel, group, number, width, palette) for number, (panel, group) in enumerate(groups)]
    return rows, views


def _write_row(row: Row, number: int, position: int, group: Group) -> Spec:
    return {
        "group": number,
        "heading": group.heading,
        "is_on_question": group.is_on_question,
        "row": position,
        "claim": row.claim,
        "source": row.label,
        "time": row.time,
        "figure": row.figure,
        "as_printed": row.as_printed,
        "is_current": row.is_current,
        **_write_mark(row.mark),
    }


_TOOLTIP: Final = [{"field": name, "type": "nominal"} for name in ("source", "time", "figure", "as_printed")]


def _draw_group(panel: Panel, group: Group, number: int, width: int, palette: Palette) -> Spec:
    axis = panel.axis or Axis("", is_logarithmic=False, domain=(0, 1), ticks=())
    encoded = _encode_axis(axis, "x")
    if panel.axis is None or group is not panel.groups[0]:
        encoded["axis"] |= {"labels": False, "title": None}
    color: Spec = {
        "condition": {"test": "datum.is_current", "value": palette.accent},
        "value": palette.older,
    }

    def layer(mark: Spec, condition: str, field: str, **channels: Spec) -> Spec:
        encoding: Spec = {"x": {"field": field}, **channels}
        return {"transform": _filter(condition), "mark": mark, "encoding": encoding}

    def write(field: str, x: Spec, **mark: Any) -> Spec:  # noqa: ANN401 - properties of a mark
        encoding: Spec = {"x": x, "color": None, "text": {"field": field, "type": "nominal"}}
        return {"mark": {"type": "text", **mark}, "encoding": encoding}

    has_both = "isValid(datum.lower) && isValid(datum.upper)"
    only_lower = "isValid(datum.lower) && !isValid(datum.upper)"
    only_upper = "!isValid(datum.lower) && isValid(datum.upper)"
    dot: Spec = {"type": "point", "size": 70, "opacity": 1}
    return {
        "title": {"text": group.heading, "anchor": "start", "frame": "group", "fontSize": 12},
        "width": width,
        "height": ROW_HEIGHT * max(len(group.rows), 1),
        "transform": _filter(f"datum.group === {number}"),
        "encoding": {
            "x": encoded,
            "y": {
                "field": "row",
                "type": "ordinal",
                "scale": {"domain": list(range(len(group.rows)))},
                "axis": None,
            },
            "color": color,
            "tooltip": _TOOLTIP,
        },
        "layer": [
            layer({"type": "rule", "strokeWidth": 2}, has_both, "lower", x2={"field": "upper"}),
            layer({"type": "tick", "thickness": 2, "size": 10}, "isValid(datum.lower)", "lower"),
            layer({"type": "tick", "thickness": 2, "size": 10}, "isValid(datum.upper)", "upper"),
            layer({"type": "text", "text": "→", "fontSize": 16, "align": "left", "dx": 2}, only_lower, "lower"),
            layer({"type": "text", "text": "←", "fontSize": 16, "align": "right", "dx": -2}, only_upper, "upper"),
            layer({**dot, "filled": True}, "isValid(datum.value) && !datum.is_approximate", "value"),
            layer({**dot, "filled": False}, "isValid(datum.value) && datum.is_approximate", "value"),
            layer({**dot, "filled": False}, f"{only_lower} && !isValid(datum.value) && datum.is_approximate", "lower"),
            layer({**dot, "filled": False}, f"{only_upper} && !isValid(datum.value) && datum.is_approximate", "upper"),
            write("source", {"value": 0}, align="right", dx=-8, dy=-4, limit=260),
            write("time", {"value": 0}, align="right", dx=-8, dy=7, limit=260, fontSize=9, color=palette.muted),
            write("figure", {"value": "width"}, align="left", dx=8, limit=260),
        ],
    }


def _draw_timeline(
    chart: TimelineDescription, options: ChartOptions, palette: Palette
) -> tuple[list[Spec], list[Spec]]:
    rows: list[Spec] = [
        {
            "panel": number,
            "heading": panel.heading,
            "source": series.source,
            "is_named": series.is_named,
            "is_running": series.is_running,
            "claim": point.claim,
            "start": None if point.start is None else point.start.isoformat(),
            "end": point.end.isoformat(),
            "text": point.text,
            "status": point.status.value,
            "replaced_by": point.replaced_by,
            "level": _level_of(point.mark),
            **_write_mark(point.mark),
        }
        for number, panel in enumerate(chart.panels)
        for series in panel.series
        for point in series.points
    ]
    width = round(options.width * 0.8)
    return rows, [_draw_panel(chart, panel, number, width, palette) for number, panel in enumerate(chart.panels)]


def _level_of(mark: Mark) -> float | None:
    """Return the number at which a step stands; None for a range."""
    numbers = mark.numbers
    return mark.value if mark.value is not None else numbers[0] if len(numbers) == 1 else None


def _draw_panel(chart: TimelineDescription, panel: TimelinePanel, number: int, width: int, palette: Palette) -> Spec:
    encoded = _encode_axis(panel.axis, "y")
    color: Spec = {
        "field": "source",
        "type": "nominal",
        "legend": None,
        "scale": {
            "domain": [series.source for series in panel.series],
            "range": _list_colors(panel.series, palette),
        },
    }
    assert chart.time_axis is not None  # noqa: S101 - a chart with panels has one
    days = [_write_day(day) for day in chart.time_axis.domain]
    time: Spec = {
        "field": "end",
        "type": "temporal",
        "scale": {"domain": days},
        "axis": {
            "title": None,
            "grid": False,
            "values": [_write_day(int(tick.value)) for tick in chart.time_axis.ticks],
        },
    }
    tooltip: list[Spec] = [{"field": name, "type": "nominal"} for name in ("source", "text")]

    def layer(mark: Spec, condition: str, field: str, **channels: Spec) -> Spec:
        encoding: Spec = {"y": {"field": field}, **channels}
        return {"transform": _filter(condition), "mark": mark, "encoding": encoding}

    stands = "datum.status === 'stated'"
    line: Spec = {"type": "line", "interpolate": "step-after", "strokeWidth": 2}
    dot: Spec = {"type": "point", "size": 45, "opacity": 1}
    layers: list[Spec] = [
        layer({**line, "tooltip": None}, f"{stands} && datum.is_running", "level"),
        layer(
            {"type": "rule"},
            f"{stands} && isValid(datum.start) && isValid(datum.level)",
            "level",
            x2={"field": "start"},
        ),
        layer(
            {"type": "rule", "strokeWidth": 2},
            "isValid(datum.lower) && isValid(datum.upper)",
            "lower",
            y2={"field": "upper"},
        ),
        layer({"type": "tick", "thickness": 2, "size": 10}, "isValid(datum.lower)", "lower"),
        layer({"type": "tick", "thickness": 2, "size": 10}, "isValid(datum.upper)", "upper"),
        layer({"type": "text", "text": "↑", "dy": -6}, "isValid(datum.lower) && !isValid(datum.upper)", "lower"),
        layer({"type": "text", "text": "↓", "dy": 6}, "!isValid(datum.lower) && isValid(datum.upper)", "upper"),
        layer({**dot, "filled": True}, f"{stands} && isValid(datum.value) && !datum.is_approximate", "value"),
        layer({**dot, "filled": False}, f"{stands} && isValid(datum.level) && datum.is_approximate", "level"),
        layer(
            {**dot, "filled": False, "strokeDash": [2, 2]},
            "datum.status === 'restated' && isValid(datum.level)",
            "level",
        ),
        layer({**dot, "shape": "cross"}, "datum.status === 'retracted' && isValid(datum.level)", "level"),
        {
            "transform": [
                *_filter(stands, "datum.is_named"),
                {
                    "calculate": "datum.level === null ? datum.upper : datum.level",
                    "as": "top",
                },
                {
                    "window": [{"op": "rank", "as": "rank"}],
                    "sort": [{"field": "end", "order": "descending"}],
                    "groupby": ["source"],
                },
                *_filter("datum.rank === 1"),
            ],
            "mark": {"type": "text", "align": "left", "dx": 8, "dy": -8, "limit": 200},
            "encoding": {
                "y": {"field": "top"},
                "text": {"field": "source", "type": "nominal"},
            },
        },
    ]
    if chart.known_on is not None:
        rule = {"type": "rule", "strokeDash": [5, 3], "color": palette.ink}
        known = {"x": {"field": "known_on"}, "y": None, "color": None, "tooltip": None}
        layers.append({"data": {"values": [{"known_on": chart.known_on.isoformat()}]}, "mark": rule, "encoding": known})
    return {
        "title": {"text": panel.heading, "subtitle": panel.axis.label, "anchor": "start", "fontSize": 12},
        "width": width,
        "height": PANEL_HEIGHT,
        "transform": _filter(f"datum.panel === {number}"),
        "encoding": {"x": time, "y": encoded, "color": color, "tooltip": tooltip},
        "layer": layers,
    }


def _list_colors(series: Sequence[Series], palette: Palette) -> list[str]:
    colors = iter(palette.series)
    return [next(colors) if each.is_named else palette.older for each in reversed(series)][::-1]


def _write_day(ordinal: int) -> Spec:
    day = date.fromordinal(ordinal)
    return {"year": day.year, "month": day.month, "date": day.day}
