"""Topics and side-by-sides over HTTP."""

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
from app.comparison.spread import DEFAULT_WINDOW_DAYS
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
from app.topics.side_by_side import Question, build_side_by_side, check_question
from app.vocabulary.slug_records import handle_put

router = api_router("topics")
TOPIC_COLUMNS = columns_of_model(Topic)
TIMELINE_COLUMNS = [column for column in CLAIM_COLUMNS if column.name in TimelineRow.model_fields]

TopicSlug = Annotated[str, Path(description="The topic's slug.", examples=["russian-casualties"])]


class CompareQuery(BaseModel):
    """How positions are compared."""

    known_on: Day | None = Field(
        default=None, description="Only what had been said by this day; today if not given.", examples=["2025-06-12"]
    )
    recorded_as_of: RegisterState | None = Field(
        default=None,
        description="The register as it stood at this time, or at `seq:N`; as it stands if not given.",
        examples=["seq:1234"],
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The share by which approximate figures are widened; the topic's if not given.",
        examples=[0.01],
    )
    window: int = Field(
        default=DEFAULT_WINDOW_DAYS,
        ge=0,
        le=36_500,
        description="How many days before the newest a figure may end to count in the spread.",
        examples=[31],
    )
    narrower: bool = Field(
        default=True, description="Whether categories within the asked one count too, as parts of it.", examples=[False]
    )
    against: Slug | None = Field(
        default=None, description="Compare everyone with this source alone.", examples=["ua-general-staff"]
    )


class TimelineQuery(PageQuery):
    """Which rows of a timeline."""

    known_on: Day | None = Field(
        default=None, description="Only what had been said by this day; undated claims never.", examples=["2025-06-12"]
    )
    narrower: bool | None = Field(
        default=None, description="`false` leaves out the categories within the topic's.", examples=[False]
    )


class SideBySideQuery(CompareQuery):
    """A question of one's own."""

    category: Slug = Field(description="What is counted.", examples=["casualties"])
    subject: Slug | None = Field(default=None, description="Whose; anyone's if not given.", examples=["russian-forces"])
    place: Slug | None = Field(
        default=None, description="Where; anywhere if not given.", examples=["russia-ukraine-war"]
    )
    aggregation: Aggregation | None = Field(
        default=None, description="How the figures relate to their periods.", examples=["cumulative"]
    )
    since: Day | None = Field(default=None, description="The first day of the periods.", examples=["2022-02-24"])


