"""Problem details (RFC 9457): the response model of errors, and the handlers that turn exceptions into it."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from app.cache.scope import CacheScope
from app.database.engine import Database
from app.database.faults import DatabaseFault, classify
from app.errors import (
    Fault,
    Forbidden,
    InUse,
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    Problem,
    Removed,
    StorageFull,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    shorten,
    suggest_nearest,
    validation_message,
)
from app.http.addresses import whole_address
from app.http.negotiation import is_page_path, prefers_html
from app.http.responses import SHARED_CACHE_CONTROL, VARY, key_headers
from app.http.schema_types import input_field_names
from app.logs import log_once

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_REPORTED_FAULTS = 20
"""Maximum number of errors that a response lists; the rest is counted. Computing a hint for each takes time."""

MAX_PROBLEM_BYTES = 16_000
"""Maximum size of a problem."""

MAX_MESSAGE_CHARACTERS = 1_000
MAX_POINTER_CHARACTERS = 200

CACHEABLE_STATUSES = frozenset({404, 405, 410, 414, 501})
"""The errors that caches may store by default (RFC 9110, section 15.1): they are held as long as other responses."""

NO_STORE = "no-store"

MAX_HINTS = 3
"""Maximum number of errors for which the nearest word is searched."""

DATABASE_ERRORS = (DBAPIError, PoolTimeout)
"""Exceptions of a database that fails, is busy or is unavailable."""

ProblemPage = Callable[[Request, Problem, Mapping[str, str]], Response]
"""Renders a problem as a page, with these headers. The application sets it as `state.render_problem_page`."""


class ProblemDetail(BaseModel):
    """The body of every error response: problem details (RFC 9457), as `application/problem+json`."""

    type: str = Field(
        description="The address of a description of the problem type.", examples=["/problems/invalid_request"]
    )
    title: str = Field(description="The title of the problem type.", examples=["The request is not valid"])
    status: int = Field(description="The HTTP status code.", examples=[422])
    code: str = Field(description="The problem type as a stable code for programs.", examples=["invalid_request"])
    detail: str = Field(
        description="A description of this error.",
        examples=["The request has 1 error: #/figure/lower: `lower` is above `upper`; expected lower <= upper"],
    )
    hint: str | None = Field(description="How to correct the request.", examples=["did you mean `date_from`?"])
    errors: list[Fault] = Field(description="The errors of the request with their locations, at most 20.")
    error_count: int = Field(description="The number of all errors, also of those that are not listed.", examples=[1])
    request_id: str | None = Field(
        description="The id of the request, for questions about the error.", examples=["0197b0c27d3e7cc19f0a2b6c"]
    )


PROBLEM_BY_STATUS: dict[int, type[Problem]] = {
    problem.status: problem
    for problem in (
        Unavailable,
        UnsupportedMediaType,
        TooLarge,
        Removed,
        InUse,
        NotAcceptable,
        MethodNotAllowed,
        NotFound,
        Forbidden,
        Unauthorized,
        InvalidRequest,
        Problem,
    )
}


def problem_response(request: Request, problem: Problem) -> Response:
    """Return `problem` as a response of at most `MAX_PROBLEM_BYTES`.

    It is `application/problem+json`, or a page if the address is that of a page and the client prefers HTML.
    """
    is_cacheable = problem.status in CACHEABLE_STATUSES
    headers = {
        "Cache-Control": SHARED_CACHE_CONTROL if is_cacheable else NO_STORE,
        "Vary": VARY,
        **(key_headers(CacheScope(0)) if is_cacheable else {}),  # any change may create what was not found
        **problem.headers,
    }
    render_page: ProblemPage | None = getattr(request.app.state, "render_problem_page", None)
    if render_page is not None and is_page_path(request.url.path) and prefers_html(request):
        return render_page(request, problem, headers)
    listed, more = problem.errors[:MAX_REPORTED_FAULTS], problem.more
    text = _render(request, problem, listed, more)
    while len(text) > MAX_PROBLEM_BYTES and (more or listed):
        # First fewer errors, down to three; then not the record that they are about; then no error.
        if len(listed) > MIN_REPORTED_FAULTS or not more:
            listed = listed[: len(listed) // 2]
        else:
            more = _shorten_members(more)
        text = _render(request, problem, listed, more)
    return Response(text, status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


MIN_REPORTED_FAULTS = 3


def _shorten_members(more: dict[str, Any]) -> dict[str, Any]:
    """Return the further members of a problem that is too large, without the largest one."""
    largest = max(more, key=lambda name: len(json.dumps(more[name], default=_json_default)))
    return {name: value for name, value in more.items() if name != largest}


def _render(request: Request, problem: Problem, listed: Sequence[Fault], more: dict[str, Any]) -> bytes:
    body = ProblemDetail(
        type=whole_address(f"/problems/{problem.code}"),
        title=problem.title,
        status=problem.status,
        code=problem.code,
        detail=shorten(problem.detail, MAX_MESSAGE_CHARACTERS),
        hint=problem.hint and shorten(problem.hint, MAX_MESSAGE_CHARACTERS),
        errors=[_shorten_fault(fault) for fault in listed],
        error_count=problem.error_count or len(problem.errors),
        request_id=getattr(request.state, "request_id", None),
    ).model_dump()
    # Texts quote the request, which may contain a lone surrogate; UTF-8 cannot encode it.
    return json.dumps(body | more, default=_json_default, ensure_ascii=False).encode("utf-8", "replace")


def _shorten_fault(fault: Fault) -> Fault:
    return Fault(
        pointer=shorten(fault.pointer, MAX_POINTER_CHARACTERS),
        location=fault.location,
        detail=shorten(fault.detail, MAX_MESSAGE_CHARACTERS),
        hint=fault.hint and shorten(fault.hint, MAX_MESSAGE_CHARACTERS),
    )


def _json_default(value: Any) -> Any:  # noqa: ANN401 - any value that JSON lacks
    """Return times and days as text. A problem may have a tombstone with such values."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def allowed_methods(app: FastAPI, scope: Scope) -> list[str]:
    """Return the methods of all routes with the path of a request; none if there is no such path.

    A path may match several patterns, such as `/claims/{id}` and `/claims/{id}.jsonld`: the one with more text counts.
    """
    found = [
        route
        for route in app.router.routes
        if route.matches({**scope, "type": "http", "method": "GET"})[0] is not Match.NONE
    ]
    texts = [len(re.sub(r"{[^}]*}", "", getattr(route, "path", ""))) for route in found]
    methods: set[str] = set()
    for route, text in zip(found, texts, strict=True):
        if text == max(texts):
            methods |= getattr(route, "methods", None) or {"GET"}  # a mount serves files
    methods |= {"HEAD"} if "GET" in methods else set()
    return sorted(methods | {"OPTIONS"}) if methods else []


