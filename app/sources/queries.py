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
from app.errors import Removed, field_fault, invalid_field, raise_if_any
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


MAX_SPEAKS_FOR_STEPS = 4
"""Maximum length of a chain of sources that speak for the next one: a spokesman, a minister, a ministry, a state."""


def put_source(transaction: WriteTransaction, slug: str, payload: SourceInput) -> tuple[dict[str, Any], bool | None]:
    """Record a source.

    Raises:
        InvalidRequest: The source that it speaks for does not exist, or would speak for it; or the slug is that of a
            removed source.
        Removed: The source was taken down.
    """
    if REMOVED_SLUG.fullmatch(slug):
        raise invalid_field("slug", f"`{slug}` is reserved for sources that were taken down.", location="path")
    if transaction.session.get(ErasedKey, slug_digest(slug)) is not None:
        raise Removed("This source was taken down. It cannot be recorded again.")
    faults = find_reference_faults(transaction, SOURCE, slug, payload)
    raise_if_any(faults or _find_chain_faults(transaction, slug, payload.speaks_for))
    return replace_record(transaction, SOURCE, slug, payload)


def _find_chain_faults(transaction: WriteTransaction, slug: str, speaks_for: str | None) -> list[Any]:
    """Return the fault that `slug` would speak for itself, or lengthen a chain beyond `MAX_SPEAKS_FOR_STEPS`."""
    if speaks_for is None:
        return []
    columns = columns_of(SourceVersion)
    current = transaction.snapshot.contains(SourceVersion)
    steps, last = 0, slug
    target: str | None = str(speaks_for)
    while target is not None and steps <= MAX_SPEAKS_FOR_STEPS:
        steps, last = steps + 1, target
        if target == slug:
            hint = "one of the two holds the position of both: leave its `speaks_for` empty"
            return [field_fault("speaks_for", f"`{speaks_for}` speaks for `{slug}` already.", hint=hint)]
        target = transaction.session.execute(
            select(columns.speaks_for).where(columns.slug == target, current)
        ).scalar_one_or_none()
    speakers = [slug]
    while steps <= MAX_SPEAKS_FOR_STEPS and speakers:
        statement = select(columns.slug).where(columns.speaks_for.in_(speakers), current)
        speakers = list(transaction.session.execute(statement).scalars())
        steps += bool(speakers)
    if steps > MAX_SPEAKS_FOR_STEPS:
        detail = f"Expected a chain of at most {MAX_SPEAKS_FOR_STEPS} sources."
        return [
            field_fault("speaks_for", detail, hint=f"name a source nearer to the end of the chain, such as `{last}`")
        ]
    return []


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
