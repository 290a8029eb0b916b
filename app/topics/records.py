"""The record type of topics."""

from collections.abc import Mapping
from typing import Any

from app.cache.scope import CacheScope
from app.database.tables import TopicVersion
from app.database.transaction import WriteTransaction
from app.errors import raise_if_any
from app.topics.schemas import TopicInput
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import RecordType, find_reference_faults, replace_record

TOPIC = RecordType(
    "topic",
    "topics",
    TopicVersion,
    ("title", "description", "category", "subject", "place", "aggregation", "since", "tolerance"),
    {"category": CATEGORY, "subject": SUBJECT, "place": PLACE},
)


def topic_scope(seq: int, topic: Mapping[str, Any]) -> CacheScope:
    """Return the scope of a response about a topic, or about any question with a subject and a place."""
    fields = {name: frozenset({topic[name]}) for name in ("subject", "place") if topic.get(name)}
    return CacheScope(seq, fields, (f"topic-{topic['slug']}",) if topic.get("slug") else ())


def put_topic(transaction: WriteTransaction, slug: str, payload: TopicInput) -> tuple[dict[str, Any], bool | None]:
    """Record a topic. Raises `InvalidRequest` if its category, subject or place does not exist."""
    faults = find_reference_faults(transaction, TOPIC, slug, payload)
    raise_if_any(faults)
    return replace_record(transaction, TOPIC, slug, payload)
