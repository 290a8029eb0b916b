"""HTTP routes of topics and side-by-sides."""

from dataclasses import replace
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.claims.queries import find_claims, read_claims
from app.claims.schemas import Claim
from app.claims.search.filters import ClaimQuery
from app.claims.search.question_scope import NARROWABLE
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.claims.serialization.linked_data import claim_node
from app.claims.serialization.rows import ResponseObject
from app.database.read_session import read_session
from app.database.transaction import WriteTransaction
from app.enums import Verdict
from app.errors import invalid_field
from app.http.addresses import whole_address
from app.http.auth import Editor
from app.http.csv_columns import columns_of_model, define_column
from app.http.dependencies import Db
from app.http.fast_route import fast_path
from app.http.list_columns import ListName
from app.http.lists import ListResponse, ListResponseDep, list_route
from app.http.offload import has_parameters, offloaded
from app.http.pagination import AsOf, KnownOn, Page
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.schema_types import Slug
from app.http.serializers import NESTED_LAYOUT, FlatColumn
from app.http.writes import WriteRequestDep
from app.topics.comparison import compare_two_claims
from app.topics.linked_data import topic_node
from app.topics.parameters import (
    ClaimPairQuery,
    CompareQuery,
    Listed,
    SideBySideQuery,
    TimelineQuery,
    TopicsQuery,
    build_options,
    choose_tolerance,
)
from app.topics.queries import find_timeline, find_topics, read_topic, read_topic_fields
from app.topics.records import TOPIC, put_topic, topic_scope
from app.topics.schemas import (
    APPENDED_TIMELINE_COLUMNS,
    ComparedPair,
    SideBySide,
    SpreadNumbers,
    TimelineRow,
    Topic,
    TopicInput,
)
from app.topics.side_by_side import SideBySideParts, build_question, build_side_by_side, check_question, sort_interests
from app.vocabulary.slug_records import handle_put

router = api_router("topics")
TOPIC_COLUMNS = [
    *(each for each in columns_of_model(Topic, appended=("narrower", "newest")) if each.name != "changed_seq"),
    *(define_column(Topic, f"spread_{name}", f"spread.{name}") for name in SpreadNumbers.model_fields),
    *(
        FlatColumn(
            f"pairs_{verdict.value}",
            ("verdicts", verdict.value),
            "integer",
            f"The number of pairs of positions with the verdict `{verdict.value}`, as of today.",
        )
        for verdict in Verdict
    ),
    define_column(Topic, "changed_seq", "changed_seq"),
]
TIMELINE_COLUMNS = [column for column in CLAIM_COLUMNS if column.name in TimelineRow.model_fields]
TIMELINE_COLUMNS.sort(key=lambda column: column.name in APPENDED_TIMELINE_COLUMNS)

TopicSlug = Annotated[str, Path(description="The slug of the topic.", examples=["russian-casualties"])]


