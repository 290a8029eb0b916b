"""Terms of use: SPDX identifiers, addresses, and what is neither."""

import pytest

from app.terms import MAX_TERMS_CHARACTERS, InvalidTerms, normalize_terms, terms_address

TERMS = {
    "CC-BY-4.0": "CC-BY-4.0",
    "CC BY 4.0": "CC-BY-4.0",
    "cc_by-sa 4.0": "CC-BY-SA-4.0",
    "OGL-UK-3.0": "OGL-UK-3.0",
    "LicenseRef-Press-Kit": "LicenseRef-Press-Kit",
    "https://example.org/terms?a=1#b": "https://example.org/terms?a=1#b",
}
REFUSED = {
    "CC-BY-4": "did you mean `CC-BY-4.0`?",
    "all rights reserved": None,
    "ftp://example.org/terms": None,
    "https://": None,
    "https://user@example.org/": None,
    "https://example.org/a b": None,
    "javascript:alert(1)": None,
    "": None,
    "x" * (MAX_TERMS_CHARACTERS + 1): None,
}


@pytest.mark.parametrize("text", TERMS)
def test_terms_are_an_identifier_or_an_address(text: str) -> None:
    assert normalize_terms(text) == TERMS[text]
    assert normalize_terms(TERMS[text]) == TERMS[text]


@pytest.mark.parametrize("text", REFUSED)
def test_other_terms_are_refused(text: str) -> None:
    with pytest.raises(InvalidTerms) as caught:
        normalize_terms(text)
    assert caught.value.hint == REFUSED[text]


def test_the_page_of_terms() -> None:
    assert terms_address("CC BY 4.0") == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert terms_address("https://example.org/terms") == "https://example.org/terms"
    assert [terms_address(text) for text in (None, "Ask the desk", "LicenseRef-a", 'https://a" onclick=')] == [None] * 4
