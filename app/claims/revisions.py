"""Revisions of a claim: the claim as of each revision, and the changes between them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.claims.queries import read_claim_row
from app.claims.serialization.input_fields import citation_as_input, claim_as_input, field_changes
from app.claims.serialization.rows import ResponseObject, build_claim_responses
from app.database.snapshot import EPOCH, Snapshot
from app.database.tables import Change, CitationVersion, ClaimVersion, columns_of
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import NotFound
from app.http.addresses import whole_address


def load_revisions(session: Session, id_: str, snapshot: Snapshot) -> list[ResponseObject]:
    """Return the revisions of a claim up to the snapshot, oldest first. Raises `NotFound`."""
    claim, change = columns_of(ClaimVersion), columns_of(Change)
    rows: Sequence[Mapping[Any, Any]] = []
    if ID_PATTERN.fullmatch(id_):
        fields = (claim.seq, claim.until_seq, claim.recorded_until, change.action, change.reason, change.actor)
        statement = select(*fields).join(Change, change.seq == claim.seq).order_by(claim.seq)
        statement = statement.where(claim.id == id_, claim.seq <= snapshot.seq)
        rows = session.execute(statement).mappings().all()
    if not rows:
        raise NotFound(f"There is no claim `{id_}`.", hint=f"GET {whole_address('/v1/claims')} lists them")
    revisions: list[ResponseObject] = []
    before: dict[str, Any] | None = None
    for row in rows:
        is_replaced = row["until_seq"] is not None and row["until_seq"] <= snapshot.seq
        last_seq = row["until_seq"] - 1 if is_replaced else snapshot.seq
        response = _load_claim_at(session, id_, Snapshot(seq=last_seq, at=snapshot.at, as_of=last_seq))
        response["recorded_until"] = row["recorded_until"] if is_replaced else None
        after = _load_comparable_fields(session, id_, row["seq"])
        event = {"event": row["action"], "reason": row["reason"], "actor": row["actor"]}
        changes = [] if before is None else field_changes(before, after)
        revisions.append({**response, **event, "changes": changes})
        before = after
    return revisions


def read_revision(session: Session, id_: str, revision: int, snapshot: Snapshot) -> ResponseObject:
    """Return one revision of a claim. Raises `NotFound`."""
    revisions = load_revisions(session, id_, snapshot)
    if revision > len(revisions):
        raise NotFound(f"The claim has {len(revisions)} revisions; there is no revision {revision}.")
    return revisions[revision - 1]


def _load_claim_at(session: Session, id_: str, snapshot: Snapshot) -> ResponseObject:
    row = read_claim_row(session, id_, snapshot)
    assert row is not None  # noqa: S101 - it has a revision there
    return build_claim_responses(session, [row], snapshot)[0]


def _load_comparable_fields(session: Session, id_: str, seq: int) -> dict[str, Any]:
    """Return the fields of a claim as recorded at `seq`, for a comparison of revisions; its citations by id."""
    claim, citation = columns_of(ClaimVersion), columns_of(CitationVersion)
    snapshot = Snapshot(seq=seq, at=EPOCH, as_of=seq)
    row: Mapping[Any, Any] = session.execute(select(*claim).where(claim.id == id_, claim.seq == seq)).mappings().one()
    if row["status"] == Status.removed:
        return {"status": row["status"]}
    statement = select(*citation).where(citation.claim == id_, snapshot.contains(CitationVersion)).order_by(citation.id)
    citations = {
        citation_row["id"]: citation_as_input(citation_row) for citation_row in session.execute(statement).mappings()
    }
    state = {"status": row["status"], "retracted_on": row["retracted_on"]}
    return {**claim_as_input(row), **state, "citations": citations}
