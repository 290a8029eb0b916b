"""Conversion of driver exceptions to the exceptions of SQLAlchemy."""

from types import TracebackType

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError


class DriverErrors:
    """A context manager that raises driver exceptions as `DBAPIError`.

    It is a class because a generator-based context manager is slower, and it wraps all statements of the hot paths.
    """

    __slots__ = ("_dialect", "_statement")

    def __init__(self, dialect: Dialect, statement: str) -> None:
        """Create the context manager. The error message contains `statement`."""
        self._dialect = dialect
        self._statement = statement

    def __enter__(self) -> None:
        """Do nothing on entry."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise the `DBAPIError` for a driver exception."""
        driver_error_type = self._dialect.loaded_dbapi.Error
        if isinstance(error, driver_error_type):
            raise DBAPIError.instance(self._statement, None, error, driver_error_type, dialect=self._dialect) from error
