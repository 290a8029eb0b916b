"""The order of the citations of a claim in SQL, as `app/comparison/leading.py` defines it."""

from app.comparison.leading import (
    KIND_RANKS,
    OTHER_KIND_RANK,
    PUBLICATION_UNKNOWN,
    PUBLISHED_BY_THEN,
    PUBLISHED_LATER,
)


def leading_order(known_on: str | None) -> str:
    """Return the ORDER BY expressions that put the leading citation first.

    They refer to the tables `citation`, `document` and `publisher`. `known_on` is the expression of the limit on what
    had been published, if there is one.
    """
    kinds = " ".join(f"WHEN '{kind}' THEN {rank}" for kind, rank in KIND_RANKS.items())
    withdrawn = "citation.withdrawn_on IS NOT NULL" if known_on is None else f"citation.withdrawn_on <= {known_on}"
    terms = [
        f"CASE WHEN {withdrawn} THEN 1 ELSE 0 END",
        "CASE WHEN citation.marked THEN 0 ELSE 1 END",
        "CASE WHEN citation.fidelity = 'distorted' THEN 1 ELSE 0 END",
        "CASE WHEN citation.role = 'original' THEN 0 ELSE 1 END",
        "CASE WHEN citation.fidelity = 'verbatim' THEN 0 ELSE 1 END",
        f"CASE publisher.kind {kinds} ELSE {OTHER_KIND_RANK} END",
        "CASE WHEN document.published_on IS NULL THEN 1 ELSE 0 END",
        "document.published_on",
        "citation.id",
    ]
    if known_on is not None:
        terms.insert(
            0,
            f"CASE WHEN document.published_on IS NULL THEN {PUBLICATION_UNKNOWN} "
            f"WHEN document.published_on <= {known_on} THEN {PUBLISHED_BY_THEN} ELSE {PUBLISHED_LATER} END",
        )
    return ", ".join(terms)
