"""Connections outside the pools, for checks that must not wait for what holds up the others."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError

from app.database.server_settings import begin_statement, execute

LOCK_SECONDS = 0.5
"""How long a statement waits for a lock on SQLite."""

CONNECT_SECONDS = 2
"""The shortest timeout that PostgreSQL has for a connection."""

STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '2s'"


@contextmanager
def server_connection(dialect: Dialect, url: URL, settings: Mapping[str, str]) -> Iterator[Any]:
    """Open a connection of the driver in a transaction, which is rolled back. Raises driver errors as `DBAPIError`.

    Args:
        dialect: The dialect of an engine of the database.
        url: The address of the server, or of the file of SQLite, which is only read.
        settings: Settings of PostgreSQL for the transaction.
    """
    with _connect(dialect, url) as driver:
        if dialect.name == "sqlite":
            driver.execute("BEGIN")
        else:
            execute(driver, begin_statement("BEGIN", settings))
        yield driver


@contextmanager
def autocommit_connection(dialect: Dialect, url: URL) -> Iterator[Callable[[str], Any]]:
    """Open a connection that stays open, and return a function that executes a statement and returns its one value.

    Each statement is a transaction of its own. Driver errors are raised as `DBAPIError`.
    """
    with _connect(dialect, url) as driver:
        if dialect.name == "sqlite":
            yield lambda statement: driver.execute(statement).fetchone()[0]
        else:
            yield lambda statement: execute(driver, f"{STATEMENT_TIMEOUT}; {statement}").get_value(0, 0)


@contextmanager
def _connect(dialect: Dialect, url: URL) -> Iterator[Any]:
    arguments, options = dialect.create_connect_args(url)
    if dialect.name == "sqlite":
        options = {**options, "timeout": LOCK_SECONDS}
    else:
        options = {**options, "connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": CONNECT_SECONDS * 1000}
    driver_error = dialect.loaded_dbapi.Error
    try:
        with closing(dialect.loaded_dbapi.connect(*arguments, **options)) as driver:
            if dialect.name == "sqlite":
                driver.isolation_level = None
                driver.execute("PRAGMA query_only=ON")
            yield driver
    except driver_error as error:
        raise DBAPIError.instance("check", None, error, driver_error, dialect=dialect) from error
