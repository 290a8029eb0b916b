"""Claims over HTTP: found, read, recorded, cited, repaired, assessed, related."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.cache.invalidation import CacheInvalidator
from app.claims.change_scope import claim_scope
from app.claims.create import record_citation, record_claim
from app.claims.lifecycle import reinstate, retract, revise, take_down
from app.claims.queries import find_claims, read_claim, read_claim_json, read_tombstone
from app.claims.revisions import load_revisions, read_revision
from app.claims.schemas import (
    ChangeInput,
    CitationInput,
    Claim,
    ClaimInput,
    ReasonInput,
    RetractionInput,
    Revision,
    Tombstone,
)
from app.claims.search.filters import ClaimQuery
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.database.api_keys import Actor
from app.database.read_session import read_session
from app.database.snapshot import open_snapshot
from app.database.transaction import WriteTransaction
from app.enums import Role
from app.errors import Forbidden
from app.http.auth import Admin, Contributor, Editor
from app.http.dependencies import Db
from app.http.fast_route import fast_path
from app.http.lists import ListResponseDep, list_route
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.pagination import AsOf, Page, PageQuery, paginate_list
from app.http.responses import cacheable_response, json_response
from app.http.routing import api_router
from app.http.schema_types import Day, RegisterState
from app.http.writes import WriteRequestDep, WriteResult, clear_stored_bodies

router = api_router("claims")

ClaimId = Annotated[
    str, Path(alias="id", description="The claim's id.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"])
]
KnownOn = Annotated[
    Day | None,
    Query(description="As it was known on this day: a later retraction does not count yet.", examples=["2025-06-12"]),
]


class ClaimStateQuery(BaseModel):
    """The state in which one claim is read."""

    known_on: Day | None = Field(
        default=None,
        description="As it was known on this day: a later retraction does not count yet.",
        examples=["2025-06-12"],
    )
    recorded_as_of: RegisterState | None = Field(
        default=None,
        description="The register as it stood at this time, or at `seq:N`; as it stands if not given.",
        examples=["seq:1234"],
    )


@list_route(router, "/claims", Claim, "Find claims")
@fast_path(inline=True)
def list_claims(query: Annotated[ClaimQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """Claims that match every filter, the newest first. Nothing is merged or averaged."""
    layout = want.layout(CLAIM_COLUMNS)

    def find(page: ClaimQuery) -> Page:
        with read_session(db, plan_once=want.file is None) as read:
            return find_claims(read, page, read.snapshot(page.recorded_as_of, known_on=page.known_on), layout)

    return want.send(find, query, CLAIM_COLUMNS)


@router.get("/claims/{id}", summary="Read a claim", operation_id="read_claim", responses={200: {"model": Claim}})
@fast_path(inline=True)
def get_claim(claim: ClaimId, request: Request, db: Db, query: Annotated[ClaimStateQuery, Query()]) -> Response:
    """One claim with its figure, period, source, citations and newest assessment. Taken down: 410 with a tombstone."""
    with read_session(db) as read:
        view = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        revision, text = read_claim_json(read, claim, view)
    return cacheable_response(
        request, text, JSON_MEDIA_TYPE, tag=f"{revision}-", basis=claim_scope(view.latest_seq, claim)
    )


@router.post(
    "/claims",
    summary="Record a claim",
    operation_id="post_claim",
    status_code=201,
    responses={201: {"model": Claim, "description": "It is recorded."}},
)
@fast_path()
async def post_claim(given: ClaimInput, write: WriteRequestDep, contributor: Contributor) -> Response:
    """Record what a source said. The same statement again is a 409 that links to the one that stands."""
    if given.confidence is not None and not contributor.has_role(Role.editor):
        raise Forbidden("An assessment needs the role editor.", hint="leave `confidence` out")

    def record(log: WriteTransaction) -> WriteResult:
        card = record_claim(log, given)
        return WriteResult(card, created=True, claim=card["id"])

    return await write.write(contributor, record)


@router.post(
    "/claims/{id}/citations",
    summary="Cite a claim",
    operation_id="post_citation",
    status_code=201,
    responses={201: {"model": Claim, "description": "The claim with its new citation."}},
)
def post_citation(claim: ClaimId, given: CitationInput, write: WriteRequestDep, contributor: Contributor) -> Response:
    """Add another place where the same claim can be read. Ten outlets repeating one number are one claim."""

    def cite(log: WriteTransaction) -> WriteResult:
        record_citation(log, read_claim(log.session, claim, log.snapshot), given)
        return WriteResult(read_claim(log.session, claim, log.snapshot), created=True, claim=claim)

    return write(contributor, cite)


@router.patch(
    "/claims/{id}",
    summary="Repair the record of a claim",
    operation_id="patch_claim",
    responses={200: {"model": Claim, "description": "The claim in its new revision."}},
)
def patch_claim(claim: ClaimId, given: ChangeInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Mend our slip, or follow an outlet that mended its own. The state before stays, with your reason beside it.

    A new figure for another day is a new claim, not a repair. Needs `If-Match`.
    """
    return _apply_change(claim, write, editor, lambda log: revise(log, claim, given))


