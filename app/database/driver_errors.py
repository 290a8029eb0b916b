"""Conversion of driver exceptions to the exceptions of SQLAlchemy."""

from time import monotonic
from types import TracebackType

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from app.database.query_budget import LARGE_BUDGET

LATE_SECONDS = LARGE_BUDGET.statement_seconds + 0.5
"""A statement that fails after this time was not cancelled for its own sake: the server stood still."""


class DriverErrors:
    """A context manager that raises driver exceptions as `DBAPIError`.

    It is a class because a generator-based context manager is slower, and it wraps all statements of the hot paths.
    """

    __slots__ = ("_dialect", "_started_at", "_statement")

    def __init__(self, dialect: Dialect, statement: str) -> None:
        """Create the context manager. The error message contains `statement`."""
        self._dialect = dialect
        self._statement = statement

    def __enter__(self) -> None:
        """Note the time."""
        self._started_at = monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise the `DBAPIError` for a driver exception."""
        driver_error_type = self._dialect.loaded_dbapi.Error
        if isinstance(error, driver_error_type):
            # The server cancels a statement at its timeout, unless it cannot run itself.
            vars(error)["is_late"] = monotonic() - self._started_at > LATE_SECONDS
            raise DBAPIError.instance(self._statement, None, error, driver_error_type, dialect=self._dialect) from error
