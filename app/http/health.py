"""Whether the service is alive and ready to serve."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.database.engine import Database, SchemaStale
from app.database.snapshot import open_snapshot
from app.errors import Unavailable
from app.http.dependencies import Db
from app.http.responses import json_response
from app.http.schema_types import Output

router = APIRouter(tags=["operation"])
METRICS_EXAMPLE = 'counterclaim_memory_asked_total{pid="17",outcome="hit"} 1234.0'
METRICS_MEDIA_TYPE = "text/plain; version=1.0.0; charset=utf-8"


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
    return json_response(request, {"status": "ok"})


@router.get(
    "/health/ready", summary="Can it serve?", operation_id="read_readiness", responses={200: {"model": Readiness}}
)
def read_readiness(request: Request, db: Db) -> Response:
    """The database answers and has this release's schema. If not: 503."""
    try:
        db.check_schema()
    except SchemaStale as stale:
        raise Unavailable(str(stale)) from stale
    if faults := storage_faults(db):
        raise Unavailable(" ".join(faults))
    with db.read() as session:
        view = open_snapshot(session)
    return json_response(request, {"status": "ok", "seq": view.seq})


def storage_faults(database: Database) -> list[str]:
    """Return what the service cannot write, a sentence each: temporary files, or the file of an SQLite database."""
    faults = []
    try:
        with TemporaryFile():
            pass
    except OSError as error:
        faults.append(
            f"Imports cannot write temporary files: {error.strerror}. Set TMPDIR to a directory that can be written."
        )
    if database.dialect == "sqlite":
        file = Path(str(database.write_engine.url.database)).absolute()
        faults += [
            f"{path} cannot be written."
            for path in (file, file.parent)
            if path.exists() and not os.access(path, os.W_OK)
        ]
    return faults


@router.get(
    "/metrics",
    summary="What has it done?",
    operation_id="read_metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS_EXAMPLE}}}},
)
def read_metrics(request: Request) -> Response:
    """Counters for Prometheus. Each process of a service answers for itself; `pid` tells them apart."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - nobody else needs it

    from app.http.metrics import MetricsCollector  # noqa: PLC0415 - as above

    state = request.app.state
    registry = CollectorRegistry()
    registry.register(MetricsCollector(state.counts, state.invalidator.response_cache, state.database))
    return Response(generate_latest(registry), media_type=METRICS_MEDIA_TYPE, headers={"Cache-Control": "no-store"})
