"""Checks of every request: query parameters, the media type of the body, and `X-Register-Seq`."""

import asyncio
import time
from typing import Annotated, Any, get_origin

from fastapi import Header, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from app.database.engine import Database
from app.database.snapshot import open_snapshot
from app.errors import InvalidRequest, Unavailable, UnknownParameter, UnsupportedMediaType, field_fault, suggest_nearest
from app.http.dependencies import Db

IGNORED_PARAMETERS = ("v", "_", "t", "cb", "fbclid", "gclid")
"""Cache-busting and tracking parameters that other software appends to links, besides those with the prefix `utm_`."""

MAX_WAIT_SECONDS = 1.0
"""The maximum wait of a read for the state in its `X-Register-Seq`."""


def is_ignored(name: str) -> bool:
    """Return whether a query parameter is for cache busting or tracking."""
    return name in IGNORED_PARAMETERS or name.startswith("utm_")


_parameters_by_route: dict[int, dict[str, bool]] = {}


async def check_parameters(request: Request) -> None:
    """Raise `UnknownParameter` for a parameter that the route lacks, `InvalidRequest` for a repeated one."""
    if not request.query_params:
        return
    declared = _route_parameters(request.scope["route"])
    faults = []
    for name in request.query_params:
        if name in declared:
            if not declared[name] and len(request.query_params.getlist(name)) > 1:
                detail = f"`{name}` takes one value, but {len(request.query_params.getlist(name))} were sent."
                raise InvalidRequest(detail, errors=[field_fault(name, detail, location="query")])
        elif not is_ignored(name):
            hint = suggest_nearest(name, declared) or (
                f"expected one of {', '.join(declared)}" if declared else "leave it out"
            )
            faults.append(field_fault(name, f"There is no parameter `{name}` here.", hint=hint, location="query"))
    if faults:
        raise UnknownParameter(faults[0].detail, hint=faults[0].hint, errors=faults)


async def check_media_type(request: Request) -> None:
    """Raise `UnsupportedMediaType` unless a body is declared as JSON. Routes with other media types are exempt."""
    if request.method not in ("POST", "PUT", "PATCH") or request.scope["route"].openapi_extra:
        return
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(
            f"The body must be JSON; its `Content-Type` is {f'`{media_type}`' if media_type else 'missing'}.",
            hint="send `Content-Type: application/json`",
        )


async def wait_for_seq(
    db: Db,
    x_register_seq: Annotated[
        str | None,
        Header(
            pattern=r"^\d{1,18}$",
            description="The highest `X-Register-Seq` received so far: the response shows at least that state.",
            examples=["1234"],
        ),
    ] = None,
) -> None:
    """Wait until this process reads the state in `X-Register-Seq`, so that clients read their own writes; else 503."""
    if x_register_seq is None:
        return
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while db.latest_read_seq < int(x_register_seq):
        await run_in_threadpool(_read_clock, db)
        if db.latest_read_seq >= int(x_register_seq):
            return
        if time.monotonic() > deadline:
            detail = f"This server reads seq {db.latest_read_seq}; {x_register_seq} is not available yet."
            raise Unavailable(detail, hint="try again", headers={"Retry-After": "1"})
        await asyncio.sleep(0.05)


def _read_clock(database: Database) -> None:
    """Open a snapshot, which updates `latest_read_seq`."""
    with database.read() as session:
        open_snapshot(session)


def _route_parameters(route: APIRoute) -> dict[str, bool]:
    """Return for each query parameter of a route whether it may repeat."""
    parameters = _parameters_by_route.get(id(route))
    if parameters is None:
        parameters = _parameters_by_route[id(route)] = _dependant_parameters(route.dependant)
    return parameters


def _dependant_parameters(dependant: Dependant) -> dict[str, bool]:
    parameters: dict[str, bool] = {}
    for parameter in dependant.query_params:
        model: Any = parameter.field_info.annotation
        fields = getattr(model, "model_fields", None)
        if fields is None:
            parameters[parameter.alias] = False
        else:
            parameters |= {name: get_origin(info.annotation) is list for name, info in fields.items()}
    for dependency in dependant.dependencies:
        parameters |= _dependant_parameters(dependency)
    return parameters
