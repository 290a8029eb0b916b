"""Folded words are those that the pattern finds, however they are found."""

import pytest

from app.database.text_folding import WORD_PATTERN, search_words
from app.http.schema_types import REFUSED_CHARACTERS

ASCII = "".join(map(chr, range(128)))


@pytest.mark.parametrize("text", [ASCII, ASCII.lower(), " ".join(ASCII), "a_1 B-2\x1fc", ""])
def test_words_of_ascii_are_those_of_the_pattern(text: str) -> None:
    assert search_words(text) == sorted(set(WORD_PATTERN.findall(text.lower())))


def test_words_of_several_texts_are_distinct_and_without_accents() -> None:
    assert search_words("Séjourné said", None, "sejourne", "Said_1 ١٢") == ["said", "said_1", "sejourne", "١٢"]


def test_no_refused_character_is_printable() -> None:
    refused = [character for character in map(chr, range(0x110000)) if REFUSED_CHARACTERS.search(character)]
    assert len(refused) == 29 + 1 + 32 + 1 + 9
    assert not any(character.isprintable() for character in refused)
