"""What was staged, published: in one transaction, in the order in which it was read, everything or nothing."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from uuid_utils import uuid7

from app.claims.create import EDITORS
from app.claims.lifecycle import revise
from app.claims.schemas import ChangeInput
from app.database.bulk_insert import BulkInsert
from app.database.engine import Database
from app.database.row_encoding import RowEncoder
from app.database.tables import (
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
from app.imports.mappings.mapper import sort_by_references
from app.imports.pipeline.process_rows import RowProcessor
from app.imports.pipeline.row_resolver import RowEncoders, address_substitute
from app.imports.pipeline.staging import StagingFile
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
    """The register changed under an import in a way that concerns it: it has to look again."""


def publish(
    database: Database,
    intake: RowProcessor,
    card: Mapping[str, Any],
    actor: str,
    begin: Callable[[WriteTransaction], None],
    done: Callable[[WriteTransaction], None],
) -> None:
    """Write what `intake` has staged, with `card` as the record of the import.

    `begin` may raise before anything is written, and `done` ends it. Raises `Moved`.
    """
    dialect = database.write_engine.dialect
    series = intake.mapper.series_options.series if intake.mapper.series_options else None
    try:
        with write_transaction(database, actor) as log:
            begin(log)
            if intake.seq is not None and log.seq != intake.seq:
                _check_conflicts(log.session, intake, intake.seq)
            _write_records(log, intake)
            bulk = BulkInsert(log, dialect)
            bulk.add_change(ImportVersion, card["id"])
            form = RowEncoder(ImportVersion, dialect)
            bulk.add_row(form, form.encode(card))
            moved = _write_claims(bulk, intake.staging, intake.resolver.encoders, series)
            _write_relations(bulk, intake.staging, RowEncoder(RelationVersion, dialect))
            bulk.finish()
            _update_imported_rows(log, series, moved)
            if intake.resolver.repairs:
                _write_repairs(log, intake.staging)
            done(log)
    except IntegrityError as clash:
        raise RegisterChanged from clash


def _check_conflicts(session: Session, intake: RowProcessor, since: int) -> None:
    """Raise `Moved` if anything was recorded since then that the import has decided upon."""
    claim, citation, document = columns_of(ClaimVersion), columns_of(CitationVersion), columns_of(DocumentVersion)
    row, stage = table_of(ImportedRow).c, intake.staging
    changed = session.execute(select(claim.id, claim.fingerprint).where(claim.seq > since))
    for id_, print_ in changed:
        if stage.claims_by_fingerprint([print_] if print_ else []) or stage.find_claim_ids([id_]):
            raise RegisterChanged
    cited = session.execute(select(citation.claim).where(citation.seq > since)).scalars()
    documents = session.execute(
        select(document.id, document.url, document.title, document.publisher).where(document.seq > since)
    )
    if any(stage.find_claim_ids([each]) for each in cited):
        raise RegisterChanged
    for id_, url, title, publisher in documents:
        if stage.has_document(id_) or stage.documents_by_address([url or address_substitute(title, publisher)]):
            raise RegisterChanged
    if intake.mapper.series_options:
        said = select(row.key).where(row.seq > since, row.series == intake.mapper.series_options.series)
        if any(stage.find_keys([key]) for key in session.execute(said).scalars()):
            raise RegisterChanged


def _write_records(log: WriteTransaction, intake: RowProcessor) -> None:
    """Record the sources, categories, subjects and places that are still not there."""
    by_kind: dict[str, tuple[RecordType, dict[str, Any]]] = {}
    for kind, slug, given in intake.records.values():
        by_kind.setdefault(kind.name, (kind, {}))[1][slug] = given
    for name, put in PUT_FUNCTIONS.items():
        if name in by_kind:
            kind, table = by_kind[name]
            for slug, given in sort_by_references(kind, table):
                if find_missing_slugs(log.session, kind, {slug}, log.snapshot):
                    put(log, slug, given)


def _write_claims(bulk: BulkInsert, stage: StagingFile, forms: RowEncoders, series: str | None) -> list[dict[str, Any]]:
    """Write every claim and citation; return the remembered rows whose memory moves on."""
    moved: list[dict[str, Any]] = []
    for document in stage.documents():
        bulk.add_change(DocumentVersion, document["id"])
        bulk.add_row(forms.document, document["values"])
    for claim, body in stage.pending_writes():
        new = "claim" in body
        if new:
            bulk.add_change(ClaimVersion, claim, claim)
            bulk.add_row(forms.claim, body["claim"])
        for id_, _document, values in body.get("citations", ()):
            if not new:
                bulk.add_change(CitationVersion, id_, claim)
            bulk.add_row(forms.citation, values)
        if "assessment" in body:
            id_, values = body["assessment"]
            bulk.add_change(AssessmentVersion, id_, claim)
            bulk.add_row(forms.assessment, values)
        if series is not None and "said" in body:
            key, print_, written, vintage, stood = body["said"]
            if stood:
                day = date.fromisoformat(vintage)
                now = {"written": written, "claim": claim, "vintage": day, "seq": bulk.transaction.seq}
                moved.append({"key": key, "print": print_, **now})
            else:
                bulk.add_imported_row(series, key, print_, written, claim, vintage)
    return moved


def _update_imported_rows(log: WriteTransaction, series: str | None, moved: list[dict[str, Any]]) -> None:
    """Note of remembered rows that a newer file says the same of them, or the same again."""
    row = table_of(ImportedRow).c
    for each in moved:
        mine = (row.series == series) & (row.key == each.pop("key")) & (row.print == each.pop("print"))
        log.session.execute(update(table_of(ImportedRow)).where(mine).values(each))


def _write_relations(bulk: BulkInsert, stage: StagingFile, form: RowEncoder) -> None:
    for claim, type_, other, note in stage.relations():
        id_ = str(uuid7())
        state: dict[str, Any] = dict.fromkeys(form.column_names)
        state |= {"id": id_, "claim": claim, "type": type_, "to_claim": other, "note": note}
        bulk.add_change(RelationVersion, id_, claim)
        bulk.add_row(form, form.encode(state | {"asserted_by": EDITORS, "withdrawn": False}))


def _write_repairs(log: WriteTransaction, stage: StagingFile) -> None:
    for claim, body in stage.pending_writes():
        if "fix" in body:
            fix = body["fix"]
            given = {"event": "transcription_fix", "reason": fix["reason"], "changes": fix["changes"]}
            revise(log, claim, ChangeInput.model_validate(given))
