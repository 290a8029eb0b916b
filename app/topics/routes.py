"""HTTP routes of topics and side-by-sides."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.claims.queries import find_claims, read_claims
from app.claims.schemas import Claim
from app.claims.search.filters import ClaimQuery
from app.claims.search.question_scope import NARROWABLE
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.claims.serialization.rows import ResponseObject
from app.comparison.question import DEFAULT_WINDOW_DAYS, ComparisonOptions
from app.database.read_session import read_session
from app.database.transaction import WriteTransaction
from app.enums import Aggregation
from app.errors import invalid_field
from app.http.addresses import whole_address
from app.http.auth import Editor
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.fast_route import fast_path
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import AsOf, KnownOn, Page, PageQuery
from app.http.responses import json_response
from app.http.routing import api_router
from app.http.schema_types import Day, Slug
from app.http.writes import WriteRequestDep
from app.topics.comparison import compare_two_claims
from app.topics.queries import find_timeline, find_topics, read_topic, read_topic_fields
from app.topics.records import TOPIC, put_topic, topic_scope
from app.topics.schemas import ComparedPair, SideBySide, TimelineRow, Topic, TopicInput
from app.topics.side_by_side import build_question, build_side_by_side, check_question, sort_interests
from app.vocabulary.slug_records import handle_put

router = api_router("topics")
TOPIC_COLUMNS = columns_of_model(Topic, appended=("narrower",))
TIMELINE_COLUMNS = [column for column in CLAIM_COLUMNS if column.name in TimelineRow.model_fields]

TopicSlug = Annotated[str, Path(description="The slug of the topic.", examples=["russian-casualties"])]


def _read_narrower(text: Any) -> frozenset[str] | None:  # noqa: ANN401 - unvalidated input
    """Return the named fields: all for `true`, none for `false`."""
    if text is None or isinstance(text, frozenset):
        return text
    names = {"true": frozenset(NARROWABLE), "false": frozenset[str]()}.get(text, frozenset(str(text).split(",")))
    if not names <= set(NARROWABLE):
        raise PydanticCustomError("narrower", "Expected `true`, `false`, or a list such as `category,place`")
    return names


NO_TOLERANCE = 0.0
"""The tolerance that stands for `none`."""


def _read_tolerance(text: Any) -> float | None:  # noqa: ANN401 - unvalidated input
    """Return the tolerance, `NO_TOLERANCE` for `none`."""
    if text is None or text == "none":
        return text and NO_TOLERANCE
    try:
        tolerance = float(text)
    except (TypeError, ValueError):
        tolerance = math.nan
    if not 0 < tolerance <= 1:
        raise PydanticCustomError("tolerance", "Expected a share above 0 and up to 1, or `none`")
    return tolerance


TOLERANCE_SCHEMA = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string", "const": "none"}],
    "examples": [0.01],
}
NARROWER_SCHEMA = {"type": "string", "maxLength": 40, "examples": ["category,place"]}
NarrowerParameter = Annotated[Any, PlainValidator(_read_narrower), WithJsonSchema(NARROWER_SCHEMA)]
ToleranceParameter = Annotated[Any, PlainValidator(_read_tolerance), WithJsonSchema(TOLERANCE_SCHEMA)]


TOLERANCE_FIELD = Field(
    default=None,
    description="The relative tolerance of approximate figures, such as 0.01, or `none`. "
    "Default: that of the topic, else none.",
    examples=["0.01"],
)


class ComparedStateQuery(BaseModel):
    """The state of the register that is compared, and the tolerance."""

    known_on: KnownOn = None
    recorded_as_of: AsOf = None
    tolerance: ToleranceParameter = TOLERANCE_FIELD


class CompareQuery(ComparedStateQuery):
    """Parameters of a comparison of positions."""

    window: int = Field(
        default=DEFAULT_WINDOW_DAYS,
        ge=0,
        le=36_500,
        description="The spread counts figures whose period ends within this many days of the latest one.",
        examples=[31],
    )
    narrower: NarrowerParameter = Field(
        default=None,
        description="The fields that include what lies below them, as parts: `category`, `subject`, `place`, separated "
        "by commas; `true`: all three, `false`: none. Default: those of the topic, else `category`.",
        examples=["category,place"],
    )
    against: Slug | None = Field(
        default=None,
        description="List only the pairs of this source, by slug.",
        examples=["ua-general-staff"],
    )
    ends_by: Day | None = Field(
        default=None,
        description="For each source, the latest figure whose period ends by this day.",
        examples=["2025-06-12"],
    )
    why: bool = Field(default=False, description="Whether each pair has a sentence that says why.", examples=[True])


class TopicsQuery(PageQuery):
    """The page of a list of topics, and the day for which they are summarized."""

    known_on: KnownOn = None


class TimelineQuery(PageQuery):
    """Filters and page of a timeline."""

    known_on: KnownOn = None
    narrower: NarrowerParameter = Field(
        default=None,
        description="The fields that include what lies below them: `category`, `subject`, `place`, separated by "
        "commas; `true`: all three, `false`: none. Default: those of the topic.",
        examples=["false"],
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
def list_topics(query: Annotated[TopicsQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the topics, each with its number of claims and the spread of its figures."""

    def find(page: TopicsQuery) -> Page:
        with read_session(db) as read:
            return find_topics(read.session, page, read.snapshot(page.recorded_as_of, known_on=page.known_on))

    return listing.send(find, query, TOPIC_COLUMNS)


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
                hint = f"leave `topic` out, or use {whole_address('/v1/claims')}"
                raise invalid_field("topic", detail, hint=hint, location="query")
            own_layout = replace(layout, interests=sort_interests(topic["interests"]))
            result = find_claims(read, page.model_copy(update={"topic": [slug]}), snapshot, own_layout)
            narrower = NARROWABLE if page.narrower else topic["narrower"]
            return replace(result, cache_scope=topic_scope(snapshot.latest_seq, topic, narrower))

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
            narrower = topic["narrower"] if page.narrower is None else page.narrower
            own_layout = replace(layout, interests=sort_interests(topic["interests"]))
            result = find_timeline(read, topic, page, snapshot, own_layout, narrower=narrower)
            return replace(result, cache_scope=topic_scope(snapshot.latest_seq, topic, narrower))

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
        options = _build_options(query, topic["tolerance"], topic["narrower"])
        body, versions = build_side_by_side(read, build_question(topic), options, snapshot, topic["interests"])
        rows = [] if listing.file is None else read_claims(read.session, versions, snapshot)
        for row in rows:
            source = row["source"]
            source["interest"] = topic["interests"].get(source["slug"], source["interest"])
    scope = topic_scope(snapshot.latest_seq, topic, options.narrower)
    return listing.send_document(body, rows, CLAIM_COLUMNS, scope)


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
    scope = topic_scope(snapshot.latest_seq, query.model_dump(), options.narrower)
    return listing.send_document(body, rows, CLAIM_COLUMNS, scope)


