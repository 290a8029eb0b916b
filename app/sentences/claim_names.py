"""The names of the records that the sentence of a claim needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.sentences.phrases import CategoryDetails, PlaceDetails, SourceDetails, SubjectDetails

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The names of the records that a claim refers to, by slug.

    `categories` are those that a figure is relative to. `disputed_sources` are the sources whose claims a denial
    disputes, `bases` those on whose figures the claim is based, and `repeated_sources` those whose figures it repeats.
    """

    category: CategoryDetails
    subjects: Mapping[str, SubjectDetails] = field(default_factory=dict)
    places: Mapping[str, PlaceDetails] = field(default_factory=dict)
    sources: Mapping[str, SourceDetails] = field(default_factory=dict)
    disputed_sources: Sequence[str] = ()
    bases: Sequence[str] = ()
    repeated_sources: Sequence[str] = ()
    categories: Mapping[str, CategoryDetails] = field(default_factory=dict)

    def find_source(self, slug: str) -> SourceDetails:
        """Return the details of a source; an unknown source has its slug as name."""
        return self.sources.get(slug) or SourceDetails(slug, slug)

    def find_subject(self, slug: str) -> SubjectDetails:
        """Return the details of a subject; an unknown subject has its slug as name."""
        return self.subjects.get(slug) or SubjectDetails(slug)
