"""The sentence that an editor can print: who said it and when, with its hedge, what it counts, and where it was read.

Plain values in, plain text out: a claim as it is served, and the names of what it refers to.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from app.sentences.dates import MONTHS, day_words, said_on, when
from app.sentences.figures import Words, figure_words, quoted, ratio_words
from app.sentences.phrases import (
    Counted,
    Source,
    Subject,
    counted_phrase,
    is_person,
    listed,
    one_line,
    opened,
    place_phrase,
    source_mention,
    subject_phrase,
    together,
)

Card = Mapping[str, Any]

UNKNOWN_DAY: Final = "on a day that is not known"
_VERBS: Final = {"estimate": "estimated", "forecast": "forecast", "allegation": "claimed"}
_FIDELITY: Final = {"rounded": 1, "distorted": 2}
_PERIOD_WORDS: Final = {
    *(month.casefold() for month in MONTHS),
    *("between", "from", "to", "and", "in", "of", "the", "until", "spring", "summer", "autumn", "winter"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What the slugs of a claim are called: its category with its components, and subjects, places and sources.

    `components` is None where they are unstated and empty for an atom; `disputed` are the sources whose claim this one
    denies.
    """

    category: str
    components: Sequence[str] | None = ()
    subjects: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    disputed: Sequence[str] = ()

    def source(self, slug: str) -> Source:
        """The source called `slug`; one that nothing is known of goes by its slug."""
        return self.sources.get(slug) or Source(slug, slug)


@dataclass(frozen=True, slots=True)
class Cited:
    """A claim put into words."""

    sentence: str
    short: str
    figure: str
    citation: Card | None
    """The citation that the sentence leads to."""


def cite(card: Card, names: Names, known_on: date | None = None) -> Cited:
    """Put a claim, as it is served, into one printable sentence, a short form and one cell."""
    told = _Told(card, names)
    citation = chosen(card["citations"], known_on)
    claimant = source_mention(names.source(card["source"]["slug"]))
    content = told.content(opened(str(claimant)))
    sentence = together([content + _outlet(citation, card, names) + _retraction(card)])
    sentence = re.sub(r"([.!?])\.$", r"\1", f"{sentence.rstrip(' ,;')}.")
    return Cited(sentence, _short_form(told, claimant.text), figure_cell(card), citation)


def figure_cell(card: Card) -> str:
    """The figure for one cell: its number and hedge, "a day" for a rate, and whether its source took it back."""
    match card["proposition"]:
        case "quantity":
            text = figure_words(card["figure"]).cell
        case "ratio":
            text = ratio_words(card["figure"])
        case _:
            text = one_line(card["figure"]["as_printed"])
    text += " a day" if card["period"]["aggregation"] == "rate" and card["proposition"] == "quantity" else ""
    return f"{text} (retracted)" if card["status"] == "retracted" else text


def chosen(citations: Sequence[Card], known_on: date | None = None) -> Card | None:
    """The citation that leads closest to what was said.

    One that stands before one taken back, and one that had appeared by the day asked for; then the more faithful, the
    claimant's own, one whose chain was seen whole, the shortest chain, the earliest, and the first recorded.
    """

    def rank(citation: Card) -> tuple[Any, ...]:
        published = citation["document"]["published_on"]
        return (
            _taken_back(citation, known_on),
            known_on is not None and published is not None and published > known_on,
            _FIDELITY.get(str(citation["fidelity"]), 0),
            citation["role"] != "original",
            citation["gap"] is not None,
            len(citation["via"]),
            published or date.max,
        )

    return min(citations, key=rank, default=None)


def _taken_back(citation: Card, known_on: date | None) -> bool:
    day = citation["withdrawn_on"]
    return day is not None and (known_on is None or day <= known_on)


