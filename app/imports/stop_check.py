"""The end of an import from outside: a check that everything before the publishing calls often."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

StopCheck = Callable[[], None]
"""Called at least once per row, draft, query and part of a file. It raises an exception to end the import."""

T = TypeVar("T")


def never_stop() -> None:
    """Let the import go on."""


def checked(items: Iterable[T], check: StopCheck) -> Iterator[T]:
    """Yield the items, and call the check before each."""
    for item in items:
        check()
        yield item
