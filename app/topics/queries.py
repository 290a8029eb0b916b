"""From the claims of a question to its side-by-side: rows become plain statements, the rules do the rest."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from sqlmodel import Session

from app.claims.serialization.export import render_lines
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject
from app.comparison.positions import find_positions
from app.comparison.question import ComparisonOptions, Question
from app.comparison.spread import measure_spread
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.enums import Verdict
from app.http.pagination import Page, PageQuery
from app.http.serializers import RowLayout
from app.topics.candidates import count_claims, expand_categories, load_candidates
from app.topics.records import TOPIC
from app.topics.side_by_side import build_question, classify_candidates, compare_positions, describe_spread
from app.topics.summaries import TopicSummaryCache
from app.topics.timeline import fetch_timeline_page
from app.vocabulary.reference_data import ReferenceData, get_reference_data
from app.vocabulary.slug_records import find_records, read_record

LINKED_PATHS = ("claims", "side-by-side", "timeline")


def _summarize(
    session: Session, question: Question, options: ComparisonOptions, view: Snapshot, reference_data: ReferenceData
) -> dict[str, Any]:
    """Return the counts, dates, spread and verdict totals of a question."""
    categories = expand_categories(question, reference_data, narrower=options.narrower)
    candidates = load_candidates(session, question, categories, view, reference_data, apart=False)
    positions = find_positions(classify_candidates(candidates, view.today).statements)
    pairs = compare_positions(positions, reference_data.hierarchy, options.tolerance) or []
    verdicts = Counter(pair.verdict.value for pair in pairs)
    counted = count_claims(session, question, categories, view)
    return {
        **{name: getattr(counted, name) for name in ("claims", "sources", "first_date", "last_date")},
        "spread": describe_spread(measure_spread(positions, question, options.window)),
        "verdicts": {verdict.value: verdicts.get(verdict.value, 0) for verdict in Verdict},
    }


def _add_summaries(session: Session, topics: Iterable[ResponseObject], view: Snapshot) -> list[ResponseObject]:
    """Topics with how their figures stand."""
    words = get_reference_data(session, view)
    summaries = TopicSummaryCache(session, view, words)
    cards = []
    for topic in topics:
        question, options = build_question(topic), ComparisonOptions(tolerance=topic["tolerance"])
        categories = expand_categories(question, words, narrower=options.narrower)
        sum_up = partial(_summarize, session, question, options, view, words)
        summary = summaries.get_or_compute(topic["slug"], question, categories, options.tolerance, sum_up)
        links = {name.replace("-", "_"): f"/v1/topics/{topic['slug']}/{name}" for name in LINKED_PATHS}
        cards.append(
            {name: topic[name] for name in ("slug", *TOPIC.fields)}
            | summary
            | {name: topic[name] for name in ("revision", "recorded_at", "seq")}
            | {"links": {"self": f"/v1/topics/{topic['slug']}", **links}}
        )
    return cards


def find_topics(session: Session, query: PageQuery, view: Snapshot) -> Page:
    """The questions, each with how its figures stand."""
    found = find_records(session, TOPIC, query, view)
    return replace(found, rows=_add_summaries(session, found.rows, view))


def read_topic(session: Session, slug: str, view: Snapshot) -> ResponseObject:
    """One question. Raises `NotFound`."""
    return _add_summaries(session, [read_topic_fields(session, slug, view)], view)[0]


def find_timeline(
    reading: ReadSession, topic: ResponseObject, page: PageQuery, view: Snapshot, layout: RowLayout, *, narrower: bool
) -> Page:
    """A page of the claims of a topic, by source and date."""
    session = reading.session
    question = build_question(topic)
    categories = expand_categories(question, get_reference_data(session, view), narrower=narrower)
    versions, ids, cursor = fetch_timeline_page(session, question, categories, view, page.limit, page.cursor)
    total = count_claims(session, question, categories, view).claims if page.total else None
    if layout.is_file:
        return Page([], view.seq, cursor, total, lines=render_lines(reading, versions, ids, view, layout))
    return Page([], view.seq, cursor, total, json_rows=get_or_render_claims(reading, versions, view, layout))


def read_topic_fields(session: Session, slug: str, view: Snapshot) -> ResponseObject:
    """The fields of a topic. Raises `NotFound`."""
    row = get_reference_data(session, view).topics.get(slug)
    return read_record(session, TOPIC, slug, view) if row is None else TOPIC.build_response(row)
