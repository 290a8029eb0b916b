"""Reads the description of the register: its id, title, terms and counts."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select
from sqlmodel import Session

from app.claims.search.index_lookup import CLAIM, visible_claims
from app.database.snapshot import Snapshot
from app.database.sql import fetch_rows, with_index
from app.database.tables import (
    CategoryVersion,
    ClaimVersion,
    DocumentVersion,
    PlaceVersion,
    RegisterIdentity,
    SourceVersion,
    SubjectVersion,
    TopicVersion,
    Version,
    columns_of,
)
from app.http.addresses import whole_address
from app.settings import Settings

COUNTED_TABLES: Final[Mapping[str, type[Version]]] = {
    "topics": TopicVersion,
    "claims": ClaimVersion,
    "sources": SourceVersion,
    "documents": DocumentVersion,
    "categories": CategoryVersion,
    "subjects": SubjectVersion,
    "places": PlaceVersion,
}


def read_register(session: Session, snapshot: Snapshot, settings: Settings) -> dict[str, Any]:
    """Return the description of the register in its current state."""
    return {
        "id": session.execute(select(columns_of(RegisterIdentity).register_id)).scalar_one(),
        "title": settings.title,
        "terms": settings.terms or None,
        "seq": snapshot.seq,
        "updated_at": snapshot.at,
        "counts": {name: _count(session, name, snapshot) for name in COUNTED_TABLES},
        "links": {
            "self": whole_address("/v1/register"),
            "topics": whole_address("/v1/topics"),
            "claims": whole_address("/v1/claims"),
            "changes": whole_address("/v1/changes"),
            "docs": whole_address("/docs"),
        },
    }


_COUNT_CLAIMS: Final = with_index(select(func.count()).select_from(CLAIM), CLAIM, "ix_claim_recorded").where(
    *visible_claims(CLAIM.c)
)
"""The conditions are those of the index, as literal values, so that SQLite reads it and not the table."""


def _count(session: Session, name: str, snapshot: Snapshot) -> int:
    if name == "claims":
        return int(fetch_rows(session, _COUNT_CLAIMS, {})[0][0])
    table = COUNTED_TABLES[name]
    statement = select(func.count()).where(snapshot.contains(table))
    if name == "documents":
        statement = statement.where(columns_of(DocumentVersion).removed.is_(False))
    return int(session.execute(statement).scalar_one())
