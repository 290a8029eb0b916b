"""The claims that a fresh start loads: readable files, recorded through the same rules as any other claim."""

import hashlib
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from uuid_utils import uuid7

from app.claims.create import record_claim, record_relation
from app.claims.schemas import ClaimInput, RelationInput
from app.database.engine import Database
from app.database.tables import (
    CategoryVersion,
    ClaimVersion,
    ImportVersion,
    PlaceVersion,
    SourceVersion,
    SubjectVersion,
    TopicVersion,
    Version,
    columns_of,
)
from app.database.transaction import WriteTransaction, write_transaction
from app.imports.schemas import Counts
from app.sources.documents import record_document
from app.sources.queries import put_source
from app.sources.schemas import DocumentInput, SourceInput
from app.topics.records import put_topic
from app.topics.schemas import TopicInput
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.reference_order import sort_by_references
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput

STARTER_FOLDER = Path(__file__).parent
STARTER_ACTOR = "starter-desk"
ASSESSMENT_DATE = date(2026, 11, 20)
STARTER_TIME_MS = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)

TomlTable = dict[str, Any]


def starter_id(key: str) -> str:
    """The id of a starter record: a UUIDv7 (RFC 9562, 5.7) made from its key, the same on every machine."""
    random = int.from_bytes(hashlib.sha256(key.encode()).digest()[:10], "big")
    value = STARTER_TIME_MS << 80 | random & ((1 << 80) - 1)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def load_starter(database: Database) -> int:
    """Load what is not there yet, and return how many claims were. Records that were changed since stay changed."""
    with write_transaction(database, STARTER_ACTOR) as log:
        _load_vocabulary(log)
        documents = {
            key: record_document(log, DocumentInput(**table), starter_id(f"document/{key}"))[0]
            for key, table in _read_toml("documents").items()
        }
        claims = [
            table for path in sorted(STARTER_FOLDER.glob("claims-*.toml")) for table in _read_toml(path.stem)["claim"]
        ]
        there = set(log.session.execute(select(columns_of(ClaimVersion).id)).scalars())
        fresh = [table for table in claims if starter_id(table["key"]) not in there]
        import_id = _record_import(log, len(fresh)) if fresh else None
        for table in fresh:
            record_claim(log, _build_claim_input(table, documents), starter_id(table["key"]), import_id)
        for table in fresh:
            for relation in table.get("relations", []):
                record_relation(log, starter_id(table["key"]), _build_relation_input(relation, documents))
    return len(fresh)


def _record_import(log: WriteTransaction, claims: int) -> str:
    """Record that the starter files were imported; the first time under an id that is the same everywhere."""
    id_ = starter_id("import")
    columns = columns_of(ImportVersion)
    if log.session.execute(select(columns.version).where(columns.id == id_)).first() is not None:
        id_ = str(uuid7())
    files = [_describe_file(path) for path in sorted(STARTER_FOLDER.glob("claims-*.toml"))]
    rows = sum(file["rows"] for file in files)
    counts = dict.fromkeys(Counts.model_fields, 0) | {"rows": rows, "new": claims, "unchanged": rows - claims}
    state = {
        "actor": STARTER_ACTOR,
        "mapping": "starter",
        "series": None,
        "vintage": None,
        "files": files,
        "counts": counts,
    }
    log.record(ImportVersion, id_, {**state, "smell_counts": {}, "smells": []}, action="created")
    return id_


def _describe_file(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    rows = len(tomllib.loads(content.decode())["claim"])
    how = {"rows": rows, "format": "toml", "encoding": "utf-8", "delimiter": None}
    return {"name": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **how}


def _read_toml(name: str) -> TomlTable:
    return tomllib.loads((STARTER_FOLDER / f"{name}.toml").read_text("utf-8"))


def _load_vocabulary(log: WriteTransaction) -> None:
    """Record the entries that the register does not hold yet, each after those that it refers to."""

    def missing(name: str, table: type[Version]) -> TomlTable:
        recorded = set(log.session.execute(select(columns_of(table).slug)).scalars())
        return {slug: entry for slug, entry in _read_toml(name).items() if slug not in recorded}

    for slug, table in _sort_tables(missing("categories", CategoryVersion), "components", "parent"):
        if table.get("components") == "unstated":
            table["components"] = None  # TOML has no null
        put_category(log, slug, CategoryInput(**table))
    for slug, table in _sort_tables(missing("subjects", SubjectVersion), "parents"):
        put_subject(log, slug, SubjectInput(**table))
    for slug, table in _sort_tables(missing("places", PlaceVersion), "parents"):
        put_place(log, slug, PlaceInput(**table))
    for slug, table in _sort_tables(missing("sources", SourceVersion), "speaks_for"):
        put_source(log, slug, SourceInput(**table))
    for slug, table in missing("topics", TopicVersion).items():
        put_topic(log, slug, TopicInput(**table))


def _sort_tables(tables: TomlTable, *fields: str) -> list[tuple[str, TomlTable]]:
    """Return the tables so that each comes after those that its `fields` refer to."""
    references = {slug: _referenced_slugs(table, fields) for slug, table in tables.items()}
    return [(slug, tables[slug]) for slug in sort_by_references(references)]


def _referenced_slugs(table: TomlTable, fields: tuple[str, ...]) -> set[str]:
    values = [table.get(name, []) for name in fields]
    return {word for value in values for word in (value if isinstance(value, list) else [value])}


def _build_claim_input(table: TomlTable, documents: dict[str, str]) -> ClaimInput:
    given = {name: value for name, value in table.items() if name not in ("key", "fact", "relations")}
    given["citations"] = [{**cited, "document": documents[cited["document"]]} for cited in table["citations"]]
    if "confidence" in given:
        given["confidence"] = {**given["confidence"], "assessor": STARTER_ACTOR, "assessed_on": ASSESSMENT_DATE}
    return ClaimInput(**given)


def _build_relation_input(table: TomlTable, documents: dict[str, str]) -> RelationInput:
    given = dict(table)
    if "claim" in given:
        given["claim"] = starter_id(given["claim"])
    if "document" in given:
        given["document"] = documents[given["document"]]
    return RelationInput(**given)
