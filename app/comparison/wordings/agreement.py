"""Checks wordings against the unit and the numbers that are given beside them, and quotes against wordings."""

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from app.comparison.figure import Number, PrintedFigure
from app.comparison.units import PERCENT, TIMES, as_dimension, dimension_of, is_same_unit
from app.comparison.wordings.grammar import LANGUAGES, load_grammar
from app.comparison.wordings.numerals import spelled_numbers
from app.comparison.wordings.reader import read_wording
from app.comparison.wordings.reading import Reading, UnreadableWording, WordingContext, quote_wording
from app.comparison.wordings.tokens import UnusableCharacters, normalize, tokenize

_HUNDRED: Final = 100
_LITERS: Final = frozenset({"liter", "liters", "litre", "litres"})
_ORDINAL_ENDINGS: Final = frozenset({"st", "nd", "rd", "th"})
_MAX_WINDOW_TOKENS: Final = 9
_MAX_QUOTE_READINGS: Final = 400
"""A quote that does not hold the wording is searched for the figure in other words, up to so many attempts."""


@dataclass(frozen=True, slots=True)
class GivenFigure:
    """The numbers that are given beside a wording, with their proposition, unit and unit of time."""

    figure: PrintedFigure
    proposition: str
    unit: str | None
    per: str | None = None


def check_unit(reading: Reading, context: WordingContext) -> None:
    """Raise `UnreadableWording` if the wording states something else than a number of `context.unit`."""
    unit = context.unit
    text = quote_wording(reading.figure.as_printed)
    if unit is not None:
        dimension = as_dimension(unit)
        if reading.proposition == "change" and unit != PERCENT:
            hint = 'give `"proposition": "change"`, `"unit": "percent"` and `relative_to`'
            raise UnreadableWording("change", f"{text} states a change, not a number of {unit}.", hint)
        if reading.unit == TIMES and unit != TIMES:
            hint = 'give `"proposition": "ratio"`, `"unit": "times"` and `relative_to`'
            raise UnreadableWording("share", f"{text} is a multiple, not a number of {unit}.", hint)
        if reading.unit == PERCENT and unit != PERCENT:
            raise UnreadableWording("share", f"{text} is a share, not a number of {unit}.", "the unit is `percent`")
        if unit == PERCENT and reading.unit is None and _is_fraction_alone(reading):
            detail = f"{text} can be a share, and that many percent."
            raise UnreadableWording("share", detail, "give the number in percent")
        if reading.is_share and not _is_share_of(reading, unit):
            hint = 'give the number, or `"proposition": "ratio"`'
            raise UnreadableWording("share", f"{text} is a share, not a number of {unit}.", hint)
        if reading.per is not None:
            hint = f"a rate has the aggregation `rate` and `per`: `{reading.per}`; leave `unit` out to read it"
            raise UnreadableWording("rate", f"{text} is a rate, not a number of {unit}.", hint)
        if difference := _unit_difference(reading, unit, dimension):
            raise UnreadableWording("unit_differs", f"{text}: {difference}", "give the unit that is printed")
    if context.is_fractional is False and has_fraction_of_whole(reading.figure, reading.proposition, reading.per):
        raise UnreadableWording(
            "fraction_of_whole_units",
            f"{text} is a fraction, and {unit or 'the figure'} is counted in whole units.",
            "check the decimal sign; a category with fractions says `fractional`",
        )


def _is_fraction_alone(reading: Reading) -> bool:
    """Return whether the number is a character such as ¾, without a whole number in front of it."""
    return len(reading.digits) == 1 and unicodedata.category(reading.digits[0][0]) == "No"


def _is_share_of(reading: Reading, unit: str) -> bool:
    """Return whether a share can stand beside a unit: "1 in 5" persons, but not "half of the area" in hectares."""
    return unit == PERCENT or not (reading.is_part or as_dimension(unit) or dimension_of(unit))


def _unit_difference(reading: Reading, unit: str, dimension: str | None) -> str | None:
    """Return how the unit of the wording differs from `unit`, or None."""
    if reading.units:
        is_possible = dimension == "currency" or (dimension is None and unit in reading.units)
        return None if is_possible else f"its sign is that of another currency than {unit}."
    named = reading.unit
    if named is not None and named not in {PERCENT, TIMES} and not _is_same_unit(named, unit, dimension):
        return f"it is in {named}, not in {unit}."
    if reading.noun in {None, "category"}:
        return None
    groups = noun_groups(unit)
    if groups and reading.noun not in groups:
        return f"it counts {reading.noun}, not {unit}."
    if not groups and (dimension is not None or dimension_of(unit) is not None or unit == PERCENT):
        return f"it counts {reading.noun}, not {unit}."
    return None


def _is_same_unit(named: str, unit: str, dimension: str | None) -> bool:
    if dimension is not None:
        return dimension_of(named) == dimension
    if named in _LITERS:
        return unit.casefold() in _LITERS
    if named == "celsius":
        return "celsius" in unit.casefold() or unit.casefold() in {"degrees", "°c", "degree"}
    return is_same_unit(named, unit)


