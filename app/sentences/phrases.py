"""How recorded names read in running text: sources, subjects, places and categories, by table or else by rule."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PHRASES: Final[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
_WORDS: Final[dict[str, frozenset[str]]] = {name: frozenset(words) for name, words in PHRASES["words"].items()}

PRESS: Final = frozenset({"media", "dataset"})
"""Kinds whose full name is printed, however well known their initials are."""
_SERIES: Final = frozenset({"research", "dataset", "media", "think_tank", "ngo"})
"""Kinds where small letters behind a comma describe a series, not an office."""
_PERSONS: Final = frozenset({"individual", "witness"})

_BRACKETS: Final = re.compile(r"\s*\(([^()]*)\)")
_ACRONYM: Final = re.compile(r"[^\W\d_a-z][A-Z0-9-]{1,9}")
_UNNAMED: Final = re.compile(r",? (?:not named|unnamed)$", re.IGNORECASE)
_SAYS_SO: Final = re.compile(r"not name|unnamed|unknown|anonym", re.IGNORECASE)
_SHORTEST_INITIALS: Final = 3


@dataclass(frozen=True, slots=True)
class Source:
    """What a sentence needs to know of a source; `speaks_for` is the name of another one."""

    slug: str
    name: str
    kind: str = "unknown"
    anonymous: bool = False
    speaks_for: "Source | None" = None


@dataclass(frozen=True, slots=True)
class Mention:
    """A name inside a sentence. One that ends in an apposition (`closes`) wants a comma before the sentence goes on."""

    text: str
    closes: bool = False

    def __str__(self) -> str:
        """The name, with its comma if the sentence goes on behind it."""
        return f"{self.text}," if self.closes else self.text


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose: as a group ("Russian forces"), and as people of whom one can count some ("members of Russian forces")."""

    text: str
    people: str


@dataclass(frozen=True, slots=True)
class Counted:
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
    def noted(self) -> str:
        """The noun with what it adds up in brackets."""
        return f"{self.noun} ({self.note})" if self.note else self.noun


def one_line(text: str) -> str:
    """Names and titles with single spaces."""
    return " ".join(text.split())


def opened(text: str) -> str:
    """The text with a capital letter, as it begins a sentence; the name of a site stays as it is written."""
    return text if "." in text.split(" ", maxsplit=1)[0][:-1] else text[:1].upper() + text[1:]


