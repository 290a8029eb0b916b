"""Queries for import records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select
from sqlmodel import Session

from app.database.keyset import Order, fetch_page
from app.database.snapshot import Snapshot
from app.database.tables import ImportStep, ImportVersion, columns_of
from app.database.types import ID_PATTERN
from app.enums import ImportStatus
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
    progress = _load_progress(session, [row["id"] for row in rows], snapshot)
    documents = [import_document(row, progress.get(row["id"])) for row in rows]
    return Page(documents, snapshot.seq, cursor, total)


def read_import(session: Session, id_: str, snapshot: Snapshot) -> dict[str, Any]:
    """Return one import. Raises `NotFound`."""
    columns = columns_of(ImportVersion)
    row = None
    if ID_PATTERN.fullmatch(id_):
        statement = select(*columns).where(columns.id == id_, snapshot.contains(ImportVersion))
        row = session.execute(statement).mappings().first()
    if row is None:
        raise NotFound(f"There is no import `{id_}`.", hint=f"GET {whole_address('/v1/imports')} lists them")
    return import_document(row, _load_progress(session, [id_], snapshot).get(id_))


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far a long import is in a state of the register."""

    rows: int
    left_out: dict[str, int]
    is_final: bool


def _load_progress(session: Session, ids: Sequence[str], snapshot: Snapshot) -> dict[str, ImportProgress]:
    """Return the progress of those of the imports that were published in several transactions."""
    if not ids:
        return {}
    step = columns_of(ImportStep)
    is_reached = (step.import_id.in_(ids), step.last_seq <= snapshot.seq)
    latest = select(step.import_id, func.max(step.first_seq).label("seq"), func.max(step.rows).label("rows"))
    last = latest.where(*is_reached).group_by(step.import_id).subquery()
    is_last = and_(step.import_id == last.c.import_id, step.first_seq == last.c.seq)
    statement = select(step.import_id, last.c.rows, step.left_out, step.is_final).join(last, is_last)
    return {id_: ImportProgress(rows, left, final) for id_, rows, left, final in session.execute(statement)}


def import_document(row: Mapping[Any, Any], progress: ImportProgress | None) -> dict[str, Any]:
    """Return an import as it is served; `progress` is that of a long one."""
    document = {name: row[name] for name in IMPORT_FIELDS}
    is_published = progress is None or progress.is_final
    document["left_out"] = {} if progress is None else dict(sorted(progress.left_out.items()))
    document["status"] = ImportStatus.published if is_published else ImportStatus.publishing
    rows = row["counts"].get("rows", 0)
    document["rows_published"] = rows if progress is None or progress.is_final else progress.rows
    # The files of imports of earlier releases have no columns.
    document["files"] = [{**file, "columns": file.get("columns")} for file in row["files"]]
    return document | {"links": {"self": whole_address(f"/v1/imports/{row['id']}")}}
