"""Connections to an address that names several servers of PostgreSQL, of which some may be silent.

A server that is frozen or cut off refuses nothing, so that each connection to it waits for its timeout. It is left out
for a while then, and the server that answered last is tried first.
"""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import InvalidatePoolError

from app.database.server_settings import execute

CONNECT_SECONDS = 2
"""How long one of several servers may take to connect: the shortest timeout that PostgreSQL has."""

SILENT_SECONDS = 1.0
"""A server is silent if it takes longer than this to refuse a connection."""

LEFT_OUT_SECONDS = 5.0
"""For how long a silent server is left out while the address has others."""

IS_USED = "is_used"
"""The key in the `info` of a connection of a pool of whether it was lent before."""

Server = tuple[str, str]
"""A host and a port."""

_silent_until: dict[Server, float] = {}
_answered_last: dict[tuple[Sequence[Server], str], Server] = {}
"""The server of an address that was connected to last, by its servers and what the session had to be."""


def has_several(url: URL) -> bool:
    """Return whether an address names several servers."""
    return isinstance(url.query.get("host"), tuple)


def prefers_standby(url: URL) -> bool:
    """Return whether an address asks for a standby as long as there is one."""
    return has_several(url) and url.query.get("target_session_attrs") == "prefer-standby"


def address_for_programs(dialect: Dialect, url: URL) -> str:
    """Return an address for programs of PostgreSQL, which take several hosts in another form, without the password."""
    open_url = url._replace(password=None)  # `set` takes None for "as before", and prints the password as ***
    if not has_several(url):
        return open_url.set(drivername="postgresql").render_as_string()
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - not needed on SQLite

    _arguments, options = dialect.create_connect_args(open_url)
    parameters: dict[str, Any] = {name: value for name, value in options.items() if isinstance(value, str | int)}
    return make_conninfo(**parameters)


def connect(dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the driver
    """Return a connection of the driver to one of the servers that `options` name.

    Raises:
        Exception: The error of the driver for the last server, if none can be used.
    """
    servers = _servers_of(options)
    if len(servers) < 2:  # noqa: PLR2004 - one server
        return dialect.connect(*arguments, **options)
    wanted = options.get("target_session_attrs", "any")
    driver_error = dialect.loaded_dbapi.Error
    failure: Exception | None = None
    for attributes in ("standby", "any") if wanted == "prefer-standby" else (wanted,):
        key = (servers, attributes)
        for server in _order(key):
            host, port = server
            own = {**options, "host": host, "port": port, "target_session_attrs": attributes}
            began = time.monotonic()
            try:
                connection = dialect.connect(*arguments, **own)
            except driver_error as error:
                failure = error
                if time.monotonic() - began > SILENT_SECONDS:
                    _silent_until[server] = time.monotonic() + LEFT_OUT_SECONDS
            else:
                _answered_last[key] = server
                return connection
    assert failure is not None  # noqa: S101 - there is a server in each order
    raise failure


def _servers_of(options: Mapping[str, Any]) -> tuple[Server, ...]:
    hosts = str(options.get("host") or "").split(",")
    ports = str(options.get("port") or "").split(",")
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
    return tuple((host, port or os.environ.get("PGPORT", "5432")) for host, port in zip(hosts, ports, strict=True))


def _order(key: tuple[Sequence[Server], str]) -> list[Server]:
    """Return the servers of an address in the order of attempts, without the silent ones if others are left."""
    now, last = time.monotonic(), _answered_last.get(key)
    servers = sorted(key[0], key=lambda server: server != last)
    return [server for server in servers if _silent_until.get(server, 0.0) <= now] or servers


def note_silent(driver: Any) -> None:  # noqa: ANN401 - a connection of psycopg
    """Leave the server of a connection out for a while: it does not answer."""
    with suppress(Exception):  # the connection is closed
        server = (driver.info.host, str(driver.info.port))
        _silent_until[server] = time.monotonic() + LEFT_OUT_SECONDS


def choose_servers(engine: Engine) -> None:
    """Let the connections of an engine be to the servers that answer."""
    event.listen(
        engine, "do_connect", lambda dialect, _record, arguments, options: connect(dialect, arguments, options)
    )


def check_before_use(engine: Engine) -> None:
    """Let the pool of an engine give up its connections if one of them does not answer when it is lent.

    A statement on such a connection would wait until the network reports that the server is gone.
    """

    def check(driver: Any, record: Any, _proxy: Any) -> None:  # noqa: ANN401 - of the driver and the pool
        if not record.info.setdefault(IS_USED, False):
            record.info[IS_USED] = True  # it was opened just now
            return
        try:
            execute(driver, "SELECT 1", SILENT_SECONDS)
        except engine.dialect.loaded_dbapi.Error as error:
            if isinstance(error, engine.dialect.loaded_dbapi.errors.ConnectionTimeout):
                note_silent(driver)
            raise InvalidatePoolError from error

    event.listen(engine, "checkout", check)


def cut(driver: Any) -> None:  # noqa: ANN401 - a connection of psycopg
    """End a connection that another thread uses, which then gets an error of the driver instead of an answer."""
    with suppress(Exception), socket.socket(fileno=os.dup(driver.fileno())) as duplicate:  # it may be closed
        duplicate.shutdown(socket.SHUT_RDWR)


class ConnectionsInUse:
    """The connections of an engine that requests use."""

    def __init__(self, engine: Engine) -> None:
        """Note each connection that the pool of an engine lends."""
        self._drivers: dict[Any, Any] = {}
        event.listen(engine, "checkout", lambda driver, record, _proxy: self._drivers.update({record: driver}))
        event.listen(engine, "checkin", lambda _driver, record: self._drivers.pop(record, None))

    def cut(self) -> None:
        """End all of them: their server does not answer."""
        for driver in list(self._drivers.values()):
            cut(driver)
