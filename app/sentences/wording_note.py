"""The sentence that says why the numbers of a figure are not those of its wording."""

from collections.abc import Mapping
from typing import Any

from app.sentences.figures import quote_text


def describe_wording_difference(figure: Mapping[str, Any]) -> str:
    """Return a sentence with the printed wording and why the numbers differ from it; empty if they do not."""
    reason = figure.get("wording_differs")
    if reason is None:
        return ""
    sentence = f"The wording is {quote_text(figure['as_printed'])}: {' '.join(str(reason).split())}"
    return sentence if sentence[-1] in ".!?" else f"{sentence}."
