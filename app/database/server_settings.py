"""Settings of PostgreSQL for connections, also behind a connection pooler.

A direct connection gets them once, and its statements may be prepared. Behind a pooler in transaction mode, such as
PgBouncer, every transaction may run in another session of the server: the settings are then sent with the BEGIN of each
transaction, and no statement is prepared.
"""

import select
import time
from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Connection, Engine, event

BEGIN_STATEMENT = "begin_statement"
"""The key in `Connection.info` of the statements that begin a transaction behind a pooler."""

BEGIN_READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

Prepared = Literal["auto", "always"]


def apply_server_settings(engine: Engine, settings: Mapping[str, str], begin: str, prepared: Prepared) -> None:
    """Let each connection of an engine have `settings`, and each transaction behind a pooler begin with `begin`."""

    def configure(driver: Any, record: Any) -> None:  # noqa: ANN401 - of the driver and the pool
        if is_direct(driver):
            execute(driver, "; ".join(f"SET {name} = '{value}'" for name, value in settings.items()))
            return
        record.info[BEGIN_STATEMENT] = begin_statement(begin, settings)
        if prepared == "auto":
            driver.prepare_threshold = None

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin_transaction)


def is_direct(driver: Any) -> bool:  # noqa: ANN401 - a connection of psycopg
    """Return whether the session is that of the process which the connection was given: no pooler is in between."""
    pid = int(execute(driver, "SELECT pg_backend_pid()").get_value(0, 0))
    return bool(pid == driver.info.backend_pid)


def is_pooled(connection: Connection) -> bool:
    """Return whether a pooler is between this process and the server."""
    return BEGIN_STATEMENT in connection.info


def begin_statement(begin: str, settings: Mapping[str, str]) -> str:
    """Return the statements that begin a transaction with its own settings, to be sent at once."""
    return "; ".join([begin, *(f"SET LOCAL {name} = '{value}'" for name, value in settings.items())])


def begin_transaction(connection: Connection) -> None:
    """Begin a transaction behind a pooler, unless it has begun. A direct connection begins by itself."""
    statement = connection.info.get(BEGIN_STATEMENT)
    if statement is not None:
        driver: Any = connection.connection.driver_connection
        if not driver.pgconn.transaction_status:
            execute(driver, statement)


def execute(driver: Any, statements: str, seconds: float | None = None) -> Any:  # noqa: ANN401 - a connection of psycopg, and a result of libpq
    """Execute statements without parameters in one round trip, outside the transactions of psycopg.

    With `seconds`, a server that has not answered by then is an `OperationalError` (`ConnectionTimeout`). The
    connection is of no use then.
    """
    pgconn = driver.pgconn
    result = pgconn.exec_(statements.encode()) if seconds is None else _execute_within(pgconn, statements, seconds)
    if result.error_message:
        from psycopg.errors import error_from_result  # noqa: PLC0415 - not needed on SQLite

        raise error_from_result(result)
    return result


def _execute_within(pgconn: Any, statements: str, seconds: float) -> Any:  # noqa: ANN401 - a connection of libpq, and a result
    from psycopg.errors import ConnectionTimeout  # noqa: PLC0415 - not needed on SQLite

    expires_at = time.monotonic() + seconds
    pgconn.send_query(statements.encode())
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    result = None
    while True:
        while pgconn.is_busy():
            if not poll.poll(max(0.0, expires_at - time.monotonic()) * 1000):
                raise ConnectionTimeout(f"timeout expired: no answer in {seconds:g} seconds")
            pgconn.consume_input()
        following = pgconn.get_result()
        if following is None:
            return result
        if result is None or not result.error_message:
            result = following
