"""Documents: queries, recording without duplicates of an edition, and corrections of the record."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, select
from sqlmodel import Session
from uuid_utils import uuid7

from app.database.keyset import Order
from app.database.snapshot import Snapshot, is_version_at
from app.database.tables import DocumentVersion, ErasedKey, SourceVersion, columns_of, table_of
from app.database.transaction import WriteTransaction
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import DocumentDiffers, EditionAmbiguous, Fault, NotFound, Removed
from app.http.addresses import whole_address
from app.http.pagination import Page, paginate
from app.sources.addresses import normalize_address
from app.sources.editions import DocumentFields, address_of, choose_edition, find_differences, keys_of_given
from app.sources.queries import SOURCE
from app.sources.schemas import DocumentCard, DocumentInput, DocumentQuery, DocumentSummary
from app.vocabulary.slug_records import VERSION_FIELDS, find_unknown_slugs

DOCUMENT_CARD_FIELDS = tuple(DocumentCard.model_fields)

DOCUMENT_SUMMARY_FIELDS = tuple(DocumentSummary.model_fields)
"""The fields of the document of a citation."""

DOCUMENT_INPUT_FIELDS = tuple(DocumentInput.model_fields)

RECORDED_DOCUMENT_FIELDS = (*DOCUMENT_CARD_FIELDS, "content_sha256", "retrieved_at", "terms", "revision")
"""The fields of a recorded document that a given one is compared with."""

MAX_LISTED_EDITIONS = 20
"""Maximum number of editions of an address that a problem lists."""


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


def build_document_response(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as a document of its own."""
    further_fields = {name: row[name] for name in ("content_sha256", "retrieved_at", "terms", *VERSION_FIELDS)}
    return build_document_card(row) | further_fields | {"links": {"self": whole_address(f"/v1/documents/{row['id']}")}}


def find_documents(session: Session, query: DocumentQuery, snapshot: Snapshot) -> Page:
    """Return a page of documents, oldest record first; with `url`, only the editions of that address."""
    columns = columns_of(DocumentVersion)
    statement = _select_documents(snapshot).where(columns.removed.is_(False))
    if query.url is not None:
        statement = statement.where(columns.address.in_({query.url, normalize_address(query.url)}))
    return paginate(session, statement, Order("id", columns.id), query, snapshot, build_document_response)


def read_document(session: Session, id_: str, snapshot: Snapshot) -> dict[str, Any]:
    """Return the document `id_`. Raises `NotFound`."""
    row = None
    if ID_PATTERN.fullmatch(id_):
        statement = _select_documents(snapshot).where(columns_of(DocumentVersion).id == id_)
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no document `{id_}`.", hint=f"GET {whole_address('/v1/documents')} lists them")
    if row["removed"]:
        tombstone = build_document_tombstone(row)
        raise Removed(f"The document {id_} was taken down.", more={"document": tombstone})
    return build_document_response(row)


