"""The history of a claim: each revision as it showed the claim, and what changed from one to the next."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.claims.queries import select_claims
from app.claims.serialization.input_fields import citation_as_input, claim_as_input, field_changes
from app.claims.serialization.rows import ResponseObject, build_claim_responses
from app.database.snapshot import EPOCH, Snapshot
from app.database.tables import Change, CitationVersion, ClaimVersion, columns_of
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import NotFound


def load_revisions(session: Session, id_: str, view: Snapshot) -> list[ResponseObject]:
    """Every revision up to the view, the first one first. Raises `NotFound`."""
    claim, change = columns_of(ClaimVersion), columns_of(Change)
    rows: Sequence[Mapping[Any, Any]] = []
    if ID_PATTERN.fullmatch(id_):
        made = select(claim.seq, claim.until_seq, claim.recorded_until, change.action, change.reason, change.actor)
        known = made.join(Change, change.seq == claim.seq).where(claim.id == id_, claim.seq <= view.seq)
        rows = session.execute(known.order_by(claim.seq)).mappings().all()
    if not rows:
        raise NotFound(f"There is no claim `{id_}`.", hint="GET /v1/claims lists them")
    found: list[ResponseObject] = []
    before: dict[str, Any] | None = None
    for row in rows:
        ended = row["until_seq"] is not None and row["until_seq"] <= view.seq
        last = row["until_seq"] - 1 if ended else view.seq
        card = _load_claim_at(session, id_, Snapshot(seq=last, at=view.at, as_of=last))
        after = _load_comparable_fields(session, id_, row["seq"])
        made_by = {"event": row["action"], "reason": row["reason"], "actor": row["actor"]}
        until = {"recorded_until": row["recorded_until"] if ended else None}
        changes = [] if before is None else field_changes(before, after)
        found.append({**card, **until, **made_by, "changes": changes})
        before = after
    return found


def read_revision(session: Session, id_: str, revision: int, view: Snapshot) -> ResponseObject:
    """One revision. Raises `NotFound`."""
    found = load_revisions(session, id_, view)
    if revision > len(found):
        raise NotFound(f"The claim has {len(found)} revisions; there is no {revision}.")
    return found[revision - 1]


def _load_claim_at(session: Session, id_: str, view: Snapshot) -> ResponseObject:
    claim = columns_of(ClaimVersion)
    rows = session.execute(select_claims(view).where(claim.id == id_, view.contains(ClaimVersion))).mappings().all()
    return build_claim_responses(session, rows, view)[0]


def _load_comparable_fields(session: Session, id_: str, seq: int) -> dict[str, Any]:
    """What is compared between revisions: what was recorded at `seq`, the citations by their ids."""
    claim, citation = columns_of(ClaimVersion), columns_of(CitationVersion)
    view = Snapshot(seq=seq, at=EPOCH, as_of=seq)
    row: Mapping[Any, Any] = session.execute(select(*claim).where(claim.id == id_, claim.seq == seq)).mappings().one()
    if row["status"] == Status.removed:
        return {"status": row["status"]}
    cited = select(*citation).where(citation.claim == id_, view.contains(CitationVersion)).order_by(citation.id)
    citations = {each["id"]: citation_as_input(each) for each in session.execute(cited).mappings()}
    state = {"status": row["status"], "retracted_on": row["retracted_on"]}
    return {**claim_as_input(row), **state, "citations": citations}
