"""Errors of the driver, raised as SQLAlchemy raises those of its own statements."""

from types import TracebackType

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError


class DriverErrors:
    """A context manager that turns an error of the driver into the `DBAPIError` for it.

    A class, not a generator: it surrounds every statement of the hot paths.
    """

    __slots__ = ("_dialect", "_statement")

    def __init__(self, dialect: Dialect, statement: str) -> None:
        """`statement` is named in the error."""
        self._dialect = dialect
        self._statement = statement

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise the `DBAPIError` for an error of the driver."""
        driver_error = self._dialect.loaded_dbapi.Error
        if isinstance(error, driver_error):
            raise DBAPIError.instance(self._statement, None, error, driver_error, dialect=self._dialect) from error
