"""The description of a chart: many positions, axes, and texts that fit. Without a database."""

from datetime import date, timedelta
from typing import Any

import pytest

from app.charts import png
from app.charts.axis import Scale, build_axis, build_time_axis
from app.charts.build import draw_brief
from app.charts.description import ChartOptions, Theme
from app.charts.png import MAX_PIXELS, render_png
from app.charts.queries import thin_out
from app.charts.side_by_side import MAX_BRACKETS, MAX_ROWS, describe_side_by_side
from app.charts.style import PALETTES, style_of
from app.charts.text import ELLIPSIS, cut_text, load_metrics, measure_text, wrap_text
from app.errors import InvalidRequest, Unavailable
from app.topics.timeline import TimelineEntry
from app.vocabulary.reference_data import SourceSummary
from tests.charts.readers import SVG, figures_of_svg, parse_svg


def make_position(number: int, value: float) -> dict[str, Any]:
    figure = {
        "as_printed": f"{value:,}",
        "display": f"{value:,} persons",
        "kind": "plain",
        "value": value,
        "lower": None,
        "upper": None,
        "approximate": False,
        "out_of": None,
        "relative_to": None,
        "unit": "persons",
    }
    return {
        "claim": f"claim-{number}",
        "source": SourceSummary(f"source-{number}", f"Source number {number}", None, "ngo", "independent"),
        "proposition": "quantity",
        "figure": figure,
        "date": "2025-01-01",
        "date_edtf": None,
        "period": {"edtf": "2024", "aggregation": "within", "per": None},
        "effective_end": date(2024, 12, 31),
        "age_days": 12,
        "age": "12 days",
    }


def make_brief(groups: list[list[dict[str, Any]]], contradictions: int = 0) -> dict[str, Any]:
    pairs = [
        {"verdict": "contradict", "a": f"claim-{number}", "b": f"claim-{number + 1}", "why": f"Sentence {number}."}
        for number in range(contradictions)
    ]
    return {
        "topic": {"title": "How many?", "category": "crowd"},
        "known_on": None,
        "tolerance": None,
        "ends_by": None,
        "window": 31,
        "seq": 7,
        "lead": ["A lead."],
        "groups": [
            {
                "title": f"group {number}, in 2024",
                "is_on_question": number == 0,
                "unit": "persons",
                "left_out": 0,
                "current": positions,
                "earlier": [],
            }
            for number, positions in enumerate(groups)
        ],
        "look": pairs,
        "verdicts": {"contradict": contradictions},
        "without_number": 0,
        "retracted": 0,
    }


def test_five_hundred_positions_fit_and_the_others_are_counted() -> None:
    many = [make_position(number, 1000 + number) for number in range(MAX_ROWS - 20)]
    more = [make_position(number, 1000 + number) for number in range(MAX_ROWS, MAX_ROWS + 40)]
    brief = make_brief([many, more])
    for width in (1600, 320):
        svg = draw_brief(brief, ChartOptions(width=width))
        root = parse_svg(svg)
        assert [each.claim for each in figures_of_svg(root)] == [each["claim"] for each in [*many, *more[:20]]]
        assert "Not drawn: 20 more positions." in svg
    picture = render_png(svg)
    width, height = (int.from_bytes(picture[start : start + 4], "big") for start in (16, 20))
    assert width * height <= MAX_PIXELS * 1.01


def test_brackets_are_limited_and_the_others_counted() -> None:
    brief = make_brief([[make_position(number, number + 1) for number in range(30)]], contradictions=25)
    chart = describe_side_by_side(brief, ChartOptions())
    assert [bracket.number for bracket in chart.brackets] == list(range(1, MAX_BRACKETS + 1))
    assert "15 more pairs of figures cannot both be true; not drawn as brackets." in chart.notes
    root = parse_svg(draw_brief(brief, ChartOptions(width=320)))
    assert len([each for each in root.iter(f"{SVG}g") if each.get("data-bracket")]) <= MAX_BRACKETS


def test_a_chart_inside_a_page_has_neither_style_nor_title_nor_credit() -> None:
    brief = make_brief([[make_position(0, 5)]])
    svg = draw_brief(brief, ChartOptions(is_inline=True, address="https://example.org/topics/crowd"))
    root = parse_svg(svg)
    assert root.find(f"{SVG}style") is None
    assert root.findtext(f"{SVG}title") == "How many?"
    assert [each.text for each in root.iter(f"{SVG}text") if each.text == "How many?"] == []
    assert "example.org" not in svg


