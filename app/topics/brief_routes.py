"""HTTP routes of briefs, in JSON, Markdown, plain text and CSV."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from app.database.read_session import read_session
from app.errors import NotAcceptable
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.list_columns import ListName, declare_list
from app.http.negotiation import JSON_MEDIA_TYPE, choose_among, join_words
from app.http.offload import offloaded
from app.http.responses import cacheable_response, json_bytes
from app.http.routing import api_router
from app.http.serializers import csv_header, csv_rows
from app.topics.brief import BriefLimits, build_brief
from app.topics.brief_schemas import Brief, BriefRow
from app.topics.brief_text import brief_rows, render_brief
from app.topics.parameters import BriefQuery, build_options
from app.topics.queries import read_topic_fields
from app.topics.records import topic_scope
from app.topics.side_by_side import build_question

router = api_router("topics")


class BriefFormat(StrEnum):
    """The formats of a brief."""

    json = "json"
    md = "md"
    txt = "txt"
    csv = "csv"


MEDIA_TYPES = {
    BriefFormat.json: JSON_MEDIA_TYPE,
    BriefFormat.md: "text/markdown",
    BriefFormat.txt: "text/plain",
    BriefFormat.csv: "text/csv",
}
BRIEF_COLUMNS = columns_of_model(BriefRow)
declare_list(ListName.brief, BRIEF_COLUMNS)

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Brief,
        "content": {media_type: {"schema": {"type": "string"}} for media_type in list(MEDIA_TYPES.values())[1:]},
        "description": "The brief as JSON, Markdown, plain text or CSV.",
    }
}
TopicSlug = Annotated[str, Path(description="The slug of the topic.", examples=["russian-casualties"])]


@router.get(
    "/topics/{slug}/brief",
    summary="Read the brief of a topic",
    operation_id="read_brief",
    responses=_RESPONSES,
)
@offloaded()
def read_brief(
    slug: TopicSlug,
    query: Annotated[BriefQuery, Query()],
    request: Request,
    db: Db,
    format: Annotated[  # noqa: A002 - the name of the parameter
        BriefFormat | None, Query(description="The format, if the address has no suffix.", examples=["md"])
    ] = None,
) -> Response:
    """Return a topic on one screen: like figures together, the newest first, and the pairs that deserve a look.

    `positions` and `pairs` ask for more of them. As CSV: one row for each position that is shown.
    """
    chosen = choose_among(request, format, MEDIA_TYPES)
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        topic = read_topic_fields(read.session, slug, snapshot)
        options = build_options(query, topic["tolerance"], topic["narrower"])
        limits = BriefLimits(positions=query.positions, pairs=query.pairs)
        brief = build_brief(read, build_question(topic), options, snapshot, topic["interests"], limits)
    match chosen:
        case BriefFormat.json:
            body = json_bytes(brief)
        case BriefFormat.csv:
            body = csv_header(BRIEF_COLUMNS) + csv_rows(brief_rows(brief), BRIEF_COLUMNS)
        case _:
            fits_screen = limits == BriefLimits()
            body = render_brief(brief, is_markdown=chosen is BriefFormat.md, fits_screen=fits_screen).encode()
    media_type = MEDIA_TYPES[chosen] + ("" if chosen is BriefFormat.json else "; charset=utf-8")
    scope = topic_scope(snapshot.latest_seq, topic, options.narrower)
    return cacheable_response(request, body, media_type, cache_scope=scope)


def _check_suffix(
    suffix: Annotated[
        str,
        Path(
            description=f"The format: {join_words((f'`{each}`' for each in BriefFormat), 'or')}.",
            examples=["md"],
            json_schema_extra={"enum": list(BriefFormat)},
        ),
    ],
) -> None:
    """Declare the suffix of a path. Raises `NotAcceptable` for an unknown format."""
    if suffix not in set(BriefFormat):
        hint = f"the formats are {join_words(BriefFormat, 'and')}"
        raise NotAcceptable(f"There is no format `{suffix}`.", hint=hint)


router.get(
    "/topics/{slug}/brief.{suffix}",
    summary="Read the brief of a topic, as a file",
    operation_id="read_brief_file",
    dependencies=[Depends(_check_suffix)],
    responses=_RESPONSES,
)(read_brief)
