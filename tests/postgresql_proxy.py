"""A proxy in front of PostgreSQL that cuts connections when a write commits, for tests of lost answers."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Literal

from sqlalchemy import make_url

Cut = Literal["before", "after"]
"""Whether a connection is cut before the server has received the COMMIT, or after it has committed."""

SOCKET_NAME = ".s.PGSQL.5432"
BLOCK_BYTES = 65_536


class PostgresqlProxy:
    """Forwards connections to the socket `server`, and cuts the next `cuts` commits of write transactions."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.cut: Cut = "after"
        self.cuts = 0
        self.cut_count = 0
        self.is_away = False
        """Whether new connections are closed at once."""
        self.is_away_after_cut = False
        self.is_silent = False
        """Whether nothing is forwarded, as by a server that is frozen or cut off."""
        self._server = server
        self._lock = Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET_NAME))
        self._listener.listen(100)
        self._sockets: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_away:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._sockets += [client, server]
                pair = _Pair(self, client, server)
                Thread(target=pair.forward_requests, daemon=True).start()
                Thread(target=pair.forward_answers, daemon=True).start()

    def take_cut(self) -> bool:
        """Return whether this commit is cut."""
        with self._lock:
            if self.cuts == 0:
                return False
            self.cuts -= 1
            self.cut_count += 1
            self.is_away = self.is_away_after_cut
            return True

    def close(self) -> None:
        """Close all connections."""
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class _Pair:
    """A connection of a client, and that to the server."""

    def __init__(self, proxy: PostgresqlProxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.server = server
        self.locks_clock = False
        self.is_cut = False

    def forward_requests(self) -> None:
        with suppress(OSError):
            while block := self.client.recv(BLOCK_BYTES):
                if self.proxy.is_silent:
                    continue
                self.locks_clock = self.locks_clock or b"FROM clock FOR UPDATE" in block
                if self.locks_clock and b"COMMIT" in block:
                    self.locks_clock = False
                    if self.proxy.take_cut():
                        self.is_cut = True
                        if self.proxy.cut == "before":
                            self._close()
                            return
                self.server.sendall(block)
        self._close()

    def forward_answers(self) -> None:
        with suppress(OSError):
            while block := self.server.recv(BLOCK_BYTES):
                if self.is_cut:
                    if b"COMMIT\0" in block:  # the server has committed
                        break
                    continue
                self.client.sendall(block)
        self._close()

    def _close(self) -> None:
        for each in (self.client, self.server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def postgresql_proxy(url: str) -> Iterator[tuple[PostgresqlProxy, str]]:
    """Return a proxy in front of the server of a database, and the URL of the database through it."""
    parsed = make_url(url)
    server = Path(str(parsed.query["host"])) / SOCKET_NAME
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:  # the path of a socket must be short
        proxy = PostgresqlProxy(server, Path(folder))
        try:
            yield proxy, parsed.set(query={"host": folder}).render_as_string(hide_password=False)
        finally:
            proxy.close()
