"""Parses what follows the numbers of a wording: units, rates, nouns, changes, brackets."""

from dataclasses import replace
from fractions import Fraction
from typing import Final

from app.comparison.units import CURRENCIES, PERCENT, RELATIVE_CHANGE_UNITS, TIMES, dimension_of, per_number_of
from app.comparison.wordings.number_parser import NumberParser
from app.comparison.wordings.parts import Core, Tail
from app.comparison.wordings.reading import quote_wording
from app.comparison.wordings.tokens import Token

_COVERAGE_WORDS: Final = 3
_TIME_UNITS: Final = frozenset({"minute", "hour", "day", "week", "month", "year"})


class TailParser(NumberParser):
    """Parses what follows the numbers up to the end of a wording."""

    def _read_tail(self, core: Core) -> Tail | None:
        """Return what follows the numbers, or None if a part of it is not understood."""
        tail = Tail() if core.tail is None else replace(core.tail, ignored=[*core.tail.ignored])
        readers = (
            self._read_hedge_in_brackets,
            self._read_brackets,
            self._read_per_number,
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

    def _read_per_number(self, _core: Core, tail: Tail, position: int) -> int | None:
        """Read "per 100,000 inhabitants" where that is the unit that the caller names, such as `per-100000`."""
        whole = per_number_of(self.context.unit)
        if whole is None or tail.unit is not None or tail.units:
            return None
        for _, begin in self.grammar.per_number.matches(self.tokens, position):
            for number in self._numbers(begin):
                if number.number != whole:
                    continue
                noun = self.grammar.per_number_of.match(self.tokens, number.end) or self._noun_at(number.end)
                tail.unit, tail.has_words, tail.digits = self.context.unit, True, tail.digits + number.digits
                return number.end if noun is None else noun[1]
        return None

    def _read_rate(self, _core: Core, tail: Tail, position: int) -> int | None:
        """Read "an hour", also in "€15-an-hour". "60 per cent" is no rate."""
        begin = position + 1 if self.tokens[position].text == "-" else position
        matched = self.grammar.rates.match(self.tokens, begin)
        if matched is None or tail.per is not None or self.grammar.percent.match(self.tokens, position):
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

    def _read_hedge_behind(self, _core: Core, tail: Tail, position: int) -> int | None:
        """Read "or more", "+", "-plus", "-odd"."""
        begin = position + 1 if self.tokens[position].text == "-" else position
        hedge = self.grammar.after.match(self.tokens, begin)
        if hedge is None or (begin != position and hedge[0] not in {"least", "about"}):
            return None
        if hedge[0] != "plain":
            if tail.hedge is not None:
                return None
            tail.hedge = hedge[0]
        return hedge[1]

    def _read_hedge_in_brackets(self, core: Core, tail: Tail, position: int) -> int | None:
        """Read "(approx.)", "(est.)"."""
        tokens = self.tokens
        if tokens[position].text != "(" or position + 1 >= len(tokens) or tokens[position + 1].kind != "word":
            return None
        end = self._read_hedge_behind(core, replace(tail), position + 1)
        if end is None or end >= len(tokens) or tokens[end].text != ")":
            return None
        self._read_hedge_behind(core, tail, position + 1)
        return end + 1

    def _read_times(self, core: Core, tail: Tail, position: int) -> int | None:
        """Read "times the average"."""
        times = self.grammar.times.match(self.tokens, position)
        if times is None or core.out_of is not None:
            return None
        base = self._times_base(times[1])
        if base is None:
            return None
        tail.times, tail.base, tail.base_digits, tail.has_words = True, base[0], base[1], True
        return len(self.tokens)

    def _read_unit(self, _core: Core, tail: Tail, position: int) -> int | None:
        """Read a unit, also in "14-foot" and in "un millón de toneladas"."""
        if tail.noun == "persons" and self._is_time_unit(position):
            return None  # man-days, people hours
        moved = self._unit_at(position, tail)
        if moved is not None or position + 1 >= len(self.tokens):
            return moved
        following = self.tokens[position + 1]
        is_joined = self.tokens[position].text == "-" and following.kind == "word" and not following.is_spaced
        if is_joined or (self.grammar.nouns.match(self.tokens, position) or ("",))[0] == "fillers":
            return self._unit_at(position + 1, tail)
        return None

    def _is_time_unit(self, position: int) -> bool:
        unit = self.grammar.units.match(self.tokens, position)
        return unit is not None and unit[0] in _TIME_UNITS

    def _read_noun(self, _core: Core, tail: Tail, position: int) -> int | None:
        if state := self.grammar.states.match(self.tokens, position):
            tail.has_words = True
            return state[1]  # "hectares burned"
        noun = self._noun_at(position)
        if noun is None or tail.noun not in {None, noun[0]}:
            return None
        tail.noun, tail.has_words = noun[0], True
        return noun[1]

    def _read_whole(self, _core: Core, tail: Tail, position: int) -> int | None:
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

    def _read_change(self, _core: Core, tail: Tail, position: int) -> int | None:
        """Read "more than in 2022" behind a percentage: the direction and the base of a change."""
        grammar, tokens = self.grammar, self.tokens
        if tail.unit not in RELATIVE_CHANGE_UNITS or tail.sign is not None:
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

    def _read_brackets(self, core: Core, tail: Tail, position: int) -> int | None:
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
        bounds = TailParser(self.text, inner, self.grammar, self.signs, self.context).read_range() if inner else None
        if bounds is None or not bounds[0] <= core.value <= bounds[1]:
            return None
        tail.bounds, tail.coverage, tail.has_words = bounds[:2], coverage, True
        tail.digits = bounds[2] + (("95",) if coverage else ())
        return end + 1

    def _is_conversion(self, inner: list[Token], tail: Tail) -> bool:
        """Return whether brackets give the number in another unit: "US$1 billion (S$1.25 billion)"."""
        if tail.unit in {None, PERCENT, TIMES} and not tail.units:
            return False
        context = replace(self.context, unit=None, is_fractional=None)
        parser = TailParser(self.text, [*inner], self.grammar, self.signs, context)
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


def _is_other_unit(tail: Tail, other: Tail, context_unit: str | None) -> bool:
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