@router.post(
    "/claims/{id}/retraction",
    summary="Note a retraction",
    operation_id="post_retraction",
    responses={200: {"model": Claim, "description": "The claim, retracted."}},
)
def post_retraction(claim: ClaimId, given: RetractionInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Note that its source took the claim back, and on which day. It stays visible. Needs `If-Match`."""
    return _apply_change(claim, write, editor, lambda log: retract(log, claim, given))


@router.post(
    "/claims/{id}/reinstatement",
    summary="Reinstate a claim",
    operation_id="post_reinstatement",
    responses={200: {"model": Claim, "description": "The claim, standing again."}},
)
def post_reinstatement(claim: ClaimId, given: ReasonInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Let a retracted claim stand again. Needs `If-Match`."""
    return _apply_change(claim, write, editor, lambda log: reinstate(log, claim, given.reason))


def _apply_change(
    claim: str, write: WriteRequestDep, actor: Actor, act: Callable[[WriteTransaction], None]
) -> Response:
    def change(log: WriteTransaction) -> WriteResult:
        write.check_match(read_claim(log.session, claim, log.snapshot))
        act(log)
        return WriteResult(read_claim(log.session, claim, log.snapshot), claim=claim)

    return write(actor, change)


@router.post(
    "/claims/{id}/takedown",
    summary="Take a claim down",
    operation_id="post_takedown",
    responses={200: {"model": Tombstone, "description": "What is left of it."}},
)
def post_takedown(claim: ClaimId, given: ReasonInput, write: WriteRequestDep, admin: Admin) -> Response:
    """Erase what a claim said, everywhere and from its whole history, and leave a tombstone. This cannot be undone."""

    def erase(log: WriteTransaction) -> WriteResult:
        write.check_match(read_claim(log.session, claim, log.snapshot), required=False)
        take_down(log, claim, given.reason)
        clear_stored_bodies(log, claim)
        return WriteResult(read_tombstone(log.session, claim, log.snapshot))

    answered = write(admin, erase)
    watch: CacheInvalidator = write.request.app.state.invalidator
    watch.wait_until_visible()
    return answered


@list_route(router, "/claims/{id}/revisions", Revision, "List the revisions of a claim")
def list_revisions(claim: ClaimId, query: Annotated[PageQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """Its history: every revision with what made it, why, by whom, and what changed, field by field."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            view = open_snapshot(session, page.recorded_as_of)
            return paginate_list(load_revisions(session, claim, view), page, view.seq, "revision")

    return want.send(find, query, CLAIM_COLUMNS)


@router.get(
    "/claims/{id}/revisions/{revision}",
    summary="Read a revision of a claim",
    operation_id="read_revision",
    responses={200: {"model": Revision}},
)
def get_revision(
    claim: ClaimId,
    revision: Annotated[int, Path(ge=1, le=2**31 - 1, description="Its number, from 1.", examples=[1])],
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """The claim as this revision showed it, until the next one replaced it."""
    with db.read() as session:
        view = open_snapshot(session, recorded_as_of)
        card = read_revision(session, claim, revision, view)
    return json_response(request, card, tag=f"{revision}-", basis=claim_scope(view.latest_seq, claim))
