"""Reads the latest changes of claims as feed entries, for the whole register or one topic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.claims.search.filters import claim
from app.claims.search.question_scope import expand_question, match_scope, partial_date_patterns
from app.database.snapshot import Snapshot
from app.database.tables import Change, ClaimVersion, RegisterIdentity, RelationVersion, columns_of
from app.enums import RelationType, Status
from app.errors import Removed
from app.feeds.formats import Feed, FeedEntry
from app.references.queries import read_citable_claim
from app.sentences.sentence import describe_figure_briefly
from app.topics.queries import read_topic_fields
from app.vocabulary.reference_data import get_reference_data

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

SUPERSESSION_TITLES = {"created": "Superseded", "withdrawal": "Supersession withdrawn"}
"""The titles of changes of a relation `supersedes`, which the figures of both claims follow."""


def read_feed(session: Session, snapshot: Snapshot, topic: str | None = None) -> Feed:
    """Return a feed of the latest changes, newest first. Raises `NotFound` for a topic that does not exist."""
    change = columns_of(Change)
    statement = select(*change).where(change.claim.is_not(None), change.seq <= snapshot.seq)
    title = "Counterclaim: all changes"
    if topic is not None:
        topic_fields = read_topic_fields(session, topic, snapshot)
        title = f"Counterclaim: {topic_fields['title']}"
        scope = expand_question(topic_fields, get_reference_data(session, snapshot), topic_fields["narrower"])
        since = [] if scope.since is None else [scope.since, *partial_date_patterns(scope.since)]
        # A tombstone has a category, subject and place, but no aggregation and period.
        key = (scope.categories, scope.subjects, scope.places)
        tombstone = match_scope(claim, *key) & (claim.status == Status.removed)
        belongs = match_scope(claim, *key, scope.aggregations, since) | tombstone
        statement = statement.where(change.claim.in_(select(claim.id).where(belongs, snapshot.contains(ClaimVersion))))
    rows = session.execute(statement.order_by(change.seq.desc()).limit(MAX_FEED_ENTRIES)).mappings().all()
    superseded = _find_superseded(session, [row["seq"] for row in rows if row["kind"] == "relation"])
    ids = {row["claim"] for row in rows} | set(superseded.values())
    texts = {id_: _describe_claim(session, id_, snapshot) for id_ in ids}
    entries = tuple(_build_entry(row, texts[row["claim"]], texts.get(superseded.get(row["seq"], ""))) for row in rows)
    register_id = session.execute(select(columns_of(RegisterIdentity).register_id)).scalar_one()
    return Feed(title, entries[0].at if entries else snapshot.at, entries, register_id)


def _find_superseded(session: Session, seqs: Sequence[int]) -> dict[int, str]:
    """Return, by the `seq` of a change of a relation `supersedes`, the claim that it superseded."""
    relation = columns_of(RelationVersion)
    statement = select(relation.seq, relation.to_claim).where(
        relation.seq.in_(seqs), relation.type == RelationType.supersedes, relation.to_claim.is_not(None)
    )
    return {row.seq: row.to_claim for row in session.execute(statement)} if seqs else {}


@dataclass(frozen=True, slots=True)
class _DescribedClaim:
    """The texts of a claim: short form, sentence, and figure, which is None if the claim was taken down."""

    short_form: str
    sentence: str
    figure: str | None


def _describe_claim(session: Session, id_: str, snapshot: Snapshot) -> _DescribedClaim:
    """Return the texts of a claim."""
    try:
        citable = read_citable_claim(session, id_, snapshot)
    except Removed:
        return _DescribedClaim("a claim", "This claim was taken down.", None)
    return _DescribedClaim(citable.text.short_form, citable.text.sentence, describe_figure_briefly(citable.claim))


def _build_entry(row: Mapping[Any, Any], claim: _DescribedClaim, superseded: _DescribedClaim | None) -> FeedEntry:
    """Return the entry of a change; `superseded` is the other claim of a relation `supersedes`."""
    event, sentence = CHANGE_TITLES[row["kind"], row["action"]], claim.sentence
    if superseded is not None:
        event = SUPERSESSION_TITLES[row["action"]]
        if superseded.figure is not None and claim.figure is not None:
            event += f" {superseded.figure} → {claim.figure}"
            sentence = f"{sentence} Before: {superseded.sentence}"
    title = f"{event}: {claim.short_form}"
    text = sentence if row["reason"] is None else f"{sentence} ({event}: {row['reason']})"
    return FeedEntry(row["seq"], row["at"], row["claim"], title, text, row["actor"])