class _Told:
    """The parts of one claim's sentence, before they are put in order."""

    def __init__(self, card: Card, names: Names) -> None:
        self.card = card
        self.names = names
        self.modality = str(card["modality"])
        self.aggregation = str(card["period"]["aggregation"])
        unit = card["figure"]["unit"] or ""
        self.counted: Counted = counted_phrase(names.category, unit, names.components)
        plain = subject_phrase(self._subject(card["subject"]), unit)
        scope = self._scope()
        self.plain_subject = plain.text
        self.subject = Subject(together([plain.text, scope]), together([plain.people, scope]))
        place = names.places.get(card["place"], card["place"])
        known = one_line(place).split(" (")[0].casefold() in plain.text.casefold()
        self.where = "" if known else place_phrase(place)
        self.when = when(card["period"]["edtf"], self.aggregation, card["date"])
        self.day = said_on(card["date"], card["date_edtf"])

    def _subject(self, slug: str) -> str:
        return self.names.subjects.get(slug, slug)

    def _scope(self) -> str:
        """Which groups the source says it counts, or leaves out."""
        said = []
        for name, words in (("includes", "including"), ("excludes", "not counting")):
            if slugs := self.card[name]:
                said.append(f"{words} {listed([subject_phrase(self._subject(slug), '').text for slug in slugs])}")
        return f"({'; '.join(said)})" if said else ""

    @property
    def date(self) -> str:
        """When it was said, as an adverb behind the verb, with the source's own hedge."""
        stated = (self.card["confidence"] or {}).get("stated")
        hedge = f" ({quoted(stated)})" if stated else ""
        return (f" {self.day}" if self.day else f", {UNKNOWN_DAY},") + hedge

    def content(self, claimant: str) -> str:
        """What was said, by whom and when."""
        match self.card["proposition"]:
            case "quantity":
                words = figure_words(self.card["figure"])
                said = self._counted(words) if self.modality == "count" else self._quantity(words)
            case "ratio":
                said = self._ratio()
            case "peak_period":
                said = self._peak()
            case "denial":
                said = self._denial()
            case _:
                said = self._words()
        return f"{claimant} {said}"

    def _verb(self, other: str = "estimated") -> str:
        return _VERBS.get(self.modality, other) + self.date

    def _base(self) -> str:
        base = self.card["figure"]["relative_to"]
        if base is None:
            return ""
        known = self.names.subjects.get(base)
        return f", relative to {subject_phrase(known, '').text if known else one_line(base)}"

    def _quantity(self, words: Words) -> str:
        parts = (self._clause(words.main), words.tail, self._base())
        return f"{self._verb()} that {together(parts)}"

    def _counted(self, words: Words) -> str:
        """A count is given, not asserted to be right: "gave a count of"."""
        parts = (self.quantity_of(words.main), self.where, self.when, words.tail, self._base())
        return f"gave{self.date} a count of {together(parts)}"

    @property
    def _by(self) -> str:
        return "a day" if self.aggregation == "rate" else ""

    def _clause(self, figure: str) -> str:
        """What is said to have been, where and when."""
        counted, subject = self.counted, self.subject
        coming = self.modality == "forecast"
        done = counted.future if coming else counted.past
        match counted.form:
            case "people":
                parts = [figure, subject.people, self._by, done, self._noted_part()]
            case "suffered":
                suffered = "would suffer" if coming else "had suffered"
                parts = [subject.text, suffered, figure, counted.noted, self._by]
            case "lost":
                parts = [subject.text, "would lose" if coming else "had lost", figure, counted.noted, self._by]
            case "things":
                parts = [figure, counted.noun, "of", subject.text, self._by, done]
            case "there":
                there = "there would be" if coming else "there had been"
                parts = [there, figure, counted.noted, "among", subject.text, self._by]
            case _:
                was = "would be" if coming else "was"
                return together([self._measure()[0], self.where, self.when, was, figure, counted.unit, self._by])
        return together([*parts, self.where, self.when])

    @property
    def _labelled(self) -> str:
        """A category that no phrase fits, by its recorded name."""
        details = (self.subject.text, self.counted.note)
        return f"{quoted(self.counted.noun)} ({'; '.join(detail for detail in details if detail)})"

    def _noted_part(self) -> str:
        return f"({self.counted.note})" if self.counted.note else ""

    def quantity_of(self, figure: str) -> str:
        """The figure with what it counts and whose, as a noun."""
        counted, subject = self.counted, self.subject
        match counted.form:
            case "people":
                return together([figure, subject.people, counted.part, self._noted_part(), self._by])
            case "suffered":
                return together([figure, counted.noted, self._by, "suffered by", subject.text])
            case "lost":
                return together([figure, counted.noted, self._by, "lost by", subject.text])
            case "things":
                return together([figure, counted.noun, "of", subject.text, counted.part, self._by])
            case "there":
                return together([figure, counted.noted, self._by, "among", subject.text])
            case _:
                return together([figure, counted.unit, self._by, f"for {self._labelled}"])

    def _measure(self) -> tuple[str, str]:
        """What is counted without its number, and the pronoun that stands for it."""
        counted, subject = self.counted, self.subject
        match counted.form:
            case "people":
                return together(["the number of", subject.people, counted.part, self._noted_part()]), "that"
            case "suffered" | "there":
                return f"{counted.noted} among {subject.text}", "those"
            case "lost":
                return f"{counted.noted} lost by {subject.text}", "those"
            case "things":
                return f"{counted.noun} of {subject.text} {counted.part}", "those"
            case _:
                return f"the figure for {self._labelled}", "that"

    def _ratio(self) -> str:
        measure, pronoun = self._measure()
        base = self.card["figure"]["relative_to"] or ""
        other = self.names.subjects.get(base)
        against = f"{pronoun} of {subject_phrase(other, '').text}" if other else one_line(base)
        was = "would be" if self.modality == "forecast" else "was"
        parts = ("the ratio of", measure, "to", against, self.where, self.when, was, ratio_words(self.card["figure"]))
        return f"{self._verb('said')} that {together(parts)}"

    def _said(self) -> str:
        return {"allegation": "claimed", "forecast": "forecast"}.get(self.modality, "said") + self.date

    def _peak(self) -> str:
        words = self.card["figure"]["as_printed"]
        tokens = set(re.findall(r"[^\W\d_]+", words.casefold()))
        # What is no month and no preposition may be a hedge, and is kept.
        quote = "" if tokens <= _PERIOD_WORDS else f"({quoted(words)})"
        was = "would be" if self.modality == "forecast" else "had been"
        measure, pronoun = self._measure()
        at = "at its highest" if pronoun == "that" else "at their highest"
        return f"{self._said()} that {together((measure, self.where, was, at, self.when, quote))}"

    def _words(self) -> str:
        """A trend or the existence of something, in the words that were printed."""
        verb = "said" if self.modality != "allegation" else "claimed without giving grounds"
        words = quoted(self.card["figure"]["as_printed"])
        return f"{verb}{self.date} of {together((self._measure()[0], self.where, self.when))}: {words}"

    def _denial(self) -> str:
        disputed = [source_mention(self.names.source(slug)).text for slug in self.names.disputed]
        what = f"what {listed(disputed)} had said about" if disputed else "claims about"
        parts = (what, self._measure()[0], self.where, self.when)
        return f"rejected{self.date} {together(parts)}: {quoted(self.card['figure']['as_printed'])}"


