"""Claims over HTTP: found, read, recorded, cited."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.auth import Contributor
from app.changes.clock import view_of, writing
from app.claims.columns import CLAIM_COLUMNS
from app.claims.filters import ClaimQuery
from app.claims.queries import assessments_of, find_claims, read_claim, relations_of
from app.claims.recording import record_citation, record_claim
from app.claims.schemas import Assessment, CitationInput, Claim, ClaimInput, Relation
from app.db import Db
from app.formats import Wanted, columns_of_model, listing, one, written
from app.paging import AsOf, Found, PageQuery, short
from app.problems import Forbidden
from app.shapes import Day
from app.vocabulary.schemas import ColumnRow
from app.vocabulary.terms import Role

router = APIRouter(tags=["claims"])

ClaimId = Annotated[str, Path(description="The claim's id.", examples=["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"])]
KnownOn = Annotated[
    Day | None,
    Query(description="As it was known on this day: a later retraction does not count yet.", examples=["2025-06-12"]),
]


@listing(router, "/claims", Claim, "Find claims")
def list_claims(query: Annotated[ClaimQuery, Query()], db: Db, want: Wanted) -> Response:
    """Claims that match every filter, the newest first. Nothing is merged or averaged."""

    def find(page: ClaimQuery) -> Found:
        with db.read() as session:
            return find_claims(session, page, view_of(session, page.recorded_as_of, known_on=page.known_on))

    return want.rows(find, query, CLAIM_COLUMNS)


@router.get("/claims/{id}", summary="Read a claim", operation_id="read_claim", responses={200: {"model": Claim}})
def get_claim(
    id: ClaimId,  # noqa: A002 - its name in the address
    request: Request,
    db: Db,
    known_on: KnownOn = None,
    recorded_as_of: AsOf = None,
) -> Response:
    """One claim with its figure, period, source, citations and newest assessment. Taken down: 410 with a tombstone."""
    with db.read() as session:
        view = view_of(session, recorded_as_of, known_on=known_on)
        card = read_claim(session, id, view)
    return one(request, card, tag=f"{card['revision']}-")


@router.post(
    "/claims",
    summary="Record a claim",
    operation_id="post_claim",
    status_code=201,
    responses={201: {"model": Claim, "description": "It is recorded."}},
)
def post_claim(given: ClaimInput, request: Request, db: Db, contributor: Contributor) -> Response:
    """Record what a source said. The same statement again is a 409 that links to the one that stands."""
    if given.confidence is not None and not contributor.may(Role.editor):
        raise Forbidden("An assessment needs the role editor.", hint="leave `confidence` out")
    with writing(db, contributor.name) as log:
        id_ = record_claim(log, given)
        card = read_claim(log.session, id_, log.view)
    return written(request, card, created=True, tag=f"{card['revision']}-")


@router.post(
    "/claims/{id}/citations",
    summary="Cite a claim",
    operation_id="post_citation",
    status_code=201,
    responses={201: {"model": Claim, "description": "The claim with its new citation."}},
)
def post_citation(id: ClaimId, given: CitationInput, request: Request, db: Db, contributor: Contributor) -> Response:  # noqa: A002 - its name in the address
    """Add another place where the same claim can be read. Ten outlets repeating one number are one claim."""
    with writing(db, contributor.name) as log:
        record_citation(log, read_claim(log.session, id, log.view), given)
        card = read_claim(log.session, id, log.view)
    return written(request, card, created=True, tag=f"{card['revision']}-")


@listing(router, "/claims/{id}/relations", Relation, "List the relations of a claim")
def list_relations(id: ClaimId, query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:  # noqa: A002 - its name in the address
    """How it stands to other claims and they to it, each with who asserts it."""

    def find(page: PageQuery) -> Found:
        with db.read() as session:
            view = view_of(session, page.recorded_as_of)
            read_claim(session, id, view)
            rows = relations_of(session, [id], view)
            return short(rows, page, view.seq)

    return want.rows(find, query, columns_of_model(Relation))


@listing(router, "/claims/{id}/assessments", Assessment, "List the assessments of a claim")
def list_assessments(id: ClaimId, query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:  # noqa: A002 - its name in the address
    """How it was assessed, the newest first. Nothing is averaged; the newest one shows on the claim."""

    def find(page: PageQuery) -> Found:
        with db.read() as session:
            view = view_of(session, page.recorded_as_of)
            read_claim(session, id, view)
            rows = assessments_of(session, id, view)
            return short(rows, page, view.seq)

    return want.rows(find, query, columns_of_model(Assessment))


COLUMN_ROWS = [
    {
        "name": column.name,
        "type": column.type,
        "description": column.description,
        "path": ".".join(column.path),
        "example": column.example,
    }
    for column in CLAIM_COLUMNS
]


@listing(router, "/columns", ColumnRow, "List the columns of the claims files")
def list_columns(query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:
    """The column dictionary: what each column of a claims file holds, in order. Columns are only ever appended."""

    def find(page: PageQuery) -> Found:
        with db.read() as session:
            return short(COLUMN_ROWS, page, view_of(session, page.recorded_as_of).seq, "name")

    return want.rows(find, query, columns_of_model(ColumnRow))
