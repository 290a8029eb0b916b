"""The tables of a language (`en.toml` and others), compiled at their first use."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from app.comparison.wordings.tokens import Token, normalize, tokenize

LANGUAGES: Final = ("en", "uk", "ru", "fr", "de", "es", "pl")
"""The languages with a table. Of any other one, only signs, digits and the usual scales are read."""

_FOLDER: Final = Path(__file__).parent
_SCALES: Final = {
    "hundred": 10**2,
    "thousand": 10**3,
    "ten_thousand": 10**4,
    "lakh": 10**5,
    "hundred_thousand": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "hundred_million": 10**8,
    "billion": 10**9,
    "trillion": 10**12,
    "lakh_crore": 10**12,
}
Value = TypeVar("Value")


QUOTATION_MARKS: Final = frozenset("\"“”„«»'‘’")
CLOSING_MARKS: Final = QUOTATION_MARKS | frozenset(".,;:!?…")
"""Signs that end a wording without a meaning of their own."""

_SIGNS: Final = CLOSING_MARKS | frozenset({"(", ")", "[", "]", "±", "/", ":", "+", "-", "–", "%", "..."})
"""Signs that every language has."""


class PhraseTable(Generic[Value]):
    """Phrases with a value each. The longest phrase that begins at a token is found."""

    __slots__ = ("_by_first_word",)

    def __init__(self, phrases: Iterable[tuple[str, Value]]) -> None:
        self._by_first_word: dict[str, list[tuple[tuple[str, ...], Value]]] = {}
        for phrase, value in phrases:
            words = tuple(token.text for token in tokenize(normalize(phrase)))
            self._by_first_word.setdefault(words[0], []).append((words, value))
        for entries in self._by_first_word.values():
            entries.sort(key=lambda entry: -len(entry[0]))

    def match(self, tokens: list[Token], start: int) -> tuple[Value, int] | None:
        """Return the value of the longest phrase at `start`, and the position behind it."""
        if start < len(tokens) and (entries := self._by_first_word.get(tokens[start].text)) is not None:
            for words, value in entries:
                if len(words) == 1 or _continues(tokens, start, words):
                    return value, start + len(words)
        return None

    def matches(self, tokens: list[Token], start: int) -> list[tuple[Value, int]]:
        """Return every phrase at `start`, the longest first."""
        if start >= len(tokens) or (entries := self._by_first_word.get(tokens[start].text)) is None:
            return []
        return [
            (value, start + len(words))
            for words, value in entries
            if len(words) == 1 or _continues(tokens, start, words)
        ]

    def phrases(self) -> list[tuple[tuple[str, ...], Value]]:
        """Return every phrase, as its words, with its value."""
        return [entry for entries in self._by_first_word.values() for entry in entries]

    def words(self) -> set[str]:
        """Return every word of the phrases."""
        return {word for entries in self._by_first_word.values() for words, _ in entries for word in words}


def _continues(tokens: list[Token], start: int, words: tuple[str, ...]) -> bool:
    """Return whether the tokens at `start` are the words; the first one is known to be."""
    if start + len(words) > len(tokens):
        return False
    return all(tokens[start + i].text == words[i] for i in range(1, len(words)))


@dataclass(frozen=True, slots=True)
class Grammar:
    """The compiled tables of one language. `code` is empty for the tables that all languages share."""

    code: str
    decimal: str
    group: str
    share_words: bool
    before: PhraseTable[str]
    after: PhraseTable[str]
    join: PhraseTable[str]
    openers: PhraseTable[PhraseTable[str]]
    alternative: PhraseTable[str]
    scales: PhraseTable[int]
    singular_scales: PhraseTable[int]
    rounds: PhraseTable[int]
    articles: PhraseTable[str]
    fractions: PhraseTable[Fraction]
    and_fractions: PhraseTable[Fraction]
    whole_words: PhraseTable[Fraction]
    compounds: PhraseTable[int]
    parts: PhraseTable[Fraction]
    every: PhraseTable[Fraction]
    vague: PhraseTable[str]
    vague_fillers: PhraseTable[str]
    zero: PhraseTable[str]
    zero_before_noun: PhraseTable[str]
    negative_before: PhraseTable[str]
    negative_after: PhraseTable[str]
    levels: PhraseTable[str]
    share_in: PhraseTable[str]
    part_of: PhraseTable[str]
    substance: PhraseTable[str]
    ratio: PhraseTable[str]
    percent: PhraseTable[str]
    rates: PhraseTable[str]
    per_number: PhraseTable[str]
    per_number_of: PhraseTable[str]
    comparatives: PhraseTable[int]
    change_verbs: PhraseTable[int]
    change_lead: PhraseTable[str]
    base: PhraseTable[str]
    base_drop: PhraseTable[str]
    times: PhraseTable[str]
    times_base: PhraseTable[str]
    times_ambiguous: PhraseTable[str]
    multiples: PhraseTable[int]
    no_figure: PhraseTable[str]
    nouns: PhraseTable[str]
    states: PhraseTable[str]
    units: PhraseTable[str]
    currencies: PhraseTable[str]
    numerals: Mapping[str, int]
    vocabulary: frozenset[str] = field(default_factory=frozenset)


@lru_cache(maxsize=16)
def load_grammar(code: str) -> Grammar:
    """Return the grammar of a language of `LANGUAGES`, or of what all share for an empty code."""
    common = _read("common")
    own = _read(code) if code else {}
    tables = {name: _merge(common.get(name, {}), own.get(name, {})) for name in common.keys() | own.keys()}
    get = tables.get
    phrases = _phrases
    before, ranges, changes = get("before", {}), get("ranges", {}), get("changes", {})
    shares, times, percent = get("shares", {}), get("times", {}), get("percent", {})
    vague, zero, nouns, negative = get("vague", {}), get("zero", {}), get("nouns", {}), get("negative", {})
    tabled: dict[str, Any] = {
        "before": phrases(before),
        "after": phrases(get("after", {})),
        "join": phrases({"join": ranges.get("join", [])}),
        "openers": PhraseTable(
            (opener, PhraseTable([(closer, closer)])) for opener, closer in ranges.get("between", [])
        ),
        "alternative": phrases({"or": ranges.get("alternative", [])}),
        "scales": phrases(get("scales", {}), _SCALES.__getitem__),
        "singular_scales": phrases(get("singular_scales", {}), _SCALES.__getitem__),
        "rounds": phrases(get("round", {}), int),
        "articles": phrases(get("articles", {})),
        "fractions": phrases(get("fractions", {}), Fraction),
        "and_fractions": phrases(get("and_fractions", {}), Fraction),
        "whole_words": phrases(get("whole_words", {}), Fraction),
        "compounds": phrases(get("compounds", {}), int),
        "parts": phrases(get("parts", {}), Fraction),
        "every": phrases(get("every", {}), Fraction),
        "vague": phrases({"vague": vague.get("words", [])}),
        "vague_fillers": phrases({"filler": vague.get("fillers", [])}),
        "zero": phrases({"zero": zero.get("words", [])}),
        "zero_before_noun": phrases({"zero": zero.get("before_noun", [])}),
        "negative_before": phrases({"minus": negative.get("before", [])}),
        "negative_after": phrases({"minus": negative.get("after", [])}),
        "levels": phrases({"level": negative.get("levels", [])}),
        "share_in": phrases({name: shares.get(name, []) for name in ("in", "one_in")}),
        "part_of": phrases({"of": shares.get("part_of", [])}),
        "substance": phrases({"of": shares.get("substance", [])}),
        "ratio": phrases({"to": shares.get("ratio", [])}),
        "percent": phrases(percent),
        "rates": phrases(get("rates", {})),
        "per_number": phrases({"per": get("per_number", {}).get("words", [])}),
        "per_number_of": phrases({"of": get("per_number", {}).get("of", [])}),
        "comparatives": PhraseTable(
            [(word, 1) for word in changes.get("more", [])] + [(word, -1) for word in changes.get("less", [])]
        ),
        "change_verbs": PhraseTable(
            [(word, 1) for word in changes.get("before_more", [])]
            + [(word, -1) for word in changes.get("before_less", [])]
        ),
        "change_lead": phrases({"lead": changes.get("lead", [])}),
        "base": phrases({"base": changes.get("base", [])}),
        "base_drop": phrases({"drop": changes.get("drop", [])}),
        "times": phrases({"times": times.get("words", [])}),
        "times_base": phrases({"base": times.get("base", [])}),
        "times_ambiguous": phrases({"ambiguous": times.get("ambiguous", [])}),
        "multiples": phrases({name: words for name, words in times.items() if name.isdigit()}, int),
        "no_figure": phrases(get("no_figure", {})),
        "nouns": phrases({name: words for name, words in nouns.items() if name != "states"}),
        "states": phrases({"state": nouns.get("states", [])}),
        "units": phrases(get("units", {})),
        "currencies": phrases(get("currencies", {})),
    }
    numerals = {word: int(number) for number, words in get("numerals", {}).items() for word in words}
    vocabulary: set[str] = set(_SIGNS) | {word for name in numerals for word in name.split("'")}
    vocabulary |= set(numerals)
    for name, table in tabled.items():
        if name != "openers":
            vocabulary |= table.words()
    for opener, closer in ranges.get("between", []):
        vocabulary |= {token.text for token in tokenize(normalize(f"{opener} {closer}"))}
    scalars: dict[str, Any] = {"code": code, "decimal": own.get("decimal", ""), "group": own.get("group", "")}
    scalars["share_words"] = bool(shares.get("part_of"))
    return Grammar(**scalars, **tabled, numerals=numerals, vocabulary=frozenset(vocabulary))


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))


def _merge(common: Any, own: Any) -> Any:  # noqa: ANN401 - values of TOML
    if isinstance(common, dict) and isinstance(own, dict):
        return {name: [*common.get(name, []), *own.get(name, [])] for name in common.keys() | own.keys()}
    return own or common


def _phrases(table: Mapping[str, list[str]], convert: Any = str) -> PhraseTable[Any]:  # noqa: ANN401 - as above
    return PhraseTable((phrase, convert(name)) for name, phrases in table.items() for phrase in phrases)


@lru_cache(maxsize=64)
def number_signs(language: str) -> tuple[str, str]:
    """Return the decimal sign and the sign between groups of thousands of a language, by CLDR; empty if unknown.

    A language of `LANGUAGES` without a region is in its table, so that Babel is imported only for others.
    """
    code, _, region = language.partition("-")
    if not region and code in LANGUAGES:
        grammar = load_grammar(code)
        return grammar.decimal, grammar.group
    from babel.core import Locale, UnknownLocaleError  # noqa: PLC0415 - few registers need it, and it takes memory

    try:
        symbols = Locale.parse(language.replace("-", "_")).number_symbols["latn"]
    except (UnknownLocaleError, ValueError, KeyError):
        return number_signs(code) if region else ("", "")
    return str(symbols["decimal"]), str(symbols["group"]).replace("\u00a0", " ").replace("\u202f", " ").replace(
        "’", "'"
    )


def exact(number: Fraction) -> Decimal:
    """Return a fraction as a decimal number; a third is not exact."""
    return Decimal(number.numerator) / Decimal(number.denominator)
