"""A route class with a fast path: plain requests are parsed in one step, all others by FastAPI.

FastAPI validates thirty query parameters one by one and resolves each small dependency, which takes longer than
reading fifty claims. A route declared with `@fast_path` gets its arguments here instead: one Pydantic model for the
query or the body, and the few dependencies that such routes use. A request that is not plain (an unknown or repeated
parameter, a value that does not validate, an uncommon header) is handled by FastAPI, which also reports what is wrong
with it. Both paths call the same function with the same arguments.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from typing import Any, TypeVar, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from app.database.engine import Database
from app.database.query_budget import is_budget_exceeded, small_budget
from app.errors import Problem, invalid_field
from app.http.auth import authenticate, require_contributor
from app.http.dependencies import get_database
from app.http.deprecation import Deprecation, announce, deprecations_of
from app.http.idempotency import is_valid_idempotency_key
from app.http.json_body import parse_json
from app.http.lists import OPTION_PARSERS, ListResponse, get_list_response
from app.http.negotiation import SUFFIXES
from app.http.offload import Condition, OffloadPool, conditions_of
from app.http.parameters import (
    MAX_PARAMETERS,
    check_media_type,
    check_parameters,
    drop_empty_parameters,
    is_ignored,
    is_json_type,
    route_parameters,
)
from app.http.problems import DATABASE_ERRORS
from app.http.writes import create_write_request, get_write_request

MAX_INLINE_ROWS = 100
"""Pages of up to this many rows are read in the event loop on SQLite: waking a thread would take longer."""

STANDARD_PATH_HEADERS = ("x-register-seq", "x-register-epoch", "if-match", "if-none-match", "content-encoding")
"""Headers of a write that only the standard path evaluates."""

STATE_HEADERS = frozenset({b"x-register-seq", b"x-register-epoch"})
"""Headers of a read that only the standard path evaluates."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def fast_path(*, inline: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Give a route a fast path.

    Args:
        inline: Run small reads in the event loop on SQLite. Only for routes whose reads are bounded by the query
            budget.
    """

    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.fast_path_inline = inline  # type: ignore[attr-defined]
        return endpoint

    return declare


class FastRoute(APIRoute):
    """A route that handles plain requests itself if its endpoint was declared with `@fast_path`."""

    @property
    def has_fast_path(self) -> bool:
        """Whether the endpoint was declared with `@fast_path`."""
        return hasattr(self.endpoint, "fast_path_inline")

    @cached_property
    def _path_start(self) -> tuple[str, bool]:
        """Return the path before its first parameter, and whether that is the whole path."""
        start, brace, _ = self.path.partition("{")
        return start, not brace

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the match of FastAPI. Most routes are ruled out by the start of their path, which takes less time."""
        start, is_whole = self._path_start
        may_match = scope["path"].endswith(start) if is_whole else start in scope["path"]
        return super().matches(scope) if may_match else (Match.NONE, {})

    @cached_property
    def _deprecations(self) -> tuple[Deprecation, ...]:
        return deprecations_of(self.endpoint)

    @cached_property
    def _offload_conditions(self) -> tuple[Condition, ...]:
        return conditions_of(self.endpoint)

    @cached_property
    def _fast_read(self) -> "FastRead | None":
        return FastRead(self) if self.has_fast_path and not self.dependant.body_params else None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a plain read without the exit stacks of FastAPI; FastAPI handles all other requests."""
        if self._deprecations:
            send = announce(self._deprecations, scope["query_string"], send)
        query_string = drop_empty_parameters(self, scope["query_string"])
        if query_string is not scope["query_string"]:
            scope = {**scope, "query_string": query_string}
        pool: OffloadPool | None = getattr(scope["app"].state, "offload_pool", None)
        if pool is not None and any(condition(scope) for condition in self._offload_conditions):
            await pool.run(self._handle_here, scope, receive, send)
        else:
            await self._handle_here(scope, receive, send)

    async def _handle_here(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._fast_read is not None and scope["method"] == "GET":
            response = await self._fast_read(Request(scope, receive, send))
            if response is not None:
                await response(scope, receive, send)
                return
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler. Before it, a write checks the API key, and parses a JSON body by `parse_json`.

        Too many parameters are refused first: FastAPI parses all of them before it calls `check_parameters`.
        """
        standard = super().get_route_handler()
        checks_parameters = any(each.call is check_parameters for each in self.dependant.dependencies)
        authorize = next((each.call for each in self.dependant.dependencies if hasattr(each.call, "role")), None)
        if authorize is None:

            async def handle_read(request: Request) -> Response:
                if checks_parameters and request.scope["query_string"].count(b"&") >= MAX_PARAMETERS:
                    await check_parameters(request)
                return await standard(request)

            return handle_read
        fast = FastWrite(self) if self.has_fast_path else None
        has_json_body = bool(self.dependant.body_params)

        async def handle(request: Request) -> Response:
            if fast is not None and (response := await fast(request)) is not None:
                return response
            # In the order of FastAPI. A client that may not write learns nothing about the body, which is not read.
            await check_parameters(request)
            await check_media_type(request)
            await authenticate(request, authorize)
            if has_json_body and is_json_type(request.headers.get("content-type", "")):
                await _parse_body(request)
            return await standard(request)

        return handle