def add_exception_handlers(app: FastAPI) -> None:
    """Register the handlers that turn exceptions of `app` into problem responses."""
    app.add_exception_handler(Problem, _handle_problem)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, handle_database_error)


async def _handle_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this class alone
    return problem_response(request, error)


async def _handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    kind = PROBLEM_BY_STATUS.get(error.status_code, Problem)
    hint, headers = None, dict(error.headers or {})
    match error.status_code:
        case 404:
            detail = f"There is no resource at {shorten(whole_address(request.url.path))}."
            hint = f"the addresses are listed at {whole_address('/docs')}"
            if request.url.path.endswith("/"):
                hint = "remove the trailing slash"
        case 400:
            kind, detail = InvalidRequest, "The body could not be parsed as JSON."
        case 405:
            detail = f"{shorten(whole_address(request.url.path))} does not support {shorten(request.method)}."
            # Within a mount, the root path is that of the mount.
            root = {"root_path": request.scope.get("app_root_path", request.scope.get("root_path", ""))}
            headers["Allow"] = ", ".join(allowed_methods(request.app, {**request.scope, **root}))
            if request.method == "DELETE":
                address = whole_address("/v1/claims/{id}/retraction")
                hint = f"records are never deleted; record a retraction with POST {address}"
        case _:
            detail = str(error.detail)
    problem = kind(detail, hint=hint, headers=headers)
    return problem_response(request, problem)


