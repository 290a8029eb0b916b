"""What can happen to a recorded claim: repair, retraction, reinstatement, takedown. Nothing is overwritten."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import delete, select, update
from uuid_utils import uuid7

from app.claims.create import prepare_citation_columns, refuse_duplicate
from app.claims.lookups import ReferenceLookup
from app.claims.schemas import ChangeInput, CitationChange, CitationInput, ClaimInput, RetractionInput
from app.claims.serialization.input_fields import citation_as_input, claim_as_input
from app.claims.validation import FaultCollector, find_retraction_fault, validate_claim
from app.database.tables import (
    AssessmentVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    RelationVersion,
    Version,
    columns_of,
)
from app.database.transaction import WriteTransaction
from app.enums import Aggregation, Derivation, FigureKind, Modality, Proposition, Status
from app.errors import EventImpossible, invalid_field, validation_location, validation_message

VersionRow = Mapping[Any, Any]

TAKEDOWN_VALUES: dict[str, Any] = {
    "proposition": Proposition.quantity,
    "modality": Modality.allegation,
    "derivation": Derivation.unknown,
    "as_printed": "",
    "kind": FigureKind.none,
    **dict.fromkeys(("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "coverage", "out_of")),
    **dict.fromkeys(("relative_to", "low", "high", "magnitude", "period_start", "period_end", "date", "date_edtf")),
    **dict.fromkeys(("standpoint", "recency")),
    "approximate": False,
    "period": "",
    "aggregation": Aggregation.within,
    "source": "",
    "includes": [],
    "excludes": [],
    "note": None,
    "retracted_on": None,
    "words": [],
    "status": Status.removed,
}
"""What a takedown leaves in every column that could tell what was said. None of it is ever served."""


def load_current_version(log: WriteTransaction, table: type[Version], key: str) -> dict[str, Any]:
    """The row of the version that stands."""
    columns = columns_of(table)
    stands = select(*columns).where(columns[table.key_name] == key, columns.until_seq.is_(None))
    return dict(log.session.execute(stands).mappings().one())


def _copy_state(row: VersionRow) -> dict[str, Any]:
    """What a new version keeps of the one before it."""
    stamps = {"version", "revision", "seq", "until_seq", "recorded_at", "recorded_until", "words"}
    return {name: value for name, value in row.items() if name not in stamps}


def revise(log: WriteTransaction, id_: str, given: ChangeInput) -> None:
    """Repair our record of a claim. Raises `InvalidRequest`, also where nothing would change, or `DuplicateClaim`."""
    row = load_current_version(log, ClaimVersion, id_)
    cited = _load_current_citations(log, id_)
    changes = given.changes.model_dump(exclude_unset=True)
    for one, other in (("date", "date_edtf"), ("date_edtf", "date")):
        if one in changes and other not in changes:
            changes[other] = None
    new_citations = changes.pop("citations", None)
    citations = [citation_as_input(citation) for citation in cited.values()]
    if new_citations is not None:
        citations = [{name: value for name, value in each.items() if name != "id"} for each in new_citations]
    changed = _validate_merged_claim({**claim_as_input(row), **changes, "citations": citations})
    known = ReferenceLookup(log.session, log.snapshot)
    checked = validate_claim(known, changed, "changes/")
    state = {**checked.state, "status": row["status"], "retracted_on": row["retracted_on"]}
    state["import_id"] = row["import_id"]
    states = None if new_citations is None else _prepare_citations(log, known, id_, changed.source, given, cited)
    if all(row[name] == value for name, value in state.items()) and not _has_changed_citations(states, cited):
        raise invalid_field("changes", "Nothing would change.")
    if state["fingerprint"] != row["fingerprint"]:
        refuse_duplicate(log, state["fingerprint"])
    log.record(ClaimVersion, id_, state, action=given.event, claim=id_, reason=given.reason)
    if states is not None:
        _replace_citations(log, states, cited)


def retract(log: WriteTransaction, id_: str, given: RetractionInput) -> None:
    """Note that the source took its claim back. Raises `EventImpossible` where it has done so already."""
    row = load_current_version(log, ClaimVersion, id_)
    if row["status"] != Status.asserted:
        raise EventImpossible(
            "This claim is retracted already.", hint="a wrong day is repaired by reinstating it first"
        )
    if wrong := find_retraction_fault(row["date"], given.retracted_on, log.at.date()):
        raise invalid_field("retracted_on", wrong)
    state = _copy_state(row) | {"status": Status.retracted, "retracted_on": given.retracted_on}
    log.record(ClaimVersion, id_, state, action="retraction", claim=id_, reason=given.reason)


def reinstate(log: WriteTransaction, id_: str, reason: str) -> None:
    """Let a retracted claim stand again. Raises `EventImpossible` where it stands."""
    row = load_current_version(log, ClaimVersion, id_)
    if row["status"] != Status.retracted:
        raise EventImpossible("This claim stands; only a retracted one can be reinstated.")
    state = _copy_state(row) | {"status": Status.asserted, "retracted_on": None}
    log.record(ClaimVersion, id_, state, action="reinstatement", claim=id_, reason=reason)


def take_down(log: WriteTransaction, id_: str, reason: str) -> None:
    """Erase what a claim said, from every version, and leave a tombstone.

    The fingerprint stays, so that the next import does not bring the same statement back.
    """
    row = load_current_version(log, ClaimVersion, id_)
    log.session.execute(update(Change).where(columns_of(Change).claim == id_).values(reason=None))
    log.record(ClaimVersion, id_, _copy_state(row) | TAKEDOWN_VALUES, action="takedown", claim=id_, reason=reason)
    claim = columns_of(ClaimVersion)
    log.session.execute(update(ClaimVersion).where(claim.id == id_).values(TAKEDOWN_VALUES))
    log.session.execute(
        update(ClaimVersion).where(claim.id == id_, claim.until_seq.is_not(None)).values(fingerprint="")
    )
    for table in (CitationVersion, AssessmentVersion, RelationVersion):
        log.session.execute(delete(table).where(columns_of(table).claim == id_))


def withdraw(log: WriteTransaction, table: type[Version], id_: str, reason: str) -> None:
    """Withdraw an assessment or a relation. Raises `EventImpossible` where that was done already."""
    row = load_current_version(log, table, id_)
    if row["withdrawn"]:
        raise EventImpossible("This was withdrawn already.")
    state = _copy_state(row) | {"withdrawn": True}
    log.record(table, id_, state, action="withdrawal", claim=row["claim"], reason=reason)


def _validate_merged_claim(fields: dict[str, Any]) -> ClaimInput:
    """The claim with its changes. What is wrong lies in the changes: what stood was right."""
    try:
        return ClaimInput.model_validate(fields)
    except ValidationError as wrong:
        faults = FaultCollector("changes/")
        for error in wrong.errors():
            faults.add(validation_location(error), validation_message(error))
        faults.raise_any()
        raise


def _load_current_citations(log: WriteTransaction, claim: str) -> dict[str, VersionRow]:
    columns = columns_of(CitationVersion)
    stands = select(*columns).where(columns.claim == claim, columns.until_seq.is_(None)).order_by(columns.id)
    return {row["id"]: row for row in log.session.execute(stands).mappings()}


def _prepare_citations(
    log: WriteTransaction,
    known: ReferenceLookup,
    claim: str,
    claimant: str,
    given: ChangeInput,
    cited: Mapping[str, VersionRow],
) -> dict[str, dict[str, Any]]:
    """Citation → its new columns; one without an id of its own is new."""
    states = {}
    changes: list[CitationChange] = given.changes.citations  # type: ignore[attr-defined] # made by create_model
    for i, change in enumerate(changes):
        if change.id is not None and change.id not in cited:
            raise invalid_field(f"changes/citations/{i}/id", f"The claim has no citation `{change.id}`.")
        plain = CitationInput(**{name: getattr(change, name) for name in CitationInput.model_fields})
        recorded = known.find_document(change.document.id) if change.document.id else None
        states[change.id or str(uuid7())] = prepare_citation_columns(log, known, plain, claim, claimant, recorded)
    return states


def _has_changed_citations(states: Mapping[str, VersionRow] | None, cited: Mapping[str, VersionRow]) -> bool:
    if states is None:
        return False
    if states.keys() != cited.keys():
        return True
    return any(cited[id_][name] != value for id_, state in states.items() for name, value in state.items())


def _replace_citations(
    log: WriteTransaction, states: Mapping[str, dict[str, Any]], cited: Mapping[str, VersionRow]
) -> None:
    for id_ in cited.keys() - states.keys():
        log.close_version(CitationVersion, id_)
    for id_, state in states.items():
        if id_ not in cited or any(cited[id_][name] != value for name, value in state.items()):
            log.add_version(CitationVersion, id_, state)
