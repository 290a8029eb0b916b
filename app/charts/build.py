"""Builds the charts of a topic: reads what they show, and describes them. `draw_brief` draws the brief of a page."""

from collections.abc import Sequence
from typing import Any

from app.charts.description import ChartOptions, Row, SideBySideDescription, TimelineDescription
from app.charts.queries import load_claims_in_words, load_timeline_claims
from app.charts.side_by_side import BriefObject, describe_side_by_side
from app.charts.svg import draw_svg
from app.charts.timeline import describe_timeline
from app.comparison.question import ComparisonOptions
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.topics.brief import MAX_PAIRS, MAX_POSITIONS, BriefLimits, build_brief
from app.topics.side_by_side import build_question
from app.vocabulary.reference_data import get_reference_data

CHART_LIMITS = BriefLimits(positions=MAX_POSITIONS, pairs=MAX_PAIRS)
"""The limits of a brief of which a chart shows every position."""

Topic = dict[str, Any]


def draw_brief(brief: BriefObject, options: ChartOptions, claims_in_words: Sequence[Row] = ()) -> str:
    """Return the side-by-side chart of a brief as SVG.

    Args:
        brief: A brief as a response object, read with `CHART_LIMITS` or less.
        options: The options of the chart. With `is_inline` it is an element for an HTML page.
        claims_in_words: What `load_claims_in_words` returns; needed only if `without_number` of the brief is not 0.

    Raises:
        InvalidRequest: The axis cannot be logarithmic, as the options want.
    """
    return draw_svg(describe_side_by_side(brief, options, claims_in_words), options)


def build_side_by_side_chart(
    read: ReadSession, topic: Topic, comparison: ComparisonOptions, snapshot: Snapshot, options: ChartOptions
) -> SideBySideDescription:
    """Return the description of the side-by-side chart of a topic."""
    question, interests = build_question(topic), topic["interests"]
    brief = build_brief(read, question, comparison, snapshot, interests, CHART_LIMITS)
    words = load_claims_in_words(read, question, comparison, snapshot, interests) if brief["without_number"] else []
    return describe_side_by_side(brief, options, words)


def build_timeline_chart(
    read: ReadSession, topic: Topic, comparison: ComparisonOptions, snapshot: Snapshot, options: ChartOptions
) -> TimelineDescription:
    """Return the description of the timeline chart of a topic."""
    question = build_question(topic)
    claims = load_timeline_claims(read, question, comparison.narrower, snapshot)
    reference_data = get_reference_data(read.session, snapshot)
    names = reference_data.read_names(read.session, snapshot).with_short_names()
    return describe_timeline(claims, question, names, reference_data, snapshot, options)
