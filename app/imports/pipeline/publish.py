"""Publishing of a prepared import: everything that is staged, in reading order, in one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session
from uuid_utils import uuid7

from app.claims.create import EDITORS
from app.claims.lifecycle import revise
from app.claims.schemas import ChangeInput
from app.database.bulk_insert import BulkInsert
from app.database.engine import Database
from app.database.question_keys import question_key
from app.database.row_encoding import RowEncoder
from app.database.tables import (
    QUESTION_COLUMNS,
    AssessmentVersion,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    ImportedRow,
    ImportVersion,
    RelationVersion,
    columns_of,
    table_of,
)
from app.database.transaction import WriteTransaction, write_transaction
from app.http.schema_types import Input
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.pending import document_key
from app.imports.pipeline.prepare import PreparedImport
from app.imports.pipeline.publishing_state import find_begun_imports
from app.imports.pipeline.recheck import find_changed_categories, has_removed_sources
from app.imports.pipeline.record_order import sort_records
from app.imports.pipeline.staging import StagingFile
from app.imports.pipeline.validate_rows import RecordInput
from app.imports.report import import_columns
from app.sources.queries import put_source
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.slug_records import RecordType, find_missing_slugs

PUT_FUNCTIONS: dict[str, Any] = {
    "category": put_category,
    "subject": put_subject,
    "place": put_place,
    "source": put_source,
}


class RegisterChanged(Exception):
    """A concurrent write changed a record that a prepared import depends on; it must be prepared again."""


@contextmanager
def publishing_transaction(database: Database, actor: str) -> Iterator[WriteTransaction]:
    """Open a write transaction in which a refused row, also at commit, raises `RegisterChanged`."""
    try:
        with write_transaction(database, actor) as transaction:
            yield transaction
    except (IntegrityError, DataError) as error:
        raise RegisterChanged from error


def publish_if_unchanged(database: Database, prepared: PreparedImport) -> bool:
    """Publish in a transaction of its own; return False if the import must be prepared again."""
    if not prepared.has_writes:
        return True
    with suppress(RegisterChanged):
        with publishing_transaction(database, prepared.actor) as transaction:
            publish_import(transaction, prepared)
        prepared.result.published = True
        return True
    return False


def publish_import(transaction: WriteTransaction, prepared: PreparedImport) -> None:
    """Write everything that is staged.

    Raises:
        RegisterChanged: A concurrent write changed a record that the import depends on.
        MappingRefused: New records have circular references.
    """
    staging = prepared.staging
    bulk = begin_import(transaction, prepared)
    write_documents(bulk, staging.documents(), prepared.encoders.document)
    updates = write_claims(bulk, staging.pending_writes(), prepared.encoders, prepared.series)
    write_relations(bulk, staging.relations(), prepared.encoders.relation)
    bulk.finish()
    update_imported_rows(transaction, prepared.series, updates)
    if prepared.has_repairs:
        write_repairs(transaction, staging.pending_writes())


def begin_import(transaction: WriteTransaction, prepared: PreparedImport) -> BulkInsert:
    """Check that the register has not changed, and write what precedes the claims: new records and the import itself.

    Raises:
        RegisterChanged: A concurrent write changed a record that the import depends on.
        MappingRefused: New records have circular references.
    """
    prepared.staging.finish_preparing()
    if prepared.series is not None and find_begun_imports(transaction.session, prepared.series):
        raise RegisterChanged
    _check_conflicts(transaction, prepared)
    _write_records(transaction, prepared.records)
    bulk = BulkInsert(transaction, transaction.session.get_bind().dialect)
    bulk.add_change(ImportVersion, prepared.result.id)
    import_encoder = prepared.encoders.import_
    columns = import_columns(prepared.result, prepared.actor, prepared.vintage)
    bulk.add_row(import_encoder, import_encoder.encode(columns))
    return bulk


def _check_conflicts(transaction: WriteTransaction, prepared: PreparedImport) -> None:
    """Raise `RegisterChanged` if a record that the import depends on changed since the snapshot."""
    since = prepared.snapshot_seq
    if since is None or transaction.seq == since:
        return
    session, staging = transaction.session, prepared.staging
    if (
        _has_conflicting_claim(session, staging, since)
        or _has_conflicting_citation(session, staging, since)
        or _has_conflicting_document(session, staging, since)
        or _has_conflicting_row(session, staging, since, prepared.series)
        or has_removed_sources(session, since)
        or find_changed_categories(session, since)
    ):
        raise RegisterChanged


def _has_conflicting_claim(session: Session, staging: StagingFile, since: int) -> bool:
    claim = columns_of(ClaimVersion)
    changed = session.execute(select(claim.id, claim.fingerprint).where(claim.seq > since))
    return any(
        staging.claims_by_fingerprint([fingerprint] if fingerprint else []) or staging.find_claim_ids([id_])
        for id_, fingerprint in changed
    )


def _has_conflicting_citation(session: Session, staging: StagingFile, since: int) -> bool:
    citation = columns_of(CitationVersion)
    cited_claims = session.execute(select(citation.claim).where(citation.seq > since)).scalars()
    return any(staging.find_claim_ids([claim]) for claim in cited_claims)


def _has_conflicting_document(session: Session, staging: StagingFile, since: int) -> bool:
    document = columns_of(DocumentVersion)
    columns = [document[name] for name in ("id", "url", "address", "title", "publisher", "published_on", "archive_url")]
    changed = session.execute(select(*columns).where(document.seq > since)).mappings()
    return any(
        staging.has_document(row["id"])
        or (
            staging.documents_by_address([row["address"]])
            if row["url"]
            else staging.documents_by_key([document_key(dict(row))])
        )
        for row in changed
    )


def _has_conflicting_row(session: Session, staging: StagingFile, since: int, series: str | None) -> bool:
    if series is None:
        return False
    row = table_of(ImportedRow).c
    keys = session.execute(select(row.key).where(row.seq > since, row.series == series)).scalars()
    return any(staging.find_keys([key]) for key in keys)


def _write_records(transaction: WriteTransaction, records: Sequence[RecordInput]) -> None:
    """Record the categories, subjects, places and sources that still do not exist."""
    by_type: dict[str, tuple[RecordType, dict[str, Input]]] = {}
    for record_type, slug, record in records:
        by_type.setdefault(record_type.name, (record_type, {}))[1][slug] = record
    for name, put in PUT_FUNCTIONS.items():
        if name in by_type:
            for slug, record in sort_records(*by_type[name]):
                if find_missing_slugs(transaction.session, by_type[name][0], {slug}, transaction.snapshot):
                    put(transaction, slug, record)


def write_documents(bulk: BulkInsert, documents: Iterable[dict[str, Any]], encoder: RowEncoder) -> None:
    """Write new documents."""
    for document in documents:
        bulk.add_change(DocumentVersion, document["id"])
        bulk.add_row(encoder, document["values"])


def write_claims(
    bulk: BulkInsert, pending: Iterable[tuple[str, dict[str, Any]]], encoders: RowEncoders, series: str | None
) -> list[dict[str, Any]]:
    """Write claims, citations and assessments; return the updates of imported rows that exist already.

    They are the parameters of the statement in `update_imported_rows`.
    """
    updates: list[dict[str, Any]] = []
    question_positions = [encoders.claim.column_names.index(name) for name in QUESTION_COLUMNS]
    for claim, writes in pending:
        is_new = "claim" in writes
        if is_new:
            question = question_key(*(writes["claim"][position] for position in question_positions))
            bulk.add_change(ClaimVersion, claim, claim, question)
            bulk.add_row(encoders.claim, writes["claim"])
        for id_, _document, values in writes.get("citations", ()):
            if not is_new:
                bulk.add_change(CitationVersion, id_, claim)
            bulk.add_row(encoders.citation, values)
        if "assessment" in writes:
            id_, values = writes["assessment"]
            bulk.add_change(AssessmentVersion, id_, claim)
            bulk.add_row(encoders.assessment, values)
        if series is not None and "imported_row" in writes:
            key, fingerprint, recorded_fingerprint, vintage, exists = writes["imported_row"]
            if exists:
                updates.append(
                    {
                        "same_key": key,
                        "same_print": fingerprint,
                        "new_written": recorded_fingerprint,
                        "new_claim": claim,
                        "new_vintage": date.fromisoformat(vintage),
                        "new_seq": bulk.transaction.seq,
                    }
                )
            else:
                bulk.add_imported_row(series, key, fingerprint, recorded_fingerprint, claim, vintage)
    return updates


def update_imported_rows(transaction: WriteTransaction, series: str | None, updates: Sequence[dict[str, Any]]) -> None:
    """Update the imported rows that a newer file repeats, with one statement that is executed for each of them."""
    if not updates:
        return
    row = table_of(ImportedRow).c
    is_same_row = (row.key == bindparam("same_key")) & (row.print == bindparam("same_print"))
    new_values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("written", "claim", "vintage", "seq")}
    statement = update(table_of(ImportedRow)).where(row.series == series, is_same_row).values(new_values)
    transaction.session.execute(statement, list(updates))


def write_relations(
    bulk: BulkInsert, relations: Iterable[tuple[str, str, str, str | None]], encoder: RowEncoder
) -> None:
    """Write relations between claims."""
    for claim, type_, other, note in relations:
        id_ = str(uuid7())
        columns: dict[str, Any] = dict.fromkeys(encoder.column_names)
        columns |= {"id": id_, "claim": claim, "type": type_, "to_claim": other, "note": note}
        bulk.add_change(RelationVersion, id_, claim)
        bulk.add_row(encoder, encoder.encode(columns | {"asserted_by": EDITORS, "withdrawn": False}))


def write_repairs(transaction: WriteTransaction, pending: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Correct recorded claims."""
    for claim, writes in pending:
        if "repair" in writes:
            repair = writes["repair"]
            change = {"event": "transcription_fix", "reason": repair["reason"], "changes": repair["changes"]}
            revise(transaction, claim, ChangeInput.model_validate(change))
