"""The application factory: settings, database, routers, problem handlers and middleware."""

import asyncio
import gc
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Receive, Scope, Send

from app import __version__
from app.allocator import release_free_memory
from app.cache.invalidation import CacheInvalidator
from app.cache.responses import ResponseCache
from app.changes.routes import router as changes
from app.charts.routes import router as charts
from app.claims.annotation_routes import router as annotations
from app.claims.change_scope import describe_change
from app.claims.column_routes import router as columns
from app.claims.counts.routes import router as counts
from app.claims.reading_routes import router as reading
from app.claims.routes import router as claims
from app.database.engine import Database
from app.database.epochs import EPOCHS
from app.database.lease_keeper import LeaseKeeper
from app.database.leases import LogPosition
from app.database.snapshot import open_snapshot
from app.database.takedowns import read_latest_takedown
from app.errors import Problem
from app.feeds.routes import router as feeds
from app.http import health, openapi, problems
from app.http.access import AccessControl
from app.http.addresses import PathPrefix, set_base_url
from app.http.cache_middleware import CompleteResponse, ResponseCacheMiddleware
from app.http.file_copies import FILE_COPIES
from app.http.middleware import EXPOSED_HEADERS, PreflightMiddleware, RequestCounters, RequestMiddleware
from app.http.offload import OffloadPool
from app.http.protocol import FIND_RESPONSE
from app.http.routing import in_matching_order
from app.http.shutdown import Shutdown
from app.http.worker_metrics import WorkerFiles
from app.imports.pipeline.publishing_state import find_stale_imports
from app.imports.routes import router as imports
from app.keys.routes import router as keys
from app.leases.routes import router as leases
from app.logs import log_once
from app.mirror.gateway import MirrorGateway
from app.pages.crawlers import router as crawlers
from app.pages.docs import mount_reference_files
from app.pages.docs import router as docs
from app.pages.errors import render_problem_page
from app.pages.routes import router as pages
from app.references.routes import router as references
from app.register.routes import router as register
from app.settings import Settings, read_settings
from app.sources.routes import router as sources
from app.takedown.routes import router as takedowns
from app.topics.brief_routes import router as briefs
from app.topics.routes import router as topics
from app.vocabulary.routes import router as vocabulary
from app.vocabulary.suggestions import router as suggestions

ROUTERS = (
    topics,
    briefs,
    charts,
    counts,
    claims,
    annotations,
    columns,
    reading,
    references,
    sources,
    vocabulary,
    suggestions,
    takedowns,
    leases,
    imports,
    changes,
    feeds,
    register,
    keys,
    health.router,
)
"""The routers of the application, in the order of the OpenAPI document."""

DOCUMENTATION_ROUTERS = (pages, crawlers, openapi.router, docs)
"""The routers outside `/v1`, which are matched after the others."""

DESCRIBED_ROUTES = [route for router in (*ROUTERS, *DOCUMENTATION_ROUTERS) for route in router.routes]
"""The routes of which `docs/openapi.json` is built."""

OUTDATED_COPIES_INTERVAL_SECONDS = 10.0
"""The time between two checks for a takedown while there are copies of files."""

READINESS_INTERVAL_SECONDS = 10.0
"""The time between two checks of the database for the metrics."""

RELEASE_INTERVAL_SECONDS = 1.0
"""The time between two releases of free memory while requests are answered, and between two checks of the log."""

INTERRUPTED_IMPORTS_INTERVAL_SECONDS = 5.0
"""The time between two searches for imports whose process has ended."""

SHARE_INTERVAL_SECONDS = 1.0
"""The time after which the metrics of a worker are in those of the others."""

REST_SECONDS = 10.0
"""The time without a request after which all garbage is collected."""

logger = logging.getLogger("counterclaim")


