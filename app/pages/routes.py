"""HTTP routes of the pages for people, their files, and the redirects of addresses with `.json`."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError
from starlette.responses import RedirectResponse, Response

from app.cache.scope import REGISTER_KEY, CacheScope
from app.database.read_session import read_session
from app.enums import Verdict
from app.errors import FormatNotImplemented, NotFound, shorten
from app.http.addresses import whole_address
from app.http.consistency import wait_for_seq
from app.http.dependencies import Db
from app.http.fast_route import FastRoute
from app.http.parameters import FORMS
from app.http.responses import cacheable_response, json_response
from app.pages.claim import build_claim_page
from app.pages.embed import (
    CardQuery,
    build_claim_card,
    build_topic_card,
    describe_embed,
    find_embedded_page,
    render_oembed_xml,
)
from app.pages.home import build_home_page
from app.pages.policy import PAGE_MEDIA_TYPE, page_policy
from app.pages.records import (
    ClaimsPageQuery,
    RecordPageQuery,
    build_claims_page,
    build_document_page,
    build_source_page,
)
from app.pages.templates import STATIC_MEDIA_TYPES, asset_path, load_static, render
from app.pages.topic import TopicPageQuery, build_topic_page
from app.pages.views import PageCursor, PageStateQuery, with_query
from app.register.queries import read_register

router = APIRouter(dependencies=[Depends(wait_for_seq)], route_class=FastRoute, tags=["pages"])

Endpoint = Callable[..., Response]

ClaimPageId = Annotated[
    str, Path(alias="id", description="The id of the claim.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"])
]
DocumentPageId = Annotated[
    str, Path(alias="id", description="The id of the document.", examples=["01a1f640-bc00-7643-9830-d0c28b0cfb0d"])
]
TopicPageSlug = Annotated[
    str, Path(alias="slug", description="The slug of the topic.", examples=["russian-casualties"])
]
SourcePageSlug = Annotated[str, Path(alias="slug", description="The slug of the source.", examples=["csis"])]


def _describe_text(media_type: str, description: str, example: Any) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Return what the OpenAPI document says about a response that is not a record."""
    schema = {"type": "string"} if isinstance(example, str) else {"type": "object"}
    return {200: {"description": description, "content": {media_type: {"schema": schema, "example": example}}}}


HTML = _describe_text("text/html", "The page.", "<!doctype html>\u2026")


def _page_route(path: str, operation_id: str, summary: str, **options: Any) -> Callable[[Endpoint], Endpoint]:  # noqa: ANN401 - those of FastAPI
    """Declare the route of a page."""
    return router.get(
        path, operation_id=operation_id, summary=summary, response_class=Response, responses=HTML, **options
    )


RECORD_PATHS = ("topics", "claims", "sources", "documents")
"""The first parts of the paths of records, of pages and under `/v1` alike."""


KINDS_WITHOUT_KNOWN_ON = frozenset({"sources", "documents"})
"""The first parts of the paths of records whose pages take `known_on` for their claims: the records are not said."""


class HomeQuery(PageStateQuery):
    """The query parameters of the first page. Unknown ones are ignored."""

    q: str | None = Field(
        default=None, max_length=200, description="Words of questions, sources and places.", examples=["casualties"]
    )
    cursor: PageCursor = None


def _page(request: Request, template: str, context: dict[str, Any], scope: CacheScope) -> Response:
    body = render(template, **{"search": None, **context})
    headers = {"Content-Security-Policy": page_policy()}
    return cacheable_response(request, body, PAGE_MEDIA_TYPE, headers=headers, cache_scope=scope)


def _redirect_to_record(kind: str) -> None:
    def redirect(name: str, request: Request) -> Response:
        """Redirect to the record as JSON."""
        parameters = parse_qsl(request.url.query, keep_blank_values=True)
        if kind in KINDS_WITHOUT_KNOWN_ON:
            parameters = [(each, value) for each, value in parameters if each != "known_on"]
        return RedirectResponse(with_query(f"/v1/{kind}/{name}", parameters), status_code=308)

    router.add_api_route(f"/{kind}/{{name}}.json", redirect, include_in_schema=False)


for record_path in RECORD_PATHS:
    _redirect_to_record(record_path)