async def _parse_body(request: Request) -> None:
    """Parse the body by `parse_json`, for FastAPI to use. Raises `InvalidRequest`."""
    body = await request.body()
    if not body or hasattr(request, "_json"):
        return  # FastAPI reports that it is missing; or the fast path has parsed it
    try:
        request._json = parse_json(body)  # noqa: SLF001 - where `Request.json` caches its result
    except RecursionError:
        raise invalid_field("", "The body is nested too deeply.") from None
    except ValueError as error:
        raise invalid_field("", f"The body is not valid JSON: {error}.") from None


class FastRead:
    """The fast path of a GET route: path parameters, one query model, the database, and the list options if any."""

    def __init__(self, route: FastRoute) -> None:
        dependant = route.dependant
        (query,) = dependant.query_params
        dependencies = {dependency.call: dependency.name for dependency in dependant.dependencies if dependency.name}
        self._endpoint: Callable[..., Response] = route.endpoint
        self._inline: bool = route.endpoint.fast_path_inline  # type: ignore[attr-defined]
        self._path_arguments = {field.alias: field.name for field in dependant.path_params}
        self._query_argument = query.name
        self._model: type[BaseModel] = query.field_info.annotation  # type: ignore[assignment]
        self._fields = self._model.model_fields
        self._list_fields = {name for name, field in self._fields.items() if get_origin(field.annotation) is list}
        self._parameters = route_parameters(route)
        self._request_argument = dependant.request_param_name
        self._database_argument = dependencies[get_database]
        self._list_argument = dependencies.get(get_list_response)

    async def __call__(self, request: Request) -> Response | None:
        """Answer a plain read; None for any other request."""
        parsed = self._parse(request.scope["query_string"])
        suffix = request.path_params.get("suffix")
        names_state = any(name in STATE_HEADERS for name, _ in request.scope["headers"])
        if parsed is None or names_state or not (suffix is None or suffix in SUFFIXES):
            return None
        query, options = parsed
        database: Database = request.app.state.database
        arguments: dict[str, Any] = {name: request.path_params[alias] for alias, name in self._path_arguments.items()}
        arguments |= {self._query_argument: query, self._database_argument: database}
        if self._request_argument:
            arguments[self._request_argument] = request
        listing = None
        if self._list_argument:
            listing = arguments[self._list_argument] = ListResponse(request, **options)
        is_file = listing is not None and listing.file is not None
        rows = getattr(query, "limit", None) or 0
        is_slow = "is_database_slow" in request.scope["state"]
        if self._inline and database.dialect == "sqlite" and rows <= MAX_INLINE_ROWS and not (is_file or is_slow):
            response = self._run_inline(arguments)
            if response is not None:
                return response
        return await run_in_threadpool(self._endpoint, **arguments)

    def _run_inline(self, arguments: dict[str, Any]) -> Response | None:
        """Run the endpoint in the event loop with a small query budget; None if that was not enough."""
        try:
            with small_budget():
                return self._endpoint(**arguments)
        except DBAPIError as error:
            if not is_budget_exceeded(error):
                raise
            return None

    def _parse(self, query_string: bytes) -> tuple[BaseModel, dict[str, Any]] | None:
        """Return the query model and the list options, or None if any parameter is not plain."""
        fields, parameters = self._fields, self._parameters
        values: dict[str, Any] = {}
        options: dict[str, Any] = {}
        if query_string.count(b"&") >= MAX_PARAMETERS:
            return None
        try:
            for name, value in parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict"):
                if name in fields:
                    if name in self._list_fields:
                        values.setdefault(name, []).append(value)
                        continue
                    if name in values or not parameters[name].has_form(value):
                        return None
                    values[name] = value
                elif self._list_argument and name in OPTION_PARSERS and name not in options and value:
                    options[name] = OPTION_PARSERS[name](value)
                elif not is_ignored(name):
                    return None
            return self._model.model_validate(values), options
        except (ValidationError, ValueError, KeyError):
            return None


class FastWrite:
    """The fast path of a POST route of contributors: path parameters and a JSON body of one model."""

    def __init__(self, route: FastRoute) -> None:
        dependant = route.dependant
        (body,) = dependant.body_params
        dependencies = {dependency.call: dependency.name for dependency in dependant.dependencies if dependency.name}
        self._endpoint: Callable[..., Awaitable[Response]] = route.endpoint
        self._path_arguments = {field.alias: field.name for field in dependant.path_params}
        self._body_argument = body.name
        self._model: type[BaseModel] = body.field_info.annotation  # type: ignore[assignment]
        self._write_argument = dependencies[get_write_request]
        self._actor_argument = dependencies[require_contributor]

    async def __call__(self, request: Request) -> Response | None:
        """Answer a plain write; None for any other request, of which nothing has been recorded."""
        headers = request.headers
        key = headers.get("idempotency-key")
        if (
            request.scope["query_string"]
            or headers.get("content-type") != "application/json"
            or any(name in headers for name in STANDARD_PATH_HEADERS)
            or not (key is None or is_valid_idempotency_key(key))
        ):
            return None
        try:
            actor = await authenticate(request, require_contributor)
        except (Problem, *DATABASE_ERRORS):
            return None
        try:
            body = await request.body()  # cached on the request: the standard path reads it again
            request._json = parse_json(body)  # noqa: SLF001 - where `Request.json` caches its result
            payload = self._model.model_validate(request._json)  # noqa: SLF001
        except (ClientDisconnect, ValueError, RecursionError):
            return None
        arguments: dict[str, Any] = {name: request.path_params[alias] for alias, name in self._path_arguments.items()}
        arguments |= {
            self._body_argument: payload,
            self._write_argument: create_write_request(request, body, key),
            self._actor_argument: actor,
        }
        return await self._endpoint(**arguments)
