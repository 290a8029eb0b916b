"""What everything with a slug has in common: finding, reading and replacing it, and the words to refuse a wrong one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.database.keyset import Order, walk
from app.database.snapshot import View
from app.database.tables import Version, columns_of
from app.database.transaction import Log
from app.errors import Fault, NotFound, fault, nearest
from app.http.pagination import DEFAULT_LIMIT, Found, PageQuery
from app.http.schema_types import Input

STAMPS = ("revision", "recorded_at", "seq")


@dataclass(frozen=True, slots=True)
class Slugged:
    """A kind with a slug: its name in the singular, where it is served, its table and what its fields refer to."""

    name: str
    path: str
    table: type[Version]
    fields: tuple[str, ...]
    refers: Mapping[str, "Slugged | None"] = field(default_factory=dict)
    """Field → the kind whose slugs it holds; None stands for this very kind."""

    def card(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        """One of them, as it is served."""
        card = {"slug": row["slug"], **{name: row[name] for name in self.fields}}
        return card | {stamp: row[stamp] for stamp in STAMPS} | {"links": {"self": f"/v1/{self.path}/{row['slug']}"}}


def find_slugged(session: Session, kind: Slugged, query: PageQuery, view: View) -> Found:
    """All of a kind, by slug."""
    columns = columns_of(kind.table)
    statement = select(*columns).where(view.holds(kind.table))
    total = (
        session.execute(select(func.count()).select_from(statement.subquery())).scalar_one() if query.total else None
    )
    rows, cursor = walk(session, statement, Order("slug", columns.slug), query.limit or DEFAULT_LIMIT, query.cursor)
    return Found([kind.card(row) for row in rows], view.seq, cursor, total)


def read_slugged(session: Session, kind: Slugged, slug: str, view: View) -> dict[str, Any]:
    """The one called `slug`. Raises `NotFound`, with the nearest slug as a hint."""
    card = seek_slugged(session, kind, slug, view)
    if card is None:
        known = slugs(session, kind, view)
        raise NotFound(f"There is no {kind.name} `{slug}`.", hint=nearest(slug, known))
    return card


def seek_slugged(session: Session, kind: Slugged, slug: str, view: View) -> dict[str, Any] | None:
    """The one called `slug`, if there is one."""
    if "\0" in slug:
        return None
    columns = columns_of(kind.table)
    row = session.execute(select(*columns).where(columns.slug == slug, view.holds(kind.table))).mappings().first()
    return None if row is None else kind.card(row)


def slugs(session: Session, kind: Slugged, view: View) -> list[str]:
    """Every slug of a kind."""
    return list(session.execute(select(columns_of(kind.table).slug).where(view.holds(kind.table))).scalars())


def put_slugged(log: Log, kind: Slugged, slug: str, given: Input) -> tuple[dict[str, Any], bool | None]:
    """Record `given` as the state of `slug`: its card, and whether it is new (None: it already stood like that)."""
    columns = columns_of(kind.table)
    stands = select(*columns).where(columns.slug == slug, log.view.holds(kind.table))
    before = log.session.execute(stands).mappings().first()
    state = {name: getattr(given, name) for name in kind.fields}
    if before is not None and all(before[name] == value for name, value in state.items()):
        return kind.card(before), None
    log.record(kind.table, slug, state, action="created" if before is None else "changed")
    return kind.card(log.session.execute(stands).mappings().one()), before is None


def unknown_slugs(
    session: Session, view: View, kind: Slugged, used: Iterable[tuple[str, str]], *, also: Collection[str] = ()
) -> list[Fault]:
    """The faults of the (pointer, slug) pairs in `used` that `kind` does not have, and `also` does not name."""
    used = [(pointer, slug) for pointer, slug in used if slug not in also]
    missing = absent(session, kind, {slug for _, slug in used}, view)
    if not missing:
        return []
    known = {*slugs(session, kind, view), *also}
    return [
        fault(pointer, f"There is no {kind.name} `{slug}`.", hint=nearest(slug, known))
        for pointer, slug in used
        if slug in missing
    ]


def absent(session: Session, kind: Slugged, wanted: Collection[str], view: View) -> set[str]:
    """Those of `wanted` that do not exist."""
    if not wanted:
        return set()
    columns = columns_of(kind.table)
    found = session.execute(select(columns.slug).where(columns.slug.in_(wanted), view.holds(kind.table))).scalars()
    return set(wanted) - set(found)


def reference_faults(log: Log, kind: Slugged, slug: str, given: Input) -> list[Fault]:
    """The faults of whatever `given` refers to: a slug that does not exist, or its own."""
    faults: list[Fault] = []
    for name, target in kind.refers.items():
        value = getattr(given, name)
        values: Sequence[str] = value if isinstance(value, list) else [value] if value else []
        pointers = [(f"{name}/{i}" if isinstance(value, list) else name, word) for i, word in enumerate(values)]
        own = [pointer for pointer, word in pointers if target is None and word == slug]
        faults += [fault(pointer, f"`{slug}` cannot refer to itself.") for pointer in own]
        wanted = [(p, word) for p, word in pointers if p not in own]
        faults += unknown_slugs(log.session, log.view, target or kind, wanted)
    return faults
