"""What a wording states, what is known beside it, and why it is not read."""

from dataclasses import dataclass
from typing import Final, Literal

from app.comparison.figure import PrintedFigure

_MAX_QUOTED_CHARACTERS: Final = 120
RefusalReason = Literal[
    "too_long",
    "no_figure",
    "words_not_understood",
    "ambiguous_separator",
    "ambiguous_word",
    "no_number",
    "two_figures",
    "sign_or_bullet",
    "ambiguous_range",
    "ambiguous_multiple",
    "rate_not_supported",
    "rate",
    "change",
    "share",
    "unit_differs",
    "fraction_of_whole_units",
    "out_of_range",
    "language_needed",
]
"""Why a wording is not read. `app/enums.py` has the definitions."""

PropositionName = Literal["quantity", "ratio", "change"]
PerName = Literal["hour", "day", "week", "month", "year"]

DOLLAR_CURRENCIES: Final = frozenset(
    {"USD", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "BBD", "BMD", "BND", "BSD", "BZD", "FJD", "GYD", "JMD", "KYD"}
    | {"LRD", "NAD", "SBD", "SRD", "TTD", "XCD", "ARS", "CLP", "COP", "CUP", "DOP", "MXN", "UYU"}
)
"""The currencies that the sign $ can mean."""

PESO_CURRENCIES: Final = frozenset({"ARS", "CLP", "COP", "CUP", "DOP", "MXN", "PHP", "UYU"})

YEN_CURRENCIES: Final = frozenset({"JPY", "CNY"})


class UnreadableWording(ValueError):
    """A wording that is not read: the reason, what is wrong in words, and what to do."""

    def __init__(self, reason: RefusalReason, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Reading:
    """What a wording states.

    `unit` is the unit that the wording names (`percent`, `times`, a currency, a measure), or None. `units` are the
    currencies that its sign can mean, if several. `noun` is the kind of things that it names, such as `persons`.
    `is_share`: it states a share of a whole, and `is_part` one of something that is no number, "half of the area".
    `is_round`: a round word such as "half a million" says the number. `is_bare`: it has nothing but a qualifier and
    numbers. `ignored` are the parts outside the figure, with their rules.
    """

    figure: PrintedFigure
    proposition: PropositionName = "quantity"
    per: PerName | None = None
    unit: str | None = None
    units: frozenset[str] = frozenset()
    noun: str | None = None
    is_bare: bool = True
    is_share: bool = False
    is_part: bool = False
    is_round: bool = False
    digits: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WordingContext:
    """What is known beside a wording.

    `language` is a BCP 47 tag. `decimal` is the decimal sign, where a mapping states it. `unit` is the unit of the
    figure, and `is_fractional` whether there are fractions of it; None: not known. `words` are further words that may
    follow the number: those of the category.
    """

    language: str | None = None
    decimal: str | None = None
    unit: str | None = None
    is_fractional: bool | None = None
    words: frozenset[str] = frozenset()


def quote_wording(text: str) -> str:
    """Return a wording in backticks, shortened."""
    shown = " ".join(text.split())
    return f"`{shown if len(shown) <= _MAX_QUOTED_CHARACTERS else shown[:_MAX_QUOTED_CHARACTERS] + '…'}`"
