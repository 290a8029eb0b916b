"""Reads the latest changes of claims as feed entries, for the whole register or one topic."""

from collections.abc import Hashable, Sequence

from sqlalchemy import select
from sqlmodel import Session

from app.cache.scope import CacheScope, topic_key
from app.changes.topics import read_topic_scope
from app.database.engine import Database
from app.database.snapshot import Snapshot
from app.database.tables import RegisterIdentity, columns_of
from app.feeds.change_details import load_change_details
from app.feeds.entries import EntryWords, describe_import
from app.feeds.entry_cache import FEED_ENTRIES, CachedEntry
from app.feeds.formats import Feed, FeedEntry
from app.feeds.latest_changes import ChangeSearch, ClaimChange, ImportedChanges, LatestChange
from app.references.queries import describe_claims
from app.topics.queries import read_topic_fields
from app.vocabulary.reference_data import ReferenceData, get_reference_data

MAX_FEED_ENTRIES = 50
"""Maximum number of entries of a feed; older changes are left out."""

FEEDS_KEY = "feeds"
"""The surrogate key of all feeds, by which an operator can evict them."""


def read_feed(session: Session, snapshot: Snapshot, topic: str | None = None) -> tuple[Feed, CacheScope]:
    """Return a feed of the latest changes, newest first, and what it depends on.

    Raises `NotFound` for a topic that does not exist.
    """
    reference_data = get_reference_data(session, snapshot)
    title, page, scope = "Counterclaim: all changes", "/", None
    cache_scope = CacheScope(snapshot.latest_seq, names=(FEEDS_KEY,))
    if topic is not None:
        fields = read_topic_fields(session, topic, snapshot)
        scope = read_topic_scope(fields, reference_data)
        title, page = f"Counterclaim: {fields['title']}", f"/topics/{topic}"
        cache_scope = CacheScope(snapshot.latest_seq, scope.field_values, (topic_key(topic), FEEDS_KEY))
    search = ChangeSearch(session, snapshot, scope)
    database: Database = session.info["database"]
    cache = database.caches[FEED_ENTRIES]
    cache.advance(session, snapshot, reference_data)
    known_seq, known = cache.find_latest(topic, snapshot)
    latest = [*search.find_latest(MAX_FEED_ENTRIES, known_seq), *known][:MAX_FEED_ENTRIES]
    cache.store_latest(topic, latest, snapshot)
    changes = {_cache_key(change, topic): change for change in latest}
    entries = cache.find_entries(changes, snapshot)
    missing = {key: change for key, change in changes.items() if key not in entries}
    if missing:
        new = _build_entries(session, list(missing.values()), search, reference_data, snapshot, topic)
        built: dict[Hashable, CachedEntry] = dict(zip(missing, new, strict=True))
        cache.store_entries(built, snapshot)
        entries |= {key: cached.entry for key, cached in built.items()}
    ordered = tuple(entries[key] for key in changes)
    if cache.register_id is None:
        cache.register_id = session.execute(select(columns_of(RegisterIdentity).register_id)).scalar_one()
    return Feed(title, page, ordered[0].at if ordered else snapshot.at, ordered, cache.register_id), cache_scope


def _cache_key(change: LatestChange, topic: str | None) -> Hashable:
    """Return what an entry depends on besides the state: an import has an entry of its own in each feed."""
    return change.seq if isinstance(change, ClaimChange) else (topic, change.seq, change.last_seq)


def _build_entries(
    session: Session,
    changes: Sequence[LatestChange],
    search: ChangeSearch,
    reference_data: ReferenceData,
    snapshot: Snapshot,
    topic: str | None,
) -> list[CachedEntry]:
    """Return the entries of changes, with few statements for all of them."""
    single = [change for change in changes if isinstance(change, ClaimChange)]
    details = load_change_details(session, single)
    names = reference_data.read_names(session, snapshot)
    ids = {change.claim for change in single} | details.related_claims
    words = EntryWords(names, describe_claims(session, ids, snapshot, names), details)
    return [
        CachedEntry(_build_import_entry(change, search, topic), frozenset())
        if isinstance(change, ImportedChanges)
        else CachedEntry(_build_entry(change, words), words.find_dependencies(change))
        for change in changes
    ]


def _build_entry(change: ClaimChange, words: EntryWords) -> FeedEntry:
    title, text = words.describe(change)
    return FeedEntry(f"/v1/changes/{change.seq}", change.at, f"/claims/{change.claim}", title, text, change.actor)


def _build_import_entry(imported: ImportedChanges, search: ChangeSearch, topic: str | None) -> FeedEntry:
    """Return the entry of an import. A topic has its own, with its own id, because it counts only its own changes."""
    path = f"/v1/imports/{imported.id}"
    if topic is None:
        title, text = describe_import(imported, None, is_complete=True)
        return FeedEntry(path, imported.at, "/", title, text, imported.actor)
    counts, is_complete = search.count_kinds(imported)
    title, text = describe_import(imported, counts, is_complete=is_complete)
    return FeedEntry(f"{path}/topics/{topic}", imported.at, f"/topics/{topic}", title, text, imported.actor)
