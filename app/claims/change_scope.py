"""Declaration of claims to the change feed and the response cache: their fields, and the impact of a change."""

from app.cache.responses import ChangeImpact
from app.cache.scope import CacheScope
from app.database.change_feed import ChangeEntry, ChangeFields, declare_change_fields
from app.database.tables import ClaimVersion

CLAIM_RECORD_KINDS = ("claim", "citation", "assessment")
"""The kinds of records whose fields are in the representation of a claim."""

STANDALONE_KINDS = ("document", "import")
"""The kinds whose new records are not yet in any response about claims."""

SCOPE_COLUMNS = ("category", "subject", "place", "source", "kind", "modality", "aggregation")

LEVEL_SQL = (
    "COALESCE((SELECT a.level FROM assessment a WHERE a.claim = record.id AND a.seq <= change.seq"
    " AND (a.until_seq IS NULL OR a.until_seq > change.seq) AND NOT a.withdrawn"
    " ORDER BY a.assessed_on DESC, a.id DESC LIMIT 1), 'unassessed')"
)
"""The level of the newest assessment, as of the change."""

SUPERSEDED_VERSION = "superseded_version"
"""The field of a change with the version of the claim that a changed relation `supersedes` leads to."""

SUPERSEDED_VERSION_SQL = (
    "CASE WHEN change.kind = 'relation' THEN (SELECT c.version FROM relation r JOIN claim c ON c.id = r.to_claim"
    " AND c.seq <= change.seq AND (c.until_seq IS NULL OR c.until_seq > change.seq)"
    " WHERE r.seq = change.seq AND r.type = 'supersedes') END"
)

declare_change_fields(
    ChangeFields(ClaimVersion, SCOPE_COLUMNS, {"level": LEVEL_SQL, SUPERSEDED_VERSION: SUPERSEDED_VERSION_SQL})
)


def superseded_version(change: ChangeEntry) -> int | None:
    """Return the version of the claim whose successor a change may have changed, if the change is of a relation."""
    version: int | None = None if change.fields is None else change.fields[SUPERSEDED_VERSION]
    return version


def describe_change(change: ChangeEntry) -> ChangeImpact:
    """Return the impact of a change on cached responses.

    A new claim, citation or assessment affects the responses whose scope contains the fields of its claim. The impact
    of other changes is unknown.
    """
    fields = change.fields
    if fields is None or change.kind not in CLAIM_RECORD_KINDS or change.revision != 1:
        return ChangeImpact(change.seq, affects_no_claim=change.kind in STANDALONE_KINDS and change.revision == 1)
    if change.kind == "assessment":  # the claim had another level before
        fields = {name: value for name, value in fields.items() if name != "level"}
    return ChangeImpact(change.seq, claim_fields=fields)


def claim_scope(seq: int, id_: str) -> CacheScope:
    """Return the scope of a response about one claim, read at `seq`."""
    return CacheScope(seq, {"id": frozenset({id_})})
