"""The application: settings → database → routers → problem handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from app import __version__, docs, observe, problems
from app.changes.clock import view_of
from app.changes.routes import router as changes
from app.citing.routes import router as citing
from app.claims.routes import router as claims
from app.db import Database
from app.edge import Edge
from app.feeds.routes import router as feeds
from app.imports.routes import router as imports
from app.parameters import check_media_type, check_parameters, wait_for_seq
from app.settings import Settings, read_settings
from app.sources.routes import router as sources
from app.topics.routes import router as topics
from app.vocabulary.routes import router as vocabulary

EXPOSED = ["ETag", "Link", "Location", "Retry-After", "X-Register-Seq", "X-Request-ID"]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service over the register that `settings` name. It refuses to start on another release's schema."""
    settings = settings or read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database: Database = app.state.database
        database.check_schema()
        with database.read() as session:
            view_of(session)
        yield
        database.close()

    app = FastAPI(
        title="Counterclaim",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # it would answer with the host that the client named
    )
    app.state.database = Database(settings)
    app.state.settings = settings
    v1 = APIRouter(
        prefix="/v1", dependencies=[Depends(check_parameters), Depends(check_media_type), Depends(wait_for_seq)]
    )
    for room in (topics, claims, citing, sources, vocabulary, imports, changes, feeds):
        v1.include_router(room)
    app.include_router(v1)
    app.include_router(observe.router)
    docs.install(app)
    problems.install(app)
    app.add_middleware(Edge, max_body_bytes=settings.max_body_bytes, larger={"/v1/imports": settings.max_import_bytes})
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=EXPOSED,
    )
    return app
