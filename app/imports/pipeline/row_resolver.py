"""What is to be written of each claim that a row gives: a new claim, a citation, a repair, or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from uuid_utils import uuid7

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.schemas import CitedDocument, ClaimInput
from app.claims.validation import ValidatedClaim, build_citation_columns, compute_fingerprint
from app.database.engine import Database
from app.enums import Aggregation
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.matching import ExistingRecords, describe_series
from app.imports.pipeline.reconciliation import (
    OUTCOME_OF_WITHDRAWN_STATUS,
    Decision,
    PreviousRow,
    reconcile_by_id,
    reconcile_row,
)
from app.imports.pipeline.row_mapping import ClaimDraft, SeriesOptions
from app.imports.pipeline.staging import StagedClaim, StagingFile
from app.imports.readers.options import FileRow

CURRENT_OUTCOMES = frozenset({Outcome.new, Outcome.cited, Outcome.unchanged, Outcome.changed})
"""Outcomes after which the row's claim stands in the register."""

RowWrites = dict[str, Any]
ClaimColumns = Mapping[str, Any]


@dataclass(slots=True)
class ValidatedDraft:
    """A draft that keeps every rule.

    `checked.state` is what the row says, `state` what a new claim of it would be: one without a day of its own was said
    on that of its file at the latest. `restated` is the claim that supersedes where the row said something else before.
    """

    row_number: int
    row: FileRow
    draft: ClaimDraft
    claim_input: ClaimInput
    validated_claim: ValidatedClaim
    documents: list[RecordFields] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    superseding_state: dict[str, Any] | None = None
    claim: str = ""
    outcome: Outcome = Outcome.refused
    writes_claim: bool = False

    @property
    def fingerprint(self) -> str:
        """The fingerprint of what the row says."""
        return str(self.validated_claim.state["fingerprint"])

    @property
    def fingerprints(self) -> list[str]:
        """The fingerprints under which a claim of this row could be recorded."""
        states = [self.state] if self.superseding_state is None else [self.state, self.superseding_state]
        return [str(state["fingerprint"]) for state in states]

    @property
    def is_new(self) -> bool:
        """Whether a new claim is made of it that nothing came before."""
        return self.outcome is Outcome.new

    @property
    def is_current(self) -> bool:
        """Whether its claim stands, now or when all is written."""
        return self.outcome in CURRENT_OUTCOMES


