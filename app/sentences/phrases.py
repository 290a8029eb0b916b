"""How recorded names read in running text: sources, subjects, places and categories, by table or else by rule."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PHRASES: Final[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
_WORD_SETS: Final[dict[str, frozenset[str]]] = {name: frozenset(words) for name, words in PHRASES["words"].items()}

PRESS_KINDS: Final = frozenset({"media", "dataset"})
"""Kinds whose full name is printed, however well known their initials are."""
_SERIES_KINDS: Final = frozenset({"research", "dataset", "media", "think_tank", "ngo"})
"""Kinds where small letters behind a comma describe a series, not an office."""
_PERSON_KINDS: Final = frozenset({"individual", "witness"})

_BRACKETS_PATTERN: Final = re.compile(r"\s*\(([^()]*)\)")
_ACRONYM_PATTERN: Final = re.compile(r"[^\W\d_a-z][A-Z0-9-]{1,9}")
_UNNAMED_PATTERN: Final = re.compile(r",? (?:not named|unnamed)$", re.IGNORECASE)
_ANONYMITY_PATTERN: Final = re.compile(r"not name|unnamed|unknown|anonym", re.IGNORECASE)
_MIN_ACRONYM_LETTERS: Final = 3


@dataclass(frozen=True, slots=True)
class SourceDetails:
    """What a sentence needs to know of a source; `speaks_for` is the name of another one."""

    slug: str
    name: str
    kind: str = "unknown"
    anonymous: bool = False
    speaks_for: "SourceDetails | None" = None


@dataclass(frozen=True, slots=True)
class SourceMention:
    """A name inside a sentence. One that ends in an apposition (`closes`) wants a comma before the sentence goes on."""

    text: str
    needs_comma: bool = False

    def __str__(self) -> str:
        """The name, with its comma if the sentence goes on behind it."""
        return f"{self.text}," if self.needs_comma else self.text


@dataclass(frozen=True, slots=True)
class SubjectPhrase:
    """Whose: as a group ("Russian forces"), and as people of whom one can count some ("members of Russian forces")."""

    text: str
    people: str


@dataclass(frozen=True, slots=True)
class CategoryPhrase:
    """What is counted, and how sentences about it are built (see phrases.toml).

    `named` is the name as recorded, with its unit, for whatever no phrase fits.
    """

    form: str
    noun: str
    past: str = ""
    future: str = ""
    part: str = ""
    note: str = ""
    unit: str = ""

    @property
    def noun_with_note(self) -> str:
        """The noun with what it adds up in brackets."""
        return f"{self.noun} ({self.note})" if self.note else self.noun


def collapse_whitespace(text: str) -> str:
    """Names and titles with single spaces."""
    return " ".join(text.split())


def capitalize_first(text: str) -> str:
    """The text with a capital letter, as it begins a sentence; the name of a site stays as it is written."""
    return text if "." in text.split(" ", maxsplit=1)[0][:-1] else text[:1].upper() + text[1:]


def join_with_and(words: Sequence[str]) -> str:
    """Join words as prose does: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def format_inline_name(name: str) -> str:
    """A name inside a sentence: a description begins small, a proper name stays, an organisation takes "the"."""
    first, _, rest = name.partition(" ")
    if first.lower() in _WORD_SETS["common"]:
        name = f"{first.lower()} {rest}".strip()
    words = {word.casefold() for word in re.findall(r"\w+", name.partition(",")[0])}
    plain = name == name[:1].upper() + name[1:]
    return f"the {name}" if plain and words & _WORD_SETS["take_the"] and first.casefold() not in {"the", "a"} else name


def mention_source(source: SourceDetails) -> SourceMention:
    """A source as it is named in a sentence: its short form where its name has one."""
    name = collapse_whitespace(source.name)
    if name in PHRASES["sources"]:
        return SourceMention(PHRASES["sources"][name])
    short = None if source.kind in PRESS_KINDS or source.anonymous else _find_acronym(name, source.slug)
    if short is not None:
        return _add_principal(SourceMention(short), source)
    plain = name if source.kind == "dataset" else _BRACKETS_PATTERN.sub("", name) or name
    if source.anonymous:
        return _mention_anonymous(plain, source.kind)
    head, _, rest = plain.partition(", ")
    if source.kind in _SERIES_KINDS and rest[:1].islower():
        rest = ""
    if rest:
        return SourceMention(f"{format_inline_name(head)}, {rest}", needs_comma=True)
    return _add_principal(SourceMention(format_inline_name(head)), source)


