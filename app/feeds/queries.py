"""The latest changes of claims, put into words: of the whole register, or of one topic."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.claims.search.filters import claim, match_topic, partial_date_patterns
from app.database.snapshot import Snapshot
from app.database.tables import Change, ClaimVersion, columns_of
from app.enums import Status
from app.errors import Removed
from app.feeds.formats import Feed, FeedEntry
from app.references.queries import read_citable_claim
from app.topics.queries import read_topic_fields
from app.vocabulary.records import load_hierarchy

MAX_FEED_ENTRIES = 50
"""How many entries a feed has: the newest ones."""

CHANGE_TITLES = {
    ("claim", "created"): "New claim",
    ("claim", "transcription_fix"): "Transcription mended",
    ("claim", "relay_correction"): "Report corrected",
    ("claim", "retraction"): "Retracted",
    ("claim", "reinstatement"): "Reinstated",
    ("claim", "takedown"): "Taken down",
    ("citation", "created"): "Cited again",
    ("assessment", "created"): "Assessed",
    ("assessment", "withdrawal"): "Assessment withdrawn",
    ("relation", "created"): "Related",
    ("relation", "withdrawal"): "Relation withdrawn",
}


def read_feed(session: Session, view: Snapshot, topic: str | None = None) -> Feed:
    """The newest entries, the newest first. Raises `NotFound` for a topic that does not exist."""
    change = columns_of(Change)
    wanted = select(*change).where(change.claim.is_not(None), change.seq <= view.seq)
    title = "Counterclaim: all changes"
    if topic is not None:
        asked = read_topic_fields(session, topic, view)
        title = f"Counterclaim: {asked['title']}"
        since = [] if asked["since"] is None else [asked["since"], *partial_date_patterns(asked["since"])]
        categories = sorted(load_hierarchy(session, view).narrower_categories(asked["category"]))
        fields = {"subject": asked["subject"], "place": asked["place"]}
        # A tombstone still tells what was counted, whose and where, but no longer how and since when.
        tombstone = match_topic(claim, categories, **fields) & (claim.status == Status.removed)
        belongs = match_topic(claim, categories, **fields, aggregation=asked["aggregation"], since=since) | tombstone
        wanted = wanted.where(change.claim.in_(select(claim.id).where(belongs, view.contains(ClaimVersion))))
    rows = session.execute(wanted.order_by(change.seq.desc()).limit(MAX_FEED_ENTRIES)).mappings().all()
    told = {id_: _describe_claim(session, id_, view) for id_ in {row["claim"] for row in rows}}
    entries = tuple(_build_entry(row, *told[row["claim"]]) for row in rows)
    return Feed(title, entries[0].at if entries else view.at, entries)


def _describe_claim(session: Session, id_: str, view: Snapshot) -> tuple[str, str]:
    """A claim in few words, and in a sentence."""
    try:
        found = read_citable_claim(session, id_, view)
    except Removed:
        return "a claim", "This claim was taken down."
    return found.text.short_form, found.text.sentence


def _build_entry(row: Mapping[Any, Any], short: str, sentence: str) -> FeedEntry:
    happened = CHANGE_TITLES[row["kind"], row["action"]]
    text = sentence if row["reason"] is None else f"{sentence} ({happened}: {row['reason']})"
    return FeedEntry(row["seq"], row["at"], row["claim"], f"{happened}: {short}", text, row["actor"])
