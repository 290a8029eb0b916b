"""Corrections of recorded documents, and their revisions."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import and_, case, or_, select
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.tables import Change, DocumentVersion, SourceVersion, columns_of, table_of
from app.database.transaction import WriteTransaction
from app.database.types import ID_PATTERN
from app.errors import InvalidRequest, NotFound, Removed, field_fault, invalid_field, raise_if_any, validation_message
from app.errors import validation_location as location_of
from app.http.addresses import whole_address
from app.sources.documents import (
    DOCUMENT_INPUT_FIELDS,
    RECORDED_DOCUMENT_FIELDS,
    build_document_response,
    build_document_tombstone,
    describe_differences,
    document_columns,
    find_document_faults,
    load_documents_by_edition,
)
from app.sources.editions import edition_key
from app.sources.schemas import DocumentChangeInput, DocumentInput


def revise_document(transaction: WriteTransaction, id_: str, payload: DocumentChangeInput) -> None:
    """Correct the record of a document. Every citation of it shows the correction; the previous revision stays.

    Raises:
        InvalidRequest: A field is not valid, or the changes have no effect.
        DocumentDiffers: Another document is recorded as the edition that this one would be.
    """
    columns = columns_of(DocumentVersion)
    statement = select(*(columns[name] for name in (*DOCUMENT_INPUT_FIELDS, "address")))
    statement = statement.where(columns.id == id_, columns.until_seq.is_(None))
    recorded = dict(transaction.session.execute(statement).mappings().one())
    address = recorded.pop("address")
    changes = payload.changes.model_dump(exclude_unset=True)
    changed = _validate_merged_document({**recorded, **changes})
    raise_if_any(find_document_faults(transaction, changed, "changes/"))
    state = document_columns(changed)
    if state == recorded:
        raise invalid_field("changes", "The changes have no effect.")
    if state["url"] == recorded["url"]:
        state["address"] = address
    if (key := edition_key(state)) is not None and key != edition_key({**recorded, "address": address}):
        for other in load_documents_by_edition(transaction.session, [key], transaction.snapshot):
            differences = [name for name in RECORDED_DOCUMENT_FIELDS if name in changes]
            raise describe_differences(other, differences)
    transaction.record(DocumentVersion, id_, state, action=payload.event, reason=payload.reason)


def load_document_revisions(session: Session, id_: str, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the revisions of a document up to the snapshot, oldest first. Raises `NotFound`."""
    document, source, change = (columns_of(table) for table in (DocumentVersion, SourceVersion, Change))
    rows: Sequence[Mapping[Any, Any]] = []
    if ID_PATTERN.fullmatch(id_):
        # A revision shows the publisher as it was named when the revision ended.
        last_seq = case((document.until_seq <= snapshot.seq, document.until_seq - 1), else_=snapshot.seq)
        is_publisher = and_(
            source.slug == document.publisher,
            source.seq <= last_seq,
            or_(source.until_seq.is_(None), source.until_seq > last_seq),
        )
        statement = (
            select(*document, source.name.label("publisher_name"), change.action, change.reason, change.actor)
            .select_from(
                table_of(DocumentVersion)
                .join(table_of(Change), change.seq == document.seq)
                .outerjoin(table_of(SourceVersion), is_publisher)
            )
            .where(document.id == id_, document.seq <= snapshot.seq)
            .order_by(document.seq)
        )
        rows = session.execute(statement).mappings().all()
    if not rows:
        raise NotFound(f"There is no document `{id_}`.", hint=f"GET {whole_address('/v1/documents')} lists them")
    if rows[-1]["removed"]:
        raise Removed(f"The document {id_} was taken down.", more={"document": build_document_tombstone(rows[-1])})
    return [_build_revision(row, before, snapshot) for row, before in zip(rows, [None, *rows[:-1]], strict=True)]


def read_document_revision(session: Session, id_: str, revision: int, snapshot: Snapshot) -> dict[str, Any]:
    """Return one revision of a document. Raises `NotFound`."""
    revisions = load_document_revisions(session, id_, snapshot)
    if revision > len(revisions):
        raise NotFound(f"The document has {len(revisions)} revisions; there is no revision {revision}.")
    return revisions[revision - 1]


def _build_revision(row: Mapping[Any, Any], before: Mapping[Any, Any] | None, snapshot: Snapshot) -> dict[str, Any]:
    is_replaced = row["until_seq"] is not None and row["until_seq"] <= snapshot.seq
    changes = [
        {"field": name, "before": before[name], "after": row[name]}
        for name in DOCUMENT_INPUT_FIELDS
        if before is not None and before[name] != row[name]
    ]
    return build_document_response(row) | {
        "recorded_until": row["recorded_until"] if is_replaced else None,
        "event": row["action"],
        "reason": row["reason"],
        "actor": row["actor"],
        "changes": changes,
    }


def _validate_merged_document(fields: dict[str, Any]) -> DocumentInput:
    """Return the document with its changes. All faults point into the changes, because the recorded one is valid."""
    try:
        return DocumentInput.model_validate(fields)
    except ValidationError as error:
        faults = [field_fault(f"changes/{location_of(each)}", validation_message(each)) for each in error.errors()]
        raise InvalidRequest(f"{faults[0].pointer}: {faults[0].detail}", errors=faults) from None
