"""HTTP routes of topics and side-by-sides."""

from dataclasses import replace
from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.claims.queries import find_claims, read_claims
from app.claims.schemas import Claim
from app.claims.search.filters import ClaimQuery
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.claims.serialization.rows import ResponseObject
from app.comparison.question import DEFAULT_WINDOW_DAYS, ComparisonOptions
from app.database.read_session import read_session
from app.database.transaction import WriteTransaction
from app.enums import Aggregation
from app.errors import invalid_field
from app.http.auth import Editor
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.fast_route import fast_path
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import AsOf, Page, PageQuery
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.schema_types import Day, RegisterState, Slug
from app.http.writes import WriteRequestDep
from app.topics.queries import find_timeline, find_topics, read_topic, read_topic_fields
from app.topics.records import TOPIC, put_topic, topic_scope
from app.topics.schemas import SideBySide, TimelineRow, Topic, TopicInput
from app.topics.side_by_side import build_question, build_side_by_side, check_question
from app.vocabulary.slug_records import handle_put

router = api_router("topics")
TOPIC_COLUMNS = columns_of_model(Topic)
TIMELINE_COLUMNS = [column for column in CLAIM_COLUMNS if column.name in TimelineRow.model_fields]

TopicSlug = Annotated[str, Path(description="The slug of the topic.", examples=["russian-casualties"])]


class CompareQuery(BaseModel):
    """Parameters of a comparison of positions."""

    known_on: Day | None = Field(
        default=None, description="Only claims made by this day. Default: today.", examples=["2025-06-12"]
    )
    recorded_as_of: RegisterState | None = Field(
        default=None,
        description="The register as of this time or `seq:N`. Default: the current state.",
        examples=["seq:680"],
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The relative tolerance of approximate figures, such as 0.01. Default: that of the topic.",
        examples=[0.01],
    )
    window: int = Field(
        default=DEFAULT_WINDOW_DAYS,
        ge=0,
        le=36_500,
        description="The spread counts figures whose period ends within this many days of the latest one.",
        examples=[31],
    )
    narrower: bool = Field(
        default=True, description="Whether to include narrower categories, as parts of the category.", examples=[False]
    )
    against: Slug | None = Field(
        default=None, description="Compare each source only with this source, by slug.", examples=["ua-general-staff"]
    )


class TimelineQuery(PageQuery):
    """Filters and page of a timeline."""

    known_on: Day | None = Field(
        default=None, description="Only claims made by this day. It excludes undated claims.", examples=["2025-06-12"]
    )
    narrower: bool | None = Field(
        default=None, description="`false` excludes narrower categories than that of the topic.", examples=[False]
    )


class SideBySideQuery(CompareQuery):
    """A side-by-side without a topic, by its own filters."""

    category: Slug = Field(description="The category: what is counted.", examples=["casualties"])
    subject: Slug | None = Field(
        default=None, description="The people or organisation counted. Default: any.", examples=["russian-forces"]
    )
    place: Slug | None = Field(default=None, description="The place. Default: any.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        default=None, description="How the figures relate to their periods. Default: any.", examples=["cumulative"]
    )
    since: Day | None = Field(
        default=None, description="The first day of the periods. Default: any.", examples=["2022-02-24"]
    )


@list_route(router, "/topics", Topic, "List topics")
def list_topics(query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the topics, each with its number of claims and the spread of its figures."""

    def find(page: PageQuery) -> Page:
        with read_session(db) as read:
            return find_topics(read.session, page, read.snapshot(page.recorded_as_of))

    return listing.send(find, query, TOPIC_COLUMNS)


@router.get("/topics/{slug}", summary="Read a topic", operation_id="read_topic", responses={200: {"model": Topic}})
def get_topic(slug: TopicSlug, request: Request, db: Db, recorded_as_of: AsOf = None) -> Response:
    """Return one topic with its claim and source counts, date range, spread, and number of pairs by verdict."""
    with read_session(db) as read:
        snapshot = read.snapshot(recorded_as_of)
        body = read_topic(read.session, slug, snapshot)
    return json_response(request, body, cache_scope=topic_scope(snapshot.latest_seq, body))


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

    return handle_put(write, editor, TOPIC, slug, put)


@list_route(router, "/topics/{slug}/claims", Claim, "List the claims of a topic")
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
                raise invalid_field("topic", detail, hint="leave `topic` out, or use /v1/claims", location="query")
            result = find_claims(read, page.model_copy(update={"topic": [slug]}), snapshot, layout)
            return replace(result, cache_scope=topic_scope(snapshot.latest_seq, topic))

    return listing.send(find, query, CLAIM_COLUMNS)


@list_route(router, "/topics/{slug}/timeline", TimelineRow, "List the timeline of a topic")
@fast_path()
def read_timeline(
    slug: TopicSlug, query: Annotated[TimelineQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return one flat row per claim, ordered by source and date, for charts over time.

    `fields` selects other columns.
    """
    layout = listing.layout(CLAIM_COLUMNS, TIMELINE_COLUMNS)

    def find(page: TimelineQuery) -> Page:
        with read_session(db) as read:
            snapshot = read.snapshot(page.recorded_as_of, known_on=page.known_on)
            topic = read_topic_fields(read.session, slug, snapshot)
            result = find_timeline(read, topic, page, snapshot, layout, narrower=page.narrower is not False)
            return replace(result, cache_scope=topic_scope(snapshot.latest_seq, topic))

    return listing.send(find, query, CLAIM_COLUMNS, TIMELINE_COLUMNS)


@list_route(
    router, "/topics/{slug}/side-by-side", SideBySide, "Compare the sources of a topic side by side", pages=False
)
@fast_path()
def read_topic_side_by_side(
    slug: TopicSlug, query: Annotated[CompareQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return the position of each source, and a verdict with reasons for each pair of positions.

    As a file: one row per position, with the columns of its claim.
    """
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        topic = read_topic_fields(read.session, slug, snapshot)
        options = _build_options(query, topic["tolerance"])
        body, versions = build_side_by_side(read, build_question(topic), options, snapshot)
        rows = [] if listing.file is None else read_claims(read.session, versions, snapshot)
    return listing.send_document(body, rows, CLAIM_COLUMNS, topic_scope(snapshot.latest_seq, topic))


@list_route(router, "/side-by-side", SideBySide, "Compare the sources of a question, by filters", pages=False)
@fast_path()
def read_side_by_side(query: Annotated[SideBySideQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return a side-by-side for a category, and optionally a subject, place, aggregation and start of the period."""
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        check_question(read.session, query.category, query.subject, query.place, snapshot)
        question, options = build_question(query.model_dump()), _build_options(query)
        body, versions = build_side_by_side(read, question, options, snapshot)
        rows = [] if listing.file is None else read_claims(read.session, versions, snapshot)
    return listing.send_document(body, rows, CLAIM_COLUMNS, topic_scope(snapshot.latest_seq, query.model_dump()))


def _build_options(query: CompareQuery, default_tolerance: float | None = None) -> ComparisonOptions:
    return ComparisonOptions(
        tolerance=query.tolerance or default_tolerance,
        window=query.window,
        narrower=query.narrower,
        against=query.against,
    )
