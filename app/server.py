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
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from sqlalchemy import make_url

from app.allocator import configure_allocator, release_free_memory
from app.database.damage import DamageRecord
from app.database.quick_check import start_nightly_check
from app.http.addresses import set_base_url
from app.http.counter_table import create_shared_file
from app.http.graceful_server import GracefulServer, WorkerSupervisor
from app.http.protocol import CounterclaimProtocol
from app.http.shutdown import MAX_REQUEST_SECONDS, CancelledRequestFilter
from app.logs import configure_logging
from app.runtime_folder import create_runtime_folder
from app.settings import Settings, read_settings

if TYPE_CHECKING:
    from app.main import CounterclaimApp

WORKER_TIMEOUT_SECONDS = 30
"""A worker that does not respond to health checks for this long is replaced."""


def serve_in_process(settings: Settings, server_socket: socket) -> None:
    """Serve in this process until a signal ends it. Requests in progress are completed first."""
    configure_server_logging(settings)
    _ignore_hangup()
    _start_checks(settings)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with create_runtime_folder(), suppress(KeyboardInterrupt):
        app = create_frozen_app(settings, is_worker=True)
        GracefulServer(_uvicorn_config(app)).run(sockets=[server_socket])


def serve_in_processes(settings: Settings, server_socket: socket, workers: int) -> None:
    """Serve in `workers` processes until a signal ends this one, and replace each worker that exits."""
    configure_server_logging(settings)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    _start_checks(settings)
    config = _uvicorn_config(f"{__name__}:create_worker_app", workers=workers)
    with create_runtime_folder():
        create_shared_file()
        supervisor = WorkerSupervisor(config, sockets=[server_socket])
        _ignore_hangup()  # after uvicorn has installed a handler that replaces all workers
        supervisor.run()


def _ignore_hangup() -> None:
    """Ignore SIGHUP, also without a terminal: settings are read once, and a service does not end with its terminal."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _start_checks(settings: Settings) -> None:
    """Check the file of an SQLite database soon, and every night. One process does that for all workers."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        path = str(Path(url.database).absolute())
        start_nightly_check(path, DamageRecord(path, is_file=True))


def create_worker_app() -> FastAPI:
    """Return the application for a worker process."""
    settings = read_settings()
    configure_server_logging(settings)
    _ignore_hangup()
    if (parent := parent_process()) is not None:
        Thread(target=_stop_with_parent, args=(parent.sentinel,), daemon=True).start()
    return create_frozen_app(settings, is_worker=True)


def create_frozen_app(settings: Settings, **options: bool) -> "CounterclaimApp":
    """Return what `create_app` returns, with all objects that exist by now exempt from garbage collection.

    They live as long as the process. A full collection that visits them interrupts requests for a tenth of a second.
    """
    configure_allocator()
    gc.disable()  # modules are kept: collections during the import would take a sixth of its time
    from app.main import create_app  # noqa: PLC0415 - a supervisor does not need the application

    set_base_url(settings.base_url)  # for requests that the HTTP protocol answers before the application is called
    app = create_app(settings, **options)
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
        proxy_headers=False,  # `ClientAddresses` reads them
        ws="none",
        http=CounterclaimProtocol,
        timeout_graceful_shutdown=MAX_REQUEST_SECONDS,  # `GracefulServer` shortens it
        timeout_worker_healthcheck=WORKER_TIMEOUT_SECONDS,
    )


def configure_server_logging(settings: Settings) -> None:
    """Write the log as the settings say, without the errors of requests that are cut at the end of the process."""
    logging.getLogger("uvicorn.error").addFilter(CancelledRequestFilter())
    configure_logging(settings.log_level, as_json=settings.log_format == "json")
