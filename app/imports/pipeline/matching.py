"""Loads the recorded claims and earlier rows that the rows of a batch may match, in a few queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlmodel import Session

from app.claims.queries import select_claims
from app.claims.serialization.rows import ResponseObject, build_claim_responses
from app.database.snapshot import Snapshot
from app.database.sql import batch_values
from app.database.tables import CitationVersion, ClaimVersion, ImportedRow, ImportVersion, columns_of, table_of
from app.enums import Aggregation
from app.imports.mappings.columns import CITATION_TEXTS
from app.imports.pipeline.candidates import ClaimColumns
from app.imports.pipeline.reconciliation import ExistingClaim, PreviousRow
from app.imports.row_keys import END_OF_ERASED_KEYS, ERASED_KEY_PREFIX, erased_row_key
from app.imports.stop_check import StopCheck, checked, never_stop


@dataclass(slots=True)
class ExistingRecords:
    """The recorded claims that the rows of a batch may match."""

    by_fingerprint: dict[str, ExistingClaim] = field(default_factory=dict)
    by_id: dict[str, ExistingClaim] = field(default_factory=dict)
    previous_rows: dict[str, list[PreviousRow]] = field(default_factory=dict)
    """Row key → the rows with this key in earlier imports of the file series, oldest first."""
    cited_documents: dict[str, set[str]] = field(default_factory=dict)
    """Claim → the documents of its citations."""
    series_imports: frozenset[str] = frozenset()
    """The earlier imports of the file series."""
    citations: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """Claim and document → the text fields of the citation."""
    moved_keys: set[str] = field(default_factory=set)
    """The keys of rows that are now about something else."""
    restated_keys: set[str] = field(default_factory=set)
    """The keys of rows that state the same as before, on another day."""
    columns: Mapping[str, ClaimColumns] = field(default_factory=dict)
    """Claim → its columns, for the claims of rows that state something else now."""
    responses: dict[str, ResponseObject] = field(default_factory=dict)
    """Claim → its response object, for the claims that rows of the service's own format are compared with."""


def load_existing(
    session: Session,
    snapshot: Snapshot,
    fingerprints: Sequence[str],
    claim_ids: Sequence[str],
    previous_rows: dict[str, list[PreviousRow]],
    check: StopCheck = never_stop,
) -> ExistingRecords:
    """Load the records with these fingerprints and claim ids, and the citations of the claims of `previous_rows`."""
    claim = columns_of(ClaimVersion)
    claims = select(claim.id, claim.status, claim.fingerprint, claim.revision).where(snapshot.contains(ClaimVersion))
    existing = ExistingRecords(previous_rows=previous_rows)
    for batch in checked(batch_values(fingerprints), check):
        for row in session.execute(claims.where(claim.fingerprint.in_(batch))):
            existing.by_fingerprint[row.fingerprint] = _existing_claim(row)
    for batch in checked(batch_values(claim_ids), check):
        for row in session.execute(claims.where(claim.id.in_(batch))):
            existing.by_id[row.id] = _existing_claim(row)
    _load_cited_documents(session, snapshot, existing, check)
    return existing


def load_compared_claims(
    session: Session, snapshot: Snapshot, existing: ExistingRecords, check: StopCheck = never_stop
) -> None:
    """Load the response objects of the existing claims."""
    ids = {claim.id for claim in (*existing.by_id.values(), *existing.by_fingerprint.values())}
    for batch in checked(batch_values(sorted(ids)), check):
        statement = select_claims(past=snapshot.is_past).where(
            columns_of(ClaimVersion).id.in_(batch), snapshot.contains(ClaimVersion)
        )
        rows = session.execute(statement, {"as_of": snapshot.as_of}).mappings().all()
        for response in build_claim_responses(session, rows, snapshot):
            existing.responses[response["id"]] = response


