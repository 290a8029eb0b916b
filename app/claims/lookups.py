"""What a claim refers to, looked up once: the words, sources and documents that are recorded, or soon will be."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import Session

from app.database.change_feed import read_changed_kinds
from app.database.snapshot import Snapshot, is_version_at
from app.database.tables import (
    CategoryVersion,
    ClaimVersion,
    DocumentVersion,
    SourceVersion,
    columns_of,
    table_of,
)
from app.database.transaction import WriteTransaction
from app.enums import Status
from app.errors import Fault
from app.sources.documents import load_document_cards, load_documents_by_url
from app.sources.queries import SOURCE, load_position_holders
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import RecordType, find_missing_slugs, find_unknown_slugs

RecordFields = Mapping[str, Any]

MAX_CACHED_DOCUMENTS = 1_000
"""So many documents are remembered between writes, and so many changes are searched for those that matter."""


_CLAIM, _DOCUMENT = (table_of(table).c for table in (ClaimVersion, DocumentVersion))
_SELECT_DUPLICATE = select(_CLAIM.id, _CLAIM.status).where(
    _CLAIM.fingerprint == bindparam("fingerprint"), is_version_at(_CLAIM, None)
)
_SELECT_DOCUMENT = select(_DOCUMENT.id).where(_DOCUMENT.url == bindparam("url"), is_version_at(_DOCUMENT, None))


class ReferenceLookup:
    """The register as the rules of a claim ask for it. It remembers what it found, so keep it for one write only."""

    def __init__(self, session: Session, view: Snapshot) -> None:
        self.session = session
        self.snapshot = view
        self._existing_slugs: dict[str, set[str]] = {kind.name: set() for kind in (CATEGORY, SUBJECT, PLACE, SOURCE)}
        self._units_by_category: dict[str, str | None] = {}
        self._documents_by_id: dict[str, RecordFields] = {}
        self._documents_by_url: dict[str, RecordFields | None] = {}
        self._position_holders: dict[str, str] | None = None
        self._sources_by_slug: dict[str, RecordFields] = {}

    @property
    def today(self) -> date:
        """The day of the register: nothing was said after it."""
        return max(self.snapshot.today, self.snapshot.at.date())

    def add_pending(self, kind: RecordType, slug: str, card: RecordFields) -> None:
        """Take `slug` as recorded: the same write will record it before it records the claims."""
        self._existing_slugs[kind.name].add(slug)
        if kind is CATEGORY:
            self._units_by_category[slug] = card["unit"]
        if kind is SOURCE and card.get("speaks_for"):
            self._position_holders = {**self.position_holders, slug: self.find_position_holder(card["speaks_for"])}

    def discard_pending(self, kind: RecordType, slug: str) -> None:
        """Take a promise back: what was to be recorded will not be."""
        self._existing_slugs[kind.name].discard(slug)
        self._units_by_category.pop(slug, None)

    def find_faults(self, kind: RecordType, used: Iterable[tuple[str, str]]) -> list[Fault]:
        """The faults of the (pointer, slug) pairs that name nothing of this kind."""
        there = self._existing_slugs[kind.name]
        fresh = [(pointer, slug) for pointer, slug in used if slug not in there]
        if not fresh:
            return []
        wanted = {slug for _, slug in fresh}
        missing = find_missing_slugs(self.session, kind, wanted, self.snapshot)
        there |= wanted - missing
        return find_unknown_slugs(self.session, self.snapshot, kind, fresh, also=there) if missing else []

    def has_cached_slugs(self, category: str, subject: str, place: str, source: str) -> bool:
        """Whether these four were all found before: the quick way for the thousandth claim of an import."""
        found = self._existing_slugs
        return (
            category in found[CATEGORY.name]
            and subject in found[SUBJECT.name]
            and place in found[PLACE.name]
            and source in found[SOURCE.name]
        )

    def has_slug(self, kind: RecordType, slug: str) -> bool:
        """Whether there is such a slug."""
        return not self.find_faults(kind, [("", slug)])

    def find_unit(self, category: str) -> str | None:
        """The unit of a category; None where there is no such category."""
        if category not in self._units_by_category:
            columns = columns_of(CategoryVersion)
            stands = select(columns.unit).where(columns.slug == category, self.snapshot.contains(CategoryVersion))
            self._units_by_category[category] = self.session.execute(stands).scalar()
        return self._units_by_category[category]

    def find_source(self, slug: str) -> RecordFields:
        """What is shown of a recorded source beside its slug."""
        if slug not in self._sources_by_slug:
            columns = columns_of(SourceVersion)
            stands = select(columns.name, columns.kind, columns.interest).where(columns.slug == slug)
            found = self.session.execute(stands.where(self.snapshot.contains(SourceVersion))).mappings().one()
            self._sources_by_slug[slug] = dict(found)
        return self._sources_by_slug[slug]

    @property
    def position_holders(self) -> dict[str, str]:
        """Source → the source whose position it holds, for those that speak for another."""
        if self._position_holders is None:
            self._position_holders = load_position_holders(self.session, self.snapshot)
        return self._position_holders

    def find_position_holder(self, source: str) -> str:
        """The source whose position `source` holds: mostly its own."""
        return self.position_holders.get(source, source)

    def find_document(self, id_: str) -> RecordFields | None:
        """The recorded document with this id."""
        if id_ not in self._documents_by_id:
            self._documents_by_id |= load_document_cards(self.session, [id_], self.snapshot)
        return self._documents_by_id.get(id_)

    def find_document_by_url(self, url: str) -> RecordFields | None:
        """The recorded document at this address."""
        if url not in self._documents_by_url:
            self.load_documents_by_url([url])
        return self._documents_by_url[url]

    def load_documents_by_url(self, urls: Iterable[str]) -> None:
        """Learn in one question which of these addresses are recorded, and forget the documents asked for before."""
        found = load_documents_by_url(self.session, set(urls), self.snapshot)
        self._documents_by_url = {url: found.get(url) for url in urls}
        self._documents_by_id = {card["id"]: card for card in found.values()}

    def add_pending_document(self, card: RecordFields) -> None:
        """Take a document as recorded: the same write will record it."""
        self._documents_by_id[card["id"]] = card
        if card["url"]:
            self._documents_by_url[card["url"]] = card


class CachedReferenceLookup(ReferenceLookup):
    """The register as it stands, as the writes of this process know it: remembered from one to the next.

    Only what is there is remembered, and only until somebody records a word or a source.
    """

    def __init__(self, log: WriteTransaction) -> None:
        super().__init__(log.lazy_session, log.snapshot)
        self._transaction = log
        self._claims_by_fingerprint: dict[str, str] = {}
        """Fingerprint → claim, of those that may still wait to be written."""

    @classmethod
    def for_transaction(cls, log: WriteTransaction) -> "CachedReferenceLookup":
        """What this write knows."""
        known = log.process_cache.get("standing")
        if not isinstance(known, CachedReferenceLookup) or known.is_outdated(log):
            known = log.process_cache["standing"] = cls(log)
        if known._transaction is not log or known.snapshot.seq != log.seq:
            known._claims_by_fingerprint.clear()
        known._transaction, known.session, known.snapshot = log, log.lazy_session, log.snapshot
        return known

    def is_outdated(self, log: WriteTransaction) -> bool:
        """Whether any of what is remembered may have changed, by whichever process."""
        if self.snapshot.seq == log.seq:
            return False
        if (
            len(self._documents_by_id) > MAX_CACHED_DOCUMENTS
            or not 0 < log.seq - self.snapshot.seq < MAX_CACHED_DOCUMENTS
        ):
            return True
        return not read_changed_kinds(log, self.snapshot.seq).isdisjoint(self._existing_slugs)

    def find_duplicate(self, print_: str) -> tuple[str, str] | None:
        """The id and status of the claim that stands with this fingerprint, or was taken down with it."""
        if print_ in self._claims_by_fingerprint:
            return self._claims_by_fingerprint[print_], Status.asserted
        found = self._transaction.fetch_rows(_SELECT_DUPLICATE, {"fingerprint": print_}, flush=False)
        return (str(found[0][0]), found[0][1]) if found else None

    def add_recorded_claim(self, print_: str, claim: str) -> None:
        """Go on with what this write recorded: documents and a claim, no words and no sources."""
        self.snapshot = self._transaction.snapshot
        self._claims_by_fingerprint[print_] = claim

    def find_document_by_url(self, url: str) -> RecordFields | None:
        """The recorded document at this address. That there is none holds for one write only."""
        if url not in self._documents_by_url:
            # Those that still wait to be written were promised, and are remembered.
            found = self._transaction.fetch_rows(_SELECT_DOCUMENT, {"url": url}, flush=False)
            if not found:
                return None
            self._documents_by_url[url] = self.find_document(str(found[0][0]))
        return self._documents_by_url[url]
