"""The figure of a claim in words: as printed where that fits into an English sentence, else from its own numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

from app.comparison.figure import Figure, Number
from app.comparison.wording import parse_wording

_FIELDS: Final = tuple(field.name for field in fields(Figure))
_READ: Final = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "approximate", "out_of")
# "surpassed one million" is a verb, "over one million casualties" can be suffered.
_VERBS: Final = (
    (re.compile(r"(?:surpass(?:ed|es|ing)?|exceed(?:ed|s|ing)?|topp?(?:ed|s|ing)?) ", re.IGNORECASE), "over "),
    (re.compile(r"(?:approach|near)(?:ed|es|s|ing)? |close to ", re.IGNORECASE), "nearly "),
)
_PROSE: Final = re.compile(r"(?:[A-Za-z0-9 ,.'’–]|(?<=[a-z])-(?=[a-z]))+")
# Digits without grouping, grouped by spaces, and abbreviations: fit for a table, not for a sentence.
_TABULAR: Final = re.compile(r"[0-9]{5}|[0-9] [0-9]|[0-9] ?(?:k|m|mn|mln|bn)\b|^(?:ca?|approx)\b", re.IGNORECASE)
_NEEDS_OF: Final = re.compile(r"(?:dozens|scores|hundreds|thousands|millions|billions|handful)$")
_SCALES: Final = ((10**9, "billion"), (10**6, "million"))


@dataclass(frozen=True, slots=True)
class Words:
    """A figure in words: `main` stands before what is counted, `tail` behind the period (its own range, its share)."""

    main: str
    tail: str = ""
    vague: bool = False

    @property
    def cell(self) -> str:
        """Both parts in one cell of a spreadsheet."""
        detail = self.tail.removeprefix(", ").removeprefix("with a range of ").removeprefix("described as ")
        if self.vague and detail:
            return detail.strip("“”")
        return f"{self.main} ({detail})" if detail else self.main


def quoted(text: str) -> str:
    """Put somebody's words between quotation marks; the ones inside become single ones."""
    words = re.sub(r"\"([^\"]*)\"", r"‘\1’", " ".join(text.split()))
    words = words.replace("“", "‘").replace("”", "’").replace('"', "’")
    return f"“{words.rstrip(' .;,')}”"


def figure_words(card: Mapping[str, Any]) -> Words:
    """Put a quantity into words. No number that was not printed, and every hedge that was."""
    figure = Figure(**{name: card[name] for name in _FIELDS})
    if not figure.has_number:
        return _vague(figure)
    tail = _tail(figure)
    printed = None if figure.value is not None and tail else _printed(figure)
    if printed is None:
        whole = "" if figure.out_of is None else f" of {_spelled(figure.out_of)}"
        printed = _canonical(figure) + whole
    return Words(printed, tail)


def ratio_words(card: Mapping[str, Any]) -> str:
    """Put a ratio into words: "one to five"."""
    figure = Figure(**{name: card[name] for name in _FIELDS})
    words = " ".join(figure.as_printed.split())
    read = parse_wording(words)
    if read is not None and _same(read, figure) and " to " in words and _PROSE.fullmatch(words):
        return words[:1].lower() + words[1:]
    return f"{_canonical(figure)} to {_spelled(figure.out_of or 1)}"


def _vague(figure: Figure) -> Words:
    words = " ".join(figure.as_printed.split())
    if _PROSE.fullmatch(words) and parse_wording(words) is not None:
        plain = words[:1].lower() + words[1:]
        return Words(f"{plain} of" if _NEEDS_OF.search(plain) else plain, vague=True)
    return Words("an unstated number of", f", described as {quoted(words)}", vague=True)


def _printed(figure: Figure) -> str | None:
    """The printed words, where they say no more and no less than the figure's numbers and read as English prose."""
    words = " ".join(figure.as_printed.split())
    read = parse_wording(words)
    if read is None or not _same(read, figure) or not _PROSE.fullmatch(words) or _TABULAR.search(words):
        return None
    for pattern, preposition in _VERBS:
        words = pattern.sub(preposition, words, count=1) if pattern.match(words) else words
    return words[:1].lower() + words[1:]


def _same(read: Figure, figure: Figure) -> bool:
    return all(getattr(read, name) == getattr(figure, name) for name in _READ)


def _canonical(figure: Figure) -> str:
    about = "about " if figure.approximate else ""
    scale = _scale(figure)
    value, lower, upper = figure.value, figure.lower, figure.upper
    if value is not None:
        return about + _spelled(value, scale)
    low = "" if lower is None else f"{'over' if figure.lower_inclusive is False else 'at least'} "
    if upper is None:
        return f"{low}{about}{_spelled(lower or 0, scale)}"
    if lower is None:
        if figure.upper_inclusive is not False:
            return f"up to {about}{_spelled(upper, scale)}"
        return f"{'nearly' if figure.approximate else 'under'} {_spelled(upper, scale)}"
    if figure.lower_inclusive is False or figure.upper_inclusive is False:
        high = "under" if figure.upper_inclusive is False else "up to"
        return f"{low}{about}{_spelled(lower, scale)} and {high} {_spelled(upper, scale)}"
    return f"between {about}{_spelled(lower, scale)} and {_spelled(upper, scale)}"


def _tail(figure: Figure) -> str:
    """What does not fit before the noun: the range around a best estimate, and the share with which a range holds."""
    scale = _scale(figure)
    share = "" if figure.coverage is None else f"{Decimal(str(figure.coverage)) * 100:f}"
    share = share.rstrip("0").rstrip(".") if "." in share else share
    if figure.value is None:
        return f", with {share}% confidence" if share else ""
    if figure.lower is not None and figure.upper is not None:
        held = f" at {share}% confidence" if share else ""
        return f", with a range of {_spelled(figure.lower, scale)} to {_spelled(figure.upper, scale)}{held}"
    if figure.lower is not None:
        return f", with a lower end of {_spelled(figure.lower, scale)}"
    return "" if figure.upper is None else f", with an upper end of {_spelled(figure.upper, scale)}"


def _scale(figure: Figure) -> tuple[int, str] | None:
    """Millions or billions, where every number of the figure is a short one in them."""
    numbers = [number for number in (figure.value, figure.lower, figure.upper) if number is not None]
    for size, name in _SCALES:
        if numbers and all(abs(number) >= size and number % (size // 100) == 0 for number in numbers):
            return size, name
    return None


def _spelled(number: Number, scale: tuple[int, str] | None = None) -> str:
    exact = Decimal(str(number))
    if scale is None:
        return f"{exact:,f}"
    size, name = scale
    short = f"{exact / size:,f}"
    return f"{short.rstrip('0').rstrip('.') if '.' in short else short} {name}"