def build_document_tombstone(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what is left of a document that was taken down."""
    shown = {name: row[name] for name in ("id", *VERSION_FIELDS)}
    return {**shown, "status": Status.removed, "links": {"self": whole_address(f"/v1/documents/{row['id']}")}}


def read_document_tombstone(session: Session, id_: str, snapshot: Snapshot) -> dict[str, Any]:
    """Return the tombstone of a document that was taken down."""
    statement = _select_documents(snapshot).where(columns_of(DocumentVersion).id == id_)
    return build_document_tombstone(session.execute(statement).mappings().one())


def load_documents(session: Session, ids: Iterable[str], snapshot: Snapshot) -> dict[str, DocumentFields]:
    """Return the documents with these ids, by id."""
    rows = session.execute(_select_documents(snapshot).where(columns_of(DocumentVersion).id.in_(set(ids)))).mappings()
    return {row["id"]: _build_recorded_document(row) for row in rows}


def find_recorded_ids(session: Session, ids: Collection[str], snapshot: Snapshot) -> set[str]:
    """Return those of `ids` that are the ids of documents, also of documents that were taken down."""
    if not ids:
        return set()
    columns = columns_of(DocumentVersion)
    statement = select(columns.id).where(columns.id.in_(ids), snapshot.contains(DocumentVersion))
    return set(session.execute(statement).scalars())


def load_documents_by_edition(session: Session, keys: Iterable[str], snapshot: Snapshot) -> list[DocumentFields]:
    """Return the documents with these edition keys."""
    statement = _select_documents(snapshot).where(columns_of(DocumentVersion).edition.in_(set(keys)))
    return [_build_recorded_document(row) for row in session.execute(statement).mappings()]


def load_documents_by_address(
    session: Session, addresses: Iterable[str], snapshot: Snapshot, days: Iterable[date] | None = None
) -> list[DocumentFields]:
    """Return all editions of these addresses, or those of these days."""
    columns = columns_of(DocumentVersion)
    statement = _select_documents(snapshot).where(columns.address.in_(set(addresses))).order_by(columns.id)
    if days is not None:
        statement = statement.where(columns.published_on.in_(set(days)))
    return [_build_recorded_document(row) for row in session.execute(statement).mappings()]


def load_corrected_documents(
    session: Session, addresses: Iterable[str], snapshot: Snapshot
) -> list[tuple[DocumentFields, DocumentFields]]:
    """Return the past versions of documents at these addresses, each with the document as it is now."""
    columns = columns_of(DocumentVersion)
    statement = select(*(columns[name] for name in ("id", "address", *DOCUMENT_INPUT_FIELDS))).where(
        columns.address.in_(set(addresses)), columns.until_seq.is_not(None)
    )
    past = session.execute(statement).mappings().all()
    documents = load_documents(session, {row["id"] for row in past}, snapshot) if past else {}
    return [(dict(row), documents[row["id"]]) for row in past if row["id"] in documents]


def load_documents_by_title(session: Session, titles: Iterable[str], snapshot: Snapshot) -> list[DocumentFields]:
    """Return the documents with these titles and no URL."""
    columns = columns_of(DocumentVersion)
    statement = _select_documents(snapshot).where(
        columns.address.is_(None), columns.title.in_(set(titles)), columns.removed.is_(False)
    )
    return [_build_recorded_document(row) for row in session.execute(statement).mappings()]


def _build_recorded_document(row: Mapping[Any, Any]) -> DocumentFields:
    return {name: row[name] for name in (*RECORDED_DOCUMENT_FIELDS, "address", "removed")}


_DOCUMENT = table_of(DocumentVersion).c


def _select_candidates(*, has_day: bool, has_archive: bool, has_title: bool) -> Select[Any]:
    """Select the documents at an address that have the given parts: the same edition first, then those so titled."""
    conditions: list[ColumnElement[bool]] = [_DOCUMENT.address == bindparam("address"), is_version_at(_DOCUMENT, None)]
    missing = []
    for is_given, column in ((has_day, _DOCUMENT.published_on), (has_archive, _DOCUMENT.archive_url)):
        if is_given:
            conditions.append(column == bindparam(column.name))
        else:
            missing.append(column.is_(None))
    order: list[Any] = [case((and_(*missing), 0), else_=1)] if missing else []
    if has_title:
        is_titled = _DOCUMENT.title == bindparam("title")
        order.append(case((is_titled, 0), else_=1))
        if not has_day and not has_archive:
            conditions.append(is_titled)
    newest = _DOCUMENT.published_on.desc().nulls_last()
    return select(_DOCUMENT.id).where(*conditions).order_by(*order, newest, _DOCUMENT.id).limit(MAX_LISTED_EDITIONS + 1)


_CANDIDATE_STATEMENTS = {
    given: _select_candidates(has_day=given[0], has_archive=given[1], has_title=given[2])
    for given in product((False, True), repeat=3)
}


def find_candidate_ids(transaction: WriteTransaction, given: DocumentFields, *, flush: bool = True) -> list[str]:
    """Return the current documents that `given` may be, by id, at most one more than are listed.

    Without `flush`, pending rows of the transaction are not among them.
    """
    names = ("published_on", "archive_url", "title")
    has_day, has_archive, has_title = (given[name] is not None for name in names)
    statement = _CANDIDATE_STATEMENTS[has_day, has_archive, has_title]
    parameters = {name: str(given[name]) for name in names if given[name] is not None}
    parameters["address"] = str(address_of(given))
    return [str(id_) for (id_,) in transaction.fetch_rows(statement, parameters, flush=flush)]


def _select_without_address(*, has_day: bool, has_archive: bool, has_publisher: bool) -> Select[Any]:
    """Select the current documents without an address that have a title and exactly the given parts."""
    conditions: list[ColumnElement[bool]] = [
        _DOCUMENT.address.is_(None),
        _DOCUMENT.removed.is_(False),
        _DOCUMENT.title == bindparam("title"),
        is_version_at(_DOCUMENT, None),
    ]
    columns = {_DOCUMENT.published_on: has_day, _DOCUMENT.archive_url: has_archive, _DOCUMENT.publisher: has_publisher}
    for column, is_given in columns.items():
        conditions.append(column == bindparam(column.name) if is_given else column.is_(None))
    return select(_DOCUMENT.id).where(*conditions).order_by(_DOCUMENT.id).limit(1)


_STATEMENTS_WITHOUT_ADDRESS = {
    given: _select_without_address(has_day=given[0], has_archive=given[1], has_publisher=given[2])
    for given in product((False, True), repeat=3)
}


def find_ids_without_address(transaction: WriteTransaction, given: DocumentFields, *, flush: bool = True) -> list[str]:
    """Return the id of the current document without an address that has the title and the parts of `given`, if any.

    Without `flush`, pending rows of the transaction are not found.
    """
    names = ("published_on", "archive_url", "publisher")
    has_day, has_archive, has_publisher = (given[name] is not None for name in names)
    statement = _STATEMENTS_WITHOUT_ADDRESS[has_day, has_archive, has_publisher]
    parameters = {name: str(given[name]) for name in (*names, "title") if given[name] is not None}
    return [str(id_) for (id_,) in transaction.fetch_rows(statement, parameters, flush=flush)]


def resolve_edition(candidates: Sequence[DocumentFields], given: DocumentFields) -> DocumentFields | None:
    """Return the recorded document that is given, or None if it is a new edition.

    Args:
        candidates: The recorded documents at the address that have the parts of the given one.
        given: The given document.

    Raises:
        EditionAmbiguous: Several candidates match equally.
        DocumentDiffers: A field is given that is recorded otherwise or not at all.
    """
    if not candidates:
        return None
    edition = choose_edition(candidates, given)
    if edition is None:
        raise describe_ambiguity(candidates)
    require_no_difference(edition, given)
    return edition


def require_no_difference(recorded: DocumentFields, given: DocumentFields) -> None:
    """Raise `DocumentDiffers` if a field is given that is recorded otherwise or not at all, or after a takedown."""
    if recorded.get("removed"):
        raise describe_removal(recorded["id"])
    if differences := find_differences(recorded, given):
        raise describe_differences(recorded, differences)


def describe_ambiguity(editions: Sequence[DocumentFields]) -> EditionAmbiguous:
    """Return the problem of a document that may be each of these editions."""
    listed = [{name: edition[name] for name in DOCUMENT_CARD_FIELDS} for edition in editions[:MAX_LISTED_EDITIONS]]
    number = f"{len(editions)}" if len(editions) <= MAX_LISTED_EDITIONS else f"more than {MAX_LISTED_EDITIONS}"
    address = editions[0]["url"]
    list_address = whole_address(f"/v1/documents?url={quote(address, safe='')}")
    return EditionAmbiguous(
        f"The register has {number} editions of {address}: {'; '.join(map(_describe_edition, listed[:3]))}"
        + ("; …" if len(editions) > 3 else "."),  # noqa: PLR2004 - as many are named
        hint=f"name one by its `id`, `published_on` or `archive_url`: GET {list_address}",
        more={"editions": listed},
    )


def describe_differences(recorded: DocumentFields, differences: Sequence[str]) -> DocumentDiffers:
    """Return the problem of a document that is given with other values than it is recorded with."""
    names = ", ".join(f"`{name}`" for name in differences)
    address = whole_address(f"/v1/documents/{recorded['id']}")
    return DocumentDiffers(
        f"This document is recorded as {_describe_edition(recorded)}, and differs in {names}.",
        hint="another edition has another `published_on` or `archive_url`; an editor corrects the record: "
        f"PATCH {address}",
        headers={"Link": f'<{address}>; rel="duplicate"'},
        more={"document": {name: recorded[name] for name in RECORDED_DOCUMENT_FIELDS}, "differs": list(differences)},
    )


def describe_removal(id_: str) -> DocumentDiffers:
    """Return the problem of a document that was taken down and is given again."""
    detail = "This document was taken down. It cannot be recorded or cited again."
    return DocumentDiffers(detail, more={"document": {"id": id_}})


def _describe_edition(document: DocumentFields) -> str:
    parts = [str(part) for part in (document["published_on"], document["archive_url"]) if part is not None]
    return f"“{document['title']}” ({', '.join(parts) or 'no date'})"


def find_document_faults(transaction: WriteTransaction, payload: DocumentInput, base_pointer: str = "") -> list[Fault]:
    """Return a fault if the publisher of a document does not exist."""
    references = [(f"{base_pointer}publisher", payload.publisher)] if payload.publisher else []
    return find_unknown_slugs(transaction.session, transaction.snapshot, SOURCE, references)


def record_document(transaction: WriteTransaction, payload: DocumentInput, id_: str | None = None) -> tuple[str, bool]:
    """Record a document, unless the same edition is recorded. Return its id, and whether it is new.

    Raises `EditionAmbiguous` or `DocumentDiffers`.
    """
    given = document_columns(payload)
    find_ids = find_ids_without_address if payload.url is None else find_candidate_ids
    ids = find_ids(transaction, given)
    documents = load_documents(transaction.session, ids, transaction.snapshot) if ids else {}
    if (recorded := resolve_edition([documents[each] for each in ids], given)) is not None:
        return str(recorded["id"]), False
    refuse_removed(transaction, given)
    id_ = id_ or str(uuid7())
    transaction.record(DocumentVersion, id_, given, action="created")
    return id_, True


def load_removed_documents(session: Session, keys: Iterable[str], snapshot: Snapshot) -> dict[str, DocumentFields]:
    """Return the tombstones of documents that were taken down, by the hashes of what identified them."""
    erased = columns_of(ErasedKey)
    statement = select(erased.digest, erased.record).where(erased.digest.in_(set(keys)))
    ids = {row.digest: row.record for row in session.execute(statement)}
    documents = load_documents(session, ids.values(), snapshot) if ids else {}
    return {digest: documents[id_] for digest, id_ in ids.items() if id_ in documents}


_SELECT_ERASED = select(table_of(ErasedKey).c.record).where(table_of(ErasedKey).c.digest == bindparam("digest"))


def refuse_removed(transaction: WriteTransaction, given: DocumentFields) -> None:
    """Raise `DocumentDiffers` if the given document was taken down."""
    for key in keys_of_given(given):
        for (id_,) in transaction.fetch_rows(_SELECT_ERASED, {"digest": key}, flush=False):
            raise describe_removal(id_)


def document_columns(payload: DocumentInput) -> dict[str, Any]:
    """Return the columns of a document, without its id."""
    return {name: getattr(payload, name) for name in DOCUMENT_INPUT_FIELDS}