@_page_route("/", "show_home", "Show the questions")
def show_home(request: Request, db: Db, query: Annotated[HomeQuery, Query()]) -> Response:
    """Show the questions with their disagreement at a glance, or what a search finds."""
    with read_session(db) as read:
        snapshot = query.open_snapshot(read)
        context = build_home_page(read, snapshot, query.q, query.cursor)
    return _page(request, "home.html", context, CacheScope(snapshot.latest_seq))


@_page_route("/about", "show_about", "Show what the register is")
def show_about(request: Request, db: Db) -> Response:
    """Show what the register holds, its rules and its terms."""
    with read_session(db) as read:
        snapshot = read.snapshot()
        register = read_register(read.session, snapshot, request.app.state.settings)
    definitions = {verdict.value: verdict.definition for verdict in Verdict}
    context = {
        "path": "/about",
        "description": "What this register holds, the rules by which figures are compared, and its terms.",
        "register": register,
        "definitions": definitions,
    }
    return _page(request, "about.html", context, CacheScope(snapshot.latest_seq))


@_page_route("/topics/{slug}", "show_topic", "Show a topic")
def show_topic(request: Request, db: Db, slug: TopicPageSlug, query: Annotated[TopicPageQuery, Query()]) -> Response:
    """Show a topic: what its sources say, why they differ, and every claim."""
    _check_suffix(slug)
    with read_session(db) as read:
        context, scope = build_topic_page(read, slug, query)
    return _page(request, "topic.html", context, scope)


@_page_route("/claims", "show_claims", "Show the claims about something")
def show_claims(request: Request, db: Db, query: Annotated[ClaimsPageQuery, Query()]) -> Response:
    """Show the claims about a category, a subject or a place."""
    with read_session(db) as read:
        context, scope = build_claims_page(read, query)
    return _page(request, "claims.html", context, scope)


@_page_route("/claims/{id}", "show_claim", "Show a claim")
def show_claim(
    request: Request,
    db: Db,
    id: ClaimPageId,  # noqa: A002 - the name in the path
    query: Annotated[PageStateQuery, Query()],
) -> Response:
    """Show a claim with its citations, relations and history."""
    _check_suffix(id)
    with read_session(db) as read:
        context, scope = build_claim_page(read, id, query.open_snapshot(read))
    return _page(request, "claim.html", context, scope)


@_page_route("/sources/{slug}", "show_source", "Show a source")
def show_source(request: Request, db: Db, slug: SourcePageSlug, query: Annotated[RecordPageQuery, Query()]) -> Response:
    """Show a source and what it has stated."""
    _check_suffix(slug)
    with read_session(db) as read:
        context, scope = build_source_page(read, slug, query)
    return _page(request, "source.html", context, scope)


@_page_route("/documents/{id}", "show_document", "Show a document")
def show_document(
    request: Request,
    db: Db,
    id: DocumentPageId,  # noqa: A002 - the name in the path
    query: Annotated[RecordPageQuery, Query()],
) -> Response:
    """Show a document, its editions, and the claims that can be read in it."""
    _check_suffix(id)
    with read_session(db) as read:
        context, scope = build_document_page(read, id, query)
    return _page(request, "document.html", context, scope)


def _check_suffix(name: str) -> None:
    """Raise `NotFound` for a name with a suffix: slugs and ids have no point."""
    if "." in name:
        suffix = name.rpartition(".")[2]
        raise NotFound(f"There is no page with the suffix `.{suffix}`.", hint="the only suffix of a page is .json")


@router.get("/about.json", include_in_schema=False)
@router.get("/index.json", include_in_schema=False)
def redirect_to_register() -> Response:
    """Redirect to the register as JSON."""
    return RedirectResponse(whole_address("/v1/register"), status_code=308)


@_page_route("/embed/topics/{slug}", "show_topic_card", "Show the card of a topic", tags=["charts"])
def show_topic_card(request: Request, db: Db, slug: TopicPageSlug, query: Annotated[CardQuery, Query()]) -> Response:
    """Show the card of a topic, for a frame on another site."""
    with read_session(db) as read:
        context, scope = build_topic_card(read, slug, query)
    return _card(request, "embed_topic.html", context, scope)


