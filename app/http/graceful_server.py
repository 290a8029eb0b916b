"""Uvicorn's server and supervisor, ended so that no client sees a reset connection.

Uvicorn closes its port at once: connections that it has not accepted yet are reset, and so are those whose request has
not arrived. These classes accept what is waiting first, and answer it (with a 503, see `app/http/shutdown.py`).
"""

import asyncio
from contextlib import suppress
from socket import socket
from typing import Any

from uvicorn import Config, Server
from uvicorn.supervisors import multiprocess

DRAIN_SECONDS = 0.05
"""How long connections are still accepted after the queue of the port was shortened."""

REQUEST_SECONDS = 0.2
"""How long further requests are still answered after the port was closed."""

FIRST_REQUEST_SECONDS = 1.0
"""How long a connection that has not sent a request yet is waited for: its client may have little processor time."""


class GracefulServer(Server):
    """A server that accepts and answers the connections that wait when it ends."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Close the port, answer what has been accepted, and shut down."""
        ports = sockets or []
        if self.config.workers == 1:
            shorten_queues(ports)
        await asyncio.sleep(DRAIN_SECONDS)
        waiting = [connection for port in ports for connection in _accept_waiting(port)]
        for server in self.servers:
            server.close()
        for port in ports:
            port.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._create_protocol, connection)
        await asyncio.sleep(REQUEST_SECONDS)
        await self._wait_for_first_requests()
        await super().shutdown(sockets)

    async def _wait_for_first_requests(self) -> None:
        """Wait until every open connection has sent a request, for a limited time."""
        for _ in range(round((FIRST_REQUEST_SECONDS - REQUEST_SECONDS) / DRAIN_SECONDS)):
            if all(getattr(protocol, "cycle", None) for protocol in self.server_state.connections):
                return
            await asyncio.sleep(DRAIN_SECONDS)

    def _create_protocol(self) -> asyncio.Protocol:
        protocol_class: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def shorten_queues(ports: list[socket]) -> None:
    """Let the system refuse new connections soon: it drops what does not fit, and clients try again a second later."""
    for port in ports:
        with suppress(OSError):
            port.listen(0)


def _accept_waiting(port: socket) -> list[socket]:
    """Return the connections in the queue of a port."""
    connections: list[socket] = []
    with suppress(OSError):
        port.setblocking(False)
        while True:
            connections.append(port.accept()[0])
    return connections


class _WorkerProcess(multiprocess.Process):
    """A worker process with a `GracefulServer`."""

    @property
    def server(self) -> Server:
        """Return the server of the process."""
        if self._server is None:
            self._server = GracefulServer(config=self.config)
        return self._server


class WorkerSupervisor(multiprocess.Multiprocess):
    """A supervisor that also closes its own copy of the port when it stops the workers."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        multiprocess.Process = _WorkerProcess  # type: ignore[misc] # the class that the supervisor starts

    def terminate_all(self) -> None:
        """Stop the workers, and close the port."""
        super().terminate_all()
        shorten_queues(self.sockets)
        for port in self.sockets:
            port.close()
