"""HTTP routes of feeds."""

from typing import Any

from fastapi import Request
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.database.engine import Database
from app.database.snapshot import open_snapshot
from app.feeds.formats import Feed, build_json_feed, format_atom
from app.feeds.queries import read_feed
from app.http.dependencies import Db
from app.http.offload import offloaded
from app.http.responses import cacheable_response, json_bytes
from app.http.routing import api_router
from app.topics.routes import TopicSlug

router = api_router("changes")

ATOM_MEDIA_TYPE = "application/atom+xml; charset=utf-8"
JSON_FEED_MEDIA_TYPE = "application/feed+json"
JSON_FEED_EXAMPLE: dict[str, Any] = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Counterclaim: all changes",
    "items": [],
}


def _read_feed(db: Database, topic: str | None = None) -> tuple[Feed, CacheScope]:
    with db.read() as session:
        return read_feed(session, open_snapshot(session), topic)


def _atom_response(request: Request, feed: Feed, cache_scope: CacheScope) -> Response:
    body = format_atom(feed, request.url.path)
    return cacheable_response(request, body, ATOM_MEDIA_TYPE, cache_scope=cache_scope)


def _json_feed_response(request: Request, feed: Feed, cache_scope: CacheScope) -> Response:
    body = json_bytes(build_json_feed(feed, request.url.path))
    return cacheable_response(request, body, JSON_FEED_MEDIA_TYPE, cache_scope=cache_scope)


ATOM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/atom+xml": {"schema": {"type": "string"}, "example": "<feed/>"}}}
}
JSON_FEED_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {JSON_FEED_MEDIA_TYPE: {"schema": {"type": "object"}, "example": JSON_FEED_EXAMPLE}}}
}


@router.get(
    "/feed.atom",
    summary="Subscribe to all changes (Atom)",
    response_class=Response,
    responses=ATOM_RESPONSES,
    operation_id="read_register_atom",
)
@offloaded()
def read_register_atom(request: Request, db: Db) -> Response:
    """Return the latest changes of all claims, each with a sentence, for feed readers."""
    return _atom_response(request, *_read_feed(db))


@router.get(
    "/feed.json",
    summary="Subscribe to all changes (JSON Feed)",
    response_class=Response,
    responses=JSON_FEED_RESPONSES,
    operation_id="read_register_json_feed",
)
@offloaded()
def read_register_json_feed(request: Request, db: Db) -> Response:
    """Return the latest changes of all claims, each with a sentence, for feed readers."""
    return _json_feed_response(request, *_read_feed(db))


@router.get(
    "/topics/{slug}/feed.atom",
    summary="Subscribe to a topic (Atom)",
    response_class=Response,
    responses=ATOM_RESPONSES,
    operation_id="read_topic_atom",
)
@offloaded()
def read_topic_atom(slug: TopicSlug, request: Request, db: Db) -> Response:
    """Return the latest changes of the claims of a topic, each with a sentence, for feed readers."""
    return _atom_response(request, *_read_feed(db, slug))


@router.get(
    "/topics/{slug}/feed.json",
    summary="Subscribe to a topic (JSON Feed)",
    response_class=Response,
    responses=JSON_FEED_RESPONSES,
    operation_id="read_topic_json_feed",
)
@offloaded()
def read_topic_json_feed(slug: TopicSlug, request: Request, db: Db) -> Response:
    """Return the latest changes of the claims of a topic, each with a sentence, for feed readers."""
    return _json_feed_response(request, *_read_feed(db, slug))
