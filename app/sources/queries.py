"""The record type of sources, and the sources whose position each source holds."""

import hashlib
import re
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.comparison.hierarchy import resolve_position_holders
from app.database.snapshot import Snapshot
from app.database.tables import ErasedKey, SourceVersion, columns_of
from app.database.transaction import WriteTransaction
from app.errors import Removed, invalid_field, raise_if_any
from app.http.pagination import Page
from app.sources.schemas import SourceInput, SourcesQuery
from app.vocabulary.reference_data import get_reference_data
from app.vocabulary.slug_records import (
    RecordType,
    find_named_records,
    find_records,
    find_reference_faults,
    replace_record,
)

REMOVED_PREFIX = "removed-"
REMOVED_SLUG = re.compile(rf"{REMOVED_PREFIX}\d+", re.ASCII)

SOURCE = RecordType(
    "source",
    "sources",
    SourceVersion,
    ("name", "kind", "interest", "speaks_for", "anonymous", "description", "url", "short_name", "in_text", "terms"),
    {"speaks_for": None},
)


def put_source(transaction: WriteTransaction, slug: str, payload: SourceInput) -> tuple[dict[str, Any], bool | None]:
    """Record a source.

    Raises:
        InvalidRequest: The source that it speaks for does not exist, or the slug is that of a removed source.
        Removed: The source was taken down.
    """
    if REMOVED_SLUG.fullmatch(slug):
        raise invalid_field("slug", f"`{slug}` is reserved for sources that were taken down.", location="path")
    if transaction.session.get(ErasedKey, slug_digest(slug)) is not None:
        raise Removed("This source was taken down. It cannot be recorded again.")
    faults = find_reference_faults(transaction, SOURCE, slug, payload)
    raise_if_any(faults)
    return replace_record(transaction, SOURCE, slug, payload)


def find_sources(session: Session, query: SourcesQuery, snapshot: Snapshot) -> Page:
    """Return a page of sources, ordered by slug."""
    if query.q is None:
        return find_records(session, SOURCE, query, snapshot)
    index = get_reference_data(session, snapshot).read_name_index(session, snapshot)
    return find_named_records(session, SOURCE, query, snapshot, index.find_slugs(SOURCE.name, query.q))


def slug_digest(slug: str) -> str:
    """Return the hash by which the slug of a source is recognized after its takedown."""
    return hashlib.sha256(slug.encode()).hexdigest()


def load_position_holders(session: Session, snapshot: Snapshot) -> dict[str, str]:
    """Return, by slug, the source whose position each source holds, for sources that speak for another."""
    columns = columns_of(SourceVersion)
    statement = select(columns.slug, columns.speaks_for).where(
        columns.speaks_for.is_not(None), snapshot.contains(SourceVersion)
    )
    return resolve_position_holders({row.slug: row.speaks_for for row in session.execute(statement)})
