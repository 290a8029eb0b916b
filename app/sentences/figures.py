"""Phrases for figures: the printed wording if it fits into an English sentence, else the numbers in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

from app.comparison.figure import Number, PrintedFigure, absolute, is_near_bound
from app.comparison.units import PERCENT
from app.comparison.wording import find_relative_wording, find_stated_base, parse_wording
from app.sentences.dates import describe_base_period
from app.sentences.units import NO_UNIT, UnitPhrase, describe_unit

_FIGURE_FIELDS: Final = tuple(field.name for field in fields(PrintedFigure))
_PARSED_FIELDS: Final = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "approximate", "out_of")
# Verbs do not fit into "had suffered … casualties": "surpassed one million" becomes "over one million".
_VERB_REPLACEMENTS: Final = (
    (re.compile(r"(?:surpass(?:ed|es|ing)?|exceed(?:ed|s|ing)?|topp?(?:ed|s|ing)?) ", re.IGNORECASE), "over "),
    (re.compile(r"(?:approach|near)(?:ed|es|s|ing)? ", re.IGNORECASE), "nearly "),
)
_NUMBER_WORDS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety dozen hundred thousand million billion "
    "trillion dozens scores tens hundreds thousands millions billions half"
)
_HEDGE_WORDS: Final = (
    "a about above almost an and approximately around as at below between close countless exceeding excess few fewer "
    "from greater handful in just least less many maximum minimum more most much nearly no not numerous of or out over "
    "roughly several some than the to under up upwards"
)
_WORDING_PATTERN: Final = re.compile(
    rf"(?:(?:{'|'.join(f'{_NUMBER_WORDS} {_HEDGE_WORDS}'.split())})\b|[0-9][0-9,.’']*|[ ,–]|(?<=[a-z])-(?=[a-z]))+",
    re.IGNORECASE,
)
"""A wording of numbers and hedges alone. Any other word may be a unit, which would be printed twice."""
_PROSE_PATTERN: Final = re.compile(r"(?:[A-Za-z0-9 ,.'’–]|(?<=[a-z])-(?=[a-z]))+")
# Digits without grouping or grouped by spaces, and abbreviations, which fit into a table but not into a sentence.
_TABULAR_PATTERN: Final = re.compile(
    r"[0-9]{5}|[0-9] [0-9]|[0-9] ?(?:k|m|mn|mln|bn)\b|^(?:ca?|approx)\b", re.IGNORECASE
)
_NEEDS_OF_PATTERN: Final = re.compile(r"(?:dozens|scores|hundreds|thousands|millions|billions|handful)$")
_SCALE_NAMES: Final = ((10**9, "billion"), (10**6, "million"))
_VAGUE_PATTERN: Final = re.compile(
    r".*\b(?:dozens?|scores|hundreds?|thousands?|millions?|billions?|trillions?|few|handful|many|several|more)",
    re.IGNORECASE,
)
"""A wording without a number that a noun can follow: "several hundred"."""
_PERCENT_WORDS: Final = re.compile(r"(?<=[0-9]) ?(?:%|(?:percent|per ?cent|pct)\b)(?! ?points?\b)", re.IGNORECASE)
_PEOPLE: Final = frozenset({"people", "persons"})
_ZERO_WORDS: Final = frozenset({"0", "zero"})
_HUNDRED: Final = 100
_MAX_EXACT_DIGITS: Final = 6
_ROUNDED_DIGITS: Final = 3
"""A difference with more digits than the first, as of converted units, is printed with the second."""
_SMALLEST_SCALED: Final = 1_000_000
_SHORTEST_SCALED: Final = 10_000
"""Numbers with a scale word ("1.25 million") are no smaller than the first and multiples of the second."""
_SMALLEST_PLAIN: Final = 0.001
_LARGEST_PLAIN: Final = 10**15
"""Fractions between these are printed without an exponent."""
_RATE_NAMES: Final = {"hour": "an hour", "day": "a day", "week": "a week", "month": "a month", "year": "a year"}


_RATE_ADJECTIVES: Final = {"a day": "daily", "a week": "weekly", "a month": "monthly", "a year": "annual"}


@dataclass(frozen=True, slots=True)
class FigurePhrase:
    """A figure in words: `main` precedes the category, `tail` (the range or its probability) follows the period.

    If its unit is a measure, `main` contains it: "US$14.9 billion". Counted things follow it: "1,351" persons.
    """

    main: str
    tail: str = ""
    is_vague: bool = False
    is_one: bool = False
    unit: UnitPhrase = NO_UNIT

    @property
    def with_unit(self) -> str:
        """The figure with its unit: "1,351 persons"."""
        return self.main if self.unit.is_measure else self.unit.complete(self.main, is_one=self.is_one)

    def cell_text(self, rate: str = "", *, has_unit: bool = False) -> str:
        """Both parts, for a spreadsheet cell: with the unit if it is a measure, or `has_unit`, and with the rate."""
        detail = self.tail.removeprefix(", ").removeprefix("with a range of ").removeprefix("described as ")
        if self.is_vague and detail:
            words = detail.strip("“”")
            return f"{words} ({self.unit.label})" if self.unit.is_measure else words
        main = self.with_unit if has_unit else self.main.removesuffix(" of")
        text = f"{main} {rate}" if rate else main
        return f"{text} ({detail})" if detail else text


def quote_text(text: str) -> str:
    """Return a text in quotation marks; quotation marks inside it become single ones."""
    words = re.sub(r"\"([^\"]*)\"", r"‘\1’", " ".join(text.split()))
    words = words.replace("“", "‘").replace("”", "’").replace('"', "’")
    return f"“{words.rstrip(' .;,')}”"


def describe_rate(aggregation: str, per: str | None) -> str:
    """Return the unit of time of a rate, such as "a day"; empty for other figures."""
    if aggregation != "rate":
        return ""
    return "(a rate without a stated unit of time)" if per is None else _RATE_NAMES[str(per)]


def describe_figure(claim_figure: Mapping[str, Any], proposition: str = "quantity") -> FigurePhrase:
    """Return a quantity, or a share such as "1 in 5", in words, with only printed numbers and all qualifications."""
    figure = PrintedFigure(**{name: claim_figure[name] for name in _FIGURE_FIELDS})
    return _describe_numbers(figure, proposition, claim_figure["unit"], keeps_wording=True)


def _describe_numbers(
    figure: PrintedFigure, proposition: str, unit_name: str | None, *, keeps_wording: bool
) -> FigurePhrase:
    """Return a figure in words; with `keeps_wording` in those of its source, if they fit."""
    unit = describe_unit(unit_name)
    if not figure.has_number:
        return _describe_vague_figure(figure, unit)
    is_share = proposition == "ratio"
    if is_share:
        unit = NO_UNIT if unit.is_measure else unit
    tail = _describe_tail(figure, unit)
    fits = keeps_wording and not is_share and not unit.is_measure and (figure.value is None or not tail)
    printed = _adapt_printed_wording(figure) if fits else None
    is_one = _is_one(figure)
    if printed is None:
        printed = _format_numbers(figure, unit)
        if unit.is_measure:
            printed = unit.complete(printed, is_one=is_one)
        if (whole := _describe_whole(figure, unit_name)) is not None:
            printed = f"{printed} {'in' if is_share else 'of'} {whole}"
    return FigurePhrase(printed, tail, is_one=is_one, unit=unit)


def _describe_whole(figure: PrintedFigure, unit: str | None) -> str | None:
    """Return the whole of a share, or None; percent are of 100 by themselves."""
    if figure.out_of is None or (figure.out_of == _HUNDRED and unit == PERCENT):
        return None
    return _format_number(figure.out_of)


def _is_one(figure: PrintedFigure) -> bool:
    """Return whether the last printed number is one: "1 person"."""
    if figure.out_of is not None:
        return False
    numbers = [figure.value] if figure.value is not None else [figure.lower, figure.upper]
    return [number for number in numbers if number is not None][-1:] == [1]


def describe_ratio(claim_figure: Mapping[str, Any]) -> str:
    """Return a ratio in words: "one to five"."""
    figure = PrintedFigure(**{name: claim_figure[name] for name in _FIGURE_FIELDS})
    words = " ".join(figure.as_printed.split())
    parsed = parse_wording(words)
    if parsed is not None and _has_same_numbers(parsed, figure) and " to " in words and _PROSE_PATTERN.fullmatch(words):
        return words[:1].lower() + words[1:]
    return f"{_format_numbers(figure)} to {_format_number(figure.out_of or 1)}"


def describe_relative_figure(
    claim_figure: Mapping[str, Any], proposition: str, base_name: str = "", rate: str = "", *, is_quoted: bool = False
) -> str:
    """Return a change, or a ratio that is one number: "20% more than in 2022", "4 times (relative to the average)".

    `rate` is its unit of time: "7% more a year".

    An English wording in percent or times is kept, because it says more than the numbers and their base do; with
    `is_quoted` in quotation marks. `base_name` is the name of the base, if it is a record.
    """
    figure = PrintedFigure(**{name: claim_figure[name] for name in _FIGURE_FIELDS})
    words = " ".join(figure.as_printed.split())
    base = " ".join((figure.relative_to or "").split())
    period = describe_base_period(base)
    relative_to = f"(relative to {base_name or (period.text if period else base)})"
    if not figure.has_number or find_relative_wording(words) is not None:
        kept = quote_text(words) if is_quoted else write_percent_signs(words)
        kept = kept if _says_rate(words, rate) else f"{kept} {rate}"
        return kept if not base or _names_base(words, base, base_name) else f"{kept} {relative_to}"
    unit = describe_unit(claim_figure["unit"])
    changes = [number for number in (figure.value, figure.lower, figure.upper) if number is not None]
    is_more, is_less = all(change >= 0 for change in changes), all(change <= 0 for change in changes)
    if proposition != "change" or not (is_more or is_less):
        numbers = unit.complete(_format_numbers(figure, unit), is_one=_is_one(figure))
        numbers = f"{numbers} {rate}" if rate else numbers
        return f"{numbers if proposition != 'change' else f'a change of {numbers}'} {relative_to}"
    shown = figure if is_more else _negate(figure)
    numbers = _format_numbers(shown, unit)
    if unit.is_measure:
        changed = f"{unit.complete(numbers, is_one=_is_one(shown))} {'more' if is_more else 'less'}"
    else:
        changed = unit.complete(f"{numbers} {'more' if is_more else 'fewer'}", is_one=_is_one(shown))
    changed = f"{changed} {rate}" if rate else changed
    return f"{changed} than {period}" if period is not None and period.is_one_date else f"{changed} {relative_to}"


def _says_rate(words: str, rate: str) -> bool:
    """Return whether an English wording says the unit of time of its rate, or there is none."""
    adjective = _RATE_ADJECTIVES.get(rate, "")
    return not rate or rate.removeprefix("a").strip() in words or bool(adjective and adjective in words)


def write_percent_signs(words: str) -> str:
    """Return English words with "%" behind digits: "40 percent more" is "40% more"."""
    return _PERCENT_WORDS.sub("%", words)


def _names_base(words: str, base: str, base_name: str) -> bool:
    """Return whether a wording says what its figure is relative to: "40% more than in 2022"."""
    names = [name.casefold() for name in (base, base_name) if name]
    return any(name in words.casefold() for name in names) or find_stated_base(words) is not None


def _negate(figure: PrintedFigure) -> PrintedFigure:
    """Return a figure with all numbers negated: at least 20% less, for at most -20."""
    value, lower, upper = (None if number is None else -number for number in (figure.value, figure.lower, figure.upper))
    return PrintedFigure(
        figure.as_printed,
        value,
        upper,
        lower,
        figure.upper_inclusive,
        figure.lower_inclusive,
        approximate=figure.approximate,
    )


def build_display(
    figure: PrintedFigure, proposition: str, unit: str | None, aggregation: str, per: str | None, base_name: str = ""
) -> str:
    """Return a figure in English, with its hedge and its unit: "over 1 million persons", "US$14.9 billion".

    It follows from the numbers, which are the same in every language, and not from the printed wording. A figure
    without a number, and a comparison in English, keep their wording. `base_name` is the name of the base, if it is a
    record. Without it the text has the base as given, and `name_base_in_display` names it when the claim is read.
    """
    if proposition == "quantity" and aggregation != "rate" and (plain := _display_plain(figure, unit)) is not None:
        return plain
    if not figure.has_number and proposition not in {"quantity", "ratio"}:
        return " ".join(figure.as_printed.split())
    if proposition == "change" or (proposition == "ratio" and figure.out_of is None):
        shown = {name: getattr(figure, name) for name in _FIGURE_FIELDS} | {"unit": unit}
        return describe_relative_figure(shown, proposition, base_name, describe_rate(aggregation, per))
    if proposition == "ratio" and figure.relative_to is not None:
        return f"{_format_numbers(figure)} to {_format_number(figure.out_of or 1)}"
    phrase = _describe_numbers(figure, proposition, unit, keeps_wording=False)
    return phrase.cell_text(describe_rate(aggregation, per), has_unit=True)


def name_base_in_display(display: str, relative_to: str, base_name: str) -> str:
    """Return the display of a figure with the name of the record that it is relative to instead of its slug."""
    return display.replace(f"(relative to {relative_to})", f"(relative to {base_name})")


def _display_plain(figure: PrintedFigure, unit: str | None) -> str | None:
    """Return the display of a number without bounds and scale word, as most figures of an import are; else None."""
    value = figure.value
    if value is None or figure.lower is not None or figure.upper is not None or figure.out_of is not None:
        return None
    if absolute(value) >= _SMALLEST_SCALED and value % _SHORTEST_SCALED == 0:
        return None
    phrase = describe_unit(unit)
    about = "about " if figure.approximate else ""
    return about + phrase.complete(phrase.attach(_format_number(value)), is_one=value == 1)


def _describe_vague_figure(figure: PrintedFigure, unit: UnitPhrase) -> FigurePhrase:
    words = _without_unit(" ".join(figure.as_printed.split()), unit)
    if _WORDING_PATTERN.fullmatch(words) and _VAGUE_PATTERN.fullmatch(words):
        plain = words[:1].lower() + words[1:]
        main = f"{plain} of" if _NEEDS_OF_PATTERN.search(plain) else plain
        return FigurePhrase(f"{main} {unit.label}" if unit.is_measure else main, is_vague=True, unit=unit)
    main = f"an unstated amount ({unit.label})" if unit.is_measure else "an unstated number of"
    return FigurePhrase(main, f", described as {quote_text(words)}", is_vague=True, unit=unit)


def _without_unit(words: str, unit: UnitPhrase) -> str:
    """Return vague words without the unit at their end, which the sentence names: "hundreds" for "hundreds of people".

    The words themselves, if the rest is not a vague number.
    """
    labels = _PEOPLE if unit.label in _PEOPLE else {unit.label}
    ending = next((f" {label}" for label in labels if label and words.casefold().endswith(f" {label.casefold()}")), "")
    number = words[: len(words) - len(ending)].removesuffix(" of")
    return number if _WORDING_PATTERN.fullmatch(number) and _VAGUE_PATTERN.fullmatch(number) else words


def _adapt_printed_wording(figure: PrintedFigure) -> str | None:
    """Return the printed wording if it states exactly the numbers of the figure in English prose, else None."""
    words = " ".join(figure.as_printed.split())
    if figure.lower is not None and figure.lower == figure.upper:
        return None
    if figure.value == 0 and words.casefold() not in _ZERO_WORDS:
        return None  # "no one" is followed by no noun
    for pattern, preposition in _VERB_REPLACEMENTS:
        words = pattern.sub(preposition, words, count=1) if pattern.match(words) else words
    if not _WORDING_PATTERN.fullmatch(words) or _TABULAR_PATTERN.search(words):
        return None
    parsed = parse_wording(figure.as_printed)
    if parsed is None or not _has_same_numbers(parsed, figure):
        return None
    return words[:1].lower() + words[1:]


def _has_same_numbers(parsed: PrintedFigure, figure: PrintedFigure) -> bool:
    return all(getattr(parsed, name) == getattr(figure, name) for name in _PARSED_FIELDS)


def _format_numbers(figure: PrintedFigure, unit: UnitPhrase = NO_UNIT) -> str:
    about = "about " if figure.approximate else ""
    scale = _choose_scale(figure)

    def show(number: Number) -> str:
        return unit.attach(_format_number(number, scale))

    value, lower, upper = figure.value, figure.lower, figure.upper
    if value is None and lower is not None and lower == upper:
        value = lower
    if value is not None:
        return about + show(value)
    if upper is None:
        if is_near_bound(figure):
            return f"just over {show(lower or 0)}"
        return f"{'over' if figure.lower_inclusive is False else 'at least'} {about}{show(lower or 0)}"
    if lower is None:
        if figure.upper_inclusive is not False:
            return f"up to {about}{show(upper)}"
        return f"{'nearly' if figure.approximate else 'under'} {show(upper)}"
    if figure.lower_inclusive is False or figure.upper_inclusive is False:
        low = "over" if figure.lower_inclusive is False else "at least"
        high = "under" if figure.upper_inclusive is False else "up to"
        return f"{low} {about}{show(lower)} and {high} {show(upper)}"
    return f"between {about}{show(lower)} and {show(upper)}"


def _describe_tail(figure: PrintedFigure, unit: UnitPhrase) -> str:
    """Return the part of a figure that follows the period: the range of a best estimate, or its probability."""
    scale = _choose_scale(figure)

    def show(number: Number) -> str:
        text = unit.attach(_format_number(number, scale))
        return text if not unit.is_measure else unit.complete(text, is_one=number == 1)

    share = "" if figure.coverage is None else f"{Decimal(str(figure.coverage)) * 100:f}"
    share = share.rstrip("0").rstrip(".") if "." in share else share
    if figure.value is None:
        return f", with {share}% confidence" if share else ""
    if figure.lower is not None and figure.upper is not None:
        confidence = f" at {share}% confidence" if share else ""
        if figure.lower == figure.upper:
            return f", with {share}% confidence" if share else ""
        lower = unit.attach(_format_number(figure.lower, scale))
        return f", with a range of {lower} to {show(figure.upper)}{confidence}"
    if figure.lower is not None:
        return f", with a lower end of {show(figure.lower)}"
    return "" if figure.upper is None else f", with an upper end of {show(figure.upper)}"


def _choose_scale(figure: PrintedFigure) -> tuple[int, str] | None:
    """Return millions or billions if all numbers of the figure are short in that scale, else None."""
    numbers = [number for number in (figure.value, figure.lower, figure.upper) if number is not None]
    if not numbers or absolute(numbers[0]) < _SMALLEST_SCALED:
        return None
    for size, name in _SCALE_NAMES:
        if all(absolute(number) >= size and number % (size // 100) == 0 for number in numbers):
            return size, name
    return None


def describe_number(number: Number, unit: str | None = None) -> str:
    """Return a number as figures print it, and its unit if there is one."""
    phrase = describe_unit(unit)
    text = _format_number(number, _choose_scale(PrintedFigure("", value=number)))
    return phrase.complete(phrase.attach(text), is_one=number == 1)


def describe_difference(difference: Number, unit: str | None, rate: str = "") -> str:
    """Return the difference of two figures: "620 persons", "3.2 percentage points", "0.5 persons a day".

    Where a unit was converted, it can have more digits than its figures; then it is rounded: "about 1.91 hectares".
    """
    exact = Decimal(str(difference))
    about = ""
    if not isinstance(difference, int) and len(exact.as_tuple().digits) > _MAX_EXACT_DIGITS:
        about, exact = "about ", Decimal(f"{exact:.{_ROUNDED_DIGITS}g}")
    number = int(exact) if exact == exact.to_integral_value() else float(exact)
    shown = describe_number(number, "percentage-points" if describe_unit(unit).is_share else unit)
    return f"{about}{shown} {rate}" if rate else f"{about}{shown}"


def _format_number(number: Number, scale: tuple[int, str] | None = None) -> str:
    if scale is None:
        if isinstance(number, int) or _SMALLEST_PLAIN < absolute(number) < _LARGEST_PLAIN:
            return f"{number:,}"
        return f"{Decimal(str(number)):,f}"
    size, name = scale
    hundredths = int(number) * 100 // size
    short = f"{hundredths // 100:,}" if hundredths % 100 == 0 else f"{hundredths / 100:,.2f}".rstrip("0")
    return f"{short} {name}"
