"""Whether the service is alive and ready to serve."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.database.engine import Db, SchemaStale
from app.database.snapshot import view_of
from app.errors import Unavailable
from app.http.responses import one
from app.http.schema_types import Output

router = APIRouter(tags=["operation"])
EXAMPLE = 'counterclaim_memory_asked_total{pid="17",outcome="hit"} 1234.0'
METRICS = "text/plain; version=1.0.0; charset=utf-8"


class Health(Output):
    """How the service is."""

    status: str = Field(description="`ok`.", examples=["ok"])


class Readiness(Health):
    """How the service and its register are."""

    seq: Annotated[int, Field(description="The last change of the register.", examples=[1234])]


@router.get(
    "/health/live", summary="Is the process alive?", operation_id="read_liveness", responses={200: {"model": Health}}
)
def read_liveness(request: Request) -> Response:
    """The process answers. Says nothing about the database."""
    return one(request, {"status": "ok"})


@router.get(
    "/health/ready", summary="Can it serve?", operation_id="read_readiness", responses={200: {"model": Readiness}}
)
def read_readiness(request: Request, db: Db) -> Response:
    """The database answers and has this release's schema. If not: 503."""
    try:
        db.check_schema()
    except SchemaStale as stale:
        raise Unavailable(str(stale)) from stale
    with db.read() as session:
        view = view_of(session)
    return one(request, {"status": "ok", "seq": view.seq})


@router.get(
    "/metrics",
    summary="What has it done?",
    operation_id="read_metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}}}},
)
def read_metrics(request: Request) -> Response:
    """Counters for Prometheus. Each process of a service answers for itself; `pid` tells them apart."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - nobody else needs it

    from app.http.metrics import Collector  # noqa: PLC0415 - as above

    state = request.app.state
    registry = CollectorRegistry()
    registry.register(Collector(state.counts, state.watch.memory, state.database))
    return Response(generate_latest(registry), media_type=METRICS, headers={"Cache-Control": "no-store"})
