"""Cache scopes: the state and the records that a response depends on."""

from collections.abc import Mapping
from dataclasses import dataclass

FieldValues = Mapping[str, frozenset[str]]
"""The records that a response shows: those that have one of these values in each of these fields.

The fields are `id` and those that a feature declares to the change feed. No field: every record.
"""


@dataclass(frozen=True, slots=True)
class CacheScope:
    """The state and the records that a response depends on.

    `seq` is the state that was read, `field_values` selects the records that the response shows (None: any change
    affects it). `surrogate_keys` are the names by which a cache in front of the service can evict it (`Surrogate-Key`).
    """

    seq: int
    field_values: FieldValues | None = None
    surrogate_keys: tuple[str, ...] = ()


def record_scope(seq: int, key: str) -> CacheScope:
    """Return the scope of a response that no new record affects, with the surrogate key `key`."""
    return CacheScope(seq, {"id": frozenset()}, (key,))
