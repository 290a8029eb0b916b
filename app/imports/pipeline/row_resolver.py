"""The resolution of a candidate: its outcome, and the rows to be written for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from uuid_utils import uuid7

from app.claims.lookups import ReferenceLookup
from app.claims.validation import build_citation_columns
from app.comparison.leading import choose_leading
from app.enums import Outcome, Status
from app.errors import DocumentDiffers
from app.imports.mappings.columns import CITATION_TEXTS, DOCUMENT_TEXTS
from app.imports.mappings.differences import find_differences
from app.imports.pipeline.candidates import (
    CURRENT_OUTCOMES,
    Candidate,
    ClaimColumns,
    ResolvedClaim,
    RowWrites,
    superseding_columns,
)
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.matching import ExistingRecords
from app.imports.pipeline.pending import PendingImport
from app.imports.pipeline.reconciliation import (
    OUTCOME_OF_WITHDRAWN_STATUS,
    Decision,
    PreviousRow,
    reconcile_by_id,
    reconcile_row,
)
from app.imports.pipeline.row_mapping import FileSeriesOptions


@dataclass(frozen=True, slots=True)
class RowResolver:
    """Determines the outcome of each candidate, and encodes the rows to write for it.

    It changes nothing but the `PendingImport` that it is called with.
    """

    encoders: RowEncoders
    import_id: str
    actor: str
    options: FileSeriesOptions | None

    def resolve(
        self,
        lookup: ReferenceLookup,
        candidate: Candidate,
        existing: ExistingRecords,
        pending: PendingImport,
        vintage: date | None,
    ) -> ResolvedClaim | str:
        """Return the resolved claim, or the reason for which its row is refused."""
        validated, today = candidate.validated, lookup.today
        day = vintage or today
        previous_rows = existing.previous_rows.get(validated.key or "", [])
        decision = self._reconcile(candidate, existing, pending, previous_rows, day)
        if isinstance(decision, str):
            return decision
        if reason := _find_document_conflict(candidate, decision, existing, pending):
            return reason
        match decision.outcome:
            case Outcome.new:
                if validated.draft.is_retracted and validated.draft.retracted_on is None:
                    return (
                        "The claim was retracted, but the file has no day of the retraction: import the NDJSON export."
                    )
                claim = validated.draft.id or str(uuid7())
                writes = self._claim_writes(lookup, candidate, pending, claim, candidate.state)
                resolved = ResolvedClaim(candidate, Outcome.new, claim, candidate.fingerprint, writes)
            case Outcome.changed:
                resolved = self._resolve_change(lookup, candidate, existing, pending, decision, day)
            case Outcome.cited | Outcome.unchanged:
                resolved = self._resolve_recorded(lookup, candidate, existing, pending, decision, day)
            case _:
                resolved = ResolvedClaim(candidate, decision.outcome, decision.claim or "", None, {})
        if resolved.fingerprint is not None:
            pending.claims[resolved.fingerprint] = resolved.claim
        if validated.draft.id is not None and resolved.writes_claim:
            pending.claim_ids.add(validated.draft.id)
        if resolved.is_current:
            is_restated = validated.key in existing.restated_keys
            resolved.writes.update(
                self._imported_row_writes(resolved, previous_rows, vintage, today, is_restated=is_restated)
            )
        return resolved

    def _resolve_recorded(
        self,
        lookup: ReferenceLookup,
        candidate: Candidate,
        existing: ExistingRecords,
        pending: PendingImport,
        decision: Decision,
        day: date,
    ) -> ResolvedClaim:
        """Resolve a row whose claim is recorded: add new citations, or report what the row contradicts."""
        claim, fingerprint = decision.claim or "", decision.fingerprint
        writes = self._citation_writes(
            lookup, candidate, existing, pending, claim, fingerprint or candidate.row_fingerprint
        )
        differing = _find_differing_texts(candidate, existing, claim)
        if repair := self._repair_texts(candidate, existing, differing, day):
            rest = tuple(name for name in differing if name not in REPAIRED_TEXTS)
            return ResolvedClaim(
                candidate, Outcome.changed, claim, fingerprint, {**writes, **repair}, differing_texts=rest
            )
        if differing:
            outcome = Outcome.cited if writes else Outcome.unchanged
            return ResolvedClaim(candidate, outcome, claim, fingerprint, writes, differing_texts=differing)
        differences = _find_differences(candidate, existing, claim)
        if differences and not writes:
            outcome = _outcome_of_difference(candidate, existing, claim)
            return ResolvedClaim(candidate, outcome, claim, None, {}, differences=differences)
        outcome = Outcome.cited if writes else Outcome.unchanged
        return ResolvedClaim(candidate, outcome, claim, fingerprint, writes, differences=differences)

    def _repair_texts(
        self, candidate: Candidate, existing: ExistingRecords, differing: Sequence[str], day: date
    ) -> RowWrites:
        """Return the correction of the wording, note and derivation of a claim.

        An older file corrects nothing, nor is a claim corrected that somebody else recorded, or corrected before.
        """
        rows = existing.previous_rows.get(candidate.validated.key or "", [])
        names = [name for name in differing if name in REPAIRED_TEXTS]
        if not names or self.options is None or self.options.on_change != "fix":
            return {}
        last = rows[-1]
        if last.claim.revision > 1 or last.import_id not in existing.series_imports or day < last.vintage:
            return {}
        draft = candidate.validated.draft.claim_input
        changes = {name.partition(".")[0]: draft.get(name.partition(".")[0]) for name in names}
        row = candidate.validated.row
        fields = ", ".join(f"`{name}`" for name in names)
        reason = f"{row.file}, line {row.line} gives another {fields}; the figure is the same."
        return {"repair": {"changes": changes, "reason": reason}}

    def _reconcile(
        self,
        candidate: Candidate,
        existing: ExistingRecords,
        pending: PendingImport,
        previous_rows: list[PreviousRow],
        day: date,
    ) -> Decision | str:
        """Return the decision for a candidate, or the reason for which its row is refused."""
        fingerprint, claim_id = candidate.fingerprint, candidate.validated.draft.id
        pending_claim = pending.claims.get(fingerprint)
        if claim_id is not None and claim_id in pending.claim_ids and pending_claim != claim_id:
            return f"The id {claim_id} belongs to another claim of this file."
        if pending_claim is not None and not previous_rows:
            return Decision(Outcome.unchanged, pending_claim, fingerprint)
        same = existing.by_fingerprint.get(fingerprint)
        if claim_id is not None:
            return reconcile_by_id(fingerprint, same, existing.by_id.get(claim_id))
        on_change = self.options.on_change if self.options else "report"
        key = candidate.validated.key
        decision = reconcile_row(
            candidate.row_fingerprint,
            same,
            previous_rows,
            day,
            on_change,
            is_restated=key in existing.restated_keys,
            is_moved=key in existing.moved_keys,
        )
        if decision.outcome is Outcome.changed and on_change == "fix" and pending_claim:
            return Decision(Outcome.unchanged, pending_claim, fingerprint)
        return decision

    def _resolve_change(
        self,
        lookup: ReferenceLookup,
        candidate: Candidate,
        existing: ExistingRecords,
        pending: PendingImport,
        decision: Decision,
        day: date,
    ) -> ResolvedClaim:
        """Resolve a row that differs from its earlier version: correct the claim, or record one that supersedes it."""
        assert decision.claim is not None  # noqa: S101 - a changed row has a claim
        validated = candidate.validated
        if decision.is_beside:
            if (pending_claim := pending.claims.get(candidate.fingerprint)) is not None:
                return ResolvedClaim(candidate, Outcome.unchanged, pending_claim, candidate.fingerprint, {})
            claim = str(uuid7())
            writes = self._claim_writes(lookup, candidate, pending, claim, candidate.state)
            return ResolvedClaim(candidate, Outcome.changed, claim, candidate.fingerprint, writes)
        note = _describe_change(candidate, existing.columns.get(decision.claim))
        if not decision.supersedes:
            changes = {
                name: value
                for name, value in validated.draft.claim_input.items()
                if name not in {"citations", "confidence"}
            }
            writes = {"repair": {"changes": changes, "reason": note}}
            return ResolvedClaim(candidate, Outcome.changed, decision.claim, candidate.row_fingerprint, writes)
        state = candidate.superseding_state or superseding_columns(validated.validated_claim.state, day)
        fingerprint = str(state["fingerprint"])
        same = existing.by_fingerprint.get(fingerprint)
        if same is not None and same.status in OUTCOME_OF_WITHDRAWN_STATUS:
            return ResolvedClaim(candidate, OUTCOME_OF_WITHDRAWN_STATUS[same.status], same.id, None, {})
        recorded = pending.claims.get(fingerprint) or (same.id if same else None)
        if recorded is not None:
            writes = self._citation_writes(lookup, candidate, existing, pending, recorded, fingerprint)
            return ResolvedClaim(candidate, Outcome.unchanged, recorded, fingerprint, writes)
        claim = str(uuid7())
        writes = self._claim_writes(lookup, candidate, pending, claim, state)
        return ResolvedClaim(candidate, Outcome.changed, claim, fingerprint, writes, (decision.claim, note))

    def _claim_writes(
        self, lookup: ReferenceLookup, candidate: Candidate, pending: PendingImport, claim: str, state: ClaimColumns
    ) -> RowWrites:
        """Return the rows to write for a new claim: its row, its citations, and its assessment if there is one."""
        marked = _find_mark(lookup, candidate)
        writes: RowWrites = {
            "claim": self.encoders.claim.encode({**state, "id": claim, "import_id": self.import_id}),
            "citations": self._encode_citations(lookup, candidate, pending, claim, (), marked),
        }
        if marked is not None:
            writes["marked"] = marked
        if (confidence := candidate.validated.claim_input.confidence) is not None:
            assessment = {name: getattr(confidence, name) for name in type(confidence).model_fields}
            assessment |= {"id": str(uuid7()), "claim": claim, "withdrawn": False}
            assessment["assessor"] = confidence.assessor or self.actor
            assessment["assessed_on"] = confidence.assessed_on or lookup.today
            writes["assessment"] = [assessment["id"], self.encoders.assessment.encode(assessment)]
        return writes

    def _citation_writes(
        self,
        lookup: ReferenceLookup,
        candidate: Candidate,
        existing: ExistingRecords,
        pending: PendingImport,
        claim: str,
        fingerprint: str,
    ) -> RowWrites:
        """Return the citations that an existing or pending claim does not have yet."""
        cited = existing.cited_documents.get(claim, set()) | pending.cited_documents(claim, fingerprint)
        citations = self._encode_citations(lookup, candidate, pending, claim, cited)
        return {"citations": citations} if citations else {}

    def _encode_citations(
        self,
        lookup: ReferenceLookup,
        candidate: Candidate,
        pending: PendingImport,
        claim: str,
        cited: Collection[str],
        marked: int | None = None,
    ) -> list[list[Any]]:
        """Return id, document and encoded row of each citation from a document that is not in `cited`."""
        claim_input, conflicts = candidate.validated.claim_input, candidate.validated.validated_claim.conflicts
        citations = []
        for i, (citation, document) in enumerate(
            zip(claim_input.citations, candidate.validated.documents, strict=True)
        ):
            if i not in conflicts and document["id"] not in cited:
                pending.documents.stage(document["id"])
                columns = build_citation_columns(lookup, citation, claim, claim_input.source, document)
                id_ = str(uuid7())
                row = {**columns, "id": id_, "marked": i == marked}
                citations.append([id_, document["id"], self.encoders.citation.encode(row)])
        pending.add_citations(claim, (document for _, document, _ in citations))
        return citations

    def _imported_row_writes(
        self,
        resolved: ResolvedClaim,
        previous_rows: list[PreviousRow],
        vintage: date | None,
        today: date,
        *,
        is_restated: bool,
    ) -> RowWrites:
        """Return the imported row to write, if any. Later files of the file series are compared with it."""
        candidate = resolved.candidate
        key, fingerprint = candidate.validated.key, candidate.row_fingerprint
        if key is None or self.options is None:
            return {}
        if is_restated and resolved.outcome is not Outcome.changed:
            fingerprint = previous_rows[-1].fingerprint  # the row goes on, whatever day it is said on
        previous = next((row for row in previous_rows if row.fingerprint == fingerprint), None)
        is_later = vintage is not None and previous is not None and vintage > previous.vintage
        if previous is None or is_later or resolved.outcome is Outcome.changed:
            day = (vintage or today).isoformat()
            return {"imported_row": [key, fingerprint, resolved.fingerprint or "", day, previous is not None]}
        return {}


STATEMENT_FIELDS = {
    "another period": ("period", "aggregation", "per"),
    "another modality": ("proposition", "modality"),
    "another scope": ("includes", "excludes", "relative_to"),
    "another unit": ("unit",),
    "another figure": ("value", "lower", "upper", "approximate", "out_of", "coverage"),
}
"""What a changed row can state otherwise, and the columns that show it."""


def _describe_change(candidate: Candidate, earlier: ClaimColumns | None) -> str:
    """Return what a row states now and what its earlier version stated, for the reason of a correction."""
    validated = candidate.validated
    printed, state = validated.claim_input.figure.as_printed, validated.validated_claim.state
    place = f"{validated.row.file}, line {validated.row.line} gives {printed}"
    if earlier is None:
        return f"{place}; an earlier file said something else."
    if earlier["as_printed"] != printed:
        return f"{place}; an earlier file gave {earlier['as_printed']}."
    differing = [
        text for text, names in STATEMENT_FIELDS.items() if any(state[name] != earlier[name] for name in names)
    ]
    return f"{place} for {state['period']}; an earlier file gave {' and '.join(differing) or 'another wording'}."


REPAIRED_TEXTS = frozenset({"figure.as_printed", "note", "derivation"})
"""The fields beside the statement that `on_change = "fix"` corrects."""


def _find_differing_texts(candidate: Candidate, existing: ExistingRecords, claim: str) -> tuple[str, ...]:
    """Return the fields beside the statement that a row gives otherwise than the claim of its earlier version."""
    validated = candidate.validated
    rows, fields = existing.previous_rows.get(validated.key or ""), validated.draft.text_fields
    if not rows or rows[-1].claim.id != claim or rows[-1].claim.status is Status.removed or not fields:
        return ()
    state = validated.validated_claim.state
    recorded = dict(zip(PreviousRow.TEXTS, rows[-1].texts, strict=True))
    names = {"figure.as_printed": "as_printed", "note": "note", "derivation": "derivation"}
    differing = [name for name, column in names.items() if name in fields and state[column] != recorded[column]]
    for citation, document in zip(validated.claim_input.citations, validated.documents, strict=True):
        texts = existing.citations.get((claim, document["id"]))
        if texts is not None:
            differing += [
                f"citations.{name}"
                for name in CITATION_TEXTS
                if f"citations.{name}" in fields and getattr(citation, name) != texts[name]
            ]
            differing += [
                f"document.{name}"
                for name in DOCUMENT_TEXTS
                if f"document.{name}" in fields and getattr(citation.document, name) != document[name]
            ]
    return tuple(differing)


def _find_differences(candidate: Candidate, existing: ExistingRecords, claim: str) -> tuple[str, ...]:
    """Return what a row of the service's own format states otherwise than the recorded claim."""
    draft, recorded = candidate.validated.draft, existing.responses.get(claim)
    if draft.stated is None or recorded is None or recorded["status"] == Status.removed:
        return ()
    documents = ["" if each is None else each["id"] for each in candidate.validated.validated_claim.documents]
    by_id = draft.id == claim
    claim_input = candidate.validated.claim_input
    return tuple(find_differences(draft.stated, claim_input, documents, recorded, leading=draft.leading, by_id=by_id))


