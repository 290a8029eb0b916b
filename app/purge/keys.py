"""The surrogate keys of the responses that changes affect."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.cache.responses import ChangeImpact
from app.cache.scope import CHANGES_KEY, CLAIMS_KEY, REGISTER_KEY, claim_key, topic_key
from app.claims.change_scope import describe_change
from app.database.change_feed import changes_since
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.topics.records import topic_scope
from app.vocabulary.reference_data import get_reference_data

MAX_CHANGES_PER_PURGE = 200
"""More changes than this purge the whole cache."""

MAX_KEY_CHARACTERS = 6_000
"""Keys that are longer together purge the whole cache: Varnish accepts headers of 8 KB."""


def find_changed_keys(read: ReadSession, after: int, snapshot: Snapshot) -> list[str]:
    """Return the keys of the responses that the changes after `after` up to `snapshot` affect, sorted."""
    changes = changes_since(read, after, snapshot.latest_seq, MAX_CHANGES_PER_PURGE)
    if changes is None:
        return [REGISTER_KEY]
    topics = get_reference_data(read, snapshot).topics if changes else {}
    keys = {key for change in changes for key in _keys_of_impact(describe_change(change), topics)}
    is_long = sum(len(key) + 1 for key in keys) > MAX_KEY_CHARACTERS
    return [REGISTER_KEY] if is_long or REGISTER_KEY in keys else sorted(keys)


def _keys_of_impact(impact: ChangeImpact, topics: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """Return the keys of the responses that a change may affect.

    A topic is concerned by the claims that match the scope of its responses, see `topic_scope`.
    """
    if impact.claim_fields is None:
        return [CHANGES_KEY if impact.affects_no_claim else REGISTER_KEY]
    concerned = [
        topic_key(slug)
        for slug, topic in topics.items()
        if impact.affects(topic_scope(impact.seq, {**topic, "slug": slug}, topic["narrower"]).field_values)
    ]
    return [claim_key(impact.claim_fields["id"]), CLAIMS_KEY, CHANGES_KEY, *concerned]
