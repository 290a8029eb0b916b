"""The documents, fingerprints and claim ids that an import already uses, so that no later row duplicates them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from uuid_utils import uuid7

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.schemas import CitedDocument, ClaimInput
from app.claims.validation import document_fields
from app.database.row_encoding import RowEncoder
from app.imports.pipeline.staging import StagingFile
from app.sources.documents import (
    DOCUMENT_INPUT_FIELDS,
    load_documents_by_title,
    load_removed_documents,
    require_no_difference,
    resolve_edition,
)
from app.sources.editions import edition_key, key_without_address


class PendingDocuments:
    """Documents of a batch that are not recorded yet. Each is staged with its first citation."""

    def __init__(self, staging: StagingFile, encoder: RowEncoder) -> None:
        self._staging = staging
        self._encoder = encoder
        self._unstaged: dict[str, tuple[str, dict[str, Any]]] = {}
        """Id → key and staged columns."""
        self._by_key: dict[str, RecordFields] = {}
        self._removed: dict[str, RecordFields] = {}
        """Documents without an address that were taken down, by the hash that is left of them."""

    def load(self, lookup: ReferenceLookup, inputs: Sequence[ClaimInput]) -> None:
        """Load the recorded and staged documents that the claims of a batch may cite."""
        documents = [citation.document for claim_input in inputs for citation in claim_input.citations]
        cited = [document.model_dump() for document in {document_fields(each): each for each in documents}.values()]
        pages = lookup.load_editions(cited)
        keys = {key for given in cited if (key := edition_key(given)) is not None}
        for document in self._staging.documents_by_key(keys).values():
            lookup.add_pending_document(document)
        for addresses, days in ((pages.undated_addresses, None), (pages.dated_addresses, pages.days)):
            for document in self._staging.documents_by_address(addresses, days):
                lookup.add_pending_document(document)
        without_address = [given for given in cited if given["url"] is None and given["title"]]
        titles = {given["title"] for given in without_address}
        if titles:
            erased = map(key_without_address, without_address)
            self._removed = load_removed_documents(lookup.session, erased, lookup.snapshot)
            recorded = load_documents_by_title(lookup.session, titles, lookup.snapshot)
            self._by_key = {document_key(document): document for document in recorded}

    def resolve(self, lookup: ReferenceLookup, cited: CitedDocument) -> RecordFields:
        """Return the document that a citation names, recorded or new.

        Raises `DocumentDiffers` if an earlier row of the import has the same edition with other fields, or
        `EditionAmbiguous`.
        """
        given = {name: getattr(cited, name) for name in DOCUMENT_INPUT_FIELDS}
        if cited.url is not None:
            if (document := resolve_edition(lookup.find_editions(given), given)) is not None:
                return document
        elif (document := self._find_without_address(given)) is not None:
            return document
        document = self._new_document(lookup, cited, given)
        lookup.add_pending_document(document)
        return document

    def stage(self, document_id: str) -> None:
        """Stage a new document; do nothing if it is recorded or staged."""
        if (unstaged := self._unstaged.pop(document_id, None)) is not None:
            self._staging.add_document(document_id, *unstaged)

    def _find_without_address(self, given: RecordFields) -> RecordFields | None:
        key = document_key(given)
        document = self._by_key.get(key) or self._staging.documents_by_key([key]).get(key)
        document = document or self._removed.get(key_without_address(given))
        if document is not None:
            require_no_difference(document, given)
        return document

    def _new_document(self, lookup: ReferenceLookup, cited: CitedDocument, given: RecordFields) -> RecordFields:
        is_id_free = (
            cited.id is not None and lookup.find_document(cited.id) is None and not self._staging.has_document(cited.id)
        )
        id_ = cited.id if cited.id is not None and is_id_free else str(uuid7())
        columns = {**given, "id": id_, "publisher_name": None, "revision": 1}
        key = document_key(columns)
        self._unstaged[id_] = (key, {**columns, "values": self._encoder.encode(columns)})
        self._by_key[key] = columns
        return columns


@dataclass(slots=True)
class PendingImport:
    """What earlier rows of the import use. It is the only state that changes while rows are resolved."""

    staging: StagingFile
    documents: PendingDocuments
    claims: dict[str, str]
    """Fingerprint → the claim that has it after the import, for the fingerprints of this batch."""
    claim_ids: set[str]
    """The claim ids of this batch that the import already writes or matches."""
    _cited_documents: dict[str, set[str]] = field(default_factory=dict, init=False)

    @classmethod
    def for_batch(
        cls, staging: StagingFile, documents: PendingDocuments, fingerprints: list[str], claim_ids: list[str]
    ) -> "PendingImport":
        """Return which of these fingerprints and ids earlier batches use."""
        claims = staging.claims_by_fingerprint(fingerprints)
        return cls(staging, documents, claims, staging.find_claim_ids(claim_ids))

    def cited_documents(self, claim: str, fingerprint: str) -> set[str]:
        """Return the documents in which the import cites a claim, by its id in this batch and by its fingerprint."""
        return self._cited_documents.get(claim, set()) | self.staging.cited_documents(fingerprint)

    def add_citations(self, claim: str, documents: Iterable[str]) -> None:
        """Record that the import cites a claim from these documents."""
        self._cited_documents.setdefault(claim, set()).update(documents)


def document_key(document: RecordFields) -> str:
    """Return the key of a document in an import: that of its edition, or without an address its title and parts."""
    parts = (document["title"], document["publisher"], document["published_on"], document["archive_url"])
    return edition_key(document) or "\n".join("" if part is None else str(part) for part in parts)
