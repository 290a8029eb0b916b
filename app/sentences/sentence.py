"""Builds the printable sentence of a claim: claimant, date, qualification, figure, period and publisher.

Pure functions: the input is the response object of a claim and the names of the records that it refers to. If its
category has `in_text`, the sentence reads as a reporter writes it. Else it is neutral: "The Interior Ministry estimated
107,000 protesters on 15 March 2025 (protest of 15 March 2025 in Belgrade)".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.comparison.leading import REMOVED_DOCUMENT_TITLE, find_leading
from app.sentences.dates import (
    MONTH_NAMES,
    describe_limit,
    describe_period,
    describe_statement_date,
    format_day,
)
from app.sentences.figures import (
    FigurePhrase,
    describe_figure,
    describe_rate,
    describe_ratio,
    describe_relative_figure,
    quote_text,
)
from app.sentences.phrases import (
    CategoryDetails,
    PlaceDetails,
    SourceDetails,
    SubjectDetails,
    capitalize_first,
    collapse_whitespace,
    describe_counted,
    is_named_in,
    is_person,
    join_fragments,
    join_with_and,
    label_source,
    mention_source,
    name_base,
)
from app.sentences.units import describe_unit
from app.sentences.wording_note import describe_wording_difference

JsonObject = Mapping[str, Any]

UNKNOWN_DATE: Final = "on a day that is not known"
_REPORTING_VERBS: Final = {"estimate": "estimated", "forecast": "forecast", "allegation": "claimed"}
_PERIOD_WORDS: Final = {
    *(month.casefold() for month in MONTH_NAMES),
    *("between", "from", "to", "and", "in", "of", "the", "until", "spring", "summer", "autumn", "winter"),
}


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The names of the records that a claim refers to, by slug.

    `categories` are those that a figure is relative to. `disputed_sources` are the sources whose claims a denial
    disputes, `bases` those on whose figures the claim is based, and `repeated_sources` those whose figures it repeats.
    """

    category: CategoryDetails
    subjects: Mapping[str, SubjectDetails] = field(default_factory=dict)
    places: Mapping[str, PlaceDetails] = field(default_factory=dict)
    sources: Mapping[str, SourceDetails] = field(default_factory=dict)
    disputed_sources: Sequence[str] = ()
    bases: Sequence[str] = ()
    repeated_sources: Sequence[str] = ()
    categories: Mapping[str, CategoryDetails] = field(default_factory=dict)

    def find_source(self, slug: str) -> SourceDetails:
        """Return the details of a source; an unknown source has its slug as name."""
        return self.sources.get(slug) or SourceDetails(slug, slug)

    def find_subject(self, slug: str) -> SubjectDetails:
        """Return the details of a subject; an unknown subject has its slug as name."""
        return self.subjects.get(slug) or SubjectDetails(slug)


@dataclass(frozen=True, slots=True)
class ClaimText:
    """The texts of a claim: sentence, short form and figure."""

    sentence: str
    short_form: str
    figure: str
    citation: JsonObject | None
    """The citation that the sentence mentions."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The claim that replaced another claim, as the sentence of the other one mentions it.

    `claim` is its response object, None if it was taken down: nothing of it is printed then.
    """

    claim: JsonObject | None


def write_claim_text(claim: JsonObject, names: ClaimNames, replacement: Replacement | None = None) -> ClaimText:
    """Return the printable sentence, short form and figure of a claim (a response object).

    If a later claim of the same source replaced it, all three say so.
    """
    builder = _SentenceBuilder(claim, names)
    citation = find_leading(claim["citations"])
    claimant = mention_source(names.find_source(claim["source"]["slug"]))
    content = builder.build_content(capitalize_first(str(claimant)))
    sentence = join_fragments([content + _describe_outlet(citation, claim, names) + _describe_retraction(claim)])
    sentence = re.sub(r"([.!?])\.$", r"\1", f"{sentence.rstrip(' ,;')}.")
    sentence = join_fragments([sentence, describe_wording_difference(claim["figure"])])
    sentence += _describe_bases(claim, names)
    if replacement is not None:
        sentence = f"{sentence} {_describe_replacement(replacement, claim, names)}"
    is_superseded = replacement is not None
    short_form = builder.build_short_form() + _describe_marks(claim, names, is_superseded=is_superseded)
    return ClaimText(sentence, short_form, format_figure_cell(claim, names, is_superseded=is_superseded), citation)


