"""Faults that are put into a copy of the code, one after the other, with the tests that must find each."""

from dataclasses import dataclass

from benchmarks.torture.code_copies import Edit


@dataclass(frozen=True)
class Fault:
    """A fault: what it does, the edits that make it, and the tests that must fail."""

    kind: str
    description: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


FAULTS: tuple[Fault, ...] = ()
