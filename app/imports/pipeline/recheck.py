"""Compares a part of a long import with the register as it is when the part is published.

All rows were compared with the register before the first one was published. What other writers have changed since is
found here: a claim that contradicts it is left out, and the record of the import counts it. The import of the same file
again takes what was left out as any other row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import and_, select
from sqlmodel import Session

from app.database.snapshot import Snapshot, is_version_at
from app.database.sql import batch_values
from app.database.tables import (
    CategoryVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    ImportStep,
    SourceVersion,
    columns_of,
    table_of,
)
from app.enums import LeftOutReason, Status
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.pending import document_key
from app.imports.pipeline.stored_parts import StoredClaim, StoredPart
from app.sources.documents import load_documents_by_edition, load_documents_by_title, load_removed_documents
from app.sources.editions import edition_key, keys_of_given

CHECKED_CATEGORY_FIELDS = ("unit", "components", "parent", "non_decreasing", "additive", "fractional")
"""The fields of a category on which the validity of a claim depends."""

SHORT_FINGERPRINT_CHARACTERS = 32


def has_removed_sources(session: Session, since: int) -> bool:
    """Return whether a source was taken down after the state `since`."""
    change = columns_of(Change)
    is_takedown = (change.kind == "source", change.action == "takedown", change.seq > since)
    return session.execute(select(change.seq).where(*is_takedown).limit(1)).first() is not None


def find_changed_categories(session: Session, since: int) -> set[str]:
    """Return the categories that were changed after the state `since` in what the validity of claims depends on."""
    now, then = table_of(CategoryVersion).alias("now").c, table_of(CategoryVersion).alias("before").c
    before = and_(then.slug == now.slug, is_version_at(then, since))
    columns = [now.slug, *(each[name] for each in (now, then) for name in CHECKED_CATEGORY_FIELDS)]
    statement = select(*columns).join(then.slug.table, before).where(now.seq > since, now.until_seq.is_(None))
    half = len(CHECKED_CATEGORY_FIELDS)
    return {slug for slug, *values in session.execute(statement) if values[:half] != values[half:]}


@dataclass(frozen=True, slots=True)
class _RecordedClaim:
    seq: int
    status: Status
    fingerprint: str


class PartCheck:
    """The comparison of one part with the register. The caller holds the clock lock."""

    def __init__(
        self, session: Session, snapshot: Snapshot, encoders: RowEncoders, import_id: str, checked_seq: int
    ) -> None:
        """Compare in the state `snapshot` what was compared in the state `checked_seq` before."""
        self._session = session
        self._snapshot = snapshot
        self._import_id = import_id
        self._checked_seq = checked_seq
        claim, citation = encoders.claim.column_names, encoders.citation.column_names
        self._claim_positions = {name: claim.index(name) for name in ("fingerprint", "category", "source")}
        self._via_position = citation.index("via")

    def find_left_out(self, part: StoredPart) -> dict[int, LeftOutReason]:
        """Return the claims that cannot be recorded any more, by their position in the part, with the reason."""
        new = [each for each in part.claims if "claim" in each.writes]
        recorded_fingerprints = self._find_fingerprints([self._claim_value(each, "fingerprint") for each in new])
        self._recorded = self._load_claims({each.claim for each in part.claims})
        self._unusable = self._find_unusable_documents(part)
        self._citations = self._find_citations([each for each in part.claims if "claim" not in each.writes])
        left_out: dict[int, LeftOutReason] = {}
        missing: set[str] = set()
        for position, each in enumerate(part.claims):
            reason = self._check(each, recorded_fingerprints, missing)
            if reason is not None:
                left_out[position] = reason
                if "claim" in each.writes:
                    missing.add(each.claim)
        return left_out

    def drop_documents(self, part: StoredPart) -> list[dict[str, Any]]:
        """Return the documents of a part that can still be recorded. Call it after `find_left_out`."""
        return [document for document in part.documents if document["id"] not in self._unusable]

    def keep_relations(self, part: StoredPart, written: Collection[str]) -> list[tuple[str, str, str, str | None]]:
        """Return the relations of a part whose claims both stand; `written` are claims of the same transaction."""
        ends = {id_ for claim, _, other, _ in part.relations for id_ in (claim, other)} - set(written)
        standing = {
            id_ for id_, recorded in self._load_claims(ends).items() if recorded.status is not Status.removed
        } | set(written)
        return [each for each in part.relations if each[0] in standing and each[2] in standing]

    def _check(
        self, each: StoredClaim, recorded_fingerprints: Collection[str], missing: Collection[str]
    ) -> LeftOutReason | None:
        is_new = "claim" in each.writes
        reason = self._check_new(each, recorded_fingerprints) if is_new else self._check_recorded(each, missing)
        return reason or self._check_citations(each, is_new=is_new)

    def _check_new(self, each: StoredClaim, recorded_fingerprints: Collection[str]) -> LeftOutReason | None:
        """Check a claim that is to be recorded."""
        if self._claim_value(each, "fingerprint") in recorded_fingerprints or each.claim in self._recorded:
            return LeftOutReason.already_recorded
        if self._claim_value(each, "category") in self._changed_categories:
            return LeftOutReason.category_changed
        if self._has_removed_source and self._claim_value(each, "source") not in self._sources:
            return LeftOutReason.source_removed
        return None

    def _check_citations(self, each: StoredClaim, *, is_new: bool) -> LeftOutReason | None:
        for _, document, values in each.writes.get("citations", ()):
            if document in self._unusable:
                return LeftOutReason.document_changed
            if not is_new and (each.claim, document) in self._citations:
                return LeftOutReason.already_recorded
            if self._has_removed_source and set(orjson.loads(values[self._via_position] or b"[]")) - self._sources:
                return LeftOutReason.source_removed
        return None

    def _check_recorded(self, each: StoredClaim, missing: Collection[str]) -> LeftOutReason | None:
        """Check a claim that was recorded before: another writer may have changed it, or its recording was left out."""
        recorded = self._recorded.get(each.claim)
        if each.claim in missing or recorded is None:
            return LeftOutReason.claim_changed
        if "repair" in each.writes:
            is_unchanged = recorded.seq <= self._checked_seq or self._is_own(recorded.seq)
            return None if is_unchanged and recorded.status is Status.asserted else LeftOutReason.claim_changed
        if "citations" not in each.writes:
            return None
        is_same = each.fingerprint is None or recorded.fingerprint[:SHORT_FINGERPRINT_CHARACTERS] == each.fingerprint
        return None if is_same and recorded.status is not Status.removed else LeftOutReason.claim_changed

    def _claim_value(self, each: StoredClaim, name: str) -> str:
        return str(each.writes["claim"][self._claim_positions[name]])

    def _find_fingerprints(self, fingerprints: Sequence[str]) -> set[str]:
        claim, found = columns_of(ClaimVersion), set[str]()
        for batch in batch_values(fingerprints):
            statement = select(claim.fingerprint).where(claim.fingerprint.in_(batch), claim.until_seq.is_(None))
            found |= set(self._session.execute(statement).scalars())
        return found

    def _load_claims(self, ids: Collection[str]) -> dict[str, _RecordedClaim]:
        claim, found = columns_of(ClaimVersion), dict[str, _RecordedClaim]()
        for batch in batch_values(ids):
            columns = (claim.id, claim.seq, claim.status, claim.fingerprint)
            statement = select(*columns).where(claim.id.in_(batch), claim.until_seq.is_(None))
            found |= {id_: _RecordedClaim(*values) for id_, *values in self._session.execute(statement)}
        return found

    def _find_citations(self, claims: Sequence[StoredClaim]) -> set[tuple[str, str]]:
        """Return claim and document of the recorded citations of claims that are cited again."""
        citation, found = columns_of(CitationVersion), set[tuple[str, str]]()
        for batch in batch_values({each.claim for each in claims if "citations" in each.writes}):
            statement = select(citation.claim, citation.document)
            is_current = (citation.claim.in_(batch), citation.until_seq.is_(None))
            found |= {(claim, document) for claim, document in self._session.execute(statement.where(*is_current))}
        return found

    def _find_unusable_documents(self, part: StoredPart) -> set[str]:
        """Return the documents of a part that cannot be recorded, and those that it cites and that are not recorded."""
        session, snapshot = self._session, self._snapshot
        new = {document["id"]: document for document in part.documents}
        editions = {key for document in new.values() if (key := edition_key(document)) is not None}
        recorded = {edition_key(each) for batch in batch_values(editions) for each in self._load_editions(batch)}
        titles = {document["title"] for document in new.values() if document["url"] is None}
        recorded_keys = {
            document_key(each)
            for batch in batch_values(titles)
            for each in load_documents_by_title(session, batch, snapshot)
        }
        keys_by_id = {id_: keys_of_given(document) for id_, document in new.items()}
        removed: set[str] = set()
        for batch in batch_values(set().union(*keys_by_id.values())):
            removed |= load_removed_documents(session, batch, snapshot).keys()
        unusable = {
            id_
            for id_, document in new.items()
            if edition_key(document) in recorded - {None}
            or (document["url"] is None and document_key(document) in recorded_keys)
            or keys_by_id[id_] & removed
            or (self._has_removed_source and not {document["publisher"]} <= self._sources | {None})
        }
        cited = {document for each in part.claims for _, document, _ in each.writes.get("citations", ())}
        unusable |= new.keys() & self._find_recorded_documents(new, are_removed_too=True)
        others = cited - new.keys()
        return unusable | (others - self._find_recorded_documents(others))

    def _load_editions(self, keys: Collection[str]) -> list[Any]:
        return list(load_documents_by_edition(self._session, keys, self._snapshot))

    def _find_recorded_documents(self, ids: Collection[str], *, are_removed_too: bool = False) -> set[str]:
        document, found = columns_of(DocumentVersion), set[str]()
        for batch in batch_values(ids):
            statement = select(document.id).where(document.id.in_(batch), document.until_seq.is_(None))
            if not are_removed_too:
                statement = statement.where(document.removed.is_(False))
            found |= set(self._session.execute(statement).scalars())
        return found

    @cached_property
    def _has_removed_source(self) -> bool:
        return has_removed_sources(self._session, self._checked_seq)

    @cached_property
    def _sources(self) -> set[str]:
        source = columns_of(SourceVersion)
        return set(self._session.execute(select(source.slug).where(source.until_seq.is_(None))).scalars())

    @cached_property
    def _changed_categories(self) -> set[str]:
        return find_changed_categories(self._session, self._checked_seq)

    def _is_own(self, seq: int) -> bool:
        """Return whether the import itself has made a change."""
        step = columns_of(ImportStep)
        is_in_step = (step.import_id == self._import_id, step.first_seq <= seq, step.last_seq >= seq)
        return self._session.execute(select(step.first_seq).where(*is_in_step)).first() is not None
