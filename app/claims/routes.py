"""HTTP routes of claims: search, read, record, cite, correct and retract."""

from collections.abc import Callable
from typing import Annotated

import orjson
from fastapi import Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.claims.change_scope import claim_scope
from app.claims.create import record_citation, record_claim
from app.claims.lifecycle import reinstate, retract, revise
from app.claims.queries import find_claims, read_claim, read_claim_json, read_current_claim_json
from app.claims.revisions import load_revisions, read_revision
from app.claims.schemas import (
    ChangeInput,
    CitationInput,
    Claim,
    ClaimInput,
    RemovedRevision,
    RetractionInput,
    Revision,
)
from app.claims.search.filters import ClaimQuery
from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.claims.serialization.linked_data import claim_node
from app.database.api_keys import Actor
from app.database.read_session import read_session
from app.database.snapshot import open_snapshot
from app.database.transaction import WriteTransaction
from app.enums import Role
from app.errors import Forbidden
from app.http.auth import Contributor, Editor
from app.http.dependencies import Db
from app.http.fast_route import fast_path
from app.http.linked_data import JSON_LD_MEDIA_TYPE, json_ld_document, terms_members
from app.http.list_columns import ListName
from app.http.lists import ListResponseDep, list_route
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.offload import has_parameters, offloaded
from app.http.pagination import AsOf, Page, PageQuery, paginate_list
from app.http.responses import cacheable_response, json_response
from app.http.routing import api_router
from app.http.schema_types import DayOrMoment
from app.http.writes import WriteRequestDep, WriteResult
from app.sources.schemas import ReasonInput

router = api_router("claims")

ClaimId = Annotated[
    str, Path(alias="id", description="The id of the claim.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"])
]
KNOWN_ON_DESCRIPTION = (
    "The claim as known on this day or at this moment: later retractions and supersessions are ignored. If the claim "
    "was said later or is undated, the response is 404. Default: no limit."
)


class ClaimStateQuery(BaseModel):
    """The point in time for which one claim is read."""

    known_on: DayOrMoment | None = Field(default=None, description=KNOWN_ON_DESCRIPTION, examples=["2025-06-12"])
    recorded_as_of: AsOf = None


