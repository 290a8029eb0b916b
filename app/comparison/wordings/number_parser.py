"""Parses the numbers of a wording: one, a range, a margin, a share, a ratio, a part or a multiple."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Final

from app.comparison.units import per_number_of
from app.comparison.wordings.numerals import ReadNumber
from app.comparison.wordings.parts import Core, Tail
from app.comparison.wordings.reading import quote_wording
from app.comparison.wordings.token_parser import TokenParser

_THOUSAND: Final = 1000
_HUNDRED: Final = 100
_YEARS: Final = range(1900, 2100)
_DATE_PREPOSITIONS: Final = frozenset({"in", "of", "von", "de", "en"})
"""What stands between a part and its whole, and in front of a year."""

_CHANGE_PREPOSITIONS: Final = frozenset({"by", "of", "um", "на", "o"})
"""The last words of a verb of change behind which two numbers are a range: "by" in "rose by 12 to 35%"."""

_RANGE_JOINS: Final = frozenset({"-", "–", "~", "か", "до", "bis", "à", "a", "do"})
"""What stands between the numbers of a range, and not of a ratio."""

_MOVEMENT_JOINS: Final = frozenset({"to", "до", "bis", "à", "a", "al", "do"})
"""What stands between the numbers of a range, and between the start and the end of a change."""

_BASE_ARTICLES: Final = frozenset({"the", "la", "le", "el", "that", "of"})
"""Words that belong to the base of a multiple: "the average"."""


class NumberParser(TokenParser):
    """Parses the numbers at a position of a wording, in every way in which they can be read."""

    def _cores(self, start: int) -> Iterator[Core]:
        """Yield every reading of the numbers at `start`."""
        tail = Tail()
        position = self._currency_at(start, tail)
        begin = start if position is None else position
        yield from self._between(start)
        for one in self._numbers(begin):
            core = Core(value=one.number, end=one.end, is_round=one.is_round, digits=one.digits, tail=None)
            if one.end < len(self.tokens):
                yield from self._range(one, tail)
                yield from self._plus_minus(one, core)
                yield from self._share(one, core)
                yield from self._ratio(one)
            yield replace(core, tail=tail) if tail.has_words else core
        yield from self._part(start)
        yield from self._multiple(start)

    def _between(self, start: int) -> Iterator[Core]:
        for closers, begin in self.grammar.openers.matches(self.tokens, start):
            currency = Tail()
            moved = self._currency_at(begin, currency)
            for one in self._numbers(begin if moved is None else moved):
                end = self._skip_unit(one.end, currency)
                for _, second in closers.matches(self.tokens, end):
                    if self._is_movement(end, opener=self.tokens[start].text):
                        continue
                    other = self._currency_at(second, currency)
                    for two in self._numbers(second if other is None else other):
                        if (core := self._range_core(one, two, currency)) is not None:
                            yield core

    def _skip_unit(self, position: int, tail: Tail) -> int:
        """Return the position behind a unit between the numbers of a range: "5% to 10%", "19万人から48万人"."""
        if (moved := self._unit_at(position, tail)) is not None:
            return moved
        if (noun := self._noun_at(position)) is not None:
            tail.noun, tail.has_words = noun[0], True
            return noun[1]
        return position

    def _range(self, one: ReadNumber, tail: Tail) -> Iterator[Core]:
        position, tail = one.end, replace(tail, ignored=[])
        if (moved := self._unit_at(position, tail)) is not None:
            position = moved
        elif position < len(self.tokens) and not self.tokens[position].is_spaced and (noun := self._noun_at(position)):
            tail.noun, tail.has_words, position = noun[0], True, noun[1]  # 19万人から48万人
        for _, second in self.grammar.join.matches(self.tokens, position):
            join = self.tokens[position].text
            if self._is_movement(position):
                continue
            moved = self._currency_at(second, tail)
            for two in self._numbers(second if moved is None else moved):
                core = self._range_core(one, two, tail)
                if core is not None and self._is_certain_range(core, one, two, join):
                    yield core

    def _is_movement(self, join: int, opener: str = "") -> bool:
        """Return whether two numbers behind a verb of change can be its start and its end: "rose from 12 to 35%"."""
        is_certain = self.verb_preposition in _CHANGE_PREPOSITIONS and opener != "from"
        if self.verb_sign is None or is_certain or self.tokens[join].text not in _MOVEMENT_JOINS:
            return False
        detail = f"{quote_wording(self.text)} can be a range of changes, and a change from one number to another."
        self._note_refusal("ambiguous_range", detail, "give the change, or its `lower` and `upper`")
        return True

    def _range_core(self, one: ReadNumber, two: ReadNumber, tail: Tail) -> Core | None:
        """Return the range of two numbers; None if they are none."""
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
        digits = one.digits + two.digits
        return Core(lower=lower, upper=upper, end=two.end, digits=digits, tail=tail if tail.has_words else None)

    def _is_certain_range(self, core: Core, one: ReadNumber, two: ReadNumber, join: str) -> bool:
        """Return whether two numbers with only `join` between them are neither two years nor a ratio."""
        if all(number.scale == 1 and not number.is_grouped and number.number in _YEARS for number in (one, two)):
            self._note_refusal("ambiguous_range", f"{quote_wording(self.text)} can be two years.")
            return False
        if join in _RANGE_JOINS or core.lower is None or core.upper is None:
            return True
        may_be_odds = one.scale == two.scale == 1 and core.lower >= 0 and core.upper < _THOUSAND
        if may_be_odds and (core.lower <= 1 or not self._has_tail_noun(two.end)):
            self._note_refusal("ambiguous_range", f"{quote_wording(self.text)} can be a range and a ratio.")
            return False
        return True

    def _has_tail_noun(self, position: int) -> bool:
        rate = self.grammar.rates.match(self.tokens, position)
        has_rate = rate is not None and rate[0] != "unsupported"
        return has_rate or self._noun_at(position) is not None or self._unit_at(position, Tail()) is not None

    def _plus_minus(self, one: ReadNumber, core: Core) -> Iterator[Core]:
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

    def _share(self, one: ReadNumber, core: Core) -> Iterator[Core]:
        """Yield "12 of the 100", "1 in 5", "8 people in 10"."""
        begins: list[tuple[int, Tail | None]] = [(one.end, core.tail)]
        if (noun := self._noun_at(one.end)) is not None:
            begins.append((noun[1], Tail(noun=noun[0], has_words=True)))
        for begin, tail in begins:
            for kind, second in self.grammar.share_in.matches(self.tokens, begin):
                for two in self._numbers(second):
                    if two.number <= 0 or one.number > two.number or one.is_round or two.is_round:
                        continue
                    if two.number == per_number_of(self.context.unit) or self._can_be_year(one, two, begin, second):
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

    def _can_be_year(self, one: ReadNumber, two: ReadNumber, begin: int, second: int) -> bool:
        """Return whether a whole can be a year: "300 in 2024", but neither "1 in 2000" nor "12 of the 2000"."""
        is_date = second == begin + 1 and self.tokens[begin].text in _DATE_PREPOSITIONS
        is_odds = one.number == 1 and two.number % _HUNDRED == 0
        if not is_date or is_odds or two.number not in _YEARS or two.is_grouped or two.is_spelled:
            return False
        detail = f"{quote_wording(self.text)} can be a part of a number, and a number of a year."
        self._note_refusal("ambiguous_word", detail, "give the number alone, or the part and `out_of`")
        return True

    def _ratio(self, one: ReadNumber) -> Iterator[Core]:
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

    def _ratio_core(self, one: ReadNumber, two: ReadNumber, end: int, *, has_words: bool = False) -> Core:
        digits = one.digits + two.digits
        tail = Tail(has_words=True) if has_words else None
        return Core(value=one.number, out_of=two.number, end=end, is_ratio=True, digits=digits, tail=tail)

    def _part(self, start: int) -> Iterator[Core]:
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
            yield Core(
                value=Fraction(fraction.numerator),
                out_of=Fraction(fraction.denominator),
                end=len(self.tokens),
                is_ratio=True,
                is_share=True,
                is_part=is_part,
                tail=Tail(has_words=True),
            )

    def _multiple(self, start: int) -> Iterator[Core]:
        """Yield "twice the average", "double the number in 2022"."""
        for number, end in self.grammar.multiples.matches(self.tokens, start):
            base = self._times_base(end)
            if base is not None:
                tail = Tail(times=True, base=base[0], base_digits=base[1], has_words=True)
                yield Core(value=Fraction(number), end=len(self.tokens), tail=tail)

    def _times_base(self, position: int) -> tuple[str, tuple[str, ...]] | None:
        """Return the words of the base of a multiple, up to the end, or None."""
        tokens, grammar = self.tokens, self.grammar
        if grammar.times_ambiguous.match(tokens, position) is not None:
            detail = f"{quote_wording(self.text)} can be a multiple and that much more."
            self._note_refusal("ambiguous_multiple", detail, "give the number, the unit `times` and `relative_to`")
            return None
        matched = grammar.times_base.match(tokens, position) if position < len(tokens) else None
        if matched is None:
            return None
        return self._free_base(position if tokens[position].text in _BASE_ARTICLES else matched[1])
