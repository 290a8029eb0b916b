"""A short way to the reads that everybody waits for, and to `app/posting.py`.

FastAPI looks at thirty parameters one by one, which takes longer than finding and writing fifty claims. Here the same
routes are called with the same models, made in one step. Whatever is not plain (a parameter that does not exist or is
given twice, a value that does not fit) goes the long way, which says what is wrong with it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.claims.routes import get_claim, list_claims
from app.claims.search.filters import ClaimQuery
from app.database.engine import Database
from app.database.query_budget import in_a_hurry, is_too_long
from app.errors import Problem, QueryTooBroad
from app.http.fast_post import ADDRESS, Posted
from app.http.lists import Shape, Want
from app.http.negotiation import SUFFIXES, Format
from app.http.parameters import IGNORED
from app.http.problems import DATABASE_FAULTS, problem_response
from app.http.schema_types import Day, State
from app.topics.routes import (
    CompareQuery,
    SideBySideQuery,
    TimelineQuery,
    list_topic_claims,
    read_side_by_side,
    read_timeline,
    read_topic_side_by_side,
)

SMALL_PAGE = 100
"""Up to so many rows are read in the event loop itself, on SQLite: a thread would take longer to wake up."""


class _ClaimState(BaseModel):
    known_on: Day | None = None
    recorded_as_of: State | None = None


WANTED: dict[str, Callable[[str], Any]] = {
    "format": Format,
    "shape": Shape,
    "fields": str,
    "bom": {"true": True}.__getitem__,
}
"""What `Want` takes besides the request."""


@dataclass(frozen=True, slots=True)
class _Way:
    """A route: its address, its function, the model of its parameters.

    `listed`: it answers in several formats. `inside`: it reads nothing but what the budget of a `Reading` bounds.
    """

    address: re.Pattern[str]
    route: Callable[..., Response]
    model: type[BaseModel]
    listed: bool
    inside: bool


def _way(
    address: str, route: Callable[..., Response], model: type[BaseModel], *, listed: bool = True, inside: bool = False
) -> _Way:
    suffix = rf"(?:\.(?P<suffix>{'|'.join(SUFFIXES)}))?" if listed else ""
    return _Way(re.compile(address + suffix), route, model, listed, inside)


SLUG = r"(?P<slug>[a-z0-9-]+)"
WAYS = (
    _way("/v1/claims", list_claims, ClaimQuery, inside=True),
    _way("/v1/claims/(?P<claim>[0-9a-f-]{36})", get_claim, _ClaimState, listed=False, inside=True),
    _way("/v1/side-by-side", read_side_by_side, SideBySideQuery),
    _way(f"/v1/topics/{SLUG}/side-by-side", read_topic_side_by_side, CompareQuery),
    _way(f"/v1/topics/{SLUG}/timeline", read_timeline, TimelineQuery),
    _way(f"/v1/topics/{SLUG}/claims", list_topic_claims, ClaimQuery, inside=True),
)


class Quick:
    """Answers what it can, and passes everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a plain read or a plain new claim; pass on the rest."""
        response = None
        if scope["type"] == "http":
            if scope["method"] == "GET":
                response = await _answer(scope)
            elif scope["method"] == "POST" and scope["path"] == ADDRESS:
                posted = Posted(scope, receive)
                response, receive = await posted.answer(), posted.receive
        await (self.app if response is None else response)(scope, receive, send)


async def _answer(scope: Scope) -> Response | None:
    path = scope["path"]
    for way in WAYS:
        if (found := way.address.fullmatch(path)) is not None:
            break
    else:
        return None
    request = Request({**scope, "path_params": found.groupdict()})
    asked = _read(scope["query_string"], way)
    if asked is None or "x-register-seq" in request.headers:
        return None
    query, wanted = asked
    arguments: dict[str, Any] = {**found.groupdict(), "db": request.app.state.database}
    try:
        if way.listed:
            arguments |= {"query": query, "want": Want(request, **wanted)}
            del arguments["suffix"]
        else:
            arguments |= {"request": request, **dict(query)}
        return await _run(way, arguments)
    except Problem as problem:
        return problem_response(request, problem)
    except DATABASE_FAULTS:
        return None


async def _run(way: _Way, arguments: dict[str, Any]) -> Response:
    database: Database = arguments["db"]
    want: Want | None = arguments.get("want")
    most = getattr(arguments.get("query"), "limit", None) or 0
    if way.inside and database.dialect == "sqlite" and most <= SMALL_PAGE and (want is None or want.file is None):
        try:
            with in_a_hurry():
                return way.route(**arguments)
        except QueryTooBroad:
            pass
        except DBAPIError as error:
            if not is_too_long(error):
                raise
    return await run_in_threadpool(way.route, **arguments)


def _read(text: bytes, way: _Way) -> tuple[BaseModel, dict[str, Any]] | None:
    """The parameters of a request, if nothing about them is unusual."""
    fields = way.model.model_fields
    values: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    try:
        for name, value in parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict"):
            if name in fields:
                if get_origin(fields[name].annotation) is list:
                    values.setdefault(name, []).append(value)
                    continue
                if name in values or not value:
                    return None
                values[name] = value
            elif way.listed and name in WANTED and name not in wanted and value:
                wanted[name] = WANTED[name](value)
            elif name not in IGNORED and not name.startswith("utm_"):
                return None
        return way.model.model_validate(values), wanted
    except (ValidationError, ValueError, KeyError):
        return None
