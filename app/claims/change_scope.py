"""What claims declare to the change feed and to the response cache: their fields, and what a change of one affects."""

from app.cache.responses import ChangeImpact
from app.cache.scope import CacheScope
from app.database.change_feed import ChangeEntry, ChangeFields, declare_change_fields
from app.database.tables import ClaimVersion

CLAIM_RECORD_KINDS = ("claim", "citation", "assessment")
"""The kinds of records that the representation of a claim is made of."""

STANDALONE_KINDS = ("document", "import")
"""The kinds whose new records are in no response about claims yet."""

SCOPE_COLUMNS = ("category", "subject", "place", "source", "kind", "modality", "aggregation")

LEVEL_SQL = (
    "COALESCE((SELECT a.level FROM assessment a WHERE a.claim = record.id AND a.seq <= change.seq"
    " AND (a.until_seq IS NULL OR a.until_seq > change.seq) AND NOT a.withdrawn"
    " ORDER BY a.assessed_on DESC, a.id DESC LIMIT 1), 'unassessed')"
)
"""The level of the newest assessment, as of the change."""

declare_change_fields(ChangeFields(ClaimVersion, SCOPE_COLUMNS, {"level": LEVEL_SQL}))


def describe_change(change: ChangeEntry) -> ChangeImpact:
    """Return what a change means to cached responses.

    A new claim, citation or assessment affects the responses that claims like that one are in. Of any other change
    that is not known.
    """
    fields = change.fields
    if fields is None or change.kind not in CLAIM_RECORD_KINDS or change.revision != 1:
        return ChangeImpact(change.seq, affects_no_claim=change.kind in STANDALONE_KINDS and change.revision == 1)
    if change.kind == "assessment":  # the claim was on another level before
        fields = {name: value for name, value in fields.items() if name != "level"}
    return ChangeImpact(change.seq, claim_fields=fields)


def claim_scope(seq: int, id_: str) -> CacheScope:
    """Return the scope of a response about one claim, read at `seq`."""
    return CacheScope(seq, {"id": frozenset({id_})}, (f"claim-{id_}",))
