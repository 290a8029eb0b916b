"""Changes of recorded claims: correction, retraction and reinstatement, and marks of their citations."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select, update
from uuid_utils import uuid7

from app.claims.create import prepare_citation_columns, refuse_duplicate
from app.claims.lookups import ReferenceLookup
from app.claims.schemas import (
    ChangeInput,
    CitationChange,
    CitationInput,
    CitationMarkInput,
    ClaimInput,
    RetractionInput,
)
from app.claims.serialization.input_fields import citation_as_input, claim_as_input
from app.claims.validation import FaultCollector, find_retraction_fault, validate_claim
from app.database.question_keys import question_key
from app.database.tables import (
    QUESTION_COLUMNS,
    Change,
    CitationVersion,
    ClaimVersion,
    Version,
    columns_of,
)
from app.database.transaction import WriteTransaction
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import EventImpossible, NotFound, invalid_field, validation_location, validation_message
from app.http.addresses import whole_address
from app.http.schema_types import RECORDED

VersionRow = Mapping[Any, Any]


def load_current_version(transaction: WriteTransaction, table: type[Version], key: str) -> dict[str, Any]:
    """Return the row of the current version of a record."""
    columns = columns_of(table)
    statement = select(*columns).where(columns[table.key_name] == key, columns.until_seq.is_(None))
    return dict(transaction.session.execute(statement).mappings().one())


def copy_state(row: VersionRow) -> dict[str, Any]:
    """Return the columns that a new version takes over from the previous one."""
    version_columns = {"version", "revision", "seq", "until_seq", "recorded_at", "recorded_until", "words"}
    return {name: value for name, value in row.items() if name not in version_columns}


def revise(transaction: WriteTransaction, id_: str, payload: ChangeInput) -> None:
    """Correct the record of a claim. Raises `InvalidRequest`, also for a change without effect, or `DuplicateClaim`."""
    row = load_current_version(transaction, ClaimVersion, id_)
    current_citations = _load_current_citations(transaction, id_)
    changes = payload.changes.model_dump(exclude_unset=True)
    changed_fields = frozenset(changes)
    # The day of the statement has three fields. Those that are not sent follow from those that are.
    if changed_fields & {"date", "date_edtf"} or changes.get("said_at") is not None:
        changes = {"date": None, "date_edtf": None, **changes}
    new_citations = changes.pop("citations", None)
    citations = [citation_as_input(citation) for citation in current_citations.values()]
    if new_citations is not None:
        citations = [{name: value for name, value in citation.items() if name != "id"} for citation in new_citations]
    changed = _validate_merged_claim({**claim_as_input(row), **changes, "citations": citations})
    references = ReferenceLookup(transaction.session, transaction.snapshot)
    validated = validate_claim(references, changed, "changes/", changed_fields)
    state = {**validated.state, "status": row["status"], "retracted_on": row["retracted_on"]}
    state["import_id"] = row["import_id"]
    states = (
        None
        if new_citations is None
        else _prepare_citations(transaction, references, id_, changed.source, payload, current_citations)
    )
    if all(row[name] == value for name, value in state.items()) and not _has_changed_citations(
        states, current_citations
    ):
        raise invalid_field("changes", "The changes have no effect.")
    if state["fingerprint"] != row["fingerprint"]:
        refuse_duplicate(transaction, state["fingerprint"])
    transaction.record(ClaimVersion, id_, state, action=payload.event, claim=id_, reason=payload.reason)
    if any(row[name] != state[name] for name in QUESTION_COLUMNS):
        question = question_key(*(state[name] for name in QUESTION_COLUMNS))
        moved = update(Change).where(columns_of(Change).claim == id_).values(question=question)
        transaction.session.execute(moved)
    if states is not None:
        _replace_citations(transaction, states, current_citations)


def retract(transaction: WriteTransaction, id_: str, payload: RetractionInput) -> None:
    """Record that the source retracted its claim. Raises `EventImpossible` if the claim is retracted already."""
    row = load_current_version(transaction, ClaimVersion, id_)
    if row["status"] != Status.asserted:
        raise EventImpossible("The claim is already retracted.", hint="to correct the day, reinstate the claim first")
    if fault := find_retraction_fault(row["date"], payload.retracted_on, transaction.at.date()):
        raise invalid_field("retracted_on", fault)
    state = copy_state(row) | {"status": Status.retracted, "retracted_on": payload.retracted_on}
    transaction.record(ClaimVersion, id_, state, action="retraction", claim=id_, reason=payload.reason)


def reinstate(transaction: WriteTransaction, id_: str, reason: str) -> None:
    """Reverse a retraction. Raises `EventImpossible` if the claim is not retracted."""
    row = load_current_version(transaction, ClaimVersion, id_)
    if row["status"] != Status.retracted:
        raise EventImpossible("The claim is not retracted; only a retracted claim can be reinstated.")
    state = copy_state(row) | {"status": Status.asserted, "retracted_on": None}
    transaction.record(ClaimVersion, id_, state, action="reinstatement", claim=id_, reason=reason)


def withdraw(transaction: WriteTransaction, table: type[Version], id_: str, reason: str) -> None:
    """Withdraw an assessment or a relation. Raises `EventImpossible` if it is withdrawn already."""
    row = load_current_version(transaction, table, id_)
    if row["withdrawn"]:
        raise EventImpossible("The record is already withdrawn.")
    state = copy_state(row) | {"withdrawn": True}
    transaction.record(table, id_, state, action="withdrawal", claim=row["claim"], reason=reason)


def find_cited_claim(transaction: WriteTransaction, citation: str) -> str:
    """Return the claim that a citation is of. Raises `NotFound`."""
    columns = columns_of(CitationVersion)
    claim = None
    if ID_PATTERN.fullmatch(citation):
        statement = select(columns.claim).where(columns.id == citation, columns.until_seq.is_(None))
        claim = transaction.session.execute(statement).scalar()
    if claim is None:
        hint = f"GET {whole_address('/v1/claims/{id}')} lists those of a claim"
        raise NotFound(f"There is no citation `{citation}`.", hint=hint)
    return str(claim)


def mark_citation(transaction: WriteTransaction, id_: str, payload: CitationMarkInput) -> None:
    """Mark a citation as the leading one of its claim, or remove the mark. Write nothing if it is as requested.

    A claim has at most one mark: that of another citation is removed first.
    """
    columns = columns_of(CitationVersion)
    row = load_current_version(transaction, CitationVersion, id_)
    if row["marked"] == payload.leading:
        return
    marked: list[VersionRow] = []
    if payload.leading:
        statement = select(*columns).where(columns.claim == row["claim"], columns.marked, columns.until_seq.is_(None))
        marked = list(transaction.session.execute(statement).mappings())
    for each in (*marked, row):
        is_set = payload.leading and each is row
        state, action = copy_state(each) | {"marked": is_set}, "marked" if is_set else "unmarked"
        transaction.record(
            CitationVersion, each["id"], state, action=action, claim=each["claim"], reason=payload.reason
        )


def _validate_merged_claim(fields: dict[str, Any]) -> ClaimInput:
    """Return the claim with its changes. All faults point into the changes, because the recorded claim is valid.

    The changes were validated before. Texts that are recorded stay as they are.
    """
    try:
        return ClaimInput.model_validate(fields, context=RECORDED)
    except ValidationError as error:
        faults = FaultCollector("changes/")
        for details in error.errors():
            faults.add(validation_location(details), validation_message(details))
        faults.raise_any()
        raise


def _load_current_citations(transaction: WriteTransaction, claim: str) -> dict[str, VersionRow]:
    columns = columns_of(CitationVersion)
    statement = select(*columns).where(columns.claim == claim, columns.until_seq.is_(None)).order_by(columns.id)
    return {row["id"]: row for row in transaction.session.execute(statement).mappings()}


def _prepare_citations(
    transaction: WriteTransaction,
    references: ReferenceLookup,
    claim: str,
    claimant: str,
    payload: ChangeInput,
    current_citations: Mapping[str, VersionRow],
) -> dict[str, dict[str, Any]]:
    """Return the new columns of each citation by id. A citation without an id gets a new one."""
    states = {}
    changes: list[CitationChange] = payload.changes.citations  # type: ignore[attr-defined] # a field of a model from create_model
    for i, change in enumerate(changes):
        if change.id is not None and change.id not in current_citations:
            raise invalid_field(f"changes/citations/{i}/id", f"The claim has no citation `{change.id}`.")
        citation = CitationInput(**{name: getattr(change, name) for name in CitationInput.model_fields})
        recorded = references.find_document(change.document.id) if change.document.id else None
        columns = prepare_citation_columns(transaction, references, citation, claim, claimant, recorded)
        if change.id is not None:
            columns["marked"] = current_citations[change.id]["marked"]
        states[change.id or str(uuid7())] = columns
    return states


def _has_changed_citations(
    states: Mapping[str, VersionRow] | None, current_citations: Mapping[str, VersionRow]
) -> bool:
    if states is None:
        return False
    if states.keys() != current_citations.keys():
        return True
    return any(current_citations[id_][name] != value for id_, state in states.items() for name, value in state.items())


def _replace_citations(
    transaction: WriteTransaction, states: Mapping[str, dict[str, Any]], current_citations: Mapping[str, VersionRow]
) -> None:
    for id_ in current_citations.keys() - states.keys():
        transaction.close_version(CitationVersion, id_)
    for id_, state in states.items():
        if id_ not in current_citations or any(current_citations[id_][name] != value for name, value in state.items()):
            transaction.add_version(CitationVersion, id_, state)
