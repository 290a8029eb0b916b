"""Parses the tokens of a wording in one language.

A wording is `[qualifier] number [range] [unit, category, rate, change, brackets]`. Every token must have a meaning by
one of these rules: nothing is skipped, and what is left out of the figure (footnote marks, an increase in brackets) is
named.
"""

from collections.abc import Iterator
from dataclasses import replace
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
from app.comparison.units import PERCENT, RELATIVE_CHANGE_UNITS, TIMES
from app.comparison.wordings.digits import AmbiguousSeparator, NotANumber
from app.comparison.wordings.numerals import TwoNumbers, spelled_numbers
from app.comparison.wordings.parts import Core, PartsDoNotFit, Tail
from app.comparison.wordings.reading import PropositionName, Reading, UnreadableWording, quote_wording
from app.comparison.wordings.tail_parser import TailParser

_BOUNDS: Final[dict[str, tuple[str, bool, bool]]] = {
    "over": ("lower", False, False),
    "least": ("lower", True, False),
    "most": ("upper", True, False),
    "under": ("upper", False, False),
    "nearly": ("upper", False, True),
    "just_over": ("lower", False, True),
}
"""The bound of each qualifier, whether it is inclusive, and whether the number lies close to it."""


class WordingParser(TailParser):
    """Parses the tokens of one wording in one language."""

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
                if self.verb_sign is not None and tail.unit in RELATIVE_CHANGE_UNITS:
                    tail.sign = self.verb_sign
                try:
                    return self._build(hedge, core, tail)
                except PartsDoNotFit:
                    continue
        return None

    def _starts(self) -> Iterator[tuple[str | None, int]]:
        """Yield the qualifier in front of the number, and the position behind it, also behind "up", "fell by"."""
        yield from self._hedges(0)
        for sign, begin in self.grammar.change_verbs.matches(self.tokens, 0):
            self.verb_sign, self.needs_change, self.verb_preposition = sign, True, self.tokens[begin - 1].text
            yield from self._hedges(begin)
        self.verb_sign, self.verb_preposition = None, ""
        for _, begin in self.grammar.change_lead.matches(self.tokens, 0):
            self.needs_change = True
            yield from self._hedges(begin)

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
            core = Core(value=Fraction(0), end=matched[1])
            tail = self._read_tail(core)
            is_named = tail is not None and (tail.noun is not None or tail.unit == self.context.unit is not None)
            if tail is not None and (is_named or not needs_noun) and tail.hedge is None:
                return self._build(None, core, tail)
        return None

    # The figure

    def _build(self, hedge: str | None, core: Core, tail: Tail) -> Reading:
        """Return the reading. Raises `PartsDoNotFit` if the parts do not fit together."""
        if (tail.hedge is not None and hedge not in {None, tail.hedge}) or (self.needs_change and tail.sign is None):
            raise PartsDoNotFit
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
            raise PartsDoNotFit
        try:
            checked = validate_figure(figure, "quantity")
        except InvalidFigure as error:
            self._note_refusal("out_of_range", f"{quote_wording(self.text)}: {error}", error.hint)
            raise PartsDoNotFit from None
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

    def _figure(self, kind: str | None, core: Core, tail: Tail) -> PrintedFigure:
        value, lower, upper = core.value, core.lower, core.upper
        if tail.bounds is not None:
            lower, upper = tail.bounds
        base = tail.base or None
        if kind is not None and kind != "about":
            if core.out_of is not None:
                self._note_hedged_share()
            if value is None or lower is not None or core.out_of is not None or tail.times:
                raise PartsDoNotFit
            if value < 0 and not self._says_level():
                detail = f"{quote_wording(self.text)} can mean above and below the negative number."
                self._note_refusal("ambiguous_word", detail, "give the bound as `lower` or `upper`")
                raise PartsDoNotFit
            return bound_figure(self.text, kind, self._number(value), base)
        if kind == "about" and core.out_of is not None:
            self._note_hedged_share()
            raise PartsDoNotFit
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

    def _says_level(self) -> bool:
        """Return whether a qualifier says on which side of a negative number the figure lies: "below", not "up to"."""
        return any(self.grammar.levels.match(self.tokens, position) for position in range(len(self.tokens)))

    def _number(self, number: Fraction | None) -> Number | None:
        """Return a number that JSON carries exactly. Raises `PartsDoNotFit` for more digits."""
        if number is None:
            return None
        if number.denominator == 1:
            exact: Number = number.numerator
            fits = len(str(abs(number.numerator)).rstrip("0")) <= MAX_SIGNIFICANT_DIGITS
        else:
            exact = normalize_number(float(number))
            fits = Fraction(repr(float(number))) == number
        if not fits:
            detail = f"{quote_wording(self.text)} has more than {MAX_SIGNIFICANT_DIGITS} digits."
            self._note_refusal("out_of_range", detail)
            raise PartsDoNotFit
        return exact

    # Refusals

    def _note_hedged_share(self) -> None:
        detail = f"{quote_wording(self.text)} is a share with a qualifier, which is not certain as a part and a whole."
        self._note_refusal("share", detail, "give the number in percent, or the part and `out_of`")

    def _explain(self) -> UnreadableWording:
        """Return why the wording is not read."""
        matched = self.grammar.rates.match(self.tokens, 0)
        is_change = self.grammar.change_lead.match(self.tokens, 0) is not None
        if matched is not None and matched[0] == "unsupported" and not is_change:
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
            if token.kind in {"word", "sign"} and token.text not in known and not self._is_known_word(token)
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
