"""The values that a row passes through: validated draft, candidate claim, resolved claim."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.claims.lookups import RecordFields
from app.claims.schemas import ClaimInput
from app.claims.validation import ValidatedClaim, compute_fingerprint
from app.enums import Outcome
from app.imports.pipeline.row_mapping import ClaimDraft, FileSeriesOptions
from app.imports.readers.options import FileRow

CURRENT_OUTCOMES = frozenset({Outcome.new, Outcome.cited, Outcome.unchanged, Outcome.changed})
"""Outcomes after which the row's claim is current in the register."""

ClaimColumns = Mapping[str, Any]
"""The columns of a claim."""

RowWrites = dict[str, Any]
"""The rows to write for a claim: `claim`, `citations`, `marked`, `assessment`, `repair`, `imported_row`."""


@dataclass(frozen=True, slots=True)
class ValidatedDraft:
    """A draft that satisfies every rule. Its key is unique within the import."""

    row_number: int
    row: FileRow
    draft: ClaimDraft
    claim_input: ClaimInput
    validated_claim: ValidatedClaim
    key: str | None
    documents: tuple[RecordFields, ...] = ()
    """The document of each citation, recorded or new; of a conflict, any of its candidates."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The claims that a validated draft could be recorded as."""

    validated: ValidatedDraft
    state: ClaimColumns
    """The columns of a new claim. In a file series, a claim without a date gets the date of its file."""
    superseding_state: ClaimColumns | None
    """The columns of a claim that supersedes an earlier one of this row, if `on_change = "supersede"`."""

    @property
    def row_fingerprint(self) -> str:
        """The fingerprint of the claim as the row states it."""
        return str(self.validated.validated_claim.state["fingerprint"])

    @property
    def fingerprint(self) -> str:
        """The fingerprint of a new claim."""
        return str(self.state["fingerprint"])

    @property
    def fingerprints(self) -> list[str]:
        """The fingerprints under which a claim of this row could be recorded."""
        states = [self.state] if self.superseding_state is None else [self.state, self.superseding_state]
        return [str(state["fingerprint"]) for state in states]


@dataclass(frozen=True, slots=True)
class ResolvedClaim:
    """A candidate with its outcome and the rows to write for it."""

    candidate: Candidate
    outcome: Outcome
    claim: str
    """The id of the claim that is written, or of the existing one that it matches."""
    fingerprint: str | None
    """The fingerprint that this claim has after the import; None where the row is only reported."""
    writes: RowWrites
    supersedes: tuple[str, str] | None = None
    """The claim that a new claim supersedes, with a note."""
    differences: tuple[str, ...] = ()
    """The fields that the row states otherwise than the recorded claim."""

    differing_texts: tuple[str, ...] = ()
    """The fields beside the statement that the recorded claim has otherwise, and that stay as they are."""

    @property
    def is_new(self) -> bool:
        """Whether a new claim is recorded that supersedes no other."""
        return self.outcome is Outcome.new

    @property
    def is_current(self) -> bool:
        """Whether its claim is current once the import is published."""
        return self.outcome in CURRENT_OUTCOMES

    @property
    def writes_claim(self) -> bool:
        """Whether a claim is recorded for it."""
        return "claim" in self.writes


def make_candidate(
    validated: ValidatedDraft,
    options: FileSeriesOptions | None,
    vintage: date | None,
) -> Candidate:
    """Derive the claims that a draft could be recorded as.

    Args:
        validated: The draft.
        options: The options of its file series; None if it belongs to none.
        vintage: The date of the file, if it has one.
    """
    state: ClaimColumns = validated.validated_claim.state
    if options is None or vintage is None:
        return Candidate(validated, state, None)
    superseding_state = superseding_columns(state, vintage) if options.on_change == "supersede" else None
    if state["date"] is None and state["date_edtf"] is None:
        state = _with_date(state, vintage)
    return Candidate(validated, state, superseding_state)


def with_key(candidate: Candidate, key: str | None) -> Candidate:
    """Return the candidate with another key."""
    return replace(candidate, validated=replace(candidate.validated, key=key))


def statement_fingerprint(columns: ClaimColumns) -> str:
    """Return the fingerprint of what a claim states, without the day or moment on which it was said."""
    return compute_fingerprint({**columns, "date": None, "date_edtf": None, "said_at": None})


def superseding_columns(state: ClaimColumns, vintage: date) -> ClaimColumns:
    """Return the columns of a claim that supersedes an earlier one. Its date is that of the file or later."""
    return _with_date(state, max(vintage, state["date"] or vintage))


def _with_date(state: ClaimColumns, day: date) -> dict[str, Any]:
    dated = {**state, "date": day, "date_edtf": day.isoformat()}
    return dated | {"fingerprint": compute_fingerprint(dated)}