def _outcome_of_difference(candidate: Candidate, existing: ExistingRecords, claim: str) -> Outcome:
    """Return `older` for a row of an earlier revision of the claim, else `differs`."""
    revision = candidate.validated.draft.revision
    return Outcome.older if revision and revision < existing.responses[claim]["revision"] else Outcome.differs


def _find_mark(lookup: ReferenceLookup, candidate: Candidate) -> int | None:
    """Return the index of the citation to be marked: the one that leads in the file and would not lead here."""
    leading = candidate.validated.draft.leading
    if leading is None:
        return None
    claim_input, documents = candidate.validated.claim_input, candidate.validated.documents
    citations, kinds = [], []
    for i, (citation, document) in enumerate(zip(claim_input.citations, documents, strict=True)):
        columns = build_citation_columns(lookup, citation, "", claim_input.source, document)
        citations.append({**columns, "id": f"{i:03}", "document": document})
        publisher = document["publisher"]
        kinds.append(None if publisher is None else lookup.find_source(publisher)["kind"])
    return None if choose_leading(citations, kinds) == citations[leading]["id"] else leading


def _find_document_conflict(
    candidate: Candidate, decision: Decision, existing: ExistingRecords, pending: PendingImport
) -> str | None:
    """Return the reason for refusing a row whose document is recorded otherwise, or may be one of several editions.

    A claim that cites one of several editions already loses nothing. Nor is a correction of a document undone by a
    row with the earlier values.
    """
    conflicts = candidate.validated.validated_claim.conflicts
    if not conflicts or decision.outcome not in CURRENT_OUTCOMES:
        return None
    cited: set[str] = set()
    if decision.claim is not None and not decision.supersedes:
        fingerprint = decision.fingerprint or candidate.row_fingerprint
        recorded = existing.cited_documents.get(decision.claim, set())
        cited = recorded | pending.cited_documents(decision.claim, fingerprint)
    for conflict in conflicts.values():
        is_lost = isinstance(conflict.problem, DocumentDiffers)
        known = [document for document in conflict.candidates if document["id"] in cited]
        if not any(document["revision"] > 1 or not is_lost for document in known):
            hint = f" ({conflict.problem.hint})" if conflict.problem.hint else ""
            return f"{conflict.problem.detail}{hint}"
    return None
