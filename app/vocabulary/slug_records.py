"""Records with a slug: finds, reads and replaces them, and reports unknown slugs."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fastapi import Request
from sqlalchemy import Select, bindparam, select
from sqlmodel import Session
from starlette.responses import Response

from app.cache.scope import record_scope
from app.database.api_keys import Actor
from app.database.engine import Database
from app.database.keyset import Order, read_cursor, write_cursor
from app.database.snapshot import Snapshot, contains_version, open_snapshot
from app.database.sql import batch_values
from app.database.tables import Version, columns_of
from app.database.transaction import WriteTransaction
from app.errors import Fault, NotFound, field_fault, suggest_nearest
from app.http.addresses import whole_address
from app.http.lists import PageLoader
from app.http.pagination import DEFAULT_LIMIT, Page, PageQuery, paginate
from app.http.responses import json_response
from app.http.schema_types import Input
from app.http.writes import WriteRequest, WriteResult

VERSION_FIELDS = ("revision", "recorded_at", "seq")


@dataclass(frozen=True, slots=True)
class RecordType:
    """A type of records with a slug: its name in the singular, its path below `/v1`, its table and its fields."""

    name: str
    path: str
    table: type[Version]
    fields: tuple[str, ...]
    references: Mapping[str, "RecordType | None"] = field(default_factory=dict)
    """The record type whose slugs each field has; None for the record type itself."""

    def build_response(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        """Return a row as a response object."""
        response = {"slug": row["slug"], **{name: row[name] for name in self.fields}}
        return (
            response
            | {name: row[name] for name in VERSION_FIELDS}
            | {"links": {"self": whole_address(f"/v1/{self.path}/{row['slug']}")}}
        )


def find_records(session: Session, record_type: RecordType, query: PageQuery, snapshot: Snapshot) -> Page:
    """Return a page of the records of a type, ordered by slug."""
    columns = columns_of(record_type.table)
    statement = select(*columns).where(snapshot.contains(record_type.table))
    return paginate(session, statement, Order("slug", columns.slug), query, snapshot, record_type.build_response)


def find_named_records(
    session: Session, record_type: RecordType, query: PageQuery, snapshot: Snapshot, slugs: Sequence[str]
) -> Page:
    """Return a page of the records with these slugs, which are all in the snapshot and in order."""
    columns = columns_of(record_type.table)
    order = Order("slug", columns.slug)
    _has_value, _value, last_slug = read_cursor(order, query.cursor)
    start = 0 if last_slug is None else bisect_right(slugs, last_slug)
    limit = query.limit or DEFAULT_LIMIT
    chosen = slugs[start : start + limit]
    rows: dict[str, dict[str, Any]] = {}
    for batch in batch_values(chosen):
        statement = select(*columns).where(columns.slug.in_(batch), snapshot.contains(record_type.table))
        rows |= {row["slug"]: record_type.build_response(row) for row in session.execute(statement).mappings()}
    cursor = write_cursor(order, None, chosen[-1]) if start + limit < len(slugs) else None
    return Page([rows[slug] for slug in chosen], snapshot.seq, cursor, len(slugs) if query.total else None)


def read_record(session: Session, record_type: RecordType, slug: str, snapshot: Snapshot) -> dict[str, Any]:
    """Return the record `slug`. Raises `NotFound` with the most similar slug as a hint."""
    response = find_record(session, record_type, slug, snapshot)
    if response is None:
        slugs = load_slugs(session, record_type, snapshot)
        raise NotFound(f"There is no {record_type.name} `{slug}`.", hint=suggest_nearest(slug, slugs))
    return response


def find_record(session: Session, record_type: RecordType, slug: str, snapshot: Snapshot) -> dict[str, Any] | None:
    """Return the record `slug`, or None."""
    if "\0" in slug:
        return None
    columns = columns_of(record_type.table)
    row = (
        session.execute(select(*columns).where(columns.slug == slug, snapshot.contains(record_type.table)))
        .mappings()
        .first()
    )
    return None if row is None else record_type.build_response(row)


def load_slugs(session: Session, record_type: RecordType, snapshot: Snapshot) -> list[str]:
    """Return all slugs of a record type."""
    return list(
        session.execute(
            select(columns_of(record_type.table).slug).where(snapshot.contains(record_type.table))
        ).scalars()
    )


def replace_record(
    transaction: WriteTransaction, record_type: RecordType, slug: str, payload: Input
) -> tuple[dict[str, Any], bool | None]:
    """Record `payload` as the new version of the record `slug`.

    Returns:
        The response object, and whether the record is new; None if the payload equals the current version.
    """
    columns = columns_of(record_type.table)
    statement = select(*columns).where(columns.slug == slug, transaction.snapshot.contains(record_type.table))
    before = transaction.session.execute(statement).mappings().first()
    state = payload.model_dump(include=set(record_type.fields))
    if before is not None and all(before[name] == value for name, value in state.items()):
        return record_type.build_response(before), None
    transaction.record(record_type.table, slug, state, action="created" if before is None else "changed")
    return record_type.build_response(transaction.session.execute(statement).mappings().one()), before is None


def record_page_loader(database: Database, record_type: RecordType) -> PageLoader[PageQuery]:
    """Return the function that reads one page of the records of a type, for `ListResponse.send`."""

    def find(query: PageQuery) -> Page:
        with database.read() as session:
            return find_records(session, record_type, query, open_snapshot(session, query.recorded_as_of))

    return find


def record_response(
    request: Request, database: Database, record_type: RecordType, slug: str, as_of: str | None
) -> Response:
    """Return the response of a GET of the record `slug` in the state `as_of`."""
    with database.read() as session:
        snapshot = open_snapshot(session, as_of)
        body = read_record(session, record_type, slug, snapshot)
    tag = f"{body['revision']}-"
    return json_response(
        request, body, tag=tag, cache_scope=record_scope(snapshot.latest_seq, f"{record_type.name}-{slug}")
    )


def handle_put(
    write: WriteRequest,
    actor: Actor,
    kind: RecordType,
    slug: str,
    replace: Callable[[WriteTransaction], tuple[dict[str, Any], bool | None]],
    *,
    by_revision: bool = False,
) -> Response:
    """Run `replace` and answer a PUT of `slug`.

    If-Match is checked only if it is sent: nothing but records with a slug may be replaced without it. `by_revision`
    says that the representation has more than the record, so that only the revision is compared.
    """

    def record(log: WriteTransaction) -> WriteResult:
        before = find_record(log.session, kind, slug, log.snapshot)
        write.check_match(before, required=False, by_revision=by_revision)
        card, created = replace(log)
        return WriteResult(card, created=bool(created))

    return write(actor, record)


def find_unknown_slugs(
    session: Session,
    snapshot: Snapshot,
    record_type: RecordType,
    used: Iterable[tuple[str, str]],
    *,
    also: Collection[str] = (),
) -> list[Fault]:
    """Return a fault for each (pointer, slug) pair whose slug is neither recorded nor in `also`."""
    pairs = [(pointer, slug) for pointer, slug in used if slug not in also]
    missing = find_missing_slugs(session, record_type, {slug for _, slug in pairs}, snapshot)
    if not missing:
        return []
    candidates = {*load_slugs(session, record_type, snapshot), *also}
    return [
        field_fault(pointer, f"There is no {record_type.name} `{slug}`.", hint=suggest_nearest(slug, candidates))
        for pointer, slug in pairs
        if slug in missing
    ]


def find_missing_slugs(
    session: Session, record_type: RecordType, slugs: Collection[str], snapshot: Snapshot
) -> set[str]:
    """Return those of `slugs` that are not recorded."""
    if not slugs:
        return set()
    parameters = {"slugs": list(slugs), "as_of": snapshot.as_of}
    found = session.execute(_select_recorded_slugs(record_type.table, past=snapshot.is_past), parameters)
    return set(slugs) - set(found.scalars())


@cache
def _select_recorded_slugs(table: type[Version], *, past: bool) -> Select[Any]:
    slug = columns_of(table).slug
    return select(slug).where(slug.in_(bindparam("slugs", expanding=True)), contains_version(table, past=past))


def find_reference_faults(
    transaction: WriteTransaction, record_type: RecordType, slug: str, payload: Input
) -> list[Fault]:
    """Return a fault for each reference of `payload` to an unknown slug, to the record itself, or that is repeated."""
    faults: list[Fault] = []
    for name, target in record_type.references.items():
        value = getattr(payload, name)
        values: Sequence[str] = value if isinstance(value, list) else [value] if value else []
        pairs = [(f"{name}/{i}" if isinstance(value, list) else name, item) for i, item in enumerate(values)]
        self_pointers = [pointer for pointer, item in pairs if target is None and item == slug]
        faults += [field_fault(pointer, f"`{slug}` cannot refer to itself.") for pointer in self_pointers]
        if isinstance(value, list):
            repeated = [(pointer, item) for i, (pointer, item) in enumerate(pairs) if item in value[:i]]
            faults += [
                field_fault(pointer, f"`{item}` occurs twice.", hint="name it once") for pointer, item in repeated
            ]
        others = [(pointer, item) for pointer, item in pairs if pointer not in self_pointers]
        faults += find_unknown_slugs(transaction.session, transaction.snapshot, target or record_type, others)
    return faults
