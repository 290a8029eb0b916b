"""Categories, subjects and places: their tables and fields, and what may not change once claims use them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.comparison.hierarchy import CategoryNode, Hierarchy
from app.database.snapshot import Snapshot
from app.database.tables import CategoryVersion, ClaimVersion, PlaceVersion, SubjectVersion, columns_of
from app.database.transaction import WriteTransaction
from app.errors import InUse, InvalidRequest, field_fault
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from app.vocabulary.slug_records import RecordType, find_reference_faults, replace_record

CATEGORY = RecordType(
    "category",
    "categories",
    CategoryVersion,
    ("name", "definition", "unit", "components", "parent", "non_decreasing"),
    {"components": None, "parent": None},
)
SUBJECT = RecordType("subject", "subjects", SubjectVersion, ("name", "definition", "parents"), {"parents": None})
PLACE = RecordType("place", "places", PlaceVersion, ("name", "definition", "parents"), {"parents": None})


def load_hierarchy(session: Session, view: Snapshot) -> Hierarchy:
    """The hierarchies of a view, as the rules of comparison want them."""
    category = columns_of(CategoryVersion)
    wanted = (category.slug, category.components, category.parent, category.non_decreasing, category.unit)
    rows = session.execute(select(*wanted).where(view.contains(CategoryVersion)))
    return Hierarchy(
        categories={
            slug: CategoryNode(slug, None if components is None else tuple(components), parent, growing, unit)
            for slug, components, parent, growing, unit in rows
        },
        subjects=_load_parents(session, SUBJECT, view),
        places=_load_parents(session, PLACE, view),
    )


def _load_parents(session: Session, kind: RecordType, view: Snapshot) -> dict[str, tuple[str, ...]]:
    columns = columns_of(kind.table)
    rows = session.execute(select(columns.slug, columns.parents).where(view.contains(kind.table)))
    return {slug: tuple(parents) for slug, parents in rows}


def put_category(log: WriteTransaction, slug: str, given: CategoryInput) -> tuple[dict[str, Any], bool | None]:
    """Record a category. Raises `InvalidRequest`, or `InUse` where recorded claims would change their meaning."""
    if given.components in ([], [slug]):
        given = given.model_copy(update={"components": [slug]})
        faults = find_reference_faults(log, CATEGORY, slug, given.model_copy(update={"components": []}))
    else:
        faults = find_reference_faults(log, CATEGORY, slug, given)
    before = load_hierarchy(log.session, log.snapshot).categories
    above = {name: [*([c.parent] if c.parent else []), *(c.components or ())] for name, c in before.items()}
    faults += _find_cycle(slug, "components", [c for c in given.components or [] if c != slug], above)
    faults += _find_cycle(slug, "parent", [given.parent] if given.parent else [], above)
    if faults:
        raise InvalidRequest(faults[0].detail, hint=faults[0].hint, errors=faults)
    stood = before.get(slug)
    if stood is not None and _is_in_use(log, slug):
        components = None if given.components is None else tuple(given.components)
        new = {"unit": given.unit, "components": components, "parent": given.parent}
        changed = [name for name, value in new.items() if getattr(stood, name) != value]
        if changed:
            raise InUse(
                f"Claims are recorded under `{slug}`; its {' and '.join(changed)} cannot change.",
                hint="record a new category, and leave this one as it is",
                errors=[field_fault(name, f"Stands as {getattr(stood, name)!r}.") for name in changed],
            )
    return replace_record(log, CATEGORY, slug, given)


def put_subject(log: WriteTransaction, slug: str, given: SubjectInput) -> tuple[dict[str, Any], bool | None]:
    """Record a subject. Raises `InvalidRequest` for parents that do not exist or lie below it."""
    return _put_nested(log, SUBJECT, slug, given)


def put_place(log: WriteTransaction, slug: str, given: PlaceInput) -> tuple[dict[str, Any], bool | None]:
    """Record a place. Raises `InvalidRequest` for parents that do not exist or lie below it."""
    return _put_nested(log, PLACE, slug, given)


def _put_nested(
    log: WriteTransaction, kind: RecordType, slug: str, given: SubjectInput | PlaceInput
) -> tuple[dict[str, Any], bool | None]:
    faults = find_reference_faults(log, kind, slug, given)
    above = {name: list(parents) for name, parents in _load_parents(log.session, kind, log.snapshot).items()}
    faults += _find_cycle(slug, "parents", given.parents, above)
    if faults:
        raise InvalidRequest(faults[0].detail, hint=faults[0].hint, errors=faults)
    return replace_record(log, kind, slug, given)


def _find_cycle(slug: str, field: str, start: Sequence[str], above: dict[str, list[str]]) -> list[Any]:
    """The fault of lying above oneself: nothing can be a part of its own part."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name == slug:
            return [field_fault(field, f"`{slug}` would lie within itself.")]
        if name not in seen:
            seen.add(name)
            waiting += [upper for upper in above.get(name, []) if upper != name]
    return []


def _is_in_use(log: WriteTransaction, slug: str) -> bool:
    columns = columns_of(ClaimVersion)
    return log.session.execute(select(columns.version).where(columns.category == slug).limit(1)).first() is not None
