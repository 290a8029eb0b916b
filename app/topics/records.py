"""The record type of topics."""

from collections.abc import Collection, Mapping
from typing import Any

from app.cache.scope import CLAIMS_KEY, CacheScope, topic_key
from app.database.tables import TopicVersion
from app.database.transaction import WriteTransaction
from app.errors import raise_if_any
from app.sources.queries import SOURCE
from app.topics.schemas import TopicInput
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import RecordType, find_reference_faults, find_unknown_slugs, replace_record

TOPIC = RecordType(
    "topic",
    "topics",
    TopicVersion,
    (
        "title",
        "description",
        "category",
        "subject",
        "place",
        "aggregation",
        "since",
        "tolerance",
        "interests",
        "narrower",
    ),
    {"category": CATEGORY, "subject": SUBJECT, "place": PLACE},
)


def topic_scope(seq: int, topic: Mapping[str, Any], narrower: Collection[str] = ()) -> CacheScope:
    """Return the scope of a response about a topic, or about any question with a subject and a place.

    A field in `narrower` does not limit the scope, because the response also has what lies below it. If the topic does
    not have it itself, the claims of the response are not only those of the topic.
    """
    names = [name for name in ("subject", "place") if topic.get(name) and name not in narrower]
    fields = {name: frozenset({topic[name]}) for name in names}
    if not topic.get("slug"):
        return CacheScope(seq, fields)
    others = () if set(narrower) <= set(topic["narrower"]) else (CLAIMS_KEY,)
    return CacheScope(seq, fields, (topic_key(topic["slug"]), *others))


def put_topic(transaction: WriteTransaction, slug: str, payload: TopicInput) -> tuple[dict[str, Any], bool | None]:
    """Record a topic. Raises `InvalidRequest` if its category, subject, place or a source does not exist."""
    faults = find_reference_faults(transaction, TOPIC, slug, payload)
    sources = [(f"interests/{source}", source) for source in payload.interests]
    faults += find_unknown_slugs(transaction.session, transaction.snapshot, SOURCE, sources)
    raise_if_any(faults)
    return replace_record(transaction, TOPIC, slug, payload)
