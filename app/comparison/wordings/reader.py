"""Reads the printed wording of a figure. A wording that could mean two things is refused with the reason."""

import re
from dataclasses import replace
from functools import cache
from typing import Final

from app.comparison.figure import MAX_SIGNIFICANT_DIGITS, PrintedFigure
from app.comparison.wordings.digits import NumberSigns
from app.comparison.wordings.grammar import LANGUAGES, Grammar, load_grammar, number_signs
from app.comparison.wordings.parser import WordingParser, bound_figure
from app.comparison.wordings.reading import Reading, UnreadableWording, WordingContext, quote_wording
from app.comparison.wordings.tokens import MAX_WORDING_CHARACTERS, Token, UnusableCharacters, normalize, tokenize

_NO_CONTEXT: Final = WordingContext()
_DIGITS: Final = r"[0-9]{1,15}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,3}"
_PLAIN_DIGITS: Final = re.compile(_DIGITS)
_QUALIFIED_DIGITS: Final = re.compile(rf"([A-Za-z][A-Za-z ]{{0,30}}) ({_DIGITS})")


def read_wording(text: str, context: WordingContext = _NO_CONTEXT) -> Reading:
    """Return what a wording states. Raises `UnreadableWording` if that is not certain."""
    plain = _read_plain(text, context) or _read_qualified(text, context)
    return plain if plain is not None else _read_any(text, context)


def read_english(text: str) -> Reading:
    """Return what an English wording states. Raises `UnreadableWording` if that is not certain."""
    plain = _read_plain(text, _NO_CONTEXT)
    if plain is not None:
        return plain
    return _read_in(text, _tokens_of(text), _NO_CONTEXT, "en", is_inferred=True)


def _read_plain(text: str, context: WordingContext) -> Reading | None:
    """Read digits alone, grouped by commas where these cannot be decimal signs: most figures of imports."""
    if len(text) > MAX_SIGNIFICANT_DIGITS or _PLAIN_DIGITS.fullmatch(text) is None:
        return None
    if "," in text:
        is_known = context.decimal == "." or (context.decimal is None and context.language == "en")
        is_whole = context.decimal is None and context.language is None and not context.is_fractional
        if not is_known and not is_whole:
            return None
        return Reading(PrintedFigure(text, value=int(text.replace(",", ""))), digits=(text,))
    return Reading(PrintedFigure(text, value=int(text)), digits=(text,))


def _read_qualified(text: str, context: WordingContext) -> Reading | None:
    """Read digits behind a qualifier that is English only, such as "at least 300": most other figures of imports."""
    if context.language not in {None, "en"} or context.decimal == "," or not text.isascii():
        return None
    match = _QUALIFIED_DIGITS.fullmatch(text)
    qualifier = None if match is None else _english_qualifiers().get(match[1].lower())
    if match is None or qualifier is None:
        return None
    return Reading(bound_figure(text, qualifier, int(match[2].replace(",", ""))), digits=(match[2],))


@cache
def _english_qualifiers() -> dict[str, str]:
    """Return the qualifiers in front of a number that no other language has, each with its meaning."""
    others = [load_grammar(code).vocabulary for code in ("", *LANGUAGES) if code != "en"]
    return {
        " ".join(words): kind
        for words, kind in load_grammar("en").before.phrases()
        if kind != "plain" and not any(word in vocabulary for word in words for vocabulary in others)
    }


def _read_any(text: str, context: WordingContext) -> Reading:
    tokens = _tokens_of(text)
    if context.language is not None:
        return _read_in(text, tokens, context, context.language)
    return _read_without_language(text, tokens, context)


