"""Documents: queries, and recording without duplicates of a URL."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, and_, select
from sqlmodel import Session
from uuid_utils import uuid7

from app.database.keyset import Order
from app.database.snapshot import Snapshot
from app.database.tables import DocumentVersion, SourceVersion, columns_of, table_of
from app.database.transaction import WriteTransaction
from app.database.types import ID_PATTERN
from app.errors import Fault, NotFound
from app.http.pagination import Page, PageQuery, paginate
from app.sources.queries import SOURCE
from app.sources.schemas import DocumentCard, DocumentInput
from app.vocabulary.slug_records import VERSION_FIELDS, find_unknown_slugs

DOCUMENT_CARD_FIELDS = tuple(DocumentCard.model_fields)


DOCUMENT_INPUT_FIELDS = tuple(DocumentInput.model_fields)


def _select_documents(snapshot: Snapshot) -> Select[Any]:
    document, source = columns_of(DocumentVersion), columns_of(SourceVersion)
    is_publisher = and_(source.slug == document.publisher, snapshot.contains(SourceVersion))
    return (
        select(*document, source.name.label("publisher_name"))
        .select_from(table_of(DocumentVersion).outerjoin(table_of(SourceVersion), is_publisher))
        .where(snapshot.contains(DocumentVersion))
    )


def build_document_card(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as the document of a citation."""
    return {name: row[name] for name in DOCUMENT_CARD_FIELDS}


def _build_document_response(row: Mapping[Any, Any]) -> dict[str, Any]:
    further_fields = {name: row[name] for name in ("content_sha256", "retrieved_at", "terms", *VERSION_FIELDS)}
    return build_document_card(row) | further_fields | {"links": {"self": f"/v1/documents/{row['id']}"}}


def find_documents(session: Session, query: PageQuery, snapshot: Snapshot) -> Page:
    """Return a page of documents, oldest record first."""
    order = Order("id", columns_of(DocumentVersion).id)
    return paginate(session, _select_documents(snapshot), order, query, snapshot, _build_document_response)


def read_document(session: Session, id_: str, snapshot: Snapshot) -> dict[str, Any]:
    """Return the document `id_`. Raises `NotFound`."""
    row = None
    if ID_PATTERN.fullmatch(id_):
        statement = _select_documents(snapshot).where(columns_of(DocumentVersion).id == id_)
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no document `{id_}`.", hint="GET /v1/documents lists them")
    return _build_document_response(row)


def load_document_cards(session: Session, ids: Iterable[str], snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Return the documents with these ids, as in a citation, by id."""
    rows = session.execute(_select_documents(snapshot).where(columns_of(DocumentVersion).id.in_(set(ids)))).mappings()
    return {row["id"]: build_document_card(row) for row in rows}


def find_document_faults(transaction: WriteTransaction, payload: DocumentInput) -> list[Fault]:
    """Return a fault if the publisher of a document does not exist."""
    references = [("publisher", payload.publisher)] if payload.publisher else []
    return find_unknown_slugs(transaction.session, transaction.snapshot, SOURCE, references)


def load_documents_by_url(session: Session, urls: Iterable[str], snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Return the documents with these URLs, as in a citation, by URL."""
    rows = session.execute(_select_documents(snapshot).where(columns_of(DocumentVersion).url.in_(set(urls)))).mappings()
    return {row["url"]: build_document_card(row) for row in rows}


def load_documents_by_title(
    session: Session, titles: Iterable[str], snapshot: Snapshot
) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Return the documents with these titles and no URL, as in a citation, by title and publisher."""
    columns = columns_of(DocumentVersion)
    rows = session.execute(
        _select_documents(snapshot).where(columns.url.is_(None), columns.title.in_(set(titles)))
    ).mappings()
    return {(row["title"], row["publisher"]): build_document_card(row) for row in rows}


def record_document(transaction: WriteTransaction, payload: DocumentInput, id_: str | None = None) -> tuple[str, bool]:
    """Record a document, unless one with the same URL exists. Return its id, and whether it is new."""
    if payload.url and (documents := load_documents_by_url(transaction.session, [payload.url], transaction.snapshot)):
        return str(documents[payload.url]["id"]), False
    id_ = id_ or str(uuid7())
    state = {name: getattr(payload, name) for name in DOCUMENT_INPUT_FIELDS}
    transaction.record(DocumentVersion, id_, state, action="created")
    return id_, True
