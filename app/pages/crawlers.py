"""Files for search engines: what they may read (RFC 9309), and the addresses of the topics (sitemaps.org 0.9)."""

from xml.sax.saxutils import escape

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.cache.scope import CacheScope, record_scope
from app.database.read_session import read_session
from app.errors import NotFound
from app.http.addresses import base_path, base_url, whole_address
from app.http.consistency import wait_for_seq
from app.http.dependencies import Db
from app.http.fast_route import FastRoute
from app.http.responses import cacheable_response
from app.vocabulary.reference_data import get_reference_data

router = APIRouter(dependencies=[Depends(wait_for_seq)], route_class=FastRoute, include_in_schema=False)

MAX_SITEMAP_ADDRESSES = 50_000
"""The most addresses that a sitemap may have. More topics are in several sitemaps, which an index names."""

DISALLOWED_PATHS = ("/v1/changes", "/metrics")

SITEMAP_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
SITEMAP_MEDIA_TYPE = "application/xml"
SITEMAP_PATH = "/sitemap.xml"


@router.get("/robots.txt")
def read_robots() -> Response:
    """Return what crawlers may read, and the address of the sitemap. It must be whole, so it needs a base URL."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {base_path()}{path}" for path in DISALLOWED_PATHS),
        f"Allow: {base_path()}/",
    ]
    if base_url():
        lines += ["", f"Sitemap: {whole_address(SITEMAP_PATH)}"]
    return Response("\n".join((*lines, "")), media_type="text/plain", headers={"Cache-Control": "public, max-age=3600"})


@router.get(SITEMAP_PATH)
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


@router.get("/sitemap-{part:int}.xml")
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
