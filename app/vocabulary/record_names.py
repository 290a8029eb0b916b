"""The words of records in sentences: their names and `in_text`, from rows."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.tables import CategoryVersion, PlaceVersion, SourceVersion, SubjectVersion, columns_of
from app.sentences.phrases import CategoryDetails, PlaceDetails, RecordNames, SourceDetails, SubjectDetails

SOURCE_NAME_FIELDS = ("slug", "name", "kind", "anonymous", "speaks_for", "in_text", "short_name")
CATEGORY_NAME_FIELDS = ("slug", "name", "in_text", "components", "unit")
NAME_FIELDS = ("slug", "name", "in_text")
"""The columns that the words of a record are built from: those of sources, of categories, and of others."""


def source_details(rows: Iterable[Any]) -> dict[str, SourceDetails]:
    """Return sources by slug, each with the source that it speaks for, if that is among the rows."""
    by_slug = {row.slug: row for row in rows}

    def build(row: Any, principal: SourceDetails | None) -> SourceDetails:  # noqa: ANN401 - a row
        return SourceDetails(row.slug, row.name, str(row.kind), row.anonymous, principal, row.in_text, row.short_name)

    alone = {slug: build(row, None) for slug, row in by_slug.items()}
    # One step suffices: a sentence names a source and the one that it speaks for directly.
    return {
        slug: build(row, alone.get(row.speaks_for)) if row.speaks_for else alone[slug] for slug, row in by_slug.items()
    }


def category_details(rows: Iterable[Any]) -> dict[str, CategoryDetails]:
    """Return categories by slug, each with its components. A component that is not among the rows has its slug."""
    by_slug = {row.slug: row for row in rows}
    atoms = {slug: CategoryDetails(row.name, **(row.in_text or {}), unit=row.unit) for slug, row in by_slug.items()}

    def build(row: Any) -> CategoryDetails:  # noqa: ANN401 - a row
        components = row.components
        if components is not None:
            parts = [part for part in components if part != row.slug]
            components = tuple(atoms.get(part) or CategoryDetails(part) for part in parts)
        return CategoryDetails(row.name, **(row.in_text or {}), components=components, unit=row.unit)

    return {slug: atoms[slug] if row.components == [slug] else build(row) for slug, row in by_slug.items()}


def subject_details(rows: Iterable[Any]) -> dict[str, SubjectDetails]:
    """Return subjects by slug."""
    return {row.slug: SubjectDetails(row.name, **(row.in_text or {})) for row in rows}


def place_details(rows: Iterable[Any]) -> dict[str, PlaceDetails]:
    """Return places by slug."""
    return {row.slug: PlaceDetails(row.name, row.in_text) for row in rows}


def load_record_names(session: Session, snapshot: Snapshot) -> RecordNames:
    """Return the words of all records of a snapshot."""

    def load(table: Any, fields: Iterable[str]) -> list[Any]:  # noqa: ANN401 - a table of versions
        columns = columns_of(table)
        statement = select(*(columns[name] for name in fields)).where(snapshot.contains(table))
        return list(session.execute(statement))

    return RecordNames(
        sources=source_details(load(SourceVersion, SOURCE_NAME_FIELDS)),
        categories=category_details(load(CategoryVersion, CATEGORY_NAME_FIELDS)),
        subjects=subject_details(load(SubjectVersion, NAME_FIELDS)),
        places=place_details(load(PlaceVersion, NAME_FIELDS)),
    )
