"""HTTP routes of leases."""

from fastapi import Request
from starlette.responses import Response
from uuid_utils import uuid7

from app.database.engine import Database
from app.database.leases import Holder, LogPosition, has_lease, read_head, read_waiting_takedowns, renew_lease
from app.enums import LeaseKind
from app.errors import NotFound, shorten
from app.http.auth import Mirror
from app.http.dependencies import Db
from app.http.responses import check_write_conditions, json_response
from app.http.routing import api_router
from app.leases.schemas import HeldLease, LeaseInput

router = api_router("leases")

MAX_TAKEDOWNS = 1_000
"""The number of takedowns in a response."""


@router.post(
    "/leases",
    summary="Hold a lease",
    operation_id="post_lease",
    responses={200: {"model": HeldLease, "description": "The lease, and the takedowns that wait for its holder."}},
)
def post_lease(payload: LeaseInput, request: Request, db: Db, mirror: Mirror) -> Response:
    """Create or renew a lease, and acknowledge takedowns: for mirrors and caches, with a key of the role `mirror`.

    The holder may serve what it has read while it holds the lease, and renews it every third of `seconds`. A takedown
    is answered when every holder has acknowledged it, or its lease has ended. Forget what the `takedowns` erased, then
    send the `seq` of the last one as `acknowledged`.
    """
    check_write_conditions(request, exists=payload.id is not None)
    lease_id = _find_own_lease(db, payload.id, mirror.id) if payload.id else str(uuid7())
    seconds: float = request.app.state.settings.lease
    holder = Holder(lease_id, LeaseKind.mirror, mirror.name, seconds, mirror.id)
    with db.write() as session:
        acknowledged = min(LogPosition(payload.epoch, payload.acknowledged), read_head(session).latest)
        is_renewed = renew_lease(session, holder, acknowledged)
    with db.read_primary() as session:
        head = read_head(session)
        body = {
            "id": lease_id,
            "held": is_renewed and head.takedown <= acknowledged,
            "seconds": seconds,
            "epoch": head.latest.epoch,
            "seq": head.latest.seq,
            "takedowns": read_waiting_takedowns(session, acknowledged, MAX_TAKEDOWNS),
        }
    response = json_response(request, body)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _find_own_lease(db: Database, lease_id: str, key: str) -> str:
    """Return the id of a lease that a key holds. Raises `NotFound`."""
    with db.read_primary() as session:
        if not has_lease(session, lease_id, key):
            detail = f"Your key holds no lease `{shorten(lease_id)}`: it has ended, or was revoked."
            raise NotFound(detail, hint="forget what you have read, and create a lease without `id`")
    return lease_id
