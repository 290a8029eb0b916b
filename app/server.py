"""Uvicorn server processes: one process, or several that share a port and a database.

On Linux the workers are forked from the supervisor (see `app/http/graceful_server.py`).
"""

import gc
import importlib
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
from app.database.quick_check import NightlyCheck, start_nightly_check
from app.http.addresses import set_base_url
from app.http.counter_table import create_shared_file
from app.http.graceful_server import FORKS_WORKERS, GracefulServer, WorkerSupervisor
from app.http.protocol import CounterclaimProtocol
from app.http.shutdown import MAX_REQUEST_SECONDS, CancelledRequestFilter
from app.logs import configure_logging
from app.runtime_folder import create_runtime_folder
from app.settings import Settings, read_settings

if TYPE_CHECKING:
    from app.main import CounterclaimApp
    from app.mirror.gateway import MirrorGateway

WORKER_TIMEOUT_SECONDS = 30
"""A worker that does not respond to health checks for this long is replaced."""


def serve_in_process(settings: Settings, server_socket: socket, mirror: "MirrorGateway | None" = None) -> None:
    """Serve in this process until a signal ends it, as a mirror if it is one. Requests in progress are completed."""
    configure_server_logging(settings)
    _ignore_hangup()
    if (check := _nightly_check(settings)) is not None:
        start_nightly_check(check)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with create_runtime_folder(), suppress(KeyboardInterrupt):
        app = create_frozen_app(settings, is_worker=True)
        app.mirror = mirror
        GracefulServer(_uvicorn_config(app)).run(sockets=[server_socket])


def serve_in_processes(settings: Settings, server_socket: socket, workers: int) -> None:
    """Serve in `workers` processes until a signal ends this one, and replace each worker that exits."""
    configure_server_logging(settings)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    check = _nightly_check(settings)
    config = _uvicorn_config(f"{__name__}:create_worker_app", workers=workers)
    if FORKS_WORKERS:
        _import_application()
    alive, supervisor_end = os.pipe()  # the end of this process closes it, also if it is killed

    def on_fork() -> None:
        os.close(supervisor_end)  # otherwise a worker would keep the others alive
        logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)
        _stop_with(alive)

    with create_runtime_folder():
        create_shared_file()
        supervisor = WorkerSupervisor(
            config,
            sockets=[server_socket],
            on_fork=on_fork,
            on_tick=check.poll if check is not None else lambda: None,
        )
        _ignore_hangup()  # after uvicorn has installed a handler that replaces all workers
        supervisor.run()


def _ignore_hangup() -> None:
    """Ignore SIGHUP, also without a terminal: settings are read once, and a service does not end with its terminal."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _nightly_check(settings: Settings) -> NightlyCheck | None:
    """Return the check of an SQLite file. One process does it for all workers."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        path = str(Path(url.database).absolute())
        return NightlyCheck(path, DamageRecord(path, is_file=True))
    return None


def create_worker_app() -> FastAPI:
    """Return the application for a worker process."""
    settings = read_settings()
    configure_server_logging(settings)
    _ignore_hangup()
    if not FORKS_WORKERS and (parent := parent_process()) is not None:
        _stop_with(parent.sentinel)
    return create_frozen_app(settings, is_worker=True)


def create_frozen_app(settings: Settings, **options: bool) -> "CounterclaimApp":
    """Return what `create_app` returns, with all objects that exist by now exempt from garbage collection.

    They live as long as the process. A full collection that visits them interrupts requests for a tenth of a second.
    """
    _import_application()
    from app.main import create_app  # noqa: PLC0415 - a supervisor that forks no workers does not need the application

    set_base_url(settings.base_url)  # for requests that the HTTP protocol answers before the application is called
    app = create_app(settings, **options)
    gc.collect()
    gc.freeze()
    release_free_memory()
    return app


def _import_application() -> None:
    """Import the application, exempt from garbage collection, which would also copy its memory in forked workers."""
    configure_allocator()
    gc.disable()  # modules are kept: collections during the import would take a sixth of its time
    importlib.import_module("app.main")
    gc.collect()  # what the import has left over would be kept for good
    gc.freeze()
    gc.enable()


def _stop_with(descriptor: int) -> None:
    """End this process when the other end of a pipe is closed, because its supervisor has ended, even by a crash."""

    def run() -> None:
        wait([descriptor])
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=run, daemon=True).start()


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
