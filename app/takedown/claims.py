"""Takedown of claims: erases their content from all versions, and leaves tombstones."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, cast, delete, or_, select, update

from app.claims.counts.stored import remove_counted_claims
from app.claims.create import EDITORS
from app.claims.lifecycle import copy_state
from app.database.sql import batch_values
from app.database.tables import (
    AssessmentVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    ImportedRow,
    ImportVersion,
    RelationVersion,
    columns_of,
    table_of,
)
from app.database.transaction import WriteTransaction
from app.enums import Aggregation, Derivation, FigureKind, Modality, Proposition, RelationType, Status
from app.imports.row_keys import erased_row_key
from app.takedown.documents import find_unshared_documents, take_down_documents
from app.takedown.stored_responses import clear_stored_responses

TAKEDOWN_VALUES: dict[str, Any] = {
    "proposition": Proposition.quantity,
    "modality": Modality.allegation,
    "derivation": Derivation.unknown,
    "as_printed": "",
    "display": "",
    "language": None,
    "wording_differs": None,
    "kind": FigureKind.none,
    **dict.fromkeys(("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "coverage", "out_of")),
    **dict.fromkeys(
        (
            "relative_to",
            "relative_period",
            "unit",
            "per",
            "said_at",
            "low",
            "high",
            "magnitude",
            "period_start",
            "period_end",
            "date",
            "date_edtf",
        )
    ),
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
"""The values that a takedown writes into every column with content of the claim. They are never served."""

TAKEDOWN_RELATION_VALUES: dict[str, Any] = {
    "asserted_by": EDITORS,
    **dict.fromkeys(("scope", "independence", "document", "quote", "note")),
}
"""The values that a takedown writes into the relations `supersedes` of the claim."""


def take_down_claims(transaction: WriteTransaction, claims: Iterable[str], reason: str) -> None:
    """Erase the content of claims from all their versions, and leave tombstones.

    Their citations and assessments are deleted, and documents that nothing else cites are taken down. Warnings of the
    imports that recorded them are erased too, because they repeat figures. The fingerprint of the current version
    stays, so that an import cannot record the same statement again.
    """
    for batch in batch_values(claims):
        _erase_claims(transaction, batch, reason)


def _erase_claims(transaction: WriteTransaction, ids: list[str], reason: str) -> None:
    session, claim = transaction.session, columns_of(ClaimVersion)
    current = select(*claim).where(claim.id.in_(ids), claim.until_seq.is_(None), claim.status != Status.removed)
    rows = session.execute(current).mappings().all()
    remove_counted_claims(transaction, [row["id"] for row in rows])
    _erase_change_reasons(transaction, ids)
    for row in rows:
        state = copy_state(row) | TAKEDOWN_VALUES
        transaction.record(ClaimVersion, row["id"], state, action="takedown", claim=row["id"], reason=reason)
    session.execute(update(ClaimVersion).where(claim.id.in_(ids)).values(TAKEDOWN_VALUES))
    is_past = (claim.id.in_(ids), claim.until_seq.is_not(None))
    session.execute(update(ClaimVersion).where(*is_past).values(fingerprint=""))
    _erase_relations(transaction, ids)
    unshared = find_unshared_documents(transaction, ids)
    for table in (CitationVersion, AssessmentVersion):
        session.execute(delete(table).where(columns_of(table).claim.in_(ids)))
    imports = {row["import_id"] for row in rows} - {None}
    _erase_import_records(transaction, ids, imports)
    clear_stored_responses(transaction, [*ids, *imports])
    # Other statements of the same page may be recorded later.
    take_down_documents(transaction, unshared, reason, refuse_again=False)


def _erase_change_reasons(transaction: WriteTransaction, ids: list[str]) -> None:
    change, relation = columns_of(Change), columns_of(RelationVersion)
    related = select(cast(relation.id, change.key.type)).where(relation.to_claim.in_(ids))
    is_about_them = or_(change.claim.in_(ids), and_(change.kind == "relation", change.key.in_(related)))
    transaction.session.execute(update(Change).where(is_about_them).values(reason=None))


def _erase_relations(transaction: WriteTransaction, ids: list[str]) -> None:
    """Delete the relations of the claims, and erase the texts of relations to them.

    What the claims superseded stays superseded, but no word of it or about it is kept.
    """
    session, relation = transaction.session, columns_of(RelationVersion)
    supersedes = (relation.claim.in_(ids), relation.type == RelationType.supersedes)
    session.execute(update(RelationVersion).where(*supersedes).values(TAKEDOWN_RELATION_VALUES))
    session.execute(delete(RelationVersion).where(relation.claim.in_(ids), relation.type != RelationType.supersedes))
    session.execute(update(RelationVersion).where(relation.to_claim.in_(ids)).values(quote=None, note=None))


def _erase_import_records(transaction: WriteTransaction, ids: list[str], imports: set[str]) -> None:
    """Replace the keys of the imported rows by hashes, and delete the warnings of the imports that recorded them."""
    session, row = transaction.session, table_of(ImportedRow).c
    for series, key, fingerprint in session.execute(
        select(row.series, row.key, row.print).where(row.claim.in_(ids))
    ).all():
        is_same_row = (row.series == series, row.key == key, row.print == fingerprint)
        session.execute(update(table_of(ImportedRow)).where(*is_same_row).values(key=erased_row_key(key)))
    if imports:
        session.execute(update(ImportVersion).where(columns_of(ImportVersion).id.in_(imports)).values(smells=[]))