@lru_cache(maxsize=256)
def noun_groups(unit: str) -> frozenset[str]:
    """Return the kinds of things that a unit in plain English words is: `persons` for "soldiers"."""
    tokens = tokenize(normalize(unit.replace("-", " ")))
    grammar = load_grammar("en")
    found = [name for name, end in grammar.nouns.matches(tokens, 0) if end == len(tokens) and name != "fillers"]
    return frozenset(found)


def has_fraction_of_whole(figure: PrintedFigure, proposition: str, per: str | None) -> bool:
    """Return whether a quantity of whole things has a fraction. Rates, shares and relative figures may have one."""
    if proposition != "quantity" or per is not None or figure.out_of is not None or figure.relative_to is not None:
        return False
    numbers = (figure.value, figure.lower, figure.upper)
    return any(isinstance(number, float) and not number.is_integer() for number in numbers)


def is_written_out(figure: PrintedFigure) -> bool:
    """Return whether the wording is the value in digits without separators: most figures of imports."""
    text = figure.as_printed
    return text.isascii() and text.isdigit() and figure.value == int(text) and figure.out_of is None


def find_difference(given: GivenFigure, context: WordingContext, *, confirms_separators: bool = True) -> str | None:
    """Return what the wording says instead of the given numbers, or None if they agree or it cannot be read.

    Of a wording that cannot be read, only a qualifier in front of a number is compared.

    `confirms_separators`: where a separator can mean two things, the given numbers say which.
    """
    text = given.figure.as_printed
    try:
        readings = [read_wording(text, context)]
    except UnreadableWording as error:
        if error.reason != "ambiguous_separator":
            return _find_dropped_qualifier(given.figure, context)
        if not confirms_separators:
            return f"two numbers: {error.detail}"
        readings = []
        for decimal in (".", ","):  # the given numbers may say which
            try:
                readings.append(read_wording(text, replace(context, decimal=decimal)))
            except UnreadableWording:
                continue
    if not readings or any(_agrees(reading, given) for reading in readings):
        return None
    return describe_reading(readings[0])


def _find_dropped_qualifier(figure: PrintedFigure, context: WordingContext) -> str | None:
    """Return what a qualifier says that a lone number leaves out: "more than one in three" is not 1 of 3."""
    code = (context.language or "").partition("-")[0].lower()
    if code not in LANGUAGES or figure.value is None or figure.approximate or figure.lower is not None:
        return None
    try:
        tokens = tokenize(normalize(figure.as_printed))
    except UnusableCharacters:
        return None
    grammar = load_grammar(code)
    matched = grammar.before.match(tokens, 0)
    if matched is None or matched[0] == "plain" or figure.upper is not None or matched[1] == len(tokens):
        return None
    tables = (grammar.every, grammar.parts, grammar.rounds, grammar.fractions)
    following = tokens[matched[1]]
    is_number = following.kind in {"number", "fraction"} or next(spelled_numbers(tokens, matched[1], grammar), None)
    if not is_number and not any(table.match(tokens, matched[1]) for table in tables):
        return None
    qualifier = " ".join(token.text for token in tokens[: matched[1]])
    return f"{'an approximate number' if matched[0] == 'about' else 'a bound'} (`{qualifier}`)"


def _agrees(reading: Reading, given: GivenFigure) -> bool:
    figure, read = given.figure, reading.figure
    if reading.per is not None and reading.per != given.per:
        return False
    is_relative = reading.proposition == "change" and given.proposition != "change"
    if is_relative and given.unit != PERCENT:
        return False
    if reading.unit == TIMES and given.unit != TIMES:
        return False
    is_percent = given.unit == PERCENT
    if reading.unit == PERCENT and not is_percent:
        return _as_share(figure) == _as_share(replace(read, out_of=_HUNDRED))
    if reading.is_share and is_percent and (figure.out_of is None or given.proposition == "quantity"):
        return _as_share(replace(figure, out_of=_HUNDRED)) == _as_share(read)
    if reading.is_share and figure.out_of is not None and read.value is not None:
        return _as_share(figure) == _as_share(read)
    if given.unit is not None and _unit_difference(reading, given.unit, as_dimension(given.unit)) is not None:
        return False
    # The source may say elsewhere that a figure is approximate; its own hedge is never dropped.
    if read.approximate and not figure.approximate and not reading.is_round:
        return False
    return has_same_numbers(read, figure)


def has_same_numbers(read: PrintedFigure, figure: PrintedFigure) -> bool:
    """Return whether a figure has the numbers of its wording, whatever bounds or best estimate it has besides."""
    return all(getattr(read, name) == getattr(figure, name) for name in _compared_fields(read))


