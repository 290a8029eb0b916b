"""Reads topics with the summary of their figures, and the pages of a timeline."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from sqlmodel import Session

from app.claims.queries import find_claims
from app.claims.search.filters import ClaimQuery, Sort
from app.claims.search.question_scope import QuestionScope
from app.claims.serialization.export import render_lines
from app.claims.serialization.row_cache import get_or_render_claims
from app.claims.serialization.rows import ResponseObject
from app.comparison.positions import recency_of
from app.comparison.question import ComparisonOptions, Question
from app.comparison.spread import MeasuredSpread, measure_spread
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.enums import Verdict
from app.http.addresses import whole_address
from app.http.pagination import Page, PageQuery
from app.http.serializers import RowLayout
from app.sentences.overview import describe_position
from app.sentences.phrases import RecordNames
from app.topics.candidates import count_claims
from app.topics.parameters import TimelineQuery, TopicsQuery
from app.topics.records import TOPIC
from app.topics.side_by_side import (
    ComparedClaims,
    build_question,
    find_claims_to_compare,
    get_or_count_verdicts,
    scope_of,
    summarize_spread,
)
from app.topics.summaries import TopicSummaryCache
from app.topics.timeline import fetch_timeline_page
from app.vocabulary.reference_data import ReferenceData, get_reference_data
from app.vocabulary.slug_records import find_named_records, find_records, read_record

LINKED_PATHS = ("claims", "side-by-side", "timeline")
MAX_NEWEST = 3
"""Maximum number of figures that the summary of a topic names."""


def _summarize(
    session: Session,
    question: Question,
    scope: QuestionScope,
    options: ComparisonOptions,
    snapshot: Snapshot,
    reference_data: ReferenceData,
) -> dict[str, Any]:
    """Return the counts, dates, spread and verdict totals of a question."""
    claims = find_claims_to_compare(session, scope, options, snapshot, reference_data, include_non_positions=False)
    verdicts = get_or_count_verdicts(session, claims, options.tolerance, reference_data)
    counts = count_claims(session, scope, snapshot)
    spread = measure_spread(claims.statements, question, reference_data.hierarchy, options.window)
    return {
        **{name: getattr(counts, name) for name in ("claims", "sources", "first_date", "last_date")},
        "spread": summarize_spread(spread),
        "newest": _describe_newest(claims, spread, reference_data.read_names(session, snapshot)),
        "verdicts": {verdict.value: verdicts[verdict] for verdict in Verdict},
    }


def _describe_newest(claims: ComparedClaims, spread: MeasuredSpread, names: RecordNames) -> list[str]:
    """Return the figures that a spread counts in words, the newest first."""
    included = set(spread.included)
    statements = [statement for statement in claims.statements if statement.id in included]
    newest_first = sorted(statements, key=recency_of, reverse=True)
    return [describe_position(statement, names) for statement in newest_first[:MAX_NEWEST]]


def _add_summaries(session: Session, topics: Iterable[ResponseObject], snapshot: Snapshot) -> list[ResponseObject]:
    """Return topics as response objects, each with its summary."""
    reference_data = get_reference_data(session, snapshot)
    summaries = TopicSummaryCache(session, snapshot, reference_data)
    responses = []
    for topic in topics:
        question = build_question(topic)
        options = ComparisonOptions(tolerance=topic["tolerance"], narrower=frozenset(topic["narrower"]))
        scope = scope_of(question, reference_data, options.narrower)
        compute = partial(_summarize, session, question, scope, options, snapshot, reference_data)
        summary = summaries.get_or_compute(topic["slug"], question, scope, options.tolerance, compute)
        address = whole_address(f"/v1/topics/{topic['slug']}")
        links = {name.replace("-", "_"): f"{address}/{name}" for name in LINKED_PATHS}
        links |= {"brief": f"{address}/brief", "chart": f"{address}/chart.svg"}
        links["page"] = whole_address(f"/topics/{topic['slug']}")
        responses.append(
            {name: topic[name] for name in ("slug", *TOPIC.fields)}
            | summary
            | {name: topic[name] for name in ("revision", "recorded_at", "seq")}
            | {"links": {"self": address, **links}}
        )
    return responses


def find_topics(session: Session, query: TopicsQuery, snapshot: Snapshot) -> Page:
    """Return a page of topics, each with its summary."""
    if query.q is None:
        page = find_records(session, TOPIC, query, snapshot)
    else:
        reference_data = get_reference_data(session, snapshot)
        slugs = reference_data.read_name_index(session, snapshot).find_topics(query.q, reference_data.topics)
        page = find_named_records(session, TOPIC, query, snapshot, slugs)
    return replace(page, rows=_add_summaries(session, page.rows, snapshot))


def read_topic(session: Session, slug: str, snapshot: Snapshot) -> ResponseObject:
    """Return one topic with its summary. Raises `NotFound`."""
    return _add_summaries(session, [read_topic_fields(session, slug, snapshot)], snapshot)[0]


def find_timeline(
    read: ReadSession,
    topic: ResponseObject,
    page: TimelineQuery,
    snapshot: Snapshot,
    layout: RowLayout,
    *,
    narrower: Collection[str],
) -> Page:
    """Return a page of the claims of a topic that match the filters, ordered by source and date."""
    session = read.session
    if filters := page.filters:
        paging: dict[str, Any] = {name: getattr(page, name) for name in (*PageQuery.model_fields, "known_on")}
        scope_filters: dict[str, Any] = {
            "topic": [topic["slug"]],
            "narrower": frozenset(narrower),
            "sort": Sort.by_source,
        }
        return find_claims(read, ClaimQuery.model_construct(**paging, **filters, **scope_filters), snapshot, layout)
    scope = scope_of(build_question(topic), get_reference_data(session, snapshot), narrower)
    versions, ids, cursor = fetch_timeline_page(session, scope, snapshot, page.limit, page.cursor)
    total = count_claims(session, scope, snapshot).claims if page.total else None
    if layout.is_file:
        return Page([], snapshot.seq, cursor, total, lines=render_lines(read, versions, ids, snapshot, layout))
    return Page([], snapshot.seq, cursor, total, json_rows=get_or_render_claims(read, versions, snapshot, layout))


def read_topic_fields(session: Session, slug: str, snapshot: Snapshot) -> ResponseObject:
    """Return the recorded fields of a topic. Raises `NotFound`."""
    row = get_reference_data(session, snapshot).topics.get(slug)
    return read_record(session, TOPIC, slug, snapshot) if row is None else TOPIC.build_response(row)
