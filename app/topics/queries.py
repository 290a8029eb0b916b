"""From the claims of a question to its side-by-side: rows become plain statements, the rules do the rest."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from app.claims.serialization.export import render_lines
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.enums import Verdict
from app.http.pagination import Page, PageQuery
from app.http.serializers import RowLayout
from app.topics.candidates import count_claims
from app.topics.records import TOPIC
from app.topics.side_by_side import Question, classify_claims, compare_positions, describe_spread, resolve_question
from app.topics.summaries import TopicSummaryCache
from app.topics.timeline import fetch_timeline_page
from app.vocabulary.reference_data import get_reference_data
from app.vocabulary.slug_records import find_records, read_record

LINKED_PATHS = ("claims", "side-by-side", "timeline")


def _summarize(session: Session, question: Question, view: Snapshot) -> dict[str, Any]:
    """How the figures of a question stand."""
    found = classify_claims(session, question, view, apart=False)
    verdicts = Counter(pair.verdict.value for pair in compare_positions(found, question) or [])
    counted = count_claims(session, found.asked, view)
    return {
        **{name: getattr(counted, name) for name in ("claims", "sources", "first_date", "last_date")},
        "spread": describe_spread(found, question),
        "verdicts": {verdict.value: verdicts.get(verdict.value, 0) for verdict in Verdict},
    }


def _add_summaries(session: Session, topics: Iterable[ResponseObject], view: Snapshot) -> list[ResponseObject]:
    """Topics with how their figures stand."""
    words = get_reference_data(session, view)
    summaries = TopicSummaryCache(session, view, words)
    cards = []
    for topic in topics:
        question = Question(topic, topic["tolerance"])

        def sum_up(question: Question = question) -> dict[str, Any]:
            return _summarize(session, question, view)

        summary = summaries.get_or_compute(topic["slug"], resolve_question(question, words), topic["tolerance"], sum_up)
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
    asked = resolve_question(Question(topic, None, narrower=narrower), get_reference_data(session, view))
    versions, ids, cursor = fetch_timeline_page(session, asked, view, page.limit, page.cursor)
    total = count_claims(session, asked, view).claims if page.total else None
    if layout.is_file:
        return Page([], view.seq, cursor, total, lines=render_lines(reading, versions, ids, view, layout))
    return Page([], view.seq, cursor, total, json_rows=get_or_render_claims(reading, versions, view, layout))


def read_topic_fields(session: Session, slug: str, view: Snapshot) -> ResponseObject:
    """The fields of a topic. Raises `NotFound`."""
    row = get_reference_data(session, view).topics.get(slug)
    return read_record(session, TOPIC, slug, view) if row is None else TOPIC.build_response(row)