@pytest.mark.parametrize(
    ("numbers", "scale", "expected"),
    [
        ([1, 49], None, (False, 0)),
        ([1, 50], None, (True, 1)),
        ([0, 50], None, (False, 0)),
        ([-5, 10**12], None, (False, -5)),
        ([-20, -10], None, (False, -20)),
        ([10, 20], Scale.log, (True, 10)),
        ([1, 500], Scale.linear, (False, 0)),
        ([0.2], None, (False, 0)),
        ([], None, (False, 0)),
    ],
)
def test_an_axis_is_logarithmic_only_where_that_is_honest(
    numbers: list[float], scale: Scale | None, expected: tuple[bool, float]
) -> None:
    axis = build_axis(numbers, "persons", scale)
    assert (axis.is_logarithmic, axis.domain[0]) == expected
    assert ("logarithmic" in axis.label) is axis.is_logarithmic
    assert axis.domain[0] < axis.domain[1]
    assert len(axis.ticks) >= 2
    for number in numbers:
        assert axis.domain[0] <= number <= axis.domain[1]
        assert 0 <= axis.share_of(number) <= 1


@pytest.mark.parametrize("number", [0, -1])
def test_a_logarithmic_axis_needs_positive_numbers(number: float) -> None:
    with pytest.raises(InvalidRequest, match="logarithmic"):
        build_axis([number, 5], "persons", Scale.log)


@pytest.mark.parametrize("days", [0, 1, 20, 100, 400, 2_000, 20_000])
def test_a_time_axis_has_a_few_ticks_within_it(days: int) -> None:
    first = date(1990, 3, 5)
    axis = build_time_axis([first, first + timedelta(days=days)])
    assert 1 <= len(axis.ticks) <= 13
    assert all(axis.domain[0] <= tick.value <= axis.domain[1] for tick in axis.ticks)


def test_texts_are_measured_wrapped_and_cut() -> None:
    assert measure_text("iii", 12) < measure_text("www", 12)
    assert measure_text("www", 12, is_bold=True) > measure_text("www", 12)
    assert measure_text("中文", 12) > 24
    lines = wrap_text("a long name of " + "x" * 300, 100, 12)
    assert "".join(lines).replace(" ", "") == "alongnameof" + "x" * 300
    assert all(measure_text(line, 12) <= 100 for line in lines)
    *_, last = wrap_text("word " * 50, 100, 12, max_lines=2)
    assert last.endswith(ELLIPSIS)
    assert measure_text(cut_text("w" * 50, 60, 12), 12) <= 60
    assert load_metrics().has_all("Ελλάδα Україна العربية é “x” → ≥")
    assert not load_metrics().has_all("中")


def test_many_claims_are_thinned_out_evenly() -> None:
    entries = [TimelineEntry(number, f"source-{number % 3}", None, f"claim-{number}") for number in range(3_000)]
    entries.sort(key=lambda entry: (entry.source, entry.version))
    kept = thin_out(entries, 300)
    assert 290 <= len(kept) <= 303
    for source in range(3):
        own = [entry for entry in entries if entry.source == f"source-{source}"]
        assert [entry for entry in kept if entry.source == f"source-{source}"] == own[9::10]
    assert thin_out(entries, 3_000) == entries


def contrast(one: str, two: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2)."""
    luminances = []
    for color in (one, two):
        channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)


@pytest.mark.parametrize("theme", list(PALETTES))
def test_colours_have_contrast(theme: Theme) -> None:
    palette = PALETTES[theme]
    for text in (palette.ink, palette.muted, *palette.series):
        assert contrast(text, palette.paper) >= 4.5, text
    for mark in (palette.accent, palette.older, *palette.series):
        assert contrast(mark, palette.paper) >= 3


def test_a_style_needs_no_escaping() -> None:
    for theme in Theme:
        assert not set(style_of(theme)) & set("<>&")


def test_a_time_axis_ends_where_the_calendar_does() -> None:
    for day in (date.min, date.max):
        axis = build_time_axis([day])
        assert axis.domain[0] < axis.domain[1]


def test_a_picture_waits_for_another_one_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "MAX_WAIT_SECONDS", 0.001)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>'
    with png._drawing, pytest.raises(Unavailable) as refused:
        render_png(svg)
    assert refused.value.headers == {"Retry-After": "2"}
    assert render_png(svg).startswith(b"\x89PNG")
