"""Phrases for the names of sources, subjects, places and categories, by a table or else by rules."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PHRASES: Final[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
_WORD_SETS: Final[dict[str, frozenset[str]]] = {name: frozenset(words) for name, words in PHRASES["words"].items()}

PRESS_KINDS: Final = frozenset({"media", "dataset"})
"""Kinds of sources that are printed with their full name, never with an acronym."""
_SERIES_KINDS: Final = frozenset({"research", "dataset", "media", "think_tank", "ngo"})
"""Kinds of sources for which a lowercase text after a comma describes a series, not an office."""
_PERSON_KINDS: Final = frozenset({"individual", "witness"})

_BRACKETS_PATTERN: Final = re.compile(r"\s*\(([^()]*)\)")
_ACRONYM_PATTERN: Final = re.compile(r"[^\W\d_a-z][A-Z0-9-]{1,9}")
_UNNAMED_PATTERN: Final = re.compile(r",? (?:not named|unnamed)$", re.IGNORECASE)
_ANONYMITY_PATTERN: Final = re.compile(r"not name|unnamed|unknown|anonym", re.IGNORECASE)
_MIN_ACRONYM_LETTERS: Final = 3


@dataclass(frozen=True, slots=True)
class SourceDetails:
    """The fields of a source that a sentence needs. `speaks_for` is another source."""

    slug: str
    name: str
    kind: str = "unknown"
    anonymous: bool = False
    speaks_for: "SourceDetails | None" = None


@dataclass(frozen=True, slots=True)
class SourceMention:
    """The name of a source within a sentence. `needs_comma`: it ends with an apposition, so a comma follows it."""

    text: str
    needs_comma: bool = False

    def __str__(self) -> str:
        """Return the name, with a comma if it needs one."""
        return f"{self.text}," if self.needs_comma else self.text


@dataclass(frozen=True, slots=True)
class SubjectPhrase:
    """A subject as a group ("Russian forces") and as countable people ("members of Russian forces")."""

    text: str
    people: str


@dataclass(frozen=True, slots=True)
class CategoryPhrase:
    """The words of a category in a sentence, and the form of the sentence (see phrases.toml)."""

    form: str
    noun: str
    past: str = ""
    future: str = ""
    part: str = ""
    note: str = ""
    unit: str = ""

    @property
    def noun_with_note(self) -> str:
        """The noun, followed by its components in brackets."""
        return f"{self.noun} ({self.note})" if self.note else self.noun


def collapse_whitespace(text: str) -> str:
    """Replace each run of whitespace with one space."""
    return " ".join(text.split())


def capitalize_first(text: str) -> str:
    """Capitalize the first letter, for the start of a sentence. The name of a website stays unchanged."""
    return text if "." in text.split(" ", maxsplit=1)[0][:-1] else text[:1].upper() + text[1:]


def join_with_and(words: Sequence[str]) -> str:
    """Return the words as an enumeration: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def format_inline_name(name: str) -> str:
    """Return a name for use within a sentence: a description in lowercase, an organisation with "the"."""
    first, _, rest = name.partition(" ")
    if first.lower() in _WORD_SETS["common"]:
        name = f"{first.lower()} {rest}".strip()
    words = {word.casefold() for word in re.findall(r"\w+", name.partition(",")[0])}
    is_capitalized = name == name[:1].upper() + name[1:]
    return (
        f"the {name}"
        if is_capitalized and words & _WORD_SETS["take_the"] and first.casefold() not in {"the", "a"}
        else name
    )


def mention_source(source: SourceDetails) -> SourceMention:
    """Return the name of a source for a sentence; its acronym if it has one."""
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
    """Return the acronym that the name has in brackets, or its initials if they are the slug (`csis`)."""
    for text in _BRACKETS_PATTERN.findall(name):
        if _ACRONYM_PATTERN.fullmatch(text) and text.isupper():
            return str(text)
    words = re.split(r"[ -]", _BRACKETS_PATTERN.sub("", name))
    initials = "".join(word[0] for word in words if word[:1].isupper())
    return initials if len(initials) >= _MIN_ACRONYM_LETTERS and initials.lower() == slug else None