def _tokens_of(text: str) -> list[Token]:
    if len(text) > MAX_WORDING_CHARACTERS:
        detail = f"It has {len(text):,} characters; the words of a figure have at most {MAX_WORDING_CHARACTERS}."
        raise UnreadableWording("too_long", detail, "give only the words of the figure")
    try:
        normalized = normalize(text)
    except UnusableCharacters as error:
        raise UnreadableWording("no_number", str(error), "type the wording again") from None
    tokens = tokenize(normalized)
    if not tokens:
        raise UnreadableWording("no_figure", "It is empty.", "copy the figure as printed")
    return tokens


def _read_in(
    text: str, tokens: list[Token], context: WordingContext, language: str, *, is_inferred: bool = False
) -> Reading:
    code = language.partition("-")[0].lower()
    grammar = load_grammar(code if code in LANGUAGES else "")
    decimal, group = number_signs(language)
    signs = _signs(context, decimal, group, is_inferred=is_inferred)
    try:
        return WordingParser(text, tokens, grammar, signs, context).read()
    except UnreadableWording as error:
        if error.reason != "ambiguous_separator" or is_inferred or signs.is_strict or context.is_fractional:
            raise
        reading = _read_whole_things(text, tokens, grammar, signs, context)
        if reading is None:
            raise
        return reading


def _read_whole_things(
    text: str, tokens: list[Token], grammar: Grammar, signs: NumberSigns, context: WordingContext
) -> Reading | None:
    """Return what a wording states if its separators group thousands because it counts whole things.

    "1.100 pompiers" in French is 1,100: there are no 1.1 firefighters. None if nothing that is counted is named.
    """
    try:
        reading = WordingParser(text, tokens, grammar, replace(signs, groups_any=True), context).read()
    except UnreadableWording as error:
        if error.reason == "ambiguous_separator":
            return None
        raise
    is_counted = reading.noun is not None and (reading.noun != "category" or context.is_fractional is False)
    is_plain = reading.unit in {None, context.unit} and not reading.units and reading.per is None
    return reading if is_counted and is_plain and reading.figure.out_of is None else None


def _signs(context: WordingContext, decimal: str, group: str, *, is_inferred: bool = False) -> NumberSigns:
    if context.decimal is not None:
        return NumberSigns(context.decimal, is_strict=True)
    is_whole = None if context.is_fractional is None else not context.is_fractional
    return NumberSigns(
        decimal, group, is_inferred=is_inferred, comma_groups=not context.is_fractional, is_whole=is_whole
    )


_COMMA_CURRENCIES: Final = frozenset({"$", "£"})


def _read_without_language(text: str, tokens: list[Token], context: WordingContext) -> Reading:
    """Read a wording in every language whose words it can have. All that can read it must read the same."""
    words = {token.text for token in tokens if token.kind in {"word", "sign"}} - context.words
    common = load_grammar("")
    if words <= common.vocabulary:
        signs = _signs(context, "", "")
        if tokens[0].text in _COMMA_CURRENCIES:
            signs = replace(signs, comma_groups=True)  # $1,200: nobody prints three decimals of a dollar
        return WordingParser(text, tokens, common, signs, context).read()
    readings: list[Reading] = []
    refusals: list[UnreadableWording] = []
    for code in LANGUAGES:
        if not words <= load_grammar(code).vocabulary:
            continue
        try:
            readings.append(_read_in(text, tokens, context, code, is_inferred=True))
        except UnreadableWording as error:
            refusals.append(error)
    if readings:
        first = readings[0]
        if any(_meaning(reading) != _meaning(first) for reading in readings):
            detail = f"{quote_wording(text)} means different things in different languages."
            raise UnreadableWording("language_needed", detail, "say the `language`")
        ambiguous = next((refusal for refusal in refusals if refusal.reason == "ambiguous_separator"), None)
        if ambiguous is not None and context.is_fractional:
            raise ambiguous
        return first
    if refusals:
        raise refusals[0]
    return _read_in(text, tokens, context, "en", is_inferred=True)  # which names the words that it does not understand


def _meaning(reading: Reading) -> tuple[object, ...]:
    return (replace(reading.figure, relative_to=None), reading.proposition, reading.per, reading.unit)
