"""What a claim refers to, looked up once: the words, sources and documents that are recorded, or soon will be."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.changes.clock import View
from app.problems import Fault
from app.sources.queries import SOURCE, document_cards, documents_at, holders
from app.tables import CategoryVersion, columns_of
from app.vocabulary.kinds import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slugged import Slugged, absent, unknown_slugs

Card = Mapping[str, Any]


class Known:
    """The register as the rules of a claim ask for it. It remembers what it found, so keep it for one write only."""

    def __init__(self, session: Session, view: View) -> None:
        self.session = session
        self.view = view
        self._slugs: dict[str, set[str]] = {kind.name: set() for kind in (CATEGORY, SUBJECT, PLACE, SOURCE)}
        self._units: dict[str, str | None] = {}
        self._documents: dict[str, Card] = {}
        self._addresses: dict[str, Card | None] = {}
        self._holders: dict[str, str] | None = None

    @property
    def today(self) -> date:
        """The day of the register: nothing was said after it."""
        return max(self.view.today, self.view.at.date())

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
        missing = absent(self.session, kind, wanted, self.view)
        there |= wanted - missing
        return unknown_slugs(self.session, self.view, kind, fresh, also=there) if missing else []

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
            stands = select(columns.unit).where(columns.slug == category, self.view.holds(CategoryVersion))
            self._units[category] = self.session.execute(stands).scalar()
        return self._units[category]

    @property
    def holders(self) -> dict[str, str]:
        """Source → the source whose position it holds, for those that speak for another."""
        if self._holders is None:
            self._holders = holders(self.session, self.view)
        return self._holders

    def holder(self, source: str) -> str:
        """The source whose position `source` holds: mostly its own."""
        return self.holders.get(source, source)

    def document(self, id_: str) -> Card | None:
        """The recorded document with this id."""
        if id_ not in self._documents:
            self._documents |= document_cards(self.session, [id_], self.view)
        return self._documents.get(id_)

    def document_at(self, url: str) -> Card | None:
        """The recorded document at this address."""
        if url not in self._addresses:
            self.look_up([url])
        return self._addresses[url]

    def look_up(self, urls: Iterable[str]) -> None:
        """Learn in one question which of these addresses are recorded, and forget the documents asked for before."""
        found = documents_at(self.session, set(urls), self.view)
        self._addresses = {url: found.get(url) for url in urls}
        self._documents = {card["id"]: card for card in found.values()}

    def promise_document(self, card: Card) -> None:
        """Take a document as recorded: the same write will record it."""
        self._documents[card["id"]] = card
        if card["url"]:
            self._addresses[card["url"]] = card
