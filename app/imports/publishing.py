"""What was staged, published: in one transaction, in the order in which it was read, everything or nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import Session
from uuid_utils import uuid7

from app.changes.bulk import Bulk, Form
from app.changes.clock import Log, writing
from app.claims.events import revise
from app.claims.schemas import ChangeInput
from app.db import Database
from app.imports.intake import Forms, Intake
from app.imports.staging import Stage
from app.sources.queries import put_source
from app.tables import (
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
from app.vocabulary.kinds import put_category, put_place, put_subject

PUT: dict[str, Any] = {"category": put_category, "subject": put_subject, "place": put_place, "source": put_source}
ORDER = {name: place for place, name in enumerate(PUT)}


class Moved(Exception):
    """The register changed under an import in a way that concerns it: it has to look again."""


def publish(
    database: Database, intake: Intake, card: Mapping[str, Any], actor: str, done: Callable[[Log], None]
) -> None:
    """Write what `intake` has staged, with `card` as the record of the import. `done` ends it. Raises `Moved`."""
    with writing(database, actor) as log:
        if intake.seq is not None and log.seq != intake.seq:
            _look_again(log.session, intake, intake.seq)
        for kind, slug, given in sorted(intake.records.values(), key=lambda record: ORDER[record[0].name]):
            PUT[kind.name](log, slug, given)
        series = intake.plan.vintages.series if intake.plan.vintages else None
        bulk = Bulk(log, database.writer.dialect)
        bulk.tick(ImportVersion, card["id"])
        form = Form(ImportVersion, database.writer.dialect)
        bulk.put(form, form.values(card))
        _write_claims(bulk, intake.stage, Forms.of(database), series)
        _write_relations(bulk, intake.stage, Form(RelationVersion, database.writer.dialect))
        bulk.close()
        if intake.repairs:
            _repair(log, intake.stage)
        done(log)


def _look_again(session: Session, intake: Intake, since: int) -> None:
    """Raise `Moved` if anything was recorded since then that the import has decided upon."""
    claim, document, row = columns_of(ClaimVersion), columns_of(DocumentVersion), table_of(ImportedRow).c
    stage = intake.stage
    changed = session.execute(select(claim.id, claim.fingerprint).where(claim.seq > since)).all()
    moved = stage.staged_prints(each.fingerprint for each in changed if each.fingerprint)
    urls = session.execute(select(document.url).where(document.seq > since, document.url.is_not(None))).scalars()
    moved_documents = stage.addresses_among(urls)
    if moved or moved_documents or stage.claims_among(each.id for each in changed):
        raise Moved
    if intake.plan.vintages:
        said = select(row.key).where(row.seq > since, row.series == intake.plan.vintages.series)
        if stage.keys_among(session.execute(said).scalars()):
            raise Moved


def _write_claims(bulk: Bulk, stage: Stage, forms: Forms, series: str | None) -> None:
    for document in stage.documents():
        bulk.tick(DocumentVersion, document["id"])
        bulk.put(forms.document, document["values"])
    for claim, body in stage.to_write():
        new = "claim" in body
        if new:
            bulk.tick(ClaimVersion, claim, claim)
            bulk.put(forms.claim, body["claim"])
        for id_, _document, values in body.get("citations", ()):
            if not new:
                bulk.tick(CitationVersion, id_, claim)
            bulk.put(forms.citation, values)
        if "assessment" in body:
            id_, values = body["assessment"]
            bulk.tick(AssessmentVersion, id_, claim)
            bulk.put(forms.assessment, values)
        if series is not None and "said" in body:
            key, print_, vintage = body["said"]
            bulk.remember(series, key, print_, claim, vintage)


def _write_relations(bulk: Bulk, stage: Stage, form: Form) -> None:
    for claim, type_, other, note in stage.relations():
        id_ = str(uuid7())
        state: dict[str, Any] = dict.fromkeys(form.names)
        state |= {"id": id_, "claim": claim, "type": type_, "to_claim": other, "note": note}
        bulk.tick(RelationVersion, id_, claim)
        bulk.put(form, form.values(state | {"asserted_by": "editors", "withdrawn": False}))


def _repair(log: Log, stage: Stage) -> None:
    for claim, body in stage.to_write():
        if "fix" in body:
            fix = body["fix"]
            given = {"event": "transcription_fix", "reason": fix["reason"], "changes": fix["changes"]}
            revise(log, claim, ChangeInput.model_validate(given))
