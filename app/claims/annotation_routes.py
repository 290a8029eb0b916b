"""HTTP routes of relations, assessments and marks of citations."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from app.claims.annotations import load_assessments, load_relations, read_assessment, read_relation
from app.claims.create import assess_claim, record_relation
from app.claims.lifecycle import find_cited_claim, mark_citation, withdraw
from app.claims.queries import read_claim
from app.claims.routes import ClaimId
from app.claims.schemas import Assessment, AssessmentInput, CitationMarkInput, Claim, Relation, RelationInput
from app.database.snapshot import open_snapshot
from app.database.tables import AssessmentVersion, RelationVersion
from app.database.transaction import WriteTransaction
from app.http.addresses import whole_address
from app.http.auth import Editor
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.list_columns import ListName
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import Page, PageQuery, paginate_list
from app.http.routing import api_router
from app.http.schema_types import DayOrMoment
from app.http.writes import WriteRequestDep, WriteResult
from app.sources.schemas import ReasonInput

router = api_router("claims")

RecordId = Annotated[
    str, Path(alias="id", description="The id of the record.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"])
]

CitationId = Annotated[
    str, Path(alias="id", description="The id of the citation.", examples=["01a1f640-bc00-7001-b80d-255f31ecbb6f"])
]


class RelationsQuery(PageQuery):
    """The page of the relations of a claim, and the day on which they had been stated."""

    known_on: DayOrMoment | None = Field(
        default=None,
        description="Only relations that had been stated by this day or moment: by the date of their document, else of "
        "their claim. If the claim itself was said later or is undated, the response is 404. Default: no limit.",
        examples=["2025-06-12"],
    )


class AssessmentsQuery(PageQuery):
    """The page of the assessments of a claim, and the day by which the claim had been said."""

    known_on: DayOrMoment | None = Field(
        default=None,
        description="If the claim was said after this day or moment, or is undated, the response is 404. The "
        "assessments themselves are those of the register. Default: no limit.",
        examples=["2025-06-12"],
    )


RELATION_COLUMNS = columns_of_model(Relation)
ASSESSMENT_COLUMNS = columns_of_model(Assessment)


@list_route(
    router,
    "/claims/{id}/relations",
    Relation,
    "List the relations of a claim",
    ListName.relations,
    RELATION_COLUMNS,
    key=["id"],
)
def list_relations(
    claim: ClaimId, query: Annotated[RelationsQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return the relations from and to this claim, each with the source that asserts it."""

    def find(page: RelationsQuery) -> Page:
        with db.read() as session:
            snapshot = open_snapshot(session, page.recorded_as_of, known_on=page.known_on)
            read_claim(session, claim, snapshot)
            return paginate_list(load_relations(session, [claim], snapshot), page, snapshot.seq)

    return listing.send(find, query, RELATION_COLUMNS)


@router.post(
    "/claims/{id}/relations",
    summary="Record a relation of a claim",
    operation_id="post_relation",
    status_code=201,
    responses={201: {"model": Relation, "description": "The new relation."}},
)
def post_relation(claim: ClaimId, payload: RelationInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Record a relation of this claim to another claim or to a source, and who asserts it."""

    def relate(transaction: WriteTransaction) -> WriteResult:
        write.check_match(read_claim(transaction.session, claim, transaction.snapshot), required=False)
        body = read_relation(transaction.session, record_relation(transaction, claim, payload), transaction.snapshot)
        location = whole_address(f"/v1/claims/{claim}/relations")
        return WriteResult(body, created=True, claim=claim, location=location)

    return write(editor, relate)


@router.post(
    "/relations/{id}/withdrawal",
    summary="Withdraw a relation",
    operation_id="post_relation_withdrawal",
    responses={200: {"model": Relation, "description": "The relation, withdrawn."}},
)
def withdraw_relation(relation: RecordId, payload: ReasonInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Withdraw a relation. It stays in the history but is not used anymore."""

    def apply(transaction: WriteTransaction) -> WriteResult:
        claim = read_relation(transaction.session, relation, transaction.snapshot)["claim"]
        withdraw(transaction, RelationVersion, relation, payload.reason)
        return WriteResult(read_relation(transaction.session, relation, transaction.snapshot), claim=claim)

    return write(editor, apply)


@list_route(
    router,
    "/claims/{id}/assessments",
    Assessment,
    "List the assessments of a claim",
    ListName.assessments,
    ASSESSMENT_COLUMNS,
    key=["id"],
)
def list_assessments(
    claim: ClaimId, query: Annotated[AssessmentsQuery, Query()], db: Db, listing: ListResponseDep
) -> Response:
    """Return the assessments of a claim, newest first. The claim shows the latest one; nothing is averaged."""

    def find(page: AssessmentsQuery) -> Page:
        with db.read() as session:
            snapshot = open_snapshot(session, page.recorded_as_of, known_on=page.known_on)
            read_claim(session, claim, snapshot)
            return paginate_list(load_assessments(session, claim, snapshot), page, snapshot.seq)

    return listing.send(find, query, ASSESSMENT_COLUMNS)


@router.post(
    "/claims/{id}/assessments",
    summary="Assess a claim",
    operation_id="post_assessment",
    status_code=201,
    responses={201: {"model": Assessment, "description": "The new assessment."}},
)
def post_assessment(claim: ClaimId, payload: AssessmentInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Record how far an editor trusts the claim, and why. The claim shows it; earlier assessments stay readable."""

    def assess(transaction: WriteTransaction) -> WriteResult:
        document = read_claim(transaction.session, claim, transaction.snapshot)
        write.check_match(document, required=False)
        body = read_assessment(transaction.session, assess_claim(transaction, document, payload), transaction.snapshot)
        location = whole_address(f"/v1/claims/{claim}/assessments")
        return WriteResult(body, created=True, claim=claim, location=location)

    return write(editor, assess)


@router.post(
    "/assessments/{id}/withdrawal",
    summary="Withdraw an assessment",
    operation_id="post_assessment_withdrawal",
    responses={200: {"model": Assessment, "description": "The assessment, withdrawn."}},
)
def withdraw_assessment(assessment: RecordId, payload: ReasonInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Withdraw an assessment. It stays in the history; the claim shows the previous assessment again."""

    def apply(transaction: WriteTransaction) -> WriteResult:
        claim = read_assessment(transaction.session, assessment, transaction.snapshot)["claim"]
        withdraw(transaction, AssessmentVersion, assessment, payload.reason)
        return WriteResult(read_assessment(transaction.session, assessment, transaction.snapshot), claim=claim)

    return write(editor, apply)


@router.patch(
    "/citations/{id}",
    summary="Mark the leading citation",
    operation_id="patch_citation",
    responses={200: {"model": Claim, "description": "The claim with its citations."}},
)
def patch_citation(
    citation: CitationId, payload: CitationMarkInput, write: WriteRequestDep, editor: Editor
) -> Response:
    """Mark a citation as the one that sentences and files with one row per claim use, or remove the mark.

    A claim has at most one mark, so that of another citation is removed. The request states the result and is not
    refused without `If-Match`; if it is sent, it names the revision of the claim.
    """

    def mark(transaction: WriteTransaction) -> WriteResult:
        claim = find_cited_claim(transaction, citation)
        write.check_match(read_claim(transaction.session, claim, transaction.snapshot), required=False)
        mark_citation(transaction, citation, payload)
        return WriteResult(read_claim(transaction.session, claim, transaction.snapshot), claim=claim)

    return write(editor, mark)
