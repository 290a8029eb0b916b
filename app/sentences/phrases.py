"""Phrases for sources, subjects, places and categories: their `in_text`, or else their recorded names.

Nothing is derived from the words of a name: it is printed as it is recorded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.sentences.dates import describe_base_period
from app.sentences.units import UnitPhrase, make_singular

_ACRONYM_PATTERN: Final = re.compile(r"(?P<name>[^()]+) \((?P<acronym>[A-Z][A-Z0-9-]{1,9})\)")
_MIN_ACRONYM_LETTERS: Final = 3
_PERSON_KINDS: Final = frozenset({"individual", "witness"})
_GROUP_KINDS: Final = frozenset({"research", "dataset", "media", "think_tank", "ngo"})
"""Kinds of sources whose name has no office of a person after a comma."""


@dataclass(frozen=True, slots=True)
class SourceDetails:
    """The fields of a source that a sentence needs. `speaks_for` is another source."""

    slug: str
    name: str
    kind: str = "unknown"
    anonymous: bool = False
    speaks_for: "SourceDetails | None" = None
    in_text: str | None = None
    short_name: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceDetails:
    """The name of a place, and its phrase with a preposition if it has one."""

    name: str
    in_text: str | None = None


@dataclass(frozen=True, slots=True)
class SubjectDetails:
    """The name of a subject; as a group ("the army") and as countable people ("members of the army")."""

    name: str
    group: str | None = None
    people: str | None = None

    @property
    def text(self) -> str:
        """The subject as a group, or by its name."""
        return collapse_whitespace(self.group or self.name)


@dataclass(frozen=True, slots=True)
class CategoryDetails:
    """The name of a category, and its words in a sentence: see `TextForm`.

    `components` are those that it adds up: None if unstated, empty if it is not a sum.
    """

    name: str
    form: str | None = None
    noun: str | None = None
    past: str | None = None
    future: str | None = None
    part: str | None = None
    note: str | None = None
    components: "Sequence[CategoryDetails] | None" = field(default=())
    unit: str | None = None

    @property
    def details(self) -> str:
        """What it adds up, in words: its note, or else its components. Empty if it is not a sum."""
        if self.note:
            return self.note
        if self.components is None:
            return "what that includes was not said"
        return join_with_and([component.as_component for component in self.components])

    @property
    def details_beside_name(self) -> str:
        """What it adds up, unless its name says so: "Dead and missing"."""
        name = self.name.casefold()
        has_all = self.components and all(component.name.casefold() in name for component in self.components)
        return "" if has_all and not self.note else self.details

    @property
    def as_component(self) -> str:
        """The category as a part of a sum: "killed", "towed guns"."""
        words = self.part if self.form == "people" else self.noun
        if self.form == "people" and words is not None and words.startswith(("who ", "that ")):
            words = f"people {words}"
        return collapse_whitespace(words or self.name)

    def name_with_details(self) -> str:
        """Return the recorded name, followed by what it adds up."""
        name = collapse_whitespace(self.name)
        return f"{name}: {self.details_beside_name}" if self.details_beside_name else name

    def with_details(self, words: str | None) -> str:
        """Return words, followed by what the category adds up in brackets."""
        return join_fragments([words or "", f"({self.details})" if self.details else ""])


@dataclass(frozen=True, slots=True)
class SourceMention:
    """The name of a source within a sentence. `needs_comma`: it ends with an apposition, so a comma follows it."""

    text: str
    needs_comma: bool = False

    def __str__(self) -> str:
        """Return the name, with a comma if it needs one."""
        return f"{self.text}," if self.needs_comma else self.text


def collapse_whitespace(text: str) -> str:
    """Replace each run of whitespace with one space."""
    return " ".join(text.split())


def capitalize_first(text: str) -> str:
    """Capitalize the first letter, for the start of a sentence. The name of a website stays unchanged."""
    return text if "." in text.split(" ", maxsplit=1)[0][:-1] else text[:1].upper() + text[1:]


def join_with_and(words: Sequence[str]) -> str:
    """Return the words as an enumeration: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def mention_source(source: SourceDetails) -> SourceMention:
    """Return the name of a source for a sentence: its `in_text`, its acronym, or its recorded name."""
    if source.in_text:
        words = collapse_whitespace(source.in_text)
        return SourceMention(words, needs_comma=_has_apposition(words))
    name = shorten_name(collapse_whitespace(source.name))
    if source.speaks_for is None:
        return SourceMention(name, needs_comma=_has_apposition(name))
    principal = mention_source(source.speaks_for).text
    return SourceMention(f"{name}, speaking for {principal}", needs_comma=True)


def _has_apposition(words: str) -> bool:
    """Return whether a name ends with an apposition: "Jane Doe, minister of health"."""
    return ", " in re.sub(r"\([^()]*\)", "", words)


