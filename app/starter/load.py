"""Loads the starter claims from TOML files, by the same rules as all other claims."""

import hashlib
import tomllib
from collections.abc import Mapping
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
    DocumentVersion,
    ErasedKey,
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
from app.sources.queries import put_source, slug_digest
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
        removed_sources = _find_removed_sources(transaction)
        _load_vocabulary(transaction, removed_sources)
        documents, removed_documents = _load_documents(transaction, removed_sources)
        claims = [
            table for path in sorted(STARTER_FOLDER.glob("claims-*.toml")) for table in _read_toml(path.stem)["claim"]
        ]
        recorded_ids = set(transaction.session.execute(select(columns_of(ClaimVersion).id)).scalars())
        new_claims = [
            table
            for table in _replace_values(claims, removed_sources)
            if starter_id(table["key"]) not in recorded_ids
            and removed_documents.isdisjoint(citation["document"] for citation in table["citations"])
        ]
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


def _find_removed_sources(transaction: WriteTransaction) -> dict[str, str]:
    """Return the slugs that have replaced those of starter sources which were taken down."""
    digests = {slug_digest(slug): slug for slug in _read_toml("sources")}
    erased = columns_of(ErasedKey)
    rows = transaction.session.execute(select(erased.digest, erased.record).where(erased.digest.in_(digests)))
    return {digests[row.digest]: row.record for row in rows}


def _replace_values(value: Any, replacements: Mapping[str, str]) -> Any:  # noqa: ANN401 - any TOML value
    """Return `value` with every text that is one of `replacements` replaced, also as a key of an inner table."""
    match value:
        case dict():
            return {replacements.get(key, key): _replace_values(each, replacements) for key, each in value.items()}
        case list():
            return [_replace_values(each, replacements) for each in value]
        case str():
            return replacements.get(value, value)
        case _:
            return value


def _load_documents(
    transaction: WriteTransaction, removed_sources: Mapping[str, str]
) -> tuple[dict[str, str], set[str]]:
    """Record the documents that do not exist yet. Return the id of each by its key, and the keys of removed ones."""
    columns = columns_of(DocumentVersion)
    statement = select(columns.id, columns.removed).where(columns.until_seq.is_(None))
    recorded = {row.id: row.removed for row in transaction.session.execute(statement)}
    documents, removed = {}, set()
    for key, table in _read_toml("documents").items():
        id_ = starter_id(f"document/{key}")
        if id_ not in recorded:
            payload = DocumentInput(**_replace_values(table, removed_sources))
            id_ = record_document(transaction, payload, id_)[0]
        elif recorded[id_]:
            removed.add(key)
        documents[key] = id_
    return documents, removed


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


def _load_vocabulary(transaction: WriteTransaction, removed_sources: Mapping[str, str]) -> None:
    """Record the vocabulary entries, each after the entries that it refers to. Those of other actors stay."""

    def read_own(name: str, table: type[Version]) -> TomlTable:
        record, change = columns_of(table), columns_of(Change)
        statement = select(record.slug).join_from(table, Change, change.seq == record.seq)
        others = set(transaction.session.execute(statement.where(change.actor != STARTER_ACTOR)).scalars())
        entries = {slug: entry for slug, entry in _read_toml(name).items() if slug not in removed_sources}
        own = {slug: entry for slug, entry in entries.items() if slug not in others}
        return {slug: _replace_values(entry, removed_sources) for slug, entry in own.items()}

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