def format_figure_cell(claim: JsonObject, names: ClaimNames, *, is_superseded: bool = False) -> str:
    """Return the figure for a spreadsheet cell: number and qualification, and in brackets what a reader must know."""
    period = claim["period"]
    limit = describe_limit(
        period["edtf"],
        str(period["aggregation"]),
        claim["date"],
        claim["date_edtf"],
        is_forecast=claim["modality"] == "forecast",
    )
    marks = _describe_marks(claim, names, limit, is_superseded=is_superseded)
    return describe_figure_briefly(claim, names) + marks


def describe_figure_briefly(claim: JsonObject, names: ClaimNames | None = None) -> str:
    """Return the figure of a claim in few words: number and qualification, "a day" for a rate.

    `names` name the record that a change or a ratio is relative to; without them it has its slug.
    """
    figure, proposition = claim["figure"], str(claim["proposition"])
    if proposition == "ratio" and _has_two_sides(claim):
        return describe_ratio(figure)
    if proposition == "quantity" or (proposition == "ratio" and figure["out_of"] is not None):
        period = claim["period"]
        rate = describe_rate(str(period["aggregation"]), period["per"])
        return describe_figure(figure, proposition).cell_text(rate)
    if proposition in {"change", "ratio"}:
        base = "" if names is None else name_base(figure["relative_to"], names.subjects, names.categories)
        return describe_relative_figure(figure, proposition, base)
    return collapse_whitespace(figure["as_printed"])


def _describe_marks(claim: JsonObject, names: ClaimNames, limit: str = "", *, is_superseded: bool = False) -> str:
    """Return what a reader of the bare figure must know, in brackets: " (forecast; superseded)"."""
    bases = [label_source(names.find_source(slug)) for slug in (*names.bases, *names.repeated_sources)]
    marks = [
        limit,
        "forecast" if claim["modality"] == "forecast" else "",
        f"based on {join_with_and(bases)}" if bases else "",
        "retracted" if claim["status"] == "retracted" else "",
        "superseded" if is_superseded else "",
    ]
    return f" ({'; '.join(mark for mark in marks if mark)})" if any(marks) else ""


def _has_two_sides(claim: JsonObject) -> bool:
    """Return whether a ratio compares two things: "one to five", but neither "1 in 5" nor "four times the average"."""
    return claim["figure"]["out_of"] is not None and claim["figure"]["relative_to"] is not None


