"""The parts of a wording: its numbers, and what is said besides them."""

from dataclasses import dataclass, field
from fractions import Fraction

from app.comparison.wordings.reading import PerName


@dataclass(frozen=True, slots=True)
class Core:
    """The numbers of a wording, before the words that follow them. `end` is the position behind."""

    value: Fraction | None = None
    lower: Fraction | None = None
    upper: Fraction | None = None
    out_of: Fraction | None = None
    is_ratio: bool = False
    is_share: bool = False
    is_part: bool = False
    is_round: bool = False
    end: int = 0
    digits: tuple[str, ...] = ()
    tail: "Tail | None" = None


@dataclass(slots=True)
class Tail:
    """What is said besides the numbers."""

    unit: str | None = None
    units: frozenset[str] = frozenset()
    noun: str | None = None
    hedge: str | None = None
    per: PerName | None = None
    sign: int | None = None
    times: bool = False
    base: str | None = None
    base_digits: tuple[str, ...] = ()
    bounds: tuple[Fraction, Fraction] | None = None
    coverage: float | None = None
    has_words: bool = False
    digits: tuple[str, ...] = ()
    ignored: list[tuple[str, str]] = field(default_factory=list)


class PartsDoNotFit(ValueError):
    """Numbers and words that make no figure together. Other readings of the same tokens may make one."""