def is_person(source: SourceDetails) -> bool:
    """Return whether the relative pronoun of the source is "who"."""
    has_office = source.kind not in _GROUP_KINDS and mention_source(source).needs_comma
    return source.kind in _PERSON_KINDS or source.anonymous or has_office


def label_source(source: SourceDetails) -> str:
    """Return a source for a label: its short name, or its mention without an article."""
    if source.short_name:
        return collapse_whitespace(source.short_name)
    return capitalize_first(mention_source(source).text.removeprefix("the "))


def shorten_name(name: str) -> str:
    """Return the acronym at the end of a name if it has the initials of the name; else the name.

    "Armed Conflict Location and Event Data (ACLED)" is ACLED, and "Harvard (NEJM)" stays as it is.
    """
    match = _ACRONYM_PATTERN.fullmatch(name)
    if match is None or len(match["acronym"]) < _MIN_ACRONYM_LETTERS:
        return name
    initials = [word[0] for word in re.findall(r"\w+", match["name"]) if word[0].isupper()]
    return match["acronym"] if "".join(initials) == match["acronym"] else name


def _shorten(source: SourceDetails) -> SourceDetails:
    """Return a source that running text names by its short name, unless that only lacks the article."""
    short_name = collapse_whitespace(source.short_name or "")
    is_shorter = bool(short_name) and not mention_source(source).text.endswith(short_name)
    return replace(source, in_text=short_name) if is_shorter else source


@dataclass(frozen=True, slots=True)
class RecordNames:
    """The names of the records of a register, by slug.

    With `prefers_short_names` a source has its short name in running text, where that is shorter.
    """

    sources: Mapping[str, SourceDetails] = field(default_factory=dict)
    categories: Mapping[str, CategoryDetails] = field(default_factory=dict)
    subjects: Mapping[str, SubjectDetails] = field(default_factory=dict)
    places: Mapping[str, PlaceDetails] = field(default_factory=dict)
    prefers_short_names: bool = False

    def with_short_names(self) -> "RecordNames":
        """Return the same names, with short names of sources where they are shorter in running text."""
        return replace(self, prefers_short_names=True)

    def name_source(self, slug: str) -> str:
        """Return a source as a sentence names it."""
        source = self.sources.get(slug)
        if source is None:
            return slug
        return mention_source(_shorten(source) if self.prefers_short_names else source).text

    def name_category(self, slug: str) -> str:
        """Return the recorded name of a category."""
        category = self.categories.get(slug)
        return slug if category is None else collapse_whitespace(category.name)

    def name_subject(self, slug: str) -> str:
        """Return a subject as a group, or its recorded name."""
        subject = self.subjects.get(slug)
        return slug if subject is None else subject.text

    def name_place(self, slug: str) -> str:
        """Return the phrase of a place, or its recorded name."""
        place = self.places.get(slug)
        return slug if place is None else collapse_whitespace(place.in_text or place.name)

    def name_base(self, relative_to: str | None) -> str:
        """Return what a figure is relative to, in words; empty if it is relative to nothing."""
        return name_base(relative_to, self.subjects, self.categories)


def name_base(
    relative_to: str | None, subjects: Mapping[str, SubjectDetails], categories: Mapping[str, CategoryDetails]
) -> str:
    """Return what a figure is relative to: a subject, a category, a period, or other words."""
    base = collapse_whitespace(relative_to or "")
    if (subject := subjects.get(base)) is not None:
        return subject.text
    if (category := categories.get(base)) is not None:
        return category.as_component
    period = describe_base_period(base)
    return period.text if period else base


def is_named_in(place: str, words: str) -> bool:
    """Return whether words end with a place, so that it need not be named again."""
    ending = re.compile(rf"\b(?:at|from|in|of) (?:the )?{re.escape(place)}$", re.IGNORECASE)
    return place.casefold() == words.casefold() or ending.search(words) is not None


def describe_counted(figure: str, noun: str, unit: UnitPhrase, rate: str, *, details: str, is_one: bool) -> str:
    """Return a figure with what it counts, and its rate: "1,351 casualties a day", "US$3 million in income a month".

    A noun that ends with the unit of a measure stands for both: "2.5 million working days". What a unit is for each of
    stands behind the noun: "24.9 homicides per 100,000".
    """
    if unit.is_measure and not (number := unit.number_before(noun, figure)):
        return join_fragments([figure, unit.of_what(noun), details, rate])
    if unit.is_measure:
        figure = number
    per = "" if unit.per in noun else unit.per
    return join_fragments([figure, make_singular(noun) if is_one else noun, per, details, rate])


def join_fragments(words: Iterable[str]) -> str:
    """Join the non-empty words with single spaces, without a space before punctuation."""
    return re.sub(r" +([,;.])", r"\1", collapse_whitespace(" ".join(word for word in words if word)))
