"""What everything with a slug has in common: finding, reading and replacing it, and the words to refuse a wrong one."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session
from starlette.responses import Response

from app.database.api_keys import Actor
from app.database.keyset import Order, fetch_page
from app.database.snapshot import Snapshot
from app.database.tables import Version, columns_of
from app.database.transaction import WriteTransaction
from app.errors import Fault, NotFound, field_fault, suggest_nearest
from app.http.pagination import DEFAULT_LIMIT, Page, PageQuery
from app.http.schema_types import Input
from app.http.writes import WriteRequest, WriteResult

VERSION_FIELDS = ("revision", "recorded_at", "seq")


@dataclass(frozen=True, slots=True)
class RecordType:
    """A kind with a slug: its name in the singular, where it is served, its table and what its fields refer to."""

    name: str
    path: str
    table: type[Version]
    fields: tuple[str, ...]
    references: Mapping[str, "RecordType | None"] = field(default_factory=dict)
    """Field → the kind whose slugs it holds; None stands for this very kind."""

    def build_response(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        """One of them, as it is served."""
        card = {"slug": row["slug"], **{name: row[name] for name in self.fields}}
        return (
            card
            | {stamp: row[stamp] for stamp in VERSION_FIELDS}
            | {"links": {"self": f"/v1/{self.path}/{row['slug']}"}}
        )


def find_records(session: Session, kind: RecordType, query: PageQuery, view: Snapshot) -> Page:
    """All of a kind, by slug."""
    columns = columns_of(kind.table)
    statement = select(*columns).where(view.contains(kind.table))
    total = (
        session.execute(select(func.count()).select_from(statement.subquery())).scalar_one() if query.total else None
    )
    rows, cursor = fetch_page(
        session, statement, Order("slug", columns.slug), query.limit or DEFAULT_LIMIT, query.cursor
    )
    return Page([kind.build_response(row) for row in rows], view.seq, cursor, total)


def read_record(session: Session, kind: RecordType, slug: str, view: Snapshot) -> dict[str, Any]:
    """The one called `slug`. Raises `NotFound`, with the nearest slug as a hint."""
    card = find_record(session, kind, slug, view)
    if card is None:
        known = load_slugs(session, kind, view)
        raise NotFound(f"There is no {kind.name} `{slug}`.", hint=suggest_nearest(slug, known))
    return card


def find_record(session: Session, kind: RecordType, slug: str, view: Snapshot) -> dict[str, Any] | None:
    """The one called `slug`, if there is one."""
    if "\0" in slug:
        return None
    columns = columns_of(kind.table)
    row = session.execute(select(*columns).where(columns.slug == slug, view.contains(kind.table))).mappings().first()
    return None if row is None else kind.build_response(row)


def load_slugs(session: Session, kind: RecordType, view: Snapshot) -> list[str]:
    """Every slug of a kind."""
    return list(session.execute(select(columns_of(kind.table).slug).where(view.contains(kind.table))).scalars())


def replace_record(
    log: WriteTransaction, kind: RecordType, slug: str, given: Input
) -> tuple[dict[str, Any], bool | None]:
    """Record `given` as the state of `slug`: its card, and whether it is new (None: it already stood like that)."""
    columns = columns_of(kind.table)
    stands = select(*columns).where(columns.slug == slug, log.snapshot.contains(kind.table))
    before = log.session.execute(stands).mappings().first()
    state = {name: getattr(given, name) for name in kind.fields}
    if before is not None and all(before[name] == value for name, value in state.items()):
        return kind.build_response(before), None
    log.record(kind.table, slug, state, action="created" if before is None else "changed")
    return kind.build_response(log.session.execute(stands).mappings().one()), before is None


def handle_put(
    write: WriteRequest,
    actor: Actor,
    kind: RecordType,
    slug: str,
    replace: Callable[[WriteTransaction], tuple[dict[str, Any], bool | None]],
) -> Response:
    """Run `replace` and answer a PUT of `slug`.

    If-Match is checked only if it is sent: nothing but records with a slug may be replaced without it.
    """

    def record(log: WriteTransaction) -> WriteResult:
        before = find_record(log.session, kind, slug, log.snapshot)
        if before is not None:
            write.check_match(before, required=False)
        card, created = replace(log)
        return WriteResult(card, created=bool(created))

    return write(actor, record)


def find_unknown_slugs(
    session: Session, view: Snapshot, kind: RecordType, used: Iterable[tuple[str, str]], *, also: Collection[str] = ()
) -> list[Fault]:
    """The faults of the (pointer, slug) pairs in `used` that `kind` does not have, and `also` does not name."""
    used = [(pointer, slug) for pointer, slug in used if slug not in also]
    missing = find_missing_slugs(session, kind, {slug for _, slug in used}, view)
    if not missing:
        return []
    known = {*load_slugs(session, kind, view), *also}
    return [
        field_fault(pointer, f"There is no {kind.name} `{slug}`.", hint=suggest_nearest(slug, known))
        for pointer, slug in used
        if slug in missing
    ]


def find_missing_slugs(session: Session, kind: RecordType, wanted: Collection[str], view: Snapshot) -> set[str]:
    """Those of `wanted` that do not exist."""
    if not wanted:
        return set()
    columns = columns_of(kind.table)
    found = session.execute(select(columns.slug).where(columns.slug.in_(wanted), view.contains(kind.table))).scalars()
    return set(wanted) - set(found)


def find_reference_faults(log: WriteTransaction, kind: RecordType, slug: str, given: Input) -> list[Fault]:
    """The faults of whatever `given` refers to: a slug that does not exist, or its own."""
    faults: list[Fault] = []
    for name, target in kind.references.items():
        value = getattr(given, name)
        values: Sequence[str] = value if isinstance(value, list) else [value] if value else []
        pointers = [(f"{name}/{i}" if isinstance(value, list) else name, word) for i, word in enumerate(values)]
        own = [pointer for pointer, word in pointers if target is None and word == slug]
        faults += [field_fault(pointer, f"`{slug}` cannot refer to itself.") for pointer in own]
        wanted = [(p, word) for p, word in pointers if p not in own]
        faults += find_unknown_slugs(log.session, log.snapshot, target or kind, wanted)
    return faults