async def handle_database_error(request: Request, error: Exception) -> Response:
    """Return the problem response for one of the `DATABASE_ERRORS`.

    It is a 503 if a statement exceeded the query budget, or if the database is unavailable, busy, read-only or damaged.
    Any other database error is raised again and becomes a 500.
    """
    fault = classify(error)
    if fault is None:
        raise error
    return problem_response(request, database_problem(request.app.state.database, fault, error))


FAULT_DETAILS = {
    DatabaseFault.away: "The database cannot be reached.",
    DatabaseFault.frozen: "The database does not answer in time.",
    DatabaseFault.late: "The query took too long: the database, or the server, is too busy.",
    DatabaseFault.locked: "The database is locked by another transaction.",
    DatabaseFault.pool: "All connections to the database are in use.",
    DatabaseFault.read_only: "The database is read-only at the moment: nothing was recorded. Reads work.",
    DatabaseFault.full: "The disk of the database is full: nothing was recorded. Reads work.",
    DatabaseFault.schema: "The tables of the database are not those of this release.",
}


FAULT_HINTS = {
    DatabaseFault.damaged: "the operator has to run `counterclaim check`",
    DatabaseFault.late: "try again, or add filters to narrow the query",
}


def database_problem(database: Database, fault: DatabaseFault, error: BaseException) -> Unavailable:
    """Return the problem of a request that met a fault of the database, and log it. Damage is recorded."""
    detail = FAULT_DETAILS.get(fault) or describe_damage(database, error)
    if fault is DatabaseFault.damaged:
        record_damage(database, error)
    if fault is DatabaseFault.full:
        database.full_at = time.monotonic()
    log_once("database %s: %s", fault, str(error).splitlines()[0], error=error, cause=f"database {fault}")
    hint = FAULT_HINTS.get(fault, "try again")
    seconds = "60" if fault in PERSISTENT_FAULTS else "2"
    kind = StorageFull if fault is DatabaseFault.full else Unavailable
    return kind(detail, hint=hint, headers={"Retry-After": seconds}, more={"reason": fault.value})


PERSISTENT_FAULTS = {DatabaseFault.damaged, DatabaseFault.schema, DatabaseFault.full}
"""Faults that do not pass by themselves."""


def describe_damage(database: Database, error: BaseException) -> str:
    """Return what is damaged, with the name of the file, in one sentence."""
    message = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
    if database.file_name is not None:
        return f"The database file {database.file_name} is damaged: {message}."
    return f"The database is damaged: {message}."


def record_damage(database: Database, error: BaseException) -> None:
    """Make the service not ready until `counterclaim check` has passed."""
    database.damage.write(describe_damage(database, error))


async def _handle_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    errors = error.errors()
    faults = [
        _describe_error(details, with_hint=i < MAX_HINTS) for i, details in enumerate(errors[:MAX_REPORTED_FAULTS])
    ]
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    first = faults[0]
    problem = InvalidRequest(
        f"The request has {count}: {shorten(first.pointer)}: {first.detail}", hint=first.hint, errors=faults
    )
    problem.error_count = len(errors)
    return problem_response(request, problem)


def _describe_error(error: dict[str, Any], *, with_hint: bool) -> Fault:
    """Return one of Pydantic's error details as a fault. Finding the nearest word takes a millisecond."""
    location, *path = (str(part) for part in error["loc"])
    detail = validation_message(error)
    hint = error.get("ctx", {}).get("hint")
    match error["type"]:
        case "json_invalid":
            path, detail = [], f"The body is not valid JSON: {error.get('ctx', {}).get('error', detail)}."
        case "extra_forbidden":
            detail = f"There is no field `{shorten(path[-1])}` here."
            hint = suggest_nearest(path[-1], input_field_names()) if with_hint else None
        case "missing":
            detail = "This field is required." if path else "A body is required."
        case "enum":
            values = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            detail = f"Expected one of {', '.join(values)}."
            hint = suggest_nearest(str(error["input"]), values) if with_hint else None
        case "string_too_long":
            detail = f"Longer than {error['ctx']['max_length']} characters."
        case _:
            detail = detail[:1].upper() + detail[1:]
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)
    return Fault(pointer=f"#/{pointer}" if pointer else "#", location=location, detail=detail, hint=hint)
