"""Health checks and metrics of the service."""

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
from app.http.file_copies import FILE_COPIES
from app.http.responses import json_response
from app.http.schema_types import Output

router = APIRouter(tags=["operation"])
METRICS_EXAMPLE = 'counterclaim_response_cache_hits_total{pid="17"} 1234.0'
METRICS_MEDIA_TYPE = "text/plain; version=1.0.0; charset=utf-8"


class Health(Output):
    """The state of the process."""

    status: str = Field(description="Always `ok`.", examples=["ok"])


class Readiness(Health):
    """The state of the service and its register."""

    seq: Annotated[int, Field(description="The sequence number of the latest change of the register.", examples=[1234])]
    warnings: list[str] = Field(
        description="What works only in part, one sentence each: whether long files are sent without ranges.",
        examples=[[]],
    )


@router.get(
    "/health/live",
    summary="Check that the process is alive",
    operation_id="read_liveness",
    responses={200: {"model": Health}},
)
def read_liveness(request: Request) -> Response:
    """Return 200 if the process responds. This does not check the database."""
    return json_response(request, {"status": "ok"})


@router.get(
    "/health/ready",
    summary="Check that the service is ready",
    operation_id="read_readiness",
    responses={200: {"model": Readiness}},
)
def read_readiness(request: Request, db: Db) -> Response:
    """Return 200 if the database responds, has the schema of this release, and files can be written; else 503."""
    try:
        db.check_schema()
    except SchemaStale as stale:
        raise Unavailable(str(stale)) from stale
    if faults := storage_faults(db):
        raise Unavailable(" ".join(faults))
    with db.read() as session:
        snapshot = open_snapshot(session)
    return json_response(request, {"status": "ok", "seq": snapshot.seq, "warnings": storage_warnings(db)})


def storage_warnings(database: Database) -> list[str]:
    """Return one sentence per location that cannot be written and without which requests are answered."""
    fault = database.caches[FILE_COPIES].find_fault()
    return [] if fault is None else [fault]


def storage_faults(database: Database) -> list[str]:
    """Return one sentence per location that the service cannot write: temporary files, or the SQLite database."""
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
    summary="Read the metrics",
    operation_id="read_metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS_EXAMPLE}}}},
)
def read_metrics(request: Request) -> Response:
    """Return the metrics of this process for Prometheus. The label `pid` distinguishes the workers of a service."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - used only here

    from app.http.metrics import MetricsCollector  # noqa: PLC0415 - as above

    state = request.app.state
    registry = CollectorRegistry()
    registry.register(MetricsCollector(state.request_counters, state.invalidator.response_cache, state.database))
    return Response(generate_latest(registry), media_type=METRICS_MEDIA_TYPE, headers={"Cache-Control": "no-store"})