@list_route(router, "/topics", Topic, "List topics", ListName.topics, TOPIC_COLUMNS, key=["slug"], linked=True)
@offloaded(has_parameters("known_on"), has_parameters("recorded_as_of"))
def list_topics(query: Annotated[TopicsQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the topics, each with its number of claims and the spread of its figures.

    With `known_on` they are counted, and ordered, as known on that day.
    """

    def find(page: TopicsQuery) -> Page:
        with read_session(db) as read:
            return find_topics(read.session, page, read.snapshot(page.recorded_as_of, known_on=page.known_on))

    return listing.send(find, query, TOPIC_COLUMNS, link=topic_node)


@router.get("/topics/{slug}", summary="Read a topic", operation_id="read_topic", responses={200: {"model": Topic}})
def get_topic(
    slug: TopicSlug, request: Request, db: Db, known_on: KnownOn = None, recorded_as_of: AsOf = None
) -> Response:
    """Return one topic with its claim and source counts, date range, spread, and number of pairs by verdict."""
    with read_session(db) as read:
        snapshot = read.snapshot(recorded_as_of, known_on=known_on)
        body = read_topic(read.session, slug, snapshot)
    scope = topic_scope(snapshot.latest_seq, body, body["narrower"])
    return json_response(request, body, tag=f"{body['revision']}-", cache_scope=scope)


@router.put(
    "/topics/{slug}",
    summary="Record a topic",
    operation_id="put_topic",
    responses={200: {"model": Topic}, 201: {"model": Topic, "description": "The new topic."}},
)
def record_topic(
    slug: Annotated[
        Slug,
        Path(
            description="The slug of the topic: lowercase letters, digits and hyphens.", examples=["russian-casualties"]
        ),
    ],
    payload: TopicInput,
    write: WriteRequestDep,
    editor: Editor,
) -> Response:
    """Create or replace a topic. Its fields select its claims."""

    def put(transaction: WriteTransaction) -> tuple[ResponseObject, bool | None]:
        _body, created = put_topic(transaction, slug, payload)
        return read_topic(transaction.session, slug, transaction.snapshot), created

    return handle_put(write, editor, TOPIC, slug, put, by_revision=True)


@list_route(
    router,
    "/topics/{slug}/claims",
    Claim,
    "List the claims of a topic",
    ListName.topic_claims,
    CLAIM_COLUMNS,
    key=["id"],
    linked=True,
)
@fast_path(inline=True)
def list_topic_claims(
    slug: TopicSlug, query: Annotated[ClaimQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return the claims of a topic, including narrower categories, newest first.

    All filters of `/v1/claims` except `topic` apply.
    """
    layout = listing.layout(CLAIM_COLUMNS)

    def find(page: ClaimQuery) -> Page:
        with read_session(db, generic_plan=listing.file is None) as read:
            snapshot = read.snapshot(page.recorded_as_of, known_on=page.known_on)
            topic = read_topic_fields(read.session, slug, snapshot)
            if page.topic:
                detail = "The topic is already part of the address."
                hint = f"leave `topic` out, or use {whole_address('/v1/claims')}"
                raise invalid_field("topic", detail, hint=hint, location="query")
            own_layout = replace(layout, interests=sort_interests(topic["interests"]))
            result = find_claims(read, page.model_copy(update={"topic": [slug]}), snapshot, own_layout)
            narrower = NARROWABLE if page.narrower else topic["narrower"]
            return replace(result, cache_scope=topic_scope(snapshot.latest_seq, topic, narrower))

    return listing.send(find, query, CLAIM_COLUMNS, link=claim_node)


@list_route(
    router,
    "/topics/{slug}/timeline",
    TimelineRow,
    "List the timeline of a topic",
    ListName.timeline,
    TIMELINE_COLUMNS,
    key=["id"],
    linked=True,
)
@fast_path()
def read_timeline(
    slug: TopicSlug, query: Annotated[TimelineQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return one flat row per claim that matches the filters, ordered by source and date, for charts over time.

    `fields` selects other columns.
    """
    layout = listing.layout(CLAIM_COLUMNS, TIMELINE_COLUMNS)

    def find(page: TimelineQuery) -> Page:
        with read_session(db) as read:
            snapshot = read.snapshot(page.recorded_as_of, known_on=page.known_on)
            topic = read_topic_fields(read.session, slug, snapshot)
            narrower = topic["narrower"] if page.narrower is None else page.narrower
            own_layout = replace(layout, interests=sort_interests(topic["interests"]))
            result = find_timeline(read, topic, page, snapshot, own_layout, narrower=narrower)
            return replace(result, cache_scope=topic_scope(snapshot.latest_seq, topic, narrower))

    return listing.send(find, query, CLAIM_COLUMNS, TIMELINE_COLUMNS, link=claim_node)


@list_route(
    router,
    "/topics/{slug}/side-by-side",
    SideBySide,
    "Compare the sources of a topic side by side",
    ListName.side_by_side,
    CLAIM_COLUMNS,
    pages=False,
    linked=True,
    row=Claim,
)
@fast_path()
def read_topic_side_by_side(
    slug: TopicSlug, query: Annotated[CompareQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return the position of each source, and a verdict with reasons for each pair of positions.

    As a file: one row per position, with the columns of its claim. `fields` selects columns; in JSON the claims are
    then flat rows with these columns, in place of nested claims.
    """
    parts = _choose_parts(query, listing)
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        topic = read_topic_fields(read.session, slug, snapshot)
        options = build_options(query, topic["tolerance"], topic["narrower"])
        body, versions = build_side_by_side(read, build_question(topic), options, snapshot, topic["interests"], parts)
        rows = read_claims(read.session, versions, snapshot) if listing.needs_rows else []
        for row in rows:
            source = row["source"]
            source["interest"] = topic["interests"].get(source["slug"], source["interest"])
    scope = topic_scope(snapshot.latest_seq, topic, options.narrower)
    return listing.send_document(body, rows, CLAIM_COLUMNS, body["seq"], scope, link=claim_node, has_rows=True)


@list_route(
    router,
    "/side-by-side",
    SideBySide,
    "Compare the sources of a question, by filters",
    ListName.side_by_side,
    CLAIM_COLUMNS,
    pages=False,
    linked=True,
    row=Claim,
)
@fast_path()
@offloaded()
def read_side_by_side(query: Annotated[SideBySideQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return a side-by-side for a category, and optionally a subject, place, aggregation and start of the period."""
    parts = _choose_parts(query, listing)
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        check_question(read.session, query.category, query.subject, query.place, snapshot)
        question, options = build_question(query.model_dump()), build_options(query)
        body, versions = build_side_by_side(read, question, options, snapshot, parts=parts)
        rows = read_claims(read.session, versions, snapshot) if listing.needs_rows else []
    scope = topic_scope(snapshot.latest_seq, query.model_dump(), options.narrower)
    return listing.send_document(body, rows, CLAIM_COLUMNS, body["seq"], scope, link=claim_node, has_rows=True)


def _choose_parts(query: CompareQuery, listing: ListResponse) -> SideBySideParts:
    """Return the parts of a side-by-side that a request asks for. As a file it has none but the positions."""
    layout = NESTED_LAYOUT
    if listing.fields and listing.file is None:
        layout = listing.layout(CLAIM_COLUMNS)
    return SideBySideParts(layout, query.pairs is Listed.all, query.citations is Listed.all)


@router.get(
    "/compare", summary="Compare two claims", operation_id="compare_claims", responses={200: {"model": ComparedPair}}
)
def compare_claims(query: Annotated[ClaimPairQuery, Query()], request: Request, db: Db) -> Response:
    """Return the verdict on any two claims, with its reasons and one sentence that says why.

    Claims of one source about one period on one day are compared as in a side-by-side. If one replaced the other, they
    are `not_comparable` with the reason `superseded`.
    """
    if query.a == query.b:
        raise invalid_field("b", "`a` and `b` are the same claim.", hint="name two claims", location="query")
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        body = compare_two_claims(read.session, query.a, query.b, snapshot, choose_tolerance(query.tolerance))
    return json_response(request, body, cache_scope=CacheScope(snapshot.latest_seq))
