"""The HTTP route of the register."""

from fastapi import Request
from starlette.responses import Response

from app.cache.scope import CacheScope
from app.database.read_session import read_session
from app.http.dependencies import Db
from app.http.responses import json_response
from app.http.routing import api_router
from app.register.queries import read_register
from app.register.schemas import RegisterDescription

router = api_router("operation")


@router.get(
    "/register",
    summary="Read the register",
    operation_id="read_register",
    responses={200: {"model": RegisterDescription}},
)
def get_register(request: Request, db: Db) -> Response:
    """Return the register itself: its permanent id, its title, its terms, and how many records it has."""
    with read_session(db) as read:
        snapshot = read.snapshot()
        body = read_register(read.session, snapshot, request.app.state.settings)
    return json_response(request, body, cache_scope=CacheScope(snapshot.latest_seq))
