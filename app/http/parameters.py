"""What every request is checked for: parameters that exist, bodies in JSON, and a state that its client has seen."""

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
"""Cache-busters and trackers that charts, spreadsheets and newsletters add by themselves; so are `utm_…`."""

MAX_WAIT_SECONDS = 1.0
"""Seconds that a read waits for a state that its client has already seen."""


def is_ignored(name: str) -> bool:
    """Return whether a query parameter is a cache-buster or a tracker."""
    return name in IGNORED_PARAMETERS or name.startswith("utm_")


_parameters_by_route: dict[int, dict[str, bool]] = {}


async def check_parameters(request: Request) -> None:
    """Raise `UnknownParameter` for one that the route does not have, `InvalidRequest` for one given twice."""
    if not request.query_params:
        return
    declared = _route_parameters(request.scope["route"])
    faults = []
    for name in request.query_params:
        if name in declared:
            if not declared[name] and len(request.query_params.getlist(name)) > 1:
                detail = f"`{name}` takes one value, and {len(request.query_params.getlist(name))} were given."
                raise InvalidRequest(detail, errors=[field_fault(name, detail, location="query")])
        elif not is_ignored(name):
            hint = suggest_nearest(name, declared) or (
                f"expected one of {', '.join(declared)}" if declared else "leave it out"
            )
            faults.append(field_fault(name, f"There is no parameter `{name}` here.", hint=hint, location="query"))
    if faults:
        raise UnknownParameter(faults[0].detail, hint=faults[0].hint, errors=faults)


async def check_media_type(request: Request) -> None:
    """Raise `UnsupportedMediaType` for a body that is not said to be JSON, unless the route reads other ones itself."""
    if request.method not in ("POST", "PUT", "PATCH") or request.scope["route"].openapi_extra:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType(
            f"Bodies are read as JSON, not as `{kind or 'nothing'}`.", hint="send `Content-Type: application/json`"
        )


async def wait_for_seq(
    db: Db,
    x_register_seq: Annotated[
        str | None,
        Header(
            pattern=r"^\d{1,18}$",
            description="The highest `X-Register-Seq` that you were sent: the answer shows at least that state.",
            examples=["1234"],
        ),
    ] = None,
) -> None:
    """Let a client read its own writes, whichever process or replica answers: wait a moment for them, else 503."""
    if x_register_seq is None:
        return
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while db.latest_read_seq < int(x_register_seq):
        await run_in_threadpool(_read_clock, db)
        if db.latest_read_seq >= int(x_register_seq):
            return
        if time.monotonic() > deadline:
            detail = f"This server reads seq {db.latest_read_seq}; {x_register_seq} has not reached it yet."
            raise Unavailable(detail, hint="try again", headers={"Retry-After": "1"})
        await asyncio.sleep(0.05)


def _read_clock(database: Database) -> None:
    """See which state there is."""
    with database.read() as session:
        open_snapshot(session)


def _route_parameters(route: APIRoute) -> dict[str, bool]:
    """Name → whether it may repeat, of every query parameter of a route."""
    known = _parameters_by_route.get(id(route))
    if known is None:
        known = _parameters_by_route[id(route)] = _dependant_parameters(route.dependant)
    return known


def _dependant_parameters(dependant: Dependant) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for parameter in dependant.query_params:
        model: Any = parameter.field_info.annotation
        fields = getattr(model, "model_fields", None)
        if fields is None:
            known[parameter.alias] = False
        else:
            known |= {name: get_origin(info.annotation) is list for name, info in fields.items()}
    for needed in dependant.dependencies:
        known |= _dependant_parameters(needed)
    return known
