"""Uvicorn server processes: one process, or several that share a port and a database."""

import gc
import logging
import os
import signal
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from socket import socket
from threading import Thread

import uvicorn
from fastapi import FastAPI
from sqlalchemy import make_url

from app.allocator import configure_allocator, release_free_memory
from app.database.damage import DamageRecord
from app.database.quick_check import start_nightly_check
from app.http.addresses import set_base_url
from app.http.graceful_server import GracefulServer, WorkerSupervisor
from app.http.protocol import CounterclaimProtocol
from app.http.shutdown import MAX_REQUEST_SECONDS, CancelledRequestFilter
from app.http.worker_metrics import worker_folder
from app.logs import configure_logging
from app.settings import Settings, read_settings

WORKER_TIMEOUT_SECONDS = 30
"""A worker that does not respond to health checks for this long is replaced."""


def serve_in_process(settings: Settings, server_socket: socket) -> None:
    """Serve in this process until a signal ends it. Requests in progress are completed first."""
    _configure_logging(settings)
    _start_checks(settings)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        GracefulServer(_uvicorn_config(_create_app(settings))).run(sockets=[server_socket])


def serve_in_processes(settings: Settings, server_socket: socket, workers: int) -> None:
    """Serve in `workers` processes until a signal ends this one, and replace each worker that exits."""
    _configure_logging(settings)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    _start_checks(settings)
    config = _uvicorn_config(f"{__name__}:create_worker_app", workers=workers)
    with worker_folder():
        WorkerSupervisor(config, sockets=[server_socket]).run()


def _start_checks(settings: Settings) -> None:
    """Check the file of an SQLite database soon, and every night. One process does that for all workers."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        path = str(Path(url.database).absolute())
        start_nightly_check(path, DamageRecord(path, is_file=True))


def create_worker_app() -> FastAPI:
    """Return the application for a worker process."""
    settings = read_settings()
    _configure_logging(settings)
    if (parent := parent_process()) is not None:
        Thread(target=_stop_with_parent, args=(parent.sentinel,), daemon=True).start()
    return _create_app(settings)


def _create_app(settings: Settings) -> FastAPI:
    """Return the application, with all objects that exist by now exempt from garbage collection.

    They live as long as the process. A full collection that visits them interrupts requests for a tenth of a second.
    """
    configure_allocator()
    gc.disable()  # modules are kept: collections during the import would take a sixth of its time
    from app.main import create_app  # noqa: PLC0415 - a supervisor does not need the application

    set_base_url(settings.base_url)  # for requests that the HTTP protocol answers before the application is called
    app = create_app(settings, in_server=True)
    gc.collect()  # what the import has left over would be kept for good
    gc.freeze()
    gc.enable()
    release_free_memory()
    return app


def _stop_with_parent(parent: int) -> None:
    """End this process when its supervisor ends, even by a crash, since no other process would stop it."""
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)


def _uvicorn_config(app: FastAPI | str, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        http=CounterclaimProtocol,
        timeout_graceful_shutdown=MAX_REQUEST_SECONDS,  # `GracefulServer` shortens it
        timeout_worker_healthcheck=WORKER_TIMEOUT_SECONDS,
    )


def _configure_logging(settings: Settings) -> None:
    logging.getLogger("uvicorn.error").addFilter(CancelledRequestFilter())
    configure_logging(settings.log_level, as_json=settings.log_format == "json")
