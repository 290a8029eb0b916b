"""Builds the main clause of a sentence about a claim: claimant, verb, date, figure, period."""

import re
from typing import Final

from app.comparison.units import PERCENTAGE_POINTS
from app.sentences.claim_names import ClaimNames, JsonObject
from app.sentences.dates import MONTH_NAMES, describe_period, describe_statement_date
from app.sentences.figures import (
    FigurePhrase,
    describe_figure,
    describe_rate,
    describe_ratio,
    describe_relative_figure,
    quote_text,
)
from app.sentences.phrases import (
    PlaceDetails,
    collapse_whitespace,
    describe_counted,
    is_named_in,
    join_fragments,
    join_with_and,
    label_source,
    mention_source,
    name_base,
)
from app.sentences.units import describe_unit

UNKNOWN_DATE: Final = "on a day that is not known"
_REPORTING_VERBS: Final = {"estimate": "estimated", "forecast": "forecast", "allegation": "claimed"}
_PERIOD_WORDS: Final = {
    *(month.casefold() for month in MONTH_NAMES),
    *("between", "from", "to", "and", "in", "of", "the", "until", "spring", "summer", "autumn", "winter"),
}


def has_two_sides(claim: JsonObject) -> bool:
    """Return whether a ratio compares two things: "one to five", but neither "1 in 5" nor "four times the average"."""
    return claim["figure"]["out_of"] is not None and claim["figure"]["relative_to"] is not None