def listed(words: Sequence[str]) -> str:
    """Join words as prose does: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def inside(name: str) -> str:
    """A name inside a sentence: a description begins small, a proper name stays, an organisation takes "the"."""
    first, _, rest = name.partition(" ")
    if first.lower() in _WORDS["common"]:
        name = f"{first.lower()} {rest}".strip()
    words = {word.casefold() for word in re.findall(r"\w+", name.partition(",")[0])}
    plain = name == name[:1].upper() + name[1:]
    return f"the {name}" if plain and words & _WORDS["take_the"] and first.casefold() not in {"the", "a"} else name


def source_mention(source: Source) -> Mention:
    """A source as it is named in a sentence: its short form where its name has one."""
    name = one_line(source.name)
    if name in PHRASES["sources"]:
        return Mention(PHRASES["sources"][name])
    short = None if source.kind in PRESS or source.anonymous else _short(name, source.slug)
    if short is not None:
        return _for_another(Mention(short), source)
    plain = name if source.kind == "dataset" else _BRACKETS.sub("", name) or name
    if source.anonymous:
        return _unnamed(plain, source.kind)
    head, _, rest = plain.partition(", ")
    if source.kind in _SERIES and rest[:1].islower():
        rest = ""
    if rest:
        return Mention(f"{inside(head)}, {rest}", closes=True)
    return _for_another(Mention(inside(head)), source)


def _short(name: str, slug: str) -> str | None:
    """An acronym that the name itself gives in brackets, or that its slug spells from its initials (`csis`)."""
    for found in _BRACKETS.findall(name):
        if _ACRONYM.fullmatch(found) and found.isupper():
            return str(found)
    words = re.split(r"[ -]", _BRACKETS.sub("", name))
    initials = "".join(word[0] for word in words if word[:1].isupper())
    return initials if len(initials) >= _SHORTEST_INITIALS and initials.lower() == slug else None


def _unnamed(name: str, kind: str) -> Mention:
    told = _UNNAMED.sub("", name)
    if told != name:
        return Mention(f"{inside(told)} whom the press did not name")
    if kind in _PERSONS and not _SAYS_SO.search(name):
        return Mention(f"{inside(name)}, not named here", closes=True)
    return Mention(inside(name), closes="," in name)


def _for_another(mention: Mention, source: Source) -> Mention:
    if source.speaks_for is None:
        return mention
    return Mention(f"{mention.text}, speaking for {source_mention(source.speaks_for).text}", closes=True)


def is_person(source: Source) -> bool:
    """Whether a relative clause about the source begins with "who"."""
    by_office = source.kind not in PRESS | _SERIES and ", " in source.name
    return source.kind in _PERSONS or source.anonymous or by_office


def subject_phrase(name: str, unit: str) -> Subject:
    """A subject as a group and as people, by the words that it begins or ends with."""
    name = one_line(name)
    text = str(PHRASES["subjects"].get(name, inside(_BRACKETS.sub("", name) or name)))
    first, last = text.split(" ", maxsplit=1)[0].casefold(), text.rsplit(" ", maxsplit=1)[-1].casefold()
    if {first, last} & _WORDS["people"]:
        return Subject(text, text)
    head = re.split(r" (?:at|in|of|from|near|on) ", text)[0].split(" ")[-1].casefold()
    return Subject(text, f"members of {text}" if {last, head} & _WORDS["bodies"] else f"{unit} among {text}")


def place_phrase(name: str) -> str:
    """A place with its preposition."""
    name = one_line(name)
    return str(PHRASES["places"].get(name, f"in {inside(_BRACKETS.sub('', name) or name)}"))


def counted_phrase(name: str, unit: str, components: Sequence[str] | None) -> Counted:
    """What a category counts. `components` are the names of what it adds up: None unstated, empty for an atom."""
    name = one_line(name)
    known = PHRASES["categories"].get(name)
    phrase = Counted(**known, unit=unit) if known and "noun" in known else None
    if known and phrase is None:
        return Counted(**known, noun=_small(name), unit=unit)
    phrase = phrase or _by_rule(name, unit)
    if phrase.note:
        return phrase
    if components is None:
        note = "what that includes was not said"
    else:
        note = listed([_component(each) for each in components]) if components else ""
    return Counted(phrase.form, phrase.noun, phrase.past, phrase.future, phrase.part, note, unit)


def _by_rule(name: str, unit: str) -> Counted:
    bare = _BRACKETS.sub("", name) or name
    if (lost := re.fullmatch(r"([^,]+) lost", bare)) is not None:
        return Counted("lost", _small(lost[1]))
    done = re.fullmatch(r"(?:([^,]*) )?(\w+ed)", bare)
    if done is not None and unit == "persons":
        words = _small(bare)
        return Counted("people", words, f"had been {words}", f"would be {words}", words)
    if done is not None and done[1]:
        return Counted("things", _small(done[1]), f"had been {done[2]}", f"would be {done[2]}", done[2])
    if re.fullmatch(r"(?:Deaths\b.*|.*\b[Dd]eaths)", bare):
        return Counted("there", _small(bare))
    return Counted("other", name)


def _component(name: str) -> str:
    bare = _small(_BRACKETS.sub("", one_line(name)) or name)
    return bare.removesuffix(" lost")


def _small(name: str) -> str:
    """A category's name inside a sentence: its first word small, unless it is an acronym."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def together(words: Iterable[str]) -> str:
    """Join what is not empty with single spaces, and put no space before a comma."""
    return re.sub(r" +([,;.])", r"\1", one_line(" ".join(word for word in words if word)))
