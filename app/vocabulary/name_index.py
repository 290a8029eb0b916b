"""An index of the names of records by the beginnings of their words, for suggestions and for searches of lists.

It is built from the reference data at the first search after a change of a vocabulary, in memory: a search then reads
two ranges of a sorted list and no database. Words are folded (see `app/database/text_folding.py`), so that a search
finds accented names without accents, in any script.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.database.text_folding import WORD_PATTERN, fold_text
from app.errors import find_nearest

SEARCHED_KINDS: Final = ("topic", "source", "category", "subject", "place")
"""The kinds of records that are found by name, in the order of suggestions that match equally well."""

MAX_SEARCH_CHARACTERS: Final = 200

MAX_SIMILAR: Final = 3

_LAST_CHARACTER: Final = "\U0010ffff"
_LETTERS_WITH_STROKES: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that Unicode does not decompose into a letter and an accent, and how they are typed without it."""

Words = tuple[str, ...]


def split_search_words(text: str) -> Words:
    """Return the folded words of a text in their order."""
    return tuple(WORD_PATTERN.findall(fold_text(text).translate(_LETTERS_WITH_STROKES)))


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """A record that is found by its name or short name."""

    kind: str
    slug: str
    name: str
    short_name: str | None = None


class NameIndex:
    """The names of all records of one state of the register."""

    def __init__(self, records: Iterable[NamedRecord]) -> None:
        self._records = sorted(
            records, key=lambda record: (SEARCHED_KINDS.index(record.kind), record.name.casefold(), record.slug)
        )
        self._names = [
            tuple(split_search_words(name) for name in (record.name, record.short_name) if name)
            for record in self._records
        ]
        by_word: defaultdict[str, set[int]] = defaultdict(set)
        by_name: defaultdict[Words, list[int]] = defaultdict(list)
        for number, names in enumerate(self._names):
            for words in names:
                by_name[words].append(number)
                for word in words:
                    by_word[word].add(number)
        self._words = sorted(by_word)
        self._numbers = [by_word[word] for word in self._words]
        self._by_name = dict(by_name)
        self._slugs = {(record.kind, record.slug) for record in self._records}

    def suggest(self, text: str, limit: int, kinds: Collection[str] = SEARCHED_KINDS) -> list[NamedRecord]:
        """Return the records in whose name each word of `text` begins a word, the best matches first.

        First names that are the text, then names that begin with it, then those of which later words begin with its
        words; among these by kind, then by name.
        """
        wanted = split_search_words(text)
        exact = [number for number in self._by_name.get(wanted, ()) if self._records[number].kind in kinds]
        chosen = list(dict.fromkeys(exact))
        later: list[int] = []
        for number in sorted(self._find(wanted).difference(exact)):
            if len(chosen) >= limit:
                break
            if self._records[number].kind in kinds:
                (chosen if self._begins_with(number, wanted) else later).append(number)
        return [self._records[number] for number in (*chosen, *later)[:limit]]

    def find_slugs(self, kind: str, text: str) -> list[str]:
        """Return the slugs of a kind in whose names each word of `text` begins a word, in order."""
        found = (self._records[number] for number in self._find(split_search_words(text)))
        return sorted(record.slug for record in found if record.kind == kind)

    def find_named(self, kind: str, text: str) -> list[str]:
        """Return the slugs of a kind whose name, short name or slug is the text, in order; case and accents aside."""
        numbers = self._by_name.get(split_search_words(text), ())
        slugs = {self._records[number].slug for number in numbers if self._records[number].kind == kind}
        if (kind, folded := text.strip().casefold()) in self._slugs:
            slugs.add(folded)
        return sorted(slugs)

    def find_similar(self, kind: str, text: str) -> list[NamedRecord]:
        """Return up to three records of a kind that a text may mean: its words begin their names, or it is similar."""
        if not (wanted := split_search_words(text)):
            return []
        if found := self.suggest(text, MAX_SIMILAR, (kind,)):
            return found
        names = {
            " ".join(words): number
            for number, record in enumerate(self._records)
            if record.kind == kind
            for words in self._names[number]
        }
        nearest = find_nearest(" ".join(wanted), names, MAX_SIMILAR)
        return [self._records[number] for number in dict.fromkeys(names[name] for name in nearest)]

    def list_records(self, kind: str) -> list[NamedRecord]:
        """Return the records of a kind, by name."""
        return [record for record in self._records if record.kind == kind]

    def find_topics(self, text: str, topics: Mapping[str, Mapping[str, object]]) -> list[str]:
        """Return the slugs of the topics that a text finds, in order.

        Each word of the text begins a word of the title, or of the name of the category, subject or place.
        """
        found: set[str] | None = None
        for word in split_search_words(text):
            matching = {(record.kind, record.slug) for record in map(self._records.__getitem__, self._find_word(word))}
            slugs = {
                slug
                for slug, topic in topics.items()
                if ("topic", slug) in matching
                or any((kind, topic[kind]) in matching for kind in ("category", "subject", "place"))
            }
            found = slugs if found is None else found & slugs
        return sorted(found or ())

    def _find_word(self, prefix: str) -> set[int]:
        """Return the numbers of the records with a word that begins with `prefix`."""
        start = bisect_left(self._words, prefix)
        end = bisect_left(self._words, prefix + _LAST_CHARACTER, start)
        return set().union(*self._numbers[start:end])

    def _find(self, wanted: Words) -> set[int]:
        """Return the numbers of the records in whose names each of the words begins a word."""
        found = [self._find_word(word) for word in sorted(set(wanted), key=len, reverse=True)]
        return found[0].intersection(*found[1:]) if found else set()

    def _begins_with(self, number: int, wanted: Words) -> bool:
        """Return whether a name of the record begins with these words, of which the last may be incomplete."""
        last = len(wanted) - 1
        return any(
            len(words) > last and words[last].startswith(wanted[last]) and words[:last] == wanted[:last]
            for words in self._names[number]
        )
