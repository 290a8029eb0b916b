"""Rules that were added after claims had been recorded. They hold for new claims; older ones stay as they are.

Each rule names the fields of a claim that it depends on: a correction is refused by a rule only if it changes one of
these. `app/claims/check.py` lists the recorded claims that break a rule.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from app.comparison.figure import NUMERIC_PROPOSITIONS, PrintedFigure
from app.comparison.period import EdtfPeriod
from app.comparison.units import TIMES, as_dimension, has_fractions, suggest_unit
from app.comparison.wording import find_relative_wording
from app.comparison.wordings.agreement import (
    GivenFigure,
    find_difference,
    has_fraction_of_whole,
    is_written_out,
    quote_holds,
)
from app.comparison.wordings.grammar import load_grammar
from app.comparison.wordings.reading import WordingContext, quote_wording

RuleName = Literal[
    "rate_without_per",
    "unit_missing",
    "relative_wording",
    "negative_total",
    "fraction_of_whole_units",
    "figure_differs_from_wording",
    "quote_differs_from_wording",
    "period_after_statement",
    "forecast_of_past",
]

_STATEMENT_DAY: Final = ("period", "modality", "date", "date_edtf", "said_at")

RULE_FIELDS: Final[dict[RuleName, frozenset[str]]] = {
    "rate_without_per": frozenset({"period"}),
    "unit_missing": frozenset({"figure", "proposition", "category"}),
    "relative_wording": frozenset({"figure", "proposition", "category"}),
    "negative_total": frozenset({"figure", "proposition", "category"}),
    "fraction_of_whole_units": frozenset({"figure", "proposition", "category", "period"}),
    "figure_differs_from_wording": frozenset({"figure", "proposition", "category", "period"}),
    "quote_differs_from_wording": frozenset({"figure", "citations"}),
    "period_after_statement": frozenset(_STATEMENT_DAY),
    "forecast_of_past": frozenset(_STATEMENT_DAY),
}
"""The fields of a claim that each rule depends on."""

WORDING_RULES: Final[frozenset[RuleName]] = frozenset({"figure_differs_from_wording", "quote_differs_from_wording"})
"""The rules whose breach has the problem code `figure_differs_from_wording`."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule: where in the claim, what is wrong, and what to do."""

    rule: RuleName
    pointer: str
    detail: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class VerbatimQuote:
    """A quote that a citation gives as verbatim: where it is in the claim, its text and its language."""

    pointer: str
    text: str
    language: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledClaim:
    """The fields of a claim that the rules depend on.

    `unit` is the unit of the claim itself, or None. `earliest_date` is the earliest day that the date can mean, and
    `recorded_on` the day of recording, which stands for the date of an undated claim.
    """

    category_unit: str
    is_non_decreasing: bool
    proposition: str
    modality: str
    figure: PrintedFigure
    unit: str | None
    period: EdtfPeriod
    aggregation: str
    per: str | None
    date: dt.date | None
    earliest_date: dt.date | None
    recorded_on: dt.date
    is_fractional: bool = False
    category: str = ""
    language: str | None = None
    wording_differs: str | None = None
    quotes: tuple[VerbatimQuote, ...] = ()
    confirms_separators: bool = True
    """Whether the numbers say what an ambiguous separator of the wording means."""

    @property
    def effective_unit(self) -> str:
        """The unit of the claim itself, or that of its category."""
        return self.unit or self.category_unit

    @property
    def wording_context(self) -> WordingContext:
        """The context in which the wording of the figure is read."""
        return wording_context(self.language, self.effective_unit, self.category, is_fractional=self.is_fractional)


def wording_context(
    language: str | None, unit: str | None, category: str, *, is_fractional: bool, more_words: str = ""
) -> WordingContext:
    """Return the context in which a wording is read. `is_fractional` is the field of the category."""
    has_fraction = None if unit is None else is_fractional or has_fractions(unit)
    return WordingContext(language, None, unit, has_fraction, category_words(category, more_words))


@lru_cache(maxsize=512)
def category_words(slug: str, name: str = "") -> frozenset[str]:
    """Return the words of a category that may follow its number: "drowned", but not "or" or "million"."""
    words = {word for word in f"{slug.replace('-', ' ')} {name}".casefold().split() if word.isalpha()}
    return frozenset(words - load_grammar("en").vocabulary) if words else frozenset()


