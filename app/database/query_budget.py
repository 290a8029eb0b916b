"""Query budgets: a limit on the work of a read, so that one query does not block the others.

They are the last resort: a read that exceeds the large budget is a 503. Whether a query is too broad is decided by
counted rows before, the same on both databases (see `app/errors.py`, `QueryTooBroad`).

On SQLite the budget counts virtual machine steps since the beginning of the transaction; on PostgreSQL it limits the
time of a statement. Reads have the large budget. A read in the event loop starts with the small budget; if it exceeds
that, it is repeated in a worker thread with the large one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a read: virtual machine steps of SQLite (20 to 50 million per second), and seconds per statement.

    SQLite calls the progress handler every `steps_per_tick` steps.
    """

    max_steps: int
    steps_per_tick: int
    statement_seconds: float


QUERY_CANCELED = "57014"
"""SQLSTATE of a statement that PostgreSQL cancelled: at `statement_timeout`, or on the request of an administrator."""

LARGE_BUDGET = Budget(max_steps=40_000_000, steps_per_tick=200_000, statement_seconds=2.0)
SMALL_BUDGET = Budget(max_steps=60_000, steps_per_tick=4_000, statement_seconds=0.005)


class BudgetMeter:
    """A progress handler that counts the ticks of one transaction.

    SQLite continues the step count of a prepared statement when the statement is executed again.
    """

    __slots__ = ("ticks_left",)

    def __init__(self, budget: Budget) -> None:
        self.ticks_left = budget.max_steps // budget.steps_per_tick

    def __call__(self) -> bool:
        """Return whether SQLite must interrupt the statement."""
        self.ticks_left -= 1
        return self.ticks_left < 0


def apply_budget(driver: sqlite3.Connection) -> None:
    """Apply the budget of the current context to the transaction that begins on `driver`."""
    budget = SMALL_BUDGET if _uses_small_budget.get() else LARGE_BUDGET
    driver.set_progress_handler(BudgetMeter(budget), budget.steps_per_tick)


def lift_budget(driver: sqlite3.Connection) -> None:
    """Let the transaction that has begun on `driver` take as many steps as it needs."""
    driver.set_progress_handler(None, 0)


def is_budget_exceeded(error: object) -> bool:
    """Return whether an error of SQLAlchemy or the driver means that a statement exceeded its budget."""
    driver_error = getattr(error, "orig", error)
    if getattr(driver_error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return True
    is_canceled = getattr(driver_error, "sqlstate", None) == QUERY_CANCELED
    return is_canceled and "user request" not in str(driver_error) and not getattr(driver_error, "is_late", False)


_uses_small_budget: ContextVar[bool] = ContextVar("uses_small_budget", default=False)


@contextmanager
def small_budget() -> Iterator[None]:
    """Apply the small budget to reads of the block that begin on SQLite.

    SQLite interrupts a statement that exceeds it, and `is_budget_exceeded` recognizes the error.
    """
    token = _uses_small_budget.set(True)
    try:
        yield
    finally:
        _uses_small_budget.reset(token)
