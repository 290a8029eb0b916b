"""Parses what a single place of a wording can be: a qualifier, a number, a currency, a unit, a noun, or free words."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from app.comparison.units import PERCENT, PERCENTAGE_POINTS, as_dimension, dimension_of, spellings_of
from app.comparison.wordings.digits import NumberSigns
from app.comparison.wordings.grammar import CLOSING_MARKS, QUOTATION_MARKS, Grammar
from app.comparison.wordings.numerals import ReadNumber, read_numbers
from app.comparison.wordings.parts import Tail
from app.comparison.wordings.reading import (
    DOLLAR_CURRENCIES,
    PESO_CURRENCIES,
    YEN_CURRENCIES,
    RefusalReason,
    UnreadableWording,
    WordingContext,
    quote_wording,
)
from app.comparison.wordings.tokens import Token, normalize, tokenize

_CURRENCY_GROUPS: Final = {"dollar": DOLLAR_CURRENCIES, "yen": YEN_CURRENCIES, "peso": PESO_CURRENCIES}
_MAX_FREE_WORDS: Final = 8
_AMBIGUOUS_SCALES: Final = {
    "m": ("length", "millions and metres"),
    "k": ("length", "thousands and kilometres"),
    "tn": ("mass", "trillions and tonnes"),
}
"""Short scale words of English, with the dimension in which they are a unit."""

_DOUBLE_QUOTES: Final = frozenset('"“”„«»')


@lru_cache(maxsize=256)
def _words_of_unit(unit: str) -> tuple[tuple[str, ...], ...]:
    """Return the words of every spelling of a unit, folded, the longest first."""
    spellings = (tokenize(normalize(spelling.replace("-", " "))) for spelling in spellings_of(unit))
    found = {tuple(_fold_word(token.text) for token in tokens) for tokens in spellings if tokens}
    return tuple(sorted(found, key=lambda words: (-len(words), words)))


def _fold_word(word: str) -> str:
    """Return an English word of a unit in the singular and in American spelling: `meter` for `metres`."""
    singular = word[:-1] if len(word) > _LONGEST_SYMBOL and word.endswith("s") and not word.endswith("ss") else word
    return singular.replace("metre", "meter").replace("litre", "liter")


_LONGEST_SYMBOL: Final = 3


def _with_minus(tokens: list[Token], begin: int, number: int) -> list[Token]:
    """Return the tokens with "-" in front of the number, instead of the words from `begin` to it."""
    first, digits = tokens[begin], tokens[number]
    minus = Token("sign", "-", first.start, digits.start, is_spaced=True)
    return [*tokens[:begin], minus, replace(digits, is_spaced=False), *tokens[number + 1 :]]


class TokenParser:
    """Parses the tokens of one wording in one language, without the marks around it."""

    def __init__(
        self, text: str, tokens: list[Token], grammar: Grammar, signs: NumberSigns, context: WordingContext
    ) -> None:
        self.text = text
        self.grammar = grammar
        self.signs = signs
        self.context = context
        self.ignored: list[tuple[str, str]] = []
        self.normalized_end = tokens[-1].end
        self.tokens = self._write_minus_signs(self._replace_ambiguous_words(self._strip(tokens)))
        self.refusal: UnreadableWording | None = None
        self.verb_sign: int | None = None
        self.verb_preposition = ""
        self.needs_change = False

    # The outer marks

    def _strip(self, tokens: list[Token]) -> list[Token]:
        """Return the tokens without footnote marks, quotation marks around them and punctuation at their end."""
        kept: list[Token] = []
        for token in tokens:
            if token.kind == "note":
                if kept and kept[-1].text == "10" and token.text[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹":
                    raise UnreadableWording(
                        "no_number", f"{quote_wording(self.text)} has a power of ten.", "write the number"
                    )
                self.ignored.append(("footnote mark", token.text))
            elif token.text not in _DOUBLE_QUOTES or not kept or kept[-1].kind == "number":
                kept.append(token)  # without the quotation marks in: "well over" 20,000
        if kept and kept[-1].text == '"' and kept[0].text != '"':
            raise UnreadableWording(
                "ambiguous_word", f"The mark at the end of {quote_wording(self.text)} can be inches.", "write the word"
            )
        while kept and kept[-1].text in CLOSING_MARKS:
            if kept[-1].text == "?":
                detail = f"The mark at the end of {quote_wording(self.text)} leaves open whether it is a figure."
                raise UnreadableWording("ambiguous_word", detail, "leave the mark out if the source states the figure")
            kept.pop()
        while kept and kept[0].text in QUOTATION_MARKS:
            kept.pop(0)
        if not kept:
            raise UnreadableWording(
                "no_figure", f"{quote_wording(self.text)} has no words of a figure.", "copy the figure as printed"
            )
        return kept

    def _replace_ambiguous_words(self, tokens: list[Token]) -> list[Token]:
        """Return the tokens with metres for "m" where the unit is a length. Raises for what stays ambiguous."""
        if self.context.unit is not None and "celsius" in self.context.unit.casefold():
            for position, token in enumerate(tokens):
                if token.text == "c" and position and tokens[position - 1].kind == "number":
                    tokens[position] = replace(token, text="°c")  # 51.3C
        if self.grammar.code != "en" or not any(token.text in _AMBIGUOUS_SCALES for token in tokens):
            return tokens
        unit = self.context.unit
        dimension = None if unit is None else as_dimension(unit) or dimension_of(unit)
        for position, token in enumerate(tokens):
            meaning = _AMBIGUOUS_SCALES.get(token.text)
            if meaning is None:
                continue
            if token.text == "m" and dimension == "length":
                tokens[position] = replace(token, text="metres")
            elif dimension == meaning[0] or (unit is None and token.text == "m" and token.is_spaced):
                detail = f"`{token.text}` can be {meaning[1]}."
                raise UnreadableWording("ambiguous_word", detail, "write the word, or say the `unit`")
        return tokens

    def _write_minus_signs(self, tokens: list[Token]) -> list[Token]:
        """Return the tokens of a temperature with a sign instead of "minus" and "below zero"."""
        grammar, unit = self.grammar, (self.context.unit or "").casefold()
        units = {"celsius", "fahrenheit"}
        found = [grammar.units.match(tokens, position) for position in range(len(tokens))]
        if not any(name in unit for name in units) and not any(each and each[0] in units for each in found):
            return tokens
        for position in reversed(range(len(tokens) - 1)):
            before = grammar.negative_before.match(tokens, position)
            if before is not None and tokens[before[1] :] and tokens[before[1]].kind == "number":
                tokens = _with_minus(tokens, position, before[1])
        numbers = [position for position, token in enumerate(tokens) if token.kind == "number"]
        if len(numbers) != 1 or tokens[numbers[0] - 1].text == "-":
            return tokens
        for position in range(numbers[0] + 1, len(tokens)):
            if (behind := grammar.negative_after.match(tokens, position)) is not None:
                return _with_minus(tokens[:position] + tokens[behind[1] :], numbers[0], numbers[0])
        return tokens

    # What can stand at a position

    def _hedges(self, begin: int) -> Iterator[tuple[str | None, int]]:
        """Yield the qualifier at `begin`, and the position behind it; the longest first."""
        grammar, tokens = self.grammar, self.tokens
        position = begin
        while (matched := grammar.before.match(tokens, position)) is not None and matched[0] == "plain":
            position = matched[1]
        for kind, end in grammar.before.matches(tokens, position):
            if kind == "plain":
                continue
            if not self._is_gap(end):
                continue
            after = end
            while (plain := grammar.before.match(tokens, after)) is not None and plain[0] == "plain":
                after = plain[1]
            yield kind, after
            if after > end:
                yield kind, end
        yield None, position
        if position > begin:
            yield None, begin

    def _is_gap(self, position: int) -> bool:
        """Return whether a word and the digits behind it are separate: "over5" is not understood."""
        if position >= len(self.tokens):
            return False
        token, previous = self.tokens[position], self.tokens[position - 1]
        if previous.kind != "word" or token.kind != "number" or token.is_spaced:
            return True
        return previous.text.endswith("'") or (len(previous.text) == 1 and not previous.text.isascii())  # d'1,2, 約300

    def _numbers(self, start: int) -> Iterator[ReadNumber]:
        """Yield the numbers at `start`, with their sign and a currency in front of them."""
        tokens = self.tokens
        if start >= len(tokens):
            return
        token = tokens[start]
        if token.text in {"-", "+"} and start + 1 < len(tokens) and tokens[start + 1].kind == "number":
            if tokens[start + 1].is_spaced or (start and not token.is_spaced and tokens[start - 1].kind == "number"):
                return
            for number in read_numbers(tokens, start + 1, self.grammar, self.signs):
                yield replace(number, number=-number.number if token.text == "-" else number.number)
            return
        yield from read_numbers(tokens, start, self.grammar, self.signs)

    def _currency_at(self, position: int, tail: Tail) -> int | None:
        """Note the currency at `position` in `tail`, and return the position behind it."""
        matched = self.grammar.currencies.match(self.tokens, position)
        if matched is None:
            return None
        if matched[0] in _CURRENCY_GROUPS:
            choices = _CURRENCY_GROUPS[matched[0]]
            if tail.unit is not None and tail.unit not in choices:
                return None
            tail.units = choices
        else:
            if tail.unit not in {None, matched[0]} or (tail.units and matched[0] not in tail.units):
                return None
            tail.unit = matched[0]
        tail.has_words = True
        return matched[1]

    def _unit_at(self, position: int, tail: Tail) -> int | None:
        grammar, tokens = self.grammar, self.tokens
        if (percent := grammar.percent.match(tokens, position)) is not None:
            name = PERCENT if percent[0] == PERCENT else PERCENTAGE_POINTS
            if tail.unit not in {None, name} or tail.units:
                return None
            tail.unit, tail.has_words = name, True
            return percent[1]
        if (measure := grammar.units.match(tokens, position)) is not None:
            last = tokens[measure[1] - 1]
            if last.kind == "number" and last.is_spaced:
                return None  # "7 km 2" is not certain to be 7 km²
            if tail.unit not in {None, measure[0]} or tail.units:
                return None
            tail.unit, tail.has_words = measure[0], True
            return measure[1]
        if (moved := self._currency_at(position, tail)) is not None:
            return moved
        unit = self.context.unit
        if unit is not None and tail.unit in {None, unit}:
            for words in _words_of_unit(unit):
                end = position + len(words)
                if tuple(_fold_word(token.text) for token in tokens[position:end]) == words:
                    tail.unit, tail.has_words = unit, True
                    return end
        return None

    def _noun_at(self, position: int) -> tuple[str | None, int] | None:
        """Return the kind of the things that a word names, and the position behind it; no kind for a filler."""
        grammar, tokens = self.grammar, self.tokens
        if position >= len(tokens):
            return None
        for name, end in grammar.nouns.matches(tokens, position):
            if name != "fillers":
                return name, end
            # "of civilians", "killed or missing": only in front of another noun
            following = self._noun_at(end)
            if following is not None:
                return following
        word = tokens[position]
        if word.kind == "word" and word.text in self.context.words:
            return "category", position + 1
        return None

    def _is_number_word(self, token: Token) -> bool:
        single = [token]
        return (
            self.grammar.scales.match(single, 0) is not None
            or next(read_numbers(single, 0, self.grammar, self.signs), None) is not None
        )

    def _is_known_word(self, token: Token) -> bool:
        """Return whether a word is a number, or one of the unit that the caller names."""
        units = () if self.context.unit is None else _words_of_unit(self.context.unit)
        return self._is_number_word(token) or any(_fold_word(token.text) in words for words in units)

    def _are_free_words(self, tokens: list[Token]) -> bool:
        """Return whether tokens are a few words without a number."""
        return 0 < len(tokens) <= _MAX_FREE_WORDS and all(
            token.kind == "word" and not self._is_number_word(token) for token in tokens
        )

    def _free_base(self, position: int) -> tuple[str, tuple[str, ...]] | None:
        """Return the rest of the wording as the words of a base, with its digits, which belong to a period."""
        rest = self.tokens[position:]
        if (
            not rest
            or len(rest) > _MAX_FREE_WORDS + 4
            or any(token.kind not in {"word", "number"} and token.text not in "-–/" for token in rest)
        ):
            return None
        words = self._source(position)
        period = re.fullmatch(r"(?:[^0-9]{0,12} )?([0-9]{4})(?:[-–/]([0-9]{4}))?(?: [^0-9]{1,5})?", words)
        if period is not None:
            words = period[1] if period[2] is None else f"{period[1]}/{period[2]}"
        digits = tuple(token.text for token in rest if token.kind == "number")
        return words, digits

    def _source(self, position: int) -> str:
        """Return the wording from a token to the end, in its own letter case if the characters correspond."""
        folded = " ".join(self.text.split())
        begin, end = self.tokens[position].start, self.tokens[-1].end
        return folded[begin:end] if len(folded) >= self.normalized_end else ""

    def _note_refusal(self, reason: RefusalReason, detail: str, hint: str = "") -> None:
        """Keep the first reason that names a fault, for the case that nothing else can read the wording."""
        if self.refusal is None:
            self.refusal = UnreadableWording(reason, detail, hint)