def find_breaches(claim: RuledClaim) -> list[Breach]:
    """Return the rules that a claim breaks."""
    breaches = [*_check_rate(claim), *_check_figure(claim), *_check_period(claim)]
    if claim.proposition in NUMERIC_PROPOSITIONS and not any(breach.rule == "relative_wording" for breach in breaches):
        breaches += _check_wording(claim)
    return breaches


def _check_rate(claim: RuledClaim) -> Iterator[Breach]:
    if claim.aggregation == "rate" and claim.per is None:
        hint = "give `hour`, `day`, `week`, `month` or `year`, as the source states it"
        yield Breach("rate_without_per", "period/per", "A rate needs `per`, its unit of time.", hint)


def _check_figure(claim: RuledClaim) -> Iterator[Breach]:
    figure, unit = claim.figure, claim.unit
    needs_unit = figure.has_number and not (claim.proposition == "ratio" and figure.out_of is not None)
    dimension = as_dimension(claim.category_unit)
    if unit is None and needs_unit and dimension is not None:
        detail = f"The category has no unit but a dimension, {dimension}: the figure needs a unit of its own."
        yield Breach("unit_missing", "figure/unit", detail, suggest_unit(dimension))
    if claim.proposition != "quantity":
        return
    relative_unit = find_relative_wording(figure.as_printed)
    if relative_unit is not None and relative_unit != (unit or claim.category_unit):
        proposition = "ratio" if relative_unit == TIMES else "change"
        hint = f'give `"proposition": "{proposition}"`, `"unit": "{relative_unit}"` and `relative_to`'
        detail = f"`{figure.as_printed}` is relative to something else; it is not a quantity."
        yield Breach("relative_wording", "figure", detail, hint)
    if claim.is_non_decreasing:
        for name in ("value", "lower", "upper"):
            number = getattr(figure, name)
            if number is not None and number < 0:
                detail = "A total of a category that can only grow is not negative."
                yield Breach("negative_total", f"figure/{name}", detail, "for fewer than before, give a `change`")


def _check_wording(claim: RuledClaim) -> Iterator[Breach]:
    figure = claim.figure
    has_fraction = has_fraction_of_whole(figure, claim.proposition, claim.per)
    if has_fraction and not claim.is_fractional and not has_fractions(claim.effective_unit):
        detail = f"A fraction, and {claim.effective_unit} are counted in whole units."
        hint = "check the decimal sign of the source; a category whose figures have fractions says `fractional`"
        yield Breach("fraction_of_whole_units", "figure", detail, hint)
    if claim.wording_differs is not None or (not claim.quotes and is_written_out(figure)):
        return
    given = GivenFigure(figure, claim.proposition, claim.effective_unit, claim.per)
    if (
        read := find_difference(given, claim.wording_context, confirms_separators=claim.confirms_separators)
    ) is not None:
        detail = f"{quote_wording(figure.as_printed)} reads as {read}."
        hint = "leave the numbers out, correct them, or say in `wording_differs` why they are not those of the wording"
        yield Breach("figure_differs_from_wording", "figure", detail, hint)
    for quote in claim.quotes:
        if (breach := find_quote_breach(quote, figure, claim.wording_context)) is not None:
            yield breach


def find_quote_breach(quote: VerbatimQuote, figure: PrintedFigure, context: WordingContext) -> Breach | None:
    """Return the breach of a verbatim quote that has neither the wording of a figure nor the same figure."""
    if quote_holds(quote.text, figure, replace(context, language=quote.language)):
        return None
    detail = f"The quote is verbatim, but does not have {quote_wording(figure.as_printed)} or the same figure."
    hint = "copy the wording into `as_printed`, choose another `fidelity`, or give `wording_differs`"
    return Breach("quote_differs_from_wording", quote.pointer, detail, hint)


def _check_period(claim: RuledClaim) -> Iterator[Breach]:
    period = claim.period
    if claim.modality == "forecast":
        said, end = claim.earliest_date, period.end
        if said is not None and end is not None and end.padded_span.latest <= said:
            detail = f"A forecast is about a period that ends after it was made, on {said}."
            yield Breach("forecast_of_past", "period/edtf", detail, "is it an `estimate`?")
        return
    said = claim.date or claim.recorded_on
    if period.start is not None and period.start.padded_span.earliest > said:
        day = f"was made on {said}" if claim.date else "has no date"
        detail = f"The period begins after the day on which the claim was made: it {day}."
        yield Breach("period_after_statement", "period/edtf", detail, "is it a `forecast`?")
