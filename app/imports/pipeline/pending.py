"""The documents, fingerprints and claim ids that an import already uses, so that no later row duplicates them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session
from uuid_utils import uuid7

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.schemas import CitationInput, CitedDocument
from app.database.row_encoding import RowEncoder
from app.database.snapshot import Snapshot
from app.imports.pipeline.candidates import ValidatedDraft
from app.imports.pipeline.staging import StagingFile
from app.sources.documents import load_documents_by_title


class PendingDocuments:
    """Documents of a batch that are not recorded yet. Each is staged with its first citation."""

    def __init__(self, staging: StagingFile, encoder: RowEncoder) -> None:
        self._staging = staging
        self._encoder = encoder
        self._unstaged: dict[str, tuple[str, dict[str, Any]]] = {}
        """Id → address and staged columns."""
        self._by_address: dict[str, RecordFields] = {}

    def resolve(
        self, session: Session, snapshot: Snapshot, lookup: ReferenceLookup, drafts: Sequence[ValidatedDraft]
    ) -> list[tuple[RecordFields, ...]]:
        """Return the documents of each draft's citations, recorded or new: one for each address, or title."""
        titles = _titles_without_address(drafts)
        by_title = load_documents_by_title(session, titles, snapshot) if titles else {}
        return [
            tuple(
                recorded or self._resolve_citation(lookup, citation, by_title)
                for citation, recorded in zip(
                    validated.claim_input.citations, validated.validated_claim.documents, strict=True
                )
            )
            for validated in drafts
        ]

    def stage(self, document_id: str) -> None:
        """Stage a new document; do nothing if it is recorded or staged."""
        if (unstaged := self._unstaged.pop(document_id, None)) is not None:
            self._staging.add_document(document_id, *unstaged)

    def _resolve_citation(
        self,
        lookup: ReferenceLookup,
        citation: CitationInput,
        by_title: Mapping[tuple[str, str | None], RecordFields],
    ) -> RecordFields:
        cited = citation.document
        if cited.url is not None and (document := lookup.find_document_by_url(cited.url)) is not None:
            return document
        if cited.url is None and (document := by_title.get((cited.title or "", cited.publisher))):
            return document
        document = self._new_document(lookup, cited)
        lookup.add_pending_document(document)
        return document

    def _new_document(self, lookup: ReferenceLookup, cited: CitedDocument) -> RecordFields:
        """Return the pending document with the address of `cited`; create it if there is none."""
        address = cited.url or address_substitute(cited.title, cited.publisher)
        if (pending := self._by_address.get(address)) is not None:
            return pending
        if (staged := self._staging.documents_by_address([address]).get(address)) is not None:
            return staged
        is_id_free = (
            cited.id is not None and lookup.find_document(cited.id) is None and not self._staging.has_document(cited.id)
        )
        columns = {**cited.model_dump(), "id": cited.id if is_id_free else str(uuid7()), "publisher_name": None}
        self._unstaged[columns["id"]] = (address, {**columns, "values": self._encoder.encode(columns)})
        self._by_address[address] = columns
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


def address_substitute(title: str | None, publisher: str | None) -> str:
    """Return the key of a document without an address: its title and publisher."""
    return f"{title}\n{publisher or ''}"


def _titles_without_address(drafts: Iterable[ValidatedDraft]) -> set[str]:
    """Return the titles of cited documents that have no address and are not named by id."""
    return {
        citation.document.title
        for validated in drafts
        for citation, recorded in zip(validated.claim_input.citations, validated.validated_claim.documents, strict=True)
        if recorded is None and citation.document.url is None and citation.document.title
    }
