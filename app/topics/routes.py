"""Topics and side-by-sides over HTTP."""

from dataclasses import replace
from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.cache.scope import of_topic
from app.claims.queries import find_claims, read_cards
from app.claims.schemas import Claim
from app.claims.search.filters import ClaimQuery
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.claims.serialization.rows import Card
from app.comparison.spread import WINDOW
from app.database.engine import Db
from app.database.read_session import reading
from app.database.transaction import Log
from app.enums import Aggregation
from app.errors import invalid
from app.http.auth import Editor
from app.http.csv_columns import columns_of_model
from app.http.fast_route import fast_path
from app.http.lists import Wanted, listing
from app.http.pagination import AsOf, Found, PageQuery
from app.http.responses import one
from app.http.routing import api_router
from app.http.schema_types import Day, Slug, State
from app.http.writes import Write
from app.topics.queries import find_timeline, find_topics, read_topic, topic_fields
from app.topics.records import TOPIC, put_topic
from app.topics.schemas import SideBySide, TimelineRow, Topic, TopicInput
from app.topics.side_by_side import Question, check_question, side_by_side

router = api_router("topics")
TOPIC_COLUMNS = columns_of_model(Topic)
TIMELINE_COLUMNS = [column for column in CLAIM_COLUMNS if column.name in TimelineRow.model_fields]

TopicSlug = Annotated[str, Path(description="The topic's slug.", examples=["russian-casualties"])]


class CompareQuery(BaseModel):
    """How positions are compared."""

    known_on: Day | None = Field(
        default=None, description="Only what had been said by this day; today if not given.", examples=["2025-06-12"]
    )
    recorded_as_of: State | None = Field(
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
        default=WINDOW,
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


@listing(router, "/topics", Topic, "List topics")
def list_topics(query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:
    """The questions that people ask, each with how many claims answer it and how far they lie apart."""

    def find(page: PageQuery) -> Found:
        with reading(db) as read:
            return find_topics(read.session, page, read.view(page.recorded_as_of))

    return want.rows(find, query, TOPIC_COLUMNS)


@router.get("/topics/{slug}", summary="Read a topic", operation_id="read_topic", responses={200: {"model": Topic}})
def get_topic(slug: TopicSlug, request: Request, db: Db, recorded_as_of: AsOf = None) -> Response:
    """One question, with claim and source counts, date span, spread, and how many pairs there are of each verdict."""
    with reading(db) as read:
        view = read.view(recorded_as_of)
        card = read_topic(read.session, slug, view)
    return one(request, card, basis=of_topic(view.head, card))


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
    write: Write,
    editor: Editor,
) -> Response:
    """Make or change a question. Its claims are found by its fields."""

    def put(log: Log) -> tuple[Card, bool | None]:
        _card, created = put_topic(log, slug, given)
        return read_topic(log.session, slug, log.view), created

    return write.put(editor, TOPIC, slug, put)


@listing(router, "/topics/{slug}/claims", Claim, "List the claims of a topic")
@fast_path(inline=True)
def list_topic_claims(slug: TopicSlug, query: Annotated[ClaimQuery, Query()], db: Db, want: Wanted) -> Response:
    """All its claims, the newest first, narrower categories included; every filter of `/v1/claims` works here too."""
    layout = want.layout(CLAIM_COLUMNS)

    def find(page: ClaimQuery) -> Found:
        with reading(db, plan_once=want.file is None) as read:
            view = read.view(page.recorded_as_of, known_on=page.known_on)
            topic = topic_fields(read.session, slug, view)
            if page.topic:
                detail = "The address names the topic already."
                raise invalid("topic", detail, hint="leave `topic` out, or ask /v1/claims", location="query")
            found = find_claims(read, page.model_copy(update={"topic": [slug]}), view, layout)
            return replace(found, basis=of_topic(view.head, topic))

    return want.rows(find, query, CLAIM_COLUMNS)


@listing(router, "/topics/{slug}/timeline", TimelineRow, "Follow a topic over time")
@fast_path()
def read_timeline(slug: TopicSlug, query: Annotated[TimelineQuery, Query()], db: Db, want: Wanted) -> Response:
    """One flat row a claim, by source and date: what a chart over time draws. `fields` chooses other columns."""
    layout = want.layout(CLAIM_COLUMNS, TIMELINE_COLUMNS)

    def find(page: TimelineQuery) -> Found:
        with reading(db) as read:
            view = read.view(page.recorded_as_of, known_on=page.known_on)
            topic = topic_fields(read.session, slug, view)
            found = find_timeline(read, topic, page, view, layout, narrower=page.narrower is not False)
            return replace(found, basis=of_topic(view.head, topic))

    return want.rows(find, query, CLAIM_COLUMNS, TIMELINE_COLUMNS)


@listing(router, "/topics/{slug}/side-by-side", SideBySide, "See a topic side by side", pages=False)
@fast_path()
def read_topic_side_by_side(slug: TopicSlug, query: Annotated[CompareQuery, Query()], db: Db, want: Wanted) -> Response:
    """Every source's position, and of every two whether they agree, contradict or cannot be compared, and why.

    As a file: the claims that are the positions, a row each.
    """
    with reading(db) as read:
        view = read.view(query.recorded_as_of, known_on=query.known_on)
        topic = topic_fields(read.session, slug, view)
        card, versions = side_by_side(read, _question(topic, query), view)
        rows = [] if want.file is None else read_cards(read.session, versions, view)
    return want.document(card, rows, CLAIM_COLUMNS, of_topic(view.head, topic))


@listing(router, "/side-by-side", SideBySide, "See any question side by side", pages=False)
@fast_path()
def read_side_by_side(query: Annotated[SideBySideQuery, Query()], db: Db, want: Wanted) -> Response:
    """The same for a question of your own: a category, and whose, where, how counted and since when."""
    with reading(db) as read:
        view = read.view(query.recorded_as_of, known_on=query.known_on)
        check_question(read.session, query.category, query.subject, query.place, view)
        card, versions = side_by_side(read, _question(query.model_dump(), query), view)
        rows = [] if want.file is None else read_cards(read.session, versions, view)
    return want.document(card, rows, CLAIM_COLUMNS, of_topic(view.head, query.model_dump()))


def _question(asked: dict[str, object], query: CompareQuery) -> Question:
    return Question(
        asked={"slug": None, "title": None, **asked},
        tolerance=query.tolerance or asked.get("tolerance"),  # type: ignore[arg-type] # a float or nothing
        window=query.window,
        narrower=query.narrower,
        against=query.against,
    )