def _mention_anonymous(name: str, kind: str) -> SourceMention:
    description = _UNNAMED_PATTERN.sub("", name)
    if description != name:
        return SourceMention(f"{format_inline_name(description)} whom the press did not name")
    if kind in _PERSON_KINDS and not _ANONYMITY_PATTERN.search(name):
        return SourceMention(f"{format_inline_name(name)}, not named here", needs_comma=True)
    return SourceMention(format_inline_name(name), needs_comma="," in name)


def _add_principal(mention: SourceMention, source: SourceDetails) -> SourceMention:
    if source.speaks_for is None:
        return mention
    return SourceMention(f"{mention.text}, speaking for {mention_source(source.speaks_for).text}", needs_comma=True)


def is_person(source: SourceDetails) -> bool:
    """Return whether the relative pronoun of the source is "who"."""
    has_office = source.kind not in PRESS_KINDS | _SERIES_KINDS and ", " in source.name
    return source.kind in _PERSON_KINDS or source.anonymous or has_office


def describe_subject(name: str, unit: str) -> SubjectPhrase:
    """Return a subject as a group and as people, by its first and last words."""
    name = collapse_whitespace(name)
    text = str(PHRASES["subjects"].get(name, format_inline_name(_BRACKETS_PATTERN.sub("", name) or name)))
    first, last = text.split(" ", maxsplit=1)[0].casefold(), text.rsplit(" ", maxsplit=1)[-1].casefold()
    if {first, last} & _WORD_SETS["people"]:
        return SubjectPhrase(text, text)
    head = re.split(r" (?:at|in|of|from|near|on) ", text)[0].split(" ")[-1].casefold()
    return SubjectPhrase(text, f"members of {text}" if {last, head} & _WORD_SETS["bodies"] else f"{unit} among {text}")


def describe_place(name: str) -> str:
    """Return a place with its preposition."""
    name = collapse_whitespace(name)
    return str(PHRASES["places"].get(name, f"in {format_inline_name(_BRACKETS_PATTERN.sub('', name) or name)}"))


def describe_category(name: str, unit: str, components: Sequence[str] | None) -> CategoryPhrase:
    """Return the phrase of a category. `components` are their names: None if unstated, empty if atomic."""
    name = collapse_whitespace(name)
    entry = PHRASES["categories"].get(name)
    phrase = CategoryPhrase(**entry, unit=unit) if entry and "noun" in entry else None
    if entry and phrase is None:
        return CategoryPhrase(**entry, noun=_lower_first(name), unit=unit)
    phrase = phrase or _derive_category_phrase(name, unit)
    if phrase.note:
        return phrase
    if components is None:
        note = "what that includes was not said"
    else:
        note = join_with_and([_component_noun(component) for component in components]) if components else ""
    return CategoryPhrase(phrase.form, phrase.noun, phrase.past, phrase.future, phrase.part, note, unit)


def _derive_category_phrase(name: str, unit: str) -> CategoryPhrase:
    plain_name = _BRACKETS_PATTERN.sub("", name) or name
    if (lost := re.fullmatch(r"([^,]+) lost", plain_name)) is not None:
        return CategoryPhrase("lost", _lower_first(lost[1]))
    match = re.fullmatch(r"(?:([^,]*) )?(\w+ed)", plain_name)
    if match is not None and unit == "persons":
        words = _lower_first(plain_name)
        return CategoryPhrase("people", words, f"had been {words}", f"would be {words}", words)
    if match is not None and match[1]:
        participle = match[2]
        return CategoryPhrase(
            "things", _lower_first(match[1]), f"had been {participle}", f"would be {participle}", participle
        )
    if re.fullmatch(r"(?:Deaths\b.*|.*\b[Dd]eaths)", plain_name):
        return CategoryPhrase("there", _lower_first(plain_name))
    return CategoryPhrase("other", name)


def _component_noun(name: str) -> str:
    return _lower_first(_BRACKETS_PATTERN.sub("", collapse_whitespace(name)) or name).removesuffix(" lost")


def _lower_first(name: str) -> str:
    """Return a name with its first letter in lowercase, unless its first word is an acronym."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def join_fragments(words: Iterable[str]) -> str:
    """Join the non-empty words with single spaces, without a space before punctuation."""
    return re.sub(r" +([,;.])", r"\1", collapse_whitespace(" ".join(word for word in words if word)))
