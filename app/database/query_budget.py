"""How much work one read may be, so that no question holds up the others.

SQLite counts the steps of its own machine, from the beginning of a transaction; PostgreSQL the time of each statement.
Whatever only reads has the large budget; a read that runs in the event loop has the small one first and, where that is
not enough, another thread.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """What a read may take: steps of SQLite's machine (20 to 50 million a second), and seconds a statement.

    SQLite asks every `steps_per_tick` steps whether to go on.
    """

    max_steps: int
    steps_per_tick: int
    statement_seconds: float


QUERY_CANCELED = "57014"
"""PostgreSQL's code for a statement that was stopped at `statement_timeout`."""

LARGE_BUDGET = Budget(max_steps=40_000_000, steps_per_tick=200_000, statement_seconds=2.0)
SMALL_BUDGET = Budget(max_steps=60_000, steps_per_tick=4_000, statement_seconds=0.005)


class BudgetMeter:
    """Counts the ticks of one transaction. SQLite counts the steps of a statement on when it is run again."""

    __slots__ = ("ticks_left",)

    def __init__(self, budget: Budget) -> None:
        self.ticks_left = budget.max_steps // budget.steps_per_tick

    def __call__(self) -> bool:
        """Whether what runs is to be stopped."""
        self.ticks_left -= 1
        return self.ticks_left < 0


def apply_budget(driver: sqlite3.Connection) -> None:
    """Give the transaction that begins the budget that holds here and now."""
    budget = SMALL_BUDGET if _uses_small_budget.get() else LARGE_BUDGET
    driver.set_progress_handler(BudgetMeter(budget), budget.steps_per_tick)


def is_budget_exceeded(error: object) -> bool:
    """Whether a fault, in SQLAlchemy's words or the driver's own, says that a statement was stopped."""
    wrong = getattr(error, "orig", error)
    return (
        getattr(wrong, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT
        or getattr(wrong, "sqlstate", None) == QUERY_CANCELED
    )


_uses_small_budget: ContextVar[bool] = ContextVar("hurry", default=False)


@contextmanager
def small_budget() -> Iterator[None]:
    """Whatever is read in the block has the small budget. SQLite ends what takes longer; see `is_budget_exceeded`."""
    token = _uses_small_budget.set(True)
    try:
        yield
    finally:
        _uses_small_budget.reset(token)
