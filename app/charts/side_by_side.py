"""The description of the side-by-side chart, from the brief of a topic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from app.charts.axis import Axis, build_axis
from app.charts.description import (
    Bracket,
    ChartOptions,
    Group,
    Mark,
    MarkKind,
    Panel,
    Row,
    SideBySideDescription,
)
from app.charts.marks import AxisKey, AxisUnit, axis_unit_of, build_mark, write_axis_label
from app.enums import FigureKind, Interest, Verdict
from app.sentences.dates import describe_date, describe_known_on, format_day
from app.sentences.overview import shorten_titles
from app.sentences.phrases import capitalize_first
from app.topics.brief_text import describe_end

MAX_ROWS = 500
MAX_BRACKETS = 10
"""A chart has so many rows and brackets, and says how many more there are."""

BriefObject = Mapping[str, Any]

_INTEREST_WORDS = {Interest.party: "a party"}
"""A chart says which sources are a party to the dispute."""


def describe_side_by_side(
    brief: BriefObject, options: ChartOptions, claims_in_words: Sequence[Row] = ()
) -> SideBySideDescription:
    """Return the description of the side-by-side chart of a brief.

    Args:
        brief: The brief as a response object, with all positions.
        options: The options of the chart.
        claims_in_words: The rows of the claims without a number, which a brief only counts.

    Raises:
        InvalidRequest: The axis cannot be logarithmic, as the options want.
    """
    groups = list(_select_rows(brief["groups"], MAX_ROWS))
    units = [_find_unit(position) for group in groups for position in group["positions"]]
    axis_units: dict[AxisKey, AxisUnit] = {}
    for unit in units:
        axis_units.setdefault(unit.key, unit)
    drawn_groups = [group for group in groups if group["positions"]]
    headings = _write_headings(drawn_groups)
    window = brief["window"]
    described = [
        (
            axis_units[_find_unit(group["positions"][0]).key],
            Group(
                heading,
                group["is_on_question"],
                tuple(_build_row(position, axis_units, window, group) for position in group["positions"]),
            ),
        )
        for group, heading in zip(drawn_groups, headings, strict=True)
    ]
    axes = _build_axes(described, units, options)
    panels = [
        Panel(axes[unit.key], tuple(group for _, group in members))
        for unit, members in groupby(described, key=lambda each: each[0])
    ]
    if claims_in_words:
        panels.append(
            Panel(None, (Group("In words, without a number", is_on_question=True, rows=tuple(claims_in_words)),))
        )
    drawn = {row.claim for _, group in described for row in group.rows}
    brackets = _build_brackets(brief["look"], drawn)
    return SideBySideDescription(
        title=brief["topic"]["title"] or brief["topic"]["category"],
        lead=" ".join(brief["lead"]),
        state=describe_state(brief["known_on"], brief["tolerance"], brief["ends_by"]),
        notes=tuple(_write_notes(brief, groups, panels, len(brackets), len(claims_in_words))),
        credit=write_credit(options, brief["seq"], brief["known_on"]),
        panels=tuple(panels),
        brackets=brackets,
    )


def _select_rows(groups: Iterable[BriefObject], limit: int) -> Iterator[dict[str, Any]]:
    """Yield the groups with their positions, `limit` of them in all."""
    for group in groups:
        positions = [*((each, True) for each in group["current"]), *((each, False) for each in group["earlier"])]
        shown = positions[:limit]
        limit -= len(shown)
        yield {
            **{name: group[name] for name in ("title", "is_on_question", "unit")},
            "positions": [position for position, _ in shown],
            "current": {position["claim"] for position, is_current in shown if is_current},
            "left_out": group["left_out"] + len(positions) - len(shown),
        }


def _find_unit(position: BriefObject) -> AxisUnit:
    figure, period = position["figure"], position["period"]
    return axis_unit_of(position["proposition"], figure["unit"], period["aggregation"], period["per"], figure)


def _write_headings(groups: Sequence[BriefObject]) -> list[str]:
    titles = map(capitalize_first, shorten_titles([group["title"] for group in groups]))
    return [
        title if group["is_on_question"] else f"Counted apart: {title[:1].lower()}{title[1:]}"
        for group, title in zip(groups, titles, strict=True)
    ]


def _build_row(position: BriefObject, axis_units: Mapping[AxisKey, AxisUnit], window: int, group: BriefObject) -> Row:
    figure, source = position["figure"], position["source"]
    unit = axis_units[_find_unit(position).key]
    age = position["age_days"]
    return Row(
        claim=position["claim"],
        source=source.short_name or source.name,
        interest=_INTEREST_WORDS.get(source.interest, ""),
        day=describe_day(position),
        age=position["age"] if age is not None and age > window else "",
        figure=_shorten(figure, unit.label),
        as_printed=figure["as_printed"],
        mark=build_mark(figure, position["proposition"], figure["unit"], unit),
        is_current=position["claim"] in group["current"],
    )


def _shorten(figure: BriefObject, unit: str) -> str:
    """Return a figure without the unit that the axis names, a range as "462,000 to 728,000"."""
    text = str(figure["display"]).removesuffix(f" {unit}").replace(f" {unit} (", " (", 1)
    if figure["kind"] != FigureKind.range or figure["value"] is not None or not text.startswith("between "):
        return text
    return text.removeprefix("between ").replace(" and ", " to ")


def describe_day(position: BriefObject) -> str:
    """Return the day of a figure in words: the end of what it covers, else the day on which it was said."""
    end = describe_end(position)
    if end and position["effective_end"] is not None:
        return end
    day = None if position["date"] is None else date.fromisoformat(str(position["date"]))
    said = describe_said(day, position["date_edtf"])
    return said if not end or day is not None else f"{end}, {said}"


def describe_said(day: date | None, edtf: str | None) -> str:
    """Return the day on which a claim was said, in words."""
    if day is None:
        return "no date was given"
    is_partial = edtf is not None and len(edtf) < len("2025-06-12") and "/" not in edtf
    return f"said {describe_date(edtf)}" if is_partial and edtf else f"said on {format_day(day)}"


def _build_axes(
    described: Iterable[tuple[AxisUnit, Group]], units: Iterable[AxisUnit], options: ChartOptions
) -> dict[AxisKey, Axis]:
    """Return the axis of each unit. All groups of a unit have the same domain."""
    stated: dict[AxisKey, set[str]] = {}
    for unit in units:
        stated.setdefault(unit.key, set()).add(unit.unit)
    numbers: dict[AxisUnit, list[float]] = {}
    for unit, group in described:
        numbers.setdefault(unit, []).extend(number for row in group.rows for number in row.mark.numbers)
    return {
        unit.key: build_axis(known, write_axis_label(unit, stated[unit.key]), options.scale)
        for unit, known in numbers.items()
    }


def _build_brackets(pairs: Iterable[BriefObject], drawn: set[str]) -> tuple[Bracket, ...]:
    contradictions = [
        pair for pair in pairs if pair["verdict"] == Verdict.contradict and {pair["a"], pair["b"]} <= drawn
    ]
    return tuple(
        Bracket(number, pair["a"], pair["b"], pair["why"])
        for number, pair in enumerate(contradictions[:MAX_BRACKETS], start=1)
    )


def _write_notes(
    brief: BriefObject, groups: Sequence[BriefObject], panels: Sequence[Panel], brackets: int, words: int
) -> Iterator[str]:
    """Yield what a reader has to know besides the rows."""
    if others := brief["verdicts"][Verdict.contradict] - brackets:
        yield f"{_count(others, 'more pair')} of figures cannot both be true; not drawn as brackets."
    if any(not row.is_current for panel in panels for group in panel.groups for row in group.rows):
        yield f"Grey: ends more than {_count(brief['window'], 'day')} before the newest figure of its group."
    if any(panel.axis is not None and len(panel.groups) > 1 for panel in panels):
        yield (
            "Each heading is a count of its own. The groups share a scale; "
            "only figures of one group answer the same question."
        )
    if len({id(panel.axis) for panel in panels if panel.axis is not None}) > 1:
        yield "Figures in different units have scales of their own and cannot be compared by length."
    if left_out := sum(group["left_out"] for group in groups):
        yield f"Not drawn: {_count(left_out, 'more position')}."
    if undrawn := brief["without_number"] - words:
        yield f"Not drawn: {_count(undrawn, 'claim')} without a number."
    if retracted := brief["retracted"]:
        yield f"Not drawn: {_count(retracted, 'claim')} that the source retracted."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def build_words_row(claim: str, source: str, interest: str, day: str, wording: str) -> Row:
    """Return the row of a claim without a number."""
    return Row(
        claim,
        source,
        _INTEREST_WORDS.get(Interest(interest), ""),
        day,
        "",
        wording,
        wording,
        Mark(MarkKind.words),
        is_current=True,
    )


def describe_state(known_on: str | None, tolerance: float | None, ends_by: date | None = None) -> str:
    """Return the conditions of a read in words; empty without any."""
    parts = [
        f"As known on {describe_known_on(known_on)}." if known_on else "",
        f"Only figures that end by {format_day(ends_by)}." if ends_by else "",
        f"Approximate figures may differ by {tolerance * 100:g}%." if tolerance else "",
    ]
    return " ".join(part for part in parts if part)


def write_credit(options: ChartOptions, seq: int, known_on: str | None) -> str:
    """Return where the topic is found, and of when the chart is."""
    if known_on:
        day = f"as known on {describe_known_on(known_on)}"
    else:
        day = f"as of {format_day(options.day)}" if options.day else ""
    parts = ["Counterclaim", options.address, day, f"state {seq} of the register"]
    return " · ".join(part for part in parts if part)
