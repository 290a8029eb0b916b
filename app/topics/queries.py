"""Reads topics with the summary of their figures, and the pages of a timeline."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Select, bindparam, func, literal, select
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
from app.database.keyset import Order, read_cursor, write_cursor
from app.database.question_keys import question_key
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.sql import fetch_rows
from app.database.tables import Change, TopicVersion, columns_of
from app.enums import Verdict
from app.errors import QueryTooBroad
from app.http.addresses import whole_address
from app.http.pagination import DEFAULT_LIMIT, Page, PageQuery
from app.http.serializers import RowLayout
from app.sentences.overview import describe_position
from app.sentences.phrases import RecordNames
from app.topics.candidates import MAX_PAST_CLAIMS, MAX_SERIES, check_scope, count_claims, count_series, count_versions
from app.topics.parameters import TimelineQuery, TopicSort, TopicsQuery
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
    verdicts = get_or_count_verdicts(session, scope, claims, options.tolerance, snapshot, reference_data)
    counts = count_claims(session, scope, snapshot)
    spread = measure_spread(claims.statements, question, reference_data.hierarchy, options.window)
    return {
        **{name: getattr(counts, name) for name in ("claims", "sources", "first_date", "last_date")},
        "spread": summarize_spread(spread),
        "newest": _describe_newest(claims, spread, reference_data.read_names(session, snapshot)),
        "verdicts": {verdict.value: verdicts[verdict] for verdict in Verdict},
        "changed_seq": _find_latest_change(session, scope, snapshot),
    }


def _find_latest_change(session: Session, scope: QuestionScope, snapshot: Snapshot) -> int:
    """Return the `seq` of the latest change of a claim on the questions of a scope, or 0."""
    if not (scope.subjects and scope.places):
        return 0
    keys = [question_key(*key) for key in scope.keys]
    dialect = session.connection().dialect.name
    ((seq,),) = fetch_rows(session, _select_latest_change(dialect), {"keys": keys, "seq": snapshot.seq})
    return seq or 0


@cache
def _select_latest_change(dialect: str) -> Select[Any]:
    change = columns_of(Change)
    parameter = bindparam("keys", type_=ARRAY(BigInteger))
    keys = (
        func.json_each(bindparam("keys")).table_valued("value")
        if dialect == "sqlite"
        else func.unnest(parameter).table_valued("value").render_derived()
    )
    # One index lookup for each question.
    latest = select(func.max(change.seq)).where(change.question == keys.c.value, change.seq <= bindparam("seq"))
    return select(func.max(latest.scalar_subquery())).select_from(keys)


def _describe_newest(claims: ComparedClaims, spread: MeasuredSpread, names: RecordNames) -> list[str]:
    """Return the figures that a spread counts in words, the newest first."""
    included = set(spread.included)
    statements = [statement for statement in claims.statements if statement.id in included]
    newest_first = sorted(statements, key=recency_of, reverse=True)
    return [describe_position(statement, names) for statement in newest_first[:MAX_NEWEST]]


def _check_topics(session: Session, topics: Sequence[ResponseObject], snapshot: Snapshot, hint: str) -> None:
    """Raise `QueryTooBroad` if the summaries of topics, which are not cached, would read too much together.

    That is: in a past state the claims, and with `known_on` the series of their questions. `hint` says how to ask for
    fewer topics.
    """
    is_past = snapshot.as_of is not None
    if not (is_past or snapshot.known_on) or len(topics) < 2:  # noqa: PLR2004 - of one topic, `load_candidates` decides
        return
    limit, count = (MAX_PAST_CLAIMS, count_versions) if is_past else (MAX_SERIES, count_series)
    reference_data = get_reference_data(session, snapshot)
    total = 0
    for topic in topics:
        scope = scope_of(build_question(topic), reference_data, frozenset(topic["narrower"]))
        total += count(session, scope, snapshot, limit + 1 - total)
        if total > limit:
            unit = "claims" if is_past else "series of claims"
            detail = f"The summaries of these topics would read more than {limit:,} {unit}."
            raise QueryTooBroad(detail, hint=f"{hint}, or omit `{'recorded_as_of' if is_past else 'known_on'}`")


def _add_summaries(
    session: Session, topics: Sequence[ResponseObject], snapshot: Snapshot, hint: str = "set a smaller `limit`"
) -> list[ResponseObject]:
    """Return topics as response objects, each with its summary. `hint` says how to ask for fewer topics."""
    _check_topics(session, topics, snapshot, hint)
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
            | {"changed_seq": max(topic["seq"], summary["changed_seq"])}
            | {name: topic[name] for name in ("revision", "recorded_at", "seq")}
            | {"links": {"self": address, **links}}
        )
    return responses


def find_topics(session: Session, query: TopicsQuery, snapshot: Snapshot) -> Page:
    """Return a page of topics, each with its summary."""
    if query.sort is not TopicSort.by_slug:
        return _find_sorted_topics(session, query, snapshot)
    if query.q is None:
        page = find_records(session, TOPIC, query, snapshot)
    else:
        reference_data = get_reference_data(session, snapshot)
        slugs = reference_data.read_name_index(session, snapshot).find_topics(query.q, reference_data.topics)
        page = find_named_records(session, TOPIC, query, snapshot, slugs)
    return replace(page, rows=_add_summaries(session, page.rows, snapshot))


SORTED_VALUES: Final[dict[str, Callable[[ResponseObject], Any]]] = {
    "title": lambda topic: topic["title"],
    "disagreement": lambda topic: topic["verdicts"][Verdict.contradict.value],
    "claims": lambda topic: topic["claims"],
    "changed": lambda topic: topic["changed_seq"],
}
"""The value of each order, without its direction."""


def _find_sorted_topics(session: Session, query: TopicsQuery, snapshot: Snapshot) -> Page:
    """Return a page of topics in an order by their summaries. The summaries of all topics are read."""
    reference_data = get_reference_data(session, snapshot)
    slugs: Iterable[str] = reference_data.topics
    if query.q is not None:
        slugs = reference_data.read_name_index(session, snapshot).find_topics(query.q, reference_data.topics)
    records = [TOPIC.build_response(reference_data.topics[slug]) for slug in slugs]
    is_descending, name = query.sort.value.startswith("-"), query.sort.value.removeprefix("-")
    read_value = SORTED_VALUES[name]
    column = literal("") if name == "title" else literal(0)
    order = Order(query.sort.value, columns_of(TopicVersion).slug, column, descending=is_descending)

    def position(value: Any, slug: str) -> tuple[Any, str]:  # noqa: ANN401 - a text or a number
        return -value if is_descending else value, slug

    rows = _add_summaries(session, records, snapshot, "omit `sort`")
    rows.sort(key=lambda row: position(read_value(row), row["slug"]))
    _has_value, last_value, last_slug = read_cursor(order, query.cursor)
    rest = rows
    if last_slug is not None and last_value is not None:
        rest = [row for row in rows if position(read_value(row), row["slug"]) > position(last_value, last_slug)]
    limit = query.limit or DEFAULT_LIMIT
    page = rest[:limit]
    cursor = write_cursor(order, read_value(page[-1]), page[-1]["slug"]) if len(rest) > limit else None
    return Page(page, snapshot.seq, cursor, len(rows) if query.total else None)


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
    total = _count_timeline(session, scope, snapshot) if page.total else None
    if layout.is_file:
        return Page([], snapshot.seq, cursor, total, lines=render_lines(read, versions, ids, snapshot, layout))
    return Page([], snapshot.seq, cursor, total, json_rows=get_or_render_claims(read, versions, snapshot, layout))


def _count_timeline(session: Session, scope: QuestionScope, snapshot: Snapshot) -> int:
    """Return `meta.total` of a timeline. Raises `QueryTooBroad`."""
    check_scope(session, scope, snapshot)
    return count_claims(session, scope, snapshot).claims


def read_topic_fields(session: Session, slug: str, snapshot: Snapshot) -> ResponseObject:
    """Return the recorded fields of a topic. Raises `NotFound`."""
    row = get_reference_data(session, snapshot).topics.get(slug)
    return read_record(session, TOPIC, slug, snapshot) if row is None else TOPIC.build_response(row)
