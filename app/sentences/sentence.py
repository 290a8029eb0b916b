"""The sentence that an editor can print: who said it and when, with its hedge, what it counts, and where it was read.

Plain values in, plain text out: a claim as it is served, and the names of what it refers to.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

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

JsonObject = Mapping[str, Any]

UNKNOWN_DATE: Final = "on a day that is not known"
_REPORTING_VERBS: Final = {"estimate": "estimated", "forecast": "forecast", "allegation": "claimed"}
_FIDELITY_RANKS: Final = {"rounded": 1, "distorted": 2}
_PERIOD_WORDS: Final = {
    *(month.casefold() for month in MONTH_NAMES),
    *("between", "from", "to", "and", "in", "of", "the", "until", "spring", "summer", "autumn", "winter"),
}


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """What the slugs of a claim are called: its category with its components, and subjects, places and sources.

    `components` is None where they are unstated and empty for an atom; `disputed` are the sources whose claim this one
    denies.
    """

    category: str
    components: Sequence[str] | None = ()
    subjects: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, SourceDetails] = field(default_factory=dict)
    disputed_sources: Sequence[str] = ()

    def find_source(self, slug: str) -> SourceDetails:
        """The source called `slug`; one that nothing is known of goes by its slug."""
        return self.sources.get(slug) or SourceDetails(slug, slug)


@dataclass(frozen=True, slots=True)
class ClaimText:
    """A claim put into words."""

    sentence: str
    short_form: str
    figure: str
    citation: JsonObject | None
    """The citation that the sentence leads to."""


def write_claim_text(card: JsonObject, names: ClaimNames, known_on: date | None = None) -> ClaimText:
    """Put a claim, as it is served, into one printable sentence, a short form and one cell."""
    told = _SentenceBuilder(card, names)
    citation = choose_citation(card["citations"], known_on)
    claimant = mention_source(names.find_source(card["source"]["slug"]))
    content = told.build_content(capitalize_first(str(claimant)))
    sentence = join_fragments([content + _describe_outlet(citation, card, names) + _describe_retraction(card)])
    sentence = re.sub(r"([.!?])\.$", r"\1", f"{sentence.rstrip(' ,;')}.")
    return ClaimText(sentence, _build_short_form(told, claimant.text), format_figure_cell(card), citation)


def format_figure_cell(card: JsonObject) -> str:
    """The figure for one cell: its number and hedge, "a day" for a rate, and whether its source took it back."""
    match card["proposition"]:
        case "quantity":
            text = describe_figure(card["figure"]).cell_text
        case "ratio":
            text = describe_ratio(card["figure"])
        case _:
            text = collapse_whitespace(card["figure"]["as_printed"])
    text += " a day" if card["period"]["aggregation"] == "rate" and card["proposition"] == "quantity" else ""
    return f"{text} (retracted)" if card["status"] == "retracted" else text


def choose_citation(citations: Sequence[JsonObject], known_on: date | None = None) -> JsonObject | None:
    """The citation that leads closest to what was said.

    One that stands before one taken back, and one that had appeared by the day asked for; then the more faithful, the
    claimant's own, one whose chain was seen whole, the shortest chain, the earliest, and the first recorded.
    """

    def rank(citation: JsonObject) -> tuple[Any, ...]:
        published = citation["document"]["published_on"]
        return (
            _is_withdrawn(citation, known_on),
            known_on is not None and published is not None and published > known_on,
            _FIDELITY_RANKS.get(str(citation["fidelity"]), 0),
            citation["role"] != "original",
            citation["gap"] is not None,
            len(citation["via"]),
            published or date.max,
        )

    return min(citations, key=rank, default=None)


def _is_withdrawn(citation: JsonObject, known_on: date | None) -> bool:
    day = citation["withdrawn_on"]
    return day is not None and (known_on is None or day <= known_on)


class _SentenceBuilder:
    """The parts of one claim's sentence, before they are put in order."""

    def __init__(self, card: JsonObject, names: ClaimNames) -> None:
        self.claim = card
        self.names = names
        self.modality = str(card["modality"])
        self.aggregation = str(card["period"]["aggregation"])
        unit = card["figure"]["unit"] or ""
        self.category: CategoryPhrase = describe_category(names.category, unit, names.components)
        plain = describe_subject(self._subject_name(card["subject"]), unit)
        scope = self._scope_note()
        self.plain_subject_text = plain.text
        self.subject = SubjectPhrase(join_fragments([plain.text, scope]), join_fragments([plain.people, scope]))
        place = names.places.get(card["place"], card["place"])
        known = collapse_whitespace(place).split(" (")[0].casefold() in plain.text.casefold()
        self.place_text = "" if known else describe_place(place)
        self.period_text = describe_period(card["period"]["edtf"], self.aggregation, card["date"])
        self.statement_date = describe_statement_date(card["date"], card["date_edtf"])

    def _subject_name(self, slug: str) -> str:
        return self.names.subjects.get(slug, slug)

    def _scope_note(self) -> str:
        """Which groups the source says it counts, or leaves out."""
        said = []
        for name, words in (("includes", "including"), ("excludes", "not counting")):
            if slugs := self.claim[name]:
                said.append(
                    f"{words} {join_with_and([describe_subject(self._subject_name(slug), '').text for slug in slugs])}"
                )
        return f"({'; '.join(said)})" if said else ""

    @property
    def date_text(self) -> str:
        """When it was said, as an adverb behind the verb, with the source's own hedge."""
        stated = (self.claim["confidence"] or {}).get("stated")
        hedge = f" ({quote_text(stated)})" if stated else ""
        return (f" {self.statement_date}" if self.statement_date else f", {UNKNOWN_DATE},") + hedge

    def build_content(self, claimant: str) -> str:
        """What was said, by whom and when."""
        match self.claim["proposition"]:
            case "quantity":
                words = describe_figure(self.claim["figure"])
                said = self._describe_count(words) if self.modality == "count" else self._describe_quantity(words)
            case "ratio":
                said = self._describe_ratio()
            case "peak_period":
                said = self._describe_peak()
            case "denial":
                said = self._describe_denial()
            case _:
                said = self._describe_printed_words()
        return f"{claimant} {said}"

    def _verb_with_date(self, other: str = "estimated") -> str:
        return _REPORTING_VERBS.get(self.modality, other) + self.date_text

    def _base_phrase(self) -> str:
        base = self.claim["figure"]["relative_to"]
        if base is None:
            return ""
        known = self.names.subjects.get(base)
        return f", relative to {describe_subject(known, '').text if known else collapse_whitespace(base)}"

    def _describe_quantity(self, words: FigurePhrase) -> str:
        parts = (self._quantity_clause(words.main), words.tail, self._base_phrase())
        return f"{self._verb_with_date()} that {join_fragments(parts)}"

    def _describe_count(self, words: FigurePhrase) -> str:
        """A count is given, not asserted to be right: "gave a count of"."""
        parts = (self.quantity_phrase(words.main), self.place_text, self.period_text, words.tail, self._base_phrase())
        return f"gave{self.date_text} a count of {join_fragments(parts)}"

    @property
    def _rate_suffix(self) -> str:
        return "a day" if self.aggregation == "rate" else ""

    def _quantity_clause(self, figure: str) -> str:
        """What is said to have been, where and when."""
        counted, subject = self.category, self.subject
        coming = self.modality == "forecast"
        done = counted.future if coming else counted.past
        match counted.form:
            case "people":
                parts = [figure, subject.people, self._rate_suffix, done, self._note_in_brackets()]
            case "suffered":
                suffered = "would suffer" if coming else "had suffered"
                parts = [subject.text, suffered, figure, counted.noun_with_note, self._rate_suffix]
            case "lost":
                parts = [
                    subject.text,
                    "would lose" if coming else "had lost",
                    figure,
                    counted.noun_with_note,
                    self._rate_suffix,
                ]
            case "things":
                parts = [figure, counted.noun, "of", subject.text, self._rate_suffix, done]
            case "there":
                there = "there would be" if coming else "there had been"
                parts = [there, figure, counted.noun_with_note, "among", subject.text, self._rate_suffix]
            case _:
                was = "would be" if coming else "was"
                return join_fragments(
                    [
                        self._measure_phrase()[0],
                        self.place_text,
                        self.period_text,
                        was,
                        figure,
                        counted.unit,
                        self._rate_suffix,
                    ]
                )
        return join_fragments([*parts, self.place_text, self.period_text])

    @property
    def _quoted_category(self) -> str:
        """A category that no phrase fits, by its recorded name."""
        details = (self.subject.text, self.category.note)
        return f"{quote_text(self.category.noun)} ({'; '.join(detail for detail in details if detail)})"

    def _note_in_brackets(self) -> str:
        return f"({self.category.note})" if self.category.note else ""

    def quantity_phrase(self, figure: str) -> str:
        """The figure with what it counts and whose, as a noun."""
        counted, subject = self.category, self.subject
        match counted.form:
            case "people":
                return join_fragments(
                    [figure, subject.people, counted.part, self._note_in_brackets(), self._rate_suffix]
                )
            case "suffered":
                return join_fragments([figure, counted.noun_with_note, self._rate_suffix, "suffered by", subject.text])
            case "lost":
                return join_fragments([figure, counted.noun_with_note, self._rate_suffix, "lost by", subject.text])
            case "things":
                return join_fragments([figure, counted.noun, "of", subject.text, counted.part, self._rate_suffix])
            case "there":
                return join_fragments([figure, counted.noun_with_note, self._rate_suffix, "among", subject.text])
            case _:
                return join_fragments([figure, counted.unit, self._rate_suffix, f"for {self._quoted_category}"])

    def _measure_phrase(self) -> tuple[str, str]:
        """What is counted without its number, and the pronoun that stands for it."""
        counted, subject = self.category, self.subject
        match counted.form:
            case "people":
                return join_fragments(["the number of", subject.people, counted.part, self._note_in_brackets()]), "that"
            case "suffered" | "there":
                return f"{counted.noun_with_note} among {subject.text}", "those"
            case "lost":
                return f"{counted.noun_with_note} lost by {subject.text}", "those"
            case "things":
                return f"{counted.noun} of {subject.text} {counted.part}", "those"
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
        # What is no month and no preposition may be a hedge, and is kept.
        quote = "" if tokens <= _PERIOD_WORDS else f"({quote_text(words)})"
        was = "would be" if self.modality == "forecast" else "had been"
        measure, pronoun = self._measure_phrase()
        at = "at its highest" if pronoun == "that" else "at their highest"
        peak = join_fragments((measure, self.place_text, was, at, self.period_text, quote))
        return f"{self._said_with_date()} that {peak}"

    def _describe_printed_words(self) -> str:
        """A trend or the existence of something, in the words that were printed."""
        verb = "said" if self.modality != "allegation" else "claimed without giving grounds"
        words = quote_text(self.claim["figure"]["as_printed"])
        topic = join_fragments((self._measure_phrase()[0], self.place_text, self.period_text))
        return f"{verb}{self.date_text} of {topic}: {words}"

    def _describe_denial(self) -> str:
        disputed = [mention_source(self.names.find_source(slug)).text for slug in self.names.disputed_sources]
        what = f"what {join_with_and(disputed)} had said about" if disputed else "claims about"
        parts = (what, self._measure_phrase()[0], self.place_text, self.period_text)
        return f"rejected{self.date_text} {join_fragments(parts)}: {quote_text(self.claim['figure']['as_printed'])}"


