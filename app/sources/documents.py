"""Documents: read and recorded."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlmodel import Session
from uuid_utils import uuid7

from app.database.keyset import Order, fetch_page
from app.database.snapshot import Snapshot
from app.database.tables import DocumentVersion, SourceVersion, columns_of, table_of
from app.database.transaction import WriteTransaction
from app.database.types import ID_PATTERN
from app.errors import Fault, NotFound
from app.http.pagination import DEFAULT_LIMIT, Page, PageQuery
from app.sources.queries import SOURCE
from app.sources.schemas import DocumentCard, DocumentInput
from app.vocabulary.slug_records import VERSION_FIELDS, find_unknown_slugs

DOCUMENT_CARD_FIELDS = tuple(DocumentCard.model_fields)


DOCUMENT_INPUT_FIELDS = tuple(DocumentInput.model_fields)


def _select_documents(view: Snapshot) -> Select[Any]:
    document, source = columns_of(DocumentVersion), columns_of(SourceVersion)
    published_by = and_(source.slug == document.publisher, view.contains(SourceVersion))
    return (
        select(*document, source.name.label("publisher_name"))
        .select_from(table_of(DocumentVersion).outerjoin(table_of(SourceVersion), published_by))
        .where(view.contains(DocumentVersion))
    )


def build_document_card(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A document, as a citation shows it."""
    return {name: row[name] for name in DOCUMENT_CARD_FIELDS}


def _build_document_response(row: Mapping[Any, Any]) -> dict[str, Any]:
    more = {name: row[name] for name in ("content_sha256", "retrieved_at", "terms", *VERSION_FIELDS)}
    return build_document_card(row) | more | {"links": {"self": f"/v1/documents/{row['id']}"}}


def find_documents(session: Session, query: PageQuery, view: Snapshot) -> Page:
    """All documents, the oldest record first."""
    statement = _select_documents(view)
    total = (
        session.execute(select(func.count()).select_from(statement.subquery())).scalar_one() if query.total else None
    )
    order = Order("id", columns_of(DocumentVersion).id)
    rows, cursor = fetch_page(session, statement, order, query.limit or DEFAULT_LIMIT, query.cursor)
    return Page([_build_document_response(row) for row in rows], view.seq, cursor, total)


def read_document(session: Session, id_: str, view: Snapshot) -> dict[str, Any]:
    """One document. Raises `NotFound`."""
    row = None
    if ID_PATTERN.fullmatch(id_):
        row = session.execute(_select_documents(view).where(columns_of(DocumentVersion).id == id_)).mappings().first()
    if row is None:
        raise NotFound(f"There is no document `{id_}`.", hint="GET /v1/documents lists them")
    return _build_document_response(row)


def load_document_cards(session: Session, ids: Iterable[str], view: Snapshot) -> dict[str, dict[str, Any]]:
    """The cards of the documents with these ids."""
    rows = session.execute(_select_documents(view).where(columns_of(DocumentVersion).id.in_(set(ids)))).mappings()
    return {row["id"]: build_document_card(row) for row in rows}


def find_document_faults(log: WriteTransaction, given: DocumentInput) -> list[Fault]:
    """What is wrong with a document."""
    used = [("publisher", given.publisher)] if given.publisher else []
    return find_unknown_slugs(log.session, log.snapshot, SOURCE, used)


def load_documents_by_url(session: Session, urls: Iterable[str], view: Snapshot) -> dict[str, dict[str, Any]]:
    """Address → the card of the document that is recorded there."""
    rows = session.execute(_select_documents(view).where(columns_of(DocumentVersion).url.in_(set(urls)))).mappings()
    return {row["url"]: build_document_card(row) for row in rows}


def load_documents_by_title(
    session: Session, titles: Iterable[str], view: Snapshot
) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Title and publisher → the card of the document, of those that have no address."""
    columns = columns_of(DocumentVersion)
    rows = session.execute(
        _select_documents(view).where(columns.url.is_(None), columns.title.in_(set(titles)))
    ).mappings()
    return {(row["title"], row["publisher"]): build_document_card(row) for row in rows}


def record_document(log: WriteTransaction, given: DocumentInput, id_: str | None = None) -> tuple[str, bool]:
    """Record a document and return its id, and whether it is new: of one address there is one document."""
    if given.url and (found := load_documents_by_url(log.session, [given.url], log.snapshot)):
        return str(found[given.url]["id"]), False
    id_ = id_ or str(uuid7())
    log.record(DocumentVersion, id_, {name: getattr(given, name) for name in DOCUMENT_INPUT_FIELDS}, action="created")
    return id_, True
