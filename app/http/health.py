"""Health checks and metrics of the service."""

import asyncio
import os
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.faults import DatabaseFault
from app.database.probe import ProbeResult, Reason, ServerState, combine, probe_server
from app.errors import Unavailable
from app.http.dependencies import Db
from app.http.file_copies import FILE_COPIES
from app.http.responses import json_response
from app.http.schema_types import Output
from app.logs import logger

if TYPE_CHECKING:
    from app.http.metrics import MetricsCollector

router = APIRouter(tags=["operation"])
METRICS_EXAMPLE = "counterclaim_response_cache_hits_total 1234.0"
READY_SECONDS = 1.8
"""How long a check of the database may take. A prober then has an answer within two seconds."""

METRICS_MEDIA_TYPE = "text/plain; version=1.0.0; charset=utf-8"


class Health(Output):
    """The state of the process."""

    status: str = Field(description="Always `ok`.", examples=["ok"])


class Readiness(Health):
    """The state of the service and its register."""

    seq: Annotated[int, Field(description="The sequence number of the latest change of the register.", examples=[1234])]
    warnings: list[str] = Field(
        description="What works only in part, one sentence each: whether long files are sent without ranges, whether "
        "a read replica is down, whether PostgreSQL has no data checksums.",
        examples=[[]],
    )


@router.get(
    "/health/live",
    summary="Check that the process is alive",
    operation_id="read_liveness",
    responses={200: {"model": Health}},
)
async def read_liveness(request: Request) -> Response:
    """Return 200 if the process responds. This does not check the database."""
    return json_response(request, {"status": "ok"})


@router.get(
    "/health/ready",
    summary="Check that the service is ready",
    operation_id="read_readiness",
    responses={200: {"model": Readiness}},
)
async def read_readiness(request: Request, db: Db) -> Response:
    """Return 200 if the database can be read and written, and files can be written; else 503 with the reasons.

    It reads the clock, the last change, the newest claim by each of its indices, and the schema. The response takes two
    seconds at most. A 503 has `reasons` (`away`, `frozen`, `locked`, `read_only`, `full`, `damaged`, `schema`,
    `storage` or `lease`, each with a sentence), and says in `reads` and `writes` what works nevertheless.
    """
    result = await db.caches[READINESS].check()
    reasons = [{"reason": each.fault.value, "detail": each.detail} for each in result.reasons]
    lease, reads = request.app.state.lease, result.reads
    if lease is not None and not lease.is_held():
        detail = "The lease of this process has ended, since it does not reach the primary database: reads are refused."
        reasons.append({"reason": DatabaseFault.lease.value, "detail": detail})
        reads = False
    if reasons:
        raise Unavailable(
            " ".join(each["detail"] for each in reasons),
            headers={"Retry-After": "5"},
            more={"reasons": reasons, "reads": reads, "writes": result.writes},
        )
    return json_response(request, {"status": "ok", "seq": result.seq, "warnings": result.warnings})


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The result of a check, and when it was known."""

    result: ProbeResult
    at: float


class ServerCheck:
    """Checks one database server, one check at a time, in a thread of its own that may hang for as long as it does."""

    def __init__(self, database: Database, *, is_replica: bool) -> None:
        self._database = database
        self._is_replica = is_replica
        self._running: Future[ServerState] | None = None
        self._started_at = 0.0

    async def check(self) -> ServerState:
        """Return the state of the server, or that it does not answer, within `READY_SECONDS`."""
        if self._running is None or self._running.done():
            self._running = Future()
            self._started_at = time.monotonic()
            Thread(target=self._run, args=(self._running,), daemon=True, name="readiness").start()
        future = asyncio.wrap_future(self._running)
        done, _ = await asyncio.wait({future}, timeout=READY_SECONDS)
        if done:
            return future.result()
        seconds = round(time.monotonic() - self._started_at)
        detail = f"The database does not answer: a check has been waiting for {seconds} seconds."
        return ServerState(reasons=[Reason(DatabaseFault.frozen, detail)])

    def _run(self, future: "Future[ServerState]") -> None:
        database = self._database
        try:
            state = probe_server(database, is_replica=self._is_replica)
            if not self._is_replica:
                faults = storage_faults(database)
                state.reasons += [Reason(DatabaseFault.storage, detail) for detail in faults]
                state.writes = state.writes and not faults
                state.warnings += storage_warnings(database)
        except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
            detail = f"The database cannot be checked: {type(error).__name__}."
            logger.warning("the check of the database failed", exc_info=error)
            state = ServerState(reasons=[Reason(DatabaseFault.away, detail)])
        future.set_result(state)


class ReadinessChecker:
    """Checks the primary database and the replica at the same time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.last: LastCheck | None = None
        """What the last check has found, for the metrics."""
        self._primary = ServerCheck(database, is_replica=False)
        self._replica = None if database.replica_url is None else ServerCheck(database, is_replica=True)

    async def check(self) -> ProbeResult:
        """Return what requests can expect of the databases, within `READY_SECONDS`."""
        if self._replica is None:
            primary, replica = await self._primary.check(), None
        else:
            primary, replica = await asyncio.gather(self._primary.check(), self._replica.check())
        result = combine(self._database, primary, replica)
        if replica is None:
            self._database.note_read(result.seq)
        elif result.replica_seq is not None:  # what the primary database has, reads of a replica do not see
            self._database.note_read(result.replica_seq)
        self.last = LastCheck(result, time.monotonic())
        return result


READINESS = CacheKey("readiness", ReadinessChecker, keep_on_reset=True)
"""The checker of a database; there is one per process."""


def storage_warnings(database: Database) -> list[str]:
    """Return one sentence per location that cannot be written and without which requests are answered."""
    fault = database.caches[FILE_COPIES].find_fault()
    return [] if fault is None else [fault]


def storage_faults(database: Database) -> list[str]:
    """Return one sentence per location that the service cannot write: temporary files, or the SQLite database."""
    faults = []
    try:
        with TemporaryFile() as temporary:
            temporary.write(bytes(4_096))
            temporary.flush()
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
async def read_metrics(request: Request) -> Response:
    """Return the metrics of the service for Prometheus. The label `pid` distinguishes the gauges of its workers."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - used only here

    registry = CollectorRegistry()
    registry.register(metrics_collector(request.app.state))
    return Response(generate_latest(registry), media_type=METRICS_MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def metrics_collector(state: Any) -> "MetricsCollector":  # noqa: ANN401 - the state of an application
    """Return the collector of the metrics of an application."""
    from app.http.metrics import MetricsCollector  # noqa: PLC0415 - used only for metrics

    return MetricsCollector(
        state.request_counters, state.invalidator.response_cache, state.database, state.worker_files
    )