def _compared_fields(read: PrintedFigure) -> tuple[str, ...]:
    """Return the fields that a figure must have as its wording.

    A number can have bounds from elsewhere, and a range a best estimate; "over 300" and the like have nothing else.
    """
    if read.value is not None and read.lower is None:
        return ("value", "out_of")
    if read.lower is not None and read.upper is not None and read.value is None:
        return ("lower", "upper", "lower_inclusive", "upper_inclusive", "out_of")
    return ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "out_of")


def _as_share(figure: PrintedFigure) -> tuple[Fraction | None, ...] | None:
    """Return the numbers of a figure as shares of its whole, or None without a whole."""
    if figure.out_of is None:
        return None
    whole = Fraction(str(figure.out_of))
    numbers = (figure.value, figure.lower, figure.upper)
    return tuple(None if number is None else Fraction(str(number)) / whole for number in numbers)


def describe_reading(reading: Reading) -> str:
    """Return a reading as the fields of a figure: `"lower": 950000, "lower_inclusive": false`."""
    figure = reading.figure
    if not figure.has_number:
        return "no number (it is vague)"
    parts = [
        f'"{name}": {_json(getattr(figure, name))}'
        for name in ("value", "lower", "upper", "out_of")
        if getattr(figure, name) is not None
    ]
    parts += [f'"{name}": false' for name in ("lower_inclusive", "upper_inclusive") if getattr(figure, name) is False]
    if figure.approximate:
        parts.append('"approximate": true')
    if reading.unit is not None:
        parts.append(f'"unit": "{reading.unit}"')
    if reading.proposition != "quantity" and not (reading.is_share and not reading.is_part):
        parts.append(f'"proposition": "{reading.proposition}"')
    if reading.per is not None:
        parts.append(f'"per": "{reading.per}"')
    return ", ".join(parts)


def _json(number: Number) -> str:
    return format(Decimal(str(number)), "f")


# Quotes

_FOLDED: Final = str.maketrans(
    dict.fromkeys("‐‑‒–—―−﹣－", "-") | dict.fromkeys("‘’‚‛′ʼ`´＇", "'") | dict.fromkeys("“”„‟″«»＂", '"')
)


def fold_text(text: str) -> str:
    """Return a text in compatibility form, in lower case, with plain spaces, dashes and quotation marks."""
    folded = unicodedata.normalize("NFKC", text.translate(_FOLDED)).translate(_FOLDED)
    return " ".join(folded.casefold().split())


def quote_holds(quote: str, figure: PrintedFigure, context: WordingContext) -> bool:
    """Return whether a quote holds the wording of a figure, or words that read as the same figure.

    `context.language` is the language of the quote.
    """
    wording, folded = fold_text(figure.as_printed), fold_text(quote)
    if _contains_words(folded, wording):
        return True
    return figure.has_number and _reads_as(quote, figure, context)


def _contains_words(text: str, words: str) -> bool:
    """Return whether a text contains words as a whole: "1,351" is not in "11,351" or "1,351,000"."""
    end = 0
    while (start := text.find(words, end)) >= 0:
        end = start + len(words)
        before, after = text[:start][-2:], text[end : end + 2]
        cuts_before = (
            words[0].isdigit() and bool(re.search(r"[0-9]$|[0-9][.,' ]$", before)) and not before.endswith(" ")
        )
        cuts_after = words[-1].isdigit() and bool(re.match(r"[0-9]|[.,'][0-9]", after))
        cuts_word = (words[0].isalpha() and before[-1:].isalpha()) or (words[-1].isalpha() and after[:1].isalpha())
        following = re.match(r"[a-z]+", text[end:])
        is_ordinal = words[-1].isdigit() and following is not None and following[0] in _ORDINAL_ENDINGS
        if not (cuts_before or cuts_after or is_ordinal or (cuts_word and words.isascii())):
            return True
    return False


def _reads_as(quote: str, figure: PrintedFigure, context: WordingContext) -> bool:
    """Return whether a part of a quote reads as the same figure."""
    try:
        tokens = tokenize(normalized := normalize(quote))
    except UnusableCharacters:
        return False
    code = (context.language or "").partition("-")[0].lower()
    codes = (code,) if code in LANGUAGES else LANGUAGES
    vocabularies = [load_grammar(code).vocabulary for code in codes]
    is_known = [token.kind != "word" or any(token.text in words for words in vocabularies) for token in tokens]
    attempts, start = 0, 0
    while start < len(tokens):
        run_end = start
        while run_end < len(tokens) and run_end - start < _MAX_WINDOW_TOKENS and is_known[run_end]:
            run_end += 1
        for end in range(run_end, start, -1):
            if end < len(tokens) and tokens[end].text in _ORDINAL_ENDINGS and not tokens[end].is_spaced:
                continue  # the 12th of March
            if (attempts := attempts + 1) > _MAX_QUOTE_READINGS:
                return False
            try:
                read = read_wording(normalized[tokens[start].start : tokens[end - 1].end], context).figure
            except UnreadableWording:
                continue
            if has_same_numbers(read, figure) and (figure.approximate or not read.approximate):
                return True
            start = end - 1  # the longest part that reads is what the quote says here
            break
        start += 1
    return False
