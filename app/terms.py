"""Terms of use: an identifier of the SPDX License List, or the address of a page with the terms."""

import re
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.errors import suggest_nearest

LICENSES_FILE: Final = Path(__file__).parent / "spdx_licenses.txt"

MAX_TERMS_CHARACTERS: Final = 500
MAX_IDENTIFIER_CHARACTERS: Final = 60

EXPECTED_TERMS: Final = (
    "Expected an identifier of the SPDX License List such as CC-BY-4.0, or the https address of the terms"
)

_LICENSE_REFERENCE: Final = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
"""A license that SPDX does not list, named by whoever uses it (SPDX specification, annex D)."""

_ADDRESS: Final = re.compile(r"https?://[^\s\"<>\\^`{|}\x00-\x20\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
_SPACES: Final = re.compile("[ _]+")


class InvalidTerms(ValueError):
    """A text that is neither an SPDX identifier nor an address, with a `hint` if an identifier is similar."""

    def __init__(self, hint: str | None) -> None:
        super().__init__(EXPECTED_TERMS)
        self.hint = hint


def normalize_terms(text: str) -> str:
    """Return terms as they are recorded: `CC BY 4.0` and `cc-by-4.0` are `CC-BY-4.0`. Raises `InvalidTerms`."""
    if len(text) > MAX_TERMS_CHARACTERS:
        raise InvalidTerms(None)
    if _ADDRESS.fullmatch(text):
        if not _has_host(text):
            raise InvalidTerms(None)
        return text
    if _LICENSE_REFERENCE.fullmatch(text):
        return text
    folded = _SPACES.sub("-", text.strip()).casefold()
    if (identifier := _licenses().get(folded)) is not None:
        return identifier
    is_short = len(folded) <= MAX_IDENTIFIER_CHARACTERS
    raise InvalidTerms(suggest_nearest(folded, _licenses().values()) if is_short else None)


def terms_address(terms: str | None) -> str | None:
    """Return the page of the terms, if there is one: that of the license, or the address itself."""
    if terms is None:
        return None
    if terms.startswith(("https://", "http://")):
        return terms if _ADDRESS.fullmatch(terms) and _has_host(terms) else None
    identifier = _licenses().get(_SPACES.sub("-", terms).casefold())
    return None if identifier is None else f"https://spdx.org/licenses/{identifier}.html"


def _has_host(address: str) -> bool:
    try:
        url = urlsplit(address)
    except ValueError:
        return False
    return bool(url.hostname) and "@" not in url.netloc


@cache
def _licenses() -> dict[str, str]:
    """Return the identifiers of the SPDX License List by their spelling in lower case."""
    lines = LICENSES_FILE.read_text("utf-8").splitlines()
    return {line.casefold(): line for line in lines if not line.startswith("#")}
