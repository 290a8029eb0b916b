"""Files for crawlers and other programs that discover the service.

For search engines: what they may read (RFC 9309), and the addresses of the topics (sitemaps.org 0.9). For others: where
the API and its documentation are (RFC 9727), and the same in words (llmstxt.org).
"""

from typing import Any
from xml.sax.saxutils import escape

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.cache.scope import REGISTER_KEY, CacheScope, record_scope
from app.database.read_session import read_session
from app.errors import NotFound
from app.http.addresses import base_path, base_url, whole_address
from app.http.consistency import wait_for_seq
from app.http.dependencies import Db
from app.http.fast_route import FastRoute
from app.http.responses import cacheable_response, json_bytes
from app.pages.docs import load_guides
from app.vocabulary.reference_data import get_reference_data

router = APIRouter(dependencies=[Depends(wait_for_seq)], route_class=FastRoute, tags=["register"])

MAX_SITEMAP_ADDRESSES = 50_000
"""The most addresses that a sitemap may have. More topics are in several sitemaps, which an index names."""

DISALLOWED_PATHS = ("/v1/changes", "/metrics")

CATALOG_PATH = "/.well-known/api-catalog"
CATALOG_MEDIA_TYPE = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
OPENAPI_MEDIA_TYPE = "application/vnd.oai.openapi+json"

CATALOG_EXAMPLE = {
    "linkset": [{"anchor": "/v1", "service-desc": [{"href": "/openapi.json", "type": OPENAPI_MEDIA_TYPE}]}]
}

MAX_GUIDE_TOPICS = 100
"""The most topics that the guide names. It leads to the list of all."""

MARKDOWN_CHARACTERS = {ord(character): f"\\{character}" for character in "\\[]`*_<>"}
"""The characters that Markdown would not show as they are, escaped."""

READING_GUIDE = """
# {title}

> A register of contested figures: what each source says, when, where it can be read, what exactly it counts, and how
> far it can be trusted. Figures of different sources are kept side by side. Nothing is merged, averaged or picked.

Reading needs no key. Quote a figure with its source and its day, as `{claims}/ID/citation.txt` prints it.

## Questions

- [All questions]({topics}): with the spread of their figures and the number of pairs that contradict each other
{questions}

## Claims

- [Claims]({claims}?limit=20): filters by source, category, subject, place, date, confidence and words
- [Claims as CSV]({claims}.csv): the same with `.ndjson`, `.xlsx` or `.jsonld`

## Guides

{guides}

## Documentation

- [By task]({docs}): commands and formulas to copy
- [OpenAPI document]({openapi}): every operation, parameter and field, with examples
- [Columns]({columns}): what each column of the files means
- [Vocabulary]({vocabulary}): what each value of an enumeration means

## Optional

- [Terms of use and counts]({register}): of this register
- [Changes]({changes}): the log of everything that was recorded
"""

SITEMAP_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
SITEMAP_MEDIA_TYPE = "application/xml"
SITEMAP_PATH = "/sitemap.xml"