@list_route(router, "/topics", Topic, "List topics")
def list_topics(query: Annotated[PageQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """The questions that people ask, each with how many claims answer it and how far they lie apart."""

    def find(page: PageQuery) -> Page:
        with read_session(db) as read:
            return find_topics(read.session, page, read.snapshot(page.recorded_as_of))

    return want.send(find, query, TOPIC_COLUMNS)


@router.get("/topics/{slug}", summary="Read a topic", operation_id="read_topic", responses={200: {"model": Topic}})
def get_topic(slug: TopicSlug, request: Request, db: Db, recorded_as_of: AsOf = None) -> Response:
    """One question, with claim and source counts, date span, spread, and how many pairs there are of each verdict."""
    with read_session(db) as read:
        view = read.snapshot(recorded_as_of)
        card = read_topic(read.session, slug, view)
    return json_response(request, card, basis=topic_scope(view.latest_seq, card))


@router.put(
    "/topics/{slug}",
    summary="Record a topic",
    operation_id="put_topic",
    responses={200: {"model": Topic}, 201: {"model": Topic, "description": "It is new."}},
)
def record_topic(
    slug: Annotated[
        Slug, Path(description="Its slug: small letters, digits and hyphens.", examples=["russian-casualties"])
    ],
    given: TopicInput,
    write: WriteRequestDep,
    editor: Editor,
) -> Response:
    """Make or change a question. Its claims are found by its fields."""

    def put(log: WriteTransaction) -> tuple[ResponseObject, bool | None]:
        _card, created = put_topic(log, slug, given)
        return read_topic(log.session, slug, log.snapshot), created

    return handle_put(write, editor, TOPIC, slug, put)


@list_route(router, "/topics/{slug}/claims", Claim, "List the claims of a topic")
@fast_path(inline=True)
def list_topic_claims(
    slug: TopicSlug, query: Annotated[ClaimQuery, Query()], db: Db, want: ListResponseDep
) -> Response:
    """All its claims, the newest first, narrower categories included; every filter of `/v1/claims` works here too."""
    layout = want.layout(CLAIM_COLUMNS)

    def find(page: ClaimQuery) -> Page:
        with read_session(db, plan_once=want.file is None) as read:
            view = read.snapshot(page.recorded_as_of, known_on=page.known_on)
            topic = read_topic_fields(read.session, slug, view)
            if page.topic:
                detail = "The address names the topic already."
                raise invalid_field("topic", detail, hint="leave `topic` out, or ask /v1/claims", location="query")
            found = find_claims(read, page.model_copy(update={"topic": [slug]}), view, layout)
            return replace(found, cache_scope=topic_scope(view.latest_seq, topic))

    return want.send(find, query, CLAIM_COLUMNS)


@list_route(router, "/topics/{slug}/timeline", TimelineRow, "Follow a topic over time")
@fast_path()
def read_timeline(slug: TopicSlug, query: Annotated[TimelineQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """One flat row a claim, by source and date: what a chart over time draws. `fields` chooses other columns."""
    layout = want.layout(CLAIM_COLUMNS, TIMELINE_COLUMNS)

    def find(page: TimelineQuery) -> Page:
        with read_session(db) as read:
            view = read.snapshot(page.recorded_as_of, known_on=page.known_on)
            topic = read_topic_fields(read.session, slug, view)
            found = find_timeline(read, topic, page, view, layout, narrower=page.narrower is not False)
            return replace(found, cache_scope=topic_scope(view.latest_seq, topic))

    return want.send(find, query, CLAIM_COLUMNS, TIMELINE_COLUMNS)


@list_route(router, "/topics/{slug}/side-by-side", SideBySide, "See a topic side by side", pages=False)
@fast_path()
def read_topic_side_by_side(
    slug: TopicSlug, query: Annotated[CompareQuery, Query()], db: Db, want: ListResponseDep
) -> Response:
    """Every source's position, and of every two whether they agree, contradict or cannot be compared, and why.

    As a file: the claims that are the positions, a row each.
    """
    with read_session(db) as read:
        view = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        topic = read_topic_fields(read.session, slug, view)
        card, versions = build_side_by_side(read, _build_question(topic, query), view)
        rows = [] if want.file is None else read_claims(read.session, versions, view)
    return want.send_document(card, rows, CLAIM_COLUMNS, topic_scope(view.latest_seq, topic))


@list_route(router, "/side-by-side", SideBySide, "See any question side by side", pages=False)
@fast_path()
def read_side_by_side(query: Annotated[SideBySideQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """The same for a question of your own: a category, and whose, where, how counted and since when."""
    with read_session(db) as read:
        view = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        check_question(read.session, query.category, query.subject, query.place, view)
        card, versions = build_side_by_side(read, _build_question(query.model_dump(), query), view)
        rows = [] if want.file is None else read_claims(read.session, versions, view)
    return want.send_document(card, rows, CLAIM_COLUMNS, topic_scope(view.latest_seq, query.model_dump()))


def _build_question(asked: dict[str, object], query: CompareQuery) -> Question:
    return Question(
        asked={"slug": None, "title": None, **asked},
        tolerance=query.tolerance or asked.get("tolerance"),  # type: ignore[arg-type] # a float or nothing
        window=query.window,
        narrower=query.narrower,
        against=query.against,
    )
