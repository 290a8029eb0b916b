"""Words as they are searched: small letters without accents, the same on both databases."""

import re
import unicodedata

WORD_PATTERN = re.compile(r"\w+")


def search_words(*texts: str | None) -> list[str]:
    """The words of `texts`, each once and sorted. `Séjourné` and `sejourne` are one word."""
    found: set[str] = set()
    for text in texts:
        if text:
            found.update(WORD_PATTERN.findall(_fold(text)))
    return sorted(found)


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    # NFKD takes a letter apart from its accents; without them, spellings with and without accents are one.
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))