class CounterclaimApp(FastAPI):
    """The FastAPI application, wrapped in the response cache."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of FastAPI
        super().__init__(**options)
        self.cache_middleware = ResponseCacheMiddleware(super().__call__)
        self.state.lease = None
        self.mirror: MirrorGateway | None = None
        """Which requests are answered, if this is a mirror of another register."""
        self._base_url = ""
        self._path_prefix: PathPrefix | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request from the response cache, or pass it on to FastAPI."""
        set_base_url(self._base_url)
        if self._path_prefix is not None:
            scope = self._path_prefix.remove_from(scope)
        if self.mirror is not None and scope["type"] == "http":
            send = self.mirror.mark(send)
            if (redirect := self.mirror.find_redirect(scope)) is not None:
                await redirect(scope, receive, send)
                return
        await self.cache_middleware(scope, receive, send)

    def find_response(self, scope: Scope) -> CompleteResponse | None:
        """Return the response to a request if it is cached, or None: then the application has to be called."""
        if self._path_prefix is not None:
            scope = self._path_prefix.remove_from(scope)
        if self.mirror is not None and (self.mirror.offline_headers() or self.mirror.find_redirect(scope)):
            return None
        return self.cache_middleware.find_response(scope)

    def use_base_url(self, url: str) -> None:
        """Build all addresses under `url`, or as paths if it is empty. The application has all its routes by now."""
        if url != self._base_url:
            self.openapi_schema = None  # it contains addresses
        self._base_url = url
        path = urlsplit(url).path
        self._path_prefix = PathPrefix(path, self.router.routes) if path else None

    def use_access_settings(self, settings: Settings) -> None:
        """Answer the requests that the settings allow, with new counters."""
        self.state.access = self.cache_middleware.access = AccessControl(settings, self.state)

    def use_database(self, database: Database) -> None:
        """Serve the register in `database` with a new response cache, and close the connection of the previous one."""
        previous: CacheInvalidator | None = getattr(self.state, "invalidator", None)
        if previous is not None:
            previous.close()
        self.state.database = database
        self.state.invalidator = self.cache_middleware.invalidator = CacheInvalidator(
            database, ResponseCache(database.memory_bytes * 3 // 4), describe_change
        )


async def _remove_outdated_copies(app: FastAPI) -> None:
    """Remove copies of files that were made before a takedown on another machine, also if no request comes."""
    while True:
        database: Database = app.state.database
        copies = database.caches[FILE_COPIES]
        if copies.has_files() and not database.is_closed:
            with suppress(SQLAlchemyError, sqlite3.Error, OSError):
                copies.delete_outdated(await _read_latest_takedown(database))
        await asyncio.sleep(OUTDATED_COPIES_INTERVAL_SECONDS)


async def _read_latest_takedown(database: Database) -> int:
    try:
        return await asyncio.to_thread(read_latest_takedown, database)
    finally:
        if database.is_closed:  # meanwhile: the thread may have opened another connection
            database.close()


async def _release_resources(app: FastAPI) -> None:
    """Return free memory to the system now and then, and once more, after a full collection, when no request comes.

    The write-ahead log of SQLite is truncated if readers prevented that when it was written.
    """
    released = collected = 0
    answered_at = time.monotonic()
    while True:
        await asyncio.sleep(RELEASE_INTERVAL_SECONDS)
        write_log = app.state.database.write_log
        if write_log is not None:
            await asyncio.to_thread(write_log.truncate_if_large)
        requests = app.state.request_counters.requests + app.state.invalidator.response_cache.hits
        if requests != released:
            released, answered_at = requests, time.monotonic()
        elif requests != collected and time.monotonic() - answered_at > REST_SECONDS:
            gc.collect()
            collected = requests
        else:
            continue
        await asyncio.to_thread(release_free_memory)


async def _finish_imports(app: FastAPI) -> None:
    """Finish the long imports whose process has ended, on any machine."""
    while True:
        database: Database = app.state.database
        if not database.is_closed:
            try:
                await asyncio.to_thread(_finish_stale_imports, database, app.state.shutdown)
            except (SQLAlchemyError, sqlite3.Error, Problem) as error:
                log_once("an interrupted import cannot be finished yet: %s", error, error=error, cause="import")
        await asyncio.sleep(INTERRUPTED_IMPORTS_INTERVAL_SECONDS)


def _finish_stale_imports(database: Database, shutdown: Shutdown) -> None:
    with database.read_primary() as session:
        if not find_stale_imports(session):
            return
    from app.imports.pipeline.publish_parts import finish_interrupted_imports  # noqa: PLC0415 - most processes only serve reads

    try:
        with shutdown.protect():
            finish_interrupted_imports(database, shutdown.check)
    finally:
        if database.is_closed:  # meanwhile: this thread may have opened another connection
            database.close()


async def _share_metrics(app: FastAPI) -> None:
    """Write the metrics of this worker for the others."""
    while True:
        app.state.worker_files.write(health.metrics_collector(app.state).collect_own())
        await asyncio.sleep(SHARE_INTERVAL_SECONDS)


async def _check_readiness(app: FastAPI) -> None:
    """Check the database now and then, so that the metrics know how it is, also if nobody asks for the health."""
    while True:
        await app.state.database.caches[health.READINESS].check()
        await asyncio.sleep(READINESS_INTERVAL_SECONDS)


async def _start_lease(app: FastAPI) -> None:
    """Hold a lease, and forget the caches when something is taken down."""
    forget_in_loop = _forget_in_loop(app)

    def forget(takedown: LogPosition) -> None:
        forget_in_loop(takedown.seq)

    lease = LeaseKeeper(app.state.database, app.state.settings.lease, forget)
    app.state.lease = app.state.cache_middleware.lease = lease
    await asyncio.to_thread(lease.start)


def _forget_in_loop(app: FastAPI) -> Callable[[int], None]:
    """Return a function that forgets, in the event loop, what was read before a takedown. Any thread may call it."""
    loop = asyncio.get_running_loop()
    invalidator: CacheInvalidator = app.state.invalidator

    async def forget(takedown: int) -> None:
        invalidator.forget_before(takedown)
        app.state.database.caches[FILE_COPIES].delete_all()

    def forget_in_loop(takedown: int) -> None:
        asyncio.run_coroutine_threadsafe(forget(takedown), loop).result(app.state.settings.lease)

    return forget_in_loop


def _run_in_background(task: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run a task until the application ends. If it fails, the log says so."""

    def note_failure(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            log_once("a background task has failed: %s", error, error=error, cause="background task")

    running = asyncio.create_task(task)
    running.add_done_callback(note_failure)
    return running


async def _close(app: FastAPI) -> None:
    """Release what the application holds. No request is being answered any more."""
    if app.state.offload_pool is not None:
        app.state.offload_pool.close()
    app.state.database.caches[FILE_COPIES].close()
    if app.state.worker_files is not None:
        app.state.worker_files.write(health.metrics_collector(app.state).collect_own())
        app.state.worker_files.close()
    if app.state.lease is not None:
        await asyncio.to_thread(app.state.lease.close)
    app.state.invalidator.close()
    app.state.database.close()


def create_app(
    settings: Settings | None = None, *, is_worker: bool = False, has_middleware: bool = True
) -> CounterclaimApp:
    """Return the application for `settings`. It does not start if the schema is not that of this release.

    Args:
        settings: The settings; by default those of the environment.
        is_worker: Whether it serves clients: then it checks the database now and then, for the metrics, returns free
            memory to the system, and lets child processes answer expensive reads.
        has_middleware: Whether it has the middleware, without which requests are forwarded from a worker.
    """
    settings = settings or read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        database: Database = app.state.database
        cache_middleware: ResponseCacheMiddleware = app.state.cache_middleware
        database.check_schema()
        with database.read() as session:
            open_snapshot(session)
        database.caches[EPOCHS].reload()
        for fault in (*health.storage_faults(database), *health.storage_warnings(database)):
            logger.warning(fault)
        if (mirror := cast("CounterclaimApp", app).mirror) is not None:
            app.state.lease = cache_middleware.lease = mirror
            mirror.follower.start(_forget_in_loop(app))
        elif is_worker and database.dialect == "postgresql":
            await _start_lease(app)
        tasks = [_run_in_background(_remove_outdated_copies(app))]
        if is_worker:
            loops = (_check_readiness, _release_resources, _finish_imports)
            tasks += [_run_in_background(loop(app)) for loop in loops]
        if app.state.worker_files is not None:
            tasks.append(_run_in_background(_share_metrics(app)))
        shutdown = app.state.shutdown = cache_middleware.shutdown = Shutdown()
        shutdown.install()
        yield {FIND_RESPONSE: cast("CounterclaimApp", app).find_response}
        for task in tasks:
            task.cancel()
        shutdown.begin()
        await shutdown.wait_for_protected()
        await _close(app)

    app = CounterclaimApp(
        title="Counterclaim",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would contain the host that the client sent
    )
    app.use_access_settings(settings)
    app.use_database(Database(settings))
    app.state.cache_middleware = app.cache_middleware
    app.cache_middleware.deadline_seconds = settings.deadline
    app.state.settings = settings
    app.state.request_counters = RequestCounters()
    app.state.worker_files = WorkerFiles.of_service() if is_worker else None
    app.state.offload_pool = OffloadPool.of_service(settings.offload_processes) if is_worker else None
    app.router.routes.extend(in_matching_order(route for router in ROUTERS for route in router.routes))
    app.router.routes.extend(route for router in DOCUMENTATION_ROUTERS for route in router.routes)
    mount_reference_files(app)
    app.use_base_url(settings.base_url)
    problems.add_exception_handlers(app)
    app.state.render_problem_page = render_problem_page
    if not has_middleware:
        return app
    app.add_middleware(
        RequestMiddleware,
        max_body_bytes=settings.max_body_bytes,
        max_body_bytes_by_path={"/v1/imports": settings.max_import_bytes},
        uninterrupted_paths=frozenset({"/v1/imports"}),
        deadline_seconds=settings.deadline,
    )
    app.add_middleware(
        PreflightMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
    )
    return app
