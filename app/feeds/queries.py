"""Reads the latest changes of claims as feed entries, for the whole register or one topic."""

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
"""Maximum number of entries of a feed; older changes are left out."""

CHANGE_TITLES = {
    ("claim", "created"): "New claim",
    ("claim", "transcription_fix"): "Transcription corrected",
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


def read_feed(session: Session, snapshot: Snapshot, topic: str | None = None) -> Feed:
    """Return a feed of the latest changes, newest first. Raises `NotFound` for a topic that does not exist."""
    change = columns_of(Change)
    statement = select(*change).where(change.claim.is_not(None), change.seq <= snapshot.seq)
    title = "Counterclaim: all changes"
    if topic is not None:
        topic_fields = read_topic_fields(session, topic, snapshot)
        title = f"Counterclaim: {topic_fields['title']}"
        first_day = topic_fields["since"]
        since = [] if first_day is None else [first_day, *partial_date_patterns(first_day)]
        categories = sorted(load_hierarchy(session, snapshot).narrower_categories(topic_fields["category"]))
        fields = {"subject": topic_fields["subject"], "place": topic_fields["place"]}
        # A tombstone has a category, subject and place, but no aggregation and period.
        tombstone = match_topic(claim, categories, **fields) & (claim.status == Status.removed)
        aggregation = topic_fields["aggregation"]
        belongs = match_topic(claim, categories, **fields, aggregation=aggregation, since=since) | tombstone
        statement = statement.where(change.claim.in_(select(claim.id).where(belongs, snapshot.contains(ClaimVersion))))
    rows = session.execute(statement.order_by(change.seq.desc()).limit(MAX_FEED_ENTRIES)).mappings().all()
    texts = {id_: _describe_claim(session, id_, snapshot) for id_ in {row["claim"] for row in rows}}
    entries = tuple(_build_entry(row, *texts[row["claim"]]) for row in rows)
    return Feed(title, entries[0].at if entries else snapshot.at, entries)


def _describe_claim(session: Session, id_: str, snapshot: Snapshot) -> tuple[str, str]:
    """Return the short form of a claim, and its sentence."""
    try:
        citable = read_citable_claim(session, id_, snapshot)
    except Removed:
        return "a claim", "This claim was taken down."
    return citable.text.short_form, citable.text.sentence


def _build_entry(row: Mapping[Any, Any], short: str, sentence: str) -> FeedEntry:
    event = CHANGE_TITLES[row["kind"], row["action"]]
    text = sentence if row["reason"] is None else f"{sentence} ({event}: {row['reason']})"
    return FeedEntry(row["seq"], row["at"], row["claim"], f"{event}: {short}", text, row["actor"])