def _describe_outlet(citation: JsonObject | None, card: JsonObject, names: ClaimNames) -> str:
    """Where it can be read: nothing where the claimant published it, else who relayed it and through whom."""
    if citation is None:
        return ""
    document = citation["document"]
    changed = {"rounded": "rounding the figure", "distorted": "changing the figure or what it means"}
    how = [changed[fidelity]] if (fidelity := str(citation["fidelity"])) in changed else []
    chain = [names.find_source(slug) for slug in citation["via"] if slug != document["publisher"]]
    how += [_describe_chain(chain)] if chain else []
    taken_back = ""
    if citation["withdrawn_on"] is not None:
        taken_back = f"in a report that it took back on {format_day(citation['withdrawn_on'])}"
    if document["publisher"] is None:
        return f", according to {quote_text(document['title'])}" + "".join(f", {each}" for each in how)
    outlet = names.find_source(document["publisher"])
    if outlet.slug == card["source"]["slug"] and not how and not taken_back:
        return ""
    mention = mention_source(outlet)
    if citation["role"] == "original":
        said = "in its own publication" if outlet.slug == card["source"]["slug"] else f"as published by {mention.text}"
    elif outlet.kind == "dataset":
        said = f"according to {mention.text}"
    else:
        said = f"{mention} reported"
    return f", {join_fragments([said, taken_back])}" + "".join(f", {each}" for each in how)


