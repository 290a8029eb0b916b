"""Takedown of documents: erases them and the words of their citations from all versions, and leaves tombstones."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select, update

from app.claims.lifecycle import copy_state
from app.comparison.leading import REMOVED_DOCUMENT_TITLE
from app.database.sql import batch_values
from app.database.tables import (
    Change,
    CitationVersion,
    DocumentVersion,
    ErasedKey,
    RelationVersion,
    columns_of,
)
from app.database.transaction import WriteTransaction
from app.enums import CitationRole, Fidelity
from app.sources.editions import erased_keys
from app.takedown.stored_responses import clear_stored_responses

REMOVED_DOCUMENT: dict[str, Any] = {
    "title": REMOVED_DOCUMENT_TITLE,
    **dict.fromkeys(("url", "publisher", "published_on", "language", "archive_url")),
    **dict.fromkeys(("content_sha256", "retrieved_at", "terms")),
    **dict.fromkeys(("address", "edition")),
    "removed": True,
}
"""The values that a takedown writes into the columns of a document."""

CITATION_OF_REMOVED_DOCUMENT: dict[str, Any] = {
    "role": CitationRole.relay,
    "via": [],
    "fidelity": Fidelity.paraphrase,
    **dict.fromkeys(("quote", "quote_language", "translation", "locator", "withdrawn_on")),
    "gap": "The document was taken down.",
    "marked": False,
    "words": [],
}
"""The values that a takedown writes into the citations of the document. Its claims stay."""


def take_down_documents(
    transaction: WriteTransaction, documents: Iterable[str], reason: str, *, refuse_again: bool = True
) -> None:
    """Erase documents from all their versions. The claims that cite them stay, with citations without words.

    With `refuse_again`, hashes of what identified the documents stay, so that an import does not record them again.
    """
    for batch in batch_values(documents):
        if refuse_again:
            _keep_hashes(transaction, batch)
        _erase_documents(transaction, batch, reason)


def find_unshared_documents(transaction: WriteTransaction, claims: list[str]) -> list[str]:
    """Return the documents that no other claims than these have ever cited, and no relation of others names."""
    citation, relation = columns_of(CitationVersion), columns_of(RelationVersion)
    own = select(citation.document).where(citation.claim.in_(claims)).distinct()
    cited = set(transaction.session.execute(own).scalars())
    shared: set[str] = set()
    for batch in batch_values(cited):
        by_others = select(citation.document).where(citation.document.in_(batch), citation.claim.not_in(claims))
        named = select(relation.document).where(relation.document.in_(batch), relation.claim.not_in(claims))
        for statement in (by_others, named):
            shared.update(transaction.session.execute(statement).scalars())
    return sorted(cited - shared)


def _erase_documents(transaction: WriteTransaction, ids: list[str], reason: str) -> None:
    session, document = transaction.session, columns_of(DocumentVersion)
    current = select(*document).where(document.id.in_(ids), document.until_seq.is_(None), document.removed.is_(False))
    rows = session.execute(current).mappings().all()
    change, relation, citation = columns_of(Change), columns_of(RelationVersion), columns_of(CitationVersion)
    session.execute(update(Change).where(change.kind == "document", change.key.in_(ids)).values(reason=None))
    for row in rows:
        clear_stored_responses(transaction, [text for text in (row["id"], row["url"], row["title"]) if text])
        state = copy_state(row) | REMOVED_DOCUMENT
        transaction.record(DocumentVersion, row["id"], state, action="takedown", reason=reason)
    session.execute(update(DocumentVersion).where(document.id.in_(ids)).values(REMOVED_DOCUMENT))
    session.execute(update(CitationVersion).where(citation.document.in_(ids)).values(CITATION_OF_REMOVED_DOCUMENT))
    session.execute(update(RelationVersion).where(relation.document.in_(ids)).values(quote=None))
    cited = select(citation.id).where(citation.document.in_(ids))
    _erase_reasons_of_citations(transaction, list(session.execute(cited).scalars()))


def _keep_hashes(transaction: WriteTransaction, ids: list[str]) -> None:
    """Record the hashes of every version of the documents."""
    session, document, erased = transaction.session, columns_of(DocumentVersion), columns_of(ErasedKey)
    versions = select(*document).where(document.id.in_(ids), document.removed.is_(False))
    records = {key: row["id"] for row in session.execute(versions).mappings() for key in erased_keys(dict(row))}
    for batch in batch_values(records):
        known = set(session.execute(select(erased.digest).where(erased.digest.in_(batch))).scalars())
        session.add_all(ErasedKey(digest=key, record=records[key]) for key in batch if key not in known)
    session.flush()


def _erase_reasons_of_citations(transaction: WriteTransaction, citations: list[str]) -> None:
    change = columns_of(Change)
    for batch in batch_values(citations):
        about_them = (change.kind == "citation", change.key.in_(batch))
        transaction.session.execute(update(Change).where(*about_them).values(reason=None))
