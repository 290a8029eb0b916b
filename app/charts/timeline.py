"""The description of the timeline of a topic: its claims by what they count, by source and by day."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.charts.axis import build_axis, build_time_axis
from app.charts.description import (
    ChartOptions,
    Mark,
    Point,
    PointStatus,
    Series,
    TimelineDescription,
    TimelinePanel,
)
from app.charts.marks import axis_unit_of, build_mark, write_axis_label
from app.charts.side_by_side import describe_said, describe_state, write_credit
from app.comparison.figure import kind_of
from app.comparison.groups import GroupKey, group_key_of
from app.comparison.hierarchy import Hierarchy
from app.comparison.question import Question
from app.comparison.spread import is_on_question
from app.comparison.statement import Statement
from app.database.snapshot import Snapshot
from app.enums import Aggregation
from app.sentences.dates import describe_period, format_day
from app.sentences.overview import describe_end, describe_group, display_statement
from app.sentences.phrases import RecordNames, capitalize_first
from app.vocabulary.reference_data import ReferenceData

MAX_PANELS = 6
MAX_NAMED_SERIES = 8
"""A timeline has so many panels, and names so many sources in each."""
MAX_DESCRIBED_SERIES = 3
"""The text alternative describes so many sources of a panel, those with the newest figures."""


@dataclass(frozen=True, slots=True)
class ClaimOverTime:
    """A claim with a number: what it states, and what became of it."""

    statement: Statement
    status: PointStatus
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class TimelineClaims:
    """The claims of a timeline, and how many are not among them, by the reason in words."""

    claims: Sequence[ClaimOverTime]
    left_out: Mapping[str, int]


def describe_timeline(
    claims: TimelineClaims,
    question: Question,
    names: RecordNames,
    reference_data: ReferenceData,
    snapshot: Snapshot,
    options: ChartOptions,
) -> TimelineDescription:
    """Return the description of the timeline chart of a topic.

    Raises:
        InvalidRequest: The axis cannot be logarithmic, as the options want.
    """
    hierarchy = reference_data.hierarchy
    placed = [each for each in claims.claims if each.statement.effective.end is not None]
    left_out = {"without a day": len(claims.claims) - len(placed), **claims.left_out}
    groups = sorted(
        _group_claims(placed, hierarchy).values(), key=lambda members: _panel_order(members, question, hierarchy)
    )
    # Those with several figures come first: the sort keeps the order otherwise.
    drawn = sorted(groups, key=lambda members: len(members) == 1)[:MAX_PANELS]
    left_out["about something else"] = len(placed) - sum(map(len, drawn))
    panels = tuple(_build_panel(members, question, names, reference_data, options) for members in drawn)
    days = [
        day
        for panel in panels
        for series in panel.series
        for point in series.points
        for day in (point.start or point.end, point.end)
    ]
    known_on = snapshot.known_on
    axis_days = [*days, known_on] if known_on is not None and days else days
    return TimelineDescription(
        title=question.title or question.category,
        lead=_write_lead(panels, days),
        state=describe_state(snapshot.known_on_text, None),
        notes=tuple(_write_notes(left_out, panels)),
        credit=write_credit(options, snapshot.seq, snapshot.known_on_text),
        panels=panels,
        time_axis=build_time_axis(axis_days) if days else None,
        known_on=known_on,
    )


def _group_claims(
    claims: Iterable[ClaimOverTime], hierarchy: Hierarchy
) -> dict[tuple[GroupKey, bool], list[ClaimOverTime]]:
    """Return the claims by what they count: running totals from one start, or figures for other periods."""
    groups: dict[tuple[GroupKey, bool], list[ClaimOverTime]] = {}
    for claim in claims:
        statement = claim.statement
        key = replace(group_key_of(statement, hierarchy), only=None)
        is_running = statement.aggregation == Aggregation.cumulative
        if not is_running:
            key = replace(key, first_days=None, last_days=None)
        groups.setdefault((key, is_running), []).append(claim)
    return groups


def _panel_order(
    members: Sequence[ClaimOverTime], question: Question, hierarchy: Hierarchy
) -> tuple[bool, int, int, int, str]:
    statements = [each.statement for each in members]
    return (
        not all(is_on_question(statement, question, hierarchy) for statement in statements),
        -len({statement.source for statement in statements}),
        -max(_end_of(statement).toordinal() for statement in statements),
        -len(members),
        min(statement.id for statement in statements),
    )


def _end_of(statement: Statement) -> date:
    end = statement.effective.earliest_end
    assert end is not None  # noqa: S101 - claims without one are left out before
    return end


def _build_panel(
    members: Sequence[ClaimOverTime],
    question: Question,
    names: RecordNames,
    reference_data: ReferenceData,
    options: ChartOptions,
) -> TimelinePanel:
    statements = [each.statement for each in members]
    first = statements[0]
    unit = axis_unit_of(first.proposition, first.unit, first.aggregation, first.per, _fields_of(first))
    by_source: dict[str, list[ClaimOverTime]] = {}
    for each in members:
        by_source.setdefault(each.statement.source, []).append(each)
    newest_first = sorted(
        by_source, key=lambda source: (-max(_end_of(each.statement).toordinal() for each in by_source[source]), source)
    )
    named = frozenset(newest_first[:MAX_NAMED_SERIES])
    series = tuple(
        Series(
            reference_data.sources[source].short_name or reference_data.sources[source].name,
            source in named,
            first.aggregation == Aggregation.cumulative,
            tuple(
                _build_point(
                    each,
                    build_mark(_fields_of(each.statement), first.proposition, each.statement.unit, unit),
                    names,
                )
                for each in sorted(by_source[source], key=_time_order)
            ),
        )
        for source in reversed(newest_first)  # the newest are drawn last, above the others
    )
    numbers = [number for each in series for point in each.points for number in point.mark.numbers]
    on_question = all(is_on_question(statement, question, reference_data.hierarchy) for statement in statements)
    heading = _write_heading(statements, question, names)
    return TimelinePanel(
        capitalize_first(heading) if on_question else f"Counted apart: {heading}",
        on_question,
        build_axis(numbers, write_axis_label(unit, {each.unit for each in statements}), options.scale),
        series,
    )


def _time_order(claim: ClaimOverTime) -> tuple[date, date, str]:
    statement = claim.statement
    return _end_of(statement), statement.date or date.max, statement.id


def _start_of(statement: Statement) -> date | None:
    """Return the first day of a figure about a period; None for running totals and snapshots."""
    start = statement.effective.start
    if statement.aggregation not in {Aggregation.within, Aggregation.rate} or start is None:
        return None
    return date.fromordinal(start[0])


def _fields_of(statement: Statement) -> Mapping[str, Any]:
    """Return the figure of a statement as a mapping, as claims have it."""
    figure = statement.figure
    return {
        **{name: getattr(figure, name) for name in ("value", "lower", "upper", "approximate", "out_of")},
        "relative_to": statement.base,
        "kind": kind_of(figure, statement.proposition),
    }


def _build_point(claim: ClaimOverTime, mark: Mark, names: RecordNames) -> Point:
    statement = claim.statement
    when = describe_end(statement) or _describe_period(statement)
    said = describe_said(statement.date, statement.date_edtf)
    notes = [
        "" if when.endswith(said.removeprefix("said ").removeprefix("on ").removeprefix("in ")) else said,
        "" if claim.status is PointStatus.stated else f"{claim.status.value} later",
    ]
    return Point(
        claim=statement.id,
        start=_start_of(statement),
        end=_end_of(statement),
        figure=display_statement(statement, names),
        when=when,
        notes=tuple(note for note in notes if note),
        mark=mark,
        status=claim.status,
        replaced_by=claim.replaced_by,
    )


def _describe_period(statement: Statement) -> str:
    return describe_period(
        statement.period.edtf,
        statement.aggregation,
        statement.date,
        statement.date_edtf,
        is_forecast=statement.is_forecast,
    )


def _write_heading(statements: Sequence[Statement], question: Question, names: RecordNames) -> str:
    """Return what a panel counts. Figures about several periods share it, so that no period is named."""
    heading = describe_group(statements, question, names)
    if statements[0].aggregation == Aggregation.cumulative or len({each.period.edtf for each in statements}) == 1:
        return heading
    return heading.removesuffix(_describe_period(statements[0])).rstrip(", ")


def _write_lead(panels: Sequence[TimelinePanel], days: Collection[date]) -> str:
    """Return what the timeline shows, as the text alternative of the picture: how far the newest sources have moved."""
    if not panels:
        return "No source has stated a number with a day on this question."
    whole = _count_figures([series for panel in panels for series in panel.series])
    sentences = [f"{whole} over time, from {format_day(min(days))} to {format_day(max(days))}."]
    for panel in panels:
        figures = sum(len(series.points) for series in panel.series)
        sentences.append(f"{panel.heading}{'' if figures == 1 else f': {_count_figures(panel.series)}'}.")
        newest_first = [series for series in reversed(panel.series) if series.standing]
        sentences += [_describe_series(series) for series in newest_first[:MAX_DESCRIBED_SERIES]]
        if others := len(panel.series) - len(newest_first[:MAX_DESCRIBED_SERIES]):
            sentences.append(f"{_count(others, 'more source')}.")
    return " ".join(sentences)


def _count_figures(series: Sequence[Series]) -> str:
    figures = _count(sum(len(each.points) for each in series), "figure")
    return f"{figures} of {_count(len({each.source for each in series}), 'source')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _describe_series(series: Series) -> str:
    """Return the first and the last figure of a source: "Agency A: first 5,096 persons, up to …; last 5,143 …"."""
    first, last = series.standing[0], series.standing[-1]
    if first is last:
        return f"{series.source}: {first.text}."
    return f"{series.source}: first {first.figure}, {first.when}; last {last.figure}, {last.when}."


def _write_notes(left_out: Mapping[str, int], panels: Sequence[TimelinePanel]) -> Iterator[str]:
    if len(panels) > 1:
        yield "Each panel counts something else and has a scale of its own."
    counts = [f"{_count(count, 'claim')} {words}" for words, count in left_out.items() if count]
    if counts:
        yield f"Not drawn: {'; '.join(counts)}."
    unnamed = max((sum(not series.is_named for series in panel.series) for panel in panels), default=0)
    if unnamed:
        yield f"Grey without a name: sources beyond the {MAX_NAMED_SERIES} with the newest figures of a panel."