class RowResolver:
    """Decides what becomes of each draft, and makes the rows that are written of it."""

    def __init__(self, database: Database, stage: StagingFile, import_id: str, actor: str) -> None:
        self.staging = stage
        self.import_id = import_id
        self.actor = actor
        self.encoders = RowEncoders.for_database(database)
        self.repairs = 0
        self.assessments = 0
        self.retractions = 0
        self._pending_documents: dict[str, tuple[str, dict[str, Any]]] = {}
        """Documents that are written as soon as something is cited from them."""
        self._documents_by_address: dict[str, RecordFields] = {}
        """The same by their address, or what stands for it."""

    def begin_batch(self) -> None:
        """Begin with other rows: documents that nothing was cited from are forgotten."""
        self._pending_documents.clear()
        self._documents_by_address.clear()

    def derive_states(self, each: ValidatedDraft, vintages: SeriesOptions | None, day: date | None) -> None:
        """Work out what a new claim of a row would be, and one that supersedes."""
        each.state = each.validated_claim.state
        if vintages is None:
            return
        undated = each.state["date"] is None and each.state["date_edtf"] is None
        if day is not None and undated:
            each.state = _with_date(each.state, day)
        if vintages.on_change == "supersede" and day is not None:
            each.superseding_state = _with_date(
                each.validated_claim.state, max(day, each.validated_claim.state["date"] or day)
            )

    def new_document(self, known: ReferenceLookup, given: CitedDocument) -> RecordFields:
        """A document that is not recorded yet, as a card; it is written once something is cited from it."""
        address = given.url or address_substitute(given.title, given.publisher)
        if (known_as := self._documents_by_address.get(address)) is not None:
            return known_as
        if (waiting := self.staging.documents_by_address([address]).get(address)) is not None:
            return waiting
        free = (
            given.id is not None and known.find_document(given.id) is None and not self.staging.has_document(given.id)
        )
        state = {**given.model_dump(), "id": given.id if free else str(uuid7()), "publisher_name": None}
        self._pending_documents[state["id"]] = (address, {**state, "values": self.encoders.document.encode(state)})
        self._documents_by_address[address] = state
        return state

    def resolve(
        self,
        known: ReferenceLookup,
        each: ValidatedDraft,
        register: ExistingRecords,
        vintages: SeriesOptions | None,
        day: date | None,
    ) -> StagedClaim | str:
        """The claim as it waits: what becomes of it, and what is to be written; or why the row is refused."""
        said = register.previous_rows.get(each.draft.key or "", [])
        decision = self._reconcile(each, register, said, vintages, day or known.today)
        if isinstance(decision, str):
            return decision
        print_: str | None = None
        body: RowWrites = {}
        match decision.outcome:
            case Outcome.new:
                if each.draft.is_retracted and each.draft.retracted_on is None:
                    return "The claim was retracted, and the file does not say when: import the NDJSON."
                each.claim, print_ = each.draft.id or str(uuid7()), each.fingerprints[0]
                body = self._claim_writes(known, each, each.claim, each.state)
                register.cited_documents[each.claim] = {document["id"] for document in each.documents}
            case Outcome.changed:
                body, print_ = self._change_writes(known, each, decision, register, day or known.today)
                decision = Decision(each.outcome, each.claim)
            case Outcome.cited | Outcome.unchanged:
                each.claim = decision.claim or ""
                print_ = decision.fingerprint
                body = self._citation_writes(known, each, register, print_ or each.fingerprint)
                decision = Decision(Outcome.cited if body else Outcome.unchanged, each.claim)
            case _:
                each.claim = decision.claim or ""
        each.outcome, each.writes_claim = decision.outcome, "claim" in body
        if print_ is not None:
            register.pending_claims[print_] = each.claim
        if each.draft.id is not None and each.writes_claim:
            register.pending_ids.add(each.draft.id)
        if each.is_current:
            self._note_row(each, said, print_ or "", vintages, day, known.today, body)
        return self._staged_claim(each, print_, body)

    def _reconcile(
        self,
        each: ValidatedDraft,
        register: ExistingRecords,
        said: list[PreviousRow],
        vintages: SeriesOptions | None,
        day: date,
    ) -> Decision | str:
        print_ = each.fingerprints[0]
        waiting = register.pending_claims.get(print_)
        if each.draft.id is not None and each.draft.id in register.pending_ids and waiting != each.draft.id:
            return f"The id {each.draft.id} is given to another claim of this file."
        if waiting is not None and not said:
            return Decision(Outcome.unchanged, waiting, print_)
        same = register.by_fingerprint.get(print_)
        if each.draft.id is not None:
            return reconcile_by_id(print_, same, register.by_id.get(each.draft.id))
        decision = reconcile_row(each.fingerprint, same, said, day, vintages.on_change if vintages else "report")
        if decision.outcome is Outcome.changed and vintages is not None and vintages.on_change == "fix" and waiting:
            return Decision(Outcome.unchanged, waiting, print_)
        return decision

    def _claim_writes(self, known: ReferenceLookup, each: ValidatedDraft, id_: str, state: ClaimColumns) -> RowWrites:
        """What is written of a new claim."""
        body: RowWrites = {
            "claim": self.encoders.claim.encode({**state, "id": id_, "import_id": self.import_id}),
            "citations": self._encode_citations(known, each, id_, ()),
        }
        self.retractions += state["retracted_on"] is not None
        if (assessed := each.claim_input.confidence) is not None:
            self.assessments += 1
            named = {name: getattr(assessed, name) for name in type(assessed).model_fields}
            assessment = {**named, "id": str(uuid7()), "claim": id_, "withdrawn": False}
            assessment["assessor"] = assessed.assessor or self.actor
            assessment["assessed_on"] = assessed.assessed_on or known.today
            body["assessment"] = [assessment["id"], self.encoders.assessment.encode(assessment)]
        return body

    def _change_writes(
        self, known: ReferenceLookup, each: ValidatedDraft, decision: Decision, register: ExistingRecords, day: date
    ) -> tuple[RowWrites, str | None]:
        """A row that said something else before: a claim of its own, or a repair of ours."""
        assert decision.claim is not None  # noqa: S101 - it stands
        printed = each.claim_input.figure.as_printed
        told = f"{each.row.file}, line {each.row.line} gives {printed}; an earlier file gave another figure."
        each.outcome = Outcome.changed
        if not decision.supersedes:
            self.repairs += 1
            each.claim = decision.claim
            changes = {
                name: value for name, value in each.draft.claim_input.items() if name not in {"citations", "confidence"}
            }
            return {"fix": {"changes": changes, "reason": told}}, each.fingerprint
        restated = each.superseding_state or _with_date(
            each.validated_claim.state, max(day, each.validated_claim.state["date"] or day)
        )
        print_ = str(restated["fingerprint"])
        stood = register.by_fingerprint.get(print_)
        if stood is not None and stood.status in OUTCOME_OF_WITHDRAWN_STATUS:
            each.claim, each.outcome = stood.id, OUTCOME_OF_WITHDRAWN_STATUS[stood.status]
            return {}, None
        known_as = register.pending_claims.get(print_) or (stood.id if stood else None)
        if known_as is not None:
            each.claim, each.outcome = known_as, Outcome.unchanged
            return self._citation_writes(known, each, register, print_), print_
        each.claim = str(uuid7())
        self.staging.add_relation(each.claim, "supersedes", decision.claim, told)
        return self._claim_writes(known, each, each.claim, restated), print_

    def _citation_writes(
        self, known: ReferenceLookup, each: ValidatedDraft, register: ExistingRecords, print_: str
    ) -> RowWrites:
        """The citations that a claim, which stands or waits already, does not have yet."""
        cited = register.cited_documents.setdefault(each.claim, set()) | self.staging.cited_documents(print_)
        more = self._encode_citations(known, each, each.claim, cited)
        register.cited_documents[each.claim] |= {document for _, document, _ in more}
        return {"citations": more} if more else {}

    def _encode_citations(
        self, known: ReferenceLookup, each: ValidatedDraft, claim: str, but: Iterable[str]
    ) -> list[list[Any]]:
        """The rows of the citations, with their ids and documents, except in the documents `but`."""
        made = []
        for cite, document in zip(each.claim_input.citations, each.documents, strict=True):
            if document["id"] not in but:
                if (pending := self._pending_documents.pop(document["id"], None)) is not None:
                    self.staging.add_document(document["id"], *pending)
                columns = build_citation_columns(known, cite, claim, each.claim_input.source, document)
                id_ = str(uuid7())
                made.append([id_, document["id"], self.encoders.citation.encode({**columns, "id": id_})])
        return made

    @staticmethod
    def _note_row(
        each: ValidatedDraft,
        said: list[PreviousRow],
        written: str,
        vintages: SeriesOptions | None,
        day: date | None,
        today: date,
        body: RowWrites,
    ) -> None:
        """Note what the row said and of which day, so that it is known again, unless that is remembered."""
        if each.draft.key is None or vintages is None:
            return
        before = next((one for one in said if one.fingerprint == each.fingerprint), None)
        moved = day is not None and before is not None and day > before.vintage
        if before is None or moved or each.outcome is Outcome.changed:
            vintage = (day or today).isoformat()
            body["said"] = [each.draft.key, each.fingerprint, written, vintage, before is not None]

    def _staged_claim(self, each: ValidatedDraft, print_: str | None, body: RowWrites) -> StagedClaim:
        state = each.validated_claim.state
        return StagedClaim(
            each.row_number,
            each.row.file,
            each.row.line,
            each.outcome,
            print_,
            each.claim,
            each.draft.key,
            self.staging.series_number(describe_series(state), running=state["aggregation"] == Aggregation.cumulative),
            state["period_end"].isoformat() if state["period_end"] else None,
            state["magnitude"],
            body,
        )


def address_substitute(title: str | None, publisher: str | None) -> str:
    """What stands for the address of a document that has none."""
    return f"{title}\n{publisher or ''}"


def _with_date(state: ClaimColumns, day: date) -> dict[str, Any]:
    """The same, said on another day."""
    dated = {**state, "date": day, "date_edtf": day.isoformat()}
    return dated | {"fingerprint": compute_fingerprint(dated)}
