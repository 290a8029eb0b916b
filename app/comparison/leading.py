"""The leading citation of a claim: the one that sentences, bibliographies and files with one row per claim use.

Of several citations, these decide, in order: with `known_on`, whether the document was published by then; whether the
report still stands; the mark of an editor; whether it changes the figure; the role; whether it is verbatim; the kind of
the publisher; the day of publication; the order of recording. `app/claims/leading.py` is the same in SQL.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

REMOVED_DOCUMENT_TITLE: Final = "Removed document"
"""The title of a document that was taken down, in the citations that are left."""

KIND_RANKS: Final[Mapping[str, int]] = {
    "media": 0,
    **dict.fromkeys(
        ("government", "military", "intelligence", "intergovernmental", "think_tank", "research", "ngo"), 1
    ),
    "dataset": 2,
    **dict.fromkeys(("individual", "witness"), 3),
}
"""The rank of a publisher by its kind."""

OTHER_KIND_RANK: Final = 4
"""The rank of an unknown publisher, or of none."""

PUBLISHED_BY_THEN, PUBLICATION_UNKNOWN, PUBLISHED_LATER = range(3)
"""Whether a document was published by `known_on`."""


def choose_leading(
    citations: Sequence[Mapping[str, Any]],
    publisher_kinds: Sequence[str | None],
    marked: str | None = None,
    known_on: date | None = None,
) -> str | None:
    """Return the id of the leading citation, or None if there is none.

    Args:
        citations: The citations of a claim, as in a response.
        publisher_kinds: The kind of the publisher of each.
        marked: The id of the citation that an editor marked.
        known_on: The day by which a document must have been published to lead, if any was.
    """

    def rank(index: int) -> tuple[Any, ...]:
        citation, kind = citations[index], publisher_kinds[index]
        published_on, withdrawn_on = citation["document"]["published_on"], citation["withdrawn_on"]
        return (
            _publication_rank(published_on, known_on),
            withdrawn_on is not None and (known_on is None or withdrawn_on <= known_on),
            citation["id"] != marked,
            citation["fidelity"] == "distorted",
            citation["role"] != "original",
            citation["fidelity"] != "verbatim",
            OTHER_KIND_RANK if kind is None else KIND_RANKS.get(str(kind), OTHER_KIND_RANK),
            published_on or date.max,
            citation["id"],
        )

    if len(citations) == 1:
        return str(citations[0]["id"])
    return str(citations[min(range(len(citations)), key=rank)]["id"]) if citations else None


def _publication_rank(published_on: date | None, known_on: date | None) -> int:
    if known_on is None:
        return PUBLISHED_BY_THEN
    if published_on is None:
        return PUBLICATION_UNKNOWN
    return PUBLISHED_BY_THEN if published_on <= known_on else PUBLISHED_LATER


def find_leading(citations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the citation of a response that leads, or None if there is no citation."""
    return next((citation for citation in citations if citation["leading"]), None)
