"""The printable sentences of the first claims of an import: they show what a mapping makes of a file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from sqlmodel import Session

from app.claims.lookups import ReferenceLookup
from app.claims.validation import build_citation_columns
from app.http.schema_types import Input
from app.imports.pipeline.candidates import ResolvedClaim
from app.sentences.claim_names import ClaimNames
from app.sentences.phrases import CategoryDetails, RecordNames
from app.sentences.sentence import write_claim_text
from app.vocabulary.record_names import (
    category_details,
    load_record_names,
    place_details,
    source_details,
    subject_details,
)
from app.vocabulary.slug_records import RecordType

MAX_SENTENCES = 12
"""Maximum number of sentences of one import."""

MAX_SAMPLED_CLAIMS = 20_000
"""Number of claims after which no further kinds are searched."""

FIGURE_COLUMNS = (
    *("as_printed", "language", "value", "lower", "upper", "lower_inclusive", "upper_inclusive", "approximate"),
    *("coverage", "out_of", "relative_to", "kind", "display", "wording_differs"),
)


@dataclass(slots=True)
class SentenceSample:
    """The first new claims of each kind: of each claim of the mapping, category, proposition and form of figure."""

    claims: dict[tuple[Any, ...], ResolvedClaim] = field(default_factory=dict)
    _seen_count: int = 0

    def add(self, claims: Sequence[ResolvedClaim]) -> None:
        """Keep the new claims whose kind is not kept yet, unless there are enough."""
        if self._seen_count >= MAX_SAMPLED_CLAIMS:
            return
        self._seen_count += len(claims)
        for claim in claims:
            if len(self.claims) == MAX_SENTENCES:
                return
            if claim.is_new:
                state = claim.candidate.state
                name = claim.candidate.validated.draft.name
                kind = (name, state["category"], state["proposition"], state["kind"], state["aggregation"])
                self.claims.setdefault(kind, claim)

    def write(
        self, session: Session, lookup: ReferenceLookup, records: Iterable[tuple[RecordType, str, Input]]
    ) -> list[str]:
        """Return the sentences, each with the row that it comes from. `records` are those that are not recorded yet."""
        if not self.claims:
            return []
        names = _add_records(load_record_names(session, lookup.snapshot), records)
        return [_write_sentence(claim, lookup, names) for claim in self.claims.values()]


def _add_records(names: RecordNames, records: Iterable[tuple[RecordType, str, Input]]) -> RecordNames:
    rows: dict[str, list[Any]] = {}
    for record_type, slug, record in records:
        rows.setdefault(record_type.name, []).append(SimpleNamespace(slug=slug, **record.model_dump(mode="json")))
    return replace(
        names,
        sources={**names.sources, **source_details(rows.get("source", ()))},
        categories={**names.categories, **category_details(rows.get("category", ()))},
        subjects={**names.subjects, **subject_details(rows.get("subject", ()))},
        places={**names.places, **place_details(rows.get("place", ()))},
    )


def _write_sentence(resolved: ResolvedClaim, lookup: ReferenceLookup, names: RecordNames) -> str:
    validated = resolved.candidate.validated
    claim = _claim_object(resolved, lookup)
    claim_names = ClaimNames(
        names.categories.get(claim["category"]) or CategoryDetails(claim["category"]),
        names.subjects,
        names.places,
        names.sources,
        categories=names.categories,
    )
    sentence = write_claim_text(claim, claim_names).sentence
    return f"{validated.row.file}, line {validated.row.line}: {sentence}"


def _claim_object(resolved: ResolvedClaim, lookup: ReferenceLookup) -> Mapping[str, Any]:
    """Return a claim as sentences read it."""
    validated, state = resolved.candidate.validated, resolved.candidate.state
    claim_input = validated.claim_input
    citations = []
    for number, (citation, document) in enumerate(zip(claim_input.citations, validated.documents, strict=True)):
        columns = build_citation_columns(lookup, citation, "", claim_input.source, document)
        citations.append({**columns, "id": f"{number:03}", "document": document, "leading": not number})
    figure = {name: state.get(name) for name in FIGURE_COLUMNS}
    category = lookup.find_category(state["category"])
    figure["unit"] = state["unit"] or (category.unit if category else None)
    return {
        **state,
        "figure": figure,
        "period": {
            "edtf": state["period"],
            "start": state["period_start"],
            "end": state["period_end"],
            "aggregation": state["aggregation"],
            "per": state["per"],
        },
        "source": {"slug": claim_input.source},
        "citations": citations,
        "confidence": claim_input.confidence and {"stated": claim_input.confidence.stated},
    }