def load_previous_rows(
    session: Session, snapshot: Snapshot, keys: Sequence[str], series: str, check: StopCheck = never_stop
) -> dict[str, list[PreviousRow]]:
    """Return the rows with these keys in earlier imports of the file series, by key, oldest first."""
    previous_rows: dict[str, list[PreviousRow]] = {}
    claim, imported = columns_of(ClaimVersion), table_of(ImportedRow).c
    claim_columns = (claim.id, claim.status, claim.fingerprint, claim.revision)
    about_columns = [claim[name] for name in PreviousRow.ABOUT]
    text_columns = [claim[name] for name in PreviousRow.TEXTS]
    statement = (
        select(
            imported.key,
            imported.print,
            imported.written,
            imported.vintage,
            *claim_columns,
            claim.import_id,
            *text_columns,
            *about_columns,
        )
        .join(table_of(ClaimVersion), claim.id == imported.claim)
        .where(snapshot.contains(ClaimVersion), imported.series == series)
        .order_by(imported.vintage, imported.seq)
    )
    erased = select(imported.key).where(
        imported.series == series, imported.key >= ERASED_KEY_PREFIX, imported.key < END_OF_ERASED_KEYS
    )
    has_erased_rows = session.execute(erased.limit(1)).first() is not None
    for batch in checked(batch_values(keys), check):
        names = {erased_row_key(key): key for key in batch} if has_erased_rows else {}
        for row in session.execute(statement.where(imported.key.in_([*batch, *names]))):
            about = tuple(row[-len(about_columns) :])
            texts = tuple(row[-len(about_columns) - len(text_columns) : -len(about_columns)])
            previous = PreviousRow(
                row.print, row.written, row.vintage, _existing_claim(row), about, texts, row.import_id
            )
            previous_rows.setdefault(names.get(row.key, row.key), []).append(previous)
    return previous_rows


def load_series_imports(session: Session, series: str) -> frozenset[str]:
    """Return the imports of a file series."""
    imported = columns_of(ImportVersion)
    statement = select(imported.id).where(imported.series == series, imported.until_seq.is_(None))
    return frozenset(session.execute(statement).scalars())


def load_claim_columns(
    session: Session, snapshot: Snapshot, ids: Sequence[str], check: StopCheck = never_stop
) -> dict[str, dict[str, Any]]:
    """Return the columns of these claims, by id."""
    columns = columns_of(ClaimVersion)
    found: dict[str, dict[str, Any]] = {}
    for batch in checked(batch_values(ids), check):
        statement = select(*columns).where(columns.id.in_(batch), snapshot.contains(ClaimVersion))
        found |= {row["id"]: dict(row) for row in session.execute(statement).mappings()}
    return found


def _load_cited_documents(session: Session, snapshot: Snapshot, existing: ExistingRecords, check: StopCheck) -> None:
    """Add the documents of the citations of the existing claims."""
    citation = columns_of(CitationVersion)
    claim_ids = [claim.id for claim in (*existing.by_fingerprint.values(), *existing.by_id.values())]
    claim_ids += [previous.claim.id for rows in existing.previous_rows.values() for previous in rows]
    for batch in checked(batch_values(claim_ids), check):
        texts = [citation[name] for name in CITATION_TEXTS] if existing.previous_rows else []
        statement = select(citation.claim, citation.document, *texts).where(
            citation.claim.in_(batch), snapshot.contains(CitationVersion)
        )
        for row in session.execute(statement):
            existing.cited_documents.setdefault(row.claim, set()).add(row.document)
            if texts:
                existing.citations[row.claim, row.document] = dict(zip(CITATION_TEXTS, row[2:], strict=True))


def _existing_claim(row: Row[Any]) -> ExistingClaim:
    return ExistingClaim(row.id, row.status, row.fingerprint, row.revision)


def describe_time_series(state: Mapping[str, Any]) -> str:
    """Return the name of the time series that a claim belongs to, for the anomaly checks."""
    description = f"{state['category']} of {state['subject']} in {state['place']} by {state['source']}"
    description += f", {state['aggregation']}" + (f" per {state['per']}" if state["per"] else "")
    if state["unit"]:
        description += f" in {state['unit']}"
    if state["aggregation"] == Aggregation.cumulative and state["period_start"]:
        description += f" since {state['period_start']}"
    if state["includes"] or state["excludes"]:
        description += f", with {'+'.join(sorted(state['includes']))} without {'+'.join(sorted(state['excludes']))}"
    if state["relative_to"] or state["modality"] != "estimate":
        description += f" ({state['modality']}{', ' + state['relative_to'] if state['relative_to'] else ''})"
    return description