def _describe_chain(chain: Sequence[SourceDetails]) -> str:
    """Back along the chain: "citing Reuters, which cited a member of parliament"."""
    nearest, *further = reversed(chain)
    text = f"citing {mention_source(nearest).text}"
    before = nearest
    for source in further:
        text += f", {'who' if is_person(before) else 'which'} cited {mention_source(source).text}"
        before = source
    return text


def _describe_retraction(card: JsonObject) -> str:
    if card["status"] != "retracted":
        return ""
    day = card["retracted_on"]
    return "; the claim was later retracted by its source" + (f", on {format_day(day)}" if day else "")


def _build_short_form(told: _SentenceBuilder, claimant: str) -> str:
    """Claimant, date and figure, for a label or a footnote."""
    card = told.claim
    day = told.statement_date.text if told.statement_date else "undated"
    match card["proposition"]:
        case "quantity":
            words = describe_figure(card["figure"])
            what = f"{told.quantity_phrase(words.main)} {told.period_text}{words.tail}"
        case "ratio":
            what = f"{describe_ratio(card['figure'])} ({told.category.noun_with_note}) {told.period_text}"
        case "peak_period":
            what = f"highest {told.period_text}"
        case _:
            what = f"{card['proposition']}: {quote_text(card['figure']['as_printed'])}"
    retracted = " (retracted)" if card["status"] == "retracted" else ""
    return join_fragments([f"{capitalize_first(claimant.removeprefix('the '))}, {day}: {what}{retracted}"])
