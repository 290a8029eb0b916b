"""Queries for import records."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.database.keyset import Order, fetch_page
from app.database.snapshot import Snapshot
from app.database.tables import ImportVersion, columns_of
from app.database.types import ID_PATTERN
from app.errors import NotFound
from app.http.addresses import whole_address
from app.http.pagination import DEFAULT_LIMIT, Page, PageQuery

IMPORT_FIELDS = (
    "id",
    "actor",
    "mapping",
    "series",
    "vintage",
    "files",
    "counts",
    "smell_counts",
    "smells",
    "recorded_at",
    "seq",
)


def find_imports(session: Session, query: PageQuery, snapshot: Snapshot) -> Page:
    """Return a page of the imports, the newest first."""
    columns = columns_of(ImportVersion)
    statement = select(*columns).where(snapshot.contains(ImportVersion))
    count = select(func.count()).select_from(statement.subquery())
    total = session.execute(count).scalar_one() if query.total else None
    order = Order("-id", columns.id, descending=True)
    rows, cursor = fetch_page(session, statement, order, query.limit or DEFAULT_LIMIT, query.cursor)
    return Page([import_document(row) for row in rows], snapshot.seq, cursor, total)


def read_import(session: Session, id_: str, snapshot: Snapshot) -> dict[str, Any]:
    """Return one import. Raises `NotFound`."""
    columns = columns_of(ImportVersion)
    row = None
    if ID_PATTERN.fullmatch(id_):
        statement = select(*columns).where(columns.id == id_, snapshot.contains(ImportVersion))
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no import `{id_}`.", hint=f"GET {whole_address('/v1/imports')} lists them")
    return import_document(row)


def import_document(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return an import as it is served."""
    document = {name: row[name] for name in IMPORT_FIELDS}
    # The files of imports of earlier releases have no columns.
    document["files"] = [{**file, "columns": file.get("columns")} for file in row["files"]]
    return document | {"links": {"self": whole_address(f"/v1/imports/{row['id']}")}}
