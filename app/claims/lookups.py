"""Lookup of the records that a claim refers to: vocabulary, sources and documents, recorded or pending."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlmodel import Session

from app.comparison.relative_base import BaseKind, normalize_relative_to
from app.database.change_feed import read_changed_kinds
from app.database.snapshot import Snapshot, is_version_at
from app.database.sql import batch_values
from app.database.tables import (
    CategoryVersion,
    ClaimVersion,
    DocumentVersion,
    SourceVersion,
    SubjectVersion,
    Version,
    columns_of,
    table_of,
)
from app.database.transaction import WriteTransaction
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import Fault, field_fault, shorten
from app.http.schema_types import SLUG_PATTERN
from app.sources.documents import (
    find_candidate_ids,
    find_ids_without_address,
    load_corrected_documents,
    load_documents,
    load_documents_by_address,
    load_documents_by_edition,
    load_documents_by_title,
    load_removed_documents,
)
from app.sources.editions import address_of, edition_key, has_parts_of, key_without_address, keys_of_given
from app.sources.queries import SOURCE, load_position_holders
from app.vocabulary.name_index import NamedRecord
from app.vocabulary.record_names import CATEGORY_NAME_FIELDS, NAME_FIELDS, category_details, subject_details
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.reference_data import get_reference_data
from app.vocabulary.slug_records import RecordType, find_missing_slugs, find_unknown_slugs

RecordFields = Mapping[str, Any]

SLUG = re.compile(SLUG_PATTERN)

MAX_NAMED_SLUGS = 5
"""Maximum number of slugs in the message about a name that several records have."""

MAX_SUGGESTIONS = 200
"""Maximum number of unknown names for which similar ones are searched, which takes a while for each."""

MAX_CACHED_DOCUMENTS = 1_000
"""Maximum number of documents cached between writes, and of change entries read to invalidate the cache."""


_CLAIM, _DOCUMENT = (table_of(table).c for table in (ClaimVersion, DocumentVersion))
_SELECT_DUPLICATE = select(_CLAIM.id, _CLAIM.status).where(
    _CLAIM.fingerprint == bindparam("fingerprint"), is_version_at(_CLAIM, None)
)
_SELECT_CORRECTED = (
    select(_DOCUMENT.id).where(_DOCUMENT.address == bindparam("address"), _DOCUMENT.until_seq.is_not(None)).limit(1)
)


class CategoryFields(NamedTuple):
    """The fields of a category that the validation of a claim needs."""

    unit: str
    non_decreasing: bool
    fractional: bool


class UnmatchedPages(NamedTuple):
    """The pages of given documents that no recorded one equals in address, day and copy.

    With both day and copy, a document that is not recorded is new: its page is not among them.
    """

    undated_addresses: set[str]
    dated_addresses: set[str]
    days: set[date]
    """The days of the documents at `dated_addresses`."""


def find_unmatched_pages(documents: Iterable[RecordFields]) -> UnmatchedPages:
    """Return the pages of documents that are not recorded with exactly their parts."""
    pages = UnmatchedPages(set(), set(), set())
    for given in documents:
        if given["published_on"] is None:
            pages.undated_addresses.add(str(address_of(given)))
        elif given["archive_url"] is None:
            pages.dated_addresses.add(str(address_of(given)))
            pages.days.add(given["published_on"])
    return pages


class ReferenceLookup:
    """Lookup of the records that a write refers to. Results are cached, so use an instance for one write only."""

    def __init__(self, session: Session, snapshot: Snapshot) -> None:
        self.session = session
        self.snapshot = snapshot
        self.defers_document_conflicts = False
        """Whether the caller of a validation handles documents that are recorded otherwise."""
        self.accepts_document_ids = False
        """Whether a new document may bring its id."""
        self._existing_slugs: dict[str, set[str]] = {kind.name: set() for kind in (CATEGORY, SUBJECT, PLACE, SOURCE)}
        self._categories_by_slug: dict[str, CategoryFields | None] = {}
        self._documents_by_id: dict[str, RecordFields] = {}
        self._documents_by_edition: dict[str | None, RecordFields] = {}
        self._documents_by_address: dict[str | None, list[RecordFields]] = {}
        """Address → its editions that a given document may be, for the addresses that were loaded."""
        self.resolved_documents: dict[tuple[Any, ...], RecordFields] = {}
        """The fields of a cited document → the recorded document with exactly its parts."""
        self._corrected_documents: dict[str, list[tuple[RecordFields, RecordFields]]] = {}
        """Address → the past versions of documents that were corrected, each with the document."""
        self._removed_documents: dict[str, RecordFields] = {}
        """Edition key → the tombstone of a document that was taken down."""
        self._position_holders: dict[str, str] | None = None
        self._sources_by_slug: dict[str, RecordFields] = {}
        self._slugs_by_text: dict[tuple[str, str], str] = {}
        """Kind and text → the slug that the text names, or that it is."""
        self._hints_by_text: dict[tuple[str, str], str | None] = {}
        """Kind and text → the names that the text may mean."""

    @property
    def today(self) -> date:
        """Return the latest date that a claim can have."""
        return max(self.snapshot.today, self.snapshot.at.date())

    @property
    def now(self) -> datetime:
        """Return the latest moment at which a claim can have been made."""
        return max(datetime.now(UTC), self.snapshot.at)

    def add_pending(self, kind: RecordType, slug: str, fields: RecordFields) -> None:
        """Treat `slug` as recorded: the same write records it before the claims."""
        self._existing_slugs[kind.name].add(slug)
        if kind is CATEGORY:
            self._categories_by_slug[slug] = CategoryFields(
                fields["unit"], fields["non_decreasing"], fields["fractional"]
            )
        if kind is SOURCE and fields.get("speaks_for"):
            self._position_holders = {**self.position_holders, slug: self.find_position_holder(fields["speaks_for"])}

    def discard_pending(self, kind: RecordType, slug: str) -> None:
        """Undo `add_pending`: the record will not be written."""
        self._existing_slugs[kind.name].discard(slug)
        self._categories_by_slug.pop(slug, None)

    def find_faults(self, kind: RecordType, references: Iterable[tuple[str, str]]) -> list[Fault]:
        """Return the faults of the (pointer, slug) pairs whose slug does not exist."""
        existing = self._existing_slugs[kind.name]
        unchecked = [(pointer, slug) for pointer, slug in references if slug not in existing]
        if not unchecked:
            return []
        slugs = {slug for _, slug in unchecked}
        missing = find_missing_slugs(self.session, kind, slugs, self.snapshot)
        existing |= slugs - missing
        return find_unknown_slugs(self.session, self.snapshot, kind, unchecked, also=existing) if missing else []

    def has_cached_slugs(self, category: str, subject: str, place: str, source: str) -> bool:
        """Return whether all four slugs are cached as existing: a fast path for imports."""
        existing = self._existing_slugs
        return (
            category in existing[CATEGORY.name]
            and subject in existing[SUBJECT.name]
            and place in existing[PLACE.name]
            and source in existing[SOURCE.name]
        )

    def resolve_name(self, kind: RecordType, pointer: str, text: str) -> str | Fault:
        """Return the slug of the record that a text names: a slug, else a name or a short name.

        Case, accents and punctuation do not count. A text that could be a slug, and that no record has as a slug or as
        a name, is returned as it is: `find_faults` reports it.
        """
        key = kind.name, text
        if (slug := self._slugs_by_text.get(key)) is not None:
            return slug
        is_slug = SLUG.fullmatch(text) is not None
        if not is_slug or not self.has_slug(kind, text):
            index = get_reference_data(self.session, self.snapshot).read_name_index(self.session, self.snapshot)
            slugs = index.find_named(kind.name, text)
            if len(slugs) > 1:
                named = ", ".join(f"`{slug}`" for slug in slugs[:MAX_NAMED_SLUGS])
                detail = f"Several records of the kind {kind.name} are named `{shorten(text)}`: {named}."
                return field_fault(pointer, detail, hint="write the slug of the one that is meant")
            if slugs:
                self._slugs_by_text[key] = slugs[0]
                return slugs[0]
            if not is_slug:
                if key not in self._hints_by_text and len(self._hints_by_text) < MAX_SUGGESTIONS:
                    self._hints_by_text[key] = _suggest_similar(index.find_similar(kind.name, text))
                detail = f"There is no {kind.name} `{shorten(text)}`."
                return field_fault(pointer, detail, hint=self._hints_by_text.get(key))
        self._slugs_by_text[key] = text
        return text

    def has_slug(self, kind: RecordType, slug: str) -> bool:
        """Return whether a slug exists."""
        return not self.find_faults(kind, [("", slug)])

    def find_category(self, slug: str) -> "CategoryFields | None":
        """Return the fields of a category, or None if it does not exist."""
        if slug not in self._categories_by_slug:
            columns = columns_of(CategoryVersion)
            statement = select(columns.unit, columns.non_decreasing, columns.fractional)
            statement = statement.where(columns.slug == slug, self.snapshot.contains(CategoryVersion))
            row = self.session.execute(statement).first()
            self._categories_by_slug[slug] = None if row is None else CategoryFields(*row)
        return self._categories_by_slug[slug]

    def has_statement(self, fingerprint: str) -> bool:
        """Return whether a current claim has this fingerprint."""
        parameters = {"fingerprint": fingerprint}
        return self.session.execute(_SELECT_DUPLICATE, parameters).first() is not None

    def find_base_kind(self, relative_to: str | None) -> BaseKind | None:
        """Return what the base of a figure is, or None if it has none."""
        if relative_to is None:
            return None
        slugs = {
            kind.name: {relative_to} if self._is_recorded(kind, relative_to) else set() for kind in (SUBJECT, CATEGORY)
        }
        return normalize_relative_to(relative_to, slugs[SUBJECT.name], slugs[CATEGORY.name])[0]

    def find_base_name(self, relative_to: str | None) -> str | None:
        """Return the name of the subject or category that a figure is relative to; None if it is neither."""
        match self.find_base_kind(relative_to):
            case "subject":
                rows = self._load_base(SubjectVersion, NAME_FIELDS, relative_to)
                return subject_details(rows)[rows[0].slug].text
            case "category":
                rows = self._load_base(CategoryVersion, CATEGORY_NAME_FIELDS, relative_to)
                return category_details(rows)[rows[0].slug].as_component
        return None

    def _load_base(self, table: type[Version], fields: Iterable[str], slug: str | None) -> Sequence[Any]:
        columns = columns_of(table)
        statement = select(*(columns[name] for name in fields))
        return self.session.execute(statement.where(columns.slug == slug, self.snapshot.contains(table))).all()

    def _is_recorded(self, kind: RecordType, text: str) -> bool:
        return SLUG.fullmatch(text) is not None and self.has_slug(kind, text)

    def find_source(self, slug: str) -> RecordFields:
        """Return the fields of a recorded source that are part of a claim."""
        if slug not in self._sources_by_slug:
            columns = columns_of(SourceVersion)
            statement = select(columns.name, columns.short_name, columns.kind, columns.interest, columns.terms)
            statement = statement.where(columns.slug == slug, self.snapshot.contains(SourceVersion))
            row = self.session.execute(statement).mappings().one()
            self._sources_by_slug[slug] = dict(row)
        return self._sources_by_slug[slug]

    @property
    def position_holders(self) -> dict[str, str]:
        """Return source → the source whose position it states, for sources that speak for another one."""
        if self._position_holders is None:
            self._position_holders = load_position_holders(self.session, self.snapshot)
        return self._position_holders

    def find_position_holder(self, source: str) -> str:
        """Return the source whose position `source` states; by default itself."""
        return self.position_holders.get(source, source)

    def find_document(self, id_: str) -> RecordFields | None:
        """Return the recorded document with an id, or None."""
        if id_ not in self._documents_by_id and ID_PATTERN.fullmatch(id_):
            self._documents_by_id |= load_documents(self.session, [id_], self.snapshot)
        return self._documents_by_id.get(id_)

    def find_editions(self, given: RecordFields) -> list[RecordFields]:
        """Return the documents that a given one may be: see `app/sources/editions.py`."""
        if given["url"] is None:
            return self._find_without_address(given)
        if (exact := self._documents_by_edition.get(edition_key(given))) is not None:
            return [exact]
        address = address_of(given)
        if address not in self._documents_by_address:
            self._load_page(given)
        editions = self._documents_by_address.get(address, ())
        matching = [document for document in editions if has_parts_of(document, given)]
        return matching or self._find_corrected(given) or self._find_removed(given)

    def _find_without_address(self, given: RecordFields) -> list[RecordFields]:
        """Return the recorded document without an address that is given. Imports find those by themselves."""
        if given["title"] is None or self.accepts_document_ids:
            return []
        found = load_documents_by_title(self.session, [given["title"]], self.snapshot)
        key = key_without_address(given)
        return [document for document in found if key_without_address(document) == key][:1]

    def _load_page(self, given: RecordFields) -> None:
        """Load all editions of the address of a document."""
        address = str(address_of(given))
        self._documents_by_address[address] = []
        for document in load_documents_by_address(self.session, [address], self.snapshot):
            self.add_pending_document(document)
        self._load_corrected([address])

    def _load_corrected(self, addresses: Iterable[str]) -> None:
        """Load the documents at these addresses as they were before they were corrected."""
        for batch in batch_values(addresses):
            for past, document in load_corrected_documents(self.session, batch, self.snapshot):
                self._corrected_documents.setdefault(past["address"], []).append((past, document))

    def _find_corrected(self, given: RecordFields) -> list[RecordFields]:
        """Return the documents that `given` may have been before they were corrected."""
        versions = self._corrected_documents.get(str(address_of(given)), ())
        found = {
            document["id"]: document
            for past, document in versions
            if has_parts_of(past, given) and given["title"] in (None, past["title"])
        }
        return list(found.values())

    def _find_removed(self, given: RecordFields) -> list[RecordFields]:
        """Return the tombstone of a given document, if it was taken down and loaded by `load_editions`."""
        return [self._removed_documents[key] for key in keys_of_given(given) if key in self._removed_documents][:1]

    def load_editions(self, documents: Iterable[RecordFields]) -> "UnmatchedPages":
        """Load what `find_editions` needs for the given documents, in a few queries, in place of what was loaded.

        Returns the pages of the documents that are not recorded with exactly their parts.
        """
        by_key = {key: given for given in documents if (key := edition_key(given)) is not None}
        self._documents_by_id, self._documents_by_edition, self._documents_by_address = {}, {}, {}
        self.resolved_documents = {}
        for batch in batch_values(by_key):
            for document in load_documents_by_edition(self.session, batch, self.snapshot):
                self._add_document(document)
        missing = [given for key, given in by_key.items() if key not in self._documents_by_edition]
        pages = find_unmatched_pages(missing)
        self._corrected_documents, self._removed_documents = {}, {}
        self._load_corrected({str(address_of(given)) for given in missing})
        for batch in batch_values({key for given in missing for key in keys_of_given(given)}):
            self._removed_documents |= load_removed_documents(self.session, batch, self.snapshot)
        self._documents_by_address = {address_of(given): [] for given in missing}
        for addresses, days in ((pages.undated_addresses, None), (pages.dated_addresses, pages.days)):
            for batch in batch_values(addresses):
                for document in load_documents_by_address(self.session, batch, self.snapshot, days):
                    self.add_pending_document(document)
        return pages

    def add_pending_document(self, document: RecordFields) -> None:
        """Treat a document as recorded: the same write records it."""
        self._add_document(document)
        editions = self._documents_by_address.get(address_of(document))
        if editions is not None and all(edition["id"] != document["id"] for edition in editions):
            editions.append(document)

    def _add_document(self, document: RecordFields) -> None:
        self._documents_by_id[document["id"]] = document
        if (key := edition_key(document)) is not None:
            self._documents_by_edition[key] = document


class CachedReferenceLookup(ReferenceLookup):
    """Lookup at the current state that keeps its cache from one write of this process to the next.

    It caches only records that exist, and drops them when a vocabulary record or source changes.
    """

    def __init__(self, transaction: WriteTransaction) -> None:
        super().__init__(transaction.lazy_session, transaction.snapshot)
        self._transaction = transaction
        self._claims_by_fingerprint: dict[str, str] = {}
        """Fingerprint → claim, for claims that may not have been inserted yet."""
        self._new_documents: list[RecordFields] = []
        """The documents of this transaction, which may not have been inserted yet."""

    @classmethod
    def for_transaction(cls, transaction: WriteTransaction) -> "CachedReferenceLookup":
        """Return the lookup of this process, brought to the state of `transaction`."""
        lookup = transaction.process_cache.get("reference_lookup")
        if not isinstance(lookup, CachedReferenceLookup) or lookup.is_outdated(transaction):
            lookup = transaction.process_cache["reference_lookup"] = cls(transaction)
        if lookup._transaction is not transaction or lookup.snapshot.seq != transaction.seq:
            lookup._claims_by_fingerprint.clear()
            lookup._new_documents.clear()
        lookup._transaction, lookup.session, lookup.snapshot = (
            transaction,
            transaction.lazy_session,
            transaction.snapshot,
        )
        return lookup

    def is_outdated(self, transaction: WriteTransaction) -> bool:
        """Return whether too much is cached, or a cached record may have changed, in this process or another."""
        is_large = max(len(self._documents_by_id), len(self.resolved_documents)) > MAX_CACHED_DOCUMENTS
        if is_large and self._transaction is not transaction:  # its own documents may not have been inserted yet
            return True
        if self.snapshot.seq == transaction.seq:
            return False
        if not 0 < transaction.seq - self.snapshot.seq < MAX_CACHED_DOCUMENTS:
            return True
        return any(
            kind in self._existing_slugs or (kind == "document" and is_revised)
            for kind, is_revised in read_changed_kinds(transaction, self.snapshot.seq)
        )

    def find_duplicate(self, fingerprint: str) -> tuple[str, str] | None:
        """Return the id and status of the current claim with a fingerprint, which may have been taken down, or None."""
        if fingerprint in self._claims_by_fingerprint:
            return self._claims_by_fingerprint[fingerprint], Status.asserted
        rows = self._transaction.fetch_rows(_SELECT_DUPLICATE, {"fingerprint": fingerprint}, flush=False)
        return (str(rows[0][0]), rows[0][1]) if rows else None

    def add_recorded_claim(self, fingerprint: str, claim: str) -> None:
        """Add a claim that this write recorded. It recorded no vocabulary or source, so the cache stays valid."""
        self.snapshot = self._transaction.snapshot
        self._claims_by_fingerprint[fingerprint] = claim

    def find_editions(self, given: RecordFields) -> list[RecordFields]:
        """Return the documents that a given one may be. That there is none is not cached."""
        if given["url"] is None:
            return self._find_without_address(given)
        if (exact := self._documents_by_edition.get(edition_key(given))) is not None:
            return [exact]
        # Documents of this transaction may not be inserted yet.
        editions = [document for document in self._new_documents if _is_edition_of(document, given)]
        new_ids = {document["id"] for document in editions}
        ids = find_candidate_ids(self._transaction, given, flush=False)
        for id_ in ids:
            if id_ not in new_ids and (document := self.find_document(id_)) is not None:
                editions.append(document)
                self._add_document(document)
        return editions or self._find_corrected_before(given)

    def _find_without_address(self, given: RecordFields) -> list[RecordFields]:
        """Return the document without an address that is given, pending or recorded."""
        key = key_without_address(given)
        pending = (each for each in self._new_documents if each["url"] is None and key_without_address(each) == key)
        if given["title"] is None:
            return []
        if (found := next(pending, None)) is not None:
            return [found]
        ids = find_ids_without_address(self._transaction, given, flush=False)
        return [document for id_ in ids if (document := self.find_document(id_)) is not None]

    def _find_corrected_before(self, given: RecordFields) -> list[RecordFields]:
        """Return the documents that `given` may have been before they were corrected. They are never pending."""
        if not self._transaction.fetch_rows(_SELECT_CORRECTED, {"address": address_of(given)}, flush=False):
            return []
        self._corrected_documents = {}
        self._load_corrected([str(address_of(given))])
        return self._find_corrected(given)

    def add_pending_document(self, document: RecordFields) -> None:
        """Treat a document as recorded: the same write records it."""
        super().add_pending_document(document)
        self._new_documents.append(document)


def _suggest_similar(records: Iterable[NamedRecord]) -> str | None:
    """Return a hint with the records that a name may mean, or None."""
    named = " or ".join(f"`{record.name}` (`{record.slug}`)" for record in records)
    return f"did you mean {named}?" if named else None


def _is_edition_of(document: RecordFields, given: RecordFields) -> bool:
    return address_of(document) == address_of(given) and has_parts_of(document, given)
