"""Record types of categories, subjects and places: their tables, fields and rules of change."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.database.snapshot import Snapshot
from app.database.tables import CategoryVersion, ClaimVersion, PlaceVersion, SubjectVersion, columns_of
from app.database.transaction import WriteTransaction
from app.errors import InUse, field_fault, raise_if_any
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from app.vocabulary.slug_records import RecordType, find_reference_faults, replace_record

CATEGORY = RecordType(
    "category",
    "categories",
    CategoryVersion,
    ("name", "definition", "unit", "components", "parent", "non_decreasing", "additive", "fractional", "in_text"),
    {"components": None, "parent": None},
)
NESTED_FIELDS = ("name", "definition", "parents", "in_text")
SUBJECT = RecordType("subject", "subjects", SubjectVersion, NESTED_FIELDS, {"parents": None})
PLACE = RecordType("place", "places", PlaceVersion, NESTED_FIELDS, {"parents": None})


def load_hierarchy(session: Session, snapshot: Snapshot) -> Hierarchy:
    """Return the hierarchies of categories, subjects and places in a snapshot."""
    category = columns_of(CategoryVersion)
    names = ("slug", "components", "parent", "non_decreasing", "unit", "additive")
    rows = session.execute(
        select(*(getattr(category, name) for name in names)).where(snapshot.contains(CategoryVersion))
    )
    return Hierarchy(
        categories={
            slug: CategoryNode(slug, None if components is None else tuple(components), *fields)
            for slug, components, *fields in rows
        },
        subjects=_load_parents(session, SUBJECT, snapshot),
        places=_load_parents(session, PLACE, snapshot),
    )


def _load_parents(session: Session, record_type: RecordType, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    columns = columns_of(record_type.table)
    rows = session.execute(select(columns.slug, columns.parents).where(snapshot.contains(record_type.table)))
    return {slug: tuple(parents) for slug, parents in rows}


def put_category(
    transaction: WriteTransaction, slug: str, payload: CategoryInput
) -> tuple[dict[str, Any], bool | None]:
    """Record a category. Raises `InvalidRequest`, or `InUse` if the change would alter the meaning of claims."""
    if payload.components in ([], [slug]):
        payload = payload.model_copy(update={"components": [slug]})
        faults = find_reference_faults(transaction, CATEGORY, slug, payload.model_copy(update={"components": []}))
    else:
        faults = find_reference_faults(transaction, CATEGORY, slug, payload)
    categories = load_hierarchy(transaction.session, transaction.snapshot).categories
    edges = {
        name: [*([category.parent] if category.parent else []), *(category.components or ())]
        for name, category in categories.items()
    }
    components = [component for component in payload.components or [] if component != slug]
    faults += _find_cycle(slug, "components", components, edges)
    faults += _find_cycle(slug, "parent", [payload.parent] if payload.parent else [], edges)
    raise_if_any(faults)
    current = categories.get(slug)
    if current is not None and _is_in_use(transaction, slug):
        new = {
            "unit": payload.unit,
            "components": None if payload.components is None else tuple(payload.components),
            "parent": payload.parent,
        }
        changed = [name for name, value in new.items() if getattr(current, name) != value]
        if changed:
            raise InUse(
                f"Claims use the category `{slug}`; its {' and '.join(changed)} cannot change.",
                hint="record a new category, and keep this one unchanged",
                errors=[field_fault(name, f"The current value is {getattr(current, name)!r}.") for name in changed],
            )
    return replace_record(transaction, CATEGORY, slug, payload)


def put_subject(transaction: WriteTransaction, slug: str, payload: SubjectInput) -> tuple[dict[str, Any], bool | None]:
    """Record a subject. Raises `InvalidRequest` for parents that do not exist or are its descendants."""
    return _put_nested(transaction, SUBJECT, slug, payload)


def put_place(transaction: WriteTransaction, slug: str, payload: PlaceInput) -> tuple[dict[str, Any], bool | None]:
    """Record a place. Raises `InvalidRequest` for parents that do not exist or are its descendants."""
    return _put_nested(transaction, PLACE, slug, payload)


def _put_nested(
    transaction: WriteTransaction, record_type: RecordType, slug: str, payload: SubjectInput | PlaceInput
) -> tuple[dict[str, Any], bool | None]:
    faults = find_reference_faults(transaction, record_type, slug, payload)
    edges = {
        name: list(parents)
        for name, parents in _load_parents(transaction.session, record_type, transaction.snapshot).items()
    }
    faults += _find_cycle(slug, "parents", payload.parents, edges)
    raise_if_any(faults)
    return replace_record(transaction, record_type, slug, payload)


def _find_cycle(slug: str, field: str, start: Sequence[str], edges: dict[str, list[str]]) -> list[Any]:
    """Return a fault if `slug` is reachable from `start`, because a record cannot be part of itself."""
    visited: set[str] = set()
    pending = list(start)
    while pending:
        name = pending.pop()
        if name == slug:
            return [field_fault(field, f"`{slug}` would be part of itself.")]
        if name not in visited:
            visited.add(name)
            pending += [target for target in edges.get(name, []) if target != name]
    return []


def _is_in_use(transaction: WriteTransaction, slug: str) -> bool:
    columns = columns_of(ClaimVersion)
    return (
        transaction.session.execute(select(columns.version).where(columns.category == slug).limit(1)).first()
        is not None
    )
