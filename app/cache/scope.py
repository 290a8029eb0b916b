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
    affects it). `names` are further surrogate keys of the response.
    """

    seq: int
    field_values: FieldValues | None = None
    names: tuple[str, ...] = ()

    @property
    def surrogate_keys(self) -> tuple[str, ...]:
        """The keys by which a shared cache evicts the response (`Surrogate-Key`), without duplicates.

        Every response has the key `register`. The others follow from `field_values`, so that the changes which evict
        the response from the cache of a process purge at least one of its keys (see `app/purge/keys.py`).
        """
        keys = [REGISTER_KEY]
        if self.field_values is None:
            keys.append(CHANGES_KEY)
        elif "id" in self.field_values:
            keys += map(claim_key, sorted(self.field_values["id"]))
        elif not any(name.startswith(TOPIC_PREFIX) for name in self.names):
            keys.append(CLAIMS_KEY)
        return tuple(dict.fromkeys((*keys, *self.names)))


REGISTER_KEY = "register"
"""The key of every response that a shared cache may store."""

CHANGES_KEY = "changes"
"""The key of the responses that any change can affect, also a new document or import."""

CLAIMS_KEY = "claims"
"""The key of the responses about claims that filters select, not a topic."""

TOPIC_PREFIX = "topic-"


def claim_key(id_: str) -> str:
    """Return the key of the responses about one claim."""
    return f"claim-{id_}"


def topic_key(slug: str) -> str:
    """Return the key of the responses about the claims of a topic."""
    return f"{TOPIC_PREFIX}{slug}"


def record_scope(seq: int, key: str) -> CacheScope:
    """Return the scope of a response that no new record affects, with the surrogate key `key`."""
    return CacheScope(seq, {"id": frozenset()}, (key,))