def _build_options(
    query: CompareQuery, topic_tolerance: float | None = None, topic_narrower: Collection[str] = ("category",)
) -> ComparisonOptions:
    return ComparisonOptions(
        tolerance=_choose_tolerance(query.tolerance, topic_tolerance),
        window=query.window,
        narrower=frozenset(topic_narrower) if query.narrower is None else query.narrower,
        against=query.against,
        ends_by=query.ends_by,
        why=query.why,
    )


def _choose_tolerance(asked: float | None, default: float | None = None) -> float | None:
    """Return the requested tolerance, else the default; None for `NO_TOLERANCE`."""
    return default if asked is None else asked or None


ClaimId = Annotated[str, Field(max_length=80)]


class ClaimPairQuery(BaseModel):
    """Parameters of the comparison of two claims."""

    a: ClaimId = Field(description="The first claim, by id.", examples=["01a1f640-bc00-7fe1-8aaf-3de79d8fb7ee"])
    b: ClaimId = Field(description="The second claim, by id.", examples=["01a1f640-bc00-7ca1-8b60-821cb18e96a1"])
    known_on: KnownOn = None
    recorded_as_of: AsOf = None
    tolerance: ToleranceParameter = TOLERANCE_FIELD


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
        body = compare_two_claims(read.session, query.a, query.b, snapshot, _choose_tolerance(query.tolerance))
    return json_response(request, body, cache_scope=CacheScope(snapshot.latest_seq))