@router.get("/robots.txt", include_in_schema=False)
def read_robots() -> Response:
    """Return what crawlers may read, and the address of the sitemap. It must be whole, so it needs a base URL."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {base_path()}{path}" for path in DISALLOWED_PATHS),
        f"Allow: {base_path()}/",
    ]
    if base_url():
        lines += ["", f"Sitemap: {whole_address(SITEMAP_PATH)}"]
    headers = {"Cache-Control": "public, max-age=3600", "Surrogate-Key": REGISTER_KEY}
    return Response("\n".join((*lines, "")), media_type="text/plain", headers=headers)


@router.get(
    "/llms.txt",
    operation_id="read_guide",
    summary="Read what there is, in words",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": "# Counterclaim\n\u2026"}}}},
)
def read_guide(request: Request, db: Db) -> Response:
    """Return in words, for language models, what the register has and where, with its first questions."""
    with read_session(db) as read:
        snapshot = read.snapshot()
        topics = sorted(get_reference_data(read, snapshot).topics.items())[:MAX_GUIDE_TOPICS]
    questions = [
        f"- [{_plain(topic['title'])}]({whole_address(f'/v1/topics/{slug}/brief.md')}): on one screen"
        for slug, topic in topics
    ]
    addresses = {
        name: whole_address(path)
        for name, path in {
            "topics": "/v1/topics",
            "claims": "/v1/claims",
            "columns": "/v1/columns",
            "vocabulary": "/v1/vocabulary",
            "register": "/v1/register",
            "changes": "/v1/changes",
            "openapi": "/openapi.json",
            "docs": "/docs",
        }.items()
    }
    title = _plain(request.app.state.settings.title)
    guides = [
        f"- [{name}]({whole_address(f'/docs/guides/{slug}.md')})" for slug, (name, _text) in load_guides().items()
    ]
    lists = {"questions": "\n".join(questions), "guides": "\n".join(guides)}
    text = READING_GUIDE.lstrip().format(title=title, **lists, **addresses)
    scope = record_scope(snapshot.latest_seq, "names")
    return cacheable_response(request, text.encode(), "text/plain; charset=utf-8", cache_scope=scope)


def _plain(text: str) -> str:
    """Return a title as it can stand in a line and in a link of Markdown."""
    return " ".join(text.translate(MARKDOWN_CHARACTERS).split())


@router.get(
    CATALOG_PATH,
    operation_id="read_api_catalog",
    summary="Read where the API and its documentation are",
    response_class=Response,
    responses={
        200: {"content": {"application/linkset+json": {"schema": {"type": "object"}, "example": CATALOG_EXAMPLE}}}
    },
)
def read_api_catalog(request: Request) -> Response:
    """Return where the API, its description, its documentation and its status are, as a set of links."""
    links = {
        "service-desc": [("/openapi.json", OPENAPI_MEDIA_TYPE)],
        "service-doc": [("/docs", "text/html"), ("/llms.txt", "text/plain")],
        "status": [("/health/ready", "application/json")],
    }
    entry: dict[str, Any] = {"anchor": whole_address("/v1")}
    for relation, targets in links.items():
        entry[relation] = [{"href": whole_address(path), "type": media_type} for path, media_type in targets]
    headers = {"Link": f'<{whole_address(CATALOG_PATH)}>; rel="api-catalog"'}
    return cacheable_response(request, json_bytes({"linkset": [entry]}), CATALOG_MEDIA_TYPE, headers=headers)


@router.get(SITEMAP_PATH, include_in_schema=False)
def read_sitemap(request: Request, db: Db) -> Response:
    """Return the addresses of all topics, or those of several sitemaps if there are too many."""
    slugs, scope = _read_topics(db)
    if len(slugs) <= MAX_SITEMAP_ADDRESSES:
        body = _format_sitemap(slugs)
    else:
        parts = range(1, _count_parts(slugs) + 1)
        sitemaps = (f"<sitemap><loc>{_escape(f'/sitemap-{part}.xml')}</loc></sitemap>" for part in parts)
        body = _format_document("sitemapindex", "".join(sitemaps))
    return cacheable_response(request, body, SITEMAP_MEDIA_TYPE, cache_scope=scope)


@router.get("/sitemap-{part:int}.xml", include_in_schema=False)
def read_sitemap_part(request: Request, db: Db, part: int) -> Response:
    """Return the addresses of one of several sitemaps, counted from 1."""
    slugs, scope = _read_topics(db)
    if not 1 <= part <= _count_parts(slugs) or len(slugs) <= MAX_SITEMAP_ADDRESSES:
        raise NotFound(f"There is no sitemap {part}.", hint=f"{whole_address(SITEMAP_PATH)} names all sitemaps")
    body = _format_sitemap(slugs[(part - 1) * MAX_SITEMAP_ADDRESSES : part * MAX_SITEMAP_ADDRESSES])
    return cacheable_response(request, body, SITEMAP_MEDIA_TYPE, cache_scope=scope)


def _read_topics(db: Db) -> tuple[list[str], CacheScope]:
    """Return the slugs of all topics. Raises `NotFound` without a base URL: the addresses would not be whole."""
    if not base_url():
        raise NotFound("A sitemap needs whole addresses.", hint="set COUNTERCLAIM_BASE_URL")
    with read_session(db) as read:
        snapshot = read.snapshot()
        slugs = sorted(get_reference_data(read, snapshot).topics)
    return slugs, record_scope(snapshot.latest_seq, "names")


def _count_parts(slugs: list[str]) -> int:
    return -(-len(slugs) // MAX_SITEMAP_ADDRESSES)


def _format_sitemap(slugs: list[str]) -> bytes:
    return _format_document("urlset", "".join(f"<url><loc>{_escape(f'/topics/{slug}')}</loc></url>" for slug in slugs))


def _format_document(root: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{SITEMAP_NAMESPACE}">{content}</{root}>\n'.encode()


def _escape(path: str) -> str:
    return escape(whole_address(path))
