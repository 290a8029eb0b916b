"""Connections outside the pools, for checks that must not wait for what holds up the others."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from threading import Timer
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError

from app.database.server_settings import begin_statement, execute
from app.database.servers import CONNECT_SECONDS, connect, cut

LOCK_SECONDS = 0.5
"""How long a statement waits for a lock on SQLite."""

STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '2s'"

OPEN_SECONDS = 10.0
"""How long a connection for a check is open at most."""

ANSWER_SECONDS = 3.0
"""How long a server may take to answer such a statement. If it is frozen, its own timeout does not count."""


@contextmanager
def server_connection(
    dialect: Dialect, url: URL, settings: Mapping[str, str], seconds: float = OPEN_SECONDS
) -> Iterator[Any]:
    """Open a connection of the driver in a transaction, which is rolled back. Raises driver errors as `DBAPIError`.

    Args:
        dialect: The dialect of an engine of the database.
        url: The address of the server, or of the file of SQLite, which is only read.
        settings: Settings of PostgreSQL for the transaction.
        seconds: How long it may be open. A server of PostgreSQL that has not answered by then is given up.
    """
    with _connect(dialect, url) as driver:
        if dialect.name == "sqlite":
            driver.execute("BEGIN")
            yield driver
            return
        timer = Timer(seconds, cut, [driver])
        timer.daemon = True
        timer.start()
        try:
            execute(driver, begin_statement("BEGIN", settings))
            yield driver
        finally:
            timer.cancel()


@contextmanager
def autocommit_connection(dialect: Dialect, url: URL) -> Iterator[Callable[[str], Any]]:
    """Open a connection that stays open, and return a function that executes a statement and returns its one value.

    Each statement is a transaction of its own. Driver errors are raised as `DBAPIError`.
    """
    with _connect(dialect, url) as driver:
        if dialect.name == "sqlite":
            yield lambda statement: driver.execute(statement).fetchone()[0]
        else:
            yield lambda statement: execute(driver, f"{STATEMENT_TIMEOUT}; {statement}", ANSWER_SECONDS).get_value(0, 0)


@contextmanager
def _connect(dialect: Dialect, url: URL) -> Iterator[Any]:
    arguments, options = dialect.create_connect_args(url)
    if dialect.name == "sqlite":
        options = {**options, "timeout": LOCK_SECONDS}
    else:
        options = {**options, "connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": CONNECT_SECONDS * 1000}
    driver_error = dialect.loaded_dbapi.Error
    try:
        with closing(connect(dialect, arguments, options)) as driver:
            if dialect.name == "sqlite":
                driver.isolation_level = None
                driver.execute("PRAGMA query_only=ON")
            yield driver
    except driver_error as error:
        raise DBAPIError.instance("check", None, error, driver_error, dialect=dialect) from error
