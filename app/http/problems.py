"""Problem details (RFC 9457): one exception for each way to fail, and how each of them is answered."""

import json
import logging
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.database.query_budget import is_budget_exceeded
from app.errors import (
    Fault,
    Forbidden,
    InUse,
    InvalidRequest,
    KeyInFlight,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    Problem,
    QueryTooBroad,
    Removed,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    suggest_nearest,
    validation_message,
)
from app.http.schema_types import Input

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_REPORTED_FAULTS = 50
"""So many faults of one request are told: a hint for each costs time, and nobody reads more."""

DATABASE_ERRORS = (DBAPIError, PoolTimeout)
"""What is raised where the database fails, is busy or away."""

logger = logging.getLogger("counterclaim")


class ProblemDetail(BaseModel):
    """What every error looks like (RFC 9457), as `application/problem+json`."""

    type: str = Field(description="An address that names the kind of problem.", examples=["/problems/invalid_request"])
    title: str = Field(description="The kind of problem in words.", examples=["The request is not valid"])
    status: int = Field(description="The HTTP status, again.", examples=[422])
    code: str = Field(description="The kind of problem for programs. It never changes.", examples=["invalid_request"])
    detail: str = Field(description="What happened this time.", examples=["1 thing is wrong with the request."])
    hint: str | None = Field(description="What would work.", examples=["did you mean `date_from`?"])
    errors: list[Fault] = Field(description="Each thing that is wrong, and where.")
    request_id: str | None = Field(
        description="Quote this when you ask about it.", examples=["0197b0c27d3e7cc19f0a2b6c"]
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
    """`problem` as application/problem+json."""
    body = ProblemDetail(
        type=f"/problems/{problem.code}",
        title=problem.title,
        status=problem.status,
        code=problem.code,
        detail=problem.detail,
        hint=problem.hint,
        errors=problem.errors,
        request_id=getattr(request.state, "request_id", None),
    ).model_dump()
    # What was sent is quoted here and there, and may hold half a surrogate pair, which is not UTF-8.
    text = json.dumps(body | problem.more, default=_json_default, ensure_ascii=False).encode("utf-8", "replace")
    return Response(text, status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=problem.headers)


def _json_default(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has no word for
    """Times and days in what a problem carries along, such as a tombstone."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def add_exception_handlers(app: FastAPI) -> None:
    """Answer every exception of `app` as a problem."""
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
    hint = None
    match error.status_code:
        case 404:
            detail, hint = f"Nothing is served at {request.url.path}.", "the addresses are listed at /docs"
            if request.url.path.endswith("/"):
                hint = "leave out the slash at the end"
        case 400:
            kind, detail = InvalidRequest, "The body could not be read as JSON."
        case 405:
            detail = f"{request.method} is not possible at {request.url.path}."
            if request.method == "DELETE":
                hint = "nothing is deleted here; a claim is taken back with POST /v1/claims/{id}/retraction"
        case _:
            detail = str(error.detail)
    problem = kind(detail, hint=hint, headers=dict(error.headers or {}))
    return problem_response(request, problem)


async def handle_database_error(request: Request, error: Exception) -> Response:
    """Answer one of the `DATABASE_ERRORS`.

    A statement that was stopped at its budget is a 422, a database that is away or busy a 503. Any other failure of a
    statement is our mistake.
    """
    if is_budget_exceeded(error):
        detail = "This would take longer than any one question may."
        return problem_response(request, QueryTooBroad(detail, hint="ask for less at once"))
    busy = isinstance(error, PoolTimeout) or "locked" in str(error) or "lock timeout" in str(error)
    if busy and "idempotency-key" in request.headers:
        detail = "This request, or another write, is still in flight."
        hint = "send the same request again, with the same key"
        return problem_response(request, KeyInFlight(detail, hint=hint, headers={"Retry-After": "2"}))
    away = isinstance(error, PoolTimeout | OperationalError) or getattr(error, "connection_invalidated", False)
    if not away:
        raise error
    logger.warning("database unavailable", exc_info=error)
    detail = "The database does not answer, or has too much to do."
    return problem_response(request, Unavailable(detail, hint="try again", headers={"Retry-After": "2"}))


async def _handle_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    wrong = error.errors()
    faults = [_describe_error(found) for found in wrong[:MAX_REPORTED_FAULTS]]
    count = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
    first = faults[0]
    problem = InvalidRequest(
        f"{count} wrong with the request: {first.pointer}: {first.detail}", hint=first.hint, errors=faults
    )
    return problem_response(request, problem)


def _describe_error(found: dict[str, Any]) -> Fault:
    location, *path = (str(part) for part in found["loc"])
    detail = validation_message(found)
    hint = found.get("ctx", {}).get("hint")
    match found["type"]:
        case "json_invalid":
            path, detail = [], f"The body is not JSON: {found.get('ctx', {}).get('error', detail)}."
        case "extra_forbidden":
            detail = f"There is no field `{path[-1]}` here."
            hint = suggest_nearest(path[-1], _input_fields())
        case "missing":
            detail = "This field is required." if path else "A body is required."
        case "enum":
            words = str(found["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            detail = f"Expected one of {', '.join(words)}."
            hint = suggest_nearest(str(found["input"]), words)
        case "string_too_long":
            detail = f"Longer than {found['ctx']['max_length']} characters."
        case _:
            detail = detail[:1].upper() + detail[1:]
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)
    return Fault(pointer=f"#/{pointer}" if pointer else "#", location=location, detail=detail, hint=hint)


def _input_fields() -> set[str]:
    """Every field of every request body, for hints."""
    models: list[type[BaseModel]] = [Input]
    names: set[str] = set()
    while models:
        model = models.pop()
        models += model.__subclasses__()
        names |= set(model.model_fields)
    return names