class MainClauseBuilder:
    """Builds the main clause and the short form of one claim.

    What cannot be said in the running text, because no record says how, stands in brackets: `labels`.
    """

    def __init__(self, claim: JsonObject, names: ClaimNames) -> None:
        self.claim = claim
        self.names = names
        self.modality = str(claim["modality"])
        self.proposition = str(claim["proposition"])
        self.is_forecast = self.modality == "forecast"
        period = claim["period"]
        self.aggregation = str(period["aggregation"])
        self.rate = describe_rate(self.aggregation, period["per"])
        self.period_text = describe_period(
            period["edtf"], self.aggregation, claim["date"], claim["date_edtf"], is_forecast=self.is_forecast
        )
        self.statement_date = describe_statement_date(claim["date"], claim["date_edtf"])
        self.is_quantity = self.proposition == "quantity" or (
            self.proposition == "ratio" and claim["figure"]["out_of"] is not None and not has_two_sides(claim)
        )
        self.category = names.category
        self.is_neutral = not self._has_words()
        subject = names.find_subject(claim["subject"])
        self.scope = self._describe_scope()
        self.group = None if self.is_neutral or subject.group is None else self._with_scope(subject.group)
        self.people = None if self.is_neutral or subject.people is None else self._with_scope(subject.people)
        self.is_counting_people = self.category.form == "people"
        place = names.places.get(claim["place"]) or PlaceDetails(claim["place"])
        is_place_named = is_named_in(collapse_whitespace(place.name), subject.text)
        self.place_text = "" if is_place_named else collapse_whitespace(place.in_text or "")
        self.subject_label = self._with_scope(collapse_whitespace(subject.name))
        self.place_label = "" if is_place_named or place.in_text else collapse_whitespace(place.name)
        self.unit_label = ""
        is_relative = self.proposition in {"change", "ratio"}  # in percent, of an area
        unit = describe_unit((is_relative and self.category.unit) or claim["figure"]["unit"])
        self.is_amount = unit.is_measure and not (unit.is_share or unit.per)
        if self.is_amount and self.category.form == "there":
            self.group = None  # money or land is not among anybody

    def _has_words(self) -> bool:
        """Return whether the `in_text` of the category has all words that this sentence needs."""
        verb = "part"
        if self.is_quantity and self.modality != "count":
            verb = "future" if self.is_forecast else "past"
        needed = {"people": (verb,), "things": ("noun", verb)}.get(self.category.form or "", ("noun",))
        return self.category.form is not None and all(getattr(self.category, name) for name in needed)

    def _describe_scope(self) -> str:
        """Return a note on the groups that the source includes or excludes."""
        notes = []
        for name, words in (("includes", "including"), ("excludes", "not counting")):
            if slugs := self.claim[name]:
                notes.append(f"{words} {join_with_and([self.names.find_subject(slug).text for slug in slugs])}")
        return "; ".join(notes)

    def _with_scope(self, words: str) -> str:
        return join_fragments([words, f"({self.scope})" if self.scope else ""])

    @property
    def date_text(self) -> str:
        """The date of the statement, to follow the verb, with the confidence that the source states."""
        return (f" {self.statement_date}" if self.statement_date else f", {UNKNOWN_DATE},") + self._stated_confidence

    @property
    def _stated_confidence(self) -> str:
        stated = (self.claim["confidence"] or {}).get("stated")
        return f" ({quote_text(stated)})" if stated else ""

    def build_content(self, claimant: str) -> str:
        """Return the main clause: claimant, verb, date and statement."""
        if self.is_quantity:
            words = describe_figure(self.claim["figure"], self.proposition)
            if self.is_neutral:
                predicate = self._describe_neutral_quantity(words)
            elif self.modality == "count":
                predicate = self._describe_count(words)
            else:
                predicate = self._describe_quantity(words)
        else:
            predicate = self._describe_other_proposition()
        return f"{claimant} {predicate}"

    def _describe_other_proposition(self) -> str:
        """Return the predicate of a statement that is no quantity."""
        topic = f"{self._said}{self.date_text} {'for' if self.is_forecast else 'of'} {self._topic}"
        match self.proposition:
            case "ratio" if has_two_sides(self.claim):
                return self._describe_neutral_ratio() if self.is_neutral else self._describe_ratio()
            case "peak_period" if self.is_neutral:
                return f"{topic}: {join_fragments(['highest', self.period_text, self._peak_quote])}"
            case "peak_period":
                return self._describe_peak()
            case "denial":
                return f"rejected{self.date_text} {self._describe_denied()}: {self._quoted_words}"
            case _:
                return f"{topic}: {self._own_words}"

    def _describe_neutral_quantity(self, words: FigurePhrase) -> str:
        """Return the predicate of a figure without words of its category, which is named in brackets."""
        kind = "figure" if words.unit.is_measure or self.proposition == "ratio" else "count"
        verbs = {"count": ("gave", f"a {kind} of"), "allegation": ("claimed", "a figure of")}
        verb, article = verbs.get(self.modality, (_REPORTING_VERBS.get(self.modality, "estimated"), ""))
        figure = self.quantity_phrase(words)
        return join_fragments([verb + self._stated_confidence, article, figure, self._where_and_when(words.tail)])

    def _describe_neutral_ratio(self) -> str:
        verb = "gave" if self.modality == "count" else _REPORTING_VERBS.get(self.modality, "gave")
        ratio = f"a ratio of {describe_ratio(self.claim['figure'])}"
        return join_fragments([verb + self._stated_confidence, ratio, self._where_and_when()])

    @property
    def _is_said_on_its_day(self) -> bool:
        """Whether the period is the day of the statement, so that a sentence names it once."""
        return self.statement_date is not None and str(self.statement_date) == self._day_of_period

    @property
    def _day_of_period(self) -> str:
        return self.period_text.replace("as of", "on", 1) if self.aggregation == "snapshot" else self.period_text

    def _where_and_when(self, tail: str = "", *, has_date: bool = True) -> str:
        """Return place, period, labels in brackets, the tail of the figure, and what it is relative to."""
        period = self.period_text
        if self._is_said_on_its_day and has_date:
            period = self._day_of_period if self.is_neutral else "that day"
        labels = self._labels_in_brackets(has_date=has_date)
        return join_fragments([self.place_text, period, labels, tail, self._base_phrase()])

    def _labels_in_brackets(self, *, has_date: bool = True) -> str:
        """Return in brackets what the running text does not say; in a neutral sentence also when it was said."""
        labels: list[str] = []
        if self.is_neutral and self.category.name_with_details().casefold() != self.unit_label.casefold():
            labels.append(self.category.name_with_details())
        if self._needs_subject_label:
            is_compared = self.proposition == "ratio" and has_two_sides(self.claim)
            labels.append(f"{self.subject_label} to {self._name_base()}" if is_compared else self.subject_label)
        labels.append(self.place_label)
        is_said = self.statement_date is not None and self.statement_date.text in self.period_text
        if self.is_neutral and has_date and not is_said:
            labels.append(f"said {self.statement_date or UNKNOWN_DATE}")
        distinct = {label.casefold(): label for label in reversed(labels) if label}
        return f"({'; '.join(reversed(distinct.values()))})" if distinct else ""

    @property
    def _needs_subject_label(self) -> bool:
        return (self.people if self.is_counting_people else self.group) is None

    def _name_base(self) -> str:
        """Return what a figure is relative to, in words."""
        return name_base(self.claim["figure"]["relative_to"], self.names.subjects, self.names.categories)

    def _base_phrase(self) -> str:
        if self.claim["figure"]["relative_to"] is None or self.proposition != "quantity":
            return ""
        return f", relative to {self._name_base()}"

    def _describe_quantity(self, words: FigurePhrase) -> str:
        verb = _REPORTING_VERBS.get(self.modality, "estimated") + self.date_text
        return f"{verb} that {join_fragments([self._quantity_clause(words), self._where_and_when(words.tail)])}"

    def _describe_count(self, words: FigurePhrase) -> str:
        """Return the predicate of a count: "gave a count of". The sentence does not assert that it is right."""
        kind = "figure" if words.unit.is_measure else "count"
        phrase = join_fragments([self.quantity_phrase(words), self._where_and_when(words.tail)])
        return f"gave{self.date_text} a {kind} of {phrase}"

    def _count(self, words: FigurePhrase, noun: str | None, details: str = "", *, rate: bool = True) -> str:
        """Return a figure with what is counted, its details in brackets, and its rate."""
        shown = collapse_whitespace(noun or "")
        return describe_counted(
            words.main,
            shown,
            words.unit,
            self.rate if rate else "",
            details=f"({details})" if details else "",
            is_one=words.is_one,
        )

    def _count_people(self, words: FigurePhrase) -> str:
        return self._count(words, self.people) if self.people else join_fragments([words.with_unit, self.rate])

    def _quantity_clause(self, words: FigurePhrase) -> str:
        """Return the subordinate clause with the figure and the subject."""
        category, group = self.category, self.group
        verb = (category.future if self.is_forecast else category.past) or ""
        had = "would" if self.is_forecast else "had"
        counted = self._count(words, self._noun, category.details)
        match category.form:
            case "people":
                parts = [self._count_people(words), verb, f"({category.note})" if category.note else ""]
            case "suffered" if group is not None:
                parts = [group, "would suffer" if self.is_forecast else "had suffered", counted]
            case "lost" if group is not None:
                parts = [group, "would lose" if self.is_forecast else "had lost", counted]
            case "lost":
                parts = [counted, "would be lost" if self.is_forecast else "had been lost"]
            case "things":
                things = self._count(words, self._noun, rate=False)
                parts = [things, self._of_group("of"), self.rate, verb]
            case _:
                there = f"there {had} be" if self.is_forecast else "there had been"
                counted = self._count(words, self._noun, category.details, rate=False)
                parts = [there, counted, self._of_group("among"), self.rate]
        return join_fragments(parts)

    def quantity_phrase(self, words: FigurePhrase) -> str:
        """Return a noun phrase with the figure, the category and the subject."""
        category, group = self.category, self.group
        if self.is_neutral:
            self.unit_label = words.unit.label
            return join_fragments([words.with_unit, self.rate])
        counted = self._count(words, self._noun, category.details)
        match category.form:
            case "people":
                note = f"({category.note})" if category.note else ""
                figure = self._count(words, self.people, rate=False) if self.people else words.with_unit
                return join_fragments([figure, category.part or "", note, self.rate])
            case "suffered":
                return join_fragments([counted, f"suffered by {group}" if group else ""])
            case "lost":
                return join_fragments([counted, "lost", f"by {group}" if group else ""])
            case "things":
                things = self._count(words, self._noun, rate=False)
                return join_fragments([things, self._of_group("of"), category.part or "", self.rate])
            case _:
                return join_fragments([counted, self._of_group("among")])

    @property
    def _noun(self) -> str:
        """What is counted: the group, if its words end with the noun: "long-distance trains" for "trains"."""
        noun = collapse_whitespace(self.category.noun or "")
        is_group_counted = bool(noun) and self.group is not None and f" {self.group}".endswith(f" {noun}")
        return self.group if is_group_counted and self.group is not None else noun

    def _of_group(self, preposition: str) -> str:
        """Return whose things are counted; empty if the things are the group: "2,300 blue whales", not "among them"."""
        return "" if self.group is None or self._noun == self.group else f"{preposition} {self.group}"

    def _measure_phrase(self) -> tuple[str, str]:
        """Return a noun phrase for the category without its number, and its pronoun."""
        category, group = self.category, self.group
        noun = category.with_details(self._noun)
        match category.form:
            case "people":
                people = f"of {self.people}" if self.people else ""
                note = f"({category.note})" if category.note else ""
                measured = "share" if self.claim["figure"]["unit"] == PERCENTAGE_POINTS else "number"
                return join_fragments([f"the {measured}", people, category.part or "", note]), "that"
            case "lost":
                return join_fragments([noun, "lost", f"by {group}" if group else ""]), "those"
            case "things":
                return join_fragments([self._noun, self._of_group("of"), category.part or ""]), "those"
            case _:
                return join_fragments([noun, self._of_group("among")]), "those"

    @property
    def _topic(self) -> str:
        """What a statement without a number of its own is about."""
        if self.is_neutral:
            labels = [self.category.details_beside_name, self.subject_label, self.place_label]
            distinct = dict.fromkeys(label for label in labels if label)
            words = join_fragments([collapse_whitespace(self.category.name), f"({'; '.join(distinct)})"])
        else:
            words = self._measure_phrase()[0]
        period = "" if self.proposition == "peak_period" else self.period_text
        labels_text = "" if self.is_neutral else self._labels_in_brackets()
        return join_fragments([words, self.place_text, period, labels_text])

    def _describe_ratio(self) -> str:
        measure, pronoun = self._measure_phrase()
        base = self.claim["figure"]["relative_to"] or ""
        is_subject = base in self.names.subjects
        against = f"{pronoun} of {self._name_base()}" if is_subject else self._name_base()
        verb = _REPORTING_VERBS.get(self.modality, "said") + self.date_text
        was = "would be" if self.is_forecast else "was"
        ratio = describe_ratio(self.claim["figure"])
        label = "" if not self._needs_subject_label else f"({self.subject_label})"
        place = f"({self.place_label})" if self.place_label else ""
        parts = ("the ratio of", measure, label, "to", against, self.place_text, self.period_text, place, was, ratio)
        return f"{verb} that {join_fragments(parts)}"

    @property
    def _said(self) -> str:
        if self.modality == "allegation":
            return "claimed" if self.proposition == "peak_period" else "claimed without giving grounds"
        return "forecast" if self.is_forecast else "said"

    @property
    def _quoted_words(self) -> str:
        return quote_text(self.claim["figure"]["as_printed"])

    @property
    def _own_words(self) -> str:
        """The wording of the source, quoted; a comparison in another language in English, without quotation marks."""
        if self.proposition in {"change", "ratio"}:
            figure = self.claim["figure"]
            return describe_relative_figure(figure, self.proposition, self._name_base(), self.rate, is_quoted=True)
        return self._quoted_words

    @property
    def _peak_quote(self) -> str:
        """The wording of a peak, quoted if words other than months and prepositions qualify it."""
        words = self.claim["figure"]["as_printed"]
        tokens = set(re.findall(r"[^\W\d_]+", words.casefold()))
        return "" if tokens <= _PERIOD_WORDS else f"({quote_text(words)})"

    def _describe_peak(self) -> str:
        was = "would be" if self.is_forecast else "had been"
        measure, pronoun = self._measure_phrase()
        at = "at its highest" if pronoun == "that" or self.is_amount else "at their highest"
        labels = self._labels_in_brackets()
        peak = join_fragments((measure, self.place_text, labels, was, at, self.period_text, self._peak_quote))
        return f"{self._said}{self.date_text} that {peak}"

    def _describe_denied(self) -> str:
        disputed = [mention_source(self.names.find_source(slug)).text for slug in self.names.disputed_sources]
        what = f"what {join_with_and(disputed)} had said about" if disputed else "claims about"
        return f"{what} {self._topic}"

    def build_short_form(self) -> str:
        """Return claimant, date and figure, for a label or a footnote."""
        claim = self.claim
        day = self.statement_date.text if self.statement_date else "undated"
        if self.is_quantity:
            words = describe_figure(claim["figure"], self.proposition)
            where = self._where_and_when(words.tail, has_date=False)
            what = join_fragments([self.quantity_phrase(words), where])
        elif self.proposition == "ratio" and has_two_sides(claim):
            what = f"{describe_ratio(claim['figure'])} ({self._ratio_label}) {self.place_text} {self.period_text}"
        elif self.proposition == "peak_period":
            what = f"{self._topic}: highest {self.period_text}"
        else:
            what = f"{self.proposition} of {self._topic}: {self._own_words}"
        return join_fragments([f"{label_source(self.names.find_source(claim['source']['slug']))}, {day}: {what}"])

    @property
    def _ratio_label(self) -> str:
        category = self.category
        words = category.name if self.is_neutral else category.noun or category.part
        labels = [category.with_details(words), f"{self.subject_label} to {self._name_base()}", self.place_label]
        return "; ".join(label for label in labels if label)