@list_route(router, "/claims", Claim, "Find claims", ListName.claims, CLAIM_COLUMNS, key=["id"], linked=True)
@fast_path(inline=True)
@offloaded(has_parameters("q", "total"))
def list_claims(query: Annotated[ClaimQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the claims that match every filter, newest first. Nothing is merged or averaged."""
    layout = listing.layout(CLAIM_COLUMNS)

    def find(page: ClaimQuery) -> Page:
        with read_session(db, generic_plan=listing.file is None) as read:
            return find_claims(read, page, read.snapshot(page.recorded_as_of, known_on=page.known_on), layout)

    return listing.send(find, query, CLAIM_COLUMNS, link=claim_node)


@router.get(
    "/claims/{id}.jsonld",
    summary="Read a claim as linked data",
    operation_id="read_claim_linked_data",
    response_class=Response,
    responses={200: {"content": {JSON_LD_MEDIA_TYPE: {"schema": {"type": "object", "additionalProperties": True}}}}},
)
@fast_path(inline=True)
def get_linked_claim(claim: ClaimId, request: Request, db: Db, query: Annotated[ClaimStateQuery, Query()]) -> Response:
    """Return one claim as JSON-LD: `Claim` of schema.org, with the chain of its sources in PROV.

    It has a `ClaimReview` only if an editor assessed the claim.
    """
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        revision, text = read_claim_json(read, claim, snapshot)
    settings = request.app.state.settings
    body = json_ld_document(claim_node(orjson.loads(text)) | terms_members(settings.terms or None))
    scope = claim_scope(snapshot.latest_seq, claim)
    return cacheable_response(request, body, JSON_LD_MEDIA_TYPE, tag=f"{revision}-", cache_scope=scope)


@router.get("/claims/{id}", summary="Read a claim", operation_id="read_claim", responses={200: {"model": Claim}})
@fast_path(inline=True)
def get_claim(claim: ClaimId, request: Request, db: Db, query: Annotated[ClaimStateQuery, Query()]) -> Response:
    """Return one claim with its figure, period, source, citations and latest assessment.

    A claim that was taken down is a 410 with its tombstone.
    """
    is_current = query.known_on is None and query.recorded_as_of is None
    found = read_current_claim_json(db, claim) if is_current else None
    if found is None:
        with read_session(db) as read:
            snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
            found = *read_claim_json(read, claim, snapshot), snapshot.latest_seq
    revision, text, seq = found
    return cacheable_response(request, text, JSON_MEDIA_TYPE, tag=f"{revision}-", cache_scope=claim_scope(seq, claim))


@router.post(
    "/claims",
    summary="Record a claim",
    operation_id="post_claim",
    status_code=201,
    responses={201: {"model": Claim, "description": "The new claim."}},
)
@fast_path()
async def post_claim(payload: ClaimInput, write: WriteRequestDep, contributor: Contributor) -> Response:
    """Record a claim of a source. A repetition of the same statement is a 409 that links to the recorded claim."""
    if payload.confidence is not None and not contributor.has_role(Role.editor):
        raise Forbidden("An assessment needs the role editor.", hint="leave `confidence` out")

    def record(transaction: WriteTransaction) -> WriteResult:
        body = record_claim(transaction, payload)
        return WriteResult(body, created=True, claim=body["id"])

    return await write.write(contributor, record)


@router.post(
    "/claims/{id}/citations",
    summary="Cite a claim",
    operation_id="post_citation",
    status_code=201,
    responses={201: {"model": Claim, "description": "The claim with its new citation."}},
)
def post_citation(claim: ClaimId, payload: CitationInput, write: WriteRequestDep, contributor: Contributor) -> Response:
    """Add a document in which the same claim can be read. Ten outlets that repeat one number are one claim."""

    def cite(transaction: WriteTransaction) -> WriteResult:
        document = read_claim(transaction.session, claim, transaction.snapshot)
        write.check_match(document, required=False)
        record_citation(transaction, document, payload)
        return WriteResult(read_claim(transaction.session, claim, transaction.snapshot), created=True, claim=claim)

    return write(contributor, cite)


@router.patch(
    "/claims/{id}",
    summary="Correct the record of a claim",
    operation_id="patch_claim",
    responses={200: {"model": Claim, "description": "The claim in its new revision."}},
)
def patch_claim(claim: ClaimId, payload: ChangeInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Correct an error of the register, or follow a correction by the publisher. Needs `If-Match`.

    The previous revision stays readable, and the reason is stored. A new figure for another day is a new claim, not a
    correction.
    """
    return _apply_change(claim, write, editor, lambda transaction: revise(transaction, claim, payload))


@router.post(
    "/claims/{id}/retraction",
    summary="Record a retraction",
    operation_id="post_retraction",
    responses={200: {"model": Claim, "description": "The claim, retracted."}},
)
def post_retraction(claim: ClaimId, payload: RetractionInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Record that the source retracted its claim, and on which day. The claim stays visible. Needs `If-Match`."""
    return _apply_change(claim, write, editor, lambda transaction: retract(transaction, claim, payload))


@router.post(
    "/claims/{id}/reinstatement",
    summary="Reinstate a claim",
    operation_id="post_reinstatement",
    responses={200: {"model": Claim, "description": "The claim, current again."}},
)
def post_reinstatement(claim: ClaimId, payload: ReasonInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Reverse a retraction. Needs `If-Match`."""
    return _apply_change(claim, write, editor, lambda transaction: reinstate(transaction, claim, payload.reason))


def _apply_change(
    claim: str, write: WriteRequestDep, actor: Actor, change: Callable[[WriteTransaction], None]
) -> Response:
    def apply(transaction: WriteTransaction) -> WriteResult:
        write.check_match(read_claim(transaction.session, claim, transaction.snapshot))
        change(transaction)
        return WriteResult(read_claim(transaction.session, claim, transaction.snapshot), claim=claim)

    return write(actor, apply)


@list_route(
    router,
    "/claims/{id}/revisions",
    Revision,
    "List the revisions of a claim",
    ListName.revisions,
    CLAIM_COLUMNS,
    key=["id", "revision"],
)
def list_revisions(claim: ClaimId, query: Annotated[PageQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return every revision of a claim with its event, reason, actor and changed fields."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            snapshot = open_snapshot(session, page.recorded_as_of)
            return paginate_list(load_revisions(session, claim, snapshot), page, snapshot.seq, "revision")

    return listing.send(find, query, CLAIM_COLUMNS)


@router.get(
    "/claims/{id}/revisions/{revision}",
    summary="Read a revision of a claim",
    operation_id="read_revision",
    responses={200: {"model": Revision | RemovedRevision}},
)
def get_revision(
    claim: ClaimId,
    revision: Annotated[int, Path(ge=1, le=2**31 - 1, description="The revision number, from 1.", examples=[1])],
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Return the claim as of this revision."""
    with db.read() as session:
        snapshot = open_snapshot(session, recorded_as_of)
        body = read_revision(session, claim, revision, snapshot)
    return json_response(request, body, tag=f"{revision}-", cache_scope=claim_scope(snapshot.latest_seq, claim))
