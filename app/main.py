"""The application: settings → database → routers → problem handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app import __version__
from app.cache.invalidation import Watch
from app.cache.responses import Memory
from app.changes.routes import router as changes
from app.claims.annotation_routes import router as annotations
from app.claims.column_routes import router as columns
from app.claims.routes import router as claims
from app.database.engine import Database
from app.database.snapshot import view_of
from app.feeds.routes import router as feeds
from app.http import health, problems
from app.http import openapi as docs
from app.http.cache_middleware import Front
from app.http.middleware import EXPOSED, Counts, Edge, Preflight
from app.http.routing import in_matching_order
from app.imports.routes import router as imports
from app.references.routes import router as references
from app.settings import Settings, read_settings
from app.sources.routes import router as sources
from app.topics.routes import router as topics
from app.vocabulary.routes import router as vocabulary

ROUTERS = (
    topics,
    claims,
    annotations,
    columns,
    references,
    sources,
    vocabulary,
    imports,
    changes,
    feeds,
    health.router,
)
"""The routers of the application, in the order of the OpenAPI document."""


class Service(FastAPI):
    """The application, behind its front door."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of FastAPI
        super().__init__(**options)
        self.front = Front(super().__call__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever is not answered at the door goes on to FastAPI."""
        await self.front(scope, receive, send)

    def serve_from(self, database: Database) -> None:
        """Serve the register in `database`, and remember answers of it alone."""
        self.state.database = database
        self.state.watch = self.front.watch = Watch(database, Memory(database.memory_bytes))


def create_app(settings: Settings | None = None) -> Service:
    """The service over the register that `settings` name. It refuses to start on another release's schema."""
    settings = settings or read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database: Database = app.state.database
        database.check_schema()
        with database.read() as session:
            view_of(session)
        yield
        app.state.watch.close()
        app.state.database.close()

    app = Service(
        title="Counterclaim",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # it would answer with the host that the client named
    )
    app.serve_from(Database(settings))
    app.state.settings = settings
    app.state.counts = Counts()
    app.state.documented_routes = [route for router in ROUTERS for route in router.routes]
    app.router.routes.extend(in_matching_order(app.state.documented_routes))
    docs.install(app)
    problems.install(app)
    app.add_middleware(Edge, max_body_bytes=settings.max_body_bytes, larger={"/v1/imports": settings.max_import_bytes})
    app.add_middleware(
        Preflight,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=EXPOSED,
    )
    return app