@_page_route("/embed/claims/{id}", "show_claim_card", "Show the card of a claim", tags=["charts"])
def show_claim_card(
    request: Request,
    db: Db,
    id: ClaimPageId,  # noqa: A002 - the name in the path
    query: Annotated[CardQuery, Query()],
) -> Response:
    """Show the card of a claim, for a frame on another site."""
    with read_session(db) as read:
        context, scope = build_claim_card(read, id, query)
    return _card(request, "embed_claim.html", context, scope)


def _card(request: Request, template: str, context: dict[str, Any], scope: CacheScope) -> Response:
    headers = {"Content-Security-Policy": page_policy(frame_ancestors="*")}
    return cacheable_response(request, render(template, **context), PAGE_MEDIA_TYPE, headers=headers, cache_scope=scope)


@router.get(
    "/embed.js",
    operation_id="read_embed_script",
    summary="Load the elements of cards",
    tags=["charts"],
    response_class=Response,
    responses=_describe_text("text/javascript", "A module of JavaScript.", "\u2026"),
)
def read_embed_script(request: Request) -> Response:
    """Return the module that defines the elements of cards. Its address never changes, so caches revalidate it."""
    found = load_static("embed.js")
    if found is None:
        raise NotFound("There is no file `embed.js`.")
    return cacheable_response(request, found[0], STATIC_MEDIA_TYPES[".js"])


OEMBED_EXAMPLE = {"version": "1.0", "type": "rich", "width": 600, "height": 420, "html": "<iframe \u2026></iframe>"}


def _require_digits(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Accept a number only in the form that all parameters have. Other ones are not checked by `check_parameters`."""
    pattern, expected = FORMS[int]
    if isinstance(value, str) and not pattern.fullmatch(value):
        raise PydanticCustomError("whole_number", "Expected {expected}", {"expected": expected})
    return value


Pixels = Annotated[int, Field(ge=1), BeforeValidator(_require_digits)]


class OEmbedQuery(BaseModel):
    """The query parameters of oEmbed. Unknown ones are ignored."""

    url: str = Field(
        max_length=2_000,
        description="The address of the page of a topic or a claim.",
        examples=["/topics/russian-casualties"],
    )
    format: str = Field(default="json", description="`json` or `xml`.", examples=["json"])
    maxwidth: Pixels | None = Field(default=None, description="The most pixels across.", examples=[600])
    maxheight: Pixels | None = Field(default=None, description="The most pixels down.", examples=[420])


@router.get(
    "/oembed",
    operation_id="read_oembed",
    summary="Read how to embed a page (oEmbed)",
    tags=["charts"],
    response_class=Response,
    responses=_describe_text("application/json", "The card and its size, or the same as XML.", OEMBED_EXAMPLE),
)
def read_oembed(request: Request, db: Db, query: Annotated[OEmbedQuery, Query()]) -> Response:
    """Return how to embed a page of this service (oEmbed 1.0), as JSON or XML."""
    if query.format not in {"json", "xml"}:
        raise FormatNotImplemented(
            f"There is no format `{shorten(query.format)}`.", hint="the formats are json and xml"
        )
    with read_session(db) as read:
        page = find_embedded_page(read, query.url)
        scope = CacheScope(read.snapshot().latest_seq)
    response = describe_embed(page, query.maxwidth, query.maxheight)
    if query.format == "xml":
        return cacheable_response(request, render_oembed_xml(response), "text/xml; charset=utf-8", cache_scope=scope)
    return json_response(request, response, cache_scope=scope)


@router.get("/static/{name}", include_in_schema=False)
def read_asset(name: str) -> Response:
    """Return a file that pages load. Its address contains its digest, so that caches can hold it for good."""
    stem, _, rest = name.partition(".")
    suffix = rest.rpartition(".")[2]
    plain_name = f"{stem}.{suffix}"
    found = load_static(plain_name)
    if found is None or asset_path(plain_name) != f"/static/{name}":
        raise NotFound(f"There is no file `{name}`.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Surrogate-Key": REGISTER_KEY}
    return Response(found[0], media_type=STATIC_MEDIA_TYPES[f".{suffix}"], headers=headers)


@router.get("/favicon.ico", include_in_schema=False)
def redirect_to_icon() -> Response:
    """Redirect to the icon."""
    return RedirectResponse(whole_address(asset_path("favicon.svg")), status_code=308)