class _SentenceBuilder:
    """Builds the parts of the sentence of one claim.

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
            self.proposition == "ratio" and claim["figure"]["out_of"] is not None and not _has_two_sides(claim)
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
        unit = describe_unit(claim["figure"]["unit"])
        self.is_amount = unit.is_measure and not unit.is_share
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
        topic = f"{self._said}{self.date_text} of {self._topic}"
        match self.proposition:
            case "ratio" if _has_two_sides(self.claim):
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
            is_compared = self.proposition == "ratio" and _has_two_sides(self.claim)
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
        counted = self._count(words, category.noun, category.details)
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
                things = self._count(words, category.noun, rate=False)
                parts = [things, f"of {group}" if group else "", self.rate, verb]
            case _:
                among = f"among {group}" if group else ""
                there = f"there {had} be" if self.is_forecast else "there had been"
                parts = [there, self._count(words, category.noun, category.details, rate=False), among, self.rate]
        return join_fragments(parts)

    def quantity_phrase(self, words: FigurePhrase) -> str:
        """Return a noun phrase with the figure, the category and the subject."""
        category, group = self.category, self.group
        if self.is_neutral:
            self.unit_label = words.unit.label
            return join_fragments([words.with_unit, self.rate])
        counted = self._count(words, category.noun, category.details)
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
                things = self._count(words, category.noun, rate=False)
                return join_fragments([things, f"of {group}" if group else "", category.part or "", self.rate])
            case _:
                return join_fragments([counted, f"among {group}" if group else ""])

    def _measure_phrase(self) -> tuple[str, str]:
        """Return a noun phrase for the category without its number, and its pronoun."""
        category, group = self.category, self.group
        noun = category.with_details(category.noun)
        match category.form:
            case "people":
                people = self.people or "people"
                note = f"({category.note})" if category.note else ""
                return join_fragments(["the number of", people, category.part or "", note]), "that"
            case "lost":
                return join_fragments([noun, "lost", f"by {group}" if group else ""]), "those"
            case "things":
                return join_fragments(
                    [category.noun or "", f"of {group}" if group else "", category.part or ""]
                ), "those"
            case _:
                return join_fragments([noun, f"among {group}" if group else ""]), "those"

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
        return (
            {"allegation": "claimed", "forecast": "forecast"}.get(self.modality, "said")
            if (self.proposition == "peak_period")
            else ("said" if self.modality != "allegation" else "claimed without giving grounds")
        )

    @property
    def _quoted_words(self) -> str:
        return quote_text(self.claim["figure"]["as_printed"])

    @property
    def _own_words(self) -> str:
        """The wording of the source, quoted; a comparison in another language in English, without quotation marks."""
        if self.proposition in {"change", "ratio"}:
            figure = self.claim["figure"]
            return describe_relative_figure(figure, self.proposition, self._name_base(), is_quoted=True)
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
        elif self.proposition == "ratio" and _has_two_sides(claim):
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


def _describe_bases(claim: JsonObject, names: ClaimNames) -> str:
    """Return a sentence on whose figures a claim rests: " This is based on a figure from Agency A."."""
    sentences = []
    for verb, slugs in (("is based on", names.bases), ("repeats", names.repeated_sources)):
        sources = [mention_source(names.find_source(slug)).text for slug in slugs]
        if sources:
            figure = "a figure" if len(sources) == 1 else "figures"
            sentences.append(f" This {verb} {figure} from {join_with_and(sources)}.")
    if not sentences and claim.get("derivation") == "derived":
        return " This is based on figures from others."
    return "".join(sentences)


def _describe_outlet(citation: JsonObject | None, claim: JsonObject, names: ClaimNames) -> str:
    """Return the publisher and the citation chain; empty if the claimant published the document."""
    if citation is None:
        return ""
    document = citation["document"]
    fidelity_notes = {"rounded": "rounding the figure", "distorted": "changing the figure or what it means"}
    notes = [fidelity_notes[fidelity]] if (fidelity := str(citation["fidelity"])) in fidelity_notes else []
    chain = [names.find_source(slug) for slug in citation["via"] if slug != document["publisher"]]
    notes += [_describe_chain(chain)] if chain else []
    withdrawal = ""
    if citation["withdrawn_on"] is not None:
        withdrawal = f"in a report that it took back on {format_day(citation['withdrawn_on'])}"
    if document["publisher"] is None and document["title"] == REMOVED_DOCUMENT_TITLE:
        return ", according to a document that was taken down"
    if document["publisher"] is None:
        return f", according to {quote_text(document['title'])}" + "".join(f", {note}" for note in notes)
    outlet = names.find_source(document["publisher"])
    if outlet.slug == claim["source"]["slug"] and not notes and not withdrawal:
        return ""
    mention = mention_source(outlet)
    if citation["role"] == "original":
        clause = (
            "in its own publication" if outlet.slug == claim["source"]["slug"] else f"as published by {mention.text}"
        )
    elif outlet.kind == "dataset":
        clause = f"according to {mention.text}"
    else:
        clause = f"{mention} reported"
    return f", {join_fragments([clause, withdrawal])}" + "".join(f", {note}" for note in notes)


def _describe_chain(chain: Sequence[SourceDetails]) -> str:
    """Return the chain from the document back to the claimant: "citing an agency, which cited a lawmaker"."""
    nearest, *others = reversed(chain)
    text = f"citing {mention_source(nearest).text}"
    previous = nearest
    for source in others:
        text += f", {'who' if is_person(previous) else 'which'} cited {mention_source(source).text}"
        previous = source
    return text


def _describe_retraction(claim: JsonObject) -> str:
    if claim["status"] != "retracted":
        return ""
    day = claim["retracted_on"]
    return "; the claim was later retracted by its source" + (f", on {format_day(day)}" if day else "")


def _describe_replacement(replacement: Replacement, claim: JsonObject, names: ClaimNames) -> str:
    """Return a sentence on the claim that replaced `claim`: "Agency A later gave 5,143 (5 January 2018)."."""
    newer = replacement.claim
    source = names.find_source((newer or claim)["source"]["slug"])
    claimant = capitalize_first(str(mention_source(source)))
    if newer is None:
        return f"{claimant} later replaced this figure."
    day = describe_statement_date(newer["date"], newer["date_edtf"])
    text = f"{claimant} later gave {describe_figure_briefly(newer, names)} ({day.text if day else 'undated'})"
    if newer["status"] != "retracted":
        return f"{text}."
    retracted_on = newer["retracted_on"]
    return f"{text}; this replacement was withdrawn{f' on {format_day(retracted_on)}' if retracted_on else ''}."
