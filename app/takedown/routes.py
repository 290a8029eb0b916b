"""HTTP routes of takedowns."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from app.claims.queries import read_claim, read_tombstone
from app.claims.routes import ClaimId
from app.claims.schemas import Tombstone
from app.database.api_keys import Actor
from app.database.leases import wait_for_acknowledgements
from app.database.transaction import WriteTransaction
from app.errors import NotFound, Removed
from app.http.auth import Admin
from app.http.deadline import disable_deadline
from app.http.file_copies import FILE_COPIES
from app.http.routing import api_router
from app.http.writes import WriteRequest, WriteRequestDep, WriteResult
from app.sources.documents import read_document, read_document_tombstone
from app.sources.queries import SOURCE
from app.sources.routes import DocumentId
from app.sources.schemas import DocumentTombstone, ReasonInput, Source
from app.takedown.claims import take_down_claims
from app.takedown.documents import take_down_documents
from app.takedown.files import erase_files
from app.takedown.sources import take_down_source
from app.vocabulary.slug_records import read_record

router = api_router("takedowns")


@router.post(
    "/claims/{id}/takedown",
    summary="Take a claim down",
    operation_id="post_takedown",
    responses={200: {"model": Tombstone, "description": "The tombstone of the claim."}},
)
def post_takedown(claim: ClaimId, payload: ReasonInput, write: WriteRequestDep, admin: Admin) -> Response:
    """Erase the content of a claim from the register and its history, and leave a tombstone. Cannot be undone."""

    def erase(transaction: WriteTransaction) -> WriteResult:
        write.check_match(read_claim(transaction.session, claim, transaction.snapshot), required=False)
        take_down_claims(transaction, [claim], payload.reason)
        return WriteResult(read_tombstone(transaction.session, claim, transaction.snapshot))

    return _take_down(write, admin, erase)


@router.post(
    "/documents/{id}/takedown",
    summary="Take a document down",
    operation_id="post_document_takedown",
    responses={200: {"model": DocumentTombstone, "description": "The tombstone of the document."}},
)
def post_document_takedown(
    document: DocumentId, payload: ReasonInput, write: WriteRequestDep, admin: Admin
) -> Response:
    """Erase a document and the words of its citations from the register and its history. Cannot be undone.

    The claims that it is cited for stay. Their citations say that the document was taken down.
    """

    def erase(transaction: WriteTransaction) -> WriteResult:
        write.check_match(read_document(transaction.session, document, transaction.snapshot), required=False)
        take_down_documents(transaction, [document], payload.reason)
        return WriteResult(read_document_tombstone(transaction.session, document, transaction.snapshot))

    return _take_down(write, admin, erase)


@router.post(
    "/sources/{slug}/takedown",
    summary="Take a source down",
    operation_id="post_source_takedown",
    responses={200: {"model": Source, "description": "What is left of the source, under its new slug."}},
)
def post_source_takedown(
    slug: Annotated[str, Path(description="The slug of the source.", examples=["csis"])],
    payload: ReasonInput,
    write: WriteRequestDep,
    admin: Admin,
    *,
    claims: Annotated[
        bool, Query(description="Whether the claims of the source are taken down too.", examples=[False])
    ] = False,
) -> Response:
    """Erase the name of a source from the register and its history. Cannot be undone.

    Its slug becomes `removed-1`, `removed-2` and so on, everywhere and in every past state. Its claims stay under that
    slug, unless `claims` is true. Texts of claims and documents that mention the source are not changed.
    """

    def erase(transaction: WriteTransaction) -> WriteResult:
        write.check_match(read_record(transaction.session, SOURCE, slug, transaction.snapshot), required=False)
        replacement = take_down_source(transaction, slug, payload.reason, claims=claims)
        return WriteResult(read_record(transaction.session, SOURCE, replacement, transaction.snapshot))

    return _take_down(write, admin, erase)


def _take_down(write: WriteRequest, admin: Actor, erase: Callable[[WriteTransaction], WriteResult]) -> Response:
    """Run a takedown. When it is answered, nobody serves the content, and no file of the database contains it."""
    disable_deadline(write.request.scope)
    try:
        response = write(admin, erase)
    except (NotFound, Removed):
        _wait_for_others(write)  # the request is repeated because the first one was not answered
        raise
    erase_files(write.database)
    write.database.caches[FILE_COPIES].delete_all()
    _wait_for_others(write)
    write.database.caches[FILE_COPIES].delete_all()  # those that were made meanwhile, from a replica that lagged
    return response


def _wait_for_others(write: WriteRequest) -> None:
    """Wait until no other process, mirror or cache serves what was taken down, at most for one lease."""
    state = write.request.app.state
    if state.lease is not None:
        state.lease.look_now()
    wait_for_acknowledgements(write.database, state.settings.lease)
