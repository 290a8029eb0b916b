"""Builds the printable sentence of a claim: claimant, date, qualification, figure, period and publisher.

Pure functions: the input is the response object of a claim and the names of the records that it refers to.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.comparison.leading import find_leading
from app.sentences.dates import MONTH_NAMES, describe_period, describe_statement_date, format_day
from app.sentences.figures import FigurePhrase, describe_figure, describe_ratio, quote_text
from app.sentences.phrases import (
    CategoryPhrase,
    SourceDetails,
    SubjectPhrase,
    capitalize_first,
    collapse_whitespace,
    describe_category,
    describe_place,
    describe_subject,
    is_person,
    join_fragments,
    join_with_and,
    mention_source,
)
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
    """The names of the records that a claim refers to.

    `components` are those of the category: None if unstated, empty for an atomic category. `disputed_sources` are the
    sources whose claims a denial disputes.
    """

    category: str
    components: Sequence[str] | None = ()
    subjects: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, SourceDetails] = field(default_factory=dict)
    disputed_sources: Sequence[str] = ()

    def find_source(self, slug: str) -> SourceDetails:
        """Return the details of a source; an unknown source has its slug as name."""
        return self.sources.get(slug) or SourceDetails(slug, slug)


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
    short_form, figure = _build_short_form(builder, claimant.text), format_figure_cell(claim)
    if replacement is not None:
        sentence = f"{sentence} {_describe_replacement(replacement, claim, names)}"
        short_form, figure = f"{short_form} (superseded)", f"{figure} (superseded)"
    return ClaimText(sentence, short_form, figure, citation)


def format_figure_cell(claim: JsonObject) -> str:
    """Return the figure for a spreadsheet cell: number and qualification, "a day" for a rate, "(retracted)"."""
    text = describe_figure_briefly(claim)
    return f"{text} (retracted)" if claim["status"] == "retracted" else text


def describe_figure_briefly(claim: JsonObject) -> str:
    """Return the figure of a claim in few words: number and qualification, "a day" for a rate."""
    match claim["proposition"]:
        case "quantity":
            text = join_fragments([describe_figure(claim["figure"]).cell_text, _describe_rate(claim)])
        case "ratio" if _has_two_sides(claim):
            text = describe_ratio(claim["figure"])
        case _:
            text = collapse_whitespace(claim["figure"]["as_printed"])
    return text


def _describe_rate(claim: JsonObject) -> str:
    """Return the unit of time of a rate, such as "a day"; empty for other figures."""
    if claim["period"]["aggregation"] != "rate":
        return ""
    per = claim["period"]["per"]
    return "(a rate without a stated unit of time)" if per is None else f"{'an' if per == 'hour' else 'a'} {per}"


def _has_two_sides(claim: JsonObject) -> bool:
    """Return whether a ratio compares two things: "one to five", but neither "1 in 5" nor "four times the average"."""
    return claim["figure"]["out_of"] is not None and claim["figure"]["relative_to"] is not None


class _SentenceBuilder:
    """Builds the parts of the sentence of one claim."""

    def __init__(self, claim: JsonObject, names: ClaimNames) -> None:
        self.claim = claim
        self.names = names
        self.modality = str(claim["modality"])
        self.aggregation = str(claim["period"]["aggregation"])
        unit = claim["figure"]["unit"] or ""
        self.category: CategoryPhrase = describe_category(names.category, unit, names.components)
        subject = describe_subject(self._subject_name(claim["subject"]), unit)
        scope = self._scope_note()
        self.plain_subject_text = subject.text
        self.subject = SubjectPhrase(join_fragments([subject.text, scope]), join_fragments([subject.people, scope]))
        place = names.places.get(claim["place"], claim["place"])
        is_in_subject = collapse_whitespace(place).split(" (")[0].casefold() in subject.text.casefold()
        self.place_text = "" if is_in_subject else describe_place(place)
        self.period_text = describe_period(claim["period"]["edtf"], self.aggregation, claim["date"])
        self.statement_date = describe_statement_date(claim["date"], claim["date_edtf"])

    def _subject_name(self, slug: str) -> str:
        return self.names.subjects.get(slug, slug)

    def _scope_note(self) -> str:
        """Return a note on the groups that the source includes or excludes."""
        notes = []
        for name, words in (("includes", "including"), ("excludes", "not counting")):
            if slugs := self.claim[name]:
                notes.append(
                    f"{words} {join_with_and([describe_subject(self._subject_name(slug), '').text for slug in slugs])}"
                )
        return f"({'; '.join(notes)})" if notes else ""

    @property
    def date_text(self) -> str:
        """The date of the statement, to follow the verb, with the confidence that the source states."""
        stated = (self.claim["confidence"] or {}).get("stated")
        confidence = f" ({quote_text(stated)})" if stated else ""
        return (f" {self.statement_date}" if self.statement_date else f", {UNKNOWN_DATE},") + confidence

    def build_content(self, claimant: str) -> str:
        """Return the main clause: claimant, verb, date and statement."""
        match self.claim["proposition"]:
            case "quantity":
                words = describe_figure(self.claim["figure"])
                clause = self._describe_count(words) if self.modality == "count" else self._describe_quantity(words)
            case "ratio" if _has_two_sides(self.claim):
                clause = self._describe_ratio()
            case "peak_period":
                clause = self._describe_peak()
            case "denial":
                clause = self._describe_denial()
            case _:
                clause = self._describe_printed_words()
        return f"{claimant} {clause}"

    def _verb_with_date(self, other: str = "estimated") -> str:
        return _REPORTING_VERBS.get(self.modality, other) + self.date_text

    def _base_phrase(self) -> str:
        base = self.claim["figure"]["relative_to"]
        if base is None:
            return ""
        name = self.names.subjects.get(base)
        return f", relative to {describe_subject(name, '').text if name else collapse_whitespace(base)}"

    def _describe_quantity(self, words: FigurePhrase) -> str:
        parts = (self._quantity_clause(words.main), words.tail, self._base_phrase())
        return f"{self._verb_with_date()} that {join_fragments(parts)}"

    def _describe_count(self, words: FigurePhrase) -> str:
        """Return the predicate of a count: "gave a count of". The sentence does not assert that it is right."""
        parts = (self.quantity_phrase(words.main), self.place_text, self.period_text, words.tail, self._base_phrase())
        return f"gave{self.date_text} a count of {join_fragments(parts)}"

    @property
    def _rate_suffix(self) -> str:
        return _describe_rate(self.claim)

    def _quantity_clause(self, figure: str) -> str:
        """Return the subordinate clause with the figure, the subject, the place and the period."""
        category, subject = self.category, self.subject
        is_forecast = self.modality == "forecast"
        participle = category.future if is_forecast else category.past
        match category.form:
            case "people":
                parts = [figure, subject.people, self._rate_suffix, participle, self._note_in_brackets()]
            case "suffered":
                suffered = "would suffer" if is_forecast else "had suffered"
                parts = [subject.text, suffered, figure, category.noun_with_note, self._rate_suffix]
            case "lost":
                parts = [
                    subject.text,
                    "would lose" if is_forecast else "had lost",
                    figure,
                    category.noun_with_note,
                    self._rate_suffix,
                ]
            case "things":
                parts = [figure, category.noun, "of", subject.text, self._rate_suffix, participle]
            case "there":
                there = "there would be" if is_forecast else "there had been"
                parts = [there, figure, category.noun_with_note, "among", subject.text, self._rate_suffix]
            case _:
                was = "would be" if is_forecast else "was"
                return join_fragments(
                    [
                        self._measure_phrase()[0],
                        self.place_text,
                        self.period_text,
                        was,
                        figure,
                        category.unit,
                        self._rate_suffix,
                    ]
                )
        return join_fragments([*parts, self.place_text, self.period_text])

    @property
    def _quoted_category(self) -> str:
        """The recorded name of a category without a phrase, in quotation marks."""
        details = (self.subject.text, self.category.note)
        return f"{quote_text(self.category.noun)} ({'; '.join(detail for detail in details if detail)})"

    def _note_in_brackets(self) -> str:
        return f"({self.category.note})" if self.category.note else ""

    def quantity_phrase(self, figure: str) -> str:
        """Return a noun phrase with the figure, the category and the subject."""
        category, subject = self.category, self.subject
        match category.form:
            case "people":
                return join_fragments(
                    [figure, subject.people, category.part, self._note_in_brackets(), self._rate_suffix]
                )
            case "suffered":
                return join_fragments([figure, category.noun_with_note, self._rate_suffix, "suffered by", subject.text])
            case "lost":
                return join_fragments([figure, category.noun_with_note, self._rate_suffix, "lost by", subject.text])
            case "things":
                return join_fragments([figure, category.noun, "of", subject.text, category.part, self._rate_suffix])
            case "there":
                return join_fragments([figure, category.noun_with_note, self._rate_suffix, "among", subject.text])
            case _:
                return join_fragments([figure, category.unit, self._rate_suffix, f"for {self._quoted_category}"])

    def _measure_phrase(self) -> tuple[str, str]:
        """Return a noun phrase for the category without its number, and its pronoun."""
        category, subject = self.category, self.subject
        match category.form:
            case "people":
                return join_fragments(
                    ["the number of", subject.people, category.part, self._note_in_brackets()]
                ), "that"
            case "suffered" | "there":
                return f"{category.noun_with_note} among {subject.text}", "those"
            case "lost":
                return f"{category.noun_with_note} lost by {subject.text}", "those"
            case "things":
                return f"{category.noun} of {subject.text} {category.part}", "those"
            case _:
                return f"the figure for {self._quoted_category}", "that"

    def _describe_ratio(self) -> str:
        measure, pronoun = self._measure_phrase()
        base = self.claim["figure"]["relative_to"] or ""
        other = self.names.subjects.get(base)
        against = f"{pronoun} of {describe_subject(other, '').text}" if other else collapse_whitespace(base)
        was = "would be" if self.modality == "forecast" else "was"
        parts = (
            "the ratio of",
            measure,
            "to",
            against,
            self.place_text,
            self.period_text,
            was,
            describe_ratio(self.claim["figure"]),
        )
        return f"{self._verb_with_date('said')} that {join_fragments(parts)}"

    def _said_with_date(self) -> str:
        return {"allegation": "claimed", "forecast": "forecast"}.get(self.modality, "said") + self.date_text

    def _describe_peak(self) -> str:
        words = self.claim["figure"]["as_printed"]
        tokens = set(re.findall(r"[^\W\d_]+", words.casefold()))
        # Words other than months and prepositions may qualify the statement, so they are quoted.
        quote = "" if tokens <= _PERIOD_WORDS else f"({quote_text(words)})"
        was = "would be" if self.modality == "forecast" else "had been"
        measure, pronoun = self._measure_phrase()
        at = "at its highest" if pronoun == "that" else "at their highest"
        peak = join_fragments((measure, self.place_text, was, at, self.period_text, quote))
        return f"{self._said_with_date()} that {peak}"

    def _describe_printed_words(self) -> str:
        """Return the predicate of a statement that is printed in its own words, such as a trend or a change."""
        verb = "said" if self.modality != "allegation" else "claimed without giving grounds"
        words = quote_text(self.claim["figure"]["as_printed"])
        topic = join_fragments((self._measure_phrase()[0], self.place_text, self.period_text))
        return f"{verb}{self.date_text} of {topic}: {words}"

    def _describe_denial(self) -> str:
        disputed = [mention_source(self.names.find_source(slug)).text for slug in self.names.disputed_sources]
        what = f"what {join_with_and(disputed)} had said about" if disputed else "claims about"
        parts = (what, self._measure_phrase()[0], self.place_text, self.period_text)
        return f"rejected{self.date_text} {join_fragments(parts)}: {quote_text(self.claim['figure']['as_printed'])}"


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
    """Return the chain from the document back to the claimant: "citing Reuters, which cited a lawmaker"."""
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
    """Return a sentence on the claim that replaced `claim`: "CSIS later gave 5,143 (5 January 2018)."."""
    newer = replacement.claim
    source = names.find_source((newer or claim)["source"]["slug"])
    claimant = capitalize_first(str(mention_source(source)))
    if newer is None:
        return f"{claimant} later replaced this figure."
    day = describe_statement_date(newer["date"], newer["date_edtf"])
    text = f"{claimant} later gave {describe_figure_briefly(newer)} ({day.text if day else 'undated'})"
    if newer["status"] != "retracted":
        return f"{text}."
    retracted_on = newer["retracted_on"]
    return f"{text}; this replacement was withdrawn{f' on {format_day(retracted_on)}' if retracted_on else ''}."


def _build_short_form(builder: _SentenceBuilder, claimant: str) -> str:
    """Return claimant, date and figure, for a label or a footnote."""
    claim = builder.claim
    day = builder.statement_date.text if builder.statement_date else "undated"
    match claim["proposition"]:
        case "quantity":
            words = describe_figure(claim["figure"])
            what = f"{builder.quantity_phrase(words.main)} {builder.period_text}{words.tail}"
        case "ratio" if _has_two_sides(claim):
            what = f"{describe_ratio(claim['figure'])} ({builder.category.noun_with_note}) {builder.period_text}"
        case "peak_period":
            what = f"highest {builder.period_text}"
        case _:
            what = f"{claim['proposition']}: {quote_text(claim['figure']['as_printed'])}"
    retracted = " (retracted)" if claim["status"] == "retracted" else ""
    return join_fragments([f"{capitalize_first(claimant.removeprefix('the '))}, {day}: {what}{retracted}"])
