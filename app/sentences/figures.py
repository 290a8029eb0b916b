"""Phrases for figures: the printed wording if it fits into an English sentence, else the numbers in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

from app.comparison.figure import Number, PrintedFigure, absolute
from app.comparison.wording import parse_wording

_FIGURE_FIELDS: Final = tuple(field.name for field in fields(PrintedFigure))
_PARSED_FIELDS: Final = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "approximate", "out_of")
# Verbs do not fit into "had suffered … casualties": "surpassed one million" becomes "over one million".
_VERB_REPLACEMENTS: Final = (
    (re.compile(r"(?:surpass(?:ed|es|ing)?|exceed(?:ed|s|ing)?|topp?(?:ed|s|ing)?) ", re.IGNORECASE), "over "),
    (re.compile(r"(?:approach|near)(?:ed|es|s|ing)? ", re.IGNORECASE), "nearly "),
)
_PROSE_PATTERN: Final = re.compile(r"(?:[A-Za-z0-9 ,.'’–]|(?<=[a-z])-(?=[a-z]))+")
# Digits without grouping or grouped by spaces, and abbreviations, which fit into a table but not into a sentence.
_TABULAR_PATTERN: Final = re.compile(
    r"[0-9]{5}|[0-9] [0-9]|[0-9] ?(?:k|m|mn|mln|bn)\b|^(?:ca?|approx)\b", re.IGNORECASE
)
_NEEDS_OF_PATTERN: Final = re.compile(r"(?:dozens|scores|hundreds|thousands|millions|billions|handful)$")
_SCALE_NAMES: Final = ((10**9, "billion"), (10**6, "million"))


@dataclass(frozen=True, slots=True)
class FigurePhrase:
    """A figure in words: `main` precedes the category, `tail` (the range or its probability) follows the period."""

    main: str
    tail: str = ""
    is_vague: bool = False

    @property
    def cell_text(self) -> str:
        """Both parts, for a spreadsheet cell."""
        detail = self.tail.removeprefix(", ").removeprefix("with a range of ").removeprefix("described as ")
        if self.is_vague and detail:
            return detail.strip("“”")
        return f"{self.main} ({detail})" if detail else self.main


def quote_text(text: str) -> str:
    """Return a text in quotation marks; quotation marks inside it become single ones."""
    words = re.sub(r"\"([^\"]*)\"", r"‘\1’", " ".join(text.split()))
    words = words.replace("“", "‘").replace("”", "’").replace('"', "’")
    return f"“{words.rstrip(' .;,')}”"


def describe_figure(claim_figure: Mapping[str, Any]) -> FigurePhrase:
    """Return a quantity in words, with only printed numbers and with all qualifications."""
    figure = PrintedFigure(**{name: claim_figure[name] for name in _FIGURE_FIELDS})
    if not figure.has_number:
        return _describe_vague_figure(figure)
    tail = _describe_tail(figure)
    printed = None if figure.value is not None and tail else _adapt_printed_wording(figure)
    if printed is None:
        whole = "" if figure.out_of is None else f" of {_format_number(figure.out_of)}"
        printed = _format_numbers(figure) + whole
    return FigurePhrase(printed, tail)


def describe_ratio(claim_figure: Mapping[str, Any]) -> str:
    """Return a ratio in words: "one to five"."""
    figure = PrintedFigure(**{name: claim_figure[name] for name in _FIGURE_FIELDS})
    words = " ".join(figure.as_printed.split())
    parsed = parse_wording(words)
    if parsed is not None and _has_same_numbers(parsed, figure) and " to " in words and _PROSE_PATTERN.fullmatch(words):
        return words[:1].lower() + words[1:]
    return f"{_format_numbers(figure)} to {_format_number(figure.out_of or 1)}"


def _describe_vague_figure(figure: PrintedFigure) -> FigurePhrase:
    words = " ".join(figure.as_printed.split())
    if _PROSE_PATTERN.fullmatch(words) and parse_wording(words) is not None:
        plain = words[:1].lower() + words[1:]
        return FigurePhrase(f"{plain} of" if _NEEDS_OF_PATTERN.search(plain) else plain, is_vague=True)
    return FigurePhrase("an unstated number of", f", described as {quote_text(words)}", is_vague=True)


def _adapt_printed_wording(figure: PrintedFigure) -> str | None:
    """Return the printed wording if it states exactly the numbers of the figure in English prose, else None."""
    words = " ".join(figure.as_printed.split())
    parsed = parse_wording(words)
    if (
        parsed is None
        or not _has_same_numbers(parsed, figure)
        or not _PROSE_PATTERN.fullmatch(words)
        or _TABULAR_PATTERN.search(words)
    ):
        return None
    for pattern, preposition in _VERB_REPLACEMENTS:
        words = pattern.sub(preposition, words, count=1) if pattern.match(words) else words
    return words[:1].lower() + words[1:]


def _has_same_numbers(parsed: PrintedFigure, figure: PrintedFigure) -> bool:
    return all(getattr(parsed, name) == getattr(figure, name) for name in _PARSED_FIELDS)


def _format_numbers(figure: PrintedFigure) -> str:
    about = "about " if figure.approximate else ""
    scale = _choose_scale(figure)
    value, lower, upper = figure.value, figure.lower, figure.upper
    if value is not None:
        return about + _format_number(value, scale)
    low = "" if lower is None else f"{'over' if figure.lower_inclusive is False else 'at least'} "
    if upper is None:
        return f"{low}{about}{_format_number(lower or 0, scale)}"
    if lower is None:
        if figure.upper_inclusive is not False:
            return f"up to {about}{_format_number(upper, scale)}"
        return f"{'nearly' if figure.approximate else 'under'} {_format_number(upper, scale)}"
    if figure.lower_inclusive is False or figure.upper_inclusive is False:
        high = "under" if figure.upper_inclusive is False else "up to"
        return f"{low}{about}{_format_number(lower, scale)} and {high} {_format_number(upper, scale)}"
    return f"between {about}{_format_number(lower, scale)} and {_format_number(upper, scale)}"


def _describe_tail(figure: PrintedFigure) -> str:
    """Return the part of a figure that follows the period: the range of a best estimate, or its probability."""
    scale = _choose_scale(figure)
    share = "" if figure.coverage is None else f"{Decimal(str(figure.coverage)) * 100:f}"
    share = share.rstrip("0").rstrip(".") if "." in share else share
    if figure.value is None:
        return f", with {share}% confidence" if share else ""
    if figure.lower is not None and figure.upper is not None:
        confidence = f" at {share}% confidence" if share else ""
        bounds = f"{_format_number(figure.lower, scale)} to {_format_number(figure.upper, scale)}"
        return f", with a range of {bounds}{confidence}"
    if figure.lower is not None:
        return f", with a lower end of {_format_number(figure.lower, scale)}"
    return "" if figure.upper is None else f", with an upper end of {_format_number(figure.upper, scale)}"


def _choose_scale(figure: PrintedFigure) -> tuple[int, str] | None:
    """Return millions or billions if all numbers of the figure are short in that scale, else None."""
    numbers = [number for number in (figure.value, figure.lower, figure.upper) if number is not None]
    for size, name in _SCALE_NAMES:
        if numbers and all(absolute(number) >= size and number % (size // 100) == 0 for number in numbers):
            return size, name
    return None


def describe_number(number: Number) -> str:
    """Return a number with grouped digits."""
    return _format_number(number)


def _format_number(number: Number, scale: tuple[int, str] | None = None) -> str:
    exact = Decimal(str(number))
    if scale is None:
        return f"{exact:,f}"
    size, name = scale
    short = f"{exact / size:,f}"
    return f"{short.rstrip('0').rstrip('.') if '.' in short else short} {name}"
