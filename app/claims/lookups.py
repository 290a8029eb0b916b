"""What a claim refers to, looked up once: the words, sources and documents that are recorded, or soon will be."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.tables import CategoryVersion, SourceVersion, columns_of
from app.database.transaction import WriteTransaction
from app.enums import Status
from app.errors import Fault
from app.sources.documents import document_cards, documents_at
from app.sources.queries import SOURCE, holders
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import Slugged, absent, unknown_slugs

Card = Mapping[str, Any]

MOST_REMEMBERED = 1_000
"""So many documents are remembered between writes, and so many changes are searched for those that matter."""


class Known:
    """The register as the rules of a claim ask for it. It remembers what it found, so keep it for one write only."""

    def __init__(self, session: Session, view: Snapshot) -> None:
        self.session = session
        self.snapshot = view
        self._slugs: dict[str, set[str]] = {kind.name: set() for kind in (CATEGORY, SUBJECT, PLACE, SOURCE)}
        self._units: dict[str, str | None] = {}
        self._documents: dict[str, Card] = {}
        self._addresses: dict[str, Card | None] = {}
        self._holders: dict[str, str] | None = None
        self._sources: dict[str, Card] = {}

    @property
    def today(self) -> date:
        """The day of the register: nothing was said after it."""
        return max(self.snapshot.today, self.snapshot.at.date())

    def promise(self, kind: Slugged, slug: str, card: Card) -> None:
        """Take `slug` as recorded: the same write will record it before it records the claims."""
        self._slugs[kind.name].add(slug)
        if kind is CATEGORY:
            self._units[slug] = card["unit"]
        if kind is SOURCE and card.get("speaks_for"):
            self._holders = {**self.holders, slug: self.holder(card["speaks_for"])}

    def forget(self, kind: Slugged, slug: str) -> None:
        """Take a promise back: what was to be recorded will not be."""
        self._slugs[kind.name].discard(slug)
        self._units.pop(slug, None)

    def faults(self, kind: Slugged, used: Iterable[tuple[str, str]]) -> list[Fault]:
        """The faults of the (pointer, slug) pairs that name nothing of this kind."""
        there = self._slugs[kind.name]
        fresh = [(pointer, slug) for pointer, slug in used if slug not in there]
        if not fresh:
            return []
        wanted = {slug for _, slug in fresh}
        missing = absent(self.session, kind, wanted, self.snapshot)
        there |= wanted - missing
        return unknown_slugs(self.session, self.snapshot, kind, fresh, also=there) if missing else []

    def has_all(self, category: str, subject: str, place: str, source: str) -> bool:
        """Whether these four were all found before: the quick way for the thousandth claim of an import."""
        found = self._slugs
        return (
            category in found[CATEGORY.name]
            and subject in found[SUBJECT.name]
            and place in found[PLACE.name]
            and source in found[SOURCE.name]
        )

    def has(self, kind: Slugged, slug: str) -> bool:
        """Whether there is such a slug."""
        return not self.faults(kind, [("", slug)])

    def unit(self, category: str) -> str | None:
        """The unit of a category; None where there is no such category."""
        if category not in self._units:
            columns = columns_of(CategoryVersion)
            stands = select(columns.unit).where(columns.slug == category, self.snapshot.contains(CategoryVersion))
            self._units[category] = self.session.execute(stands).scalar()
        return self._units[category]

    def source(self, slug: str) -> Card:
        """What is shown of a recorded source beside its slug."""
        if slug not in self._sources:
            columns = columns_of(SourceVersion)
            stands = select(columns.name, columns.kind, columns.interest).where(columns.slug == slug)
            found = self.session.execute(stands.where(self.snapshot.contains(SourceVersion))).mappings().one()
            self._sources[slug] = dict(found)
        return self._sources[slug]

    @property
    def holders(self) -> dict[str, str]:
        """Source → the source whose position it holds, for those that speak for another."""
        if self._holders is None:
            self._holders = holders(self.session, self.snapshot)
        return self._holders

    def holder(self, source: str) -> str:
        """The source whose position `source` holds: mostly its own."""
        return self.holders.get(source, source)

    def document(self, id_: str) -> Card | None:
        """The recorded document with this id."""
        if id_ not in self._documents:
            self._documents |= document_cards(self.session, [id_], self.snapshot)
        return self._documents.get(id_)

    def document_at(self, url: str) -> Card | None:
        """The recorded document at this address."""
        if url not in self._addresses:
            self.look_up([url])
        return self._addresses[url]

    def look_up(self, urls: Iterable[str]) -> None:
        """Learn in one question which of these addresses are recorded, and forget the documents asked for before."""
        found = documents_at(self.session, set(urls), self.snapshot)
        self._addresses = {url: found.get(url) for url in urls}
        self._documents = {card["id"]: card for card in found.values()}

    def promise_document(self, card: Card) -> None:
        """Take a document as recorded: the same write will record it."""
        self._documents[card["id"]] = card
        if card["url"]:
            self._addresses[card["url"]] = card


class Standing(Known):
    """The register as it stands, as the writes of this process know it: remembered from one to the next.

    Only what is there is remembered, and only until somebody records a word or a source.
    """

    def __init__(self, log: WriteTransaction) -> None:
        super().__init__(log.lazy_session, log.snapshot)
        self._log = log
        self._claims: dict[str, str] = {}
        """Fingerprint → claim, of those that may still wait to be written."""

    @classmethod
    def of(cls, log: WriteTransaction) -> "Standing":
        """What this write knows."""
        known = log.process_cache.get("standing")
        if not isinstance(known, Standing) or known.is_outdated(log):
            known = log.process_cache["standing"] = cls(log)
        if known._log is not log or known.snapshot.seq != log.seq:
            known._claims.clear()
        known._log, known.session, known.snapshot = log, log.lazy_session, log.snapshot
        return known

    def is_outdated(self, log: WriteTransaction) -> bool:
        """Whether any of what is remembered may have changed, by whichever process."""
        if self.snapshot.seq == log.seq:
            return False
        if len(self._documents) > MOST_REMEMBERED or not 0 < log.seq - self.snapshot.seq < MOST_REMEMBERED:
            return True
        kinds = log.fetch_rows("SELECT DISTINCT kind FROM change WHERE seq > ?", [self.snapshot.seq])
        return any(kind in self._slugs for (kind,) in kinds)

    def claim_like(self, print_: str) -> tuple[str, str] | None:
        """The id and status of the claim that stands with this fingerprint, or was taken down with it."""
        if print_ in self._claims:
            return self._claims[print_], Status.asserted
        stands = "SELECT id, status FROM claim WHERE fingerprint = ? AND until_seq IS NULL"
        found = self._log.fetch_rows(stands, [print_], waiting=False)
        return (str(found[0][0]), found[0][1]) if found else None

    def wrote(self, print_: str, claim: str) -> None:
        """Go on with what this write recorded: documents and a claim, no words and no sources."""
        self.snapshot = self._log.snapshot
        self._claims[print_] = claim

    def document_at(self, url: str) -> Card | None:
        """The recorded document at this address. That there is none holds for one write only."""
        if url not in self._addresses:
            # Those that still wait to be written were promised, and are remembered.
            found = self._log.fetch_rows(
                "SELECT id FROM document WHERE url = ? AND until_seq IS NULL", [url], waiting=False
            )
            if not found:
                return None
            self._addresses[url] = self.document(str(found[0][0]))
        return self._addresses[url]