def _outlet(citation: Card | None, card: Card, names: Names) -> str:
    """Where it can be read: nothing where the claimant published it, else who relayed it and through whom."""
    if citation is None:
        return ""
    document = citation["document"]
    changed = {"rounded": "rounding the figure", "distorted": "changing the figure or what it means"}
    how = [changed[fidelity]] if (fidelity := str(citation["fidelity"])) in changed else []
    chain = [names.source(slug) for slug in citation["via"] if slug != document["publisher"]]
    how += [_citing(chain)] if chain else []
    taken_back = ""
    if citation["withdrawn_on"] is not None:
        taken_back = f"in a report that it took back on {day_words(citation['withdrawn_on'])}"
    if document["publisher"] is None:
        return f", according to {quoted(document['title'])}" + "".join(f", {each}" for each in how)
    outlet = names.source(document["publisher"])
    if outlet.slug == card["source"]["slug"] and not how and not taken_back:
        return ""
    mention = source_mention(outlet)
    if citation["role"] == "original":
        said = "in its own publication" if outlet.slug == card["source"]["slug"] else f"as published by {mention.text}"
    elif outlet.kind == "dataset":
        said = f"according to {mention.text}"
    else:
        said = f"{mention} reported"
    return f", {together([said, taken_back])}" + "".join(f", {each}" for each in how)


def _citing(chain: Sequence[Source]) -> str:
    """Back along the chain: "citing Reuters, which cited a member of parliament"."""
    nearest, *further = reversed(chain)
    text = f"citing {source_mention(nearest).text}"
    before = nearest
    for source in further:
        text += f", {'who' if is_person(before) else 'which'} cited {source_mention(source).text}"
        before = source
    return text


def _retraction(card: Card) -> str:
    if card["status"] != "retracted":
        return ""
    day = card["retracted_on"]
    return "; the claim was later retracted by its source" + (f", on {day_words(day)}" if day else "")


def _short_form(told: _Told, claimant: str) -> str:
    """Claimant, date and figure, for a label or a footnote."""
    card = told.card
    day = told.day.text if told.day else "undated"
    match card["proposition"]:
        case "quantity":
            words = figure_words(card["figure"])
            what = f"{told.quantity_of(words.main)} {told.when}{words.tail}"
        case "ratio":
            what = f"{ratio_words(card['figure'])} ({told.counted.noted}) {told.when}"
        case "peak_period":
            what = f"highest {told.when}"
        case _:
            what = f"{card['proposition']}: {quoted(card['figure']['as_printed'])}"
    retracted = " (retracted)" if card["status"] == "retracted" else ""
    return together([f"{opened(claimant.removeprefix('the '))}, {day}: {what}{retracted}"])
