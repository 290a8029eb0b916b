"""Parses the tokens of a wording in one language.

A wording is `[qualifier] number [range] [unit, category, rate, change, brackets]`. Every token must have a meaning by
one of these rules: nothing is skipped, and what is left out of the figure (footnote marks, an increase in brackets) is
named.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

from app.comparison.figure import (
    MAX_SIGNIFICANT_DIGITS,
    InvalidFigure,
    Number,
    PrintedFigure,
    normalize_number,
    validate_figure,
)
from app.comparison.units import CURRENCIES, PERCENT, TIMES, as_dimension, dimension_of
from app.comparison.wordings.digits import AmbiguousSeparator, NotANumber, NumberSigns
from app.comparison.wordings.grammar import CLOSING_MARKS, QUOTATION_MARKS, Grammar
from app.comparison.wordings.numerals import ReadNumber, TwoNumbers, read_numbers, spelled_numbers
from app.comparison.wordings.reading import (
    DOLLAR_CURRENCIES,
    PESO_CURRENCIES,
    YEN_CURRENCIES,
    PerName,
    PropositionName,
    Reading,
    RefusalReason,
    UnreadableWording,
    WordingContext,
    quote_wording,
)
from app.comparison.wordings.tokens import Token, normalize, tokenize

_CURRENCY_GROUPS: Final = {"dollar": DOLLAR_CURRENCIES, "yen": YEN_CURRENCIES, "peso": PESO_CURRENCIES}
_THOUSAND: Final = 1000
_YEARS: Final = range(1900, 2100)
_MAX_FREE_WORDS: Final = 8
_COVERAGE_WORDS: Final = 3
_AMBIGUOUS_SCALES: Final = {
    "m": ("length", "millions and metres"),
    "k": ("length", "thousands and kilometres"),
    "tn": ("mass", "trillions and tonnes"),
}
"""Short scale words of English, with the dimension in which they are a unit."""

_DOUBLE_QUOTES: Final = frozenset('"“”„«»')

_BOUNDS: Final[dict[str, tuple[str, bool, bool]]] = {
    "over": ("lower", False, False),
    "least": ("lower", True, False),
    "most": ("upper", True, False),
    "under": ("upper", False, False),
    "nearly": ("upper", False, True),
    "just_over": ("lower", False, True),
}
"""The bound of each qualifier, whether it is inclusive, and whether the number lies close to it."""


@dataclass(frozen=True, slots=True)
class _Core:
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
    tail: "_Tail | None" = None


@dataclass(slots=True)
class _Tail:
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


class _NotThisWay(ValueError):
    """One way to read the tokens fails; another may not."""


class WordingParser:
    """Parses the tokens of one wording in one language."""

    def __init__(
        self, text: str, tokens: list[Token], grammar: Grammar, signs: NumberSigns, context: WordingContext
    ) -> None:
        self.text = text
        self.grammar = grammar
        self.signs = signs
        self.context = context
        self.ignored: list[tuple[str, str]] = []
        self.normalized_end = tokens[-1].end
        self.tokens = self._replace_ambiguous_words(self._strip(tokens))
        self.refusal: UnreadableWording | None = None
        self.verb_sign: int | None = None
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

    # The whole wording

    def read(self) -> Reading:
        """Return what the tokens state. Raises `UnreadableWording`."""
        try:
            found = self._read_figure()
        except AmbiguousSeparator as error:
            low, high = sorted(error.choices)
            detail = f"`{error.digits}` can be {low.normalize():f} and {high.normalize():f}."
            hint = "say the `language`, or in a mapping `decimal`"
            raise UnreadableWording("ambiguous_separator", detail, hint) from None
        except NotANumber as error:
            detail = f"`{error.digits}` is no number: its separators group no thousands."
            raise UnreadableWording("no_number", detail, "check the digits and the `language`") from None
        except TwoNumbers:
            detail = f"{quote_wording(self.text)} can be one number and two."
            raise UnreadableWording("two_figures", detail, "write the number in digits") from None
        if found is None:
            raise self._explain()
        return found

    def _read_figure(self) -> Reading | None:
        if self._is_vague():
            return Reading(PrintedFigure(self.text), is_bare=not self._has_nouns())
        if (zero := self._read_zero()) is not None:
            return zero
        for hedge, start in self._starts():
            for core in self._cores(start):
                tail = self._read_tail(core)
                if tail is None:
                    continue
                if self.verb_sign is not None and tail.unit == PERCENT:
                    tail.sign = self.verb_sign
                try:
                    return self._build(hedge, core, tail)
                except _NotThisWay:
                    continue
        return None

    def _starts(self) -> Iterator[tuple[str | None, int]]:
        """Yield the qualifier in front of the number, and the position behind it, also behind "up", "fell by"."""
        yield from self._hedges(0)
        for sign, begin in self.grammar.change_verbs.matches(self.tokens, 0):
            self.verb_sign, self.needs_change = sign, True
            yield from self._hedges(begin)
        self.verb_sign = None
        for _, begin in self.grammar.change_lead.matches(self.tokens, 0):
            self.needs_change = True
            yield from self._hedges(begin)

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

    # Words without a number

    def _is_vague(self) -> bool:
        """Return whether the words are vague: "dozens", "several hundred thousand", "thousands more"."""
        grammar, tokens = self.grammar, self.tokens
        begins_vague = grammar.vague.match(tokens, 0) is not None
        if not begins_vague and next(spelled_numbers(tokens, 0, grammar), (0, 0))[0] > 1:
            return False  # "mil millones"
        position, has_vague = 0, False
        while position < len(tokens):
            if tokens[position].kind != "word":
                return False
            if matched := grammar.vague.match(tokens, position):
                has_vague, position = True, matched[1]
            elif filler := grammar.vague_fillers.match(tokens, position):
                position = filler[1]
            elif has_vague and (noun := self._noun_at(position)):
                position = noun[1]
            else:
                # "a lot of money"
                return has_vague and self._are_free_words(tokens[position:])
        return has_vague and not self._is_number_like()

    def _is_number_like(self) -> bool:
        first = self.grammar.vague.match(self.tokens, 0)
        about = self.grammar.before.match(self.tokens, 0)
        return first is not None and about is not None and about[0] == "about" and about[1] == first[1]

    def _has_nouns(self) -> bool:
        return any(self._noun_at(position) is not None for position in range(len(self.tokens)))

    def _read_zero(self) -> Reading | None:
        grammar, tokens = self.grammar, self.tokens
        for table, needs_noun in ((grammar.zero_before_noun, True), (grammar.zero, False)):
            if (matched := table.match(tokens, 0)) is None:
                continue
            core = _Core(value=Fraction(0), end=matched[1])
            tail = self._read_tail(core)
            if tail is not None and (tail.noun is not None or not needs_noun) and tail.hedge is None:
                return self._build(None, core, tail)
        return None

    # The numbers

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

    def _currency_at(self, position: int, tail: _Tail) -> int | None:
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

    def _cores(self, start: int) -> Iterator[_Core]:
        """Yield every reading of the numbers at `start`."""
        tail = _Tail()
        position = self._currency_at(start, tail)
        begin = start if position is None else position
        yield from self._between(start)
        for one in self._numbers(begin):
            core = _Core(value=one.number, end=one.end, is_round=one.is_round, digits=one.digits, tail=None)
            if one.end < len(self.tokens):
                yield from self._range(one, tail)
                yield from self._plus_minus(one, core)
                yield from self._share(one, core)
                yield from self._ratio(one)
            yield replace(core, tail=tail) if tail.has_words else core
        yield from self._part(start)
        yield from self._multiple(start)

    def _between(self, start: int) -> Iterator[_Core]:
        for closers, begin in self.grammar.openers.matches(self.tokens, start):
            currency = _Tail()
            moved = self._currency_at(begin, currency)
            for one in self._numbers(begin if moved is None else moved):
                end = self._skip_unit(one.end, currency)
                for _, second in closers.matches(self.tokens, end):
                    other = self._currency_at(second, currency)
                    for two in self._numbers(second if other is None else other):
                        bounds = self._range_bounds(one, two, is_opened=True, join="")
                        if bounds is not None:
                            yield _Core(
                                lower=bounds[0],
                                upper=bounds[1],
                                end=two.end,
                                digits=one.digits + two.digits,
                                tail=currency if currency.has_words else None,
                            )

    def _skip_unit(self, position: int, tail: _Tail) -> int:
        """Return the position behind a unit between the numbers of a range: "5% to 10%", "19万人から48万人"."""
        if (moved := self._unit_at(position, tail)) is not None:
            return moved
        if (noun := self._noun_at(position)) is not None:
            tail.noun, tail.has_words = noun[0], True
            return noun[1]
        return position

    def _range(self, one: ReadNumber, tail: _Tail) -> Iterator[_Core]:
        position, tail = one.end, replace(tail, ignored=[])
        if (moved := self._unit_at(position, tail)) is not None:
            position = moved
        elif position < len(self.tokens) and not self.tokens[position].is_spaced and (noun := self._noun_at(position)):
            tail.noun, tail.has_words, position = noun[0], True, noun[1]  # 19万人から48万人
        for _, second in self.grammar.join.matches(self.tokens, position):
            join = self.tokens[position].text
            moved = self._currency_at(second, tail)
            for two in self._numbers(second if moved is None else moved):
                bounds = self._range_bounds(one, two, is_opened=False, join=join)
                if bounds is None:
                    continue
                yield _Core(
                    lower=bounds[0],
                    upper=bounds[1],
                    end=two.end,
                    digits=one.digits + two.digits,
                    tail=tail if tail.has_words else None,
                )

    def _range_bounds(
        self, one: ReadNumber, two: ReadNumber, *, is_opened: bool, join: str
    ) -> tuple[Fraction, Fraction] | None:
        lower, upper = one.number, two.number
        if one.is_unscaled and two.scale > 1 and abs(lower) < _THOUSAND:
            lower *= two.scale  # in "60-70 thousand" the scale applies to both bounds
        elif one.is_unscaled and 0 < abs(lower) * _THOUSAND < abs(upper):
            self._note_refusal("ambiguous_range", f"{quote_wording(self.text)} can be short for a range of thousands.")
            return None
        if lower >= upper:
            self._note_refusal(
                "ambiguous_range", f"{quote_wording(self.text)} is no range: its first number is not the smaller one."
            )
            return None
        if not is_opened:
            is_dash = join in {"-", "–", "~"}
            years = all(
                number.scale == 1 and not number.is_grouped and number.number in _YEARS for number in (one, two)
            )
            if years:
                self._note_refusal("ambiguous_range", f"{quote_wording(self.text)} can be two years.")
                return None
            may_be_odds = not is_dash and one.scale == two.scale == 1 and lower >= 0 and upper < _THOUSAND
            if (
                may_be_odds
                and (lower <= 1 or not self._has_tail_noun(two.end))
                and join not in {"か", "до", "bis", "à", "a", "do"}
            ):
                self._note_refusal("ambiguous_range", f"{quote_wording(self.text)} can be a range and a ratio.")
                return None
        return lower, upper

    def _has_tail_noun(self, position: int) -> bool:
        rate = self.grammar.rates.match(self.tokens, position)
        has_rate = rate is not None and rate[0] != "unsupported"
        return has_rate or self._noun_at(position) is not None or self._unit_at(position, _Tail()) is not None

    def _plus_minus(self, one: ReadNumber, core: _Core) -> Iterator[_Core]:
        tokens, position = self.tokens, one.end
        if position < len(tokens) and tokens[position].text == "±":
            for two in self._numbers(position + 1):
                margin = two.number
                value = one.number
                if one.is_unscaled and two.scale > 1:
                    value *= two.scale
                yield replace(
                    core,
                    value=value,
                    lower=value - margin,
                    upper=value + margin,
                    end=two.end,
                    digits=one.digits + two.digits,
                )

    def _share(self, one: ReadNumber, core: _Core) -> Iterator[_Core]:
        """Yield "12 of the 100", "1 in 5", "8 people in 10"."""
        begins: list[tuple[int, _Tail | None]] = [(one.end, core.tail)]
        if (noun := self._noun_at(one.end)) is not None:
            begins.append((noun[1], _Tail(noun=noun[0], has_words=True)))
        for begin, tail in begins:
            for kind, second in self.grammar.share_in.matches(self.tokens, begin):
                for two in self._numbers(second):
                    if two.number <= 0 or one.number > two.number or one.is_round or two.is_round:
                        continue
                    yield replace(
                        core,
                        out_of=two.number,
                        end=two.end,
                        digits=one.digits + two.digits,
                        is_ratio=kind == "one_in",
                        is_share=True,
                        tail=tail,
                    )

    def _ratio(self, one: ReadNumber) -> Iterator[_Core]:
        """Yield "1:5", "one to five" and "one Russian to five Ukrainians"."""
        tokens, position = self.tokens, one.end
        if position < len(tokens) and tokens[position].text == ":":
            for two in self._numbers(position + 1):
                if 1 in {one.number, two.number} and one.is_unscaled and two.is_unscaled:
                    yield self._ratio_core(one, two, two.end)
        if self.grammar.code != "en":
            return
        first_noun = ""
        if position < len(tokens) and tokens[position].kind == "word" and tokens[position].text != "to":
            first_noun, position = tokens[position].text, position + 1
        if position < len(tokens) and tokens[position].text == "to":
            for two in self._numbers(position + 1):
                end, second_noun = two.end, ""
                if end < len(tokens) and tokens[end].kind == "word" and first_noun:
                    second_noun, end = tokens[end].text, end + 1
                has_two_nouns = bool(first_noun and second_noun) and first_noun != second_noun
                is_spelled_out = one.is_spelled and one.number == 1 and not first_noun and two.is_spelled
                if (has_two_nouns or is_spelled_out) and end == len(tokens) and one.is_unscaled and two.is_unscaled:
                    yield self._ratio_core(one, two, end, has_words=has_two_nouns)

    def _ratio_core(self, one: ReadNumber, two: ReadNumber, end: int, *, has_words: bool = False) -> _Core:
        digits = one.digits + two.digits
        tail = _Tail(has_words=True) if has_words else None
        return _Core(value=one.number, out_of=two.number, end=end, is_ratio=True, digits=digits, tail=tail)

    def _part(self, start: int) -> Iterator[_Core]:
        """Yield "half of the area" and "jeder dritte Wähler": a share of something that is not a number."""
        shares = [(fraction, end, False) for fraction, end in self.grammar.every.matches(self.tokens, start)]
        for fraction, end in self.grammar.parts.matches(self.tokens, start):
            matched = self.grammar.part_of.match(self.tokens, end)
            if matched is not None or not self.grammar.share_words:
                shares.append((fraction, end if matched is None else matched[1], True))
        for fraction, end, is_part in shares:
            rest = self.tokens[end:]
            if (rest or is_part) and not self._are_free_words(rest):
                continue
            yield _Core(
                value=Fraction(fraction.numerator),
                out_of=Fraction(fraction.denominator),
                end=len(self.tokens),
                is_ratio=True,
                is_share=True,
                is_part=is_part,
                tail=_Tail(has_words=True),
            )

    def _is_number_word(self, token: Token) -> bool:
        single = [token]
        return (
            self.grammar.scales.match(single, 0) is not None
            or next(read_numbers(single, 0, self.grammar, self.signs), None) is not None
        )

    def _multiple(self, start: int) -> Iterator[_Core]:
        """Yield "twice the average", "double the number in 2022"."""
        for number, end in self.grammar.multiples.matches(self.tokens, start):
            base = self._times_base(end)
            if base is not None:
                tail = _Tail(times=True, base=base[0], base_digits=base[1], has_words=True)
                yield _Core(value=Fraction(number), end=len(self.tokens), tail=tail)

    def _times_base(self, position: int) -> tuple[str, tuple[str, ...]] | None:
        """Return the words of the base of a multiple, up to the end, or None."""
        tokens, grammar = self.tokens, self.grammar
        if grammar.times_ambiguous.match(tokens, position) is not None:
            detail = f"{quote_wording(self.text)} can be a multiple and that much more."
            self._note_refusal("ambiguous_multiple", detail, "give the number, the unit `times` and `relative_to`")
            return None
        if position >= len(tokens) or grammar.times_base.match(tokens, position) is None:
            return None
        matched = grammar.times_base.match(tokens, position)
        begin = (
            position
            if matched is None or tokens[position].text in {"the", "la", "le", "el", "that", "of"}
            else matched[1]
        )
        return self._free_base(begin)

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

    # What follows the numbers

    def _read_tail(self, core: _Core) -> _Tail | None:
        """Return what follows the numbers, or None if a part of it is not understood."""
        tail = _Tail() if core.tail is None else replace(core.tail, ignored=[*core.tail.ignored])
        readers = (
            self._read_brackets,
            self._read_rate,
            self._read_hedge_behind,
            self._read_change,
            self._read_times,
            self._read_unit,
            self._read_whole,
            self._read_noun,
        )
        position = core.end
        while position < len(self.tokens):
            moved = next((end for read in readers if (end := read(core, tail, position)) is not None), None)
            if moved is None:
                return None
            position = moved
        return tail

    def _read_rate(self, _core: _Core, tail: _Tail, position: int) -> int | None:
        matched = self.grammar.rates.match(self.tokens, position)
        if matched is None or tail.per is not None:
            return None
        if matched[0] == "unsupported":
            self._note_unsupported_rate(position)
            return None
        tail.per, tail.has_words = matched[0], True  # type: ignore[assignment] # the names of the table
        return matched[1]

    def _note_unsupported_rate(self, position: int) -> None:
        words = quote_wording(" ".join(token.text for token in self.tokens[position:]))
        detail = f"{words} is no unit of time of a rate: these are an hour, a day, a week, a month and a year."
        self._note_refusal("rate_not_supported", detail, "state the figure in one of these, if the source does")

    def _read_hedge_behind(self, _core: _Core, tail: _Tail, position: int) -> int | None:
        """Read "or more", "+", "-plus"."""
        begin = position + 1 if self.tokens[position].text == "-" else position
        hedge = self.grammar.after.match(self.tokens, begin)
        if hedge is None or (begin != position and hedge[0] != "least"):
            return None
        if hedge[0] != "plain":
            if tail.hedge is not None:
                return None
            tail.hedge = hedge[0]
        return hedge[1]

    def _read_times(self, core: _Core, tail: _Tail, position: int) -> int | None:
        """Read "times the average"."""
        times = self.grammar.times.match(self.tokens, position)
        if times is None or core.out_of is not None:
            return None
        base = self._times_base(times[1])
        if base is None:
            return None
        tail.times, tail.base, tail.base_digits, tail.has_words = True, base[0], base[1], True
        return len(self.tokens)

    def _read_unit(self, _core: _Core, tail: _Tail, position: int) -> int | None:
        """Read a unit, also in "14-foot" and in "un millón de toneladas"."""
        moved = self._unit_at(position, tail)
        if moved is not None or position + 1 >= len(self.tokens):
            return moved
        following = self.tokens[position + 1]
        is_joined = self.tokens[position].text == "-" and following.kind == "word" and not following.is_spaced
        if is_joined or (self.grammar.nouns.match(self.tokens, position) or ("",))[0] == "fillers":
            return self._unit_at(position + 1, tail)
        return None

    def _read_noun(self, _core: _Core, tail: _Tail, position: int) -> int | None:
        if state := self.grammar.states.match(self.tokens, position):
            tail.has_words = True
            return state[1]  # "hectares burned"
        noun = self._noun_at(position)
        if noun is None or tail.noun not in {None, noun[0]}:
            return None
        tail.noun, tail.has_words = noun[0], True
        return noun[1]

    def _read_whole(self, _core: _Core, tail: _Tail, position: int) -> int | None:
        """Read "of the area" behind a percentage, and "of rain" behind a measure: words that are no part of the figure.

        Slavic languages have the whole of a percentage in the genitive, without a preposition.
        """
        grammar, tokens = self.grammar, self.tokens
        if tail.unit in {None, TIMES} or tail.noun is not None or tail.sign is not None:
            return None
        of = grammar.part_of.match(tokens, position)
        if of is None and tail.unit != PERCENT:
            of = grammar.substance.match(tokens, position)
        if of is not None:
            rest = tokens[of[1] :]
        elif tail.unit == PERCENT and not grammar.share_words:
            rest = tokens[position:]
            if any(token.text in grammar.vocabulary and not grammar.nouns.match([token], 0) for token in rest):
                return None
        else:
            return None
        return len(tokens) if self._are_free_words(rest) else None

    def _are_free_words(self, tokens: list[Token]) -> bool:
        """Return whether tokens are a few words without a number."""
        return 0 < len(tokens) <= _MAX_FREE_WORDS and all(
            token.kind == "word" and not self._is_number_word(token) for token in tokens
        )

    def _unit_at(self, position: int, tail: _Tail) -> int | None:
        grammar, tokens = self.grammar, self.tokens
        if (percent := grammar.percent.match(tokens, position)) is not None:
            name = PERCENT if percent[0] == PERCENT else "percentage-points"
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
            words = tuple(token.text for token in tokenize(normalize(unit.replace("-", " "))))
            end = position + len(words)
            if words and tuple(token.text for token in tokens[position:end]) == words:
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

    def _read_change(self, _core: _Core, tail: _Tail, position: int) -> int | None:
        """Read "more than in 2022" behind a percentage: the direction and the base of a change."""
        grammar, tokens = self.grammar, self.tokens
        if tail.unit != PERCENT or tail.sign is not None:
            return None
        sign, begin = self.verb_sign, position
        if sign is None:
            matched = grammar.comparatives.match(tokens, position)
            if matched is None:
                return None
            sign, begin = matched
        comma = begin + 1 if begin < len(tokens) and tokens[begin].text == "," else begin
        for _, behind in grammar.base.matches(tokens, comma):
            drop = grammar.base_drop.match(tokens, behind)
            base = self._free_base(behind if drop is None or drop[1] == len(tokens) else drop[1])
            if base is not None:
                tail.sign, tail.base, tail.base_digits, tail.has_words = sign, base[0], base[1], True
                return len(tokens)
        if begin == len(tokens) and begin > position:
            tail.sign, tail.has_words = sign, True
            return begin
        return None

    def _read_brackets(self, core: _Core, tail: _Tail, position: int) -> int | None:
        """Read an increase, a range or a probability in brackets, and return the position behind them."""
        tokens = self.tokens
        if tokens[position].text != "(":
            return None
        end = next((i for i in range(position + 1, len(tokens)) if tokens[i].text == ")"), None)
        if end is None or end == position + 1:
            return None
        inner = tokens[position + 1 : end]
        if [token.kind for token in inner] == ["sign", "number"] and inner[0].text in {"+", "-"}:
            tail.ignored.append(("change in brackets", inner[1].text))
            tail.has_words = True
            return end + 1
        if self._is_conversion(inner, tail):
            tail.ignored.append(("another unit in brackets", " ".join(token.text for token in inner)))
            tail.has_words = True
            return end + 1
        if core.value is None or tail.bounds is not None or core.lower is not None:
            return None
        coverage = None
        if [token.text for token in inner[:2]] == ["95", "%"] and len(inner) > _COVERAGE_WORDS:
            if inner[2].text not in {"ci", "ui", "cri"}:
                return None
            inner, coverage = inner[4 if inner[3].text in {":", ","} else 3 :], 0.95
        while inner and inner[0].text in {"…", "..."}:
            inner = inner[1:]
        bounds = WordingParser(self.text, inner, self.grammar, self.signs, self.context).read_range() if inner else None
        if bounds is None or not bounds[0] <= core.value <= bounds[1]:
            return None
        tail.bounds, tail.coverage, tail.has_words = bounds[:2], coverage, True
        tail.digits = bounds[2] + (("95",) if coverage else ())
        return end + 1

    def _is_conversion(self, inner: list[Token], tail: _Tail) -> bool:
        """Return whether brackets give the number in another unit: "US$1 billion (S$1.25 billion)"."""
        if tail.unit in {None, PERCENT, TIMES} and not tail.units:
            return False
        context = replace(self.context, unit=None, is_fractional=None)
        parser = WordingParser(self.text, [*inner], self.grammar, self.signs, context)
        for _, start in parser._hedges(0):
            for core in parser._cores(start):
                other = None if core.value is None or core.out_of is not None else parser._read_tail(core)
                if other is not None and other.noun is None and _is_other_unit(tail, other, self.context.unit):
                    return True
        return False

    def read_range(self) -> tuple[Fraction, Fraction, tuple[str, ...]] | None:
        """Return the bounds and the digits, if the tokens are a range and nothing else."""
        for core in self._cores(0):
            if core.lower is not None and core.upper is not None and core.value is None:
                tail = self._read_tail(core)
                if tail is not None and tail.hedge is tail.per is None:
                    return core.lower, core.upper, core.digits
        return None

    # The figure

    def _build(self, hedge: str | None, core: _Core, tail: _Tail) -> Reading:
        """Return the reading. Raises `_NotThisWay` if the parts do not fit together."""
        if (tail.hedge is not None and hedge is not None) or (self.needs_change and tail.sign is None):
            raise _NotThisWay
        kind = hedge or tail.hedge
        figure = self._figure(kind, core, tail)
        proposition: PropositionName = "quantity"
        unit = tail.unit
        if tail.sign is not None:
            proposition = "change"
            if tail.sign < 0:
                figure = _negate(figure)
        elif core.is_ratio:
            proposition = "ratio"
        elif tail.times:
            proposition, unit = "ratio", TIMES
        is_counted = unit is not None and unit == self.context.unit and unit != PERCENT  # 2,200 of the 3,500 tanks
        if core.out_of is not None and ((unit is not None and not is_counted) or tail.per is not None or tail.units):
            raise _NotThisWay
        try:
            checked = validate_figure(figure, "quantity")
        except InvalidFigure as error:
            self._note_refusal("out_of_range", f"{quote_wording(self.text)}: {error}", error.hint)
            raise _NotThisWay from None
        return Reading(
            checked,
            proposition,
            tail.per,
            unit,
            tail.units if unit is None else frozenset(),
            tail.noun,
            is_bare=not tail.has_words and not self.ignored and self.verb_sign is None,
            is_share=core.is_share,
            is_part=core.is_part,
            is_round=core.is_round,
            digits=core.digits + tail.base_digits + tail.digits,
            ignored=(*self.ignored, *tail.ignored),
        )

    def _figure(self, kind: str | None, core: _Core, tail: _Tail) -> PrintedFigure:
        value, lower, upper = core.value, core.lower, core.upper
        if tail.bounds is not None:
            lower, upper = tail.bounds
        base = tail.base or None
        if kind is not None and kind != "about":
            if core.out_of is not None:
                self._note_hedged_share()
            if value is None or lower is not None or core.out_of is not None or tail.times:
                raise _NotThisWay
            return bound_figure(self.text, kind, self._number(value), base)
        if kind == "about" and core.out_of is not None:
            self._note_hedged_share()
            raise _NotThisWay
        return PrintedFigure(
            self.text,
            value=self._number(value),
            lower=self._number(lower),
            upper=self._number(upper),
            approximate=kind == "about" or (core.is_round and lower is None),
            coverage=tail.coverage,
            out_of=self._number(core.out_of),
            relative_to=base,
        )

    def _number(self, number: Fraction | None) -> Number | None:
        """Return a number that JSON carries exactly. Raises `_NotThisWay` for more digits."""
        if number is None:
            return None
        if number.denominator == 1:
            digits = str(abs(number.numerator)).rstrip("0")
            whole = number.numerator
            if len(digits) > MAX_SIGNIFICANT_DIGITS:
                self._note_refusal(
                    "out_of_range", f"{quote_wording(self.text)} has more than {MAX_SIGNIFICANT_DIGITS} digits."
                )
                raise _NotThisWay
            return whole
        as_float = float(number)
        if Fraction(repr(as_float)) != number:
            detail = f"{quote_wording(self.text)} has more than {MAX_SIGNIFICANT_DIGITS} digits."
            self._note_refusal("out_of_range", detail)
            raise _NotThisWay
        return normalize_number(as_float)

    # Refusals

    def _note_hedged_share(self) -> None:
        detail = f"{quote_wording(self.text)} is a share with a qualifier, which is not certain as a part and a whole."
        self._note_refusal("share", detail, "give the number in percent, or the part and `out_of`")

    def _note_refusal(self, reason: RefusalReason, detail: str, hint: str = "") -> None:
        """Keep the first reason that names a fault, for the case that nothing else can read the wording."""
        if self.refusal is None:
            self.refusal = UnreadableWording(reason, detail, hint)

    def _explain(self) -> UnreadableWording:
        """Return why the wording is not read."""
        if (matched := self.grammar.rates.match(self.tokens, 0)) is not None and matched[0] == "unsupported":
            self._note_unsupported_rate(0)
        if self.refusal is not None:
            return self.refusal
        tokens, grammar, quoted = self.tokens, self.grammar, quote_wording(self.text)
        if any(grammar.times.match(tokens, position) is not None for position in range(1, len(tokens))):
            hint = 'give the number, the unit `times`, `"proposition": "ratio"` and `relative_to`'
            return UnreadableWording("share", f"{quoted} states a multiple, and it is not certain of what.", hint)
        if self._is_difference():
            hint = "give the number that the source counts, or a change in percent with `relative_to`"
            return UnreadableWording("change", f"{quoted} states a difference, not a number.", hint)
        known = grammar.vocabulary | self.context.words
        unknown = [
            token.text
            for token in tokens
            if token.kind in {"word", "sign"} and token.text not in known and not self._is_number_word(token)
        ]
        if unknown:
            listed = ", ".join(f"`{word[:40]}`" for word in list(dict.fromkeys(unknown))[:5])
            hint = (
                "give only the words of the figure"
                if self.context.language
                else "say the `language`, and give only the words of the figure"
            )
            return UnreadableWording("words_not_understood", f"{quoted}: not understood: {listed}.", hint)
        if tokens[0].text in {"-", "–", "+"}:
            return UnreadableWording(
                "sign_or_bullet",
                f"{quoted} begins with a sign that can be a bullet.",
                "write a negative number without a space",
            )
        if any(grammar.parts.match(tokens, position) is not None for position in range(len(tokens))):
            return UnreadableWording(
                "share", f"{quoted} states a share, and it is not certain of what.", "give the number in percent"
            )
        has_number = any(token.kind in {"number", "fraction"} for token in tokens)
        if not has_number and next((n for i in range(len(tokens)) for n in self._numbers(i)), None) is None:
            return UnreadableWording(
                "no_figure", f"{quoted} states no number.", "give the numbers of the source, if it has any"
            )
        if self._count_numbers() > 1:
            return UnreadableWording(
                "two_figures",
                f"{quoted} has more than one number, and it is not certain how they belong together.",
                "give the words of one figure",
            )
        return UnreadableWording(
            "words_not_understood", f"{quoted}: its words do not make one figure.", "give only the words of the figure"
        )

    def _is_difference(self) -> bool:
        """Return whether a word behind a number says that it is a difference: "12,000 fewer jobs", "232.000 mehr"."""
        tokens, has_number = self.tokens, False
        for position, token in enumerate(tokens):
            has_number = has_number or token.kind == "number" or self._is_number_word(token)
            if not has_number or self.grammar.comparatives.match(tokens, position) is None:
                continue
            behind = self.grammar.after.match(tokens, position - 1)  # 300 or more
            before = self.grammar.before.match(tokens, position)  # and less than 500
            following = tokens[before[1]] if before is not None and before[1] < len(tokens) else None
            is_qualifier = following is not None and (following.kind == "number" or self._is_number_word(following))
            if (behind is None or behind[1] <= position) and not is_qualifier:
                return True
        return False

    def _count_numbers(self) -> int:
        count, position = 0, 0
        while position < len(self.tokens):
            if (qualifier := self.grammar.before.match(self.tokens, position)) is not None:
                position = qualifier[1]
                continue
            try:
                found = next(self._numbers(position), None)
            except (AmbiguousSeparator, NotANumber, TwoNumbers):
                found, count = None, count + 1
            count += found is not None
            position = position + 1 if found is None else found.end
        return count


def bound_figure(text: str, qualifier: str, number: Number | None, base: str | None = None) -> PrintedFigure:
    """Return the figure of one number behind a qualifier: "about" or one of a bound."""
    if qualifier == "about":
        return PrintedFigure(text, value=number, approximate=True, relative_to=base)
    bound, is_inclusive, is_near = _BOUNDS[qualifier]
    if bound == "lower":
        return PrintedFigure(text, lower=number, lower_inclusive=is_inclusive, approximate=is_near, relative_to=base)
    return PrintedFigure(text, upper=number, upper_inclusive=is_inclusive, approximate=is_near, relative_to=base)


def _is_other_unit(tail: _Tail, other: _Tail, context_unit: str | None) -> bool:
    """Return whether `other` is the unit of a conversion of `tail`, and not the unit that is asked for."""
    if other.units or other.unit in CURRENCIES:
        is_money = bool(tail.units) or tail.unit in CURRENCIES
        is_same = other.unit == tail.unit and other.units == tail.units
        return is_money and not is_same and (other.unit is None or other.unit != context_unit)
    if tail.unit is None or other.unit is None or other.unit == tail.unit:
        return False
    if {tail.unit, other.unit} <= {"celsius", "fahrenheit"}:
        return True
    return dimension_of(tail.unit) is not None and dimension_of(tail.unit) == dimension_of(other.unit)


def _negate(figure: PrintedFigure) -> PrintedFigure:
    """Return a figure with the other sign: "more than 20% less" is below -20."""

    def minus(number: Number | None) -> Number | None:
        return None if number is None else normalize_number(-number)

    return replace(
        figure,
        value=minus(figure.value),
        lower=minus(figure.upper),
        upper=minus(figure.lower),
        lower_inclusive=figure.upper_inclusive,
        upper_inclusive=figure.lower_inclusive,
    )
