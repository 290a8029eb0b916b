"""What a response depends on: the state that was read, and the claims that it shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FieldValues = Mapping[str, frozenset[str]]
"""Which claims an answer speaks of: those that have one of these words in each of these fields of theirs.

The fields are `id`, `category`, `subject`, `place`, `source`, `kind`, `modality`, `aggregation`, and as `level` that of
the newest assessment. No field: every claim.
"""


@dataclass(frozen=True, slots=True)
class CacheScope:
    """What an answer rests on: the state that was read, and the claims that it speaks of (none: any change counts).

    `surrogate_keys` are the names under which a cache in front of the service can forget it again (`Surrogate-Key`).
    """

    seq: int
    field_values: FieldValues | None = None
    surrogate_keys: tuple[str, ...] = ()


def record_scope(seq: int, key: str) -> CacheScope:
    """The basis of an answer that no claim changes, about the record that a cache should know as `key`."""
    return CacheScope(seq, {"id": frozenset()}, (key,))


def topic_scope(seq: int, topic: Mapping[str, Any]) -> CacheScope:
    """The basis of an answer about a topic, or any question with a subject and a place."""
    about = {name: frozenset({topic[name]}) for name in ("subject", "place") if topic.get(name)}
    return CacheScope(seq, about, (f"topic-{topic['slug']}",) if topic.get("slug") else ())