def _find_acronym(name: str, slug: str) -> str | None:
    """An acronym that the name itself gives in brackets, or that its slug spells from its initials (`csis`)."""
    for found in _BRACKETS_PATTERN.findall(name):
        if _ACRONYM_PATTERN.fullmatch(found) and found.isupper():
            return str(found)
    words = re.split(r"[ -]", _BRACKETS_PATTERN.sub("", name))
    initials = "".join(word[0] for word in words if word[:1].isupper())
    return initials if len(initials) >= _MIN_ACRONYM_LETTERS and initials.lower() == slug else None


def _mention_anonymous(name: str, kind: str) -> SourceMention:
    told = _UNNAMED_PATTERN.sub("", name)
    if told != name:
        return SourceMention(f"{format_inline_name(told)} whom the press did not name")
    if kind in _PERSON_KINDS and not _ANONYMITY_PATTERN.search(name):
        return SourceMention(f"{format_inline_name(name)}, not named here", needs_comma=True)
    return SourceMention(format_inline_name(name), needs_comma="," in name)


def _add_principal(mention: SourceMention, source: SourceDetails) -> SourceMention:
    if source.speaks_for is None:
        return mention
    return SourceMention(f"{mention.text}, speaking for {mention_source(source.speaks_for).text}", needs_comma=True)


def is_person(source: SourceDetails) -> bool:
    """Whether a relative clause about the source begins with "who"."""
    by_office = source.kind not in PRESS_KINDS | _SERIES_KINDS and ", " in source.name
    return source.kind in _PERSON_KINDS or source.anonymous or by_office


def describe_subject(name: str, unit: str) -> SubjectPhrase:
    """A subject as a group and as people, by the words that it begins or ends with."""
    name = collapse_whitespace(name)
    text = str(PHRASES["subjects"].get(name, format_inline_name(_BRACKETS_PATTERN.sub("", name) or name)))
    first, last = text.split(" ", maxsplit=1)[0].casefold(), text.rsplit(" ", maxsplit=1)[-1].casefold()
    if {first, last} & _WORD_SETS["people"]:
        return SubjectPhrase(text, text)
    head = re.split(r" (?:at|in|of|from|near|on) ", text)[0].split(" ")[-1].casefold()
    return SubjectPhrase(text, f"members of {text}" if {last, head} & _WORD_SETS["bodies"] else f"{unit} among {text}")


def describe_place(name: str) -> str:
    """A place with its preposition."""
    name = collapse_whitespace(name)
    return str(PHRASES["places"].get(name, f"in {format_inline_name(_BRACKETS_PATTERN.sub('', name) or name)}"))


def describe_category(name: str, unit: str, components: Sequence[str] | None) -> CategoryPhrase:
    """What a category counts. `components` are the names of what it adds up: None unstated, empty for an atom."""
    name = collapse_whitespace(name)
    known = PHRASES["categories"].get(name)
    phrase = CategoryPhrase(**known, unit=unit) if known and "noun" in known else None
    if known and phrase is None:
        return CategoryPhrase(**known, noun=_lower_first(name), unit=unit)
    phrase = phrase or _derive_category_phrase(name, unit)
    if phrase.note:
        return phrase
    if components is None:
        note = "what that includes was not said"
    else:
        note = join_with_and([_component_noun(each) for each in components]) if components else ""
    return CategoryPhrase(phrase.form, phrase.noun, phrase.past, phrase.future, phrase.part, note, unit)


def _derive_category_phrase(name: str, unit: str) -> CategoryPhrase:
    bare = _BRACKETS_PATTERN.sub("", name) or name
    if (lost := re.fullmatch(r"([^,]+) lost", bare)) is not None:
        return CategoryPhrase("lost", _lower_first(lost[1]))
    done = re.fullmatch(r"(?:([^,]*) )?(\w+ed)", bare)
    if done is not None and unit == "persons":
        words = _lower_first(bare)
        return CategoryPhrase("people", words, f"had been {words}", f"would be {words}", words)
    if done is not None and done[1]:
        return CategoryPhrase("things", _lower_first(done[1]), f"had been {done[2]}", f"would be {done[2]}", done[2])
    if re.fullmatch(r"(?:Deaths\b.*|.*\b[Dd]eaths)", bare):
        return CategoryPhrase("there", _lower_first(bare))
    return CategoryPhrase("other", name)


def _component_noun(name: str) -> str:
    bare = _lower_first(_BRACKETS_PATTERN.sub("", collapse_whitespace(name)) or name)
    return bare.removesuffix(" lost")


def _lower_first(name: str) -> str:
    """A category's name inside a sentence: its first word small, unless it is an acronym."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def join_fragments(words: Iterable[str]) -> str:
    """Join what is not empty with single spaces, and put no space before a comma."""
    return re.sub(r" +([,;.])", r"\1", collapse_whitespace(" ".join(word for word in words if word)))
