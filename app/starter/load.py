"""Loads the starter claims from TOML files, by the same rules as all other claims."""

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
    Change,
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
    """Return the id of a starter record: a UUIDv7 (RFC 9562, section 5.7) derived from its key."""
    random = int.from_bytes(hashlib.sha256(key.encode()).digest()[:10], "big")
    value = STARTER_TIME_MS << 80 | random & ((1 << 80) - 1)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def starter_citation_id(key: str, index: int) -> str:
    """Return the id of a citation of a starter claim. The ids of a claim are in the order of its citations."""
    value = UUID(starter_id(f"citation/{key}")).int
    return str(UUID(int=value & ~(0xFFF << 64) | index << 64))


def load_starter(database: Database) -> int:
    """Load the starter records that do not exist yet, and return the number of new claims.

    Sources, vocabularies and topics that only the starter has recorded are brought up to date with the files. What
    anybody else recorded or changed stays as it is, and so do documents and claims.
    """
    with write_transaction(database, STARTER_ACTOR) as transaction:
        _load_vocabulary(transaction)
        documents = {
            key: record_document(transaction, DocumentInput(**table), starter_id(f"document/{key}"))[0]
            for key, table in _read_toml("documents").items()
        }
        claims = [
            table for path in sorted(STARTER_FOLDER.glob("claims-*.toml")) for table in _read_toml(path.stem)["claim"]
        ]
        recorded_ids = set(transaction.session.execute(select(columns_of(ClaimVersion).id)).scalars())
        new_claims = [table for table in claims if starter_id(table["key"]) not in recorded_ids]
        import_id = _record_import(transaction, len(new_claims)) if new_claims else None
        for table in new_claims:
            marked = next((i for i, citation in enumerate(table["citations"]) if citation.get("leading")), None)
            claim_input = _build_claim_input(table, documents)
            citation_ids = [starter_citation_id(table["key"], i) for i in range(len(claim_input.citations))]
            record_claim(transaction, claim_input, starter_id(table["key"]), import_id, citation_ids, marked)
        for table in new_claims:
            for relation in table.get("relations", []):
                record_relation(transaction, starter_id(table["key"]), _build_relation_input(relation, documents))
    return len(new_claims)


def _record_import(transaction: WriteTransaction, claims: int) -> str:
    """Record the import of the starter files. The first import has the same id in every register."""
    id_ = starter_id("import")
    columns = columns_of(ImportVersion)
    if transaction.session.execute(select(columns.version).where(columns.id == id_)).first() is not None:
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
    transaction.record(ImportVersion, id_, {**state, "smell_counts": {}, "smells": []}, action="created")
    return id_


def _describe_file(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    rows = len(tomllib.loads(content.decode())["claim"])
    reading = {"rows": rows, "format": "toml", "encoding": "utf-8", "delimiter": None}
    return {"name": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **reading}


def _read_toml(name: str) -> TomlTable:
    return tomllib.loads((STARTER_FOLDER / f"{name}.toml").read_text("utf-8"))


def _load_vocabulary(transaction: WriteTransaction) -> None:
    """Record the vocabulary entries, each after the entries that it refers to. Those of other actors stay."""

    def read_own(name: str, table: type[Version]) -> TomlTable:
        record, change = columns_of(table), columns_of(Change)
        statement = select(record.slug).join_from(table, Change, change.seq == record.seq)
        others = set(transaction.session.execute(statement.where(change.actor != STARTER_ACTOR)).scalars())
        return {slug: entry for slug, entry in _read_toml(name).items() if slug not in others}

    for slug, table in _sort_tables(read_own("categories", CategoryVersion), "components", "parent"):
        if table.get("components") == "unstated":
            table["components"] = None  # TOML has no null
        put_category(transaction, slug, CategoryInput(**table))
    for slug, table in _sort_tables(read_own("subjects", SubjectVersion), "parents"):
        put_subject(transaction, slug, SubjectInput(**table))
    for slug, table in _sort_tables(read_own("places", PlaceVersion), "parents"):
        put_place(transaction, slug, PlaceInput(**table))
    for slug, table in _sort_tables(read_own("sources", SourceVersion), "speaks_for"):
        put_source(transaction, slug, SourceInput(**table))
    for slug, table in read_own("topics", TopicVersion).items():
        put_topic(transaction, slug, TopicInput(**table))


def _sort_tables(tables: TomlTable, *fields: str) -> list[tuple[str, TomlTable]]:
    """Return the tables so that each comes after those that its `fields` refer to."""
    references = {slug: _referenced_slugs(table, fields) for slug, table in tables.items()}
    return [(slug, tables[slug]) for slug in sort_by_references(references)]


def _referenced_slugs(table: TomlTable, fields: tuple[str, ...]) -> set[str]:
    values = [table.get(name, []) for name in fields]
    return {slug for value in values for slug in (value if isinstance(value, list) else [value])}


def _build_claim_input(table: TomlTable, documents: dict[str, str]) -> ClaimInput:
    fields = {name: value for name, value in table.items() if name not in ("key", "fact", "relations")}
    fields["citations"] = [_build_citation(citation, documents) for citation in table["citations"]]
    if "confidence" in fields:
        fields["confidence"] = {**fields["confidence"], "assessor": STARTER_ACTOR, "assessed_on": ASSESSMENT_DATE}
    return ClaimInput(**fields)


def _build_citation(table: TomlTable, documents: dict[str, str]) -> TomlTable:
    fields = {name: value for name, value in table.items() if name != "leading"}
    return {**fields, "document": documents[table["document"]]}


def _build_relation_input(table: TomlTable, documents: dict[str, str]) -> RelationInput:
    fields = dict(table)
    if "claim" in fields:
        fields["claim"] = starter_id(fields["claim"])
    if "document" in fields:
        fields["document"] = documents[fields["document"]]
    return RelationInput(**fields)
