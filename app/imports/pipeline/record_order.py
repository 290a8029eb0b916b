"""The order in which the vocabulary and sources of an import are recorded."""

from collections.abc import Mapping

from app.http.schema_types import Input
from app.imports.readers.options import MappingRefused
from app.vocabulary.reference_order import CircularReferences, sort_by_references
from app.vocabulary.slug_records import RecordType


def sort_records(record_type: RecordType, records: Mapping[str, Input]) -> list[tuple[str, Input]]:
    """Return slugs and records so that each comes after those it refers to.

    Raises `MappingRefused` for circular references.
    """
    fields = [name for name, target in record_type.references.items() if target is None]
    try:
        slugs = sort_by_references({slug: _referenced_slugs(record, fields) for slug, record in records.items()})
    except CircularReferences as error:
        raise MappingRefused(f"These have circular references: {', '.join(error.slugs)}.") from None
    return [(slug, records[slug]) for slug in slugs]


def _referenced_slugs(record: Input, fields: list[str]) -> list[str]:
    values = [getattr(record, name) for name in fields]
    return [slug for value in values for slug in (value if isinstance(value, list) else [value]) if slug]
